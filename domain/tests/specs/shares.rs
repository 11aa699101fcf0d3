//! Charges that are shared with others: what they get, where it is seen, and that parts sum to the line.

use crate::book::{Book, usd};
use indelible_domain::catalog;
use indelible_domain::command::{Effective, OrderOneOff, StartSubscription};
use indelible_domain::journal::Ledger;
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, Event};
use std::collections::BTreeMap;

const OFFER: &str = r#"
[[offer]]
code = "radio"
name = "Radio"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "9.99" }
every = "1 month"
align = "calendar"
account = 40010
shares = [ { party = "label", percent = "33.3333" }, { party = "union", fixed = "0.50" }, { party = "artist" } ]
[[offer.usage]]
code = "plays"
name = "Plays"
metric = "plays"
unit = "play"
every = "1 month"
align = "calendar"
price = { per_unit = "0.01" }
shares = [ { party = "artist", percent = "70" } ]
[[offer.one_off]]
code = "concert"
name = "Concert"
amount = "20.00"
on = "ad_hoc"
shares = [ { party = "hall", fixed = "12.00" }, { party = "artist", percent = "50" } ]
"#;

fn radio() -> Book {
    let mut book = Book::new();
    let offers = catalog::parse(OFFER).expect("reads");
    book.ask(Command::ApplyCatalog { offers }).expect("applies");
    let start = StartSubscription {
        subscription: "s1".into(),
        account: "alice".into(),
        offer: "radio".into(),
        quantity: 1.into(),
        from: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec!["no-1".into()],
    };
    book.ask(Command::StartSubscription(Box::new(start)))
        .expect("starts");
    book
}

fn bill(book: &mut Book, run: &str) {
    let start = Command::StartBillRun {
        run: run.into(),
        as_of: None,
        accounts: vec![],
        draft: false,
    };
    book.ask(start).expect("a run");
    while book
        .ask(Command::StepBillRun { run: run.into() })
        .expect("goes on")
        .left
        > 0
    {}
}

/// Line, party and amount of everything that is owed of a document.
fn owed(book: &Book, document: &str) -> Vec<String> {
    let shares = book.tenant().tables.shares.get(document);
    let parts = shares.map_or(&[][..], |s| s.state.parts());
    let told = |p: &indelible_domain::shares::Part| {
        format!("{} {} {}", p.line, p.party, p.amount.amount())
    };
    parts.iter().map(told).collect()
}

/// Credits less debits of an account of the books.
fn booked(book: &Book, account: Ledger) -> String {
    let mut sum = usd("0");
    for (_, event) in &book.log {
        if let Event::Journal(indelible_domain::journal::Event::Posted(e)) = event {
            for line in e.entry.lines().iter().filter(|l| l.account == account) {
                sum = sum.plus(line.credit).minus(line.debit);
            }
        }
    }
    sum.amount()
}

#[test]
fn parts_of_a_line_sum_to_it_and_the_last_takes_the_rest() {
    let mut book = radio();
    bill(&mut book, "r1");
    assert_eq!(
        owed(&book, "r1.alice"),
        ["1 label 3.33", "1 union 0.50", "1 artist 6.16"]
    );
    assert_eq!(booked(&book, Ledger::PartnerShares), "9.99");
    assert_eq!(booked(&book, Ledger::Revenue(40_010)), "0.00");
    let invoice = &book.tenant().tables.invoices["r1.alice"].state;
    let told = &invoice.document.lines[0].explain;
    assert!(told.ends_with("; artist gets 6.16 USD of it"), "{told}");
}

#[test]
fn unused_days_take_back_their_part_of_a_fixed_share_too() {
    let mut book = radio();
    bill(&mut book, "r1");
    book.on("2012-05-17");
    book.ask(Command::TerminateSubscription {
        subscription: "s1".into(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    })
    .expect("ends");
    bill(&mut book, "r2");
    // 15 of 31 days of 9.99 are 4.83; of 0.50 they are 0.24.
    assert_eq!(
        owed(&book, "r2.alice"),
        ["1 label -1.61", "1 union -0.24", "1 artist -2.98"]
    );
    assert_eq!(booked(&book, Ledger::PartnerShares), "5.16");
}

#[test]
fn what_nobody_gets_stays_with_the_seller_and_a_share_never_exceeds_what_is_left() {
    let mut book = radio();
    let order = |charge: &str, amount: Option<&str>| OrderOneOff {
        subscription: "s1".into(),
        charge: charge.into(),
        code: "concert".into(),
        quantity: 1.into(),
        amount: amount.map(|a| a.parse().expect("a number")),
        on: None,
    };
    book.ask(Command::OrderOneOff(Box::new(order("c1", None))))
        .expect("is ordered");
    bill(&mut book, "r1");
    let of_concert = |book: &Book, document: &str| -> Vec<String> {
        let of = |o: &String| !o.contains("label") && !o.contains("union");
        let all = owed(book, document).into_iter().filter(of);
        all.filter(|o| !o.ends_with("6.16")).collect()
    };
    assert_eq!(
        of_concert(&book, "r1.alice"),
        ["2 hall 12.00", "2 artist 8.00"]
    );
    assert_eq!(booked(&book, Ledger::OneOffRevenue), "0.00");
}

#[test]
fn credit_notes_take_back_what_they_take_off_and_notes_for_everything_take_back_everything() {
    let mut book = radio();
    bill(&mut book, "r1");
    let mut note = |id: &str, amount: Option<&str>| {
        let parts = vec![(1, amount.map(usd))];
        let credit = Command::CreditInvoice {
            note: id.into(),
            invoice: "r1.alice".into(),
            parts,
            reason: "wrong".into(),
        };
        book.ask(credit).expect("is credited");
        owed(&book, id)
    };
    let first = note("n1", Some("3.33"));
    assert_eq!(first, ["1 label -1.11", "1 union -0.17", "1 artist -2.05"]);
    note("n2", Some("3.33"));
    note("n3", None);
    assert_eq!(booked(&book, Ledger::PartnerShares), "0.00");
    assert_eq!(booked(&book, Ledger::Revenue(40_010)), "0.00");
}

#[test]
fn a_void_takes_all_of_it_back_and_the_next_document_gives_it_anew() {
    let mut book = radio();
    bill(&mut book, "r1");
    book.void("r1.alice").expect("is void");
    assert!(owed(&book, "r1.alice").is_empty());
    assert_eq!(booked(&book, Ledger::PartnerShares), "0.00");
    bill(&mut book, "r2");
    assert_eq!(booked(&book, Ledger::PartnerShares), "9.99");
}

#[test]
fn shares_that_make_no_sense_are_refused_with_their_place() {
    let refused = |from: &str, to: &str| {
        let mut book = Book::new();
        let offers = catalog::parse(&OFFER.replace(from, to)).expect("reads");
        let refused = book.ask(Command::ApplyCatalog { offers });
        refused.expect_err("is refused").message
    };
    for (from, to, why) in [
        (
            "percent = \"70\"",
            "fixed = \"1\"",
            "a share of usage is a percentage",
        ),
        (
            "percent = \"33.3333\"",
            "percent = \"101\"",
            "more than 100 %",
        ),
        (
            "{ party = \"union\", fixed = \"0.50\" }",
            "{ party = \"union\" }",
            "only the last",
        ),
        (
            "party = \"union\"",
            "party = \"label\"",
            "two shares of label",
        ),
    ] {
        let message = refused(from, to);
        assert!(message.contains(why), "{message}");
    }
}
