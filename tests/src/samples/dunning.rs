//! A policy with every action, and the life of a case.

use super::{date, decimal, money};
use indelible_domain::Event;
use indelible_domain::command::{DunningAction, DunningLevel};
use indelible_domain::dunning::{
    self, Cleared, FeeCharged, LevelReached, Paused, Reminded, Reopened, Resumed, RetryAsked,
    Suspended, WroteOff, policy,
};

pub(super) fn events() -> Vec<Event> {
    let level = || "stopped".to_string();
    let on = || date("2026-03-17");
    let invoices = || vec!["run-2.alice".to_string()];
    let subscriptions = || vec!["alice-mobile".to_string()];
    let case: Vec<dunning::Event> = vec![
        LevelReached {
            episode: 2,
            level: level(),
            on: on(),
            oldest: "run-2.alice".to_string(),
            overdue: money("62.84 EUR"),
            actions: actions(),
        }
        .into(),
        Reminded {
            episode: 2,
            level: level(),
            on: on(),
            overdue: money("62.84 EUR"),
        }
        .into(),
        FeeCharged {
            episode: 2,
            level: level(),
            on: on(),
            charge: "dun.alice.2.1".to_string(),
            amount: money("5.00 EUR"),
        }
        .into(),
        Suspended {
            episode: 2,
            level: level(),
            on: on(),
            subscriptions: subscriptions(),
        }
        .into(),
        RetryAsked {
            episode: 2,
            level: level(),
            on: on(),
            invoices: invoices(),
        }
        .into(),
        WroteOff {
            episode: 2,
            level: level(),
            on: on(),
            invoices: invoices(),
            amount: money("62.84 EUR"),
        }
        .into(),
        Cleared {
            episode: 2,
            on: date("2026-03-20"),
            resumed: subscriptions(),
        }
        .into(),
        Reopened {
            on: date("2026-03-25"),
        }
        .into(),
        Paused {
            reason: "disputed".to_string(),
            on: date("2026-03-26"),
        }
        .into(),
        Resumed {
            on: date("2026-04-01"),
        }
        .into(),
    ];
    let policy = policy::Set {
        levels: vec![DunningLevel {
            name: level(),
            after_days: 30,
            minimum: Some(decimal("260")),
            actions: actions(),
        }],
    };
    let mut events = vec![Event::DunningPolicy(policy.into())];
    events.extend(case.into_iter().map(Event::Dunning));
    events
}

/// Every action, in the order of the enum.
fn actions() -> Vec<DunningAction> {
    vec![
        DunningAction::Remind,
        DunningAction::Fee(decimal("5")),
        DunningAction::Suspend,
        DunningAction::RetryPayment,
        DunningAction::WriteOff,
    ]
}
