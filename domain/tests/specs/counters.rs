//! Counters: what records draw on them, pools, rollover, thresholds, and what a correction gives back.

use crate::book::{Book, d};
use crate::ingest::{book, correction, counts, metered, reasons, record, send, start};
use indelible_domain::catalog;
use indelible_domain::command::{ChangeSubscription, Effective};
use indelible_domain::counters::{self, Counter, Event as CounterEvent};
use indelible_domain::mediation::UsageRecord;
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, Event};
use std::collections::BTreeMap;

const VOICE: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
every = "1 month"
align = "calendar"
price = { per_unit = "1" }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "GB"
every = "1 month"
align = "calendar"
price = { graduated = [{ up_to = "10", unit = "2" }, { unit = "1" }] }
"#;

/// The offer with counters.
pub fn with(counters: &str) -> String {
    format!("{VOICE}{counters}")
}

pub fn counter(book: &Book, id: &str) -> Option<Counter> {
    let entry = book.tenant().tables.counters.get(id);
    entry.map(|e| e.state.clone())
}

/// Used of size, by counter.
fn used(book: &Book, id: &str) -> String {
    match counter(book, id) {
        Some(c) => format!("{} of {}", c.used.to_decimal(2), c.size.to_decimal(2)),
        None => "none".to_string(),
    }
}

fn crossings(book: &Book) -> Vec<String> {
    let all = book.log.iter().filter_map(|(id, event)| match event {
        Event::Counter(CounterEvent::Crossed(e)) => {
            Some(format!("{id} {} at {}", e.threshold, e.used.to_decimal(2)))
        }
        _ => None,
    });
    all.collect()
}

/// Of another subscription.
fn of(access: &str, record: UsageRecord) -> UsageRecord {
    UsageRecord {
        access: access.into(),
        ..record
    }
}

const TWO: &str = r#"
[[offer.counter]]
code = "big"
unit = "minute"
size = "100"
reset = "month"
priority = 1
price = "1"
[[offer.counter]]
code = "small"
unit = "minute"
size = "50"
reset = "month"
priority = 2
price = "1"
"#;

#[test]
fn r_16_counters_are_drawn_one_after_the_other_and_the_rest_is_for_the_price() {
    // The source's first charge and the two after the third each charge the whole quantity again; a record is
    // priced by one charge here, so what is left are the two counters and what is beyond them.
    let cases = [
        ("500", "100", "50", "350", "500"),
        ("200", "100", "50", "50", "200"),
        ("120", "100", "20", "0", "120"),
        ("100", "100", "0", "0", "100"),
        ("80", "80", "0", "0", "80"),
    ];
    for (quantity, big, small, beyond, amount) in cases {
        let mut book = book(&with(TWO));
        send(
            &mut book,
            "b1",
            vec![record(&format!("k1 voice 2012-05-02T10:00:00Z {quantity}"))],
        );
        let drawn = |code: &str| {
            let id = format!("subscription:line-1/{code}/2012-05-01");
            counter(&book, &id).map_or("0".to_string(), |c| c.used.to_string())
        };
        assert_eq!(
            (drawn("big").as_str(), drawn("small").as_str()),
            (big, small),
            "{quantity}"
        );
        assert_eq!(
            metered(&book, "line-1/voice/2012-05-01"),
            format!("1 records, {beyond}, {amount}"),
            "{quantity}"
        );
    }
}

