//! An entry with a line on every ledger account.

use super::{date, money};
use indelible_domain::Event;
use indelible_domain::journal::{Entry, Ledger, Line, Posted};

pub(super) fn events() -> Vec<Event> {
    let side = |(i, account)| match i % 2 {
        0 => Line::debit(account, money("1.19 EUR")),
        _ => Line::credit(account, money("1.19 EUR")),
    };
    // Those there were when the sample was stored: its bytes are frozen.
    let codes = [
        1000, 1200, 2100, 2150, 2200, 4000, 4100, 4200, 5100, 5200_u16,
    ];
    let accounts = codes.map(|code| Ledger::try_from(code).expect("an account"));
    let lines = accounts.into_iter().enumerate().map(side).collect();
    let entry = Entry::balanced(
        date("2026-02-01"),
        "alice",
        "invoice/run-2.alice".to_string(),
        "invoice NL-2026-000007".to_string(),
        lines,
    )
    .expect("a sample's entry balances");
    vec![Event::Journal(Posted { entry }.into())]
}
