//! Where a usage record belongs: which charge of a contract, in which period, prices it.

use crate::catalog::{Usage, Window};
use crate::fields::Look;
use crate::kernel::{Date, Days, Instant, Rejection, Zone};
use crate::mediation::UsageRecord;
use crate::rating::names::{ContractNames, RecordNames};
use crate::subscriptions::{Pause, Subscription, Term, UsageRule, schedule};
use crate::wallets::Target;
use chrono::Datelike;
use std::collections::BTreeMap;

/// The charge and period that a record counts in.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub term: &'a Term,
    pub charge: &'a Usage,
    pub days: Days,
    /// The whole period that `days` are a part of.
    pub whole: Days,
    /// Business date of the record in the account's zone.
    pub on: Date,
    pub zone: &'a Zone,
    /// What the charge's expressions read of the contract, if it has any.
    pub names: Option<ContractNames<'a>>,
}

impl<'a> Place<'a> {
    /// What is to be paid here, as wallets see it.
    pub fn target(&self) -> Target<'a> {
        Target {
            offer: Some(&self.term.offer.code),
            charge: &self.charge.code,
            metric: Some(&self.charge.metric),
        }
    }
}

/// Finds the place of a record by its event date (policy 15): of the usage charges of the offer in force on that day whose
/// metric, attributes, condition and local-time windows hold the one with the lowest priority number, the first of the
/// catalog between equals.
pub fn place<'a>(
    look: &'a dyn Look,
    (id, sub): (&'a str, &'a Subscription),
    zone: &'a Zone,
    record: &UsageRecord,
) -> Result<Place<'a>, Rejection> {
    let on = zone.date(record.at);
    let (i, term) = running(sub, on)?;
    let rank = |u: &Usage| u.priority.unwrap_or(u32::MAX);
    let mut found: Option<&Usage> = None;
    for u in &term.offer.usage {
        let before = found.is_some_and(|f| rank(f) <= rank(u));
        if before || !matches(u, zone, on, record) {
            continue;
        }
        if let Some(condition) = &u.condition {
            let contract = names(look, id, sub, term, u, on)?;
            let holds = condition.holds(&RecordNames::of(contract, record));
            if !holds.map_err(|e| e.of(format!("charge {}, if", u.code)))? {
                continue;
            }
        }
        found = Some(u);
    }
    let charge = found.ok_or_else(|| {
        let metric = &record.metric;
        Rejection::new(
            "NO_MATCHING_CHARGE",
            format!(
                "offer {} prices no {metric} record like this one at {}",
                term.offer.code, record.at
            ),
        )
    })?;
    if let Some(pause) = sub
        .pauses
        .iter()
        .find(|p| holds_on(p, on) && p.usage.refuses(&charge.code))
    {
        return Err(Rejection::new(
            "USAGE_RESTRICTED",
            format!(
                "usage of {} is refused for {:?} from {}, the usage is of {on}",
                charge.code, pause.reason, pause.from
            ),
        ));
    }
    let (days, whole) = schedule::usage_period(sub, i, charge, on);
    Ok(Place {
        term,
        charge,
        days,
        whole,
        on,
        zone,
        names: match charge.reads_contract() {
            true => Some(names(look, id, sub, term, charge, on)?),
            false => None,
        },
    })
}

/// What expressions of a charge read of the contract.
pub fn names<'a>(
    look: &'a dyn Look,
    id: &'a str,
    sub: &'a Subscription,
    term: &'a Term,
    charge: &'a Usage,
    on: Date,
) -> Result<ContractNames<'a>, Rejection> {
    ContractNames::of(look, id, sub, term, &charge.code, on).ok_or_else(|| {
        Rejection::new(
            "NOT_FOUND",
            format!("there is no account {:?} of subscription {id}", sub.account),
        )
    })
}

/// The term in force on a day, or why nothing can be used on it.
fn running(sub: &Subscription, on: Date) -> Result<(usize, &Term), Rejection> {
    if let Some(start) = sub.start().filter(|start| on < *start) {
        return Err(Rejection::new(
            "SUBSCRIPTION_NOT_ACTIVE",
            format!("the subscription starts on {start}, the usage is of {on}"),
        ));
    }
    let Some(found) = sub.term_on(on) else {
        return Err(Rejection::new(
            "SUBSCRIPTION_TERMINATED",
            format!(
                "the subscription ended on {}, the usage is of {on}",
                sub.end_date()
            ),
        ));
    };
    if let Some(pause) = sub
        .pauses
        .iter()
        .find(|p| holds_on(p, on) && p.usage == UsageRule::Refused)
    {
        return Err(Rejection::new(
            "SUBSCRIPTION_PAUSED",
            format!(
                "the subscription is paused for {:?} from {}, the usage is of {on}",
                pause.reason, pause.from
            ),
        ));
    }
    Ok(found)
}

fn holds_on(pause: &Pause, on: Date) -> bool {
    pause.from <= on && pause.until.is_none_or(|until| on < until)
}

fn matches(charge: &Usage, zone: &Zone, on: Date, record: &UsageRecord) -> bool {
    charge.metric == record.metric
        && holds(&charge.filter, &record.attributes)
        && (charge.when.is_empty() || within(&charge.when, zone, on, record.at))
}

fn holds(filter: &BTreeMap<String, String>, attributes: &BTreeMap<String, String>) -> bool {
    filter
        .iter()
        .all(|(name, value)| attributes.get(name) == Some(value))
}

fn within(windows: &[Window], zone: &Zone, on: Date, at: Instant) -> bool {
    let minute = zone.minute_of_day(at);
    windows
        .iter()
        .any(|w| w.covers(on.weekday().num_days_from_monday(), minute))
}
