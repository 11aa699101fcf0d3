//! A file for a bank: which payments are collected, or which money is sent back, with it.

use crate::events;
use crate::kernel::{Date, Decider, Id, Instant, Money, Rejection};
use crate::methods::{Scheme, SealedBank};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use super::report::{Reported, Status, Verdict};

/// Most items of one file; what is more goes into the next one. An event of this size stays far below
/// [`crate::kernel::event::PAYLOAD_MAX`].
pub const ITEMS_MAX: usize = 5_000;

/// Longest id of a file: it is the message id, and batch ids add up to four characters.
pub const FILE_ID_MAX: usize = 31;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BankFile {
    pub bank: Id,
    pub at: Instant,
    pub items: Vec<Item>,
    pub withdrawn: bool,
    /// What changed of a mandate since the bank last saw it, by end-to-end id.
    pub amendments: BTreeMap<String, Amendment>,
    /// Status reports by what the bank calls them, with a digest of what each says.
    pub reports: BTreeMap<String, [u8; 16]>,
    /// What the bank last said of the file as a whole.
    pub whole: Option<Verdict>,
    /// What the bank last said of a payment, by end-to-end id.
    pub verdicts: BTreeMap<String, Verdict>,
}

/// One payment in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub payment: Id,
    pub end_to_end: String,
    pub amount: Money,
    /// The day the money moves.
    pub on: Date,
    /// Shown to the other side.
    pub text: String,
    /// Items of one batch are booked as one sum; counted from 1.
    pub batch: u32,
    pub order: Order,
    pub account: SealedBank,
}

/// What the bank is told to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    Debit {
        mandate: String,
        signed: Date,
        scheme: Scheme,
        sequence: Sequence,
    },
    /// The return of this number of the payment.
    Transfer { number: u32 },
}

/// Where a collection stands in the life of its mandate (EPC rulebooks, AT-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sequence {
    First,
    Recurring,
    /// The only one of its mandate.
    OneOff,
    /// The last one of its mandate.
    Final,
}

/// What changed of a mandate since the bank last saw it (EPC rulebooks, AT-19 and the attributes after it).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Amendment {
    /// The reference it had.
    pub mandate: Option<String>,
    /// The account it was for.
    pub account: Option<Box<SealedBank>>,
    /// The creditor identifier it was given to.
    pub creditor_id: Option<String>,
}

/// Mandates of a file that was just drawn are amended, by end-to-end id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Amended {
    pub amendments: BTreeMap<String, Amendment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    pub bank: Id,
    pub at: Instant,
    pub items: Vec<Item>,
}

/// The file never reached the bank: its payments wait for another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub reason: String,
    /// Its payments and mandates, for whoever remembers them.
    pub end_to_ends: Vec<String>,
    pub first_of: Vec<String>,
}

events! {
    /// What happens to a file for a bank.
    pub enum Event in "bank-file" {
        Drawn = "drawn" 1,
        Withdrawn = "withdrawn" 1,
        Amended = "amended" 1,
        Reported = "reported" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Draw(Drawn),
    /// Says what is amended in a file that was just drawn.
    Amend(Amended),
    Withdraw {
        reason: String,
    },
    /// What the bank says of a file before anything of it is booked; taken once.
    Report(Reported),
}

impl BankFile {
    /// Items of a batch by its number in the file; 0: all of them.
    pub fn batch(&self, number: u32) -> impl Iterator<Item = &Item> {
        let every = number == 0;
        self.items
            .iter()
            .filter(move |item| every || item.batch == number)
    }
}

/// The number of a batch in its id `file-number`.
pub fn batch_number(file: &str, batch: &str) -> Option<u32> {
    batch.strip_prefix(file)?.strip_prefix('-')?.parse().ok()
}

impl Decider for BankFile {
    type State = BankFile;
    type Command = Command;
    type Event = Event;

    fn decide(state: &BankFile, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Draw(_) if !state.items.is_empty() => Err(Rejection::new(
                "BANK_FILE_EXISTS",
                "a file of this id was already drawn",
            )),
            Command::Draw(drawn) if (1..=ITEMS_MAX).contains(&drawn.items.len()) => {
                Ok(vec![drawn.into()])
            }
            Command::Draw(drawn) => Err(Rejection::new(
                "BANK_FILE_SIZE",
                format!(
                    "a file carries 1 to {ITEMS_MAX} payments, not {}",
                    drawn.items.len()
                ),
            )),
            Command::Amend(amended) if amended.amendments.is_empty() => Ok(vec![]),
            Command::Amend(amended) => Ok(vec![amended.into()]),
            Command::Report(report) => super::report::take(state, report),
            Command::Withdraw { .. } if state.items.is_empty() => {
                Err(Rejection::new("BANK_FILE_UNKNOWN", "there is no such file"))
            }
            Command::Withdraw { .. } if state.withdrawn => Ok(vec![]),
            Command::Withdraw { reason } => {
                let first = state.items.iter().filter_map(|item| match &item.order {
                    Order::Debit {
                        mandate,
                        sequence: Sequence::First,
                        ..
                    } => Some(mandate.clone()),
                    _ => None,
                });
                let end_to_ends = state.items.iter().map(|item| item.end_to_end.clone());
                Ok(vec![
                    Withdrawn {
                        reason,
                        end_to_ends: end_to_ends.collect(),
                        first_of: first.collect(),
                    }
                    .into(),
                ])
            }
        }
    }

    fn evolve(state: &mut BankFile, event: &Event) {
        match event {
            Event::Drawn(e) => {
                *state = BankFile {
                    bank: e.bank.clone(),
                    at: e.at,
                    items: e.items.clone(),
                    ..BankFile::default()
                };
            }
            Event::Withdrawn(_) => state.withdrawn = true,
            Event::Amended(e) => state.amendments = e.amendments.clone(),
            Event::Reported(e) => super::report::evolve(state, e),
        }
    }
}
