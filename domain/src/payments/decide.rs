use super::refunds::{self, given_back};
use super::{
    Accepted, Acknowledged, ActionAsked, Answer, AnswerLost, Back, ChargeBackReversed, ChargedBack,
    Contradicted, Event, Failed, Payment, Recorded, Reduced, Routed, Sent, Settled, Stage, evolve,
};
use crate::bank::return_end_to_end;
use crate::command::FailureKind;
use crate::kernel::{Date, Decider, Id, Money, Rejection};

/// What can be asked of a payment. Days are business days in the zone of its account.
#[derive(Clone, Debug)]
pub enum Command {
    Record(Recorded),
    /// Money that the bank counts from another day than it is recorded on.
    Receive {
        recorded: Recorded,
        value: Date,
    },
    /// A provider is to be asked for it.
    Ask {
        recorded: Recorded,
        route: Routed,
    },
    /// The provider is about to be called, and `open` is what may be asked for. Says nothing if it was called before.
    Send {
        open: Money,
        on: Date,
    },
    /// The provider never saw it and is about to be called again under the same key.
    SendAgain {
        on: Date,
    },
    /// What the provider says, in whatever order and number it arrives.
    Answer {
        answer: Answer,
        on: Date,
    },
    Settle {
        on: Date,
    },
    Fail {
        kind: FailureKind,
        reason: String,
        on: Date,
    },
    /// No amount: all that is left. Money that a provider brought goes back through it.
    Refund {
        amount: Option<Money>,
        reason: String,
        on: Date,
    },
    /// Money that nobody but the bank brought goes back by a file for it, under this reference.
    RefundByFile {
        amount: Option<Money>,
        reason: String,
        on: Date,
        /// Its own id: what a bank calls its returns is made of it.
        payment: Id,
    },
    /// The provider is about to be called for a return.
    SendRefund {
        number: u32,
        again: bool,
        on: Date,
    },
    AnswerRefund {
        number: u32,
        answer: Answer,
        on: Date,
    },
    /// The provider says that it gave money back by itself.
    Observe {
        reference: String,
        amount: Money,
        reason: String,
        on: Date,
    },
    /// A person has looked at what cannot be, and at returns that failed.
    Acknowledge {
        note: String,
        on: Date,
    },
    ChargeBack {
        amount: Option<Money>,
        reason: String,
        on: Date,
    },
    /// No amount: all that was charged back.
    ReverseChargeBack {
        amount: Option<Money>,
        reason: String,
        on: Date,
    },
}

