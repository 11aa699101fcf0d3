//! Batches of usage: what is accepted, what waits, what is refused, and that nothing disappears.

use crate::book::{Book, d};
use indelible_domain::catalog;
use indelible_domain::command::{Effective, StartSubscription};
use indelible_domain::kernel::{Decimal, Zone};
use indelible_domain::mediation::{Batch, Event as BatchEvent, Intake, Received, UsageRecord};
use indelible_domain::subscriptions::Unused;
use indelible_domain::usage::{self, Event as UsageEvent, Meter};
use indelible_domain::{Command, Event, Outcome};
use std::collections::BTreeMap;

pub const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.usage]]
code = "peak"
name = "Peak"
metric = "energy"
unit = "kWh"
every = "1 month"
align = "calendar"
price = { per_unit = "0.30" }
[[offer.usage.when]]
days = ["mon", "tue", "wed", "thu", "fri"]
from = "07:00"
until = "23:00"
[[offer.usage]]
code = "off-peak"
name = "Off-peak"
metric = "energy"
unit = "kWh"
every = "1 month"
align = "calendar"
price = { per_unit = "0.20" }
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
where = { direction = "mo" }
[[offer.usage]]
code = "resale"
name = "Resale"
metric = "cloud"
unit = "line"
every = "1 month"
align = "calendar"
price = { dynamic = { multiplier = "1.15" } }
"#;

/// A seller, alice in Berlin, and her line since 1 May 2012.
pub fn book(offer: &str) -> Book {
    let mut book = Book::new();
    book.open("berta", |terms| {
        terms.zone = "Europe/Berlin".parse::<Zone>().expect("a zone")
    });
    book.ask(Command::ApplyCatalog {
        offers: catalog::parse(offer).expect("reads"),
    })
    .expect("applies");
    start(&mut book, "line-1", "2012-05-01", "no-1");
    book
}

pub fn start(book: &mut Book, id: &str, from: &str, access: &str) {
    let start = StartSubscription {
        subscription: id.into(),
        account: "berta".into(),
        offer: "line".into(),
        quantity: Decimal::ONE,
        from: Some(d(from)),
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![access.into()],
    };
    book.ask(Command::StartSubscription(Box::new(start)))
        .expect("starts");
}

/// A record with a key and content of its own, from a short sentence: `key metric at quantity`.
pub fn record(text: &str) -> UsageRecord {
    let parts: Vec<&str> = text.split(' ').collect();
    let short = |s: &str| {
        <[u8; 16]>::try_from(&blake3::hash(s.as_bytes()).as_bytes()[..16]).expect("16 bytes")
    };
    UsageRecord {
        line: 0,
        key: short(parts[0]),
        content: short(text),
        corrects: false,
        metric: parts[1].into(),
        access: "no-1".into(),
        at: parts[2].parse().expect("an instant"),
        quantity: parts[3].parse().expect("a number"),
        amount: None,
        attributes: BTreeMap::from([("direction".to_string(), "mo".to_string())]),
        raw: None,
    }
}

pub fn send(book: &mut Book, batch: &str, records: Vec<UsageRecord>) -> Outcome {
    book.ask(intake(batch, records))
        .expect("the batch is taken")
}

/// The same, as a correction of what has its key.
pub fn correction(text: &str) -> UsageRecord {
    UsageRecord {
        corrects: true,
        ..record(text)
    }
}

pub fn intake(batch: &str, records: Vec<UsageRecord>) -> Command {
    let number = |(i, r): (usize, UsageRecord)| {
        Received::Record(UsageRecord {
            line: i as u64 + 1,
            ..r
        })
    };
    Command::IngestUsage(Box::new(Intake {
        batch: batch.into(),
        source: "test".into(),
        format: "records".into(),
        name: "test.csv".into(),
        lines: records.into_iter().enumerate().map(number).collect(),
    }))
}

/// received = accepted + duplicates + conflicts + unreadable | accepted = rated + pending + rejected + superseded.
pub fn shown(c: indelible_domain::command::UsageCounts) -> String {
    assert_eq!(
        c.received,
        c.accepted + c.duplicates + c.conflicts + c.unreadable,
        "{c:?}"
    );
    assert_eq!(
        c.accepted,
        c.rated + c.pending + c.rejected + c.superseded,
        "{c:?}"
    );
    format!(
        "{} = {} + {} + {} + {} | {} + {} + {} + {}",
        c.received,
        c.accepted,
        c.duplicates,
        c.conflicts,
        c.unreadable,
        c.rated,
        c.pending,
        c.rejected,
        c.superseded
    )
}