#[test]
fn what_counters_cover_costs_nothing_and_the_rest_goes_through_the_tiers() {
    let mut book = book(&with(
        "[[offer.counter]]\ncode = \"gb\"\nunit = \"GB\"\nsize = \"5\"\nreset = \"month\"\n",
    ));
    send(
        &mut book,
        "b1",
        vec![
            record("k1 data 2012-05-02T10:00:00Z 4"),
            record("k2 data 2012-05-03T10:00:00Z 8"),
            record("k3 data 2012-05-04T10:00:00Z 8"),
        ],
    );
    // 20 − 5 = 15: ten at 2, five at 1.
    assert_eq!(
        metered(&book, "line-1/data/2012-05-01"),
        "3 records, 15, 25"
    );
    // What is taken back was beyond the counter first: 20 − 8 = 12, seven of them at 2.
    send(
        &mut book,
        "b2",
        vec![correction("k2 data 2012-05-03T10:00:00Z 0")],
    );
    assert_eq!(metered(&book, "line-1/data/2012-05-01"), "3 records, 7, 14");
    assert_eq!(used(&book, "subscription:line-1/gb/2012-05-01"), "5 of 5");
    send(
        &mut book,
        "b3",
        vec![
            correction("k1 data 2012-05-02T10:00:00Z 0"),
            correction("k3 data 2012-05-04T10:00:00Z 3"),
        ],
    );
    assert_eq!(metered(&book, "line-1/data/2012-05-01"), "3 records, 0, 0");
    assert_eq!(used(&book, "subscription:line-1/gb/2012-05-01"), "3 of 5");
}

#[test]
fn a_correction_to_another_charge_gives_back_what_the_record_drew() {
    let mut book = book(&with(
        "[[offer.counter]]\ncode = \"gb\"\nunit = \"GB\"\nsize = \"5\"\nreset = \"month\"\n",
    ));
    send(
        &mut book,
        "b1",
        vec![record("k1 data 2012-05-02T10:00:00Z 4")],
    );
    send(
        &mut book,
        "b2",
        vec![correction("k1 voice 2012-05-02T10:00:00Z 4")],
    );
    assert_eq!(metered(&book, "line-1/data/2012-05-01"), "0 records, 0, 0");
    assert_eq!(metered(&book, "line-1/voice/2012-05-01"), "1 records, 4, 4");
    assert_eq!(used(&book, "subscription:line-1/gb/2012-05-01"), "0 of 5");
}

const POOL: &str = r#"
[[offer.counter]]
code = "pool"
unit = "GB"
size = "10"
owner = "account"
reset = "month"
thresholds = ["80%", "5"]
"#;

#[test]
fn a_pool_is_what_its_members_bring_and_each_draws_on_all_of_it() {
    let mut book = book(&with(POOL));
    start(&mut book, "line-2", "2012-05-01", "no-2");
    let pool = "account:berta/pool/2012-05-01";
    send(
        &mut book,
        "b1",
        vec![record("k1 data 2012-05-02T10:00:00Z 12")],
    );
    assert_eq!(used(&book, pool), "12 of 20");
    assert_eq!(metered(&book, "line-1/data/2012-05-01"), "1 records, 0, 0");
    // Who joins brings its share to the period that runs.
    start(&mut book, "line-3", "2012-05-20", "no-3");
    assert_eq!(used(&book, pool), "12 of 30");
    send(
        &mut book,
        "b2",
        vec![of("no-2", record("k2 data 2012-05-21T10:00:00Z 20"))],
    );
    assert_eq!(used(&book, pool), "30 of 30");
    assert_eq!(metered(&book, "line-2/data/2012-05-01"), "1 records, 2, 4");
    // Who leaves has brought it for the period, and brings nothing to the next.
    book.on("2012-05-25");
    book.ask(Command::TerminateSubscription {
        subscription: "line-3".into(),
        effective: Effective::Immediate,
        unused: Unused::None,
    })
    .expect("ends");
    assert_eq!(used(&book, pool), "30 of 30");
    send(
        &mut book,
        "b3",
        vec![record("k3 data 2012-06-02T10:00:00Z 1")],
    );
    assert_eq!(used(&book, "account:berta/pool/2012-06-01"), "1 of 20");
}