impl Decider for Payment {
    type State = Payment;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Payment, command: Command) -> Result<Vec<Event>, Rejection> {
        let account = || state.account.clone();
        match (command, state.stage) {
            (Command::Record(recorded), Stage::Absent) => {
                let value = recorded.on;
                record(recorded, value)
            }
            (Command::Receive { recorded, value }, Stage::Absent) => record(recorded, value),
            (Command::Ask { recorded, route }, Stage::Absent) => {
                let mut events = record(recorded, route.on)?;
                events.push(route.into());
                Ok(events)
            }
            (Command::Record(_) | Command::Receive { .. } | Command::Ask { .. }, _) => Err(
                Rejection::new("PAYMENT_EXISTS", "this payment was already recorded"),
            ),
            (_, Stage::Absent) => Err(Rejection::new(
                "PAYMENT_UNKNOWN",
                "there is no such payment",
            )),
            (Command::Send { open, on }, Stage::Created) => Ok(send(state, open, on)),
            (Command::Send { .. }, _) => Ok(vec![]),
            (Command::SendAgain { on }, Stage::Sent | Stage::Unknown) => {
                let times = state.sent.saturating_add(1);
                let account = account();
                Ok(vec![Sent { account, times, on }.into()])
            }
            (Command::SendAgain { .. }, _) => Ok(vec![]),
            (Command::Answer { answer, on }, _) => answered(state, answer, on),
            (Command::Settle { on }, stage) if stage.is_open() => {
                Ok(vec![settled(state, None, on).into()])
            }
            (Command::Fail { kind, reason, on }, stage) if stage.is_open() => Ok(vec![
                Failed {
                    account: account(),
                    kind,
                    reason,
                    on,
                    code: None,
                    reference: None,
                }
                .into(),
            ]),
            (Command::Settle { .. } | Command::Fail { .. }, stage) => Err(Rejection::new(
                "PAYMENT_NOT_PENDING",
                format!("the payment is {}, not pending", words(stage)),
            )),
            (Command::Refund { amount, reason, on }, _) => {
                refunds::ask(state, amount, reason, on).map(|event| vec![event])
            }
            (
                Command::RefundByFile {
                    amount,
                    reason,
                    on,
                    payment,
                },
                _,
            ) => refunds::by_file(state, amount, reason, on, |number| {
                return_end_to_end(&payment, number)
            }),
            (Command::SendRefund { number, again, on }, _) => {
                refunds::send(state, number, again, on)
            }
            (Command::AnswerRefund { number, answer, on }, _) => {
                refunds::answered(state, number, answer, on)
            }
            (
                Command::Observe {
                    reference,
                    amount,
                    reason,
                    on,
                },
                _,
            ) => Ok(refunds::observed(state, reference, amount, reason, on)),
            (Command::Acknowledge { note, on }, _) => acknowledge(state, note, on),
            (Command::ChargeBack { amount, reason, on }, _) => {
                let amount = given_back(state, state.left(), amount)?;
                let account = account();
                Ok(vec![
                    ChargedBack {
                        account,
                        amount,
                        reason,
                        on,
                    }
                    .into(),
                ])
            }
            (Command::ReverseChargeBack { amount, reason, on }, _) => {
                reverse(state, amount, reason, on)
            }
        }
    }

    fn evolve(state: &mut Payment, event: &Event) {
        evolve::evolve(state, event);
    }
}

pub(super) fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Absent => "unknown",
        Stage::Pending => "pending",
        Stage::Settled => "settled",
        Stage::Failed => "failed",
        Stage::Returned => "given back in full",
        Stage::Created => "waiting for its provider",
        Stage::Sent => "being asked of its provider",
        Stage::Unknown => "without an answer from its provider",
        Stage::ActionRequired => "waiting for the payer",
    }
}

fn record(recorded: Recorded, value: Date) -> Result<Vec<Event>, Rejection> {
    if !recorded.amount.is_positive() {
        return Err(Rejection::new(
            "AMOUNT_INVALID",
            format!("a payment of {} is not above zero", recorded.amount),
        ));
    }
    let settled = Settled {
        account: recorded.account.clone(),
        amount: recorded.amount,
        on: recorded.on,
        value,
        reference: None,
    };
    let pending = recorded.pending;
    let mut events = vec![recorded.into()];
    if !pending {
        events.push(settled.into());
    }
    Ok(events)
}

/// What is open may have become less since the intent was made, never more than was meant.
fn send(state: &Payment, open: Money, on: Date) -> Vec<Event> {
    let account = state.account.clone();
    if !open.is_positive() || open.currency != state.amount.currency {
        return vec![
            Failed {
                account,
                kind: FailureKind::Hard,
                reason: "nothing of it is open any more".to_string(),
                on,
                code: Some(NOTHING_OPEN.to_string()),
                reference: None,
            }
            .into(),
        ];
    }
    let mut events = Vec::new();
    if open.minor < state.amount.minor {
        events.push(
            Reduced {
                account: account.clone(),
                amount: open,
                on,
            }
            .into(),
        );
    }
    events.push(
        Sent {
            account,
            times: 1,
            on,
        }
        .into(),
    );
    events
}

/// Code of a payment that was not sent because nothing was open any more.
pub const NOTHING_OPEN: &str = "NOTHING_OPEN";

