//! What may be done to a case; whoever asks has looked up what it touches.

use super::actions::DayCount;
use super::case::{Case, Measure};
use super::events::{
    Begun, Cleared, Deferred, Event, Excluded, FeeCharged, GivenUp, HandedOver, Held, HoldLifted,
    Included, InterestCarried, InterestCharged, InvoiceLost, LevelReached, Noticed, Paused,
    PausedUntil, PromiseBroken, PromiseKept, Promised, Recalled, Reminded, Reopened, Restored,
    Restricted, Resumed, RetryAsked, Span, SteppedBack, Stopped, Suspended, Switched, Terminated,
    Waived, WroteOff,
};
use super::rules::Choice;
use crate::command::DunningAction;
use crate::kernel::{Date, Decider, Decimal, Id, Money, Rejection};
use crate::subscriptions::UsageRule;

/// A level that was reached, with what came of its actions.
#[derive(Clone, Debug)]
pub struct Step {
    /// The policy, where the episode begins with this level.
    pub choice: Option<Choice>,
    pub level: String,
    pub actions: Vec<DunningAction>,
    pub on: Date,
    pub oldest: Id,
    pub overdue: Money,
    pub effects: Vec<Effect>,
}

/// What one action did.
#[derive(Clone, Debug)]
pub enum Effect {
    Reminded,
    Noticed {
        message: Id,
        template: String,
    },
    Fee {
        charge: Id,
        amount: Money,
    },
    Interest {
        charge: Id,
        amount: Money,
        capped: Money,
        rate: Decimal,
        day_count: DayCount,
        spans: Vec<Span>,
    },
    Suspended {
        subscriptions: Vec<Id>,
    },
    Restricted {
        subscriptions: Vec<Id>,
        billing_stops: bool,
        usage: UsageRule,
        reason: String,
    },
    RetryAsked {
        invoices: Vec<Id>,
    },
    WroteOff {
        invoices: Vec<Id>,
        amount: Money,
    },
    Held,
    HandedOver {
        agency: String,
        invoices: Vec<Id>,
        amount: Money,
    },
    Terminated {
        subscriptions: Vec<Id>,
    },
}

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

/// The level, then one event per action that has something to act on.
fn reach(state: &Case, step: Step) -> Vec<Event> {
    let episode = state.episode();
    let Step {
        choice,
        level,
        actions,
        on,
        oldest,
        overdue,
        effects,
    } = step;
    let begun = choice.filter(|_| state.open.is_none()).map(|choice| {
        Begun {
            episode,
            on,
            policy: choice.policy,
            why: choice.why,
        }
        .into()
    });
    let mut events: Vec<Event> = begun.into_iter().collect();
    events.push(
        LevelReached {
            episode,
            level: level.clone(),
            on,
            oldest,
            overdue,
            actions,
        }
        .into(),
    );
    let done = effects.into_iter();
    events.extend(done.map(|effect| said(effect, episode, level.clone(), on, overdue)));
    events
}

fn said(effect: Effect, episode: u32, level: String, on: Date, overdue: Money) -> Event {
    match effect {
        Effect::Reminded => Reminded {
            episode,
            level,
            on,
            overdue,
        }
        .into(),
        Effect::Noticed { message, template } => Noticed {
            episode,
            level,
            on,
            message,
            template,
        }
        .into(),
        Effect::Fee { charge, amount } => FeeCharged {
            episode,
            level,
            on,
            charge,
            amount,
        }
        .into(),
        Effect::Interest {
            charge,
            amount,
            capped,
            rate,
            day_count,
            spans,
        } => InterestCharged {
            episode,
            level,
            on,
            charge,
            amount,
            rate,
            day_count,
            capped,
            spans,
        }
        .into(),
        Effect::Suspended { subscriptions } => Suspended {
            episode,
            level,
            on,
            subscriptions,
        }
        .into(),
        Effect::Restricted {
            subscriptions,
            billing_stops,
            usage,
            reason,
        } => Restricted {
            episode,
            level,
            on,
            subscriptions,
            billing_stops,
            usage,
            reason,
        }
        .into(),
        Effect::RetryAsked { invoices } => RetryAsked {
            episode,
            level,
            on,
            invoices,
        }
        .into(),
        Effect::WroteOff { invoices, amount } => WroteOff {
            episode,
            level,
            on,
            invoices,
            amount,
        }
        .into(),
        Effect::Held => Held { episode, level, on }.into(),
        Effect::HandedOver {
            agency,
            invoices,
            amount,
        } => HandedOver {
            episode,
            level,
            on,
            agency,
            invoices,
            amount,
        }
        .into(),
        Effect::Terminated { subscriptions } => Terminated {
            episode,
            level,
            on,
            subscriptions,
        }
        .into(),
    }
}
