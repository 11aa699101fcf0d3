//! What a contract is worth altogether: recurring charges to the end of its commitment, and one-off charges (policy 33).
//!
//! - The commitment ends where the contract ends, else with its tenure, renewals that came included. Who has neither has agreed to one
//!   period of each charge: that is what counts.
//! - Trials, phases, pauses and planned changes count as the contract has them, parts of periods by their days.
//! - Neither tax nor discounts, usage or what commitments make up for.

use super::due::{self, Basis};
use super::{Charges, What};
use crate::kernel::calendar::LAST_DATE;
use crate::kernel::{Currency, Date, Exact, Rejection, Rounding};
use crate::subscriptions::{EndKind, Ending, Subscription, Unused};
use std::collections::BTreeMap;

/// The total value of one contract, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    /// The first day after what was committed to; none: nothing, the first whole period of each charge counts.
    pub until: Option<Date>,
    pub recurring: Exact,
    pub one_off: Exact,
}

impl Worth {
    pub fn total(&self) -> Result<Exact, Rejection> {
        self.recurring.plus(self.one_off)
    }
}

/// What a contract is worth. Nothing while nobody knows when it begins, and nothing once it was cancelled.
pub fn of(sub: &Subscription) -> Result<Worth, Rejection> {
    let cancelled = |e: &Ending| e.kind == EndKind::Cancelled;
    let (Some(currency), false) = (currency(sub), sub.end.as_ref().is_some_and(cancelled)) else {
        return Ok(Worth::default());
    };
    if sub.first_day() == LAST_DATE {
        return Ok(Worth::default());
    }
    match committed_until(sub) {
        Some(until) => through(sub, currency, until),
        None => one_period(sub, currency),
    }
}

fn currency(sub: &Subscription) -> Option<Currency> {
    sub.terms.last().map(|t| t.offer.currency)
}

/// The first day after what was committed to.
pub fn committed_until(sub: &Subscription) -> Option<Date> {
    let end = sub.end.as_ref().map(|e| e.charged_until.max(e.on));
    end.or(sub.tenure.as_ref().map(|t| t.until()))
}

fn through(sub: &Subscription, currency: Currency, until: Date) -> Result<Worth, Rejection> {
    let mut sub = sub.clone();
    if sub.end.is_none() {
        sub.end = Some(Ending {
            // It goes on after it: nothing is asked for because it ends.
            fees: false,
            ..Ending::on(until, Unused::None)
        });
    }
    let mut worth = Worth {
        until: Some(until),
        ..Worth::default()
    };
    for line in lines(&sub, currency, until)? {
        match line.what {
            What::Recurring { .. } => worth.recurring = worth.recurring.plus(line.exact)?,
            What::OneOff { .. } => worth.one_off = worth.one_off.plus(line.exact)?,
            _ => {}
        }
    }
    Ok(worth)
}

/// The first whole period of each recurring charge that costs anything, and one-off charges up to then.
fn one_period(sub: &Subscription, currency: Currency) -> Result<Worth, Rejection> {
    let mut until = sub.first_day();
    for term in &sub.terms {
        for charge in &term.offer.recurring {
            let trial = term.offer.trial.map_or(term.from, |t| t.after(term.from));
            let begins = charge.after.map_or(trial, |after| after.after(trial));
            // A stub at the beginning may lie before the first whole period.
            until = until.max(charge.every.after(charge.every.after(begins)));
        }
    }
    let mut worth = Worth::default();
    let mut periods: BTreeMap<(String, Date), Charged> = BTreeMap::new();
    for line in lines(sub, currency, until)? {
        match line.what {
            What::Recurring {
                charge,
                days,
                period,
                ..
            } => {
                let charged = periods.entry((charge, period.from)).or_insert(Charged {
                    days: 0,
                    of: period.count(),
                    exact: Exact::ZERO,
                });
                charged.days += days.count();
                charged.exact = charged.exact.plus(line.exact)?;
            }
            What::OneOff { .. } => worth.one_off = worth.one_off.plus(line.exact)?,
            _ => {}
        }
    }
    let mut counted: BTreeMap<String, Charged> = BTreeMap::new();
    for ((charge, _), charged) in periods {
        // The first whole one; where there is none, the first.
        match counted.get(&charge) {
            Some(known) if known.days >= known.of || charged.days < charged.of => {}
            _ => {
                counted.insert(charge, charged);
            }
        }
    }
    for charged in counted.values() {
        worth.recurring = worth.recurring.plus(charged.exact)?;
    }
    Ok(worth)
}

/// What a charge costs in one period, and for how many of its days.
struct Charged {
    days: i64,
    of: i64,
    exact: Exact,
}

fn lines(sub: &Subscription, currency: Currency, until: Date) -> Result<Vec<due::Due>, Rejection> {
    let basis = Basis {
        currency,
        rounding: Rounding::HalfUp,
        as_of: until,
        running: false,
    };
    due::of_subscription(sub, &Charges::default(), |_, _| None, basis, Date::MIN)
}
