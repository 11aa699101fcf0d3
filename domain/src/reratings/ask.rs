//! What a rerating is asked for: which usage, and what is to be different about it.

use crate::catalog::Price;
use crate::kernel::{Date, Days, Decimal, Id, Rejection};
use crate::mediation::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most records that one rerating names by their keys.
pub const KEYS_MAX: usize = 10_000;

/// A past period is to be rated again. Stored as text, so that fields can be added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Accounts whose subscriptions are rated again; with `subscriptions` empty too: all, or whose records are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Id>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<Id>,
    /// Codes of usage charges; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<String>,
    /// The first day.
    pub from: Date,
    /// Exclusive. Periods that meet these days are counted anew as a whole.
    pub until: Date,
    pub change: Change,
    /// Why, in words; it goes with every document that follows.
    pub reason: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub settle: Settle,
}

/// What is different.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nothing but what became known since: a contract that began in the past, a late price.
    Again,
    /// These records never should have counted.
    Void(Which),
    /// These records say something else.
    Correct(Vec<Amend>),
    /// The records of this batch, which came too late, are rated with it.
    Add { batch: Id },
    /// Another price of a charge on the days of the scope.
    Price { charge: String, price: Price },
    /// Another version of an offer on the days of the scope, for those who have it.
    Version { offer: String, version: u32 },
}

/// Records by their keys, or within the scope by what they say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// Attributes that must be equal, where no keys are given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// What a record is to say; what is none stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amend {
    pub key: Key,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    /// The amount of money it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
    /// Replaces all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, String>>,
}

/// How the difference to what was invoiced is settled (policy 15, 18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settle {
    /// At once: a credit note below zero, above it an invoice that debits the difference.
    #[default]
    Note,
    /// With the account's next invoice, as an adjustment.
    NextInvoice,
}

fn is_default(settle: &Settle) -> bool {
    *settle == Settle::default()
}

impl Ask {
    /// The days of the scope.
    pub fn days(&self) -> Days {
        Days::new(self.from, self.until)
    }

    /// Keys of records that are named.
    pub fn keys(&self) -> Vec<Key> {
        match &self.change {
            Change::Void(which) => which.keys.clone(),
            Change::Correct(amends) => amends.iter().map(|a| a.key).collect(),
            _ => vec![],
        }
    }

    /// Whether it changes what contracts say, recurring charges too.
    pub fn changes_terms(&self) -> bool {
        matches!(self.change, Change::Price { .. } | Change::Version { .. })
    }

    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<(), Rejection> {
        if self.days().is_empty() {
            return Err(Rejection::new(
                "SCOPE_EMPTY",
                format!("a rerating of {} rates no day", self.days()),
            ));
        }
        let empty = match &self.change {
            Change::Void(which) => which.keys.is_empty() && which.attributes.is_empty(),
            Change::Correct(amends) => amends.is_empty(),
            _ => false,
        };
        if empty {
            return Err(Rejection::new(
                "RECORDS_UNNAMED",
                "the rerating names no record that is to be void or to say something else",
            ));
        }
        let keys = self.keys().len();
        if keys > KEYS_MAX {
            return Err(Rejection::new(
                "TOO_MANY_RECORDS",
                format!("the rerating names {keys} records, one may name {KEYS_MAX}: split it"),
            ));
        }
        Ok(())
    }
}
