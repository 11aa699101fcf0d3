//! A file for a bank: which payments are collected, or which money is sent back, with it.

use crate::events;
use crate::kernel::{Date, Decider, Id, Instant, Money, Rejection};
use crate::methods::{Scheme, SealedBank};
use serde::{Deserialize, Serialize};

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
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Draw(Drawn),
    Withdraw { reason: String },
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
                    withdrawn: false,
                };
            }
            Event::Withdrawn(_) => state.withdrawn = true,
        }
    }
}
