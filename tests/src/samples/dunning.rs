//! A policy with every action, and the life of a case.

use super::{date, decimal, money};
use indelible_domain::Event;
use indelible_domain::command::{DunningAction, DunningLevel};
use indelible_domain::dunning::{
    self, Begun, Cleared, DayCount, Deferred, Excluded, FeeCharged, GivenUp, Grace, HandedOver,
    Held, HoldLifted, Included, InterestCarried, InterestCharged, InvoiceLost, LevelReached,
    Noticed, PartPayment, Paused, PausedUntil, PromiseBroken, PromiseKept, Promised, Recalled,
    Reminded, Reopened, Restored, Restricted, Resumed, RetryAsked, Rule, Span, SteppedBack,
    Stopped, Suspended, Switched, Terminated, Terms, Waived, When, Why, WroteOff, policy, rules,
};
use indelible_domain::methods::Kind;
use indelible_domain::subscriptions::UsageRule;

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
    let terms = policy::TermsSet {
        terms: Terms {
            part_payment: PartPayment::Keep,
            grace: Some(Grace {
                percent: decimal("50"),
                days: 10,
            }),
        },
    };
    let mut events = vec![
        Event::DunningPolicy(policy.into()),
        Event::DunningPolicy(terms.into()),
        Event::DunningRules(chosen_by().into()),
    ];
    let all = case.into_iter().chain(acts()).chain(by_hand());
    events.extend(all.map(Event::Dunning));
    events
}

fn chosen_by() -> rules::RulesSet {
    rules::RulesSet {
        rules: vec![Rule {
            name: "large".to_string(),
            policy: "strict".to_string(),
            when: When {
                entities: vec!["acme".to_string()],
                groups: vec!["business".to_string()],
                product_lines: vec!["mobile".to_string()],
                at_least: Some(decimal("100")),
                below: Some(decimal("5000")),
                methods: vec![Kind::Card, Kind::DirectDebit],
                no_method: false,
                countries: vec!["DE".to_string()],
                currencies: vec![money("1.00 EUR").currency],
            },
        }],
    }
}

/// What levels and payments bring about.
fn acts() -> Vec<dunning::Event> {
    let level = || "stopped".to_string();
    let on = || date("2026-03-17");
    let invoices = || vec!["run-2.alice".to_string()];
    let subscriptions = || vec!["alice-mobile".to_string()];
    let (episode, agency) = (2, || "Collect & Co".to_string());
    let span = || Span {
        invoice: "run-2.alice".to_string(),
        from: date("2026-03-01"),
        until: on(),
        principal: money("62.84 EUR"),
    };
    vec![
        Begun {
            episode,
            on: on(),
            policy: "strict".to_string(),
            why: Why::Rule("large".to_string()),
        }
        .into(),
        Noticed {
            episode,
            level: level(),
            on: on(),
            message: "dun.alice.2.1.m1".to_string(),
            template: "warning".to_string(),
        }
        .into(),
        InterestCharged {
            episode,
            level: level(),
            on: on(),
            charge: "dun.alice.2.1.2".to_string(),
            amount: money("0.25 EUR"),
            rate: decimal("9.12"),
            day_count: DayCount::Thirty360,
            capped: money("0.01 EUR"),
            spans: vec![span()],
        }
        .into(),
        InterestCarried {
            on: on(),
            spans: vec![span()],
            anew: invoices(),
        }
        .into(),
        Restricted {
            episode,
            level: level(),
            on: on(),
            subscriptions: subscriptions(),
            billing_stops: true,
            usage: UsageRule::RefusedFor(vec!["calls".to_string()]),
            reason: "dunning stopped".to_string(),
        }
        .into(),
        Held {
            episode,
            level: level(),
            on: on(),
        }
        .into(),
        HandedOver {
            episode,
            level: level(),
            on: on(),
            agency: agency(),
            invoices: invoices(),
            amount: money("62.84 EUR"),
        }
        .into(),
        Terminated {
            episode,
            level: level(),
            on: on(),
            subscriptions: subscriptions(),
        }
        .into(),
        SteppedBack {
            episode,
            on: on(),
            undone: vec![level()],
            to: "reminded".to_string(),
            resumed: subscriptions(),
        }
        .into(),
        Deferred {
            on: on(),
            paid: money("40.00 EUR"),
            until: date("2026-03-27"),
        }
        .into(),
        InvoiceLost {
            episode,
            on: on(),
            invoice: "run-2.alice".to_string(),
            amount: money("62.84 EUR"),
        }
        .into(),
        GivenUp {
            episode,
            on: on(),
            invoices: invoices(),
        }
        .into(),
    ]
}

/// What clerks do.
fn by_hand() -> Vec<dunning::Event> {
    let on = || date("2026-03-18");
    let reason = || "agreed by telephone".to_string();
    let invoice = || "run-2.alice".to_string();
    let resumed = || vec!["alice-mobile".to_string()];
    let until = || date("2026-04-01");
    vec![
        HoldLifted {
            on: on(),
            reason: reason(),
        }
        .into(),
        Recalled {
            on: on(),
            agency: "Collect & Co".to_string(),
            reason: reason(),
        }
        .into(),
        Waived {
            on: on(),
            charge: "dun.alice.2.1".to_string(),
            amount: money("5.00 EUR"),
            reason: reason(),
            note: Some("waive.dun.alice.2.1".to_string()),
        }
        .into(),
        PausedUntil {
            reason: reason(),
            on: on(),
            until: until(),
        }
        .into(),
        Promised {
            on: on(),
            until: until(),
            amount: money("40.00 EUR"),
            invoices: vec![invoice()],
            leaves: money("22.84 EUR"),
        }
        .into(),
        PromiseKept { on: on() }.into(),
        PromiseBroken {
            on: on(),
            promised: money("40.00 EUR"),
            missing: money("10.00 EUR"),
        }
        .into(),
        Excluded {
            on: on(),
            invoice: invoice(),
            reason: reason(),
        }
        .into(),
        Included {
            on: on(),
            invoice: invoice(),
        }
        .into(),
        Stopped {
            episode: 2,
            on: on(),
            reason: reason(),
            invoices: vec![invoice()],
            resumed: resumed(),
            restored: true,
        }
        .into(),
        Switched {
            on: on(),
            policy: "mild".to_string(),
            reason: reason(),
            done: vec!["reminded".to_string()],
        }
        .into(),
        Restored {
            on: on(),
            reason: reason(),
            resumed: resumed(),
        }
        .into(),
    ]
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
