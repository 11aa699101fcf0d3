//! What is asked of subscriptions: how they begin, change, are given to another account and end.

use crate::kernel::{Date, Decimal, Id};
use crate::subscriptions::{TenureTerms, Unused};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When a change takes effect (policy 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effective {
    #[default]
    Immediate,
    EndOfPeriod,
    On(Date),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartSubscription {
    pub subscription: Id,
    pub account: Id,
    /// Code of a published offer; its newest version is sold.
    pub offer: String,
    pub quantity: Decimal,
    /// None: today in the account's zone.
    pub from: Option<Date>,
    /// None: the account's, else the day of the first charged day.
    pub billing_day: Option<u32>,
    /// Recurring charge code → price per period instead of the offer's.
    pub overrides: BTreeMap<String, Decimal>,
    /// False: no trial, even if the offer has one.
    pub trial: bool,
    /// Keyed hashes of what finds the subscription in usage records.
    pub access: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeSubscription {
    pub subscription: Id,
    pub offer: Option<String>,
    pub quantity: Option<Decimal>,
    pub billing_day: Option<u32>,
    pub overrides: BTreeMap<String, Decimal>,
    pub effective: Effective,
    pub unused: Unused,
}

/// An option of an offer, and how many of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub option: String,
    pub quantity: Decimal,
    /// The option whose place it takes: phases and trial go on from where that one's are.
    pub replaces: Option<String>,
}

/// A subscription with options, and under a contract of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartWithOptions {
    pub start: StartSubscription,
    pub options: Vec<Choice>,
    pub contract: Option<Id>,
    pub beginning: Beginning,
}

/// How a subscription begins that does not simply run and is charged from its first day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beginning {
    /// It runs, and nothing recurring is charged before this day; none: as the offer's trial says.
    pub billed_from: Option<Date>,
    /// It is sold now and begins when it is activated.
    pub awaits_activation: bool,
    /// None: the offer's.
    pub tenure: Option<TenureTerms>,
}

impl From<StartSubscription> for StartWithOptions {
    fn from(start: StartSubscription) -> StartWithOptions {
        StartWithOptions {
            start,
            options: vec![],
            contract: None,
            beginning: Beginning::default(),
        }
    }
}

/// A change of what one has, options too: an option that one has gets another quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeWithOptions {
    pub change: ChangeSubscription,
    pub add: Vec<Choice>,
    pub remove: Vec<String>,
    /// None: as it is.
    pub contract: Option<Id>,
}

impl From<ChangeSubscription> for ChangeWithOptions {
    fn from(change: ChangeSubscription) -> ChangeWithOptions {
        ChangeWithOptions {
            change,
            add: vec![],
            remove: vec![],
            contract: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferSubscription {
    pub subscription: Id,
    /// Id of the subscription that goes on with it.
    pub to: Id,
    pub account: Id,
    pub effective: Effective,
    /// What the account that gives it away gets back of what it was billed beyond the day.
    pub unused: Unused,
}

/// The end of a subscription; what becomes of everything is said here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndSubscription {
    pub subscription: Id,
    pub reason: String,
    pub when: EndWhen,
    pub unused: Unused,
    pub rest: Rest,
    /// One-off charges of a termination are asked for.
    pub fees: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndWhen {
    Effective(Effective),
    /// The first day that the notice allows, if it is given today.
    Notice,
    /// The end of the tenure, its renewals so far included; today if there is none.
    EndOfTenure,
}

/// What becomes of the rest of an agreed tenure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rest {
    /// An end before the end of the tenure is refused.
    #[default]
    Refuse,
    /// It is not charged.
    Waive,
    /// Recurring charges go on up to the end of the tenure.
    Charge,
    /// The same, all on the day of the end.
    ChargeAtOnce,
    /// Recurring charges go on up to this day, tenure or not.
    ChargeUntil(Date),
}

/// An ad hoc charge of the offer that a subscription has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderOneOff {
    pub subscription: Id,
    /// The id of this charge.
    pub charge: Id,
    /// Code of the one-off charge.
    pub code: String,
    pub quantity: Decimal,
    /// Instead of the offer's amount.
    pub amount: Option<Decimal>,
    /// None: today.
    pub on: Option<Date>,
}
