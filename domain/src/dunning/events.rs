//! What happens in the dunning of one account.

use super::actions::DayCount;
use super::rules::Why;
use crate::command::DunningAction;
use crate::events;
use crate::kernel::{Date, Decimal, Id, Money};
use crate::subscriptions::UsageRule;
use serde::{Deserialize, Serialize};

/// An episode begins, under the policy that was chosen for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    pub episode: u32,
    pub on: Date,
    pub policy: Id,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelReached {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    /// The oldest overdue invoice.
    pub oldest: Id,
    pub overdue: Money,
    pub actions: Vec<DunningAction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reminded {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub overdue: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeeCharged {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub charge: Id,
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspended {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub subscriptions: Vec<Id>,
}

/// The payment provider is to be asked again for these invoices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryAsked {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub invoices: Vec<Id>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WroteOff {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub invoices: Vec<Id>,
    pub amount: Money,
}

/// Nothing overdue is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cleared {
    pub episode: u32,
    pub on: Date,
    /// Subscriptions that run again from `on`.
    pub resumed: Vec<Id>,
}

/// An invoice that is past due became open again while the case was clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reopened {
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    pub reason: String,
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    pub on: Date,
}

/// A message to the customer was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noticed {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub message: Id,
    pub template: String,
}

/// Days for which interest is owed on one invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    pub invoice: Id,
    pub from: Date,
    /// Exclusive.
    pub until: Date,
    pub principal: Money,
}

/// Interest became a charge: its spans, each principal × rate × days ÷ year, summed and rounded once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterestCharged {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub charge: Id,
    pub amount: Money,
    /// Percent a year.
    pub rate: Decimal,
    pub day_count: DayCount,
    /// What the cap took off.
    pub capped: Money,
    pub spans: Vec<Span>,
}

/// What an invoice owed until a day, before that changed: interest for these days is charged with the next level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterestCarried {
    pub on: Date,
    pub spans: Vec<Span>,
    /// Invoices that are owed anew: interest runs from `on`.
    pub anew: Vec<Id>,
}

/// Services are restricted from `on`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restricted {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub subscriptions: Vec<Id>,
    pub billing_stops: bool,
    pub usage: UsageRule,
    /// Reason under which the subscriptions are restricted.
    pub reason: String,
}

/// Nothing new is sold to the account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub episode: u32,
    pub level: String,
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldLifted {
    pub on: Date,
    pub reason: String,
}

/// A collection agency takes over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandedOver {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub agency: String,
    pub invoices: Vec<Id>,
    pub amount: Money,
}

/// The agency has nothing more to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    pub on: Date,
    pub agency: String,
    pub reason: String,
}

/// Contracts end on `on`, the first day that is not charged. Payment does not bring them back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terminated {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub subscriptions: Vec<Id>,
}

/// A fee or interest is not asked for after all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waived {
    pub on: Date,
    pub charge: Id,
    pub amount: Money,
    pub reason: String,
    /// The credit note, if it was billed already.
    pub note: Option<Id>,
}

/// Part was paid: what is left has not reached these levels, and what they did to services is lifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteppedBack {
    pub episode: u32,
    pub on: Date,
    pub undone: Vec<String>,
    /// The level that holds now.
    pub to: String,
    pub resumed: Vec<Id>,
}

/// Enough was paid to wait with the next level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deferred {
    pub on: Date,
    pub paid: Money,
    /// No level before this day.
    pub until: Date,
}

/// An overdue invoice was written off: it is not paid by that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvoiceLost {
    pub episode: u32,
    pub on: Date,
    pub invoice: Id,
    pub amount: Money,
}

/// Nothing is left to dun because it was written off: restrictions stay until it is paid or they are lifted by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivenUp {
    pub episode: u32,
    pub on: Date,
    pub invoices: Vec<Id>,
}

/// Nothing is done until and including a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PausedUntil {
    pub reason: String,
    pub on: Date,
    pub until: Date,
}

/// The customer promised to pay by and including a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promised {
    pub on: Date,
    pub until: Date,
    pub amount: Money,
    /// What is overdue, and may still be open of it when the promise is kept.
    pub invoices: Vec<Id>,
    pub leaves: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromiseKept {
    pub on: Date,
}

/// Dunning goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromiseBroken {
    pub on: Date,
    pub promised: Money,
    /// What of it was not paid.
    pub missing: Money,
}

/// An invoice is not dunned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Excluded {
    pub on: Date,
    pub invoice: Id,
    pub reason: String,
}

/// It is dunned again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Included {
    pub on: Date,
    pub invoice: Id,
}

/// The episode was ended by hand; its invoices are not dunned again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    pub episode: u32,
    pub on: Date,
    pub reason: String,
    pub invoices: Vec<Id>,
    /// Subscriptions that run again from `on`; without any, restrictions stay.
    pub resumed: Vec<Id>,
    pub restored: bool,
}

/// Another policy dunns the account from now on, with these of its levels taken as done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switched {
    pub on: Date,
    pub policy: Id,
    pub reason: String,
    pub done: Vec<String>,
}

/// Restrictions were lifted by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    pub on: Date,
    pub reason: String,
    pub resumed: Vec<Id>,
}

events! {
    /// What happens to an account's dunning case.
    pub enum Event in "dunning" {
        LevelReached = "level-reached" 1,
        Reminded = "reminded" 1,
        FeeCharged = "fee-charged" 1,
        Suspended = "suspended" 1,
        RetryAsked = "retry-asked" 1,
        WroteOff = "wrote-off" 1,
        Cleared = "cleared" 1,
        Reopened = "reopened" 1,
        Paused = "paused" 1,
        Resumed = "resumed" 1,
        Begun = "begun" 1,
        Noticed = "noticed" 1,
        InterestCharged = "interest-charged" 1,
        InterestCarried = "interest-carried" 1,
        Restricted = "restricted" 1,
        Held = "held" 1,
        HoldLifted = "hold-lifted" 1,
        HandedOver = "handed-over" 1,
        Recalled = "recalled" 1,
        Terminated = "terminated" 1,
        Waived = "waived" 1,
        SteppedBack = "stepped-back" 1,
        Deferred = "deferred" 1,
        InvoiceLost = "invoice-lost" 1,
        GivenUp = "given-up" 1,
        PausedUntil = "paused-until" 1,
        Promised = "promised" 1,
        PromiseKept = "promise-kept" 1,
        PromiseBroken = "promise-broken" 1,
        Excluded = "excluded" 1,
        Included = "included" 1,
        Stopped = "stopped" 1,
        Switched = "switched" 1,
        Restored = "restored" 1,
    }
}
