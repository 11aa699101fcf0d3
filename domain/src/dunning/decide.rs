//! What may be done to a case; whoever asks has looked up what it touches.

use super::case::{Case, Measure};
use super::events::{
    Cleared, Deferred, Event, Excluded, GivenUp, HoldLifted, Included, InterestCarried,
    InvoiceLost, Paused, PausedUntil, PromiseBroken, PromiseKept, Promised, Recalled, Reopened,
    Restored, Resumed, SteppedBack, Stopped, Switched, Waived,
};
use super::step::{Step, reach};
use crate::kernel::{Date, Decider, Id, Money, Rejection};

#[derive(Clone, Debug)]
pub enum Command {
    Reach(Box<Step>),
    /// Everything overdue of an episode is paid.
    Clear {
        episode: u32,
        on: Date,
        resumed: Vec<Id>,
    },
    /// A debt came back: nothing is dated before `on`.
    Reopen {
        on: Date,
    },
    Pause {
        reason: String,
        on: Date,
        until: Option<Date>,
    },
    Resume {
        on: Date,
    },
    Promise(Promised),
    Keep {
        on: Date,
    },
    Break {
        on: Date,
        missing: Money,
    },
    Carry(InterestCarried),
    StepBack(SteppedBack),
    Defer(Deferred),
    Lose {
        on: Date,
        invoice: Id,
        amount: Money,
    },
    GiveUp {
        on: Date,
    },
    Exclude(Excluded),
    Include(Included),
    Stop {
        on: Date,
        reason: String,
        invoices: Vec<Id>,
        restore: Option<Vec<Id>>,
    },
    Switch(Switched),
    Restore(Restored),
    LiftHold {
        on: Date,
        reason: String,
    },
    Recall {
        on: Date,
        reason: String,
    },
    Waive {
        on: Date,
        charge: Id,
        reason: String,
        note: Option<Id>,
    },
}

impl Decider for Case {
    type State = Case;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Case, command: Command) -> Result<Vec<Event>, Rejection> {
        let one = |event: Event| Ok(vec![event]);
        match command {
            Command::Reach(step) => match &state.paused {
                Some(pause) => Err(paused(&pause.reason)),
                None if state.done().contains(&step.level) => Ok(vec![]),
                None => Ok(reach(state, *step)),
            },
            Command::Clear {
                episode,
                on,
                resumed,
            } => Ok(clear(state, episode, on, resumed)),
            Command::Reopen { on } if state.not_before.is_none_or(|d| d < on) => {
                one(Reopened { on }.into())
            }
            Command::Reopen { .. } => Ok(vec![]),
            Command::Pause { reason, on, until } => {
                free(state)?;
                ahead(on, until)?;
                one(match until {
                    None => Paused { reason, on }.into(),
                    Some(until) => PausedUntil { reason, on, until }.into(),
                })
            }
            Command::Resume { on } if state.paused.is_some() => one(Resumed { on }.into()),
            Command::Resume { .. } => Err(Rejection::new(
                "DUNNING_NOT_PAUSED",
                "dunning is not paused, asked to resume it",
            )),
            Command::Promise(promised) => {
                free(state)?;
                ahead(promised.on, Some(promised.until))?;
                one(promised.into())
            }
            Command::Keep { on } => Ok(match promise(state) {
                Some(_) => vec![PromiseKept { on }.into()],
                None => vec![],
            }),
            Command::Break { on, missing } => Ok(match promise(state) {
                Some(promised) => vec![
                    PromiseBroken {
                        on,
                        promised,
                        missing,
                    }
                    .into(),
                ],
                None => vec![],
            }),
            Command::Carry(carried) => one(carried.into()),
            Command::StepBack(back) => {
                let of = |_, level: &str| back.undone.iter().any(|l| l == level);
                let mut events = lifted(state, back.on, "paid in part", of);
                events.push(back.into());
                Ok(events)
            }
            Command::Defer(deferred) => one(deferred.into()),
            Command::Lose {
                on,
                invoice,
                amount,
            } => Ok(match &state.open {
                Some(open) => vec![
                    InvoiceLost {
                        episode: open.number,
                        on,
                        invoice,
                        amount,
                    }
                    .into(),
                ],
                None => vec![],
            }),
            Command::GiveUp { on } => Ok(match &state.open {
                Some(open) => vec![
                    GivenUp {
                        episode: open.number,
                        on,
                        invoices: open.lost.iter().cloned().collect(),
                    }
                    .into(),
                ],
                None => vec![],
            }),
            Command::Exclude(excluded) if state.excluded.contains_key(&excluded.invoice) => {
                Ok(vec![])
            }
            Command::Exclude(excluded) => one(excluded.into()),
            Command::Include(included) if state.excluded.contains_key(&included.invoice) => {
                one(included.into())
            }
            Command::Include(included) => Err(Rejection::new(
                "DUNNING_NOT_EXCLUDED",
                format!("invoice {} is not kept out of dunning", included.invoice),
            )),
            Command::Stop {
                on,
                reason,
                invoices,
                restore,
            } => {
                let Some(open) = &state.open else {
                    return Err(Rejection::new(
                        "DUNNING_CLEAR",
                        "nothing is being dunned, asked to stop it",
                    ));
                };
                let restored = restore.is_some();
                let mut events = vec![];
                if restored {
                    events = lifted(state, on, &reason, |_, _| true);
                }
                events.push(
                    Stopped {
                        episode: open.number,
                        on,
                        reason,
                        invoices,
                        resumed: restore.unwrap_or_default(),
                        restored,
                    }
                    .into(),
                );
                Ok(events)
            }
            Command::Switch(switched) => one(switched.into()),
            Command::Restore(restored) => one(restored.into()),
            Command::LiftHold { on, reason } if state.held() => {
                one(HoldLifted { on, reason }.into())
            }
            Command::LiftHold { .. } => Err(Rejection::new(
                "ACCOUNT_NOT_HELD",
                "the account is not held, asked to lift the hold",
            )),
            Command::Recall { on, reason } => match state.agency().map(str::to_string) {
                Some(agency) => one(Recalled { on, agency, reason }.into()),
                None => Err(Rejection::new(
                    "DUNNING_NOT_HANDED_OVER",
                    "no agency collects from the account, asked to recall it",
                )),
            },
            Command::Waive {
                on,
                charge,
                reason,
                note,
            } => match state.charged.get(&charge) {
                Some(amount) => one(Waived {
                    on,
                    amount: *amount,
                    charge,
                    reason,
                    note,
                }
                .into()),
                None => Err(Rejection::new(
                    "DUNNING_CHARGE_UNKNOWN",
                    format!("{charge} is no fee or interest of this account that could be waived"),
                )),
            },
        }
    }

    fn evolve(state: &mut Case, event: &Event) {
        state.fold(event);
    }
}

