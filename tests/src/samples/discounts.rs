//! Discounts, who has them, commitments, exemptions from tax, and charges that know of them.

use super::{date, decimal, money};
use indelible_domain::Event;
use indelible_domain::accounts::{self, TaxExempted, TaxExemptionEnded};
use indelible_domain::commitments::{self, Agreed, CommitmentAgreed, CommitmentEnded};
use indelible_domain::discounts::redemptions::{self, Ended, Granted, Returned, Taken};
use indelible_domain::discounts::{
    self, ChargeKind, Defined, DiscountTerms, Lasts, Off, Redeemed, Redemption, Scope, Used,
    Withdrawn,
};
use indelible_domain::taxes::Exemption;

pub(super) fn events() -> Vec<Event> {
    let offered: Vec<discounts::Event> = vec![
        Defined {
            terms: terms(Off::Fixed(money("5.00 EUR")), Lasts::Times(3)),
        }
        .into(),
        Withdrawn {
            reason: "the campaign is over".to_string(),
        }
        .into(),
        Redeemed {
            account: "alice".to_string(),
            redemption: "welcome-alice".to_string(),
        }
        .into(),
    ];
    let used = || {
        vec![Used {
            redemption: "welcome-alice".to_string(),
            amount: money("1.09 EUR"),
        }]
    };
    let had: Vec<redemptions::Event> = vec![
        Granted {
            redemption: Box::new(Redemption {
                id: "welcome-alice".to_string(),
                discount: "WELCOME".to_string(),
                terms: terms(
                    Off::Percent(decimal("0.2")),
                    Lasts::For("3 months".parse().expect("a span")),
                ),
                subscription: Some("alice-mobile".to_string()),
                from: date("2026-01-15"),
                until: Some(date("2026-04-15")),
                times: 0,
                taken: 0,
            }),
        }
        .into(),
        Ended {
            redemption: "welcome-alice".to_string(),
            on: date("2026-03-01"),
        }
        .into(),
        Taken {
            invoice: "inv-1".to_string(),
            used: used(),
        }
        .into(),
        Returned {
            invoice: "inv-1".to_string(),
            used: used(),
        }
        .into(),
    ];
    let committed: Vec<commitments::Event> = vec![
        CommitmentAgreed {
            agreed: Agreed {
                id: "frame-2026".to_string(),
                name: "Frame agreement".to_string(),
                min: Some(decimal("100000")),
                max: Some(decimal("250000.5")),
                every: "1 year".parse().expect("a span"),
                from: date("2026-01-01"),
                until: Some(date("2028-01-01")),
                offers: vec!["mobile-m".to_string()],
                tax_class: "standard".to_string(),
            },
        }
        .into(),
        CommitmentEnded {
            commitment: "frame-2026".to_string(),
            on: date("2027-07-01"),
        }
        .into(),
    ];
    let exempt: Vec<accounts::Event> = vec![
        TaxExempted {
            exemption: Exemption {
                class: Some("standard".to_string()),
                reason: "diplomatic mission".to_string(),
                from: date("2026-01-01"),
                until: Some(date("2027-01-01")),
            },
        }
        .into(),
        TaxExemptionEnded {
            class: Some("standard".to_string()),
            on: date("2026-06-01"),
        }
        .into(),
    ];
    let offered = offered.into_iter().map(Event::Discount);
    let had = had.into_iter().map(Event::Redemption);
    let committed = committed.into_iter().map(Event::Commitment);
    offered
        .chain(had)
        .chain(committed)
        .chain(exempt.into_iter().map(Event::Account))
        .collect()
}

fn terms(off: Off, lasts: Lasts) -> DiscountTerms {
    DiscountTerms {
        name: "Welcome".to_string(),
        off,
        scope: Scope {
            offers: vec!["mobile-m".to_string()],
            charges: vec!["base".to_string()],
            metrics: vec!["voice".to_string()],
            kinds: vec![ChargeKind::Recurring, ChargeKind::Usage],
        },
        lasts,
        redeem_from: Some(date("2026-01-01")),
        redeem_until: Some(date("2026-07-01")),
        limit: Some(500),
        limit_per_account: Some(1),
        sequence: 10,
        exclusive: true,
    }
}
