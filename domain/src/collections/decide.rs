use super::{
    ATTEMPTS_MAX, Attempt, Attempted, Closed, Collected, Collection, Drawn, DrawnPart, Event,
    GivenUp, Opened, Planned, Refused, Stage, WALLET_SHORT, drawn,
};
use crate::command::FailureKind;
use crate::kernel::{Date, Decider, Id, Money, Rejection, calendar::add_days};

/// What can be asked of a collection. Days are business days in the zone of its account.
#[derive(Clone, Debug)]
pub enum Command {
    Open(Opened),
    /// A payment is asked for.
    Attempt {
        payment: Id,
        method: Id,
        amount: Money,
        on: Date,
    },
    /// A wallet was asked and has paid these parts; `usable` are the methods that may be tried, in order.
    Draw {
        attempt: Id,
        method: Id,
        wallet: Id,
        asked: Money,
        parts: Vec<DrawnPart>,
        on: Date,
        usable: Vec<Id>,
    },
    /// The payment under way failed; `usable` are the methods that may be tried, in order.
    Refuse {
        payment: Id,
        kind: FailureKind,
        code: String,
        on: Date,
        usable: Vec<Id>,
    },
    /// Not now: something else is pending for the same invoice.
    Postpone {
        next: Date,
    },
    /// A payment of it came, be it one that was given up before.
    Collect {
        payment: Id,
        on: Date,
    },
    GiveUp {
        reason: String,
        on: Date,
    },
    Close {
        reason: String,
        on: Date,
    },
}

impl Decider for Collection {
    type State = Collection;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Collection, command: Command) -> Result<Vec<Event>, Rejection> {
        let account = || state.account.clone();
        match command {
            Command::Open(_) if state.stage != Stage::Absent => Err(Rejection::new(
                "COLLECTION_EXISTS",
                "this collection was already opened",
            )),
            Command::Open(opened) => Ok(vec![opened.into()]),
            _ if state.stage == Stage::Absent => Err(Rejection::new(
                "COLLECTION_UNKNOWN",
                "there is no such collection",
            )),
            Command::Collect { payment, on } => Ok(match &state.stage {
                Stage::Collected => vec![],
                _ => vec![
                    Collected {
                        account: account(),
                        payment,
                        on,
                    }
                    .into(),
                ],
            }),
            Command::Close { .. } if !state.is_open() => Ok(vec![]),
            _ if !state.is_open() => Err(Rejection::new(
                "COLLECTION_OVER",
                "this collection is over: open another one",
            )),
            Command::Attempt {
                payment,
                method,
                amount,
                on,
            } => {
                if state.under_way().is_some() {
                    return Err(Rejection::new(
                        "COLLECTION_UNDER_WAY",
                        "a payment of this collection is under way",
                    ));
                }
                let account = account();
                Ok(vec![
                    Attempted {
                        account,
                        payment,
                        method,
                        amount,
                        on,
                    }
                    .into(),
                ])
            }
            Command::Draw {
                attempt,
                method,
                wallet,
                asked,
                parts,
                on,
                usable,
            } => {
                let drawn = Drawn {
                    account: account(),
                    attempt,
                    method,
                    wallet,
                    asked,
                    failure: None,
                    parts,
                    on,
                };
                drawn::draw(state, drawn, &usable)
            }
            Command::Refuse {
                payment,
                kind,
                code,
                on,
                usable,
            } => {
                if state.under_way().is_none_or(|a| a.payment != payment) {
                    return Ok(vec![]);
                }
                let account = account();
                let refused = Refused {
                    account,
                    payment,
                    kind,
                    code: code.clone(),
                    on,
                };
                Ok(refuse(state, refused.into(), (on, &code), &usable))
            }
            Command::Postpone { next } => Ok(match &state.stage {
                Stage::Waiting {
                    next: before,
                    method,
                } if *before < next => {
                    let (account, method) = (account(), method.clone());
                    vec![
                        Planned {
                            account,
                            next,
                            method,
                        }
                        .into(),
                    ]
                }
                _ => vec![],
            }),
            Command::GiveUp { reason, on } => Ok(vec![
                GivenUp {
                    account: account(),
                    reason,
                    on,
                }
                .into(),
            ]),
            Command::Close { reason, on } => Ok(vec![
                Closed {
                    account: account(),
                    reason,
                    on,
                }
                .into(),
            ]),
        }
    }

    fn evolve(state: &mut Collection, event: &Event) {
        match event {
            Event::Opened(e) => {
                *state = Collection {
                    stage: Stage::Trying,
                    account: e.account.clone(),
                    invoice: e.invoice.clone(),
                    why: e.why,
                    rules: e.rules.clone(),
                    opened: Some(e.on),
                    attempts: vec![],
                };
            }
            Event::Attempted(e) => {
                state.stage = Stage::Trying;
                state.attempts.push(Attempt {
                    payment: e.payment.clone(),
                    method: e.method.clone(),
                    amount: e.amount,
                    on: e.on,
                    failure: None,
                    code: None,
                });
            }
            Event::Drawn(e) => {
                state.stage = Stage::Trying;
                state.attempts.push(Attempt {
                    payment: e.attempt.clone(),
                    method: e.method.clone(),
                    amount: e.paid(),
                    on: e.on,
                    failure: e.failure,
                    code: e.failure.map(|_| WALLET_SHORT.to_string()),
                });
            }
            Event::Refused(e) => {
                if let Some(attempt) = state.attempts.iter_mut().find(|a| a.payment == e.payment) {
                    attempt.failure = Some(e.kind);
                    attempt.code = Some(e.code.clone());
                }
            }
            Event::Planned(e) => {
                state.stage = Stage::Waiting {
                    next: e.next,
                    method: e.method.clone(),
                };
            }
            Event::Collected(e) => {
                state.stage = Stage::Collected;
                if let Some(attempt) = state.attempts.iter_mut().find(|a| a.payment == e.payment) {
                    attempt.failure = None;
                    attempt.code = None;
                }
            }
            Event::GivenUp(e) => {
                state.stage = Stage::GivenUp {
                    reason: e.reason.clone(),
                };
            }
            Event::Closed(e) => {
                state.stage = Stage::Closed {
                    reason: e.reason.clone(),
                };
            }
        }
    }
}

