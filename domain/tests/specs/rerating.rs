//! Rating the past again: what was invoiced is corrected by a note, what is open shows the new amount, and all of it can be
//! taken back.

use crate::book::{Book, d, usd};
use crate::ingest::{batch, book, counts, meter, metered, record, send};
use indelible_domain::catalog::Price;
use indelible_domain::command::RedeemDiscount;
use indelible_domain::contracts::Agreement;
use indelible_domain::discounts::{DiscountTerms, Lasts, Off, Scope};
use indelible_domain::invoices::{self, Document};
use indelible_domain::kernel::{Money, Rejection};
use indelible_domain::mediation::{Intake, Key, Received, UsageRecord};
use indelible_domain::operations::reratings::what_if::{self, Page};
use indelible_domain::reratings::{
    Amend, Ask, Change, Difference, Event as Rerating, Settle, Stage, Which,
};
use indelible_domain::taxes::Rate;
use indelible_domain::{Command, Event, Outcome, Session};
use std::collections::BTreeMap;

pub const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
per = "60"
allowance = "10"
every = "1 month"
align = "calendar"
price = { graduated = [{ up_to = "10", unit = "0.10" }, { unit = "0.05" }] }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "GB"
every = "1 month"
align = "calendar"
minimum = "2"
price = { per_unit = "1.00" }
[[offer.usage]]
code = "peak"
name = "Peak"
metric = "peak"
unit = "kW"
aggregate = "max"
every = "1 month"
align = "calendar"
price = { per_unit = "3" }
[[offer.usage]]
code = "seats"
name = "Seats"
metric = "seats"
unit = "seat"
aggregate = "level"
carry = true
every = "1 month"
align = "calendar"
price = { per_unit = "31" }
"#;

pub fn ask(from: &str, until: &str, change: Change) -> Ask {
    Ask {
        accounts: vec![],
        subscriptions: vec![],
        charges: vec![],
        from: d(from),
        until: d(until),
        change,
        reason: "it was wrong".into(),
        settle: Settle::Note,
    }
}

pub fn price(text: &str) -> Price {
    Price::PerUnit(text.parse().expect("a number"))
}

/// Rates again to the end; the answer is what differed, in words.
pub fn rerate(book: &mut Book, id: &str, ask: Ask) -> Result<Vec<String>, Rejection> {
    let before = book.log.len();
    book.ask(Command::Rerate {
        rerating: id.into(),
        ask: Box::new(ask),
        add: None,
    })?;
    Ok(finish(book, id, before))
}

pub fn undo(book: &mut Book, id: &str) -> Vec<String> {
    let before = book.log.len();
    book.ask(Command::UndoRerating {
        rerating: id.into(),
        reason: "no".into(),
    })
    .expect("is to be undone");
    finish(book, id, before)
}

fn finish(book: &mut Book, id: &str, before: usize) -> Vec<String> {
    let step = Command::StepRerating {
        rerating: id.into(),
    };
    while book.ask(step.clone()).expect("a step").left > 0 {}
    differences(&book.log[before..])
}

fn differences(log: &[(String, Event)]) -> Vec<String> {
    let told = |d: &Difference| {
        format!(
            "{} {}: {} -> {}, {} -> {}",
            d.charge,
            d.days.from,
            d.quantity_before,
            d.quantity_after,
            d.before.amount(),
            d.after.amount()
        )
    };
    let of = |event: &Event| match event {
        Event::Rerating(Rerating::Rerated(e)) => e.differences.iter().map(told).collect(),
        Event::Rerating(Rerating::Restored(e)) => e.differences.iter().map(told).collect(),
        _ => vec![],
    };
    log.iter().flat_map(|(_, e)| of(e)).collect()
}

/// Finalised documents since a place of the log.
pub fn documents(book: &Book, since: usize) -> Vec<Document> {
    let of = |event: &Event| match event {
        Event::Invoice(invoices::Event::Finalised(e)) => Some(Document::clone(&e.document)),
        _ => None,
    };
    book.log[since..]
        .iter()
        .filter_map(|(_, e)| of(e))
        .collect()
}

fn lines(documents: &[Document]) -> Vec<String> {
    let lines = documents.iter().flat_map(|d| &d.lines);
    lines
        .map(|l| format!("{} {}", l.what.charge(), l.net.amount()))
        .collect()
}

