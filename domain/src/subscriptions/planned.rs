//! What is planned for days ahead: how it is kept when something changes before it, and how it is taken back.
//!
//! A planned change says what is different from its day on. Something that changes earlier and that the plan says nothing
//! about goes on through it: more seats from today are more seats after the upgrade of next month too.

use super::{Changed, EndKind, Event, Subscription, Term, tenure};
use crate::catalog::{Commitment, Offer, OneOff, PriceRule, PriceSource, Recurring, Sold, Usage};
use crate::kernel::{Date, Rejection};
use serde::{Deserialize, Serialize};

/// Something that lies ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Plan {
    /// The term that begins on this day.
    Change { from: Date },
    /// The end, or the hand-over to another account.
    End,
    /// The pause for a reason.
    Pause { reason: String, from: Date },
    /// That a pause ends.
    Resume { reason: String, on: Date },
}

/// A plan is taken back before its day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undone {
    pub plan: Plan,
}

/// A term that follows others, when the one before it is `now` instead of `before`.
pub(super) fn carried(before: &Term, now: &Term, planned: &Term) -> Result<Term, Rejection> {
    let keep = |same: bool, planned, now| if same { now } else { planned };
    Ok(Term {
        from: planned.from,
        offer: offer(before, now, planned)?,
        quantity: keep(
            planned.quantity == before.quantity,
            planned.quantity,
            now.quantity,
        ),
        billing_day: match planned.billing_day == before.billing_day {
            true => now.billing_day,
            false => planned.billing_day,
        },
        unused: planned.unused,
    })
}

fn offer(before: &Term, now: &Term, planned: &Term) -> Result<Sold, Rejection> {
    let version = |t: &Term| (t.offer.code.clone(), t.offer.version);
    if planned.offer == before.offer {
        return Ok(now.offer.clone());
    }
    // Another offer is planned as a whole: what is in it was said with the plan.
    if now.offer == before.offer || version(planned) != version(before) {
        return Ok(planned.offer.clone());
    }
    if version(now) != version(before) {
        // Nobody planned what only a contract's first or last day made; its prices are laid over the new offer too.
        if repriced(&before.offer, &planned.offer) {
            return Ok(now.offer.clone());
        }
        return Err(Rejection::new(
            "PLAN_IN_THE_WAY",
            format!(
                "a change of options or prices of offer {} is planned for {} and does not fit offer {}: undo it first",
                before.offer.code, planned.from, now.offer.code
            ),
        ));
    }
    let (b, n, p) = (&before.offer, &now.offer, &planned.offer);
    Ok(Sold::new(Offer {
        one_off: merged(&b.one_off, &n.one_off, &p.one_off),
        recurring: merged(&b.recurring, &n.recurring, &p.recurring),
        usage: merged(&b.usage, &n.usage, &p.usage),
        commitments: merged(&b.commitments, &n.commitments, &p.commitments),
        chosen: merged(&b.chosen, &n.chosen, &p.chosen),
        contract: match p.contract == b.contract {
            true => n.contract.clone(),
            false => p.contract.clone(),
        },
        trial: match p.trial == b.trial {
            true => n.trial,
            false => p.trial,
        },
        ..Offer::clone(p)
    }))
}

/// Whether two terms of one offer differ in nothing but prices that contracts make.
fn repriced(before: &Offer, planned: &Offer) -> bool {
    before.chosen == planned.chosen
        && before.commitments == planned.commitments
        && only_prices(&before.one_off, &planned.one_off)
        && only_prices(&before.recurring, &planned.recurring)
        && only_prices(&before.usage, &planned.usage)
}

fn only_prices<T: Coded>(before: &[T], planned: &[T]) -> bool {
    // The rest of one version of an offer is the same; an override is somebody's plan.
    let own = |t: &T| {
        t.source()
            .is_some_and(|source| source.rule == PriceRule::Override)
    };
    before.len() == planned.len()
        && before
            .iter()
            .zip(planned)
            .all(|(b, p)| b == p || (b.code() == p.code() && !own(b) && !own(p)))
}

/// Something of an offer that has a code.
trait Coded: Clone + PartialEq {
    fn code(&self) -> &str;

    /// Where its price comes from, if that is remembered.
    fn source(&self) -> Option<&PriceSource> {
        None
    }
}

