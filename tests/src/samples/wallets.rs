//! Wallets: what is put in, burnt, held and given back.

use super::usage::batch;
use super::{currency, date, decimal, instant, money, ratio};
use indelible_domain::Event;
use indelible_domain::kernel::Span;
use indelible_domain::wallets::{
    self, Ask, AskDropped, Asked, Burn, Burnt, Emptied, Expired, Funding, Grant, Held, Opened,
    Origin, Paid, RanLow, Released, Repaid, Restored, Returned, Revoked, Rollover, Rule, Size,
    Targets, TaxPart, Taxed, Terms, TermsSet, ToppedUp, Unit, Voided, When,
};

pub(super) fn events() -> Vec<Event> {
    let events: Vec<wallets::Event> = vec![
        Opened {
            account: "alice".to_string(),
            currency: currency("EUR"),
            priority: 2,
        }
        .into(),
        ToppedUp {
            grant: Grant {
                id: "top-up-1".to_string(),
                amount: money("50.00 EUR"),
                remaining: ratio(50, 1),
                expires: Some(date("2027-10-01")),
                at: instant("2026-10-01T00:00:00Z"),
                priority: 0,
                origin: Origin::Rollover {
                    from: "top-up-0".to_string(),
                    kept: money("40.00 EUR"),
                },
                rollover: Some(rollover()),
                rule: Some("monthly".to_string()),
                repaid: ratio(1, 2),
            },
        }
        .into(),
        Burnt {
            batch: batch(),
            parts: vec![("top-up-1".to_string(), ratio(1, 20))],
            amount: ratio(1, 20),
            posted: money("0.05 EUR"),
        }
        .into(),
        Emptied {
            on: date("2026-10-31"),
        }
        .into(),
        Held {
            by: "gy-1/voice".to_string(),
            parts: vec![("top-up-1".to_string(), ratio(3, 1))],
            until: instant("2026-10-10T10:01:00Z"),
        }
        .into(),
        Released {
            by: "gy-1/voice".to_string(),
        }
        .into(),
        TermsSet { terms: terms() }.into(),
        Repaid {
            grant: "top-up-1".to_string(),
            amount: ratio(7, 3),
        }
        .into(),
        Paid {
            invoice: "run-2.alice".to_string(),
            parts: vec![("top-up-1".to_string(), ratio(119, 100))],
            amount: money("1.19 EUR"),
        }
        .into(),
        Returned {
            invoice: "run-2.alice".to_string(),
            amount: money("1.19 EUR"),
        }
        .into(),
        Expired {
            grant: "top-up-1".to_string(),
            on: date("2027-10-01"),
            amount: ratio(10, 3),
            posted: money("3.33 EUR"),
        }
        .into(),
        Voided {
            parts: vec![("top-up-1".to_string(), ratio(1428444, 100000))],
            amount: ratio(1428444, 100000),
            posted: money("14.28 EUR"),
            reason: "given by mistake".to_string(),
        }
        .into(),
        RanLow {
            on: date("2026-10-30"),
            balance: ratio(9, 2),
        }
        .into(),
        Asked { ask: ask() }.into(),
        AskDropped {
            grant: "refill-2".to_string(),
            reason: "its invoice is void".to_string(),
        }
        .into(),
        Revoked {
            grant: "refill-1".to_string(),
            invoice: "wallet-1.refill-1".to_string(),
            parts: vec![
                ("refill-1".to_string(), ratio(7, 2)),
                ("overdraft".to_string(), ratio(3, 2)),
            ],
            amount: money("5.00 EUR"),
        }
        .into(),
        Restored {
            grant: "refill-1".to_string(),
            invoice: "wallet-1.refill-1".to_string(),
            parts: vec![("refill-1".to_string(), ratio(7, 2))],
            amount: money("3.50 EUR"),
        }
        .into(),
        Taxed {
            batch: batch(),
            parts: vec![TaxPart {
                meter: "line-1/calls/2026-10-01".to_string(),
                grant: "top-up-1".to_string(),
                net: ratio(1, 20),
                tax: ratio(19, 2000),
            }],
            posted: money("0.01 EUR"),
        }
        .into(),
    ];
    events.into_iter().map(Event::Wallet).collect()
}

fn rollover() -> Rollover {
    Rollover {
        max: Some(decimal("50")),
        min: Some(decimal("0")),
        lasts: Some(Span::months(1)),
    }
}

fn terms() -> Terms {
    let rule = |code: &str, when, size, funding| Rule {
        code: code.to_string(),
        when,
        size,
        least: Some(decimal("5")),
        most: Some(decimal("500")),
        times: Some(12),
        until: Some(date("2028-01-01")),
        funding,
        priority: 1,
        lasts: Some(Span::days(30)),
        rollover: Some(rollover()),
    };
    let every = When::Every {
        every: Span::months(1),
        from: date("2026-11-01"),
    };
    let below = When::Below(decimal("5"));
    let set = |name: &str| [name.to_string()].into();
    Terms {
        unit: Some(Unit {
            name: "credit".to_string(),
            rate: decimal("0.1"),
        }),
        priority: 2,
        targets: Targets {
            offers: set("mobile"),
            charges: set("calls"),
            metrics: set("voice"),
        },
        burn: Burn::Finalising,
        credit_limit: decimal("20"),
        reject_level: Some(decimal("-10")),
        low_level: Some(decimal("4.5")),
        rules: vec![
            rule("monthly", every, Size::Fixed(decimal("100")), Funding::Free),
            rule(
                "refill",
                below,
                Size::Target(decimal("50")),
                Funding::Invoice,
            ),
        ],
    }
}

fn ask() -> Ask {
    Ask {
        grant: "refill-2".to_string(),
        invoice: "alice.w.refill-2".to_string(),
        amount: money("50.00 EUR"),
        on: date("2026-10-30"),
        expires: None,
        lasts: Some(Span::months(1)),
        priority: 1,
        rollover: Some(rollover()),
        rule: Some("refill".to_string()),
    }
}
