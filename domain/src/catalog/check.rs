//! Whether offers make sense: every problem is listed with its place, and nothing is published while there is one.

use super::text::File;
use super::{
    Aggregate, Catalog, Commitment, Offer, OneOff, Package, Pay, Percentage, Price, RateTier,
    Recurring, Tier, Usage, WEEKDAYS, Window, check_measure,
};
use crate::kernel::{Currency, Decimal, Rejection, Span, check_id};
use std::collections::BTreeSet;

/// Most decimals of a unit price (policy 2).
const SCALE_MAX: u32 = 12;
/// A charge's code is part of a stream's name, beside a subscription's id and a date.
const CODE_MAX: usize = 60;

/// Refuses what has problems, all of them at once. `known` is what is published already, `found` what is known to be wrong.
pub fn catalog(known: &Catalog, file: &File, found: Vec<String>) -> Result<(), Rejection> {
    let found = problems(known, file, found);
    if found.is_empty() {
        return Ok(());
    }
    Err(Rejection::new(
        "CATALOG_INVALID",
        format!(
            "the catalog has {} problems: {}",
            found.len(),
            found.join("; ")
        ),
    ))
}

/// Everything that is wrong with a file, each with its place.
pub fn problems(known: &Catalog, file: &File, found: Vec<String>) -> Vec<String> {
    let mut problems = Problems::default();
    let offers = &file.offer;
    let mut codes = BTreeSet::new();
    for (n, offer) in offers.iter().enumerate() {
        problems.place = if offer.code.is_empty() {
            format!("offer {}", n + 1)
        } else {
            format!("offer {}", offer.code)
        };
        problems.code(&offer.code);
        problems.when(!codes.insert(&offer.code), || {
            "there is another offer with this code".to_string()
        });
        check_offer(offer, &mut problems);
    }
    super::check_structure::file(known, file, &mut problems);
    super::check_counters::pools(known, file, &mut problems);
    problems.found.extend(found);
    problems.found
}

/// Problems found so far, and where the reader is.
#[derive(Default)]
pub(super) struct Problems {
    pub(super) place: String,
    pub(super) found: Vec<String>,
}

impl Problems {
    pub(super) fn add(&mut self, what: impl AsRef<str>) {
        self.found
            .push(format!("{}: {}", self.place, what.as_ref()));
    }

    pub(super) fn when(&mut self, wrong: bool, what: impl FnOnce() -> String) {
        if wrong {
            self.add(what());
        }
    }

    pub(super) fn code(&mut self, code: &str) {
        if code.len() > CODE_MAX || check_id("code", code).is_err() {
            self.add(format!("code {code:?} must be 1 to {CODE_MAX} characters out of letters, digits and . _ : -"));
        }
    }

    pub(super) fn name(&mut self, name: &str) {
        self.when(name.trim().is_empty(), || "it has no name".to_string());
    }

    /// Without a class no rate is found, and nothing could be billed.
    pub(super) fn tax_class(&mut self, class: &str) {
        self.when(class.trim().is_empty(), || {
            "its tax_class is empty: leave it out for \"standard\"".to_string()
        });
    }

    /// A price, rate or fee: not below zero, at most 12 decimals.
    pub(super) fn price(&mut self, what: &str, value: Decimal) {
        self.when(value.is_negative(), || {
            format!("{what} {value} is below zero")
        });
        self.when(value.get().scale() > SCALE_MAX, || {
            format!("{what} {value} has more than {SCALE_MAX} decimals")
        });
    }

    pub(super) fn positive(&mut self, what: &str, value: Decimal) {
        self.when(value <= Decimal::ZERO, || {
            format!("{what} {value} is not above zero")
        });
    }

    pub(super) fn span(&mut self, what: &str, span: Option<Span>) {
        self.when(span.is_some_and(|s| s.is_zero()), || {
            format!("{what} is no time at all")
        });
    }

    pub(super) fn within(&mut self, place: String, check: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.place, place);
        check(self);
        self.place = before;
    }
}

