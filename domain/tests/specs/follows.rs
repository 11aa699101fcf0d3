//! Usage follows its contract: whenever a change was told and whenever was billed, what was used costs the same
//! (docs/decisions/0042-usage-follows-its-contract.md).

use crate::book::{Book, d};
use crate::dice::Dice;
use crate::ingest::{batch, book, meter, record, send};
use indelible_domain::Command;
use indelible_domain::charges::What;
use indelible_domain::command::{ChangeSubscription, Effective};
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::{Date, Money, Zone};
use indelible_domain::mediation::UsageRecord;
use indelible_domain::subscriptions::Unused;
use std::collections::BTreeMap;

/// Prices that depend on what a period holds: tiers, an allowance, a minimum, the highest, a level that is carried, a counter.
const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.counter]]
code = "free"
size = "7"
reset = "month"
charges = ["data"]
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
per = "60"
allowance = "10"
minimum = "3"
every = "1 month"
align = "billing_day"
price = { graduated = [{ up_to = "10", unit = "0.10", flat = "1" }, { unit = "0.05" }] }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "GB"
every = "2 weeks"
align = "anniversary"
price = { package = { size = "3", price = "2.50" } }
[[offer.usage]]
code = "peak"
name = "Peak"
metric = "peak"
unit = "kW"
aggregate = "max"
every = "1 month"
align = "billing_day"
price = { per_unit = "3" }
[[offer.usage]]
code = "seats"
name = "Seats"
metric = "seats"
unit = "seat"
aggregate = "level"
carry = true
every = "1 month"
align = "billing_day"
price = { per_unit = "31" }

[[offer]]
code = "plus"
name = "Plus"
currency = "USD"
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
per = "60"
every = "1 week"
align = "calendar"
price = { volume = [{ up_to = "20", unit = "0.08" }, { unit = "0.03" }] }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "GB"
every = "1 month"
align = "calendar"
price = { per_unit = "0.60" }
[[offer.usage]]
code = "peak"
name = "Peak"
metric = "peak"
unit = "kW"
aggregate = "max"
every = "1 month"
align = "billing_day"
price = { per_unit = "2" }
[[offer.usage]]
code = "seats"
name = "Seats"
metric = "seats"
unit = "seat"
aggregate = "level"
carry = true
every = "1 month"
align = "billing_day"
price = { per_unit = "40" }
"#;

#[derive(Clone, Debug)]
enum Told {
    Day(u32),
    Offer(&'static str),
}

/// What is agreed, from when, and on which day it is told.
#[derive(Clone, Debug)]
struct Change {
    told: Date,
    from: Date,
    what: Told,
}

fn tell(book: &mut Book, change: &Change) {
    let subscription = "line-1".to_string();
    let effective = Effective::On(change.from);
    let command = match change.what {
        Told::Day(day) => Command::MoveBillingDay {
            subscription,
            day,
            effective,
        },
        Told::Offer(code) => Command::ChangeSubscription(Box::new(ChangeSubscription {
            subscription,
            offer: Some(code.into()),
            quantity: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            effective,
            unused: Unused::CreditProrata,
        })),
    };
    book.ask(command).expect("it is agreed");
}

fn bill(book: &mut Book) {
    let run = format!("run-{}", book.log.len());
    book.ask(Command::StartBillRun {
        run: run.clone(),
        as_of: None,
        accounts: vec![],
        draft: false,
    })
    .expect("a run");
    let step = Command::StepBillRun { run: run.clone() };
    while book.ask(step.clone()).expect("a step").left > 0 {}
    let failed = &book.tenant().tables.runs[&run].state.failed;
    assert!(failed.is_empty(), "{failed:?}");
}

fn end(book: &mut Book, on: Date) {
    book.ask(Command::TerminateSubscription {
        subscription: "line-1".into(),
        effective: Effective::On(on),
        unused: Unused::CreditProrata,
    })
    .expect("ends");
}

/// What was billed of each charge.
fn billed(book: &Book) -> BTreeMap<String, Money> {
    let mut out: BTreeMap<String, Money> = BTreeMap::new();
    let Some(charges) = book.tenant().tables.charges.get("line-1") else {
        return out;
    };
    let items = charges.state.items.iter();
    for item in items.filter(|i| matches!(i.what, What::Usage { .. })) {
        let sum = out.entry(item.what.charge().to_string());
        let sum = sum.or_insert(Money::zero(item.net.currency));
        *sum = sum.plus(item.net);
    }
    out
}

/// The history as it is told: each record comes the day after, each change on its day, and bills on theirs.
fn live(records: &[(Date, UsageRecord)], changes: &[Change], bills: &[Date]) -> Book {
    let mut book = book(OFFER);
    let last = add_days(d("2012-05-01"), 130);
    book.today = d("2012-05-01");
    while book.today < last {
        let today = book.today;
        for (n, (came, record)) in records.iter().enumerate() {
            if *came == today {
                send(&mut book, &format!("b{n}"), vec![record.clone()]);
            }
        }
        for change in changes.iter().filter(|c| c.told == today) {
            tell(&mut book, change);
        }
        if bills.contains(&today) {
            bill(&mut book);
        }
        book.days_later(1);
    }
    end(&mut book, last);
    book.days_later(40);
    bill(&mut book);
    book
}

#[test]
fn usage_costs_the_same_whenever_a_change_was_told_and_whenever_it_was_billed() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seeds = match number("INDELIBLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("INDELIBLE_SEEDS").map_or(12, |n| n / 10),
    };
    let start = d("2012-05-01");
    let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
    let mut late = 0;
    for seed in seeds {
        let mut dice = Dice(seed);
        let mut records = Vec::new();
        for n in 0..40 {
            let day = add_days(start, dice.below(120));
            let at = berlin.start_of(day).0 + dice.below(86_400_000_000);
            let at = indelible_domain::kernel::Instant(at);
            let (metric, most) = [("voice", 900), ("data", 5), ("peak", 40), ("seats", 4)]
                [usize::try_from(dice.below(4)).expect("few")];
            let quantity = 1 + dice.below(most);
            let record = record(&format!("k{n} {metric} {at} {quantity}"));
            // What draws on a counter comes in its order: what comes late draws on what is left (decision 41).
            let days = match metric {
                "data" => 1,
                _ => 1 + dice.below(3),
            };
            records.push((add_days(berlin.date(record.at), days), record));
        }
        records.sort_by_key(|(_, record)| record.at);
        let mut changes: Vec<Change> = (0..1 + dice.below(4))
            .map(|_| {
                let told = add_days(start, 20 + dice.below(100));
                let from = add_days(told, 5 - dice.below(45)).max(add_days(start, 1));
                let what = match dice.below(3) {
                    0 => Told::Offer(["line", "plus"][usize::from(dice.below(2) == 0)]),
                    _ => Told::Day(u32::try_from(1 + dice.below(31)).expect("a day")),
                };
                Change { told, from, what }
            })
            .collect();
        changes.sort_by_key(|c| c.told);
        late += changes.iter().filter(|c| c.from < c.told).count();
        let mut any_days = |most: i64| -> Vec<Date> {
            let days = 0..dice.below(most);
            days.map(|_| add_days(start, dice.below(130))).collect()
        };
        let (often, seldom) = (any_days(12), any_days(3));
        let at_once: Vec<Change> = changes
            .iter()
            .map(|c| Change {
                told: start,
                ..c.clone()
            })
            .collect();
        let known = billed(&live(&records, &at_once, &seldom));
        for bills in [&often, &seldom, &vec![]] {
            let told = billed(&live(&records, &changes, bills));
            assert_eq!(
                told, known,
                "seed {seed}: {changes:#?}, billed on {bills:?}"
            );
        }
    }
    assert!(late > 0, "no change was told late");
}