pub fn bill(book: &mut Book) -> Vec<Document> {
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
    documents(book, since)
}

pub fn used(text: &str) -> UsageRecord {
    let mut record = record(text);
    record.attributes = BTreeMap::new();
    record
}

fn key(name: &str) -> Key {
    record(&format!("{name} voice 2012-05-02T10:00:00Z 1")).key
}

/// 25 minutes of voice and 5 GB in May, invoiced on 1 June: 15 min × tiers 1.25, 5.00, peak 0.
fn invoiced() -> Book {
    let mut book = book(OFFER);
    send(
        &mut book,
        "b1",
        vec![
            used("k1 voice 2012-05-02T10:00:00Z 900"),
            used("k2 voice 2012-05-03T10:00:00Z 600"),
            used("k3 data 2012-05-04T10:00:00Z 5"),
            used("k4 peak 2012-05-05T10:00:00Z 7"),
            used("k5 peak 2012-05-06T10:00:00Z 4"),
        ],
    );
    book.on("2012-06-02");
    assert_eq!(
        lines(&bill(&mut book)),
        ["voice 1.25", "data 5.00", "peak 21.00"]
    );
    book
}

fn of_price(charge: &str, text: &str) -> Change {
    Change::Price {
        charge: charge.into(),
        price: price(text),
    }
}

#[test]
fn another_price_for_an_invoiced_period_is_settled_by_a_note_over_the_exact_difference() {
    let mut book = invoiced();
    let since = book.log.len();
    let told = rerate(
        &mut book,
        "r1",
        ask("2012-05-01", "2012-06-01", of_price("data", "0.70")),
    )
    .expect("is rated again");
    assert_eq!(told, ["data 2012-05-01: 5 GB -> 5 GB, 5.00 -> 3.50"]);
    let notes = documents(&book, since);
    assert_eq!(lines(&notes), ["data -1.50"]);
    assert_eq!(notes[0].kind, invoices::Kind::CreditNote);
    assert!(
        notes[0].lines[0]
            .explain
            .contains("(rerating r1: it was wrong)"),
        "{}",
        notes[0].lines[0].explain
    );
    // The new price held for May alone, and nothing is left to bill.
    send(
        &mut book,
        "b2",
        vec![used("k9 data 2012-06-01T22:00:00Z 3")],
    );
    book.on("2012-07-02");
    assert_eq!(lines(&bill(&mut book)), ["data 3.00"]);
}

#[test]
fn the_same_rerating_again_does_nothing_and_another_one_like_it_finds_no_difference() {
    let mut book = invoiced();
    let cheaper = ask("2012-05-01", "2012-06-01", of_price("data", "0.70"));
    rerate(&mut book, "r1", cheaper.clone()).expect("is rated again");
    let before = book.log.len();
    assert_eq!(rerate(&mut book, "r1", cheaper.clone()), Ok(vec![]));
    assert_eq!(book.log.len(), before);
    assert_eq!(rerate(&mut book, "r2", cheaper), Ok(vec![]));
    let own = |e: &Event| matches!(e, Event::Rerating(_));
    assert!(book.log[before..].iter().all(|(_, e)| own(e)));
    let other = ask("2012-05-01", "2012-06-01", of_price("data", "0.71"));
    let refused = rerate(&mut book, "r1", other).expect_err("another one");
    assert_eq!(refused.code, "RERATING_EXISTS");
}

#[test]
fn undoing_restores_every_amount_by_new_facts() {
    let mut book = invoiced();
    let (owed, before) = (balance(&book), book.tenant().tables.usage.clone());
    let terms = book.tenant().tables.subscriptions["line-1"].state.clone();
    rerate(
        &mut book,
        "r1",
        ask("2012-05-01", "2012-06-01", of_price("voice", "0.01")),
    )
    .expect("is rated again");
    assert_ne!(balance(&book), owed);
    let told = undo(&mut book, "r1");
    assert_eq!(
        told,
        ["voice 2012-05-01: 25 minute -> 25 minute, 0.15 -> 1.25"]
    );
    assert_eq!(balance(&book), owed);
    for (id, entry) in before.iter() {
        let now = &book.tenant().tables.usage[id.as_str()].state;
        assert_eq!(now.meter, entry.state.meter, "{id}");
    }
    assert_eq!(book.tenant().tables.subscriptions["line-1"].state, terms);
    let stage = book.tenant().tables.reratings["r1"].state.stage;
    assert_eq!(stage, Stage::Undone);
    let log = book.log.len();
    assert_eq!(undo(&mut book, "r1"), Vec::<String>::new());
    assert_eq!(book.log.len(), log);
    assert!(bill(&mut book).is_empty());
}

