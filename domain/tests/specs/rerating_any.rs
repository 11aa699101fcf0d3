//! Whatever is rated again in whatever order: the documents sum to what everything costs when it is rated once, a dry run
//! says what a commit does, the same rerating again does nothing, and undoing restores.

use crate::book::Book;
use crate::ingest::{book, intake};
use crate::rerating::{OFFER, ask, bill, documents, price, rerate, undo, used};
use crate::whatever_happens::Dice;
use indelible_domain::mediation::UsageRecord;
use indelible_domain::reratings::{Amend, Change, Which};
use indelible_domain::{Command, Event};
use std::collections::BTreeMap;

const MONTHS: [(&str, &str); 3] = [
    ("2012-05-01", "2012-06-01"),
    ("2012-06-01", "2012-07-01"),
    ("2012-07-01", "2012-08-01"),
];
const CHARGES: [&str; 4] = ["voice", "data", "peak", "seats"];

/// What is true in the end: records by name, and prices in the order in which they were laid.
#[derive(Clone, Default)]
struct Truth {
    records: Vec<(String, UsageRecord)>,
    prices: Vec<(usize, usize, String)>,
}

fn any_record(dice: &mut Dice, name: &str, month: usize) -> UsageRecord {
    let charge = CHARGES[usize::try_from(dice.roll(4)).expect("few")];
    let quantity = match charge {
        "voice" => dice.roll(1_500).to_string(),
        "seats" => (1 + dice.roll(3)).to_string(),
        _ => format!("{}.{}", dice.roll(9), dice.roll(10)),
    };
    let day = 1 + dice.roll(28);
    used(&format!(
        "{name} {charge} 2012-{:02}-{day:02}T{:02}:00:00Z {quantity}",
        5 + month,
        8 + dice.roll(8)
    ))
}

/// One rerating, as a command, and what is true after it.
fn any_change(
    dice: &mut Dice,
    truth: &mut Truth,
    n: u64,
) -> Option<(usize, Change, Option<UsageRecord>)> {
    let month = usize::try_from(dice.roll(3)).expect("few");
    let pick = |dice: &mut Dice, truth: &Truth| {
        let sides = u64::try_from(truth.records.len()).expect("few");
        (sides > 0).then(|| usize::try_from(dice.roll(sides)).expect("few"))
    };
    match dice.roll(5) {
        0 => {
            let at = pick(dice, truth)?;
            let (_, record) = truth.records.remove(at);
            let which = Which {
                keys: vec![record.key],
                attributes: BTreeMap::new(),
            };
            Some((month, Change::Void(which), None))
        }
        1 | 2 => {
            let at = pick(dice, truth)?;
            let record = &mut truth.records[at].1;
            let quantity = i64::try_from(1 + dice.roll(600)).expect("few").into();
            record.quantity = quantity;
            let amend = Amend {
                key: record.key,
                quantity: Some(quantity),
                amount: None,
                attributes: None,
            };
            Some((month, Change::Correct(vec![amend]), None))
        }
        3 => {
            let name = format!("late-{n}");
            let record = any_record(dice, &name, month);
            truth.records.push((name.clone(), record.clone()));
            Some((month, Change::Add { batch: name }, Some(record)))
        }
        _ => {
            let charge = usize::try_from(dice.roll(4)).expect("few");
            let unit = format!("{}.{:02}", dice.roll(3), dice.roll(100));
            truth.prices.push((month, charge, unit.clone()));
            let change = Change::Price {
                charge: CHARGES[charge].into(),
                price: price(&unit),
            };
            Some((month, change, None))
        }
    }
}

fn begin(
    book: &mut Book,
    id: &str,
    month: usize,
    change: Change,
    add: Option<UsageRecord>,
) -> Command {
    let (from, until) = MONTHS[month];
    let asked = ask(from, until, change);
    let add = add.map(
        |record| match intake(&format!("late-{}", &id[1..]), vec![record]) {
            Command::IngestUsage(intake) => intake,
            _ => unreachable!("it is a batch"),
        },
    );
    let command = Command::Rerate {
        rerating: id.into(),
        ask: Box::new(asked),
        add,
    };
    book.ask(command.clone()).expect("is asked for");
    command
}

fn finish(book: &mut Book, id: &str) {
    let step = Command::StepRerating {
        rerating: id.into(),
    };
    while book.ask(step.clone()).expect("a step").left > 0 {}
    let failed = &book.tenant().tables.reratings[id].state.failed;
    assert!(failed.is_empty(), "{failed:?}");
}

/// Sum of everything that was ever invoiced.
fn invoiced(book: &Book) -> i128 {
    documents(book, 0).iter().map(|d| d.net.minor).sum()
}

