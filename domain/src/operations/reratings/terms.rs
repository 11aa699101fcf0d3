//! Other prices for days of the past: the terms of a subscription with another price, or another version, laid on them.

use crate::catalog::{self, Catalog, File, Offer, Price, PriceRule, PriceSource, Recurring, Sold};
use crate::kernel::{Days, Rejection};
use crate::operations::catalog::MAIN;
use crate::operations::migration::pinned;
use crate::operations::selling::{self, Sale};
use crate::operations::{account_terms, counters};
use crate::reratings::{Ask, Change};
use crate::session::Session;
use crate::subscriptions::{Command, Subscription, Term, Unused};

/// Terms before and after.
pub(super) type Laid = (Vec<Term>, Vec<Term>);

/// Gives a subscription the terms that a rerating asks for; the answer is what they were and are, if they differ.
pub(super) fn lay(
    session: &mut Session<'_>,
    id: &str,
    ask: &Ask,
    by: &str,
) -> Result<Option<Laid>, Rejection> {
    if !ask.changes_terms() {
        return Ok(None);
    }
    let before = session.get::<Subscription>(id)?.terms.clone();
    let wanted = wanted(session, id, ask, by)?;
    if wanted == before {
        return Ok(None);
    }
    put(session, id, &before, &wanted)?;
    Ok(Some((
        before,
        session.get::<Subscription>(id)?.terms.clone(),
    )))
}

/// Replaces the terms from the first that differs on.
pub(super) fn put(
    session: &mut Session<'_>,
    id: &str,
    now: &[Term],
    wanted: &[Term],
) -> Result<(), Rejection> {
    let same = now.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    let end = session.get::<Subscription>(id)?.end_date();
    // A term that was cut in two comes back from its own first day on.
    let first = same.min(wanted.len().saturating_sub(1));
    let terms = wanted.iter().skip(first).filter(|t| t.from < end).cloned();
    session.decide::<Subscription>(id, Command::Lay(terms.collect()))?;
    // What is rated again next draws on counters of the size that these terms bring.
    counters::follow(session, id)
}

fn wanted(session: &Session<'_>, id: &str, ask: &Ask, by: &str) -> Result<Vec<Term>, Rejection> {
    let sub = session.get::<Subscription>(id)?;
    let mut wanted: Vec<Term> = Vec::new();
    for (i, term) in sub.terms.iter().enumerate() {
        let days = sub.term_days(i);
        let inside = days.overlap(ask.days());
        let altered = match inside.is_empty() {
            true => None,
            false => altered(session, (id, sub), term, inside, ask, by)?,
        };
        let Some(offer) = altered.filter(|offer| *offer != term.offer) else {
            wanted.push(term.clone());
            continue;
        };
        let cut = |from, offer: &Sold| Term {
            from,
            offer: offer.clone(),
            unused: match from == term.from {
                true => term.unused,
                false => Unused::CreditProrata,
            },
            ..term.clone()
        };
        if days.from < inside.from {
            wanted.push(term.clone());
        }
        wanted.push(cut(inside.from, &offer));
        if inside.until < days.until {
            wanted.push(cut(inside.until, &term.offer));
        }
    }
    Ok(wanted)
}

/// The offer of a term as the rerating wants it; none where it does not concern it.
fn altered(
    session: &Session<'_>,
    (id, sub): (&str, &Subscription),
    term: &Term,
    days: Days,
    ask: &Ask,
    by: &str,
) -> Result<Option<Sold>, Rejection> {
    match &ask.change {
        Change::Price { charge, price } => Ok(priced(&term.offer, charge, price, ask, by)),
        Change::Version { offer, version } if term.offer.code == *offer => {
            let terms = account_terms(session, &sub.account)?;
            let sale = Sale {
                account: &sub.account,
                terms: &terms,
                on: days.from,
                listed_on: days.from,
                contract: term.offer.contract.as_deref(),
                also: None,
                subscription: id,
                quantity: term.quantity,
            };
            let others = pinned(&term.offer);
            let pick = |catalog: &Catalog, code: &str| match code == offer {
                true => catalog.version(code, *version).cloned(),
                false => others(catalog, code),
            };
            selling::again(session, sale, &term.offer, &pick).map(|o| Some(Sold::new(o)))
        }
        _ => Ok(None),
    }
}