#[test]
fn a_prorated_member_brings_its_days() {
    let mut book = book(&with(
        &POOL.replace("size = \"10\"", "size = \"31\"\nprorate = true"),
    ));
    let pool = "account:berta/pool/2012-05-01";
    send(
        &mut book,
        "b1",
        vec![record("k1 data 2012-05-02T10:00:00Z 1")],
    );
    assert_eq!(used(&book, pool), "1 of 31");
    start(&mut book, "line-2", "2012-05-22", "no-2");
    assert_eq!(used(&book, pool), "1 of 41");
    book.on("2012-05-27");
    book.ask(Command::TerminateSubscription {
        subscription: "line-2".into(),
        effective: Effective::Immediate,
        unused: Unused::None,
    })
    .expect("ends");
    assert_eq!(used(&book, pool), "1 of 36");
}

#[test]
fn a_threshold_is_told_once_each_time_that_use_reaches_it() {
    let mut book = book(&with(POOL));
    let pool = "account:berta/pool/2012-05-01";
    let batch = |book: &mut Book, id: &str, text: &str| {
        send(book, id, vec![record(text)]);
    };
    batch(&mut book, "b1", "k1 data 2012-05-02T10:00:00Z 4");
    assert_eq!(crossings(&book), Vec::<String>::new());
    batch(&mut book, "b2", "k2 data 2012-05-03T10:00:00Z 5");
    let both = [format!("{pool} 5 at 9"), format!("{pool} 80% at 9")];
    assert_eq!(crossings(&book), both);
    batch(&mut book, "b3", "k3 data 2012-05-04T10:00:00Z 1");
    assert_eq!(crossings(&book).len(), 2, "it was reached before");
    // Back below, and up again.
    send(
        &mut book,
        "b4",
        vec![correction("k2 data 2012-05-03T10:00:00Z 2")],
    );
    assert_eq!(used(&book, pool), "7 of 10");
    batch(&mut book, "b5", "k4 data 2012-05-05T10:00:00Z 3");
    assert_eq!(crossings(&book)[2..], [format!("{pool} 80% at 10")]);
    // Another period begins anew.
    batch(&mut book, "b6", "k5 data 2012-06-05T10:00:00Z 6");
    assert_eq!(
        crossings(&book)[3..],
        ["account:berta/pool/2012-06-01 5 at 6".to_string()]
    );
}

const ROLLING: &str = r#"
[[offer.counter]]
code = "gb"
unit = "GB"
size = "10"
reset = "month"
rollover = { max = "6", periods = 2 }
"#;

#[test]
fn what_is_left_rolls_over_up_to_its_cap_and_the_oldest_is_used_first() {
    let mut book = book(&with(ROLLING));
    let lot = |month: &str| format!("subscription:line-1/gb/2012-{month}-01");
    send(
        &mut book,
        "b1",
        vec![record("k1 data 2012-05-02T10:00:00Z 7")],
    );
    // 3 of May, 10 of June.
    send(
        &mut book,
        "b2",
        vec![record("k2 data 2012-06-02T10:00:00Z 5")],
    );
    assert_eq!(used(&book, &lot("05")), "10 of 10");
    assert_eq!(used(&book, &lot("06")), "2 of 10");
    // 8 of June are left, of which 6 go into July.
    send(
        &mut book,
        "b3",
        vec![record("k3 data 2012-07-02T10:00:00Z 17")],
    );
    assert_eq!(used(&book, &lot("06")), "8 of 10");
    assert_eq!(used(&book, &lot("07")), "10 of 10");
    assert_eq!(metered(&book, "line-1/data/2012-07-01"), "1 records, 1, 2");
    // What lapsed can still be used by a late record of its own period.
    send(
        &mut book,
        "b4",
        vec![record("k4 data 2012-06-20T10:00:00Z 3")],
    );
    assert_eq!(used(&book, &lot("06")), "10 of 10");
    assert_eq!(metered(&book, "line-1/data/2012-06-01"), "2 records, 1, 2");
}

