//! A booked entry of a bank account, and what became of each of its parts.

use crate::events;
use crate::journal::Ledger;
use crate::kernel::{Date, Decider, Id, Money, Personal, Rejection, key};
use serde::{Deserialize, Serialize};

/// Most parts of one entry: the transactions of a batch booking.
pub const PARTS_MAX: usize = 5_000;

/// Longest reason kept with an open part, in characters.
const WHY_MAX: usize = 300;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub bank: Id,
    /// The statement that brought it first.
    pub statement: Id,
    /// Positive: money came in.
    pub amount: Money,
    pub booked: Option<Date>,
    pub value: Option<Date>,
    pub parts: Vec<Part>,
    /// What became of each part, in the same order.
    pub fates: Vec<Option<Fate>>,
}

/// What a bank says of one transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// With the sign of its entry.
    pub amount: Money,
    /// Our file or batch, if the bank names one.
    pub batch: Option<String>,
    /// Ours, if it is one of ours: what others chose may name people.
    pub end_to_end: Option<String>,
    pub returned: Option<Returned>,
    pub said: Option<Personal<Said>>,
}

/// Why a payment came back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Returned {
    /// ISO reason code; empty: none that is known.
    pub code: String,
    /// In words.
    pub reason: String,
    /// Another try may succeed.
    pub retry: bool,
}

/// Name, account and text of the other side; only ever seen sealed by the domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Said {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub iban: String,
    #[serde(default)]
    pub text: String,
}

/// What became of a part.
///
/// Stored in events: new fates are added at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fate {
    /// Cash under this payment id: applied, or unallocated.
    Received { payment: Id },
    /// Collections of ours that the money is of.
    Settled { payments: Vec<Id> },
    /// A collection came back before it was settled.
    Failed { payment: Id, code: String },
    /// A collection came back after it was settled.
    ChargedBack { payment: Id, code: String },
    /// Money that we sent has left.
    Sent { file: Id, returns: Vec<(Id, u32)> },
    /// Nothing follows from it.
    Noted { why: String },
    /// A person has to look.
    Open { code: String, why: String },
    /// A person did, and said this.
    Closed { note: String },
}

impl Fate {
    /// An open fate with a sentence of bounded length.
    pub fn open(rejection: &Rejection) -> Fate {
        Fate::Open {
            code: rejection.code.clone(),
            why: rejection.message.chars().take(WHY_MAX).collect(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Booked {
    pub bank: Id,
    pub statement: Id,
    #[serde(with = "key")]
    pub key: [u8; 16],
    pub amount: Money,
    /// It takes back an entry of before.
    pub reversal: bool,
    pub booked: Date,
    pub value: Date,
    /// The bank's transaction code.
    pub code: String,
    pub parts: Vec<Part>,
}

/// What became of one part, counted from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    pub part: u32,
    /// The collection or return that it is about.
    pub end_to_end: Option<String>,
    pub fate: Fate,
}

/// What the bank took for its work, as a part of its own or on top of one that came back; below zero: it gave it back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeeTaken {
    pub part: u32,
    pub amount: Money,
    /// What it is posted to.
    pub ledger: Ledger,
    /// The collection that came back.
    pub payment: Option<Id>,
    pub on: Date,
}

events! {
    /// What happens to an entry of a bank account.
    pub enum Event in "bank-entry" {
        Booked = "booked" 1,
        Followed = "followed" 1,
        FeeTaken = "fee-taken" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Book(Booked),
    Follow(Followed),
    TakeFee(FeeTaken),
    /// A person dealt with an open part.
    Close {
        part: u32,
        note: String,
    },
}

/// The id of an entry's stream.
pub fn id(bank: &str, key: &[u8; 16]) -> Id {
    let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
    format!("{bank}:{hex}")
}

impl Entry {
    /// Parts that a person has to look at.
    pub fn open_parts(&self) -> impl Iterator<Item = (u32, &Part, &str, &str)> {
        let parts = self.parts.iter().zip(&self.fates);
        (0..).zip(parts).filter_map(|(n, (part, fate))| match fate {
            Some(Fate::Open { code, why }) => Some((n, part, code.as_str(), why.as_str())),
            _ => None,
        })
    }

    fn fate(&self, part: u32) -> Option<&Option<Fate>> {
        usize::try_from(part).ok().and_then(|n| self.fates.get(n))
    }
}

impl Decider for Entry {
    type State = Entry;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Entry, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Book(booked) if state.parts.is_empty() => book(booked),
            Command::Book(_) => Err(Rejection::new(
                "BANK_ENTRY_EXISTS",
                "this entry was already booked",
            )),
            Command::Follow(followed) => match state.fate(followed.part) {
                Some(None) => Ok(vec![followed.into()]),
                Some(Some(_)) => Err(Rejection::new(
                    "BANK_ENTRY_FOLLOWED",
                    format!("part {} of the entry has its fate", followed.part),
                )),
                None => Err(unknown(followed.part)),
            },
            Command::TakeFee(fee) => Ok(vec![fee.into()]),
            Command::Close { part, note } => match state.fate(part) {
                Some(Some(Fate::Open { .. })) => Ok(vec![
                    Followed {
                        part,
                        end_to_end: None,
                        fate: Fate::Closed {
                            note: note.chars().take(WHY_MAX).collect(),
                        },
                    }
                    .into(),
                ]),
                Some(_) => Err(Rejection::new(
                    "BANK_ENTRY_NOT_OPEN",
                    format!("part {part} of the entry does not wait for anybody"),
                )),
                None => Err(unknown(part)),
            },
        }
    }

    fn evolve(state: &mut Entry, event: &Event) {
        match event {
            Event::Booked(e) => {
                *state = Entry {
                    bank: e.bank.clone(),
                    statement: e.statement.clone(),
                    amount: e.amount,
                    booked: Some(e.booked),
                    value: Some(e.value),
                    fates: vec![None; e.parts.len()],
                    parts: e.parts.clone(),
                };
            }
            Event::FeeTaken(_) => {}
            Event::Followed(e) => {
                let part = usize::try_from(e.part).ok();
                if let Some(fate) = part.and_then(|n| state.fates.get_mut(n)) {
                    *fate = Some(e.fate.clone());
                }
            }
        }
    }
}

fn unknown(part: u32) -> Rejection {
    Rejection::new(
        "BANK_ENTRY_UNKNOWN",
        format!("the entry has no part {part}"),
    )
}

/// The parts of an entry make the entry, or it is not understood.
fn book(booked: Booked) -> Result<Vec<Event>, Rejection> {
    let same = booked
        .parts
        .iter()
        .all(|p| p.amount.currency == booked.amount.currency);
    let sum = booked
        .parts
        .iter()
        .try_fold(0_i128, |sum, part| sum.checked_add(part.amount.minor));
    let count = (1..=PARTS_MAX).contains(&booked.parts.len());
    if !same || !count || sum != Some(booked.amount.minor) {
        return Err(Rejection::new(
            "BANK_ENTRY_INVALID",
            format!(
                "an entry of {} on {} has {} parts that do not sum to it",
                booked.amount,
                booked.booked,
                booked.parts.len()
            ),
        ));
    }
    Ok(vec![booked.into()])
}