fn check_offer(offer: &Offer, problems: &mut Problems) {
    problems.name(&offer.name);
    problems.when(offer.currency == Currency::default(), || {
        "currency XXX stands for no currency".to_string()
    });
    problems.span("trial", offer.trial);
    let day = offer.billing_day;
    problems.when(day.is_some_and(|day| !(1..=31).contains(&day)), || {
        format!(
            "billing day {} is not between 1 and 31",
            day.unwrap_or_default()
        )
    });
    if let Some(tenure) = &offer.tenure {
        problems.span("tenure", Some(tenure.lasts));
        problems.span("renewal", tenure.renews);
    }
    let nothing = offer.one_off.is_empty()
        && offer.recurring.is_empty()
        && offer.usage.is_empty()
        && offer.counter.is_empty()
        && offer.feature.is_empty();
    problems.when(nothing, || {
        "it charges nothing: no one_off, recurring or usage".to_string()
    });
    check_measure::units(offer, problems);
    super::check_counters::offer(offer, problems);
    let mut codes = BTreeSet::new();
    let all = offer
        .one_off
        .iter()
        .map(|c| &c.code)
        .chain(offer.recurring.iter().map(|c| &c.code))
        .chain(offer.usage.iter().map(|c| &c.code));
    for code in all {
        problems.within(format!("offer {}, charge {code}", offer.code), |p| {
            p.code(code);
            p.when(!codes.insert(code), || {
                "there is another charge with this code".to_string()
            });
        });
    }
    for charge in &offer.one_off {
        problems.within(
            format!("offer {}, charge {}", offer.code, charge.code),
            |p| one_off(charge, p),
        );
    }
    for charge in &offer.recurring {
        problems.within(
            format!("offer {}, charge {}", offer.code, charge.code),
            |p| recurring(charge, p),
        );
    }
    if let Some(progressive) = &offer.progressive {
        let amounts = progressive.at.iter().chain(&progressive.every);
        let positive = amounts.clone().all(|a| *a > Decimal::ZERO);
        problems.when(amounts.count() == 0 || !positive, || {
            "progressive billing needs amounts above zero".to_string()
        });
        let ascending = progressive.at.windows(2).all(|pair| pair[0] < pair[1]);
        problems.when(!ascending, || {
            "thresholds of progressive billing are not ascending".to_string()
        });
    }
    for committed in &offer.commitments {
        problems.within(
            format!("offer {}, commitment {}", offer.code, committed.code),
            |p| {
                p.when(!codes.insert(&committed.code), || {
                    "there is another charge or commitment with this code".to_string()
                });
                commitment(offer, committed, p);
            },
        );
    }
    for charge in &offer.usage {
        problems.within(
            format!("offer {}, charge {}", offer.code, charge.code),
            |p| {
                usage(charge, p);
                check_measure::usage(offer, charge, p);
            },
        );
    }
}

/// Bounds make sense and name charges of the offer.
fn commitment(offer: &Offer, committed: &Commitment, problems: &mut Problems) {
    problems.code(&committed.code);
    problems.name(&committed.name);
    problems.tax_class(&committed.tax_class);
    problems.span("every", Some(committed.every));
    for (what, value) in [("min", committed.min), ("max", committed.max)] {
        if let Some(value) = value {
            problems.price(what, value);
        }
    }
    match (committed.min, committed.max) {
        (None, None) => problems.add("it has neither min nor max"),
        (Some(min), Some(max)) => {
            problems.when(min > max, || format!("min {min} is above max {max}"))
        }
        _ => {}
    }
    let known = |code: &String| {
        offer.recurring.iter().any(|c| c.code == *code)
            || offer.usage.iter().any(|c| c.code == *code)
    };
    for code in committed.charges.iter().filter(|code| !known(code)) {
        problems.add(format!(
            "the offer has no recurring or usage charge {code:?}"
        ));
    }
}

fn one_off(charge: &OneOff, problems: &mut Problems) {
    problems.name(&charge.name);
    problems.tax_class(&charge.tax_class);
    problems.price("amount", charge.amount);
    super::shares::check(&charge.shares, true, problems);
}

fn recurring(charge: &Recurring, problems: &mut Problems) {
    problems.name(&charge.name);
    problems.tax_class(&charge.tax_class);
    problems.span("every", Some(charge.every));
    problems.span("lasts", charge.lasts);
    let by_record = matches!(
        charge.price,
        Price::Percentage(_) | Price::GraduatedPercentage(_) | Price::Dynamic(_)
    );
    check_measure::recurring(charge, problems);
    super::shares::check(&charge.shares, true, problems);
    problems.when(by_record, || {
        "a recurring charge has no records to take a percentage or an amount of".to_string()
    });
    price(&charge.price, problems);
}

