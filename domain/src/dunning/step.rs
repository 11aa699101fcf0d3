//! A level that is reached, as the events it makes.

use super::actions::DayCount;
use super::case::Case;
use super::events::{
    Begun, Event, FeeCharged, HandedOver, Held, InterestCharged, LevelReached, Noticed, Reminded,
    Restricted, RetryAsked, Span, Suspended, Terminated, WroteOff,
};
use super::rules::Choice;
use crate::command::DunningAction;
use crate::kernel::{Date, Decimal, Id, Money};
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

/// The level, then one event per action that has something to act on.
pub(super) fn reach(state: &Case, step: Step) -> Vec<Event> {
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
