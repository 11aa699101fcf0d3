//! What parties get of documents.

use super::{date, money};
use indelible_domain::Event;
use indelible_domain::journal::Ledger;
use indelible_domain::shares::{self, Owed, Part, TakenBack};

pub(super) fn events() -> Vec<Event> {
    let part = |party: &str, amount: &str, of: Ledger| Part {
        line: 1,
        charge: "fee".to_string(),
        party: party.to_string(),
        amount: money(amount),
        of,
    };
    let all: Vec<shares::Event> = vec![
        Owed {
            entity: "acme".to_string(),
            account: "alice".to_string(),
            on: date("2026-02-01"),
            parts: vec![
                part("label", "3.33 EUR", Ledger::Revenue(40_010)),
                part("artist", "-6.16 EUR", Ledger::UsageRevenue),
            ],
        }
        .into(),
        TakenBack {
            on: date("2026-02-03"),
        }
        .into(),
    ];
    all.into_iter().map(Event::Share).collect()
}
