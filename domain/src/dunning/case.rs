//! Dunning cases.

use crate::events;
use crate::kernel::{Decider, Rejection};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Case {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {}

events! {
    pub enum Event in "dunning" {
        Recorded = "recorded" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {}

impl Decider for Case {
    type State = Case;
    type Command = Command;
    type Event = Event;

    fn decide(_: &Case, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {}
    }

    fn evolve(_: &mut Case, _: &Event) {}
}