fn priced(offer: &Sold, charge: &str, price: &Price, ask: &Ask, by: &str) -> Option<Sold> {
    let mut offer = Offer::clone(offer);
    let source = |before: &Option<PriceSource>| {
        let instead = match before {
            Some(before) => format!(" instead of: {}", before.why),
            None => " instead of the offer's own price".to_string(),
        };
        Some(PriceSource {
            rule: PriceRule::Override,
            id: by.to_string(),
            why: format!("rerating {by} of {}: {}{instead}", ask.days(), ask.reason),
        })
    };
    if let Some(usage) = offer.usage.iter_mut().find(|u| u.code == charge) {
        if usage.price == *price && usage.prices.is_empty() {
            return None;
        }
        usage.price = price.clone();
        usage.prices.clear();
        usage.source = source(&usage.source);
        return Some(Sold::new(offer));
    }
    let fee = offer.recurring.iter_mut().find(|c| c.code == charge)?;
    if fee.price == *price {
        return None;
    }
    fee.price = price.clone();
    fee.source = source(&fee.source);
    Some(Sold::new(offer))
}

/// Refuses a price or version that nobody could be sold.
pub(super) fn check(session: &Session<'_>, ask: &Ask) -> Result<(), Rejection> {
    let none = Catalog::default();
    let catalog = session.find::<Catalog>(MAIN).map_or(&none, |e| &e.state);
    match &ask.change {
        Change::Version { offer, version } if catalog.version(offer, *version).is_none() => {
            Err(Rejection::new(
                "OFFER_UNKNOWN",
                format!("there is no version {version} of offer {offer:?}"),
            ))
        }
        Change::Price { charge, price } => {
            let fits = |sub: &Subscription| {
                let offers = sub.terms.iter().map(|t| &t.offer);
                offers
                    .filter_map(|offer| shown(offer, charge, price))
                    .last()
            };
            let subscriptions = session.ids::<Subscription>("");
            let mut found = subscriptions
                .iter()
                .filter_map(|id| session.find::<Subscription>(id));
            let Some(offer) = found.find_map(|e| fits(&e.state)) else {
                return Err(Rejection::new(
                    "CHARGE_UNKNOWN",
                    format!("no subscription has a usage or recurring charge {charge:?}"),
                ));
            };
            let file = File {
                offer: vec![offer],
                price_list: vec![],
            };
            let fees = file.offer.iter().flat_map(|o| &o.recurring);
            let mut found = Vec::new();
            if fees
                .into_iter()
                .any(|c| matches!(c.price, Price::Matrix(_) | Price::Expression(_)))
            {
                found.push(
                    "it depends on who buys, and nothing is bought here: say what it comes to"
                        .to_string(),
                );
            }
            let problems = catalog::problems_of(&none, &file, found);
            match problems.is_empty() {
                true => Ok(()),
                false => Err(Rejection::new(
                    "PRICE_INVALID",
                    format!(
                        "the price of {charge} has {} problems: {}",
                        problems.len(),
                        problems.join("; ")
                    ),
                )),
            }
        }
        _ => Ok(()),
    }
}

/// An offer of nothing but the charge at its new price.
fn shown(offer: &Offer, charge: &str, price: &Price) -> Option<Offer> {
    let mut usage = offer.usage.iter().filter(|u| u.code == charge).cloned();
    let mut fees = offer.recurring.iter().filter(|c| c.code == charge).cloned();
    let mut alone = Offer {
        code: "rerating".into(),
        name: offer.name.clone(),
        currency: offer.currency,
        unit: offer.unit.clone(),
        ..Offer::default()
    };
    if let Some(mut usage) = usage.next() {
        usage.price = price.clone();
        usage.prices.clear();
        usage.of = None;
        usage.source = None;
        alone.usage.push(usage);
        return Some(alone);
    }
    let fee: Recurring = fees.next()?;
    alone.recurring.push(Recurring {
        price: price.clone(),
        of: None,
        source: None,
        ..fee
    });
    Some(alone)
}