impl Collection {
    /// The payment that has neither come nor failed.
    pub fn under_way(&self) -> Option<&Attempt> {
        let last = self.attempts.last().filter(|a| a.failure.is_none());
        last.filter(|_| self.stage == Stage::Trying)
    }

    /// The method is not tried again: it was refused for good, or as often as the schedule goes.
    pub fn exhausted(&self, method: &str) -> bool {
        let of_it = || self.attempts.iter().filter(|a| a.method == method);
        let soft = of_it()
            .filter(|a| a.failure == Some(FailureKind::Soft))
            .count();
        of_it().any(|a| a.failure == Some(FailureKind::Hard)) || soft > self.rules.soft_days.len()
    }

    /// The method to go on with after those that are exhausted.
    pub fn next_method<'a>(&self, usable: &'a [Id]) -> Option<&'a Id> {
        usable.iter().find(|m| !self.exhausted(m))
    }
}

/// What follows an attempt that brought nothing, or not all of it: `failed` says so, with `code`.
pub(super) fn refuse(
    state: &Collection,
    failed: Event,
    (on, code): (Date, &str),
    usable: &[Id],
) -> Vec<Event> {
    let account = state.account.clone();
    let mut next = state.clone();
    Collection::evolve(&mut next, &failed);
    let mut events = vec![failed];
    let method = next.attempts.last().map(|a| a.method.clone());
    let method = method.unwrap_or_default();
    let soft = next
        .attempts
        .iter()
        .filter(|a| a.method == method && a.failure == Some(FailureKind::Soft));
    let wait = soft
        .count()
        .checked_sub(1)
        .and_then(|n| next.rules.soft_days.get(n))
        .filter(|_| !next.exhausted(&method));
    let planned = match wait {
        Some(days) => Some((add_days(on, i64::from(*days)), method)),
        None if next.rules.fallback => next.next_method(usable).map(|m| (on, m.clone())),
        None => None,
    };
    events.push(match planned {
        Some((day, method)) if next.attempts.len() < ATTEMPTS_MAX => Planned {
            account,
            next: day,
            method,
        }
        .into(),
        _ => GivenUp {
            account,
            reason: format!(
                "{} attempts failed, the last one with {code}",
                next.attempts.len()
            ),
            on,
        }
        .into(),
    });
    events
}
