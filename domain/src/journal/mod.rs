//! The journal.

use crate::events;
use crate::kernel::{Decider, Rejection};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {}

events! {
    pub enum Event in "journal" {
        Recorded = "recorded" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {}

impl Decider for Journal {
    type State = Journal;
    type Command = Command;
    type Event = Event;

    fn decide(_: &Journal, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {}
    }

    fn evolve(_: &mut Journal, _: &Event) {}
}
