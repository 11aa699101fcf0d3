//! Records that correct earlier ones: the earlier is superseded, and the meter moves by the exact difference.

use crate::ingest::*;
use indelible_domain::Event;
use indelible_domain::mediation::UsageRecord;
use indelible_domain::past::Past;
use indelible_domain::usage::{self, Event as UsageEvent};

#[test]
fn a_correction_supersedes_the_earlier_record_and_moves_the_meter_by_the_exact_difference() {
    let mut book = book(OFFER);
    send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-02T10:00:00Z 900"),
            record("k2 voice 2012-05-03T10:00:00Z 600"),
        ],
    );
    assert_eq!(
        metered(&book, "line-1/voice/2012-05-01"),
        "2 records, 25, 1.25"
    );
    let outcome = send(
        &mut book,
        "b2",
        vec![correction("k1 voice 2012-05-02T10:00:00Z 300")],
    );
    assert_eq!(counts(&outcome), "1 = 1 + 0 + 0 + 0 | 1 + 0 + 0 + 0");
    assert_eq!(batch(&book, "b1"), "2 = 2 + 0 + 0 + 0 | 1 + 0 + 0 + 1");
    assert_eq!(
        metered(&book, "line-1/voice/2012-05-01"),
        "2 records, 15, 0.5"
    );
    let Some((_, Event::Usage(UsageEvent::Corrected(e)))) = book
        .log
        .iter()
        .find(|(_, e)| matches!(e, Event::Usage(UsageEvent::Corrected(_))))
    else {
        panic!("nothing was corrected");
    };
    let c = &e.corrections[0];
    let now = c.now.as_ref().expect("it stays on the charge");
    assert_eq!(
        (c.was.amount.to_string(), now.amount.to_string()),
        ("0.5".to_string(), "-0.25".to_string())
    );
    // Again, and in the same batch twice: the last one holds.
    let third = send(
        &mut book,
        "b3",
        vec![
            correction("k1 voice 2012-05-02T10:00:00Z 300"),
            correction("k1 voice 2012-05-02T10:00:00Z 60"),
            correction("k1 voice 2012-05-02T10:00:00Z 1200"),
        ],
    );
    assert_eq!(counts(&third), "3 = 2 + 1 + 0 + 0 | 1 + 0 + 0 + 1");
    assert_eq!(
        metered(&book, "line-1/voice/2012-05-01"),
        "2 records, 30, 1.5"
    );
}

#[test]
fn a_correction_within_its_batch_leaves_one_record() {
    let mut book = book(OFFER);
    let outcome = send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-02T10:00:00Z 900"),
            correction("k1 voice 2012-05-02T10:00:00Z 1500"),
        ],
    );
    assert_eq!(counts(&outcome), "2 = 2 + 0 + 0 + 0 | 1 + 0 + 0 + 1");
    assert_eq!(
        metered(&book, "line-1/voice/2012-05-01"),
        "1 records, 25, 1.25"
    );
    let facts = book.past.meter("line-1/voice/2012-05-01").expect("a meter");
    let kept: Vec<_> = usage::Records::of(&facts)
        .iter()
        .map(|k| k.amount.to_string())
        .collect();
    assert_eq!(kept, ["1.25"]);
}

#[test]
fn a_correction_that_belongs_to_another_charge_leaves_the_first() {
    let mut book = book(OFFER);
    send(
        &mut book,
        "b1",
        vec![record("k1 energy 2012-05-07T10:00:00Z 5")],
    );
    send(
        &mut book,
        "b2",
        vec![correction("k1 energy 2012-05-12T10:00:00Z 5")],
    );
    assert_eq!(metered(&book, "line-1/peak/2012-05-01"), "0 records, 0, 0");
    assert_eq!(
        metered(&book, "line-1/off-peak/2012-05-01"),
        "1 records, 5, 1"
    );
    // A correction that no charge prices is rejected, and the record it would replace stands.
    let outcome = send(
        &mut book,
        "b3",
        vec![correction("k1 water 2012-05-12T10:00:00Z 5")],
    );
    assert_eq!(counts(&outcome), "1 = 1 + 0 + 0 + 0 | 0 + 0 + 1 + 0");
    assert_eq!(
        metered(&book, "line-1/off-peak/2012-05-01"),
        "1 records, 5, 1"
    );
    assert_eq!(batch(&book, "b2"), "1 = 1 + 0 + 0 + 0 | 1 + 0 + 0 + 0");
}

#[test]
fn a_correction_of_a_waiting_record_is_the_one_that_counts() {
    let mut book = book(OFFER);
    let of = |text: &str| UsageRecord {
        access: "no-2".into(),
        ..record(text)
    };
    send(
        &mut book,
        "b1",
        vec![of("k1 energy 2012-05-05T10:00:00Z 5")],
    );
    send(
        &mut book,
        "b2",
        vec![correction("k1 energy 2012-05-05T10:00:00Z 7")],
    );
    assert_eq!(batch(&book, "b1"), "1 = 1 + 0 + 0 + 0 | 0 + 0 + 0 + 1");
    start(&mut book, "line-2", "2012-05-01", "no-2");
    assert_eq!(
        metered(&book, "line-1/off-peak/2012-05-01"),
        "1 records, 7, 1.4"
    );
    assert!(
        !book
            .tenant()
            .tables
            .usage
            .contains_key("line-2/off-peak/2012-05-01")
    );
}

#[test]
fn a_peak_and_an_ordered_price_are_counted_anew_when_a_record_is_corrected() {
    let offer = OFFER.replace(
        "price = { per_unit = \"0.20\" }",
        "aggregate = \"max\"\nprice = { per_unit = \"0.20\" }",
    );
    let mut book = book(&offer);
    send(
        &mut book,
        "b1",
        vec![
            record("k1 energy 2012-05-05T10:00:00Z 9"),
            record("k2 energy 2012-05-06T10:00:00Z 4"),
        ],
    );
    assert_eq!(
        metered(&book, "line-1/off-peak/2012-05-01"),
        "2 records, 9, 1.8"
    );
    send(
        &mut book,
        "b2",
        vec![correction("k1 energy 2012-05-05T10:00:00Z 3")],
    );
    assert_eq!(
        metered(&book, "line-1/off-peak/2012-05-01"),
        "2 records, 4, 0.8"
    );
}
