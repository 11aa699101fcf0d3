//! The dunning case of one account.
//!
//! - Each level is reached once in an episode, each of its actions done once, dated at the day it was reached.
//! - A paused case reaches nothing.
//! - No level is dated before the debt came back: before the last clearing, reopening or resumption.

use crate::command::{DunningAction, DunningLevel};
use crate::events;
use crate::kernel::{Date, Decider, Id, Money, Rejection};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Episodes so far, the open one included.
    pub episodes: u32,
    pub open: Option<Episode>,
    /// Why nothing is done for the time being.
    pub paused: Option<String>,
    /// No level is reached earlier.
    pub not_before: Option<Date>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    pub began: Date,
    /// Levels reached, in order.
    pub done: Vec<String>,
    /// Subscriptions that this episode paused.
    pub suspended: Vec<Id>,
    /// Late fees so far.
    pub fees: Vec<Id>,
}

impl Case {
    /// The highest level reached; none while all is clear.
    pub fn level(&self) -> Option<&str> {
        self.open
            .as_ref()
            .and_then(|e| e.done.last())
            .map(String::as_str)
    }

    pub fn done(&self) -> &[String] {
        self.open.as_ref().map_or(&[], |e| e.done.as_slice())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelReached {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    /// The oldest overdue invoice.
    pub oldest: Id,
    pub overdue: Money,
    pub actions: Vec<DunningAction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reminded {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub overdue: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeeCharged {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub charge: Id,
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspended {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub subscriptions: Vec<Id>,
}

/// The payment provider is to be asked again for these invoices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryAsked {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub invoices: Vec<Id>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WroteOff {
    pub episode: u32,
    pub level: String,
    pub on: Date,
    pub invoices: Vec<Id>,
    pub amount: Money,
}

/// Nothing overdue is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cleared {
    pub episode: u32,
    pub on: Date,
    /// Subscriptions that run again from `on`.
    pub resumed: Vec<Id>,
}

/// An invoice that is past due became open again while the case was clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reopened {
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    pub reason: String,
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    pub on: Date,
}

events! {
    /// What happens to an account's dunning case.
    pub enum Event in "dunning" {
        LevelReached = "level-reached" 1,
        Reminded = "reminded" 1,
        FeeCharged = "fee-charged" 1,
        Suspended = "suspended" 1,
        RetryAsked = "retry-asked" 1,
        WroteOff = "wrote-off" 1,
        Cleared = "cleared" 1,
        Reopened = "reopened" 1,
        Paused = "paused" 1,
        Resumed = "resumed" 1,
    }
}

/// A level that was reached, with what its actions touch; the caller has looked it up.
#[derive(Clone, Debug)]
pub struct Step {
    pub level: DunningLevel,
    pub on: Date,
    pub oldest: Id,
    pub overdue: Money,
    /// Id and amount of the late fee, if the level has one.
    pub fees: Vec<(Id, Money)>,
    pub subscriptions: Vec<Id>,
    /// What a retry or a write-off is about.
    pub invoices: Vec<Id>,
    /// What a write-off would take off.
    pub collectable: Money,
}

#[derive(Clone, Debug)]
pub enum Command {
    Reach(Box<Step>),
    Clear { on: Date, resumed: Vec<Id> },
    Reopen { on: Date },
    Pause { reason: String, on: Date },
    Resume { on: Date },
}

impl Decider for Case {
    type State = Case;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Case, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Reach(step) => match &state.paused {
                Some(reason) => Err(Rejection::new(
                    "DUNNING_PAUSED",
                    format!("dunning is paused: {reason}"),
                )),
                None if state.done().contains(&step.level.name) => Ok(vec![]),
                None => Ok(reach(state, *step)),
            },
            Command::Clear { on, resumed } if state.open.is_some() => Ok(vec![
                Cleared {
                    episode: state.episodes,
                    on,
                    resumed,
                }
                .into(),
            ]),
            Command::Reopen { on }
                if state.open.is_none() && state.not_before.is_none_or(|d| d < on) =>
            {
                Ok(vec![Reopened { on }.into()])
            }
            Command::Clear { .. } | Command::Reopen { .. } => Ok(vec![]),
            Command::Pause { reason, on } => match &state.paused {
                Some(before) => Err(Rejection::new(
                    "DUNNING_PAUSED",
                    format!("dunning is already paused: {before}"),
                )),
                None => Ok(vec![Paused { reason, on }.into()]),
            },
            Command::Resume { on } if state.paused.is_some() => Ok(vec![Resumed { on }.into()]),
            Command::Resume { .. } => Err(Rejection::new(
                "DUNNING_NOT_PAUSED",
                "dunning is not paused, asked to resume it",
            )),
        }
    }