#[test]
fn a_month_without_any_use_rolls_over_too() {
    let mut book = book(&with(ROLLING));
    send(
        &mut book,
        "b1",
        vec![record("k1 data 2012-06-02T10:00:00Z 16")],
    );
    assert_eq!(used(&book, "subscription:line-1/gb/2012-05-01"), "6 of 10");
    assert_eq!(metered(&book, "line-1/data/2012-06-01"), "1 records, 0, 0");
}

#[test]
fn a_late_record_draws_on_the_counter_of_its_own_day() {
    // Berlin is ahead of Greenwich: 22:30 there is the next day here.
    let mut book = book(&with(
        "[[offer.counter]]\ncode = \"day\"\nunit = \"minute\"\nsize = \"10\"\nreset = \"day\"\n",
    ));
    send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-09T22:30:00Z 12"),
            record("k2 voice 2012-05-09T21:30:00Z 4"),
        ],
    );
    let day = |on: &str| used(&book, &format!("subscription:line-1/day/2012-05-{on}"));
    assert_eq!(
        (day("10"), day("09")),
        ("10 of 10".into(), "4 of 10".into())
    );
    assert_eq!(metered(&book, "line-1/voice/2012-05-01"), "2 records, 2, 2");
}

#[test]
fn a_counter_with_nothing_behind_it_refuses_the_whole_record() {
    let mut book = book(&with(
        "[[offer.counter]]\ncode = \"a\"\nunit = \"minute\"\nsize = \"6\"\nreset = \"week\"\n\
         [[offer.counter]]\ncode = \"b\"\nunit = \"minute\"\nsize = \"6\"\nreset = \"never\"\nbeyond = \"refuse\"\n",
    ));
    let outcome = send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-09T10:00:00Z 9"),
            record("k2 voice 2012-05-09T11:00:00Z 4"),
            record("k3 voice 2012-05-09T12:00:00Z 3"),
        ],
    );
    assert_eq!(counts(&outcome), "3 = 3 + 0 + 0 + 0 | 2 + 0 + 1 + 0");
    assert_eq!(reasons(&book), ["COUNTER_EXHAUSTED"]);
    assert_eq!(used(&book, "subscription:line-1/a/2012-05-07"), "6 of 6");
    assert_eq!(used(&book, "subscription:line-1/b/1900-01-01"), "6 of 6");
    assert_eq!(metered(&book, "line-1/voice/2012-05-01"), "2 records, 0, 0");
}

#[test]
fn a_counter_of_money_pays_for_what_the_price_makes_of_usage() {
    let mut book = book(&with(
        "[[offer.counter]]\ncode = \"credit\"\nsize = \"10\"\nreset = \"month\"\n",
    ));
    send(
        &mut book,
        "b1",
        vec![
            record("k1 data 2012-05-02T10:00:00Z 3"),
            record("k2 voice 2012-05-03T10:00:00Z 7"),
        ],
    );
    let credit = "subscription:line-1/credit/2012-05-01";
    // 3 GB are 6, 7 minutes are 7: of 13 the credit pays 10.
    assert_eq!(used(&book, credit), "10 of 10");
    assert_eq!(metered(&book, "line-1/data/2012-05-01"), "1 records, 3, 0");
    assert_eq!(metered(&book, "line-1/voice/2012-05-01"), "1 records, 7, 3");
    send(
        &mut book,
        "b2",
        vec![correction("k2 voice 2012-05-03T10:00:00Z 2")],
    );
    assert_eq!(used(&book, credit), "8 of 10");
    assert_eq!(metered(&book, "line-1/voice/2012-05-01"), "1 records, 2, 0");
}

