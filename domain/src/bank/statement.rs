//! A statement as it was taken: once, whole, with what came of its entries.

use crate::events;
use crate::kernel::{Date, Decider, Id, Money, Rejection, key};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most entries of one command; larger statements come in parts.
pub const ENTRIES_MAX: usize = 500;

/// What kind of message it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Booked entries between two balances.
    #[default]
    Statement,
    /// Entries without balances, announced or explained.
    Notification,
    /// What the day has brought so far: information, which the statement of the day books.
    Interim,
}

/// A balance at the end of a day; negative: overdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    pub amount: Money,
    pub on: Date,
}

/// The statement does not begin where the one before ended: one is missing, or they came out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub expected: Money,
    pub found: Money,
}

/// What the account held before and after, where the message says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balances {
    pub opening: Option<Balance>,
    pub closing: Option<Balance>,
    pub gap: Option<Gap>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    pub bank: Id,
    pub kind: Kind,
    /// What the bank calls it.
    pub name: String,
    #[serde(with = "key")]
    pub digest: [u8; 16],
    pub balances: Box<Balances>,
    /// Parts that large statements are taken in, counted from 1.
    pub parts: u32,
    pub taken: BTreeSet<u32>,
    pub counts: Counts,
}

/// Entries by what became of them: received = new + known + left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub received: u64,
    /// Booked with this statement.
    pub new: u64,
    /// Booked before with another message.
    pub known: u64,
    /// Left to the statement that will bring them again: a notification without the bank's reference.
    pub left: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub bank: Id,
    pub kind: Kind,
    pub name: String,
    /// Of everything the statement says, so that another content under the same name is noticed.
    #[serde(with = "key")]
    pub digest: [u8; 16],
    pub balances: Box<Balances>,
    pub parts: u32,
}

/// One part was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    pub part: u32,
    pub counts: Counts,
}

events! {
    /// What happens to a statement of a bank.
    pub enum Event in "bank-statement" {
        Opened = "opened" 1,
        Taken = "taken" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    /// Opens it, or checks that what is known is the same.
    Open(Box<Opened>),
    Take(Taken),
}

impl Statement {
    /// True once every part is there.
    pub fn is_complete(&self) -> bool {
        self.parts > 0 && self.taken.len() as u64 == u64::from(self.parts)
    }
}

/// The id of a statement's stream.
pub fn id(bank: &str, kind: Kind, name: &str) -> Id {
    let kind = match kind {
        Kind::Statement => "s",
        Kind::Notification => "n",
        Kind::Interim => "i",
    };
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let short: String = hash.chars().take(24).collect();
    format!("{bank}:{kind}:{short}")
}

impl Decider for Statement {
    type State = Statement;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Statement, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Open(opened) if state.parts == 0 => Ok(vec![(*opened).into()]),
            Command::Open(again) if again.digest == state.digest && again.parts == state.parts => {
                Ok(vec![])
            }
            Command::Open(again) => Err(Rejection::new(
                "STATEMENT_CHANGED",
                format!(
                    "statement {} of bank account {} was taken before with another content",
                    again.name, again.bank
                ),
            )),
            Command::Take(taken) if state.taken.contains(&taken.part) => Ok(vec![]),
            Command::Take(taken) if (1..=state.parts).contains(&taken.part) => {
                Ok(vec![taken.into()])
            }
            Command::Take(taken) => Err(Rejection::new(
                "STATEMENT_PART_UNKNOWN",
                format!(
                    "the statement has {} parts, asked to take part {}",
                    state.parts, taken.part
                ),
            )),
        }
    }

    fn evolve(state: &mut Statement, event: &Event) {
        match event {
            Event::Opened(e) => {
                *state = Statement {
                    bank: e.bank.clone(),
                    kind: e.kind,
                    name: e.name.clone(),
                    digest: e.digest,
                    balances: e.balances.clone(),
                    parts: e.parts,
                    taken: BTreeSet::new(),
                    counts: Counts::default(),
                };
            }
            Event::Taken(e) => {
                state.taken.insert(e.part);
                state.counts.received += e.counts.received;
                state.counts.new += e.counts.new;
                state.counts.known += e.counts.known;
                state.counts.left += e.counts.left;
            }
        }
    }
}
