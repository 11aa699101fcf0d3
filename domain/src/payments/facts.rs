//! What happens to a payment, as the log keeps it.

use super::old::{FailedV1, RefundedV1, SettledV1};
use crate::command::FailureKind;
use crate::events;
use crate::kernel::{Date, Id, Money};
use serde::{Deserialize, Serialize};

/// Money was asked for or received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub account: Id,
    pub amount: Money,
    pub invoice: Option<Id>,
    pub method: String,
    /// False: received; `Settled` follows in the same commit.
    pub pending: bool,
    /// In the account's zone.
    pub on: Date,
}

/// A provider is to be asked for the money: the intent, before anybody is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    pub account: Id,
    /// The provider: `stripe`, `test`, `direct-debit`.
    pub gateway: String,
    /// The account's payment method.
    pub method: Id,
    /// What the provider knows the method by, as it was when the intent was made.
    pub token: String,
    pub customer: Option<String>,
    /// The schedule of which this is an attempt.
    pub collection: Option<Id>,
    /// Shown to the payer.
    pub text: String,
    /// The day on which the money should move.
    pub on: Date,
}

/// Less is open than when the intent was made: only what is open is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reduced {
    pub account: Id,
    /// What is asked for now.
    pub amount: Money,
    pub on: Date,
}

/// The provider is being called; until it answers nobody knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    pub account: Id,
    /// 1 for the first call; later ones ask with the same key, after the provider said it never saw it.
    pub times: u32,
    pub on: Date,
}

/// The provider took it on and will answer later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    pub account: Id,
    pub reference: String,
    pub on: Date,
}

/// The payer must do something first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionAsked {
    pub account: Id,
    pub reference: String,
    pub url: Option<String>,
    pub on: Date,
}

/// The provider's answer was lost: somebody has to ask what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerLost {
    pub account: Id,
    pub why: String,
    pub on: Date,
}

/// A provider says what cannot be: a person has to look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contradicted {
    pub account: Id,
    pub what: String,
    pub on: Date,
}

/// The money is ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    pub account: Id,
    pub amount: Money,
    /// The day it was recorded, in the account's zone.
    pub on: Date,
    /// The day from which the bank counts it.
    pub value: Date,
    /// What the provider calls it.
    pub reference: Option<String>,
}

/// The money will not come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    pub account: Id,
    pub kind: FailureKind,
    pub reason: String,
    pub on: Date,
    /// The provider's own code.
    pub code: Option<String>,
    pub reference: Option<String>,
}

/// Money is to be given back through the provider that brought it: the intent, before it is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundAsked {
    pub account: Id,
    /// 1, 2, … within the payment.
    pub number: u32,
    pub amount: Money,
    pub reason: String,
    pub on: Date,
}

/// The provider is being called to give money back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundSent {
    pub account: Id,
    pub number: u32,
    /// 1 for the first call.
    pub times: u32,
    pub on: Date,
}

/// The provider took the return on and will answer later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundAccepted {
    pub account: Id,
    pub number: u32,
    pub reference: String,
    pub on: Date,
}

/// The provider's answer about a return was lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundLost {
    pub account: Id,
    pub number: u32,
    pub why: String,
    pub on: Date,
}

/// The provider did not give the money back: it is ours still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundFailed {
    pub account: Id,
    pub number: u32,
    pub code: String,
    pub reason: String,
    pub on: Date,
}

/// Money was given back to the payer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refunded {
    pub account: Id,
    pub amount: Money,
    pub reason: String,
    pub on: Date,
    /// The return that a provider carried out; none: given back by hand.
    pub number: Option<u32>,
    pub reference: Option<String>,
}

/// A provider gave money back that nobody here had asked it to give: in its own dashboard, or by its own rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundObserved {
    pub account: Id,
    /// What the provider calls the return: it is counted once.
    pub reference: String,
    pub amount: Money,
    pub reason: String,
    pub on: Date,
}

/// A person has looked at what cannot be and at returns that failed: the payment waits for nobody any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acknowledged {
    pub account: Id,
    pub note: String,
    pub on: Date,
}

/// The payer's bank took money back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChargedBack {
    pub account: Id,
    pub amount: Money,
    pub reason: String,
    pub on: Date,
}

/// Money that was charged back is ours again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChargeBackReversed {
    pub account: Id,
    pub amount: Money,
    pub reason: String,
    pub on: Date,
}

events! {
    /// What happens to a payment.
    pub enum Event in "payment" {
        Recorded = "recorded" 1,
        Settled = "settled" 2 from { 1: SettledV1 },
        Failed = "failed" 2 from { 1: FailedV1 },
        Refunded = "refunded" 2 from { 1: RefundedV1 },
        ChargedBack = "charged-back" 1,
        Routed = "routed" 1,
        Reduced = "reduced" 1,
        Sent = "sent" 1,
        Accepted = "accepted" 1,
        ActionAsked = "action-asked" 1,
        AnswerLost = "answer-lost" 1,
        Contradicted = "contradicted" 1,
        RefundAsked = "refund-asked" 1,
        RefundSent = "refund-sent" 1,
        RefundAccepted = "refund-accepted" 1,
        RefundLost = "refund-lost" 1,
        RefundFailed = "refund-failed" 1,
        ChargeBackReversed = "charge-back-reversed" 1,
        RefundObserved = "refund-observed" 1,
        Acknowledged = "acknowledged" 1,
    }
}
