//! Accounts at banks, their statements and entries, and files for them.

use indelible_domain::Event;
use indelible_domain::bank::account::{self, Announced, Balanced, Changed, Expected, FeesRuled};
use indelible_domain::bank::entry::{self, Booked, Fate, FeeTaken, Followed, Part, Returned};
use indelible_domain::bank::file::{
    self, Amended, Amendment, Drawn, Item, Order, Reported, Sequence, Status, Verdict, Withdrawn,
};
use indelible_domain::bank::statement::{self, Balances, Counts, Kind};
use indelible_domain::bank::{Balance, FeeRule, Gap, Taken, Terms};
use indelible_domain::journal::Ledger;
use indelible_domain::kernel::Personal;
use indelible_domain::methods::{Scheme, SealedBank};
use std::collections::BTreeMap;

use super::{currency, date, instant, money};

pub(super) fn events() -> Vec<Event> {
    [accounts(), statements(), entries(), files()].concat()
}

fn terms() -> Terms {
    Terms {
        entity: "acme".to_string(),
        currency: currency("EUR"),
        holder: "ACME GmbH".to_string(),
        iban: "DE89370400440532013000".to_string(),
        bic: Some("COBADEFFXXX".to_string()),
        known_as: vec!["37040044/532013000".to_string()],
        creditor_id: Some("DE98ZZZ09999999999".to_string()),
        lead_days: 2,
    }
}

fn accounts() -> Vec<Event> {
    let events: Vec<account::Event> = vec![
        account::Opened { terms: terms() }.into(),
        Changed {
            terms: Terms {
                bic: None,
                creditor_id: None,
                ..terms()
            },
        }
        .into(),
        Balanced {
            statement: "main:s:0011".to_string(),
            closing: money("1206.50 EUR"),
            on: date("2026-11-20"),
        }
        .into(),
        Announced {
            statement: "main:i:0011".to_string(),
            entries: vec![Expected {
                key: [8; 16],
                referenced: true,
                amount: money("5.00 EUR"),
                pending: true,
                on: date("2026-11-20"),
                code: "PMNT-RCDT-ESCT".to_string(),
                end_to_end: Some("payment-1".to_string()),
            }],
        }
        .into(),
        FeesRuled {
            rule: FeeRule {
                codes: vec!["PMNT-MDOP-CHRG".to_string()],
                ledger: Ledger::BankFees,
                recharge: Some("standard".to_string()),
            },
        }
        .into(),
    ];
    events.into_iter().map(Event::BankAccount).collect()
}

fn statements() -> Vec<Event> {
    let balance = |amount, on| Balance {
        amount: money(amount),
        on: date(on),
    };
    let events: Vec<statement::Event> = vec![
        statement::Opened {
            bank: "main".to_string(),
            kind: Kind::Notification,
            name: "STMT-2026-224".to_string(),
            digest: [7; 16],
            balances: Box::new(Balances {
                opening: Some(balance("1000.00 EUR", "2026-11-19")),
                closing: Some(balance("1206.50 EUR", "2026-11-20")),
                gap: Some(Gap {
                    expected: money("900.00 EUR"),
                    found: money("1000.00 EUR"),
                }),
            }),
            parts: 2,
        }
        .into(),
        Taken {
            part: 2,
            counts: Counts {
                received: 6,
                new: 3,
                known: 2,
                left: 1,
            },
        }
        .into(),
    ];
    events.into_iter().map(Event::BankStatement).collect()
}

/// One part with every field, one with none.
fn entries() -> Vec<Event> {
    let part = Part {
        amount: money("-62.50 EUR"),
        batch: Some("debit-7-1".to_string()),
        end_to_end: Some("payment-1".to_string()),
        returned: Some(Returned {
            code: "AM04".to_string(),
            reason: "insufficient funds".to_string(),
            retry: true,
        }),
        said: Some(Personal::sealed("key-9".to_string(), [3; 24], vec![1, 2])),
    };
    let bare = Part {
        amount: money("2.50 EUR"),
        ..Part::default()
    };
    let events: Vec<entry::Event> = vec![
        Booked {
            bank: "main".to_string(),
            statement: "main:s:0011".to_string(),
            key: [9; 16],
            amount: money("-60.00 EUR"),
            reversal: true,
            booked: date("2026-11-20"),
            value: date("2026-11-18"),
            code: "PMNT-IDDT-UPDD".to_string(),
            parts: vec![part, bare],
        }
        .into(),
        Followed {
            part: 1,
            end_to_end: Some("payment-1".to_string()),
            fate: Fate::ChargedBack {
                payment: "payment-1".to_string(),
                code: "AM04".to_string(),
            },
        }
        .into(),
        FeeTaken {
            part: 1,
            amount: money("3.00 EUR"),
            ledger: Ledger::BankFees,
            payment: Some("payment-1".to_string()),
            on: date("2026-11-20"),
        }
        .into(),
    ];
    events.into_iter().map(Event::BankEntry).collect()
}

fn verdict(status: Status, code: &str) -> Verdict {
    Verdict {
        status,
        code: code.to_string(),
        reason: "in words".to_string(),
        retry: true,
    }
}

fn files() -> Vec<Event> {
    let account = SealedBank {
        last4: "4300".to_string(),
        hash: "ab".repeat(32),
        account: Personal::sealed("key-9".to_string(), [3; 24], vec![1, 2]),
    };
    let item = Item {
        payment: "payment-1".to_string(),
        end_to_end: "payment-1".to_string(),
        amount: money("62.50 EUR"),
        on: date("2026-11-24"),
        text: "ACME-2026-000001".to_string(),
        batch: 1,
        order: Order::Debit {
            mandate: "M-1".to_string(),
            signed: date("2026-01-31"),
            scheme: Scheme::B2b,
            sequence: Sequence::Recurring,
        },
        account: account.clone(),
    };
    let back = Item {
        batch: 2,
        order: Order::Transfer { number: 3 },
        ..item.clone()
    };
    let events: Vec<file::Event> = vec![
        Drawn {
            bank: "main".to_string(),
            at: instant("2026-11-22T09:00:00Z"),
            items: vec![item, back],
        }
        .into(),
        Withdrawn {
            reason: "the bank was closed".to_string(),
            end_to_ends: vec!["payment-1".to_string()],
            first_of: vec!["M-1".to_string()],
        }
        .into(),
        Amended {
            amendments: BTreeMap::from([(
                "payment-1".to_string(),
                Amendment {
                    mandate: Some("M-0".to_string()),
                    account: Some(Box::new(account)),
                    creditor_id: Some("DE98ZZZ09999999999".to_string()),
                },
            )]),
        }
        .into(),
        Reported {
            report: "STS-1".to_string(),
            digest: [6; 16],
            whole: Some(verdict(Status::Partly, "")),
            batches: vec![(1, verdict(Status::Rejected, "DT01"))],
            payments: vec![("payment-1".to_string(), verdict(Status::Rejected, "AC04"))],
            refused: vec!["payment-1".to_string()],
        }
        .into(),
    ];
    events.into_iter().map(Event::BankFile).collect()
}