fn balance(book: &Book) -> String {
    let of = book.tenant().tables.receivables.get("berta");
    of.map_or("none".into(), |e| e.state.balance().amount())
}

#[test]
fn void_records_leave_their_meters_and_are_superseded_in_their_batch() {
    let mut book = invoiced();
    let since = book.log.len();
    let void = Change::Void(Which {
        keys: vec![key("k1"), key("k4")],
        attributes: BTreeMap::new(),
    });
    let told = rerate(&mut book, "r1", ask("2012-05-01", "2012-06-01", void)).expect("is void");
    assert_eq!(
        told,
        [
            "peak 2012-05-01: 7 kW -> 4 kW, 21.00 -> 12.00",
            "voice 2012-05-01: 25 minute -> 10 minute, 1.25 -> 0.00",
        ]
    );
    assert_eq!(
        lines(&documents(&book, since)),
        ["voice -1.25", "peak -9.00"]
    );
    assert_eq!(batch(&book, "b1"), "5 = 5 + 0 + 0 + 0 | 3 + 0 + 0 + 2");
    // It is known still: the same record is a duplicate, and nothing corrects it.
    let again = send(
        &mut book,
        "b2",
        vec![used("k1 voice 2012-05-02T10:00:00Z 900")],
    );
    assert_eq!(counts(&again), "1 = 0 + 1 + 0 + 0 | 0 + 0 + 0 + 0");
    let mut other = used("k1 voice 2012-05-02T10:00:00Z 60");
    other.corrects = true;
    let refused = send(&mut book, "b3", vec![other]);
    assert_eq!(counts(&refused), "1 = 1 + 0 + 0 + 0 | 0 + 0 + 1 + 0");
    undo(&mut book, "r1");
    assert_eq!(batch(&book, "b1"), "5 = 5 + 0 + 0 + 0 | 5 + 0 + 0 + 0");
    assert_eq!(metered(&book, "line-1/peak/2012-05-01"), "2 records, 7, 21");
}

#[test]
fn records_of_a_scope_are_void_by_what_they_say() {
    let mut book = book(OFFER);
    let of = |text: &str, trunk: &str| UsageRecord {
        attributes: BTreeMap::from([("trunk".to_string(), trunk.to_string())]),
        ..record(text)
    };
    send(
        &mut book,
        "b1",
        vec![
            of("k1 data 2012-05-02T10:00:00Z 4", "a"),
            of("k2 data 2012-05-03T10:00:00Z 5", "b"),
            of("k3 data 2012-05-20T10:00:00Z 6", "a"),
        ],
    );
    let void = Change::Void(Which {
        keys: vec![],
        attributes: BTreeMap::from([("trunk".to_string(), "a".to_string())]),
    });
    let told = rerate(&mut book, "r1", ask("2012-05-01", "2012-05-10", void)).expect("is void");
    assert_eq!(told, ["data 2012-05-01: 15 GB -> 11 GB, 15.00 -> 11.00"]);
    // Nothing was invoiced: the invoice shows what is left, and there is no note.
    book.on("2012-06-02");
    assert_eq!(lines(&bill(&mut book)), ["data 11.00"]);
}