    fn evolve(state: &mut Case, event: &Event) {
        match event {
            Event::LevelReached(e) => {
                state.episodes = e.episode;
                let begin = || Episode {
                    began: e.on,
                    done: vec![],
                    suspended: vec![],
                    fees: vec![],
                };
                state
                    .open
                    .get_or_insert_with(begin)
                    .done
                    .push(e.level.clone());
            }
            Event::FeeCharged(e) => {
                if let Some(open) = &mut state.open {
                    open.fees.push(e.charge.clone());
                }
            }
            Event::Suspended(e) => {
                if let Some(open) = &mut state.open {
                    open.suspended.extend(e.subscriptions.iter().cloned());
                }
            }
            Event::Reminded(_) | Event::RetryAsked(_) | Event::WroteOff(_) => {}
            Event::Cleared(e) => {
                state.open = None;
                state.not_before = Some(e.on);
            }
            Event::Reopened(e) => state.not_before = Some(e.on),
            Event::Paused(e) => state.paused = Some(e.reason.clone()),
            Event::Resumed(e) => {
                state.paused = None;
                state.not_before = Some(e.on);
            }
        }
    }
}

/// The level, then one event per action that has something to act on.
fn reach(state: &Case, step: Step) -> Vec<Event> {
    let episode = if state.open.is_some() {
        state.episodes
    } else {
        state.episodes + 1
    };
    let Step {
        level,
        on,
        oldest,
        overdue,
        fees,
        subscriptions,
        invoices,
        collectable,
    } = step;
    let name = level.name;
    let actions = level.actions.clone();
    let mut events: Vec<Event> = vec![
        LevelReached {
            episode,
            level: name.clone(),
            on,
            oldest,
            overdue,
            actions,
        }
        .into(),
    ];
    let mut fees = fees.into_iter();
    for action in level.actions {
        let level = name.clone();
        match action {
            DunningAction::Remind => events.push(
                Reminded {
                    episode,
                    level,
                    on,
                    overdue,
                }
                .into(),
            ),
            DunningAction::Fee(_) => {
                events.extend(fees.next().map(|(charge, amount)| {
                    FeeCharged {
                        episode,
                        level,
                        on,
                        charge,
                        amount,
                    }
                    .into()
                }));
            }
            DunningAction::Suspend if !subscriptions.is_empty() => {
                events.push(
                    Suspended {
                        episode,
                        level,
                        on,
                        subscriptions: subscriptions.clone(),
                    }
                    .into(),
                );
            }
            DunningAction::RetryPayment if !invoices.is_empty() => {
                events.push(
                    RetryAsked {
                        episode,
                        level,
                        on,
                        invoices: invoices.clone(),
                    }
                    .into(),
                );
            }
            DunningAction::WriteOff if !invoices.is_empty() => {
                events.push(
                    WroteOff {
                        episode,
                        level,
                        on,
                        invoices: invoices.clone(),
                        amount: collectable,
                    }
                    .into(),
                );
            }
            DunningAction::Suspend | DunningAction::RetryPayment | DunningAction::WriteOff => {}
        }
    }
    events
}
