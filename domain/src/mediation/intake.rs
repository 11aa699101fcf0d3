//! A batch of usage as the edge hands it over: read, sealed, not yet judged.

use crate::kernel::{Decimal, Id, Instant, Personal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One batch from one source, in the order received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intake {
    pub batch: Id,
    /// Who sent it: identity of a record is (tenant, source, key) (policy 13).
    pub source: String,
    /// `calls`, `focus`, `nem12`, `records`, or `api`.
    pub format: String,
    /// File name or caller, for lineage.
    pub name: String,
    pub lines: Vec<Received>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Received {
    Record(UsageRecord),
    Unreadable {
        line: u64,
        code: String,
        reason: String,
    },
}

/// A usage record, with what identifies people replaced by keyed hashes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// Line (or interval) of the source.
    pub line: u64,
    /// Keyed hash of (source, key).
    pub key: [u8; 16],
    /// Keyed hash of everything the record says.
    pub content: [u8; 16],
    /// Another content under the same key corrects the earlier record instead of conflicting with it.
    pub corrects: bool,
    pub metric: String,
    /// Keyed hash of what finds the subscription; matched against `Subscription::access`.
    /// A record that names a subscription directly has `subscription:<id>`.
    pub access: String,
    pub at: Instant,
    pub quantity: Decimal,
    /// The amount of money the record carries, for dynamic prices.
    pub amount: Option<Decimal>,
    pub attributes: BTreeMap<String, String>,
    /// The raw line.
    pub raw: Option<Personal<String>>,
}