#[test]
fn a_record_that_says_something_else_moves_its_meter_and_keeps_its_identity() {
    let mut book = invoiced();
    let since = book.log.len();
    let change = Change::Correct(vec![Amend {
        key: key("k3"),
        quantity: Some("1.5".parse().expect("a number")),
        amount: None,
        attributes: None,
    }]);
    let told =
        rerate(&mut book, "r1", ask("2012-05-01", "2012-06-01", change)).expect("is corrected");
    // Less than the charge's minimum of 2.
    assert_eq!(told, ["data 2012-05-01: 5 GB -> 1.5 GB, 5.00 -> 2.00"]);
    assert_eq!(lines(&documents(&book, since)), ["data -3.00"]);
    let again = send(
        &mut book,
        "b2",
        vec![used("k3 data 2012-05-04T10:00:00Z 5")],
    );
    assert_eq!(counts(&again), "1 = 0 + 1 + 0 + 0 | 0 + 0 + 0 + 0");
    let unknown = Change::Void(Which {
        keys: vec![key("never")],
        attributes: BTreeMap::new(),
    });
    let refused = rerate(&mut book, "r2", ask("2012-05-01", "2012-06-01", unknown));
    assert_eq!(refused.expect_err("unknown").code, "RECORD_UNKNOWN");
}

#[test]
fn past_records_are_added_and_taken_out_again_as_one() {
    let mut book = invoiced();
    let since = book.log.len();
    let intake = Intake {
        batch: "late".into(),
        source: "test".into(),
        format: "records".into(),
        name: "late.csv".into(),
        lines: vec![
            Received::Record(used("k7 voice 2012-05-30T10:00:00Z 600")),
            Received::Record(used("k8 data 2012-05-30T10:00:00Z 2")),
        ],
    };
    let asked = ask(
        "2012-05-01",
        "2012-06-01",
        Change::Add {
            batch: "late".into(),
        },
    );
    let outcome: Outcome = book
        .ask(Command::Rerate {
            rerating: "r1".into(),
            ask: Box::new(asked),
            add: Some(Box::new(intake)),
        })
        .expect("is added");
    assert_eq!(counts(&outcome), "2 = 2 + 0 + 0 + 0 | 2 + 0 + 0 + 0");
    assert_eq!(
        finish(&mut book, "r1", since),
        [
            "data 2012-05-01: 5 GB -> 7 GB, 5.00 -> 7.00",
            "voice 2012-05-01: 25 minute -> 35 minute, 1.25 -> 1.75",
        ]
    );
    let notes = documents(&book, since);
    assert_eq!(lines(&notes), ["voice 0.50", "data 2.00"]);
    assert_eq!(notes[0].kind, invoices::Kind::DebitNote);
    assert!(notes[0].corrects.is_none(), "it may correct several");
    let since = book.log.len();
    undo(&mut book, "r1");
    assert_eq!(
        lines(&documents(&book, since)),
        ["voice -0.50", "data -2.00"]
    );
    assert_eq!(batch(&book, "late"), "2 = 2 + 0 + 0 + 0 | 0 + 0 + 0 + 2");
}

#[test]
fn a_contract_that_begins_in_the_past_reaches_usage_by_rating_again() {
    let mut book = invoiced();
    let mut term = indelible_domain::catalog::PriceTerm {
        offer: "line".into(),
        ..Default::default()
    };
    term.percent = Some("-10".parse().expect("a number"));
    book.ask(Command::DefineContract {
        contract: "frame".into(),
        agreement: Box::new(Agreement {
            account: "berta".into(),
            name: String::new(),
            from: d("2012-05-01"),
            until: None,
            terms: vec![term],
        }),
    })
    .expect("is agreed");
    let since = book.log.len();
    let told = rerate(
        &mut book,
        "r1",
        ask("2012-05-01", "2012-06-01", Change::Again),
    )
    .expect("is rated again");
    // 5 × 0.90, 7 × 2.70 and 10 × 0.09 + 5 × 0.045.
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(
        lines(&documents(&book, since)),
        ["voice -0.12", "data -0.50", "peak -2.10"]
    );
    let since = book.log.len();
    undo(&mut book, "r1");
    assert_eq!(
        lines(&documents(&book, since)),
        ["voice 0.12", "data 0.50", "peak 2.10"]
    );
}

