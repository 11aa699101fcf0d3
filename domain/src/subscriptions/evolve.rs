//! How facts change a subscription. Total: whatever the log holds is taken as it is.

use super::ending::{EndKind, Ending, WAS_TERMINATED};
use super::planned::Plan;
use super::tenure::{AtEnd, Tenure};
use super::{Activated, Event, Pause, Reactivated, Resumed, Subscription, Term, UsageRule};
use crate::catalog::{Offer, Sold};
use crate::kernel::Date;

pub(super) fn evolve(state: &mut Subscription, event: &Event) {
    match event {
        Event::Started(e) => {
            state.account = e.account.clone();
            state.terms = vec![e.term.clone()];
            state.access = e.access.clone();
        }
        Event::Changed(e) => {
            state.terms.retain(|t| t.from < e.term.from);
            state.terms.push(e.term.clone());
        }
        Event::Paused(e) => state.pauses.push(pause(&e.reason, e.from)),
        Event::Restricted(e) => state.pauses.push(Pause {
            billing_stops: e.billing_stops,
            usage: e.usage.clone(),
            ..pause(&e.reason, e.from)
        }),
        Event::Resumed(e) => resume(state, e),
        Event::Terminated(e) => state.end = Some(e.end.clone().into()),
        Event::Ended(e) => state.end = Some(e.ending.clone()),
        Event::Reactivated(e) => reactivate(state, e),
        Event::Undone(e) => undo(state, &e.plan),
        Event::ActivationAwaited(e) => (state.awaits, state.day_chosen) = (true, e.day_chosen),
        Event::Activated(e) => activate(state, e),
        Event::TakenOver(e) => state.since = Some(e.since),
        Event::TenureAgreed(e) => state.tenure = Some(Tenure::new(e.from, e.terms)),
        Event::TenureEnding(e) => change(state, |tenure| tenure.told = Some(e.until)),
        Event::Renewed(e) => change(state, |tenure| tenure.renewals = e.renewals),
        Event::TenureOver(_) => change(state, |tenure| tenure.over = true),
    }
}

fn pause(reason: &str, from: Date) -> Pause {
    Pause {
        reason: reason.to_string(),
        from,
        until: None,
        billing_stops: true,
        usage: UsageRule::Refused,
    }
}

fn resume(state: &mut Subscription, fact: &Resumed) {
    let open = |p: &&mut Pause| p.reason == fact.reason && p.until.is_none();
    for pause in state.pauses.iter_mut().filter(open) {
        pause.until = Some(fact.on.max(pause.from));
    }
    state.pauses.retain(|p| p.until != Some(p.from));
}

fn change(state: &mut Subscription, set: impl FnOnce(&mut Tenure)) {
    if let Some(tenure) = &mut state.tenure {
        set(tenure);
    }
}

/// What is ended no more does not end with its tenure either.
fn run_on(state: &mut Subscription) -> Option<Ending> {
    change(state, |tenure| {
        if tenure.terms.at_end == AtEnd::Terminate {
            tenure.terms.at_end = AtEnd::GoOn;
        }
    });
    state.end.take()
}

fn reactivate(state: &mut Subscription, fact: &Reactivated) {
    let Some(end) = run_on(state) else {
        return;
    };
    if end.on < fact.on && end.kind == EndKind::Terminated {
        state.pauses.push(Pause {
            until: Some(fact.on),
            ..pause(WAS_TERMINATED, end.on)
        });
    }
}

fn undo(state: &mut Subscription, plan: &Plan) {
    match plan {
        Plan::Change { from } => state.terms.retain(|t| t.from != *from),
        Plan::End => {
            run_on(state);
        }
        Plan::Pause { reason, from } => {
            let planned = |p: &Pause| p.reason == *reason && p.from == *from;
            state.pauses.retain(|p| !planned(p));
        }
        Plan::Resume { reason, on } => {
            let planned = |p: &&mut Pause| p.reason == *reason && p.until == Some(*on);
            for pause in state.pauses.iter_mut().filter(planned) {
                pause.until = None;
            }
        }
    }
}

/// The offer, with the options that were to begin with it beginning on the day.
fn handed_out(term: &Term, on: Date) -> Offer {
    let mut offer = Offer::clone(&term.offer);
    let chosen = offer.chosen.iter_mut().map(|c| &mut c.from);
    let one_off = offer.one_off.iter_mut().filter_map(|c| c.of.as_mut());
    let recurring = offer.recurring.iter_mut().filter_map(|c| c.of.as_mut());
    let usage = offer.usage.iter_mut().filter_map(|c| c.of.as_mut());
    let of = one_off.chain(recurring).chain(usage).map(|of| &mut of.from);
    for from in chosen.chain(of).filter(|from| **from == term.from) {
        *from = on;
    }
    offer
}

/// The subscription begins on the day it is handed out, as it was last agreed.
fn activate(state: &mut Subscription, fact: &Activated) {
    (state.awaits, state.day_chosen) = (false, false);
    let Some(mut term) = state.terms.pop() else {
        return;
    };
    if !term.offer.chosen.is_empty() {
        term.offer = Sold::new(handed_out(&term, fact.on));
    }
    term.from = fact.on;
    term.billing_day = fact.billing_day;
    state.terms = vec![term];
    change(state, |tenure| tenure.from = fact.on);
}
