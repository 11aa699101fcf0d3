//! A payment: recorded as pending or received, then settled or failed, then perhaps given back in parts.
//!
//! - Only a pending payment can be settled or failed; only settled money can be refunded or charged back.
//! - Refunds and chargebacks never exceed the payment.
//! - What it pays is decided by the payer's receivables, not here.

mod answer;

use crate::command::FailureKind;
use crate::events;
use crate::kernel::{Date, Decider, Id, Money, Rejection};
use serde::{Deserialize, Serialize};

pub use answer::{Answer, Decline};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    #[default]
    Absent,
    Pending,
    Settled,
    Failed,
    /// Nothing of it is left: all was refunded or charged back.
    Returned,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    pub stage: Stage,
    pub account: Id,
    pub amount: Money,
    /// Explicit choice of what it pays; none: oldest due date first (policy 26).
    pub invoice: Option<Id>,
    pub method: String,
    pub refunded: Money,
    pub charged_back: Money,
    pub failure: Option<FailureKind>,
}

impl Payment {
    /// Settled money that was not given back.
    pub fn left(&self) -> Money {
        self.amount.minus(self.refunded).minus(self.charged_back)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub account: Id,
    pub amount: Money,
    pub invoice: Option<Id>,
    pub method: String,
    /// False: received; `Settled` follows in the same commit.
    pub pending: bool,
    /// In the account's zone.
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    pub account: Id,
    pub amount: Money,
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    pub account: Id,
    pub kind: FailureKind,
    pub reason: String,
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refunded {
    pub account: Id,
    pub amount: Money,
    pub reason: String,
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChargedBack {
    pub account: Id,
    pub amount: Money,
    pub reason: String,
    pub on: Date,
}

events! {
    /// What happens to a payment.
    pub enum Event in "payment" {
        Recorded = "recorded" 1,
        Settled = "settled" 1,
        Failed = "failed" 1,
        Refunded = "refunded" 1,
        ChargedBack = "charged-back" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Record(Recorded),
    Settle {
        on: Date,
    },
    Fail {
        kind: FailureKind,
        reason: String,
        on: Date,
    },
    /// No amount: all that is left.
    Refund {
        amount: Option<Money>,
        reason: String,
        on: Date,
    },
    ChargeBack {
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
        match (command, state.stage) {
            (Command::Record(recorded), Stage::Absent) => record(recorded),
            (Command::Record(_), _) => Err(Rejection::new(
                "PAYMENT_EXISTS",
                "this payment was already recorded",
            )),
            (_, Stage::Absent) => Err(Rejection::new(
                "PAYMENT_UNKNOWN",
                "there is no such payment",
            )),
            (Command::Settle { on }, Stage::Pending) => Ok(vec![
                Settled {
                    account: state.account.clone(),
                    amount: state.amount,
                    on,
                }
                .into(),
            ]),
            (Command::Fail { kind, reason, on }, Stage::Pending) => Ok(vec![
                Failed {
                    account: state.account.clone(),
                    kind,
                    reason,
                    on,
                }
                .into(),
            ]),
            (Command::Settle { .. } | Command::Fail { .. }, stage) => Err(Rejection::new(
                "PAYMENT_NOT_PENDING",
                format!("the payment is {}, not pending", words(stage)),
            )),
            (Command::Refund { amount, reason, on }, stage) => {
                let amount = given_back(state, stage, amount)?;
                Ok(vec![
                    Refunded {
                        account: state.account.clone(),
                        amount,
                        reason,
                        on,
                    }
                    .into(),
                ])
            }
            (Command::ChargeBack { amount, reason, on }, stage) => {
                let amount = given_back(state, stage, amount)?;
                Ok(vec![
                    ChargedBack {
                        account: state.account.clone(),
                        amount,
                        reason,
                        on,
                    }
                    .into(),
                ])
            }
        }
    }

    fn evolve(state: &mut Payment, event: &Event) {
        match event {
            Event::Recorded(e) => {
                *state = Payment {
                    stage: Stage::Pending,
                    account: e.account.clone(),
                    amount: e.amount,
                    invoice: e.invoice.clone(),
                    method: e.method.clone(),
                    refunded: Money::zero(e.amount.currency),
                    charged_back: Money::zero(e.amount.currency),
                    failure: None,
                };
            }
            Event::Settled(_) => state.stage = Stage::Settled,
            Event::Failed(e) => {
                state.stage = Stage::Failed;
                state.failure = Some(e.kind);
            }
            Event::Refunded(e) => state.refunded = state.refunded.plus(e.amount),
            Event::ChargedBack(e) => state.charged_back = state.charged_back.plus(e.amount),
        }
        if state.stage == Stage::Settled && state.left().is_zero() {
            state.stage = Stage::Returned;
        }
    }
}

fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Absent => "unknown",
        Stage::Pending => "pending",
        Stage::Settled => "settled",
        Stage::Failed => "failed",
        Stage::Returned => "given back in full",
    }
}

fn record(recorded: Recorded) -> Result<Vec<Event>, Rejection> {
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
    };
    let pending = recorded.pending;
    let mut events = vec![recorded.into()];
    if !pending {
        events.push(settled.into());
    }
    Ok(events)
}

fn given_back(state: &Payment, stage: Stage, amount: Option<Money>) -> Result<Money, Rejection> {
    if !matches!(stage, Stage::Settled | Stage::Returned) {
        return Err(Rejection::new(
            "PAYMENT_NOT_SETTLED",
            format!(
                "the payment is {}: no money came that could go back",
                words(stage)
            ),
        ));
    }
    let left = state.left();
    let amount = amount.unwrap_or(left);
    if amount.currency != left.currency {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "the payment is in {}, asked to give back {amount}",
                left.currency
            ),
        ));
    }
    if amount.minor > left.minor || left.is_zero() {
        return Err(Rejection::new(
            "REFUND_TOO_LARGE",
            format!("{left} of the payment is left, asked to give back {amount}"),
        ));
    }
    if !amount.is_positive() {
        return Err(Rejection::new(
            "AMOUNT_INVALID",
            format!("asked to give back {amount}, which is not above zero"),
        ));
    }
    Ok(amount)
}