pub fn counts(outcome: &Outcome) -> String {
    shown(outcome.usage.expect("counts"))
}

/// Counts of a batch as they are now.
pub fn batch(book: &Book, id: &str) -> String {
    shown(book.tenant().tables.batches[id].state.counts)
}

pub fn meter(book: &Book, id: &str) -> Meter {
    book.tenant()
        .tables
        .usage
        .get(id)
        .map(|e| e.state.meter.clone())
        .unwrap_or_default()
}

pub fn metered(book: &Book, id: &str) -> String {
    let m = meter(book, id);
    format!("{} records, {}, {}", m.records, m.quantity, m.amount)
}

/// Reasons of the rejected and waiting records of every batch, in order.
pub fn reasons(book: &Book) -> Vec<String> {
    let mut out = vec![];
    for (_, event) in &book.log {
        let listed = match event {
            Event::Batch(BatchEvent::Received(e)) => &e.listed,
            Event::Batch(BatchEvent::Continued(e)) => &e.listed,
            _ => continue,
        };
        out.extend(listed.pending.iter().map(|h| h.reason.code.clone()));
        out.extend(listed.rejected.iter().map(|r| r.reason.code.clone()));
    }
    out
}

#[test]
fn a_record_is_rated_by_the_first_charge_whose_filter_and_local_time_hold() {
    let mut book = book(OFFER);
    let outcome = send(
        &mut book,
        "b1",
        vec![
            // Berlin is two hours ahead of UTC in May: 06:59, 07:00, 22:59, 23:00 local on a Monday, then a Saturday.
            record("k1 energy 2012-05-07T04:59:00Z 1"),
            record("k2 energy 2012-05-07T05:00:00Z 10"),
            record("k3 energy 2012-05-07T20:59:59Z 10"),
            record("k4 energy 2012-05-07T21:00:00Z 1"),
            record("k5 energy 2012-05-12T10:00:00Z 1"),
        ],
    );
    assert_eq!(counts(&outcome), "5 = 5 + 0 + 0 + 0 | 5 + 0 + 0 + 0");
    assert_eq!(metered(&book, "line-1/peak/2012-05-01"), "2 records, 20, 6");
    assert_eq!(
        metered(&book, "line-1/off-peak/2012-05-01"),
        "3 records, 3, 0.6"
    );
}

#[test]
fn the_event_date_in_the_accounts_zone_chooses_the_period() {
    let mut book = book(OFFER);
    send(
        &mut book,
        "b1",
        vec![
            record("k1 energy 2012-05-31T21:59:59Z 1"),
            record("k2 energy 2012-05-31T22:00:00Z 1"),
        ],
    );
    assert_eq!(
        metered(&book, "line-1/off-peak/2012-05-01"),
        "1 records, 1, 0.2"
    );
    assert_eq!(
        metered(&book, "line-1/off-peak/2012-06-01"),
        "1 records, 1, 0.2"
    );
}

#[test]
fn records_of_a_period_sum_to_the_model_after_the_allowance() {
    let mut book = book(OFFER);
    // 25 minutes: 10 free, 10 at 0.10, 5 at 0.05 = 1.25.
    send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-02T10:00:00Z 590"),
            record("k2 voice 2012-05-03T10:00:00Z 30"),
        ],
    );
    send(
        &mut book,
        "b2",
        vec![record("k3 voice 2012-05-02T11:00:00Z 880")],
    );
    assert_eq!(
        metered(&book, "line-1/voice/2012-05-01"),
        "3 records, 25, 1.25"
    );
    let amounts: Vec<String> = book
        .log
        .iter()
        .filter_map(|(_, e)| {
            if let Event::Usage(UsageEvent::Rated(e)) = e {
                Some(e)
            } else {
                None
            }
        })
        .flat_map(|e| e.records.iter().map(|r| r.amount.to_string()))
        .collect();
    assert_eq!(amounts, ["0", "0.033333333333", "1.216666666667"]);
}

