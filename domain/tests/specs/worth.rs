//! What a contract is worth altogether (policy 33): recurring charges to the end of the commitment, and one-off charges.

use crate::book::{Book, d};
use indelible_domain::Command;
use indelible_domain::catalog;
use indelible_domain::charges::worth::{self, Worth};
use indelible_domain::command::{Effective, StartSubscription};
use indelible_domain::kernel::{Date, Decimal};
use indelible_domain::subscriptions::{TenureTerms, Unused};
use std::collections::BTreeMap;

const OFFERS: &str = r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "USD"
trial = "1 month"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { per_unit = "10.00" }
every = "1 month"
[[offer.recurring]]
code = "rent"
name = "Rent"
price = { flat = "30.00" }
every = "1 month"
timing = "arrears"
lasts = "6 months"
[[offer.one_off]]
code = "setup"
name = "Setup"
amount = "50"
on = "activation"
[[offer.one_off]]
code = "gone"
name = "Removal"
amount = "7"
on = "termination"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
minimum = "5"
price = { per_unit = "1" }
"#;

fn book() -> Book {
    let mut book = Book::new();
    book.ask(Command::ApplyCatalog {
        offers: catalog::parse(OFFERS).expect("reads"),
    })
    .expect("applies");
    let start = StartSubscription {
        subscription: "s".into(),
        account: "alice".into(),
        offer: "plan".into(),
        quantity: Decimal::from(2),
        from: Some(d("2012-05-01")),
        billing_day: Some(1),
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![],
    };
    book.ask(Command::StartSubscription(Box::new(start)))
        .expect("starts");
    book
}

fn worth(book: &Book) -> Worth {
    let sub = &book.tenant().tables.subscriptions["s"].state;
    worth::of(sub).expect("has a value")
}

/// Until, recurring, one-off.
fn shown(book: &Book) -> (Option<Date>, String, String) {
    let worth = worth(book);
    let total = worth.total().expect("fits");
    assert_eq!(total, worth.recurring.plus(worth.one_off).expect("fits"));
    (
        worth.until,
        worth.recurring.to_decimal(2),
        worth.one_off.to_decimal(2),
    )
}

fn agree(book: &mut Book, lasts: &str) {
    book.ask(Command::AgreeTenure {
        subscription: "s".into(),
        from: None,
        terms: TenureTerms {
            lasts: lasts.parse().expect("a span"),
            ..TenureTerms::default()
        },
    })
    .expect("is agreed");
}

#[test]
fn without_a_commitment_one_period_of_each_charge_counts() {
    assert_eq!(shown(&book()), (None, "50".into(), "50".into()));
}

#[test]
fn a_commitment_counts_its_periods_after_the_trial_and_within_each_phase() {
    let mut book = book();
    agree(&mut book, "12 months");
    // Of twelve months one is a trial: 11 x 20 and 6 x 30. Usage and its minimum are no part of it, nor what an end costs.
    let until = Some(d("2013-05-01"));
    assert_eq!(shown(&book), (until, "400".into(), "50".into()));
    agree(&mut book, "12 months");
    agree(&mut book, "14 months");
    let until = Some(d("2013-07-01"));
    assert_eq!(shown(&book), (until, "440".into(), "50".into()));
}

#[test]
fn an_end_cuts_it_by_days_and_asks_for_what_the_end_costs() {
    let mut book = book();
    agree(&mut book, "12 months");
    book.ask(Command::TerminateSubscription {
        subscription: "s".into(),
        effective: Effective::On(d("2012-07-16")),
        unused: Unused::CreditProrata,
    })
    .expect("ends");
    // June, and 15 of 31 days of July: 50 x (1 + 15/31).
    let until = Some(d("2012-07-16"));
    assert_eq!(shown(&book), (until, "74.19".into(), "57".into()));
}
