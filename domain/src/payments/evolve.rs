use super::{Back, BackStage, Event, Payment, Route, Stage};
use crate::kernel::Money;

/// Total: it never fails.
pub(super) fn evolve(state: &mut Payment, event: &Event) {
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
                ..Payment::default()
            };
        }
        Event::Routed(e) => {
            state.stage = Stage::Created;
            state.route = Some(Route {
                gateway: e.gateway.clone(),
                method: e.method.clone(),
                token: e.token.clone(),
                customer: e.customer.clone(),
                collection: e.collection.clone(),
                text: e.text.clone(),
                on: e.on,
            });
        }
        Event::Reduced(e) => state.amount = e.amount,
        Event::Sent(e) => {
            state.stage = Stage::Sent;
            state.sent = e.times;
        }
        Event::Accepted(e) => {
            state.stage = Stage::Pending;
            state.reference = Some(e.reference.clone());
            state.action = None;
        }
        Event::ActionAsked(e) => {
            state.stage = Stage::ActionRequired;
            state.reference = Some(e.reference.clone());
            state.action.clone_from(&e.url);
        }
        Event::AnswerLost(e) => {
            state.stage = Stage::Unknown;
            state.code = Some(e.why.clone());
        }
        Event::Contradicted(e) => state.contradictions.push(e.what.clone()),
        Event::Settled(e) => {
            state.stage = Stage::Settled;
            state.value = Some(e.value);
            state.failure = None;
            state.code = None;
            state.action = None;
            if e.reference.is_some() {
                state.reference.clone_from(&e.reference);
            }
        }
        Event::Failed(e) => {
            state.stage = Stage::Failed;
            state.failure = Some(e.kind);
            state.code.clone_from(&e.code);
            state.action = None;
            if e.reference.is_some() {
                state.reference.clone_from(&e.reference);
            }
        }
        Event::Refunded(e) => {
            state.refunded = state.refunded.plus(e.amount);
            if let Some(back) = e.number.and_then(|number| found(state, number)) {
                back.stage = BackStage::Done;
                back.reference.clone_from(&e.reference);
            }
        }
        Event::RefundObserved(e) => {
            state.refunded = state.refunded.plus(e.amount);
            state.observed.insert(e.reference.clone());
        }
        Event::Acknowledged(_) => {
            state.acknowledged = state.contradictions.len();
            for back in state.returns.iter_mut().filter(|b| b.failed_unseen()) {
                back.acknowledged = true;
            }
        }
        Event::ChargedBack(e) => state.charged_back = state.charged_back.plus(e.amount),
        Event::ChargeBackReversed(e) => {
            state.charged_back = state.charged_back.minus(e.amount);
            state.stage = Stage::Settled;
        }
        Event::RefundAsked(e) => state.returns.push(Back {
            number: e.number,
            amount: e.amount,
            reason: e.reason.clone(),
            stage: BackStage::Asked,
            reference: None,
            on: e.on,
            code: None,
            sent: 0,
            acknowledged: false,
        }),
        Event::RefundSent(e) => {
            if let Some(back) = found(state, e.number) {
                back.stage = BackStage::Sent;
                back.sent = e.times;
            }
        }
        Event::RefundAccepted(e) => {
            if let Some(back) = found(state, e.number) {
                back.stage = BackStage::Pending;
                back.reference = Some(e.reference.clone());
            }
        }
        Event::RefundLost(e) => {
            if let Some(back) = found(state, e.number) {
                back.stage = BackStage::Unknown;
                back.code = Some(e.why.clone());
            }
        }
        Event::RefundFailed(e) => {
            if let Some(back) = found(state, e.number) {
                back.stage = BackStage::Failed;
                back.code = Some(e.code.clone());
            }
        }
    }
    if state.stage == Stage::Settled && state.left().is_zero() {
        state.stage = Stage::Returned;
    }
}

fn found(state: &mut Payment, number: u32) -> Option<&mut Back> {
    state.returns.iter_mut().find(|b| b.number == number)
}
