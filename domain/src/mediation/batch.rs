//! One batch of usage as it was received.

use crate::events;
use crate::kernel::{Decider, Rejection};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {}

events! {
    pub enum Event in "batch" {
        Recorded = "recorded" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {}

impl Decider for Batch {
    type State = Batch;
    type Command = Command;
    type Event = Event;

    fn decide(_: &Batch, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {}
    }

    fn evolve(_: &mut Batch, _: &Event) {}
}