#[test]
fn the_same_record_counts_once_across_lines_and_batches_and_another_content_conflicts() {
    let mut book = book(OFFER);
    let call = || record("k1 voice 2012-05-02T10:00:00Z 600");
    let first = send(
        &mut book,
        "b1",
        vec![call(), call(), record("k1 voice 2012-05-02T10:00:00Z 601")],
    );
    assert_eq!(counts(&first), "3 = 1 + 1 + 1 + 0 | 1 + 0 + 0 + 0");
    let second = send(
        &mut book,
        "b2",
        vec![call(), record("k1 voice 2012-05-02T10:00:00Z 602")],
    );
    assert_eq!(counts(&second), "2 = 0 + 1 + 1 + 0 | 0 + 0 + 0 + 0");
    assert_eq!(meter(&book, "line-1/voice/2012-05-01").records, 1);
}

#[test]
fn the_same_batch_again_answers_the_same_and_other_content_under_its_id_is_refused() {
    let mut book = book(OFFER);
    let lines = || vec![record("k1 voice 2012-05-02T10:00:00Z 600")];
    let first = send(&mut book, "b1", lines());
    let log = book.log.len();
    assert_eq!(send(&mut book, "b1", lines()).usage, first.usage);
    assert_eq!(book.log.len(), log);
    assert_eq!(
        book.refused(intake(
            "b1",
            vec![record("k2 voice 2012-05-02T10:00:00Z 600")]
        )),
        "BATCH_EXISTS"
    );
}

#[test]
fn what_cannot_be_rated_is_rejected_with_its_reason_and_leaves_no_trace() {
    let mut book = book(OFFER);
    book.ask(Command::PauseSubscription {
        subscription: "line-1".into(),
        reason: "lost".into(),
        from: Some(d("2012-05-10")),
    })
    .expect("pauses");
    book.ask(Command::ResumeSubscription {
        subscription: "line-1".into(),
        reason: "lost".into(),
        on: Some(d("2012-05-12")),
    })
    .expect("resumes");
    let end = Command::TerminateSubscription {
        subscription: "line-1".into(),
        effective: Effective::On(d("2012-06-01")),
        unused: Unused::None,
    };
    book.ask(end).expect("ends");
    let mut incoming = record("k5 voice 2012-05-05T10:00:00Z 60");
    incoming.attributes.clear();
    let outcome = send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-04-30T10:00:00Z 60"),
            record("k2 voice 2012-06-01T10:00:00Z 60"),
            record("k3 voice 2012-05-10T10:00:00Z 60"),
            record("k4 water 2012-05-05T10:00:00Z 60"),
            incoming,
            record("k6 cloud 2012-05-05T10:00:00Z 1"),
        ],
    );
    assert_eq!(counts(&outcome), "6 = 6 + 0 + 0 + 0 | 0 + 0 + 6 + 0");
    assert_eq!(
        reasons(&book),
        [
            "SUBSCRIPTION_NOT_ACTIVE",
            "SUBSCRIPTION_TERMINATED",
            "SUBSCRIPTION_PAUSED",
            "NO_MATCHING_CHARGE",
            "NO_MATCHING_CHARGE",
            "PRICE_MISSING"
        ]
    );
    assert!(book.tenant().tables.usage.is_empty());
}

#[test]
fn a_record_of_an_unknown_number_waits_and_is_rated_when_its_subscription_starts() {
    let mut book = book(OFFER);
    let of = |text: &str| UsageRecord {
        access: "no-2".into(),
        ..record(text)
    };
    let outcome = send(
        &mut book,
        "b1",
        vec![
            of("k1 energy 2012-05-05T10:00:00Z 5"),
            of("k2 energy 2012-05-20T10:00:00Z 5"),
            of("k3 water 2012-05-20T10:00:00Z 5"),
        ],
    );
    assert_eq!(counts(&outcome), "3 = 3 + 0 + 0 + 0 | 0 + 3 + 0 + 0");
    assert_eq!(reasons(&book), ["ACCESS_UNKNOWN"; 3]);
    assert_eq!(
        counts(&send(
            &mut book,
            "b2",
            vec![of("k1 energy 2012-05-05T10:00:00Z 5")]
        )),
        "1 = 0 + 1 + 0 + 0 | 0 + 0 + 0 + 0"
    );
    start(&mut book, "line-2", "2012-05-10", "no-2");
    // Usage from before the start goes on waiting; water has no price.
    assert_eq!(batch(&book, "b1"), "3 = 3 + 0 + 0 + 0 | 1 + 1 + 1 + 0");
    assert_eq!(meter(&book, "line-2/off-peak/2012-05-10").records, 1);
    start(&mut book, "line-3", "2012-05-01", "no-2");
    assert_eq!(batch(&book, "b1"), "3 = 3 + 0 + 0 + 0 | 2 + 0 + 1 + 0");
    assert_eq!(meter(&book, "line-3/off-peak/2012-05-01").records, 1);
}

