//! What happens to a contract, as somebody tells it: on its day, ahead of it, or planned and taken back before its day.

use crate::Dice;
use crate::calendar::{Day, between, later};
use crate::plans::{History, Term};
use indelible_domain::Command;
use indelible_domain::command::{ChangeSubscription, Effective};
use indelible_domain::subscriptions::{Plan, Unused};
use std::collections::BTreeMap;

/// The day on which something is told, and what.
pub type Told = Vec<(Day, Command)>;

fn change(history: &History, term: &Term) -> Command {
    Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: "s".into(),
        offer: Some(history.plans[term.plan].code.into()),
        quantity: Some(term.quantity.into()),
        billing_day: None,
        overrides: BTreeMap::new(),
        effective: Effective::On(term.from),
        unused: Unused::CreditProrata,
    }))
}

fn end(on: Day) -> Command {
    Command::TerminateSubscription {
        subscription: "s".into(),
        effective: Effective::On(on),
        unused: Unused::CreditProrata,
    }
}

/// Everything on its day: what ends before what begins.
pub fn on_its_day(history: &History) -> Told {
    let mut all: Vec<(Day, u8, Command)> = Vec::new();
    for (from, until) in &history.pauses {
        let pause = Command::PauseSubscription {
            subscription: "s".into(),
            reason: "asked".into(),
            from: Some(*from),
        };
        let resume = Command::ResumeSubscription {
            subscription: "s".into(),
            reason: "asked".into(),
            on: Some(*until),
        };
        all.extend([(*from, 2, pause), (*until, 0, resume)]);
    }
    let changes = history.terms[1..].iter();
    all.extend(changes.map(|term| (term.from, 1, change(history, term))));
    all.push((history.end, 3, end(history.end)));
    all.sort_by_key(|(on, turn, _)| (*on, *turn));
    all.into_iter().map(|(on, _, what)| (on, what)).collect()
}

/// The same told up to forty days ahead, one after the other as it happens, and between them plans that are taken back
/// before their day.
pub fn ahead(history: &History, dice: &mut Dice) -> Told {
    let mut told = Told::new();
    let (mut now, mut known) = (history.terms[0].from, history.terms[0].from);
    for (on, what) in on_its_day(history) {
        let says = later(on, -dice.roll(40)).max(now);
        if between(now, says) > 1 && dice.once_in(2) {
            let planned = later(now, dice.roll(between(now, says)));
            let back = later(planned, dice.within(1, between(planned, says)));
            let day = later(back.max(known), dice.within(1, 40));
            let term = Term {
                from: day,
                plan: usize::from(dice.once_in(2)),
                quantity: dice.within(10, 15),
            };
            let (ask, plan) = match dice.once_in(3) {
                true => (end(day), Plan::End),
                false => (change(history, &term), Plan::Change { from: day }),
            };
            told.push((planned, ask));
            let undo = Command::UndoPlan {
                subscription: "s".into(),
                plan,
            };
            told.push((back, undo));
        }
        (now, known) = (says, on.max(known));
        told.push((says, what));
    }
    told
}
