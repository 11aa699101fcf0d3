//! The life of one contract.

use super::{date, decimal, parties};
use indelible_domain::Event;
use indelible_domain::subscriptions::{
    Activated, ActivationAwaited, AtEnd, Changed, End, EndKind, Ended, Ending, Paused, Plan,
    Reactivated, Renewed, Restricted, Resumed, Started, TakenOver, TenureAgreed, TenureEnding,
    TenureOver, TenureTerms, Term, Terminated, Undone, Unused, UsageRule,
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
        Event::Subscription(
            Ended {
                ending: Ending {
                    charged_until: date("2027-01-15"),
                    at_once: true,
                    fees: false,
                    reason: "moved away".to_string(),
                    kind: EndKind::HandedOver {
                        to: "bob-mobile".to_string(),
                    },
                    ..Ending::on(date("2026-06-01"), Unused::CreditFull)
                },
            }
            .into(),
        ),
        Event::Subscription(
            Reactivated {
                on: date("2026-06-10"),
            }
            .into(),
        ),
        Event::Subscription(
            Undone {
                plan: Plan::Resume {
                    reason: "holiday".to_string(),
                    on: date("2026-07-08"),
                },
            }
            .into(),
        ),
        Event::Subscription(ActivationAwaited { day_chosen: true }.into()),
        Event::Subscription(
            Activated {
                on: date("2026-02-03"),
                billing_day: 31,
            }
            .into(),
        ),
        Event::Subscription(
            TakenOver {
                subscription: "alice-mobile".to_string(),
                since: date("2026-06-01"),
            }
            .into(),
        ),
        Event::Subscription(
            TenureAgreed {
                from: date("2026-01-15"),
                terms: TenureTerms {
                    lasts: "24 months".parse().expect("a span"),
                    renews: Some("1 month".parse().expect("a span")),
                    notice: Some("30 days".parse().expect("a span")),
                    at_end: AtEnd::Renew,
                },
            }
            .into(),
        ),
        Event::Subscription(
            TenureEnding {
                until: date("2028-01-15"),
            }
            .into(),
        ),
        Event::Subscription(
            Renewed {
                renewals: 1,
                from: date("2028-01-15"),
                until: date("2028-02-15"),
            }
            .into(),
        ),
        Event::Subscription(
            TenureOver {
                on: date("2028-02-15"),
            }
            .into(),
        ),
    ]
}

pub(super) fn term(from: &str, unused: Unused) -> Term {
    Term {
        from: date(from),
        offer: parties::offer().into(),
        quantity: decimal("3"),
        billing_day: 31,
        unused,
    }
}