#[test]
fn a_number_that_moved_is_rated_by_the_subscription_that_runs_on_the_day() {
    let mut book = book(OFFER);
    let end = Command::TerminateSubscription {
        subscription: "line-1".into(),
        effective: Effective::On(d("2012-05-10")),
        unused: Unused::None,
    };
    book.ask(end).expect("ends");
    start(&mut book, "line-2", "2012-05-12", "no-1");
    let outcome = send(
        &mut book,
        "b1",
        vec![
            record("k1 energy 2012-05-09T10:00:00Z 1"),
            record("k2 energy 2012-05-11T10:00:00Z 1"),
            record("k3 energy 2012-05-14T10:00:00Z 1"),
        ],
    );
    assert_eq!(counts(&outcome), "3 = 3 + 0 + 0 + 0 | 2 + 0 + 1 + 0");
    assert_eq!(reasons(&book), ["SUBSCRIPTION_NOT_ACTIVE"]);
    assert_eq!(
        (
            meter(&book, "line-1/peak/2012-05-01").records,
            meter(&book, "line-2/peak/2012-05-12").records
        ),
        (1, 1)
    );
}

#[test]
fn a_record_may_name_its_subscription() {
    let mut book = book(OFFER);
    send(
        &mut book,
        "b1",
        vec![UsageRecord {
            access: "subscription:line-1".into(),
            ..record("k1 energy 2012-05-09T10:00:00Z 1")
        }],
    );
    assert_eq!(meter(&book, "line-1/peak/2012-05-01").records, 1);
}

#[test]
fn a_batch_larger_than_a_commit_is_refused_before_anything_is_read_from_it() {
    let mut book = book(OFFER);
    let records = (0..10_001)
        .map(|i| record(&format!("k{i} energy 2012-05-05T10:00:00Z 1")))
        .collect();
    assert_eq!(book.refused(intake("b1", records)), "BATCH_TOO_LARGE");
}

#[test]
fn a_large_batch_becomes_events_that_can_each_be_stored() {
    let mut book = book(OFFER);
    let records = (0..10_000).map(|i| {
        record(&format!(
            "k{i:05} {} 2012-05-05T10:00:00Z 1",
            if i % 2 == 0 { "energy" } else { "water" }
        ))
    });
    let outcome = send(&mut book, "b1", records.collect());
    assert_eq!(
        counts(&outcome),
        "10000 = 10000 + 0 + 0 + 0 | 5000 + 0 + 5000 + 0"
    );
    for (_, event) in &book.log {
        assert!(event.encode().expect("it can be stored").len() < 2 * 1024 * 1024);
    }
    assert_eq!(reasons(&book).len(), 5000);
}

#[test]
fn what_a_replay_folds_is_what_the_commands_made() {
    let mut book = book(OFFER);
    send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-02T10:00:00Z 900"),
            record("k2 water 2012-05-03T10:00:00Z 600"),
        ],
    );
    send(
        &mut book,
        "b2",
        vec![correction("k1 voice 2012-05-02T10:00:00Z 300")],
    );
    let live = &book.tenant().tables.usage["line-1/voice/2012-05-01"].state;
    let mut replayed = usage::Metered::default();
    let mut batches: BTreeMap<String, Batch> = BTreeMap::new();
    for (id, event) in &book.log {
        let (name, schema) = event.event_type();
        let stored = Event::decode(name, schema, &event.encode().expect("writes")).expect("reads");
        use indelible_domain::kernel::Decider;
        match &stored {
            Event::Usage(e) => usage::Metered::evolve(&mut replayed, e),
            Event::Batch(e) => Batch::evolve(batches.entry(id.clone()).or_default(), e),
            _ => {}
        }
    }
    assert_eq!(&replayed, live);
    assert_eq!(batches["b1"], book.tenant().tables.batches["b1"].state);
}

