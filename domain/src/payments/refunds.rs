//! Money that goes back to the payer.

use super::decide::{contradicted, words};
use super::{
    Answer, Back, BackStage, Event, Payment, RefundAccepted, RefundAsked, RefundFailed, RefundLost,
    RefundObserved, RefundSent, Refunded, Stage,
};
use crate::kernel::{Date, Money, Rejection};

/// Most returns of one payment.
const RETURNS_MAX: usize = 100;

/// By hand it is given back now; through a provider it is only asked for.
pub(super) fn ask(
    state: &Payment,
    amount: Option<Money>,
    reason: String,
    on: Date,
) -> Result<Event, Rejection> {
    let amount = given_back(state, state.left().minus(state.going_back()), amount)?;
    let account = state.account.clone();
    if state.route.is_none() || state.reference.is_none() {
        return Ok(Refunded {
            account,
            amount,
            reason,
            on,
            number: None,
            reference: None,
        }
        .into());
    }
    Ok(asked(state, amount, reason, on)?.into())
}

/// It is asked for and taken on at once: the next file for the bank has it.
pub(super) fn by_file(
    state: &Payment,
    amount: Option<Money>,
    reason: String,
    on: Date,
    reference: impl Fn(u32) -> String,
) -> Result<Vec<Event>, Rejection> {
    let amount = given_back(state, state.left().minus(state.going_back()), amount)?;
    let asked = asked(state, amount, reason, on)?;
    let accepted = RefundAccepted {
        account: asked.account.clone(),
        number: asked.number,
        reference: reference(asked.number),
        on,
    };
    Ok(vec![asked.into(), accepted.into()])
}

fn asked(
    state: &Payment,
    amount: Money,
    reason: String,
    on: Date,
) -> Result<RefundAsked, Rejection> {
    if state.returns.len() >= RETURNS_MAX {
        return Err(Rejection::new(
            "REFUNDS_TOO_MANY",
            format!("money of one payment is given back at most {RETURNS_MAX} times"),
        ));
    }
    let number = u32::try_from(state.returns.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    Ok(RefundAsked {
        account: state.account.clone(),
        number,
        amount,
        reason,
        on,
    })
}

fn known(state: &Payment, number: u32) -> Result<&Back, Rejection> {
    state.back(number).ok_or_else(|| {
        Rejection::new(
            "REFUND_UNKNOWN",
            format!("the payment has no return number {number}"),
        )
    })
}

pub(super) fn send(
    state: &Payment,
    number: u32,
    again: bool,
    on: Date,
) -> Result<Vec<Event>, Rejection> {
    let back = known(state, number)?;
    let due = match back.stage {
        BackStage::Asked => !again,
        BackStage::Sent | BackStage::Unknown => again,
        BackStage::Pending | BackStage::Done | BackStage::Failed => false,
    };
    if !due {
        return Ok(vec![]);
    }
    let (account, times) = (state.account.clone(), back.sent.saturating_add(1));
    Ok(vec![
        RefundSent {
            account,
            number,
            times,
            on,
        }
        .into(),
    ])
}

pub(super) fn answered(
    state: &Payment,
    number: u32,
    answer: Answer,
    on: Date,
) -> Result<Vec<Event>, Rejection> {
    let back = known(state, number)?;
    let account = state.account.clone();
    if !back.stage.is_open() {
        let settles = matches!(answer, Answer::Settled { .. });
        let what = match (
            back.stage,
            settles,
            matches!(answer, Answer::Declined { .. }),
        ) {
            (BackStage::Failed, true, _) => format!("return {number} was made after it had failed"),
            (BackStage::Done, _, true) => format!("return {number} failed after it was made"),
            _ => return Ok(vec![]),
        };
        return Ok(contradicted(state, what, on));
    }
    Ok(match answer {
        Answer::Settled { .. } if back.amount.minor > state.left().minor => contradicted(
            state,
            format!("return {number} was made of money that had been charged back"),
            on,
        ),
        Answer::Settled { reference } => vec![
            Refunded {
                account,
                amount: back.amount,
                reason: back.reason.clone(),
                on,
                number: Some(number),
                reference: Some(reference),
            }
            .into(),
        ],
        Answer::Declined { decline, .. } => vec![
            RefundFailed {
                account,
                number,
                code: decline.code,
                reason: decline.reason,
                on,
            }
            .into(),
        ],
        Answer::Pending { reference } | Answer::ActionRequired { reference, .. }
            if back.stage != BackStage::Pending =>
        {
            vec![
                RefundAccepted {
                    account,
                    number,
                    reference,
                    on,
                }
                .into(),
            ]
        }
        Answer::Unknown { why } if matches!(back.stage, BackStage::Asked | BackStage::Sent) => {
            vec![
                RefundLost {
                    account,
                    number,
                    why,
                    on,
                }
                .into(),
            ]
        }
        Answer::Pending { .. } | Answer::ActionRequired { .. } | Answer::Unknown { .. } => vec![],
    })
}

/// What a provider gave back by itself; counted once. More than there is, or of money that never came, cannot be.
pub(super) fn observed(
    state: &Payment,
    reference: String,
    amount: Money,
    reason: String,
    on: Date,
) -> Vec<Event> {
    let ours = |b: &Back| b.reference.as_deref() == Some(reference.as_str());
    if state.observed.contains(&reference) || state.returns.iter().any(ours) {
        return vec![];
    }
    let left = state.left();
    let settled = matches!(state.stage, Stage::Settled | Stage::Returned);
    let fits = amount.currency == left.currency && amount.is_positive();
    if !settled || !fits || amount.minor > left.minor {
        let what = format!("{amount} went back as {reference}, {left} of it is left");
        return contradicted(state, what, on);
    }
    vec![
        RefundObserved {
            account: state.account.clone(),
            reference,
            amount,
            reason,
            on,
        }
        .into(),
    ]
}

/// What may go back of `left`: all of it, or the amount that is asked for.
pub(super) fn given_back(
    state: &Payment,
    left: Money,
    amount: Option<Money>,
) -> Result<Money, Rejection> {
    if !matches!(state.stage, Stage::Settled | Stage::Returned) {
        return Err(Rejection::new(
            "PAYMENT_NOT_SETTLED",
            format!(
                "the payment is {}: no money came that could go back",
                words(state.stage)
            ),
        ));
    }
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