fn usage(charge: &Usage, problems: &mut Problems) {
    problems.name(&charge.name);
    problems.tax_class(&charge.tax_class);
    problems.when(charge.metric.is_empty(), || "it has no metric".to_string());
    problems.span("every", Some(charge.every));
    if let Some(per) = charge.per {
        problems.positive("per", per);
    }
    if let Some(allowance) = charge.allowance {
        problems.when(allowance.is_negative(), || {
            format!("allowance {allowance} is below zero")
        });
    }
    super::shares::check(&charge.shares, false, problems);
    problems.when(
        !charge.shares.is_empty() && charge.pay != Pay::Invoice,
        || "shares are of what a document bills: a charge that wallets pay has none".to_string(),
    );
    let by_record = check_measure::by_record(&charge.price);
    let shared = charge
        .all_prices()
        .any(|price| matches!(price, Price::Percentage(_)));
    problems.when(shared && charge.allowance.is_some(), || {
        "an allowance of units does not fit a percentage: use its free events or amount".to_string()
    });
    problems.when(by_record && charge.aggregate != Aggregate::Sum, || {
        "a price per record can only be summed".to_string()
    });
    let flat = matches!(charge.price, Price::Flat(_)) && charge.pay != Pay::Invoice;
    problems.when(flat, || {
        "a flat price is not of records: a wallet cannot pay it".to_string()
    });
    for (n, window) in charge.when.iter().enumerate() {
        when(n + 1, window, problems);
    }
    // The seller pays for what the customer delivers, such as solar feed-in.
    match charge.price {
        Price::PerUnit(unit) if charge.pay == Pay::Invoice => {
            problems.price("price", unit.max(unit.negated()))
        }
        _ => price(&charge.price, problems),
    }
}

fn when(n: usize, window: &Window, problems: &mut Problems) {
    for day in window
        .days
        .iter()
        .filter(|d| !WEEKDAYS.contains(&d.as_str()))
    {
        problems.add(format!(
            "window {n}: {day:?} is not a weekday out of {}",
            WEEKDAYS.join(", ")
        ));
    }
    match window.minutes() {
        None => problems.add(format!(
            "window {n}: from {:?} until {:?} are not times like 07:00, up to 24:00",
            window.from, window.until
        )),
        Some((from, until)) => {
            problems.when(from >= until, || {
                format!(
                    "window {n}: from {} is not before until {}; write two windows around midnight",
                    window.from, window.until
                )
            });
        }
    }
}

pub(super) fn price(price: &Price, problems: &mut Problems) {
    match price {
        Price::Flat(amount) => problems.price("price", *amount),
        Price::PerUnit(unit) => problems.price("price", *unit),
        Price::Package(Package { size, price, free }) => {
            problems.positive("package size", *size);
            problems.price("package price", *price);
            problems.price("free units", *free);
        }
        Price::Graduated(list) | Price::Volume(list) => {
            for (
                n,
                Tier {
                    unit, flat, block, ..
                },
            ) in list.iter().enumerate()
            {
                problems.price(&format!("tier {}: unit price", n + 1), *unit);
                problems.price(&format!("tier {}: flat fee", n + 1), *flat);
                if let Some(block) = block {
                    problems.positive(&format!("tier {}: block", n + 1), *block);
                }
            }
            edges(&list.iter().map(|t| t.up_to).collect::<Vec<_>>(), problems);
        }
        Price::GraduatedPercentage(list) => {
            for (n, RateTier { rate, flat, .. }) in list.iter().enumerate() {
                problems.price(&format!("tier {}: rate", n + 1), *rate);
                problems.price(&format!("tier {}: flat fee", n + 1), *flat);
            }
            edges(&list.iter().map(|t| t.up_to).collect::<Vec<_>>(), problems);
        }
        Price::Percentage(p) => percentage(p, problems),
        Price::Dynamic(d) => problems.price("multiplier", d.multiplier),
        Price::Matrix(m) => check_measure::matrix(m, problems),
        // Read where custom fields are known.
        Price::Expression(_) => {}
    }
}

/// Upper edges ascend from above zero, and only the last may be missing.
fn edges(edges: &[Option<Decimal>], problems: &mut Problems) {
    problems.when(edges.is_empty(), || "it has no tiers".to_string());
    let mut lower = Decimal::ZERO;
    for (n, edge) in edges.iter().enumerate() {
        match edge {
            Some(edge) if *edge <= lower => problems.add(format!(
                "tier {}: up_to {edge} is not above {lower}, where the tier begins",
                n + 1
            )),
            Some(edge) => lower = *edge,
            None => problems.when(n + 1 < edges.len(), || {
                format!("tier {}: only the last tier may go without up_to", n + 1)
            }),
        }
    }
}

fn percentage(p: &Percentage, problems: &mut Problems) {
    problems.price("rate", p.rate);
    problems.price("fixed fee", p.fixed);
    for (what, value) in [
        ("free amount", p.free_amount),
        ("min", p.min),
        ("max", p.max),
    ] {
        if let Some(value) = value {
            problems.price(what, value);
        }
    }
    if let (Some(min), Some(max)) = (p.min, p.max) {
        problems.when(min > max, || format!("min {min} is above max {max}"));
    }
}