macro_rules! coded {
    ($($of:ty, $field:ident $(, $source:ident)?;)+) => { $(
        impl Coded for $of {
            fn code(&self) -> &str {
                &self.$field
            }
            $(
                fn source(&self) -> Option<&PriceSource> {
                    self.$source.as_ref()
                }
            )?
        }
    )+ };
}

coded! {
    OneOff, code, source;
    Recurring, code, source;
    Usage, code, source;
    Commitment, code;
    crate::catalog::Chosen, option;
}

/// What of `planned` is not as it was `before` stays as planned; the rest is as `now`.
fn merged<T: Coded>(before: &[T], now: &[T], planned: &[T]) -> Vec<T> {
    let find = |of: &[T], code: &str| of.iter().find(|t| t.code() == code).cloned();
    let mut codes: Vec<&str> = now.iter().map(Coded::code).collect();
    let more = planned.iter().map(Coded::code);
    codes.extend(more.filter(|c| now.iter().all(|t| t.code() != *c)));
    codes
        .into_iter()
        .filter_map(|code| {
            let (b, n, p) = (find(before, code), find(now, code), find(planned, code));
            if p == b { n } else { p }
        })
        .collect()
}

/// Terms that are laid from a day on: `term`, and what was planned after it.
pub(super) fn with_later(
    state: &Subscription,
    before: &Term,
    term: Term,
) -> Result<Vec<Term>, Rejection> {
    let from = term.from;
    after(state, from, before.clone(), term)
}

/// `term`, and every term that begins after `from`, each carried over the one before it.
fn after(
    state: &Subscription,
    from: Date,
    mut before: Term,
    term: Term,
) -> Result<Vec<Term>, Rejection> {
    let mut laid = vec![term];
    for planned in state.terms.iter().filter(|t| t.from > from) {
        if let Some(now) = laid.last() {
            let next = carried(&before, now, planned)?;
            before = planned.clone();
            laid.push(next);
        }
    }
    Ok(laid)
}

/// Takes a plan back, if its day has not come.
pub(super) fn undo(state: &Subscription, plan: Plan, today: Date) -> Result<Vec<Event>, Rejection> {
    if state.terms.is_empty() {
        return Err(super::decide::unknown());
    }
    let day = match &plan {
        Plan::Change { from } => {
            let later = state.terms.iter().skip(1);
            later.map(|t| t.from).find(|day| day == from)
        }
        Plan::End => {
            let end = state.end.as_ref();
            end.filter(|e| e.kind != EndKind::Cancelled).map(|e| e.on)
        }
        Plan::Pause { reason, from } => {
            let planned = state.pauses.iter();
            planned
                .filter(|p| p.reason == *reason && p.from == *from)
                .map(|p| p.from)
                .next()
        }
        Plan::Resume { reason, on } => {
            let planned = state.pauses.iter();
            planned
                .filter(|p| p.reason == *reason && p.until == Some(*on))
                .find_map(|p| p.until)
        }
    };
    let Some(day) = day else {
        return Err(Rejection::new(
            "NOT_PLANNED",
            format!("no such thing is planned: {}", said(&plan)),
        ));
    };
    if day <= today {
        return Err(Rejection::new(
            "PLAN_IN_FORCE",
            format!(
                "{} is in force since {day} and cannot be undone on {today}",
                said(&plan)
            ),
        ));
    }
    let mut events = Vec::new();
    if let Plan::Change { from } = &plan {
        events = removed(state, *from)?;
    }
    if let (Plan::End, Some(end)) = (&plan, &state.end) {
        events = tenure::end_again(state, end);
    }
    events.insert(0, Undone { plan }.into());
    Ok(events)
}

/// What follows the term that begins on `from`, without it.
fn removed(state: &Subscription, from: Date) -> Result<Vec<Event>, Rejection> {
    let mut terms = state.terms.iter();
    let before = state.terms.iter().rev().find(|t| t.from < from);
    let (Some(gone), Some(before)) = (terms.find(|t| t.from == from), before) else {
        return Ok(vec![]);
    };
    let laid = after(state, from, gone.clone(), before.clone())?;
    let later = laid.into_iter().skip(1);
    Ok(later.map(|term| Changed { term }.into()).collect())
}

fn said(plan: &Plan) -> String {
    match plan {
        Plan::Change { from } => format!("a change on {from}"),
        Plan::End => "an end".to_string(),
        Plan::Pause { reason, from } => format!("a pause for {reason:?} from {from}"),
        Plan::Resume { reason, on } => format!("the end of the pause for {reason:?} on {on}"),
    }
}
