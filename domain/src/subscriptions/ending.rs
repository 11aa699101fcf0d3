//! How a subscription ends: terminated, cancelled before it began, or handed over to another account.
//!
//! What the end asks for is said with it, never guessed from the prices: what becomes of days that were billed beyond it,
//! up to which day recurring charges go on, and whether one-off charges of the end are due.

use super::{Subscription, Unused};
use crate::kernel::{Date, Id, Rejection};
use serde::{Deserialize, Serialize};

/// The end as events of version 1 of a termination hold it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The first day that is not charged.
    pub on: Date,
    pub unused: Unused,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum EndKind {
    #[default]
    Terminated,
    /// It was taken back before anything of it began: nothing is charged, no one-off either.
    Cancelled,
    /// This subscription of another account goes on with it.
    HandedOver { to: Id },
}

/// When a subscription ends, and what that asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// The first day on which it does not run.
    pub on: Date,
    /// What becomes of days that were billed beyond `charged_until`.
    pub unused: Unused,
    /// Recurring charges go on up to this day, exclusive: later than `on` where the rest of what was agreed is charged.
    pub charged_until: Date,
    /// That rest is due on the day of the end instead of period by period.
    pub at_once: bool,
    /// One-off charges of a termination are asked for.
    pub fees: bool,
    pub reason: String,
    pub kind: EndKind,
}

impl Ending {
    /// An end as it is without more words: nothing after it is charged.
    pub fn on(on: Date, unused: Unused) -> Ending {
        Ending {
            on,
            unused,
            charged_until: on,
            at_once: false,
            fees: true,
            reason: String::new(),
            kind: EndKind::Terminated,
        }
    }
}

impl From<End> for Ending {
    fn from(end: End) -> Ending {
        Ending::on(end.on, end.unused)
    }
}

/// A subscription ends, with all that its end asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub ending: Ending,
}

/// The end is taken back; the days between `Ending::on` and `on` stay uncharged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reactivated {
    pub on: Date,
}

/// Why a pause holds that a reactivation left behind.
pub const WAS_TERMINATED: &str = "terminated";

/// Refuses what an ended subscription cannot do any more on `date`.
pub(super) fn ended(ending: &Ending, date: Date) -> Rejection {
    match &ending.kind {
        EndKind::Cancelled => Rejection::new(
            "SUBSCRIPTION_CANCELLED",
            format!("the subscription was cancelled before it began, asked for {date}"),
        ),
        EndKind::HandedOver { to } => Rejection::new(
            "SUBSCRIPTION_HANDED_OVER",
            format!(
                "subscription {to} of another account goes on with it from {}, asked for {date}",
                ending.on
            ),
        ),
        EndKind::Terminated => Rejection::new(
            "SUBSCRIPTION_TERMINATED",
            format!("the subscription ended on {}, asked for {date}", ending.on),
        ),
    }
}

/// Whether an end may be set: not before the first day, and never later than one that is set already.
pub(super) fn may_end(state: &Subscription, ending: &Ending) -> Result<bool, Rejection> {
    let Some(start) = state.start() else {
        return Err(super::decide::unknown());
    };
    super::decide::handed_out(state)?;
    if let Some(end) = state.end.as_ref().filter(|e| e.kind == EndKind::Cancelled) {
        return Err(ended(end, ending.on));
    }
    let first = state.since.unwrap_or(start);
    if ending.on < first {
        return Err(Rejection::new(
            "DATE_BEFORE_START",
            format!(
                "the subscription started on {first}, asked to end it from {}",
                ending.on
            ),
        ));
    }
    if ending.charged_until < ending.on {
        return Err(Rejection::new(
            "CHARGED_UNTIL_BEFORE_END",
            format!(
                "the subscription runs until {}, asked to charge it until {} only",
                ending.on, ending.charged_until
            ),
        ));
    }
    match &state.end {
        Some(end) if end == ending => Ok(false),
        Some(end) if end.kind != EndKind::Terminated => Err(ended(end, ending.on)),
        Some(end) if end.on < ending.on => Err(Rejection::new(
            "SUBSCRIPTION_TERMINATED",
            format!(
                "the subscription ends on {}, asked to end it later, on {}",
                end.on, ending.on
            ),
        )),
        _ => Ok(true),
    }
}

/// An end before anything began.
pub(super) fn cancel(
    state: &Subscription,
    today: Date,
    reason: String,
) -> Result<Option<Ended>, Rejection> {
    let Some(start) = state.start() else {
        return Err(super::decide::unknown());
    };
    let first = state.since.unwrap_or(start);
    let begun = !state.awaits && first <= today;
    match &state.end {
        Some(end) if end.kind == EndKind::Cancelled => return Ok(None),
        // An end that was planned before the contract begins, as a tenure plans its own, is in nobody's way.
        Some(end) if end.kind != EndKind::Terminated || (begun && end.on <= today) => {
            return Err(ended(end, today));
        }
        _ => {}
    }
    if begun {
        return Err(Rejection::new(
            "SUBSCRIPTION_STARTED",
            format!(
                "the subscription runs since {first} and cannot be cancelled on {today}: terminate it"
            ),
        ));
    }
    Ok(Some(Ended {
        ending: Ending {
            fees: false,
            reason,
            kind: EndKind::Cancelled,
            ..Ending::on(first, Unused::CreditFull)
        },
    }))
}

/// Takes back an end, from `on` on.
pub(super) fn reactivate(state: &Subscription, on: Date) -> Result<Reactivated, Rejection> {
    let Some(end) = &state.end else {
        return Err(Rejection::new(
            "SUBSCRIPTION_NOT_TERMINATED",
            format!("the subscription has no end, asked to reactivate it on {on}"),
        ));
    };
    if end.kind != EndKind::Terminated {
        return Err(ended(end, on));
    }
    if on < end.on {
        return Err(Rejection::new(
            "DATE_BEFORE_END",
            format!(
                "the subscription runs until {}, asked to reactivate it on {on}",
                end.on
            ),
        ));
    }
    Ok(Reactivated { on })
}
