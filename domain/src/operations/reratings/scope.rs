//! Whom a rerating concerns.

use crate::kernel::{Date, Days, Id, Rejection, calendar::parse_date};
use crate::reratings::{Ask, Change, Rerating};
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::Metered;
use crate::world::Event;
use std::collections::{BTreeMap, BTreeSet};

/// Subscriptions of the scope that run on one of its days and have something that it concerns, in order.
///
/// Errors: ACCOUNT_UNKNOWN, SUBSCRIPTION_UNKNOWN, RECORD_UNKNOWN for what is named and not there.
pub(super) fn subscriptions(session: &Session<'_>, ask: &Ask) -> Result<Vec<Id>, Rejection> {
    let mut ids: BTreeSet<Id> = BTreeSet::new();
    for id in &ask.subscriptions {
        if session.find::<Subscription>(id).is_none() {
            return Err(Rejection::new(
                "SUBSCRIPTION_UNKNOWN",
                format!("there is no subscription {id:?}"),
            ));
        }
        ids.insert(id.clone());
    }
    for account in &ask.accounts {
        crate::operations::account_terms(session, account)?;
        let of = session.index().subscriptions_of.get(account);
        ids.extend(of.into_iter().flatten().cloned());
    }
    let named = !ask.accounts.is_empty() || !ask.subscriptions.is_empty();
    let keys = ask.keys();
    if !keys.is_empty() {
        let of_keys: BTreeSet<Id> = meters_of(session, &keys)?
            .iter()
            .filter_map(|meter| meter.split('/').next().map(str::to_string))
            .collect();
        return Ok(of_keys
            .into_iter()
            .filter(|id| !named || ids.contains(id))
            .collect());
    }
    if !named {
        ids.extend(session.ids::<Subscription>(""));
    }
    ids.retain(|id| {
        session
            .find::<Subscription>(id)
            .is_some_and(|e| concerns(&e.state, ask))
    });
    Ok(ids.into_iter().collect())
}

fn concerns(sub: &Subscription, ask: &Ask) -> bool {
    (0..sub.terms.len()).any(|i| {
        let meets = !sub.term_days(i).overlap(ask.days()).is_empty();
        let offer = sub.terms.get(i).map(|t| &t.offer);
        meets
            && offer.is_some_and(|offer| match &ask.change {
                Change::Price { charge, .. } => {
                    offer.usage.iter().any(|u| u.code == *charge)
                        || offer.recurring.iter().any(|c| c.code == *charge)
                }
                Change::Version { offer: code, .. } => offer.code == *code,
                _ => {
                    let mut usage = offer.usage.iter();
                    usage.any(|u| ask.charges.is_empty() || ask.charges.contains(&u.code))
                }
            })
    })
}

/// The meters on which records are rated.
fn meters_of(
    session: &Session<'_>,
    keys: &[crate::mediation::Key],
) -> Result<BTreeSet<Id>, Rejection> {
    let mut meters = BTreeSet::new();
    let sightings = session.past().sightings(keys)?;
    let unknown = sightings
        .iter()
        .filter(|s| !s.is_some_and(|s| s.counted))
        .count();
    if unknown > 0 {
        return Err(Rejection::new(
            "RECORD_UNKNOWN",
            format!(
                "{unknown} of the {} records that are named were never rated",
                keys.len()
            ),
        ));
    }
    for sighting in sightings.into_iter().flatten() {
        meters.insert(session.past().fact(sighting.position)?.0);
    }
    Ok(meters)
}

/// The days of the scope, or for records by their keys those of the meters they are on.
pub(super) fn days(session: &Session<'_>, id: &str, ask: &Ask) -> Result<Days, Rejection> {
    let keys = ask.keys();
    if keys.is_empty() {
        return Ok(ask.days());
    }
    let prefix = format!("{id}/");
    let meters = meters_of(session, &keys)?;
    let own: BTreeSet<Id> = meters
        .into_iter()
        .filter(|m| m.starts_with(&prefix))
        .collect();
    Ok(spanned(session, &own).unwrap_or(ask.days()))
}

/// The days of the scope of a rerating and those of meters that it counted anew.
pub(super) fn whole(
    session: &Session<'_>,
    meters: &BTreeSet<Id>,
    rerating: &str,
) -> Result<Days, Rejection> {
    let state = session.get::<Rerating>(rerating)?;
    let ask = state.ask.as_deref().map(Ask::days);
    let spanned = spanned(session, meters);
    let both = ask.into_iter().chain(spanned);
    let from = both.clone().map(|d| d.from).min().unwrap_or_default();
    let until = both.map(|d| d.until).max().unwrap_or_default();
    Ok(Days::new(from, until))
}

fn spanned(session: &Session<'_>, meters: &BTreeSet<Id>) -> Option<Days> {
    let days = |id: &Id| -> Option<Days> {
        let first: Date = parse_date(id.rsplit('/').next()?).ok()?;
        let metered = session.find::<Metered>(id)?;
        let until = metered.state.meter.period.map(|days| days.until);
        Some(Days::new(
            first,
            until.unwrap_or_else(|| crate::kernel::calendar::add_days(first, 1)),
        ))
    };
    let all: Vec<Days> = meters.iter().filter_map(days).collect();
    let from = all.iter().map(|d| d.from).min()?;
    let until = all.iter().map(|d| d.until).max()?;
    Some(Days::new(from, until))
}

/// Meters that this command moved so far, by subscription.
pub(super) fn touched(session: &Session<'_>) -> BTreeMap<Id, BTreeSet<Id>> {
    let mut out: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    for staged in session.events() {
        if let Event::Usage(_) = &staged.event {
            let subscription = staged.id.split('/').next().unwrap_or_default();
            let meters = out.entry(subscription.to_string()).or_default();
            meters.insert(staged.id.to_string());
        }
    }
    out
}