#[test]
fn a_price_in_the_middle_of_a_period_cuts_it_and_is_put_together_again_by_undoing() {
    let mut book = invoiced();
    let since = book.log.len();
    let told = rerate(
        &mut book,
        "r1",
        ask("2012-05-03", "2012-05-05", of_price("data", "0.10")),
    )
    .expect("is rated again");
    // The whole 5 GB are of the days at 0.10; each piece of the month has its share of the minimum.
    assert_eq!(
        told,
        [
            "data 2012-05-01: 5 GB -> 0 GB, 5.00 -> 0.13",
            "data 2012-05-03:  -> 5 GB, 0.00 -> 0.50",
            "data 2012-05-05:  -> 0 GB, 0.00 -> 1.74",
        ]
    );
    assert_eq!(meter(&book, "line-1/data/2012-05-01").records, 0);
    let notes = documents(&book, since);
    assert_eq!(lines(&notes), ["data -4.87", "data 0.50", "data 1.74"]);
    assert!(bill(&mut book).is_empty());
    undo(&mut book, "r1");
    bill(&mut book);
    let all: i128 = documents(&book, 0).iter().map(|d| d.net.minor).sum();
    assert_eq!(all, 125 + 500 + 2100);
}

#[test]
fn a_difference_has_the_tax_and_the_discount_of_the_line_it_corrects() {
    let mut book = book(OFFER);
    let rate = |text: &str, from: &str| {
        Command::SetTaxRate(Rate {
            name: "VAT".into(),
            category: "*".into(),
            class: "*".into(),
            seller: "*".into(),
            buyer: "*".into(),
            rate: text.parse().expect("a rate"),
            from: d(from),
            parts: vec![],
        })
    };
    book.ask(rate("0.19", "2000-01-01")).expect("is set");
    book.ask(Command::DefineDiscount {
        discount: "TENTH".into(),
        terms: Box::new(DiscountTerms {
            name: "A tenth".into(),
            off: Off::Percent("0.1".parse().expect("a share")),
            scope: Scope::default(),
            lasts: Lasts::Forever,
            redeem_from: None,
            redeem_until: None,
            limit: None,
            limit_per_account: None,
            sequence: 0,
            exclusive: false,
        }),
    })
    .expect("is defined");
    book.ask(Command::RedeemDiscount(Box::new(RedeemDiscount {
        account: "berta".into(),
        discount: "TENTH".into(),
        redemption: "t".into(),
        subscription: None,
        from: None,
    })))
    .expect("is redeemed");
    send(
        &mut book,
        "b1",
        vec![used("k3 data 2012-05-04T10:00:00Z 100")],
    );
    book.on("2012-06-02");
    let first = bill(&mut book);
    assert_eq!((first[0].net, first[0].tax), (usd("90"), usd("17.10")));
    book.ask(rate("0.25", "2012-06-03")).expect("is set");
    book.on("2012-06-10");
    let since = book.log.len();
    rerate(
        &mut book,
        "r1",
        ask("2012-05-01", "2012-06-01", of_price("data", "0.5")),
    )
    .expect("is rated again");
    let notes = documents(&book, since);
    assert_eq!((notes[0].net, notes[0].tax), (usd("-45"), usd("-8.55")));
    let since = book.log.len();
    undo(&mut book, "r1");
    let notes = documents(&book, since);
    assert_eq!((notes[0].net, notes[0].tax), (usd("45"), usd("8.55")));
}

#[test]
fn a_level_that_carries_over_is_counted_anew_with_the_periods_after_it() {
    let mut book = book(OFFER);
    send(
        &mut book,
        "b1",
        vec![
            used("k1 seats 2012-05-01T10:00:00Z 2"),
            used("k2 seats 2012-06-16T10:00:00Z -1"),
        ],
    );
    book.on("2012-07-02");
    let first = lines(&bill(&mut book));
    assert_eq!(
        first,
        ["data 2.00", "data 2.00", "seats 62.00", "seats 46.50"]
    );
    let since = book.log.len();
    let change = Change::Correct(vec![Amend {
        key: key("k1"),
        quantity: Some("3".parse().expect("a number")),
        amount: None,
        attributes: None,
    }]);
    rerate(&mut book, "r1", ask("2012-05-01", "2012-06-01", change)).expect("is corrected");
    assert_eq!(lines(&documents(&book, since)), ["seats 31.00"]);
    // June follows from May, whoever asked about May alone.
    assert_eq!(lines(&bill(&mut book)), ["seats 31.00"]);
    undo(&mut book, "r1");
    bill(&mut book);
    let all: i128 = documents(&book, 0).iter().map(|d| d.net.minor).sum();
    assert_eq!(all, 400 + 6200 + 4650);
}