fn paused(reason: &str) -> Rejection {
    Rejection::new("DUNNING_PAUSED", format!("dunning is paused: {reason}"))
}

fn free(state: &Case) -> Result<(), Rejection> {
    match &state.paused {
        Some(pause) => Err(Rejection::new(
            "DUNNING_PAUSED",
            format!("dunning is already paused: {}", pause.reason),
        )),
        None => Ok(()),
    }
}

fn ahead(on: Date, until: Option<Date>) -> Result<(), Rejection> {
    match until {
        Some(until) if until < on => Err(Rejection::new(
            "DATE_PAST",
            format!("it is {on}, asked to wait until {until}"),
        )),
        _ => Ok(()),
    }
}

fn promise(state: &Case) -> Option<Money> {
    let promise = state.paused.as_ref()?.promise.as_ref()?;
    Some(promise.amount)
}

fn clear(state: &Case, episode: u32, on: Date, resumed: Vec<Id>) -> Vec<Event> {
    let ends = |number: Option<u32>| number == Some(episode);
    let open = ends(state.open.as_ref().map(|o| o.number));
    if !open && !ends(state.unpaid.as_ref().map(|u| u.episode.number)) {
        return vec![];
    }
    let mut events = Vec::new();
    if open && promise(state).is_some() {
        events.push(PromiseKept { on }.into());
    }
    events.extend(lifted(state, on, "paid", |number, _| number == episode));
    events.push(
        Cleared {
            episode,
            on,
            resumed,
        }
        .into(),
    );
    events
}

/// The hold and the agency, where an episode and level that set them end.
fn lifted(state: &Case, on: Date, reason: &str, of: impl Fn(u32, &str) -> bool) -> Vec<Event> {
    use super::case::MeasureKind::{HandOver, Hold};
    let episodes = state
        .open
        .iter()
        .chain(state.unpaid.iter().map(|u| &u.episode));
    let ended: Vec<&Measure> = episodes
        .flat_map(|e| e.measures.iter().filter(|m| of(e.number, &m.level)))
        .collect();
    let reason = || reason.to_string();
    let mut events: Vec<Event> = Vec::new();
    if ended.iter().any(|m| m.kind == Hold) {
        events.push(
            HoldLifted {
                on,
                reason: reason(),
            }
            .into(),
        );
    }
    let agency = ended.iter().find_map(|m| match &m.kind {
        HandOver { agency } => Some(agency.clone()),
        _ => None,
    });
    events.extend(agency.map(|agency| {
        Recalled {
            on,
            agency,
            reason: reason(),
        }
        .into()
    }));
    events
}
