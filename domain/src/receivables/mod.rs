//! Open items of an account.

use crate::events;
use crate::kernel::{Decider, Rejection};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Receivables {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {}

events! {
    pub enum Event in "receivable" {
        Recorded = "recorded" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {}

impl Decider for Receivables {
    type State = Receivables;
    type Command = Command;
    type Event = Event;

    fn decide(_: &Receivables, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {}
    }

    fn evolve(_: &mut Receivables, _: &Event) {}
}
