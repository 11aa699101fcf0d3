//! Rating the past again where records draw on counters: they draw again in the order in which they happened, counters move
//! by the difference, and undoing brings back what was drawn.

use crate::book::{Book, d};
use crate::counters::{counter, with};
use crate::ingest::{book, metered, record, send, start};
use crate::rerating::{ask, price, rerate, undo};
use indelible_domain::Event;
use indelible_domain::counters::Event as CounterEvent;
use indelible_domain::mediation::UsageRecord;
use indelible_domain::reratings::{Amend, Change, Which};
use std::collections::BTreeMap;

/// Ten minutes for calls and faxes together.
const SHARED: &str = r#"
[[offer.usage]]
code = "fax"
name = "Fax"
metric = "fax"
unit = "minute"
every = "1 month"
align = "calendar"
price = { per_unit = "3" }
[[offer.counter]]
code = "both"
unit = "minute"
size = "10"
reset = "month"
thresholds = ["80%"]
"#;

const BOTH: &str = "subscription:line-1/both/2012-05-01";
const VOICE: &str = "line-1/voice/2012-05-01";
const FAX: &str = "line-1/fax/2012-05-01";

fn key(name: &str) -> [u8; 16] {
    record(&format!("{name} voice 2012-05-02T10:00:00Z 1")).key
}

fn void(names: &[&str]) -> Change {
    Change::Void(Which {
        keys: names.iter().map(|n| key(n)).collect(),
        attributes: BTreeMap::new(),
    })
}

fn say(name: &str, quantity: &str) -> Change {
    Change::Correct(vec![Amend {
        key: key(name),
        quantity: Some(quantity.parse().expect("a number")),
        amount: None,
        attributes: None,
    }])
}

fn may(change: Change) -> indelible_domain::reratings::Ask {
    ask("2012-05-01", "2012-06-01", change)
}

fn used(book: &Book, id: &str) -> String {
    counter(book, id).map_or("none".into(), |c| c.used.to_string())
}

fn failed(book: &Book, id: &str) -> Vec<String> {
    let state = &book.tenant().tables.reratings[id].state;
    state.failed.iter().map(|f| f.reason.code.clone()).collect()
}

/// 8 minutes of calls, then 6 of faxes: of these 2 are covered, 4 cost 12.
fn shared() -> Book {
    let mut book = book(&with(SHARED));
    send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-02T10:00:00Z 8"),
            record("k2 fax 2012-05-03T10:00:00Z 6"),
        ],
    );
    assert_eq!(metered(&book, FAX), "1 records, 4, 12");
    assert_eq!(used(&book, BOTH), "10");
    book
}

#[test]
fn a_record_taken_out_leaves_its_counter_to_the_charges_that_share_it() {
    let mut book = shared();
    let told = rerate(&mut book, "r1", may(void(&["k1"]))).expect("is void");
    assert_eq!(failed(&book, "r1"), Vec::<String>::new());
    assert_eq!(
        told,
        ["fax 2012-05-01: 4 minute -> 0 minute, 12.00 -> 0.00"]
    );
    assert_eq!(metered(&book, FAX), "1 records, 0, 0");
    assert_eq!(used(&book, BOTH), "6");
    undo(&mut book, "r1");
    assert_eq!(failed(&book, "r1"), Vec::<String>::new());
    assert_eq!(metered(&book, VOICE), "1 records, 0, 0");
    assert_eq!(metered(&book, FAX), "1 records, 4, 12");
    assert_eq!(used(&book, BOTH), "10");
}

#[test]
fn records_draw_again_in_the_order_in_which_they_happened() {
    let mut book = book(&with(SHARED));
    let late = vec![record("k2 fax 2012-05-03T10:00:00Z 6")];
    send(&mut book, "b1", late);
    send(
        &mut book,
        "b2",
        vec![record("k1 voice 2012-05-02T10:00:00Z 8")],
    );
    // The fax came first and has all of its minutes.
    assert_eq!(metered(&book, FAX), "1 records, 0, 0");
    assert_eq!(metered(&book, VOICE), "1 records, 4, 4");
    rerate(&mut book, "r1", may(Change::Again)).expect("is rated again");
    assert_eq!(metered(&book, FAX), "1 records, 4, 12");
    assert_eq!(metered(&book, VOICE), "1 records, 0, 0");
    let before = book.log.len();
    assert_eq!(rerate(&mut book, "r2", may(Change::Again)), Ok(vec![]));
    let own = |e: &Event| matches!(e, Event::Rerating(_));
    assert!(book.log[before..].iter().all(|(_, e)| own(e)));
}

#[test]
fn what_comes_along_because_it_shares_a_counter_is_not_edited() {
    let mut book = shared();
    let trunk = |record: UsageRecord| UsageRecord {
        attributes: BTreeMap::from([("trunk".to_string(), "a".to_string())]),
        ..record
    };
    send(
        &mut book,
        "b2",
        vec![
            trunk(record("k3 voice 2012-05-04T10:00:00Z 1")),
            trunk(record("k4 fax 2012-05-04T10:00:00Z 1")),
        ],
    );
    let mut asked = may(Change::Void(Which {
        keys: vec![],
        attributes: BTreeMap::from([("trunk".to_string(), "a".to_string())]),
    }));
    asked.charges = vec!["voice".into()];
    rerate(&mut book, "r1", asked).expect("is void");
    assert_eq!(metered(&book, VOICE), "1 records, 0, 0");
    assert_eq!(metered(&book, FAX), "2 records, 5, 15");
}

