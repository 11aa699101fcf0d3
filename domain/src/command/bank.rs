//! What a bank tells: statements, and what became of files.

use crate::bank::{Balance, Part, Verdict, statement};
use crate::kernel::{Date, Id, Money};
use serde::{Deserialize, Serialize};

/// What a bank says happened on an account; texts of payers are sealed at the edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportStatement {
    /// IBAN, or what else the bank calls the account.
    pub number: String,
    pub kind: statement::Kind,
    /// What the bank calls the statement.
    pub name: String,
    /// Of everything it says.
    pub digest: [u8; 16],
    pub opening: Option<Balance>,
    pub closing: Option<Balance>,
    /// Which part this is, from 1, and how many there are.
    pub part: u32,
    pub parts: u32,
    pub entries: Vec<ReceivedEntry>,
}

/// One entry of a statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceivedEntry {
    /// The same whenever a message brings this entry again.
    pub key: [u8; 16],
    /// False: nothing tells it from other entries, in whatever message they come.
    pub referenced: bool,
    /// Positive: money came in.
    pub amount: Money,
    pub reversal: bool,
    /// It is not booked yet: only interim statements have such.
    pub pending: bool,
    pub booked: Date,
    pub value: Date,
    pub code: String,
    pub parts: Vec<ReceivedPart>,
}

/// One transaction of an entry. What is stored of it is `part`; the rest is used and left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceivedPart {
    pub part: Part,
    /// What the payer wrote, to find whose money it is.
    pub reference: String,
    /// Keyed hash of the other side's bank account.
    pub payer: Option<String>,
}

/// What a bank says of one of our files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportStatusReport {
    /// What the bank calls it.
    pub report: String,
    /// Of everything it says.
    pub digest: [u8; 16],
    /// Our file.
    pub file: Id,
    pub whole: Option<Verdict>,
    /// By the id of the batch.
    pub batches: Vec<(String, Verdict)>,
    /// By end-to-end id.
    pub payments: Vec<(String, Verdict)>,
}
