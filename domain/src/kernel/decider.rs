//! The shape of every aggregate: commands in, events out, both functions pure.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A normal "no": a stable code for programs and a sentence for people. It stores nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// SCREAMING_SNAKE, never changed once shipped.
    pub code: String,
    /// What is, and what was asked, with units.
    pub message: String,
}

impl Rejection {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Rejection {
            code: code.to_string(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Rejection {}

/// An aggregate: what it remembers, what may be asked of it, what it then says happened.
///
/// `decide` looks nothing up: time, prices, rates and new ids come in with the command.
/// `evolve` is total: it never fails, and never asks the time.
pub trait Decider {
    type State: Default + Clone;
    type Command;
    type Event;

    fn decide(state: &Self::State, command: Self::Command) -> Result<Vec<Self::Event>, Rejection>;
    fn evolve(state: &mut Self::State, event: &Self::Event);
}
