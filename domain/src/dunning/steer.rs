//! What a clerk can do with a case.

use crate::kernel::{Date, Id, Money};
use serde::{Deserialize, Serialize};

/// A hand on one account's dunning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Steer {
    /// Nothing is done until and including a day; then it goes on by itself.
    PauseUntil {
        reason: String,
        until: Date,
    },
    /// The customer promised to pay `amount`, or all that is overdue, by and including a day.
    Promise {
        until: Date,
        amount: Option<Money>,
    },
    /// Keeps an invoice out of dunning.
    Exclude {
        invoice: Id,
        reason: String,
    },
    /// Takes it back in, from today.
    Include {
        invoice: Id,
    },
    /// Ends the episode; what was overdue is not dunned again. `restore` lifts what restricts services.
    Stop {
        reason: String,
        restore: bool,
    },
    /// Another policy from today; its levels up to the days already done count as done.
    Switch {
        policy: Id,
        reason: String,
    },
    /// Lifts what restricts services; the ladder goes on.
    Restore {
        reason: String,
    },
    LiftHold {
        reason: String,
    },
    /// Takes the case back from the collection agency.
    Recall {
        reason: String,
    },
    /// Takes back a fee or interest: cancelled while it is not billed, credited with the note `waive.CHARGE` after that.
    Waive {
        charge: Id,
        reason: String,
    },
}
