//! How an account pays: cards, mandates, transfers, cash and wallets, in the order in which they are tried.
//!
//! - The first method that can be used is the preferred one; the others follow when it fails.
//! - A card number never gets here, only the provider's token; what names a bank account is sealed, with its last four
//!   characters and a keyed hash beside it.
//! - A card is told of once ahead of its last day and once when it is over; a method that was refused for good is
//!   blocked. Neither is tried again until it is changed.
//! - A payer who is forgotten takes every method along by which a provider or bank knows him.

mod decide;
pub mod iban;
mod means;
mod react;

use crate::events;
use crate::kernel::{Date, Id};
use serde::{Deserialize, Serialize};

pub use decide::Command;
pub use means::{BankAccount, Card, Kind, Mandate, MandateTerm, Means, Month, Scheme, SealedBank};
pub use react::react;

/// Most methods of one account.
pub const METHODS_MAX: usize = 20;

/// A card is told of this many days before its last day.
pub const NOTICE_DAYS: i64 = 30;

/// The methods of one account; its stream has the account's id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Methods {
    /// First the one that is tried first.
    pub methods: Vec<Method>,
    /// Whether what is due is collected without being asked; none: as the legal entity has it.
    pub automatic: Option<bool>,
}

/// One way to pay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    pub id: Id,
    pub means: Means,
    /// A provider refused it for good.
    pub blocked: Option<Refusal>,
    /// It was told of that its card will expire.
    pub noticed: bool,
    /// It was told of that its card has expired.
    pub expired: bool,
    /// Of a mandate: how many collections it is for.
    pub term: MandateTerm,
    /// References that its mandate had before, oldest first: the same signature under another reference.
    pub former: Vec<String>,
}

/// Why a method is blocked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The provider's code, e.g. `lost_card`, `AC04`.
    pub code: String,
    pub on: Date,
}

impl Method {
    /// It may be tried on a day: not blocked, and its card is good through that day.
    pub fn usable(&self, on: Date) -> bool {
        self.blocked.is_none()
            && self
                .means
                .expires()
                .is_none_or(|month| on <= month.last_day())
    }

    /// Money can be asked for by it: of a provider, or of a wallet.
    pub fn collects(&self) -> bool {
        self.means.gateway().is_some() || self.means.wallet().is_some()
    }
}

impl Methods {
    /// A method by its id.
    pub fn method(&self, id: &str) -> Option<&Method> {
        self.methods.iter().find(|m| m.id == id)
    }

    /// Methods that may be tried on a day, in order.
    pub fn usable(&self, on: Date) -> impl Iterator<Item = &Method> {
        self.methods.iter().filter(move |m| m.usable(on))
    }

    /// The first method that may be tried on a day.
    pub fn preferred(&self, on: Date) -> Option<&Method> {
        self.usable(on).next()
    }

    /// The next day on which a card has to be told of.
    pub fn next_notice(&self) -> Option<Date> {
        self.methods.iter().filter_map(Method::next_notice).min()
    }
}

impl Method {
    fn next_notice(&self) -> Option<Date> {
        let last = self.means.expires()?.last_day();
        match (self.noticed, self.expired) {
            (_, true) => None,
            (false, _) => Some(crate::kernel::calendar::add_days(last, -NOTICE_DAYS)),
            (true, false) => Some(crate::kernel::calendar::add_days(last, 1)),
        }
    }
}

/// A way to pay was agreed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Added {
    pub method: Id,
    pub means: Means,
    /// It is tried before the others.
    pub preferred: bool,
    pub on: Date,
}

/// A new card or mandate took the place of the old one: it may be tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub method: Id,
    pub means: Means,
    pub on: Date,
}

/// The methods are tried in this order from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ordered {
    pub order: Vec<Id>,
    pub on: Date,
}

/// A way to pay is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    pub method: Id,
    pub reason: String,
    pub on: Date,
}

/// A provider refused the method for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blocked {
    pub method: Id,
    pub code: String,
    pub on: Date,
}

/// A card will expire: time to ask for another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expiring {
    pub method: Id,
    /// The last month in which it is good.
    pub expires: Month,
    pub on: Date,
}

/// A card is over; the next method is tried instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expired {
    pub method: Id,
    pub on: Date,
}

/// Whether what is due is collected without being asked; none: as the legal entity has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutomaticSet {
    pub automatic: Option<bool>,
    pub on: Date,
}

/// How many collections a mandate is for was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MandateTermSet {
    pub method: Id,
    pub term: MandateTerm,
    pub on: Date,
}

events! {
    /// What happens to the ways in which an account pays.
    pub enum Event in "method" {
        Added = "added" 1,
        Changed = "changed" 1,
        Ordered = "ordered" 1,
        Removed = "removed" 1,
        Blocked = "blocked" 1,
        Expiring = "expiring" 1,
        Expired = "expired" 1,
        AutomaticSet = "automatic-set" 1,
        MandateTermSet = "mandate-term-set" 1,
    }
}
