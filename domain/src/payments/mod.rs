//! A payment: asked of a provider or received, then settled or failed, then perhaps given back in parts.
//!
//! - What a provider is asked for is in the log before it is called, and the amount is what is open at that moment.
//! - A lost answer is looked up, and asked again only under the same key: one payment moves money once.
//! - Answers come late, twice and out of order; what is settled stays so, and money that came after all is counted.
//! - Only money that is settled can be given back or taken back, never more than the payment.
//! - What it pays is decided by the payer's receivables, not here.

mod answer;
mod decide;
mod evolve;
mod facts;
mod old;
mod refunds;

use crate::command::FailureKind;
use crate::kernel::{Date, Id, Money};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub use answer::{Answer, Decline};
pub use decide::{Command, NOTHING_OPEN};
pub use facts::{
    Accepted, Acknowledged, ActionAsked, AnswerLost, ChargeBackReversed, ChargedBack, Contradicted,
    Event, Failed, Recorded, Reduced, RefundAccepted, RefundAsked, RefundFailed, RefundLost,
    RefundObserved, RefundSent, Refunded, Routed, Sent, Settled,
};

/// Where a payment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    #[default]
    Absent,
    /// Asked for by hand, or taken on by a provider that will answer later.
    Pending,
    Settled,
    Failed,
    /// Nothing of it is left: all was refunded or charged back.
    Returned,
    /// To be asked of a provider, which was not called yet.
    Created,
    /// The provider is being called.
    Sent,
    /// The provider's answer was lost.
    Unknown,
    /// The payer must do something first.
    ActionRequired,
}

impl Stage {
    /// Neither here nor failed.
    pub fn is_open(self) -> bool {
        match self {
            Stage::Pending
            | Stage::Created
            | Stage::Sent
            | Stage::Unknown
            | Stage::ActionRequired => true,
            Stage::Absent | Stage::Settled | Stage::Failed | Stage::Returned => false,
        }
    }
}

/// A payment as its facts have made it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    pub stage: Stage,
    pub account: Id,
    pub amount: Money,
    /// Explicit choice of what it pays; none: oldest due date first (policy 26).
    pub invoice: Option<Id>,
    /// card, direct-debit, transfer, cash, …
    pub method: String,
    pub refunded: Money,
    pub charged_back: Money,
    pub failure: Option<FailureKind>,
    /// Which provider is asked for it, and how; none: it is recorded by hand.
    pub route: Option<Route>,
    /// What the provider calls it.
    pub reference: Option<String>,
    /// The day from which the bank counts the money.
    pub value: Option<Date>,
    /// Where the payer does what the provider asks for.
    pub action: Option<String>,
    /// The provider's code, or why its answer was lost.
    pub code: Option<String>,
    /// How often the provider was called.
    pub sent: u32,
    /// Money that goes back through the provider.
    pub returns: Vec<Back>,
    /// What a provider said that cannot be.
    pub contradictions: Vec<String>,
    /// How many of these a person has looked at.
    pub acknowledged: usize,
    /// Returns that a provider made without being asked, by what it calls them.
    pub observed: BTreeSet<String>,
}

/// How a provider is asked for a payment. The same for ever: the same key asks for the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub gateway: String,
    /// The account's payment method.
    pub method: Id,
    pub token: String,
    pub customer: Option<String>,
    /// The schedule of which it is an attempt.
    pub collection: Option<Id>,
    pub text: String,
    /// The day on which the money should move.
    pub on: Date,
}

/// Where a return stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackStage {
    Asked,
    Sent,
    Pending,
    Unknown,
    Done,
    Failed,
}

impl BackStage {
    /// Neither given back nor failed.
    pub fn is_open(self) -> bool {
        !matches!(self, BackStage::Done | BackStage::Failed)
    }
}

/// Money that goes back through the provider that brought it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Back {
    /// 1, 2, … within the payment.
    pub number: u32,
    pub amount: Money,
    pub reason: String,
    pub stage: BackStage,
    /// What the provider calls the return.
    pub reference: Option<String>,
    pub on: Date,
    /// The provider's code, or why its answer was lost.
    pub code: Option<String>,
    /// How often the provider was called.
    pub sent: u32,
    /// It failed, and a person has looked at it.
    pub acknowledged: bool,
}

impl Back {
    /// It failed, and nobody has looked at it.
    pub fn failed_unseen(&self) -> bool {
        self.stage == BackStage::Failed && !self.acknowledged
    }
}

impl Payment {
    /// Settled money that was not given back.
    pub fn left(&self) -> Money {
        self.amount.minus(self.refunded).minus(self.charged_back)
    }

    /// A return by its number.
    pub fn back(&self, number: u32) -> Option<&Back> {
        self.returns.iter().find(|b| b.number == number)
    }

    /// Σ returns that are on their way.
    pub fn going_back(&self) -> Money {
        let open = self.returns.iter().filter(|b| b.stage.is_open());
        Money::sum(self.amount.currency, open.map(|b| b.amount))
    }

    /// A person has to look at it: an answer is lost or cannot be, the payer must act, a return failed.
    pub fn needs_a_person(&self) -> bool {
        matches!(self.stage, Stage::Unknown | Stage::ActionRequired)
            || self.contradicted()
            || self
                .returns
                .iter()
                .any(|b| b.stage == BackStage::Unknown || b.failed_unseen())
    }

    /// A provider said what cannot be, and nobody has looked at it.
    pub fn contradicted(&self) -> bool {
        self.contradictions.len() > self.acknowledged
    }
}