#[test]
fn what_wallets_paid_comes_back_or_is_drawn_by_the_difference() {
    let offer = OFFER.replacen("minimum = \"2\"", "pay = \"wallet\"", 1);
    let mut book = book(&offer);
    book.ask(Command::OpenWallet {
        wallet: "w".into(),
        account: "berta".into(),
        priority: 1,
    })
    .expect("opens");
    book.ask(Command::TopUpWallet {
        wallet: "w".into(),
        grant: "g".into(),
        amount: usd("10"),
        expires: None,
    })
    .expect("tops up");
    send(
        &mut book,
        "b1",
        vec![used("k3 data 2012-05-04T10:00:00Z 5")],
    );
    let left = |book: &Book| {
        let wallet = &book.tenant().tables.wallets["w"].state;
        wallet.grants[0].remaining.to_string()
    };
    assert_eq!(left(&book), "5");
    let told = rerate(
        &mut book,
        "r1",
        ask("2012-05-01", "2012-06-01", of_price("data", "0.5")),
    )
    .expect("is rated again");
    assert_eq!(told, ["data 2012-05-01: 5 -> 5, 5.00 -> 2.50"]);
    assert_eq!(left(&book), "7.5");
    // More than the wallet has: nothing of it stays.
    let dear = rerate(
        &mut book,
        "r2",
        ask("2012-05-01", "2012-06-01", of_price("data", "3")),
    );
    assert_eq!(dear, Ok(vec![]));
    let failed = &book.tenant().tables.reratings["r2"].state.failed;
    assert_eq!(failed[0].reason.code, "WALLET_INSUFFICIENT");
    assert_eq!(left(&book), "7.5");
    undo(&mut book, "r1");
    assert_eq!(left(&book), "5");
}

#[test]
fn undoing_after_more_usage_takes_back_what_was_changed_and_keeps_the_rest() {
    let mut book = invoiced();
    let void = Change::Void(Which {
        keys: vec![key("k3")],
        attributes: BTreeMap::new(),
    });
    rerate(&mut book, "r1", ask("2012-05-01", "2012-06-01", void)).expect("is void");
    send(
        &mut book,
        "b2",
        vec![used("k6 data 2012-05-05T10:00:00Z 4")],
    );
    undo(&mut book, "r1");
    assert_eq!(metered(&book, "line-1/data/2012-05-01"), "2 records, 9, 9");
    // What is known cannot be forgotten: a rerating of nothing but that says so.
    bill(&mut book);
    rerate(
        &mut book,
        "r2",
        ask("2012-05-01", "2012-06-01", of_price("data", "2")),
    )
    .expect("is rated again");
    let mut changed = book.tenant().tables.subscriptions["line-1"]
        .state
        .terms
        .clone();
    changed.truncate(1);
    book.ask(Command::TerminateSubscription {
        subscription: "line-1".into(),
        effective: indelible_domain::command::Effective::On(d("2012-07-01")),
        unused: Default::default(),
    })
    .expect("ends");
    undo(&mut book, "r2");
    assert_eq!(metered(&book, "line-1/data/2012-05-01"), "2 records, 9, 9");
}

#[test]
fn a_draft_shows_what_is_known_now() {
    let mut book = book(OFFER);
    send(
        &mut book,
        "b1",
        vec![used("k3 data 2012-05-04T10:00:00Z 5")],
    );
    book.on("2012-06-02");
    book.ask(Command::DraftInvoice {
        invoice: "i".into(),
        account: "berta".into(),
        as_of: None,
    })
    .expect("is drafted");
    let since = book.log.len();
    rerate(
        &mut book,
        "r1",
        ask("2012-05-01", "2012-06-01", of_price("data", "3")),
    )
    .expect("is rated again");
    assert!(documents(&book, since).is_empty());
    let draft = &book.tenant().tables.invoices["i"].state.document;
    assert_eq!(draft.net, usd("15"));
}