/// Everything rated once, as it is true in the end.
fn from_nothing(truth: &Truth, offer: &str) -> i128 {
    let mut book = book(offer);
    for (n, (month, charge, unit)) in truth.prices.iter().enumerate() {
        let (from, until) = MONTHS[*month];
        let change = Change::Price {
            charge: CHARGES[*charge].into(),
            price: price(unit),
        };
        rerate(&mut book, &format!("p{n}"), ask(from, until, change)).expect("is laid");
    }
    let mut records: Vec<UsageRecord> = truth.records.iter().map(|(_, r)| r.clone()).collect();
    // Counters are drawn in the order in which records happened.
    records.sort_by(|a, b| (a.at, &a.metric).cmp(&(b.at, &b.metric)));
    book.ask(intake("all", records)).expect("is rated");
    book.on("2012-08-02");
    bill(&mut book);
    invoiced(&book)
}

/// Ten minutes of calls, and 5.00 of calls and data together.
const COUNTERS: &str = r#"
[[offer.counter]]
code = "minutes"
unit = "minute"
size = "12"
reset = "month"
[[offer.counter]]
code = "credit"
size = "5"
reset = "month"
charges = ["voice", "data"]
"#;

fn history(seed: u64, offer: &str) {
    let mut dice = Dice(seed);
    let mut truth = Truth::default();
    let mut book = book(offer);
    let mut first = Vec::new();
    for n in 0..8 {
        let name = format!("k{n}");
        let month = usize::try_from(dice.roll(3)).expect("few");
        let record = any_record(&mut dice, &name, month);
        truth.records.push((name, record.clone()));
        first.push(record);
    }
    book.ask(intake("first", first)).expect("is rated");
    for n in 0..7_u64 {
        // Some months are invoiced, some are not yet.
        if dice.roll(3) == 0 {
            let day = ["2012-06-02", "2012-07-02", "2012-08-02"];
            let day = day[usize::try_from(dice.roll(3)).expect("few")];
            if book.today < crate::book::d(day) {
                book.on(day);
            }
            bill(&mut book);
        }
        // What is open besides would go with the note and stay when that is undone: it is billed first.
        let taken_back = dice.roll(3) == 0;
        if taken_back {
            bill(&mut book);
        }
        let kept = truth.clone();
        let Some((month, change, add)) = any_change(&mut dice, &mut truth, n) else {
            continue;
        };
        let id = format!("r{n}");
        // A dry run is the same on a copy.
        let mut copy = book.over(book.world.clone());
        begin(&mut copy, &id, month, change.clone(), add.clone());
        finish(&mut copy, &id);
        let (usage, sum) = (book.tenant().tables.usage.clone(), invoiced(&book));
        let command = begin(&mut book, &id, month, change, add);
        finish(&mut book, &id);
        assert_eq!(
            copy.log, book.log,
            "seed {seed}: a dry run says what a commit does"
        );
        let log = book.log.len();
        book.ask(command.clone()).expect("is known");
        finish(&mut book, &id);
        assert_eq!(
            book.log.len(),
            log,
            "seed {seed}: the same again does nothing"
        );
        if let (Command::Rerate { ask: again, .. }, 0) = (command, dice.roll(2))
            && !matches!(again.change, Change::Add { .. } | Change::Void(_))
        {
            rerate(&mut book, &format!("again-{n}"), *again).expect("finds nothing");
            let own = |e: &Event| matches!(e, Event::Rerating(_));
            let more = &book.log[log..];
            assert!(more.iter().all(|(_, e)| own(e)), "seed {seed}: {more:?}");
        }
        if taken_back {
            undo(&mut book, &id);
            truth = kept;
            assert_eq!(invoiced(&book), sum, "seed {seed}: {id} is undone");
            for (meter, entry) in usage.iter() {
                let now = &book.tenant().tables.usage[meter.as_str()].state;
                assert_eq!(now.meter, entry.state.meter, "seed {seed}: {meter}");
                assert_eq!(now.memory, entry.state.memory, "seed {seed}: {meter}");
            }
        }
    }
    book.on("2012-08-02");
    bill(&mut book);
    if offer != OFFER {
        // Records that came late drew on what was left then: rated again they draw in the order in which they happened.
        let all = ask("2012-05-01", "2012-08-01", Change::Again);
        rerate(&mut book, "end", all).expect("is rated again");
    }
    assert_eq!(invoiced(&book), from_nothing(&truth, offer), "seed {seed}");
}

#[test]
fn reratings_in_any_order_come_to_what_everything_costs_when_it_is_rated_once() {
    for seed in 0..25 {
        history(seed, OFFER);
    }
}

#[test]
fn so_they_do_where_records_draw_on_counters_that_their_charges_share() {
    for seed in 0..25 {
        history(seed, &format!("{OFFER}{COUNTERS}"));
    }
}
