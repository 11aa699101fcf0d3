//! Progressive billing: which thresholds of its usage a subscription has reached.
//!
//! - Thresholds are amounts of usage over the life of a subscription, before discounts and tax. The offer in force names
//!   them, and perhaps a step that repeats after the last.
//! - Reaching one or several at once makes one invoice of the usage of the periods that run; what it bills is missing on
//!   their last one.
//! - A threshold is reached once, whatever is given back later.

use crate::catalog::Progressive;
use crate::events;
use crate::kernel::{Date, Decider, Decimal, Exact, Id, Rejection};
use serde::{Deserialize, Serialize};

/// Stream id: the subscription's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The highest threshold that was reached.
    pub reached: Option<Decimal>,
    /// How often one was.
    pub times: u32,
}

/// Usage reached a threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// The highest one that it reached.
    pub threshold: Decimal,
    /// Usage over the life of the subscription.
    pub usage: Exact,
    /// The document of it; none where nothing was left to bill.
    pub invoice: Option<Id>,
    pub on: Date,
}

events! {
    /// What happens to the thresholds of a subscription.
    pub enum Event in "progress" {
        Reached = "reached" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Reach(Reached),
}

impl Decider for Progress {
    type State = Progress;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Progress, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::Reach(reached) = command;
        if state.reached.is_some_and(|r| r >= reached.threshold) {
            return Ok(vec![]);
        }
        Ok(vec![reached.into()])
    }

    fn evolve(state: &mut Progress, event: &Event) {
        let Event::Reached(e) = event;
        state.reached = Some(e.threshold);
        state.times = state.times.saturating_add(1);
    }
}

/// The highest threshold that so much usage reaches and that is above what was reached before.
pub fn reached(
    terms: &Progressive,
    usage: Exact,
    before: Option<Decimal>,
) -> Result<Option<Decimal>, Rejection> {
    let fits = |t: &Decimal| Exact::from(*t) <= usage && before.is_none_or(|b| b < *t);
    let mut highest = terms.at.iter().copied().filter(fits).max();
    let last = terms.at.iter().copied().max().unwrap_or(Decimal::ZERO);
    if let Some(every) = terms.every.filter(|e| *e > Decimal::ZERO) {
        let beyond = usage.minus(last.into())?;
        if !beyond.is_negative() {
            // Whole steps beyond the last threshold: the quotient rounded down.
            let steps = beyond.share(every_denominator(every), every_numerator(every))?;
            let whole = steps.numerator().div_euclid(steps.denominator());
            let steps = i64::try_from(whole).map_err(|_| too_much())?;
            let step = last.plus(every.times(steps.into())?)?;
            if steps > 0 && fits(&step) {
                highest = highest.max(Some(step));
            }
        }
    }
    Ok(highest)
}

fn every_numerator(every: Decimal) -> i128 {
    Exact::from(every).numerator()
}

fn every_denominator(every: Decimal) -> i128 {
    Exact::from(every).denominator()
}

fn too_much() -> Rejection {
    Rejection::new(
        "AMOUNT_TOO_LARGE",
        "usage is beyond every threshold that can be counted",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_threshold_that_was_not_reached_before_counts() {
        let d = |n: i64| Decimal::from(n);
        let terms = Progressive {
            at: vec![d(200), d(500)],
            every: Some(d(300)),
        };
        let rows = [
            (199, None, None),
            (200, None, Some(200)),
            (499, Some(200), None),
            (600, None, Some(500)),
            (799, Some(500), None),
            (800, Some(500), Some(800)),
            (1700, Some(800), Some(1700)),
            (1999, Some(1700), None),
        ];
        for (usage, before, expected) in rows {
            let found = reached(&terms, Exact::from(i128::from(usage)), before.map(d));
            assert_eq!(found, Ok(expected.map(d)), "{usage} after {before:?}");
        }
    }
}