/// Minutes on a day at noon.
fn minutes(key: &str, day: &str, minutes: u32) -> UsageRecord {
    record(&format!("{key} voice {day}T12:00:00Z {}", minutes * 60))
}

#[test]
fn what_was_rated_in_a_period_that_a_late_move_takes_away_is_rated_in_those_that_there_are_and_billed_once()
 {
    let mut book = book(OFFER);
    book.on("2012-07-05");
    let used = [
        minutes("a", "2012-06-05", 15),
        minutes("b", "2012-07-02", 12),
    ];
    send(&mut book, "b", used.to_vec());
    let first = billed(&book);
    assert!(first.is_empty());
    bill(&mut book);
    // Periods from the 1st: June has 5 minutes beyond the allowance and its flat fee, or the minimum.
    let change = Change {
        told: d("2012-07-05"),
        from: d("2012-06-03"),
        what: Told::Day(3),
    };
    tell(&mut book, &change);
    assert_eq!(meter(&book, "line-1/voice/2012-06-01").records, 0);
    assert_eq!(meter(&book, "line-1/voice/2012-07-01").records, 0);
    // From 3 June to 3 July both: 27 minutes, 17 beyond the allowance: 1 + 10 × 0.10 + 7 × 0.05.
    assert_eq!(meter(&book, "line-1/voice/2012-06-03").records, 2);
    book.on("2012-07-20");
    bill(&mut book);
    let items = &book.tenant().tables.charges["line-1"].state.items;
    let of_june = items.iter().filter(|i| {
        matches!(&i.what, What::Usage { charge, days } if charge == "voice" && days.from == d("2012-06-03"))
    });
    let of_june: Vec<String> = of_june.map(|i| i.net.to_string()).collect();
    assert_eq!(of_june, ["3.00 USD"], "2.35 is less than the minimum");
    assert_eq!(batch(&book, "b"), "2 = 2 + 0 + 0 + 0 | 2 + 0 + 0 + 0");
}

#[test]
fn usage_of_days_after_an_end_that_was_told_late_is_billed_once_as_a_period_of_its_own() {
    for billed_before in [false, true] {
        let mut book = book(OFFER);
        book.on("2012-07-20");
        let used = [
            minutes("a", "2012-06-05", 40),
            minutes("b", "2012-07-02", 100),
        ];
        send(&mut book, "b", used.to_vec());
        if billed_before {
            book.on("2012-08-02");
            bill(&mut book);
        }
        end(&mut book, d("2012-06-20"));
        book.on("2012-08-03");
        bill(&mut book);
        book.on("2012-09-03");
        bill(&mut book);
        let items = &book.tenant().tables.charges["line-1"].state.items;
        let of = |from: &str| {
            let own = items.iter().filter(|i| {
                matches!(&i.what, What::Usage { charge, days } if charge == "voice" && days.from == d(from))
            });
            let zero = Money::zero(indelible_domain::kernel::Currency::default());
            own.fold(None, |sum: Option<Money>, i| {
                Some(sum.map_or(i.net, |sum| sum.plus(i.net)))
            })
            .unwrap_or(zero)
            .to_string()
        };
        // 30 beyond the allowance: 1 + 1 + 20 × 0.05.
        assert_eq!(of("2012-06-01"), "3.00 USD");
        // 90 beyond it: 10 × 0.10 + 80 × 0.05; what July costs by itself is not due any more.
        assert_eq!(
            of("2012-07-01"),
            "5.00 USD",
            "billed before: {billed_before}"
        );
    }
}
