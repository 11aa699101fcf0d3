//! What others get of a document's lines, because the charges are shared with them. Stream id: the document's.
//!
//! - It is owed when the document is finalised, whoever has paid by then; tax is no part of it.
//! - The parts of a line never exceed it; what nobody gets is the seller's revenue.
//! - A credit note takes back what the rest of its lines is no longer worth, so notes for everything take back everything.
//! - A void takes all of it back.

use crate::events;
use crate::journal::Ledger;
use crate::kernel::{Date, Decider, Id, Money, Rejection};
use serde::{Deserialize, Serialize};

/// What one party gets of one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub line: u32,
    /// Code of the charge.
    pub charge: String,
    pub party: Id,
    /// Below zero: taken back.
    pub amount: Money,
    /// The revenue that it is a part of.
    pub of: Ledger,
}

/// Parties are owed parts of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owed {
    pub entity: Id,
    /// Whose document it is.
    pub account: Id,
    pub on: Date,
    pub parts: Vec<Part>,
}

/// The document is void: nobody is owed anything of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakenBack {
    pub on: Date,
}

events! {
    /// What happens to the shares of a document.
    pub enum Event in "share" {
        Owed = "owed" 1,
        TakenBack = "taken-back" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Owe(Box<Owed>),
    TakeBack { on: Date },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    pub owed: Option<Owed>,
    /// The day on which all of it was taken back.
    pub taken_back: Option<Date>,
}

impl Shares {
    /// What is owed of the document now.
    pub fn parts(&self) -> &[Part] {
        match (&self.owed, self.taken_back) {
            (Some(owed), None) => &owed.parts,
            _ => &[],
        }
    }
}

impl Decider for Shares {
    type State = Shares;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Shares, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Owe(owed) if owed.parts.is_empty() => Ok(vec![]),
            Command::Owe(_) if state.owed.is_some() => Err(Rejection::new(
                "SHARED_ALREADY",
                "the parties were already given their shares of this document",
            )),
            Command::Owe(owed) => Ok(vec![(*owed).into()]),
            Command::TakeBack { .. } if state.parts().is_empty() => Ok(vec![]),
            Command::TakeBack { on } => Ok(vec![TakenBack { on }.into()]),
        }
    }

    fn evolve(state: &mut Shares, event: &Event) {
        match event {
            Event::Owed(e) => state.owed = Some(e.clone()),
            Event::TakenBack(e) => state.taken_back = Some(e.on),
        }
    }
}
