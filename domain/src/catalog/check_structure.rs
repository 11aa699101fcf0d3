//! Whether offers fit each other and what is published: options, versions, price lists.

use super::check::{self, Problems};
use super::options::OPTIONS_MAX;
use super::text::File;
use super::{Catalog, Offer, OptionRule, PriceList, PriceTerm, Recurring};
use crate::journal::REVENUE_CODES;
use crate::kernel::{Currency, Decimal};
use std::collections::BTreeSet;

/// Longest code of an option's charge, as the charge's own.
const CODE_MAX: usize = 60;

/// Adds the problems of a file beside what is published.
pub(super) fn file(known: &Catalog, file: &File, problems: &mut Problems) {
    let view = View { known, file };
    for offer in &file.offer {
        problems.within(format!("offer {}", offer.code), |p| {
            validity(known, offer, p);
            selling(offer, p);
            options(&view, offer, p);
            accounts(offer, p);
        });
        for charge in &offer.recurring {
            problems.within(
                format!("offer {}, charge {}", offer.code, charge.code),
                |p| {
                    recurring(charge, p);
                },
            );
        }
    }
    let mut codes = BTreeSet::new();
    for list in &file.price_list {
        problems.within(format!("price list {}", list.code), |p| {
            p.code(&list.code);
            p.when(!codes.insert(&list.code), || {
                "there is another price list with this code".to_string()
            });
            price_list(&view, list, p);
        });
    }
}

/// What is published, with a file on top.
struct View<'a> {
    known: &'a Catalog,
    file: &'a File,
}

impl<'a> View<'a> {
    fn offer(&self, code: &str) -> Option<&'a Offer> {
        let new = self.file.offer.iter().find(|o| o.code == code);
        new.or_else(|| self.known.offer(code).map(|sold| &**sold))
    }
}

/// Two versions must not both say that they are sold on a day. A version that says nothing of its end gives way to the
/// next one; one that begins no later than the next is replaced by it.
fn validity(known: &Catalog, offer: &Offer, problems: &mut Problems) {
    if let (Some(from), Some(until)) = (offer.valid_from, offer.valid_until) {
        problems.when(from >= until, || {
            format!("valid_from {from} is not before valid_until {until}")
        });
    }
    let newest = known.offer(&offer.code).map(|o| o.version);
    let unchanged = known.offer(&offer.code).is_some_and(|o| {
        let mut now = Offer::clone(o);
        now.version = offer.version;
        now == *offer
    });
    if unchanged {
        return;
    }
    for other in known.versions(&offer.code) {
        let (Some(from), Some(ends)) = (offer.valid_from, other.valid_until) else {
            continue;
        };
        let begins_before = other.valid_from.is_none_or(|begins| begins < from);
        let superseded = known
            .versions(&offer.code)
            .iter()
            .any(|later| later.version > other.version && later.valid_from <= other.valid_from);
        problems.when(begins_before && !superseded && from < ends, || {
            format!(
                "version {} is sold until {ends} and this one from {from}: both on the same days",
                other.version
            )
        });
    }
    problems.when(
        newest.is_none() && offer.grandfathered_until.is_some(),
        || "grandfathered_until is for who has an older version, and there is none".to_string(),
    );
}

/// What only selling writes.
fn selling(offer: &Offer, problems: &mut Problems) {
    let charges = offer
        .one_off
        .iter()
        .any(|c| c.of.is_some() || c.source.is_some())
        || offer
            .recurring
            .iter()
            .any(|c| c.of.is_some() || c.source.is_some())
        || offer
            .usage
            .iter()
            .any(|c| c.of.is_some() || c.source.is_some());
    problems.when(
        charges || !offer.chosen.is_empty() || offer.contract.is_some(),
        || "chosen, contract, of and source are written when an offer is sold".to_string(),
    );
}

fn options(view: &View<'_>, offer: &Offer, problems: &mut Problems) {
    problems.when(offer.option.len() > OPTIONS_MAX, || {
        format!(
            "it has {} options, more than {OPTIONS_MAX}",
            offer.option.len()
        )
    });
    let place = problems.place.clone();
    let mut codes = BTreeSet::new();
    for rule in &offer.option {
        problems.within(format!("{place}, option {}", rule.code), |p| {
            p.code(&rule.code);
            p.when(rule.code.contains('.'), || {
                "its code has a dot, which stands between an option and its charge".to_string()
            });
            p.when(!codes.insert(&rule.code), || {
                "there is another option with this code".to_string()
            });
            p.when(offer.includes.contains(&rule.code), || {
                "it is both included and to be chosen".to_string()
            });
            quantities(rule, p);
            brought(view, offer, rule, p);
            for other in rule.requires.iter().chain(&rule.excludes) {
                let known = *other != rule.code && offer.option.iter().any(|r| r.code == *other);
                p.when(!known, || {
                    format!("{other} is not another option of {}", offer.code)
                });
            }
            let both = rule.requires.iter().find(|r| rule.excludes.contains(r));
            if let Some(both) = both {
                p.add(format!("it needs {both} and does not go with it"));
            }
        });
    }
    for (what, others) in [("requires", &offer.requires), ("excludes", &offer.excludes)] {
        for other in others.iter().filter(|o| view.offer(o).is_none()) {
            problems.add(format!("{what} {other}, which is not an offer"));
        }
    }
}

fn quantities(rule: &OptionRule, problems: &mut Problems) {
    problems.price("min", rule.min);
    problems.positive("max", rule.max);
    problems.when(rule.min > rule.max, || {
        format!("min {} is above max {}", rule.min, rule.max)
    });
    if let Some(usual) = rule.usual {
        problems.when(usual < rule.min || usual > rule.max, || {
            format!("usual {usual} is not from {} to {}", rule.min, rule.max)
        });
        problems.when(!rule.mandatory(), || {
            "usual is for options that always come along".to_string()
        });
    }
}

