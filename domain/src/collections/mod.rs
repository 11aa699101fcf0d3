//! A collection: the attempts to get what is due from a payer, through providers or from his wallets, and when the next
//! one is.
//!
//! - One collection asks for one invoice, or for everything that an account has due; one payment at a time.
//! - A soft refusal is tried again with the same method after the days of the schedule; a hard one, and a schedule
//!   that has run out, go on with the next method at once.
//! - Each attempt asks for what is open when it is made. When nothing is open any more the collection is closed.
//! - A method may be asked days ahead of the due date, so that the money moves on it.
//! - A wallet pays what it holds at once, in the commit that asks for it; the rest goes on with the next method, or is
//!   tried again by the schedule where there is no other (docs/decisions/0023-wallets-that-pay.md).
//! - The schedule counts from the day of each refusal and is a fact: it can be seen, and a late tick keeps it.

mod attempt;
mod decide;
mod drawn;
mod notice;
mod old;
mod react;
mod rules;

use crate::command::FailureKind;
use crate::events;
use crate::kernel::{Date, Id, Money};
use serde::{Deserialize, Serialize};

pub use attempt::{attempt, collect_due, next_due, open, rules_of};
pub(crate) use attempt::{methods, open_of};
pub use decide::Command;
pub use drawn::{Drawn, DrawnPart, WALLET_SHORT};
use old::OpenedV1;
pub(crate) use old::RulesV1;
pub use react::react;
pub use rules::{DAYS_MAX, LEAD_MAX, Rules, STEPS_MAX};

/// Most attempts of one collection: card schemes count more than fifteen in a month as abuse.
pub const ATTEMPTS_MAX: usize = 15;

/// Why money is collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Somebody asked for it.
    #[default]
    Asked,
    /// The invoice was due.
    Due,
    /// Dunning asks again.
    Dunning,
}

/// Where a collection stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    #[default]
    Absent,
    /// A payment is under way.
    Trying,
    /// The next attempt, with a method, is on a day.
    Waiting {
        next: Date,
        method: Id,
    },
    Collected,
    /// Every method was tried.
    GivenUp {
        reason: String,
    },
    /// Nothing is to be collected any more.
    Closed {
        reason: String,
    },
}

/// A collection as its facts have made it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    pub stage: Stage,
    pub account: Id,
    /// None: everything the account has due.
    pub invoice: Option<Id>,
    pub why: Why,
    pub rules: Rules,
    pub opened: Option<Date>,
    pub attempts: Vec<Attempt>,
}

/// One payment that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// No payment has this id where a wallet was asked: what it paid is credit of the wallet.
    pub payment: Id,
    pub method: Id,
    pub amount: Money,
    pub on: Date,
    /// None: under way, or collected.
    pub failure: Option<FailureKind>,
    pub code: Option<String>,
}

impl Collection {
    /// Neither collected nor over.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Trying | Stage::Waiting { .. })
    }

    /// It asks for an invoice, alone or with everything else.
    pub fn covers(&self, invoice: &str) -> bool {
        self.invoice.as_deref().is_none_or(|own| own == invoice)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub account: Id,
    pub invoice: Option<Id>,
    pub why: Why,
    /// As they were when it was opened.
    pub rules: Rules,
    pub on: Date,
}

/// A payment was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempted {
    pub account: Id,
    pub payment: Id,
    pub method: Id,
    pub amount: Money,
    pub on: Date,
}

/// A payment failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    pub account: Id,
    pub payment: Id,
    pub kind: FailureKind,
    pub code: String,
    pub on: Date,
}

/// It is tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    pub account: Id,
    pub next: Date,
    pub method: Id,
}

/// The money came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collected {
    pub account: Id,
    pub payment: Id,
    pub on: Date,
}

/// Every method was tried in vain, or there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivenUp {
    pub account: Id,
    pub reason: String,
    pub on: Date,
}

/// Nothing is to be collected any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    pub account: Id,
    pub reason: String,
    pub on: Date,
}

events! {
    /// What happens to a collection.
    pub enum Event in "collection" {
        Opened = "opened" 2 from { 1: OpenedV1 },
        Attempted = "attempted" 1,
        Refused = "refused" 1,
        Planned = "planned" 1,
        Collected = "collected" 1,
        GivenUp = "given-up" 1,
        Closed = "closed" 1,
        Drawn = "drawn" 1,
    }
}

impl Event {
    /// The account that pays.
    pub fn account(&self) -> &str {
        match self {
            Event::Opened(e) => &e.account,
            Event::Attempted(e) => &e.account,
            Event::Refused(e) => &e.account,
            Event::Planned(e) => &e.account,
            Event::Collected(e) => &e.account,
            Event::GivenUp(e) => &e.account,
            Event::Closed(e) => &e.account,
            Event::Drawn(e) => &e.account,
        }
    }
}
