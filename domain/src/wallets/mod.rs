//! Prepaid wallets.

use crate::events;
use crate::kernel::{Decider, Rejection};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wallet {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {}

events! {
    pub enum Event in "wallet" {
        Recorded = "recorded" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {}

impl Decider for Wallet {
    type State = Wallet;
    type Command = Command;
    type Event = Event;

    fn decide(_: &Wallet, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {}
    }

    fn evolve(_: &mut Wallet, _: &Event) {}
}