#[test]
fn a_threshold_is_told_by_what_moved_altogether() {
    let mut book = shared();
    let crossed = |book: &Book| {
        let crossed =
            |e: &&(String, Event)| matches!(e.1, Event::Counter(CounterEvent::Crossed(_)));
        book.log.iter().filter(crossed).count()
    };
    assert_eq!(crossed(&book), 1);
    // 9 of 10 are used before and after: nothing is reached anew.
    rerate(&mut book, "r1", may(say("k1", "7"))).expect("is corrected");
    assert_eq!((used(&book, BOTH).as_str(), crossed(&book)), ("10", 1));
    rerate(&mut book, "r2", may(say("k2", "0.5"))).expect("is corrected");
    assert_eq!((used(&book, BOTH).as_str(), crossed(&book)), ("7.5", 1));
    rerate(&mut book, "r3", may(say("k2", "1"))).expect("is corrected");
    assert_eq!((used(&book, BOTH).as_str(), crossed(&book)), ("8", 2));
}

#[test]
fn another_version_of_the_offer_brings_the_size_of_its_counters() {
    let mut book = shared();
    let larger = with(&SHARED.replace("size = \"10\"", "size = \"12\""));
    book.ask(indelible_domain::Command::ApplyCatalog {
        offers: indelible_domain::catalog::parse(&larger).expect("reads"),
    })
    .expect("applies");
    let change = Change::Version {
        offer: "line".into(),
        version: 2,
    };
    let told = rerate(&mut book, "r1", may(change)).expect("is rated again");
    assert_eq!(
        told,
        ["fax 2012-05-01: 4 minute -> 2 minute, 12.00 -> 6.00"]
    );
    assert_eq!(used(&book, BOTH), "12");
    undo(&mut book, "r1");
    assert_eq!(failed(&book, "r1"), Vec::<String>::new());
    assert_eq!(metered(&book, FAX), "1 records, 4, 12");
    assert_eq!(used(&book, BOTH), "10");
}

#[test]
fn what_other_subscriptions_drew_on_a_pool_stays_theirs() {
    let pool = SHARED.replace("size = \"10\"", "size = \"5\"\nowner = \"account\"");
    let mut book = book(&with(&pool));
    start(&mut book, "line-2", "2012-05-01", "no-2");
    let second = UsageRecord {
        access: "no-2".into(),
        ..record("k2 fax 2012-05-03T10:00:00Z 6")
    };
    let first = record("k1 voice 2012-05-02T10:00:00Z 8");
    send(&mut book, "b1", vec![first, second]);
    let other = "line-2/fax/2012-05-01";
    assert_eq!(metered(&book, other), "1 records, 4, 12");
    let mut asked = may(void(&["k1"]));
    asked.subscriptions = vec!["line-1".into()];
    rerate(&mut book, "r1", asked).expect("is void");
    assert_eq!(metered(&book, other), "1 records, 4, 12");
    assert_eq!(used(&book, "account:berta/both/2012-05-01"), "2");
    // Somebody else uses what came back: then it cannot be put back as it was, but it is counted anew.
    let third = UsageRecord {
        access: "no-2".into(),
        ..record("k3 fax 2012-05-04T10:00:00Z 5")
    };
    send(&mut book, "b2", vec![third]);
    assert_eq!(used(&book, "account:berta/both/2012-05-01"), "7");
    undo(&mut book, "r1");
    assert_eq!(failed(&book, "r1"), Vec::<String>::new());
    assert_eq!(used(&book, "account:berta/both/2012-05-01"), "10");
    assert_eq!(metered(&book, VOICE), "1 records, 5, 5");
}

#[test]
fn another_price_of_a_charge_with_a_counter_of_money_moves_the_money_it_covers() {
    let mut book = book(&with(
        "[[offer.counter]]\ncode = \"credit\"\nsize = \"10\"\nreset = \"month\"\n",
    ));
    send(
        &mut book,
        "b1",
        vec![record("k2 voice 2012-05-03T10:00:00Z 7")],
    );
    let credit = "subscription:line-1/credit/2012-05-01";
    assert_eq!(used(&book, credit), "7");
    let change = Change::Price {
        charge: "voice".into(),
        price: price("2"),
    };
    rerate(&mut book, "r1", may(change)).expect("is rated again");
    assert_eq!(used(&book, credit), "10");
    assert_eq!(metered(&book, VOICE), "1 records, 7, 4");
    undo(&mut book, "r1");
    assert_eq!(used(&book, credit), "7");
    assert_eq!(metered(&book, VOICE), "1 records, 7, 0");
}

#[test]
fn a_charge_alone_with_its_counter_takes_no_other_meter_along() {
    let mut book = shared();
    let data = vec![record("k5 data 2012-05-05T10:00:00Z 3")];
    send(&mut book, "b2", data);
    let mut asked = may(Change::Again);
    asked.charges = vec!["data".into()];
    rerate(&mut book, "r1", asked).expect("is rated again");
    assert_eq!(book.tenant().tables.reratings["r1"].state.records, 1);
    let mut asked = ask("2012-05-01", "2012-06-01", Change::Again);
    asked.charges = vec!["fax".into()];
    rerate(&mut book, "r2", asked).expect("is rated again");
    assert_eq!(book.tenant().tables.reratings["r2"].state.records, 2);
    assert_eq!(
        d("2012-05-01"),
        book.tenant().tables.usage[FAX]
            .state
            .meter
            .period
            .expect("has one")
            .from
    );
}
