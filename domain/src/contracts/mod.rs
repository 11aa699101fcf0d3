//! Framework agreements: prices that an account, and every account that it pays for, has for a time.
//!
//! - A contract holds on the days `from ≤ day < until`.
//! - Its prices are in the contracts sold under it: agreeing, changing or ending one gives running subscriptions a new
//!   term from the day on which their price changes; what was billed before is not touched.
//! - A contract is never deleted; ending it says from which day it no longer holds.

use crate::catalog::{PriceTerm, Text};
use crate::events;
use crate::kernel::{Date, Days, Decider, Id, Rejection, calendar::LAST_DATE};
use serde::{Deserialize, Serialize};

/// What was agreed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    pub account: Id,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub from: Date,
    /// Exclusive; none: until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    pub terms: Vec<PriceTerm>,
}

impl Agreement {
    /// The days on which it holds.
    pub fn days(&self) -> Days {
        Days::new(self.from, self.until.unwrap_or(LAST_DATE))
    }
}

/// A contract's standing: what was agreed last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contract {
    /// None: nothing was ever agreed under this id.
    pub agreement: Option<Text<Agreement>>,
}

impl Contract {
    pub fn holds_on(&self, day: Date) -> bool {
        self.agreement
            .as_ref()
            .is_some_and(|a| a.days().contains(day))
    }
}

/// Agreed, or agreed anew: the whole text takes the place of what was there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreed {
    pub agreement: Text<Agreement>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The first day on which it does not hold any more.
    pub on: Date,
}

events! {
    /// What happens to a contract.
    pub enum Event in "contract" {
        Agreed = "agreed" 1,
        Ended = "ended" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Agree(Agreement),
    End { on: Date },
}

impl Decider for Contract {
    type State = Contract;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Contract, command: Command) -> Result<Vec<Event>, Rejection> {
        match (command, &state.agreement) {
            (Command::Agree(agreement), now) => agree(now.as_deref(), agreement),
            (Command::End { on }, Some(now)) => end(now, on),
            (Command::End { .. }, None) => Err(Rejection::new(
                "CONTRACT_UNKNOWN",
                "this contract was never agreed",
            )),
        }
    }

    fn evolve(state: &mut Contract, event: &Event) {
        match event {
            Event::Agreed(e) => state.agreement = Some(e.agreement.clone()),
            Event::Ended(e) => {
                if let Some(now) = &state.agreement {
                    let until = Some(e.on);
                    state.agreement = Some(Text::new(Agreement {
                        until,
                        ..Agreement::clone(now)
                    }));
                }
            }
        }
    }
}

fn agree(now: Option<&Agreement>, agreement: Agreement) -> Result<Vec<Event>, Rejection> {
    if let Some(now) = now
        && now.account != agreement.account
    {
        return Err(Rejection::new(
            "CONTRACT_FIXED",
            format!(
                "this contract is of account {}, asked to make it one of {}: agree another one",
                now.account, agreement.account
            ),
        ));
    }
    if agreement.days().is_empty() {
        return Err(Rejection::new(
            "CONTRACT_EMPTY",
            format!(
                "a contract that holds on {} holds on no day",
                agreement.days()
            ),
        ));
    }
    if now == Some(&agreement) {
        return Ok(vec![]);
    }
    let agreement = Text::new(agreement);
    Ok(vec![Agreed { agreement }.into()])
}

fn end(now: &Agreement, on: Date) -> Result<Vec<Event>, Rejection> {
    if now.until == Some(on) {
        return Ok(vec![]);
    }
    if on < now.from || now.until.is_some_and(|until| until < on) {
        return Err(Rejection::new(
            "CONTRACT_NOT_RUNNING",
            format!(
                "the contract holds on {}, asked to end it from {on}",
                now.days()
            ),
        ));
    }
    Ok(vec![Ended { on }.into()])
}