/// The offer that an option brings.
fn brought(view: &View<'_>, offer: &Offer, rule: &OptionRule, problems: &mut Problems) {
    let Some(other) = view.offer(&rule.offer) else {
        problems.add(format!("there is no offer {}", rule.offer));
        return;
    };
    problems.when(other.code == offer.code, || {
        "it is the offer itself".to_string()
    });
    problems.when(!other.option.is_empty(), || {
        format!("offer {} has options of its own", other.code)
    });
    problems.when(other.tax_included != offer.tax_included, || {
        format!(
            "offer {} and {} do not both include tax in their prices",
            other.code, offer.code
        )
    });
    problems.when(other.currency != offer.currency, || {
        format!(
            "offer {} is in {}, not in {}",
            other.code,
            other.currency.code(),
            offer.currency.code()
        )
    });
    let codes = other.one_off.iter().map(|c| &c.code);
    let codes = codes.chain(other.recurring.iter().map(|c| &c.code));
    for code in codes.chain(other.usage.iter().map(|c| &c.code)) {
        let long = rule.code.len() + 1 + code.len();
        problems.when(long > CODE_MAX, || {
            format!(
                "charge {}.{code} has a name of {long} characters, more than {CODE_MAX}",
                rule.code
            )
        });
    }
}

fn accounts(offer: &Offer, problems: &mut Problems) {
    let all = offer.one_off.iter().map(|c| (&c.code, c.account));
    let all = all.chain(offer.recurring.iter().map(|c| (&c.code, c.account)));
    for (code, account) in all.chain(offer.usage.iter().map(|c| (&c.code, c.account))) {
        let wrong = account.filter(|a| !REVENUE_CODES.contains(a));
        if let Some(account) = wrong {
            problems.add(format!(
                "charge {code}: account {account} is not a revenue account from {} to {}",
                REVENUE_CODES.start(),
                REVENUE_CODES.end()
            ));
        }
    }
}

fn recurring(charge: &Recurring, problems: &mut Problems) {
    problems.when(charge.periods == Some(0), || {
        "it lasts for no period".to_string()
    });
    problems.when(charge.periods.is_some() && charge.lasts.is_some(), || {
        "lasts and periods both say when it ends".to_string()
    });
}

fn price_list(view: &View<'_>, list: &PriceList, problems: &mut Problems) {
    problems.when(list.currency == Currency::default(), || {
        "currency XXX stands for no currency".to_string()
    });
    if let (Some(from), Some(until)) = (list.from, list.until) {
        problems.when(from >= until, || {
            format!("from {from} is not before until {until}")
        });
    }
    problems.when(list.items.is_empty(), || "it has no item".to_string());
    terms(view, &list.items, problems);
    let published = view.known.price_lists.values().map(|l| &**l);
    let replaced = |l: &&PriceList| view.file.price_list.iter().all(|n| n.code != l.code);
    for other in published.filter(replaced).chain(&view.file.price_list) {
        problems.when(other.code != list.code && list.rivals(other), || {
            format!(
                "price list {} fits the same buyers on the same days",
                other.code
            )
        });
    }
}

/// Problems of prices in a contract, beside what is published; none when there is no problem.
pub fn price_terms(known: &Catalog, place: &str, items: &[PriceTerm]) -> Vec<String> {
    let file = File::default();
    let mut problems = Problems {
        place: place.to_string(),
        ..Problems::default()
    };
    problems.when(items.is_empty(), || "it agrees on no price".to_string());
    let view = View { known, file: &file };
    terms(&view, items, &mut problems);
    problems.found
}

fn terms(view: &View<'_>, items: &[PriceTerm], problems: &mut Problems) {
    let place = problems.place.clone();
    let mut named = BTreeSet::new();
    for (n, item) in items.iter().enumerate() {
        let charge = item.charge.as_deref().unwrap_or("*");
        let at = format!("{place}, item {}, {} {charge}", n + 1, item.offer);
        problems.within(at, |p| {
            p.when(!named.insert((&item.offer, &item.charge)), || {
                "another item names the same".to_string()
            });
            term(view, item, p);
        });
    }
}

fn term(view: &View<'_>, item: &PriceTerm, problems: &mut Problems) {
    let says = [
        item.price.is_some(),
        item.amount.is_some(),
        item.percent.is_some(),
    ];
    problems.when(says.iter().filter(|s| **s).count() != 1, || {
        "it says one of price, amount and percent".to_string()
    });
    if let Some(percent) = item.percent {
        problems.when(percent <= Decimal::from(-100), || {
            format!("{percent} percent leaves nothing of a price")
        });
    }
    if let Some(price) = &item.price {
        check::price(price, problems);
    }
    if let Some(amount) = item.amount {
        problems.price("amount", amount);
    }
    let Some(offer) = view.offer(&item.offer) else {
        problems.add("there is no such offer");
        return;
    };
    let Some(charge) = &item.charge else {
        problems.when(item.percent.is_none(), || {
            "only a percentage can be for every charge".to_string()
        });
        return;
    };
    let one_off = offer.one_off.iter().any(|c| c.code == *charge);
    let priced = offer.recurring.iter().any(|c| c.code == *charge)
        || offer.usage.iter().any(|c| c.code == *charge);
    problems.when(!one_off && !priced, || {
        "there is no such charge".to_string()
    });
    problems.when(one_off && item.price.is_some(), || {
        "a one-off charge has an amount, not a price".to_string()
    });
    problems.when(priced && item.amount.is_some(), || {
        "only a one-off charge has an amount".to_string()
    });
}