#[test]
fn a_catalog_that_is_not_published_is_priced_against_the_past_and_nothing_is_written() {
    let book = invoiced();
    let file =
        indelible_domain::catalog::read(&OFFER.replace("\"1.00\"", "\"0.40\"")).expect("reads");
    let mut session = Session::new(book.tenant(), book.now()).with(&book.past);
    let days = (d("2012-05-01"), d("2012-06-01"));
    let answer =
        what_if::price(&mut session, file, vec![], days, Page::default()).expect("is priced");
    assert_eq!(answer.next, None);
    let berta = &answer.customers[0];
    assert_eq!((berta.before, berta.after), (usd("27.25"), usd("24.25")));
    let lines: Vec<_> = berta
        .lines
        .iter()
        .map(|(id, l)| format!("{id} {} {}", l.charge, l.amount().amount()))
        .collect();
    assert_eq!(lines, ["line-1 data -3.00"]);
    drop(session);
    assert_eq!(metered(&book, "line-1/data/2012-05-01"), "1 records, 5, 5");
}

#[test]
fn pages_of_a_what_if_add_up_and_keep_together_who_has_one_payer() {
    let mut book = invoiced();
    for (account, payer) in [("anna", None), ("carl", Some("anna")), ("dora", None)] {
        book.open(account, |terms| terms.payer = payer.map(str::to_string));
        book.ask(Command::StartSubscription(Box::new(
            indelible_domain::command::StartSubscription {
                subscription: format!("line-{account}"),
                account: account.into(),
                offer: "line".into(),
                quantity: indelible_domain::kernel::Decimal::ONE,
                from: Some(d("2012-05-01")),
                billing_day: None,
                overrides: BTreeMap::new(),
                trial: true,
                access: vec![],
            },
        )))
        .expect("starts");
    }
    let file = || {
        let cheaper = OFFER.replace("minimum = \"2\"", "minimum = \"1\"");
        indelible_domain::catalog::read(&cheaper).expect("reads")
    };
    let days = (d("2012-05-01"), d("2012-06-01"));
    let ask = |accounts: &[&str], page: Page| {
        let mut session = Session::new(book.tenant(), book.now()).with(&book.past);
        let accounts = accounts.iter().map(ToString::to_string).collect();
        what_if::price(&mut session, file(), accounts, days, page)
    };
    let whole = ask(&[], Page::default()).expect("is priced");
    assert_eq!(whole.next, None);
    let saved: Vec<(&str, Money)> = whole
        .customers
        .iter()
        .map(|c| (c.account.as_str(), c.before.minus(c.after)))
        .collect();
    let (some, none) = (usd("1"), usd("0"));
    assert_eq!(
        saved,
        [
            ("anna", some),
            ("carl", some),
            ("berta", none),
            ("dora", some)
        ]
    );
    for accounts in [&[][..], &["dora", "carl", "berta", "anna"]] {
        for (subscriptions, records) in [(1, u64::MAX), (usize::MAX, 0)] {
            let (mut pages, mut after) = (Vec::new(), None);
            loop {
                let page = Page {
                    after,
                    subscriptions,
                    records,
                };
                let answer = ask(accounts, page).expect("is priced");
                pages.push(answer.customers);
                match answer.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
            assert_eq!(sizes, [2, 1, 1]);
            assert_eq!(pages.concat(), whole.customers);
        }
    }
    let unknown = ask(&["nobody"], Page::default()).expect_err("is refused");
    assert_eq!(unknown.code, "ACCOUNT_UNKNOWN");
}

/// Two halves of a batch of late records, and the ask that adds them.
fn late() -> (Intake, Ask) {
    let lines = [
        "k7 voice 2012-05-30T10:00:00Z 600",
        "k8 data 2012-05-30T10:00:00Z 2",
        "k9 voice 2012-05-30T11:00:00Z 60",
        "ka data 2012-05-30T11:00:00Z 1",
    ];
    let intake = Intake {
        batch: "late".into(),
        source: "test".into(),
        format: "records".into(),
        name: "late.csv".into(),
        lines: lines.map(|text| Received::Record(used(text))).to_vec(),
    };
    let change = Change::Add {
        batch: "late".into(),
    };
    (intake, ask("2012-05-01", "2012-06-01", change))
}

fn part(rerating: &str, part: &Intake, more: bool) -> Command {
    Command::AddToRerating {
        rerating: rerating.into(),
        ask: Box::new(late().1),
        part: Box::new(part.clone()),
        more,
    }
}

#[test]
fn what_a_rerating_adds_by_halves_is_settled_and_taken_back_as_one() {
    let mut book = invoiced();
    let since = book.log.len();
    let [first, second] = late().0.halves().expect("more than one line");
    let outcome = book.ask(part("r1", &first, true)).expect("is added");
    assert_eq!(counts(&outcome), "2 = 2 + 0 + 0 + 0 | 2 + 0 + 0 + 0");
    // Nothing is settled before all of it is there, and the whole goes on by its halves.
    let step = Command::StepRerating {
        rerating: "r1".into(),
    };
    assert_eq!(book.refused(step), "RERATING_IN_PARTS");
    let whole = || Command::Rerate {
        rerating: "r1".into(),
        ask: Box::new(late().1),
        add: Some(Box::new(late().0)),
    };
    assert_eq!(book.refused(whole()), "BATCH_IN_PARTS");
    let written = book.log.len();
    let outcome = book.ask(part("r1", &first, true)).expect("is there");
    assert_eq!(counts(&outcome), "2 = 2 + 0 + 0 + 0 | 2 + 0 + 0 + 0");
    assert_eq!(book.log.len(), written);
    let alien = Intake {
        batch: "late:2".into(),
        ..second.clone()
    };
    assert_eq!(book.refused(part("r1", &alien, false)), "RECORDS_UNNAMED");
    // A half of the half, as the second one would be cut.
    let [third, fourth] = second.halves().expect("two lines");
    book.ask(part("r1", &third, true)).expect("is added");
    book.ask(part("r1", &fourth, false)).expect("is added");
    let state = &book.tenant().tables.reratings["r1"].state;
    assert_eq!((state.done.len(), state.parts, state.adding), (1, 3, false));
    assert_eq!(
        finish(&mut book, "r1", since),
        [
            "data 2012-05-01: 5 GB -> 7 GB, 5.00 -> 7.00",
            "voice 2012-05-01: 25 minute -> 35 minute, 1.25 -> 1.75",
            "voice 2012-05-01: 35 minute -> 36 minute, 1.75 -> 1.80",
            "data 2012-05-01: 7 GB -> 8 GB, 7.00 -> 8.00",
        ]
    );
    assert_eq!(
        lines(&documents(&book, since)),
        ["voice 0.55", "data 3.00"],
        "one note over all of it"
    );
    // Sent again it is done, as a whole or in part.
    let written = book.log.len();
    book.ask(whole()).expect("is done");
    book.ask(part("r1", &fourth, false)).expect("is done");
    assert_eq!(book.log.len(), written);
    let since = book.log.len();
    undo(&mut book, "r1");
    assert_eq!(
        lines(&documents(&book, since)),
        ["voice -0.55", "data -3.00"]
    );
    assert_eq!(batch(&book, "late::1"), "2 = 2 + 0 + 0 + 0 | 0 + 0 + 0 + 2");
    assert_eq!(
        batch(&book, "late::2::1"),
        "1 = 1 + 0 + 0 + 0 | 0 + 0 + 0 + 1"
    );
}

#[test]
fn a_rerating_whose_other_half_never_comes_can_be_taken_back() {
    let mut book = invoiced();
    let [first, second] = late().0.halves().expect("more than one line");
    book.ask(part("r1", &first, true)).expect("is added");
    let since = book.log.len();
    undo(&mut book, "r1");
    assert_eq!(documents(&book, since).len(), 0, "nothing was settled");
    assert_eq!(batch(&book, "late::1"), "2 = 2 + 0 + 0 + 0 | 0 + 0 + 0 + 2");
    let stage = book.tenant().tables.reratings["r1"].state.stage;
    assert_eq!(stage, Stage::Undone);
    // Whoever sends the rest now is too late.
    let written = book.log.len();
    book.ask(part("r1", &second, false))
        .expect("changes nothing");
    assert_eq!(book.log.len(), written);
    // A half that came by itself is not the rerating's.
    let mut book = invoiced();
    book.ask(Command::IngestUsage(Box::new(first.clone())))
        .expect("is taken in");
    assert_eq!(book.refused(part("r2", &first, true)), "BATCH_EXISTS");
}
