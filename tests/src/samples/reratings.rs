//! Reratings.

use super::subscriptions::term;
use super::{days, decimal, money};
use indelible_domain::catalog::{Price, Text};
use indelible_domain::reratings::{
    Amend, Ask, Asked, Change, Completed, Difference, Done, Event as Rerating, Failed, Noted,
    PartAdded, Passed, Refused, Rerated, Restored, Settle, Settled, UndoAsked, Undone, Which,
};
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Event, Rejection};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn events() -> Vec<Event> {
    let asked = |change| {
        let of = days("2026-10-01", "2026-11-01");
        let ask = Ask {
            accounts: vec!["alice".to_string()],
            subscriptions: vec!["alice-mobile".to_string()],
            charges: vec!["voice".to_string()],
            from: of.from,
            until: of.until,
            change,
            reason: "the price list came late".to_string(),
            settle: Settle::NextInvoice,
        };
        Asked {
            ask: Text::new(ask),
            subscriptions: vec!["alice-mobile".to_string()],
        }
        .into()
    };
    let attributes = BTreeMap::from([("trunk".to_string(), "7".to_string())]);
    let amend = Amend {
        key: [1; 16],
        quantity: Some(decimal("60")),
        amount: Some(decimal("0.02")),
        attributes: Some(attributes.clone()),
    };
    let difference = || Difference {
        charge: "voice".to_string(),
        days: days("2026-10-01", "2026-11-01"),
        text: "Mobile M Voice".to_string(),
        quantity_before: "25 minute".to_string(),
        quantity_after: "15 minute".to_string(),
        before: money("1.25 EUR"),
        after: money("0.50 EUR"),
        billed_on: Some("run-1.alice".to_string()),
        explain: "15 minute in 2 records = 0.5".to_string(),
    };
    let failed = Failed {
        subscription: "bob-mobile".to_string(),
        reason: Rejection::new("RERATING_TOO_LARGE", "too many records"),
    };
    let events: Vec<Rerating> = vec![
        asked(Change::Again),
        asked(Change::Void(Which {
            keys: vec![[1; 16], [2; 16]],
            attributes,
        })),
        asked(Change::Correct(vec![amend])),
        asked(Change::Add {
            batch: super::usage::batch(),
        }),
        asked(Change::Price {
            charge: "voice".to_string(),
            price: Price::PerUnit(decimal("0.045")),
        }),
        asked(Change::Version {
            offer: "mobile-m".to_string(),
            version: 4,
        }),
        Rerated {
            done: Done {
                subscription: "alice-mobile".to_string(),
                payer: "alice".to_string(),
                meters: BTreeSet::from(["alice-mobile/voice/2026-10-01".to_string()]),
                terms: Some((
                    vec![term("2026-10-01", Unused::CreditProrata)],
                    vec![term("2026-10-01", Unused::None)],
                )),
            },
            records: 2,
            differences: vec![difference()],
        }
        .into(),
        Passed {
            subscriptions: vec!["carol-mobile".to_string()],
            records: 3,
        }
        .into(),
        Refused { failed }.into(),
        Settled {
            payer: "alice".to_string(),
            document: Some("rerate-7.alice".to_string()),
        }
        .into(),
        Completed {}.into(),
        UndoAsked {
            reason: "it was right before".to_string(),
        }
        .into(),
        Restored {
            subscription: "alice-mobile".to_string(),
            differences: vec![difference()],
        }
        .into(),
        Undone {}.into(),
        Noted {
            payer: "alice".to_string(),
            document: "fix-1.alice".to_string(),
        }
        .into(),
        PartAdded {
            batch: "late-7::1".to_string(),
            more: true,
        }
        .into(),
    ];
    events.into_iter().map(Event::Rerating).collect()
}
