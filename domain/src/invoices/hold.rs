//! Drafts that wait: why, until when, and how they end.
//!
//! - A held draft keeps its lines: the charge streams remember them, so the next bill run bills what comes after them.
//! - It ends as an invoice (released, or its grace period is over) or as nothing (rejected: its charges are due again).

use super::{Command, Event, Invoice, Stage};
use crate::kernel::{Date, Id, Rejection};
use serde::{Deserialize, Serialize};

/// Rule of a draft in its grace period.
pub const GRACE: &str = "grace";
/// Rule of a draft of an account whose drafts are kept.
pub const KEPT: &str = "kept";

/// Why a draft waits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// At least one.
    pub reasons: Vec<Reason>,
    /// The day on which it is finalised without being asked; none: once somebody releases it.
    pub until: Option<Date>,
}

impl Hold {
    /// Whether nothing but time has to pass.
    pub fn is_grace(&self) -> bool {
        self.until.is_some()
    }
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Code of the rule, or [`GRACE`] or [`KEPT`].
    pub rule: Id,
    pub text: String,
}

/// A draft waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub hold: Hold,
}

/// A draft waits no longer: it is finalised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Released {
    pub note: String,
}

/// A draft becomes no invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    pub reason: String,
}

/// Holds, releases and rejects drafts.
pub(super) fn decide(state: &Invoice, command: Command) -> Result<Vec<Event>, Rejection> {
    match (&state.stage, command) {
        (Stage::Draft, Command::Hold(hold)) if state.hold.as_ref() == Some(&hold) => Ok(vec![]),
        (Stage::Draft, Command::Hold(hold)) => Ok(vec![Held { hold }.into()]),
        (Stage::Draft, Command::Release { .. }) if state.hold.is_none() => Err(Rejection::new(
            "INVOICE_NOT_HELD",
            "this draft is not held: finalise it instead",
        )),
        (Stage::Draft, Command::Release { note }) => Ok(vec![Released { note }.into()]),
        (Stage::Draft, Command::Reject { reason }) => Ok(vec![Rejected { reason }.into()]),
        (Stage::Rejected, Command::Reject { .. }) => Ok(vec![]),
        (Stage::Absent, _) => Err(Rejection::new(
            "INVOICE_UNKNOWN",
            "there is no such document",
        )),
        (Stage::Rejected, _) => Err(no_longer()),
        _ => Err(Rejection::new(
            "INVOICE_NOT_DRAFT",
            "only a draft is held, released or rejected",
        )),
    }
}

/// A rejected draft stays what it is.
pub(super) fn no_longer() -> Rejection {
    Rejection::new(
        "INVOICE_REJECTED",
        "this draft was rejected: its charges are on the next one",
    )
}