fn settled(state: &Payment, reference: Option<String>, on: Date) -> Settled {
    Settled {
        account: state.account.clone(),
        amount: state.amount,
        on,
        value: on,
        reference,
    }
}

/// What an answer changes. Later answers win over earlier ones by what they say, not by when they come: settled and
/// failed beat everything that is still under way, and money that came beats a refusal.
fn answered(state: &Payment, answer: Answer, on: Date) -> Result<Vec<Event>, Rejection> {
    let account = state.account.clone();
    let Some(route) = &state.route else {
        return Err(Rejection::new(
            "PAYMENT_BY_HAND",
            "this payment was not asked of a provider: settle or fail it by hand",
        ));
    };
    let stage = state.stage;
    Ok(match answer {
        Answer::Settled { reference } => match stage {
            Stage::Settled | Stage::Returned
                if state
                    .reference
                    .as_ref()
                    .is_none_or(|known| *known == reference) =>
            {
                vec![]
            }
            Stage::Settled | Stage::Returned => contradicted(
                state,
                format!(
                    "{} says it settled a second time, as {reference}",
                    route.gateway
                ),
                on,
            ),
            _ => vec![settled(state, Some(reference), on).into()],
        },
        Answer::Declined { reference, decline } => match stage {
            Stage::Failed => vec![],
            Stage::Settled | Stage::Returned => contradicted(
                state,
                format!(
                    "{} declined it with {} after it was settled",
                    route.gateway, decline.code
                ),
                on,
            ),
            _ => vec![
                Failed {
                    account,
                    kind: decline.kind,
                    reason: decline.reason,
                    on,
                    code: Some(decline.code),
                    reference,
                }
                .into(),
            ],
        },
        Answer::Pending { reference } => match stage {
            Stage::Created | Stage::Sent | Stage::Unknown | Stage::ActionRequired => vec![
                Accepted {
                    account,
                    reference,
                    on,
                }
                .into(),
            ],
            _ => vec![],
        },
        Answer::ActionRequired { reference, url } => match stage {
            Stage::Created | Stage::Sent | Stage::Unknown => vec![
                ActionAsked {
                    account,
                    reference,
                    url,
                    on,
                }
                .into(),
            ],
            _ => vec![],
        },
        Answer::Unknown { why } => match stage {
            Stage::Created | Stage::Sent => vec![AnswerLost { account, why, on }.into()],
            _ => vec![],
        },
    })
}

/// Said once, however often it is heard.
pub(super) fn contradicted(state: &Payment, what: String, on: Date) -> Vec<Event> {
    if state.contradictions.contains(&what) {
        return vec![];
    }
    let account = state.account.clone();
    vec![Contradicted { account, what, on }.into()]
}

fn acknowledge(state: &Payment, note: String, on: Date) -> Result<Vec<Event>, Rejection> {
    if !state.contradicted() && !state.returns.iter().any(Back::failed_unseen) {
        return Err(Rejection::new(
            "NOTHING_TO_ACKNOWLEDGE",
            "no provider contradicts this payment, and no return of it has failed unseen",
        ));
    }
    let account = state.account.clone();
    Ok(vec![Acknowledged { account, note, on }.into()])
}

fn reverse(
    state: &Payment,
    amount: Option<Money>,
    reason: String,
    on: Date,
) -> Result<Vec<Event>, Rejection> {
    let back = state.charged_back;
    let amount = amount.unwrap_or(back);
    if amount.currency != back.currency || amount.minor > back.minor || !amount.is_positive() {
        return Err(Rejection::new(
            "CHARGEBACK_TOO_SMALL",
            format!("{back} of the payment is charged back, asked to reverse {amount}"),
        ));
    }
    let account = state.account.clone();
    Ok(vec![
        ChargeBackReversed {
            account,
            amount,
            reason,
            on,
        }
        .into(),
    ])
}
