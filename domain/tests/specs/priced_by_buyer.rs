//! Recurring prices that depend on who buys: found when something is sold, and again with every change.

use crate::book::{Book, d};
use indelible_domain::catalog;
use indelible_domain::command::{ChangeSubscription, Effective, StartSubscription};
use indelible_domain::invoices::{self, Document};
use indelible_domain::kernel::Decimal;
use indelible_domain::reratings::{Ask, Change, Settle};
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, Event, Outcome, Rejection};
use std::collections::BTreeMap;

const OFFER: &str = r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { expression = "10 * subscription.quantity / (if account.country = 'US' then 1 else 3)" }
every = "1 month"
align = "calendar"
[[offer.recurring]]
code = "line"
name = "Line"
every = "1 month"
align = "calendar"
[offer.recurring.price.matrix]
columns = [{ attribute = "account.group" }, { attribute = "$quantity", kind = "number" }]
lines = [
    { cells = ["gold", "*"], price = { per_unit = "1" } },
    { cells = ["*", "..5"], price = { flat = "9" } },
    { cells = ["*", "5.."], price = { graduated = [{ up_to = "5", unit = "2" }, { unit = "1" }] } },
]
"#;

fn publish(book: &mut Book, offer: &str) -> Result<Outcome, Rejection> {
    book.ask(Command::ApplyCatalog {
        offers: catalog::parse(offer).expect("reads"),
    })
}

fn start(book: &mut Book, id: &str, account: &str, quantity: i64) -> Result<Outcome, Rejection> {
    let start = StartSubscription {
        subscription: id.into(),
        account: account.into(),
        offer: "plan".into(),
        quantity: Decimal::from(quantity),
        from: Some(d("2012-05-01")),
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![],
    };
    book.ask(Command::StartSubscription(Box::new(start)))
}

fn book() -> Book {
    let mut book = Book::new();
    publish(&mut book, OFFER).expect("is published");
    book.open("us", |terms| terms.country = "US".into());
    book.open("gold", |terms| terms.group = Some("gold".into()));
    for (id, account, quantity) in [("a", "alice", 2), ("u", "us", 6), ("g", "gold", 4)] {
        start(&mut book, id, account, quantity).expect("starts");
    }
    book
}

/// Charge, net and why, of every line of a bill run.
fn bill(book: &mut Book) -> Vec<String> {
    let since = book.log.len();
    let run = format!("run-{since}");
    book.ask(Command::StartBillRun {
        run: run.clone(),
        as_of: None,
        accounts: vec![],
        draft: false,
    })
    .expect("a run starts");
    let step = Command::StepBillRun { run };
    while book.ask(step.clone()).expect("a run goes on").left > 0 {}
    let of = |event: &Event| match event {
        Event::Invoice(invoices::Event::Finalised(e)) => Some(Document::clone(&e.document)),
        _ => None,
    };
    let documents: Vec<Document> = book.log[since..]
        .iter()
        .filter_map(|(_, e)| of(e))
        .collect();
    let lines = documents.iter().flat_map(|d| &d.lines);
    lines
        .map(|l| format!("{} {}", l.what.charge(), l.net.amount()))
        .collect()
}

#[test]
fn an_expression_and_a_matrix_say_what_a_period_costs_this_buyer() {
    let mut book = book();
    let lines = bill(&mut book);
    // 20 / 3 and 9; 40 / 3 and 4 x 1; 60 and 5 x 2 + 1 x 1.
    assert_eq!(
        lines,
        [
            "fee 6.67",
            "line 9.00",
            "fee 13.33",
            "line 4.00",
            "fee 60.00",
            "line 11.00"
        ]
    );
    let sub = &book.tenant().tables.subscriptions["a"].state;
    let why: Vec<&str> = sub.terms[0]
        .offer
        .recurring
        .iter()
        .filter_map(|c| c.source.as_ref())
        .map(|s| s.why.as_str())
        .collect();
    assert!(
        why[0].ends_with("= 6.666666666667 on 2012-05-01"),
        "{why:?}"
    );
    assert_eq!(why[1], "line 2 of the matrix for  on 2012-05-01");
}

#[test]
fn it_is_computed_again_with_a_change_and_stays_in_between() {
    let mut book = book();
    bill(&mut book);
    book.on("2012-06-01");
    book.ask(Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: "a".into(),
        offer: None,
        quantity: Some(Decimal::from(9)),
        billing_day: None,
        overrides: BTreeMap::new(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    })))
    .expect("changes");
    let lines = bill(&mut book);
    assert_eq!(lines[..2], ["fee 30.00", "line 14.00"]);
    assert_eq!(
        lines[2..],
        ["fee 13.33", "line 4.00", "fee 60.00", "line 11.00"]
    );
}

#[test]
fn nobody_is_sold_what_has_no_price_for_them() {
    let mut book = Book::new();
    let only_gold = OFFER
        .replace("    { cells = [\"*\", \"..5\"], price = { flat = \"9\" } },\n", "")
        .replace("    { cells = [\"*\", \"5..\"], price = { graduated = [{ up_to = \"5\", unit = \"2\" }, { unit = \"1\" }] } },\n", "");
    publish(&mut book, &only_gold).expect("is published");
    let refused = start(&mut book, "a", "alice", 1).expect_err("alice is not gold");
    assert_eq!(refused.code, "NO_PRICE");
    let below = OFFER.replace("10 * sub", "0 - 10 * sub");
    publish(&mut book, &below).expect("is published");
    let refused = start(&mut book, "a", "alice", 1).expect_err("less than nothing");
    assert_eq!(refused.code, "PRICE_NEGATIVE");
}

#[test]
fn what_cannot_be_read_is_not_published() {
    let mut book = Book::new();
    for (was, is) in [
        ("account.country", "account.shoe"),
        ("account.group", "quantity"),
        ("10 * subscription.quantity", "'ten'"),
        (
            "every = \"1 month\"",
            "high_water = true\nevery = \"1 month\"",
        ),
    ] {
        let refused = publish(&mut book, &OFFER.replacen(was, is, 1)).expect_err(is);
        assert_eq!(refused.code, "CATALOG_INVALID", "{is}");
    }
}

#[test]
fn a_rerating_says_what_the_period_comes_to() {
    let mut book = book();
    let price = catalog::parse(OFFER).expect("reads")[0].recurring[0]
        .price
        .clone();
    let ask = Ask {
        accounts: vec![],
        subscriptions: vec!["a".into()],
        charges: vec![],
        from: d("2012-05-01"),
        until: d("2012-06-01"),
        change: Change::Price {
            charge: "fee".into(),
            price,
        },
        reason: "it was wrong".into(),
        settle: Settle::Note,
    };
    let refused = book.refused(Command::Rerate {
        rerating: "r1".into(),
        ask: Box::new(ask),
        add: None,
    });
    assert_eq!(refused, "PRICE_INVALID");
}
