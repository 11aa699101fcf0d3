//! Rated usage of one charge in one period: the records, what each cost, and the running totals.
//!
//! Stream id: `subscription/charge/first day of the period`. Totals use the event date, never the arrival (policy 15).
//!
//! - The charges of the records sum to the meter: `amount` for the invoice, `burnt` for wallets.
//! - A record is never edited: its correction says what it was and what it is now (policy 18).

mod decide;
pub mod draws;
mod kept;
mod memory;
mod old;
mod packed;
mod recounted;

use crate::events;
use crate::kernel::{Date, Days, Decimal, Exact, Id, Instant, Personal, Rejection, Text};
use crate::mediation::Key;
use chrono::Datelike;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use decide::Command;
pub(crate) use decide::{chunks, size};
pub use draws::{Drawing, Drawn, Draws, Lot, Way};
pub(crate) use kept::fetch;
pub use kept::{Kept, Metered, Records, book};
pub use memory::{Gone, Group, Memory, Moved, Remembered, Slot, Worth};
pub use recounted::{Recount, Recounted, Standing, Voided, standing};

/// Running totals of one usage charge in one period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    pub period: Option<Days>,
    pub records: u64,
    /// Aggregated units, after `per`; shown with at most 12 decimals.
    pub quantity: Decimal,
    /// What the records cost beyond the price of using nothing, payable by invoice.
    pub amount: Exact,
    /// What was burnt from wallets.
    pub burnt: Exact,
    /// Aggregated units, exact: a second is 1/60 of a minute.
    pub units: Exact,
    /// Free money of a percentage that was used up.
    pub free: Exact,
}

impl Meter {
    /// The meter with its quantity written out: twelve decimals are for showing; tiers and prices see the exact units.
    pub(crate) fn written_out(self) -> Result<Meter, Rejection> {
        let quantity = match self.units.shown() {
            Some(shown) => shown,
            None => self.units.to_decimal(12).parse()?,
        };
        Ok(Meter { quantity, ..self })
    }
}

/// Which rules, sold by whom, made a result: enough to judge it years later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// Version of the rating rules.
    pub engine: Text,
    /// Version of the time-zone rules.
    pub tzdb: Text,
    pub offer: Text,
    /// Version of the offer as sold.
    pub version: u32,
}

/// Where results come from: the batch that brought the records, who sent it, and the rules that rated them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    pub batch: Text,
    pub source: Text,
    pub basis: Basis,
}

/// A record and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatedRecord {
    /// Line (or interval) of its batch.
    pub line: u64,
    #[serde(with = "crate::kernel::key")]
    pub key: Key,
    #[serde(with = "crate::kernel::key")]
    pub content: Key,
    pub at: Instant,
    pub quantity: Decimal,
    /// Quantity ÷ per.
    pub units: Exact,
    /// The difference this record made to the period, before rounding.
    pub amount: Exact,
    pub payer: Payer,
    pub attributes: BTreeMap<String, String>,
    /// The amount of money the record itself carried.
    pub amount_carried: Option<Decimal>,
    pub raw: Option<Box<Personal<String>>>,
}

/// Who pays a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Payer {
    Invoice,
    /// Taken from these grants in this order; negative where a correction gave back.
    Wallet(Vec<Part>),
    /// Wallets as far as they reached, and the invoice for the rest; both negative where a correction gave back.
    Split {
        parts: Vec<Part>,
        rest: Exact,
    },
}

impl Payer {
    /// What grants paid.
    pub fn parts(&self) -> &[Part] {
        match self {
            Payer::Invoice => &[],
            Payer::Wallet(parts) | Payer::Split { parts, .. } => parts,
        }
    }
}

/// A part of a charge, by the grant that paid it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub wallet: Id,
    pub grant: Id,
    pub amount: Exact,
}

/// Records of one batch were rated here. Stored packed (`packed`), because nearly every fact of a ledger is one of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Rated {
    /// Shared by all facts of a batch under one offer.
    pub provenance: Arc<Provenance>,
    pub records: Vec<RatedRecord>,
    /// After the whole commit.
    pub meter: Meter,
}

/// Records of an earlier batch were corrected, or moved to another charge by their correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    /// The batch that corrects.
    pub batch: Text,
    pub source: Text,
    pub basis: Basis,
    pub corrections: Vec<Correction>,
    /// After the whole commit.
    pub meter: Meter,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    #[serde(with = "crate::kernel::key")]
    pub key: Key,
    /// What is reversed.
    pub was: Reversed,
    /// The new result; none where the record now counts elsewhere. Its payer holds only the difference.
    pub now: Option<RatedRecord>,
    /// Given back to wallets by a record that left.
    pub returned: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reversed {
    pub units: Exact,
    pub amount: Exact,
}

events! {
    /// What happens to the usage of one charge in one period.
    pub enum Event in "usage" {
        Rated = "rated" 2 from { 1: old::RatedV1 },
        Corrected = "corrected" 1,
        Remembered = "remembered" 2 from { 1: old::RememberedV1 },
        Drawn = "drawn" 1,
        Recounted = "recounted" 1,
    }
}

/// Stream id of a usage charge's period.
pub fn id(subscription: &str, charge: &str, from: Date) -> Id {
    let mut id = String::with_capacity(subscription.len() + charge.len() + 12);
    id.push_str(subscription);
    id.push('/');
    id.push_str(charge);
    id.push('/');
    push_date(&mut id, from);
    id
}

/// Appends a date as it is shown; a meter is named once for each batch that reaches it.
fn push_date(out: &mut String, date: Date) {
    let year = date.year();
    let Some(year) = u32::try_from(year).ok().filter(|year| *year < 10_000) else {
        out.push_str(&date.to_string());
        return;
    };
    let digits = [
        (year, 1_000),
        (year, 100),
        (year, 10),
        (year, 1),
        (date.month(), 10),
        (date.month(), 1),
        (date.day(), 10),
        (date.day(), 1),
    ];
    for (n, (number, place)) in digits.into_iter().enumerate() {
        if n == 4 || n == 6 {
            out.push('-');
        }
        out.push(char::from_digit(number / place % 10, 10).unwrap_or('0'));
    }
}