#[test]
fn late_usage_of_a_billed_period_is_billed_as_the_difference() {
    let mut book = book(OFFER);
    let bill = |book: &mut Book, run: &str, as_of: &str| {
        let from = book.log.len();
        book.ask(Command::StartBillRun {
            run: run.into(),
            as_of: Some(d(as_of)),
            accounts: vec![],
            draft: false,
        })
        .expect("a run");
        while book
            .ask(Command::StepBillRun { run: run.into() })
            .expect("a step")
            .left
            > 0
        {}
        let mut lines = vec![];
        for (_, event) in &book.log[from..] {
            if let Event::Invoice(indelible_domain::invoices::Event::Finalised(e)) = event {
                lines.extend(
                    e.document
                        .lines
                        .iter()
                        .map(|l| format!("{} {}", l.what.charge(), l.net.amount())),
                );
            }
        }
        lines
    };
    send(
        &mut book,
        "b1",
        vec![record("k1 energy 2012-05-05T10:00:00Z 3.125")],
    );
    book.on("2012-06-01");
    // 0.625 is a tie: away from zero.
    assert_eq!(bill(&mut book, "r1", "2012-06-01"), ["off-peak 0.63"]);
    send(
        &mut book,
        "b2",
        vec![record("k2 energy 2012-05-06T10:00:00Z 0.01")],
    );
    assert_eq!(bill(&mut book, "r2", "2012-06-02"), [] as [&str; 0]);
    send(
        &mut book,
        "b3",
        vec![record("k3 energy 2012-05-06T11:00:00Z 1")],
    );
    // 4.135 × 0.20 = 0.827, of which 0.63 was billed.
    assert_eq!(bill(&mut book, "r3", "2012-06-03"), ["off-peak 0.20"]);
}

#[test]
fn a_reading_becomes_a_record_without_what_identifies_a_person() {
    use indelible_domain::mediation::formats::{Format, read};
    use indelible_domain::mediation::{access_hash, record_from};
    let hash = |bytes: &[u8]| *blake3::keyed_hash(&[7; 32], bytes).as_bytes();
    let text = "key,metric,access,at,quantity,direction\nk1,voice,491700001,2012-05-02T10:00:00Z,60,mo\nk1,voice,491700001,2012-05-02T10:00:00Z,60.0,mo\nk1,voice,491700001,2012-05-02T10:00:00Z,61,mo\n";
    let lines = read(Format::Records, text.as_bytes()).expect("reads");
    let records: Vec<UsageRecord> = lines
        .iter()
        .map(|l| record_from(l.reading.as_ref().expect("a reading"), "switch-1", hash))
        .collect();
    let [first, same, other] = &records[..] else {
        panic!("three records")
    };
    assert_eq!(first.access, access_hash("491700001", hash));
    assert_eq!(
        (
            first.access.len(),
            access_hash("subscription:line-1", hash).as_str()
        ),
        (32, "subscription:line-1")
    );
    assert_eq!(
        (first.key, first.content),
        (same.key, same.content),
        "60 and 60.0 are one number"
    );
    assert_eq!(first.key, other.key);
    assert_ne!(first.content, other.content);
    let elsewhere = record_from(
        lines[0].reading.as_ref().expect("a reading"),
        "switch-2",
        hash,
    );
    assert_ne!(first.key, elsewhere.key, "a key belongs to its source");
    assert!(!format!("{first:?}").contains("491700001"));
}

#[test]
fn a_batch_of_which_a_half_was_received_goes_on_in_halves_and_counts_nothing_twice() {
    let mut book = book(OFFER);
    book.today = d("2012-05-20");
    let whole = || Intake {
        batch: "b".into(),
        source: "switch".into(),
        format: "api".into(),
        name: "test".into(),
        lines: ["k1", "k2", "k3"]
            .map(|key| record(&format!("{key} voice 2012-05-10T10:00:00Z 60")))
            .map(Received::Record)
            .to_vec(),
    };
    let [first, second] = whole().halves().expect("more than one line");
    assert_eq!((first.lines.len(), second.lines.len()), (1, 2));
    let ask = |book: &mut Book, intake: &Intake| {
        let outcome = book.ask(Command::IngestUsage(Box::new(intake.clone())));
        outcome.expect("is taken in").usage.expect("counted")
    };
    assert_eq!(ask(&mut book, &first).rated, 1);
    let refused = book.refused(Command::IngestUsage(Box::new(whole())));
    assert_eq!(refused, "BATCH_IN_PARTS");
    let [again, second] = whole().halves().expect("cut in the same way");
    assert_eq!(ask(&mut book, &again).rated, 1);
    assert_eq!(ask(&mut book, &second).rated, 2);
    assert_eq!(ask(&mut book, &second).rated, 2, "sent again");
    let meter = &book.tenant().tables.usage["line-1/voice/2012-05-01"];
    assert_eq!(meter.state.meter.records, 3);
    let alone = Intake {
        lines: whole().lines.split_off(2),
        ..whole()
    };
    assert!(alone.halves().is_none());
}
