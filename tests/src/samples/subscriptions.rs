//! The life of one contract.

use super::{date, decimal, parties};
use indelible_domain::Event;
use indelible_domain::subscriptions::{
    Changed, End, Paused, Restricted, Resumed, Started, Term, Terminated, Unused, UsageRule,
};

pub(super) fn events() -> Vec<Event> {
    vec![
        Event::Subscription(
            Started {
                account: "alice".to_string(),
                term: term("2026-01-15", Unused::CreditProrata),
                access: vec![
                    "9c56cc51b374c3ba189210d5b6d4bf57".to_string(),
                    "subscription:alice-mobile".to_string(),
                ],
            }
            .into(),
        ),
        Event::Subscription(
            Changed {
                term: term("2026-03-01", Unused::CreditFull),
            }
            .into(),
        ),
        Event::Subscription(
            Paused {
                reason: "dunning".to_string(),
                from: date("2026-04-10"),
            }
            .into(),
        ),
        Event::Subscription(
            Resumed {
                reason: "dunning".to_string(),
                on: date("2026-04-20"),
            }
            .into(),
        ),
        Event::Subscription(
            Restricted {
                reason: "dunning stopped".to_string(),
                from: date("2026-04-10"),
                billing_stops: false,
                usage: UsageRule::RefusedFor(vec!["calls".to_string()]),
            }
            .into(),
        ),
        Event::Subscription(
            Terminated {
                end: End {
                    on: date("2026-12-18"),
                    unused: Unused::None,
                },
            }
            .into(),
        ),
    ]
}

fn term(from: &str, unused: Unused) -> Term {
    Term {
        from: date(from),
        offer: parties::offer().into(),
        quantity: decimal("3"),
        billing_day: 31,
        unused,
    }
}