#[test]
fn a_larger_offer_in_the_period_brings_the_larger_size_and_what_was_used_stays() {
    let plus = VOICE
        .replace("code = \"line\"", "code = \"plus\"")
        .replace("[[offer]]", "\n[[offer]]");
    let gb = |size: &str| {
        format!(
            "[[offer.counter]]\ncode = \"gb\"\nunit = \"GB\"\nsize = \"{size}\"\nreset = \"month\"\n"
        )
    };
    let mut book = book(&format!("{VOICE}{}{plus}{}", gb("5"), gb("9")));
    send(
        &mut book,
        "b1",
        vec![record("k1 data 2012-05-02T10:00:00Z 4")],
    );
    book.on("2012-05-10");
    book.ask(Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: "line-1".into(),
        offer: Some("plus".into()),
        quantity: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        effective: Effective::Immediate,
        unused: Unused::None,
    })))
    .expect("changes");
    let id = counters::id(
        catalog::Owner::Subscription,
        "line-1",
        "gb",
        d("2012-05-01"),
    );
    assert_eq!(used(&book, &id), "4 of 9");
    send(
        &mut book,
        "b2",
        vec![record("k2 data 2012-05-12T10:00:00Z 6")],
    );
    assert_eq!(used(&book, &id), "9 of 9");
    assert_eq!(metered(&book, "line-1/data/2012-05-10"), "1 records, 1, 2");
}

#[test]
fn the_catalog_says_what_is_wrong_with_counters_and_features_and_where() {
    let wrong = with(
        "[[offer.counter]]\ncode = \"gb\"\nunit = \"GB\"\nsize = \"-1\"\ncharges = [\"voice\"]\nfixed = true\nthresholds = [\"120%\"]\n\
         [[offer.counter]]\ncode = \"ever\"\nsize = \"1\"\nreset = \"never\"\nprorate = true\nprice = \"1\"\nrollover = { periods = 99 }\n\
         [[offer.feature]]\ncode = \"sso\"\n",
    );
    let file = catalog::read(&wrong).expect("reads");
    let problems = catalog::problems_of(&catalog::Catalog::default(), &file, vec![]);
    for expected in [
        "offer line, counter gb: size -1 is below zero",
        "offer line, counter gb: charge voice counts in minute, this counts in GB",
        "offer line, counter gb: fixed is about pools",
        "offer line, counter gb: threshold 120% is never reached: the size is 100%",
        "offer line, counter ever: money that it covers has no price",
        "offer line, counter ever: rollover through 99 periods, it may be 1 to 36",
        "offer line, counter ever: it never begins anew, so nothing rolls over",
        "offer line, counter ever: it never begins anew, so there is no period to take a share of",
        "offer line, feature sso: it says one of on, limit and text",
    ] {
        assert!(
            problems.iter().any(|p| p == expected),
            "{expected} in {problems:#?}"
        );
    }
}

#[test]
fn a_threshold_writes_to_the_account_where_the_rule_asks_for_it() {
    let asks = POOL.replace("thresholds", "message = \"allowance\"\nthresholds");
    let mut book = book(&with(&asks));
    send(
        &mut book,
        "b1",
        vec![record("k1 data 2012-05-02T10:00:00Z 8.5")],
    );
    let said = |book: &Book| {
        let messages = book.tenant().tables.messages.values();
        let said = messages.map(|m| {
            let (ask, says) = (&m.state.ask, |name: &str| m.state.ask.values[name].clone());
            format!(
                "{} {}: {} at {} of {} {}",
                ask.account,
                ask.template,
                says("threshold"),
                says("used"),
                says("size"),
                says("unit")
            )
        });
        let mut said: Vec<String> = said.collect();
        said.sort();
        said
    };
    let both = [
        "berta allowance: 5 at 8.5 of 10 GB",
        "berta allowance: 80% at 8.5 of 10 GB",
    ];
    assert_eq!(said(&book), both);
    send(
        &mut book,
        "b2",
        vec![record("k2 data 2012-05-03T10:00:00Z 1")],
    );
    assert_eq!(said(&book).len(), 2, "both were reached before");
    let silent = POOL.replace("thresholds = [\"80%\", \"5\"]", "message = \"allowance\"");
    let refused = book.refused(Command::ApplyCatalog {
        offers: catalog::parse(&with(&silent)).expect("reads"),
    });
    assert_eq!(refused, "CATALOG_INVALID");
}
