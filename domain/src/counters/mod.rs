//! Counters: what may be used in a period, by whom, and how much of it is left.
//!
//! Stream id: `owner:id/counter/first day of the period`, one stream for each period, as a meter has
//! (docs/decisions/0033-counters.md). What was left of a period is used from its own stream by later ones.
//!
//! - Never more is drawn than is there; what is drawn is drawn in the commit that rates the usage.
//! - A pool is as large as what its members bring. Who leaves takes along what was not used.
//! - A threshold is told each time that use reaches it, once.

pub(crate) mod audit;
mod decide;
mod share;

use crate::catalog::{CounterRule, Owner, Text as Stored, Threshold};
use crate::events;
use crate::kernel::{Currency, Date, Days, Exact, Id, Rejection, Text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use decide::Command;
pub use share::{Brings, earlier, period, share};

/// One period of a counter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// As it was when the period was first reached.
    pub terms: Option<Terms>,
    /// What each subscription brings.
    pub brought: Arc<BTreeMap<Id, Exact>>,
    pub size: Exact,
    /// By records of this period and of later ones.
    pub used: Exact,
    /// By records of later periods.
    pub later: Exact,
    /// The most that later periods may use altogether; none: nothing went on yet.
    pub later_max: Option<Exact>,
}

/// What holds for a period of a counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    pub owner: Owner,
    /// The subscription, account, or paying account.
    pub of: Id,
    pub rule: Stored<CounterRule>,
    /// Of a counter of money.
    pub currency: Option<Currency>,
    pub days: Days,
}

impl Counter {
    /// What records of its own period may still draw.
    pub fn left(&self) -> Result<Exact, Rejection> {
        Ok(self.size.minus(self.used)?.max(Exact::ZERO))
    }

    /// What records of later periods may still draw.
    pub fn left_later(&self) -> Result<Exact, Rejection> {
        let most = match self.later_max {
            Some(most) => most.minus(self.later)?,
            None => Exact::ZERO,
        };
        Ok(self.left()?.min(most).max(Exact::ZERO))
    }

    pub fn rule(&self) -> Option<&CounterRule> {
        self.terms.as_ref().map(|t| &*t.rule)
    }
}

/// Together, or of a fixed pool the largest.
pub(crate) fn size(
    rule: &CounterRule,
    brought: impl Iterator<Item = Exact>,
) -> Result<Exact, Rejection> {
    match rule.fixed {
        true => Ok(brought.fold(Exact::ZERO, Exact::max)),
        false => {
            let mut all = brought;
            all.try_fold(Exact::ZERO, Exact::plus)
        }
    }
}

/// Thresholds that a move from one use to another reaches, with their levels, lowest first.
pub(crate) fn reached(
    rule: &CounterRule,
    (size_before, used_before): (Exact, Exact),
    (size, used): (Exact, Exact),
) -> Result<Vec<(Threshold, Exact)>, Rejection> {
    let mut out = Vec::new();
    for threshold in &rule.thresholds {
        let before = threshold
            .of(size_before)?
            .is_some_and(|at| used_before >= at);
        match threshold.of(size)? {
            Some(at) if used >= at && !before => out.push((*threshold, at)),
            _ => {}
        }
    }
    out.sort_by_key(|(threshold, at)| (*at, *threshold));
    Ok(out)
}

/// What one subscription brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    pub subscription: Id,
    pub amount: Exact,
}

/// A period was reached for the first time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Granted {
    pub terms: Terms,
    pub brought: Vec<Share>,
    pub size: Exact,
    /// Version of the rating rules, and of the time-zone rules.
    pub engine: Text,
    pub tzdb: Text,
}

/// Members joined, left, or bring something else; nothing is what one brings who left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resized {
    pub brought: Vec<Share>,
    pub size: Exact,
}

/// What a meter drew, or below zero gave back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// Stream of the meter: subscription, charge, period.
    pub meter: Id,
    pub amount: Exact,
}

/// Usage of one batch was rated and drew on the counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    pub batch: Text,
    pub source: Text,
    pub taken: Vec<Taken>,
    /// After it: used altogether, and by later periods.
    pub used: Exact,
    pub later: Exact,
}

/// Use reached a threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossed {
    pub threshold: Threshold,
    /// What the threshold stands for, of this size.
    pub level: Exact,
    pub used: Exact,
    pub size: Exact,
    /// Business date of the record that reached it, or of what made the pool smaller.
    pub on: Date,
    /// The meter of that record.
    pub meter: Option<Id>,
}

/// A later period was reached: so much of what is left can be used in it, the rest lapsed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rolled {
    /// First day of the later period.
    pub into: Date,
    pub amount: Exact,
    pub lapsed: Exact,
    /// The most that later periods may use from now on.
    pub later_max: Exact,
}

events! {
    /// What happens to one period of a counter.
    pub enum Event in "counter" {
        Granted = "granted" 1,
        Resized = "resized" 1,
        Drawn = "drawn" 1,
        Crossed = "crossed" 1,
        Rolled = "rolled" 1,
    }
}

/// Stream id of a counter's period.
pub fn id(owner: Owner, of: &str, counter: &str, from: Date) -> Id {
    format!("{owner}:{of}/{counter}/{from}")
}

/// What the streams of all periods of a counter begin with; without a counter, of all counters.
pub fn prefix(owner: Owner, of: &str, counter: Option<&str>) -> String {
    match counter {
        Some(counter) => format!("{owner}:{of}/{counter}/"),
        None => format!("{owner}:{of}/"),
    }
}
