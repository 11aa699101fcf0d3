//! What may be used, and what was.

use super::{currency, days, decimal, ratio};
use indelible_domain::Event;
use indelible_domain::catalog::{
    Beyond, CounterRule, OfOption, Owner, Reset, Rollover, Text, Threshold,
};
use indelible_domain::counters::{
    self, Crossed, Drawn, Granted, Resized, Rolled, Share, Taken, Terms,
};

fn eighty() -> Threshold {
    Threshold {
        value: decimal("80"),
        percent: true,
    }
}

fn rule() -> CounterRule {
    CounterRule {
        code: "minutes".to_string(),
        name: "Minutes of all".to_string(),
        unit: Some("minute".to_string()),
        size: decimal("100"),
        owner: Owner::Account,
        reset: Reset::Month,
        prorate: true,
        fixed: true,
        by_quantity: true,
        rollover: Some(Rollover {
            max: Some(decimal("50")),
            periods: 2,
        }),
        thresholds: vec![
            eighty(),
            Threshold {
                value: decimal("95.5"),
                percent: false,
            },
        ],
        message: None,
        charges: vec!["voice".to_string()],
        metrics: vec!["voice".to_string()],
        filter: [("direction".to_string(), "mo".to_string())].into(),
        priority: Some(1),
        price: Some(decimal("0.01")),
        beyond: Beyond::Refuse,
        of: Some(OfOption {
            option: "family".to_string(),
            quantity: decimal("2"),
            from: days("2026-10-01", "2026-11-01").from,
            trial: None,
        }),
    }
}

fn share(subscription: &str) -> Share {
    Share {
        subscription: subscription.to_string(),
        amount: ratio(3100, 31),
    }
}

pub(super) fn events() -> Vec<Event> {
    let october = days("2026-10-01", "2026-11-01");
    let events: Vec<counters::Event> = vec![
        Granted {
            terms: Terms {
                owner: Owner::Account,
                of: "alice".to_string(),
                rule: Text::new(rule()),
                currency: Some(currency("EUR")),
                days: october,
            },
            brought: vec![share("alice-mobile"), share("bob-mobile")],
            size: ratio(200, 1),
            engine: "rating-1".into(),
            tzdb: "bundled-2026e".into(),
        }
        .into(),
        Resized {
            brought: vec![share("carol-mobile")],
            size: ratio(1000, 3),
        }
        .into(),
        Drawn {
            batch: "calls-2026-10-01".into(),
            source: "switch-1".into(),
            taken: vec![Taken {
                meter: "alice-mobile/voice/2026-10-01".to_string(),
                amount: ratio(61, 60),
            }],
            used: ratio(161, 1),
            later: ratio(1, 2),
        }
        .into(),
        Crossed {
            threshold: eighty(),
            level: ratio(160, 1),
            used: ratio(161, 1),
            size: ratio(200, 1),
            on: october.from,
            meter: Some("alice-mobile/voice/2026-10-01".to_string()),
        }
        .into(),
        Rolled {
            into: october.until,
            amount: ratio(39, 1),
            lapsed: ratio(1, 3),
            later_max: ratio(79, 2),
        }
        .into(),
    ];
    events.into_iter().map(Event::Counter).collect()
}
