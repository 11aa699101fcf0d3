//! Usage charges whose condition, quantity and price are expressions.

use crate::book::{Book, d};
use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog;
use indelible_domain::command::{StartSubscription, UsageCounts};
use indelible_domain::fields::{Carrier, Definition, FieldKind, FieldValue, Period, Place};
use indelible_domain::kernel::{Instant, Rejection};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use std::collections::{BTreeMap, BTreeSet};

/// Calls abroad for gold customers at night, all other calls, and data by the size of a session.
const OFFER: &str = r#"
[[offer]]
code = "mobile"
name = "Mobile"
currency = "USD"

[[offer.usage]]
code = "night"
name = "Calls at night"
metric = "voice"
unit = "minute"
every = "1 month"
if = 'field("segment") = "gold" and (hour(at) >= 22 or weekday(at) in ["sat", "sun"])'
quantity = 'ceil(quantity / 60)'
price = { per_unit = "0.01" }

[[offer.usage]]
code = "calls"
name = "Calls"
metric = "voice"
unit = "minute"
per = "60"
every = "1 month"
if = 'not starts_with(coalesce(record.to, ""), "+1900")'
price = { expression = 'round(if units > 10 then 10 * 0.3 + (units - 10) * 0.1 else units * 0.3, 4) * (1 - coalesce(field("rebate"), 0))' }

[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "GB"
every = "1 month"
quantity = 'number(record.bytes) / 1000000000'
price = { expression = 'units / number(record.share)' }
"#;

fn shop() -> Book {
    let mut book = Book::new();
    let of = BTreeSet::from([Carrier::Account, Carrier::Subscription]);
    for (code, kind) in [("segment", FieldKind::Text), ("rebate", FieldKind::Number)] {
        book.ask(Command::DefineField(Box::new(Definition {
            code: code.into(),
            name: code.into(),
            of: of.clone(),
            kind,
            ..Definition::default()
        })))
        .expect("a field");
    }
    book.open("carol", |terms: &mut AccountTerms| {
        terms.zone = "America/New_York".parse().expect("a zone");
    });
    apply(&mut book, OFFER).expect("the offer is published");
    book.ask(Command::StartSubscription(Box::new(StartSubscription {
        subscription: "s".into(),
        account: "carol".into(),
        offer: "mobile".into(),
        quantity: "1".parse().expect("a quantity"),
        from: Some(d("2012-01-01")),
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: false,
        access: vec![],
    })))
    .expect("started");
    book
}

fn apply(book: &mut Book, text: &str) -> Result<(), Rejection> {
    let offers = catalog::parse(text)?;
    book.ask(Command::ApplyCatalog { offers }).map(drop)
}

fn set(book: &mut Book, field: &str, value: FieldValue, from: &str) {
    book.ask(Command::SetField {
        place: Place::new(Carrier::Account, "carol"),
        field: field.into(),
        period: Period {
            value,
            from: Some(d(from)),
            until: None,
            priority: 0,
        },
    })
    .expect("set");
}

fn record(
    key: u8,
    metric: &str,
    at: &str,
    quantity: &str,
    attributes: &[(&str, &str)],
) -> UsageRecord {
    UsageRecord {
        line: u64::from(key),
        key: [key; 16],
        content: *blake(&format!("{metric}{at}{quantity}{attributes:?}")),
        corrects: false,
        metric: metric.into(),
        access: "subscription:s".into(),
        at: at.parse::<Instant>().expect("an instant"),
        quantity: quantity.parse().expect("a quantity"),
        amount: None,
        attributes: attributes
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        raw: None,
    }
}

/// Sixteen bytes of a text, good enough to tell the few records here apart.
fn blake(text: &str) -> Box<[u8; 16]> {
    let mut out = [0_u8; 16];
    for (n, byte) in text.bytes().enumerate() {
        out[n % 16] = out[n % 16].wrapping_mul(31).wrapping_add(byte);
    }
    Box::new(out)
}

fn send(book: &mut Book, batch: &str, records: Vec<UsageRecord>) -> UsageCounts {
    let intake = Intake {
        batch: batch.into(),
        source: "switch".into(),
        format: "api".into(),
        name: "test".into(),
        lines: records.into_iter().map(Received::Record).collect(),
    };
    let outcome = book
        .ask(Command::IngestUsage(Box::new(intake)))
        .expect("taken in");
    outcome.usage.expect("counted")
}

/// Exact amount on the meter of a charge in the month of a day.
fn worth(book: &Book, charge: &str, month: &str) -> String {
    let meter = format!("s/{charge}/{month}");
    let table = &book.tenant().tables.usage;
    table
        .get(&meter)
        .map_or("nothing".into(), |m| m.state.meter.amount.to_string())
}

fn refusals(book: &Book, batch: &str) -> Vec<String> {
    let refused = book.log.iter().filter_map(|(id, event)| match event {
        indelible_domain::Event::Batch(indelible_domain::mediation::Event::Received(e))
            if id == batch =>
        {
            Some(e.listed.rejected.iter())
        }
        _ => None,
    });
    refused
        .flatten()
        .map(|r| format!("{}: {}", r.reason.code, r.reason.message))
        .collect()
}

#[test]
fn the_condition_chooses_the_charge_by_local_time_and_by_what_is_known_of_the_customer_on_that_day()
{
    let mut book = shop();
    book.today = d("2012-05-01");
    set(
        &mut book,
        "segment",
        FieldValue::Text("gold".into()),
        "2012-04-12",
    );
    let counts = send(
        &mut book,
        "b1",
        vec![
            // 22:30 in New York, but not gold yet.
            record(1, "voice", "2012-04-11T02:30:00Z", "61", &[]),
            // 22:30, gold: two started minutes.
            record(2, "voice", "2012-04-13T02:30:00Z", "61", &[]),
            // A Saturday morning.
            record(3, "voice", "2012-04-14T14:00:00Z", "60", &[]),
            // 21:59 on a Thursday.
            record(4, "voice", "2012-04-13T01:59:00Z", "1200", &[]),
        ],
    );
    assert_eq!((counts.rated, counts.rejected), (4, 0));
    assert_eq!(worth(&book, "night", "2012-04-01"), "0.03");
    // 61/60 min × 0.30 = 0.305; 20 min: 10 × 0.30 + 10 × 0.10 = 4.
    assert_eq!(worth(&book, "calls", "2012-04-01"), "4.305");
}

#[test]
fn a_price_reads_units_and_fields_and_stays_a_fraction() {
    let mut book = shop();
    set(
        &mut book,
        "rebate",
        FieldValue::Number("0.1".parse().expect("a number")),
        "2012-04-01",
    );
    let data = |key, bytes, share| {
        record(
            key,
            "data",
            "2012-04-20T12:00:00Z",
            "1",
            &[("bytes", bytes), ("share", share)],
        )
    };
    let counts = send(
        &mut book,
        "b1",
        vec![
            data(1, "1000000000", "3"),
            data(2, "1000000000", "3"),
            data(3, "1000000000", "3"),
            record(4, "voice", "2012-04-20T12:00:00Z", "600", &[]),
        ],
    );
    assert_eq!(counts.rated, 4);
    assert_eq!(
        worth(&book, "data", "2012-04-01"),
        "1",
        "three thirds are one"
    );
    assert_eq!(worth(&book, "calls", "2012-04-01"), "2.7");
}

#[test]
fn a_record_without_a_value_for_an_expression_is_rejected_with_rule_expression_and_value_and_leaves_nothing()
 {
    let mut book = shop();
    let counts = send(
        &mut book,
        "b1",
        vec![
            record(1, "data", "2012-04-20T12:00:00Z", "1", &[("share", "3")]),
            record(
                2,
                "data",
                "2012-04-20T12:00:00Z",
                "1",
                &[("bytes", "many"), ("share", "3")],
            ),
            record(
                3,
                "data",
                "2012-04-20T12:00:00Z",
                "1",
                &[("bytes", "7"), ("share", "0")],
            ),
            record(
                4,
                "voice",
                "2012-04-20T12:00:00Z",
                "60",
                &[("to", "+19005551234")],
            ),
        ],
    );
    assert_eq!((counts.rated, counts.rejected), (0, 4));
    assert_eq!(
        refusals(&book, "b1"),
        [
            "EXPRESSION_VALUE_MISSING: charge data, quantity: expression \"number(record.bytes) / 1000000000\", column 1: a text is needed and there is no value: say what to take with coalesce(…)",
            "EXPRESSION_VALUE_INVALID: charge data, quantity: expression \"number(record.bytes) / 1000000000\", column 1: \"many\" is not a number",
            "EXPRESSION_DIVISION_BY_ZERO: charge data, price: expression \"units / number(record.share)\", column 7: 0.000000007 / 0: 1 divided by zero",
            "NO_MATCHING_CHARGE: offer mobile prices no voice record like this one at 2012-04-20T12:00:00Z",
        ]
    );
    assert_eq!(worth(&book, "data", "2012-04-01"), "nothing");
}

#[test]
fn a_correction_of_a_record_priced_by_an_expression_moves_the_meter_by_the_difference() {
    let mut book = shop();
    let call = |quantity| record(1, "voice", "2012-04-20T12:00:00Z", quantity, &[]);
    send(
        &mut book,
        "b1",
        vec![
            call("600"),
            record(2, "voice", "2012-04-20T12:00:00Z", "60", &[]),
        ],
    );
    assert_eq!(worth(&book, "calls", "2012-04-01"), "3.3");
    let corrected = UsageRecord {
        corrects: true,
        ..call("1200")
    };
    send(&mut book, "b2", vec![corrected]);
    assert_eq!(worth(&book, "calls", "2012-04-01"), "4.3");
}

#[test]
fn an_offer_with_a_wrong_expression_is_refused_with_every_problem_and_its_place() {
    let mut book = shop();
    let wrong = OFFER
        .replace("hour(at) >= 22", "hour(at) >= \"22\"")
        .replace("ceil(quantity / 60)", "metric")
        .replace("field(\"rebate\")", "field(\"discount\")")
        .replace("units / number", "unit / number");
    let refused = apply(&mut book, &wrong).expect_err("refused");
    assert_eq!(refused.code, "CATALOG_INVALID");
    let told: Vec<&str> = refused.message.split("; ").collect();
    for part in [
        "the catalog has 4 problems: offer mobile, charge night, if: column 41: >= compares a number and a text, which are not of one kind",
        "offer mobile, charge night, quantity: column 1: it comes to a text, a number is needed",
        "offer mobile, charge calls, price: column 93: there is no custom field \"discount\" here (there are rebate, segment)",
        "offer mobile, charge data, price: column 1: there is no name unit here (there are account.category, account.country, account.currency, account.entity, account.group, account.id, amount, at, metric, offer, on, quantity, subscription.age, subscription.id, subscription.quantity, subscription.start, units)",
    ] {
        assert!(told.contains(&part), "{part}\nis not in\n{told:#?}");
    }
    let withdrawn = book.refused(Command::WithdrawField {
        code: "segment".into(),
    });
    assert_eq!(withdrawn, "FIELD_IN_USE");
}

/// Traffic by region: the first ten of each are free, and the month costs at most 5.
const TRAFFIC: &str = r#"
[[offer]]
code = "traffic"
name = "Traffic"
currency = "USD"

[[offer.usage]]
code = "traffic"
name = "Traffic"
metric = "traffic"
unit = "GB"
every = "1 month"
group_by = ["region"]
allowance = "10"
maximum = "5"
price = { expression = 'units * number(record.rate)' }
"#;

fn traffic() -> Book {
    let mut book = Book::new();
    book.open("carol", |_: &mut AccountTerms| {});
    apply(&mut book, TRAFFIC).expect("the offer is published");
    book.ask(Command::StartSubscription(Box::new(StartSubscription {
        subscription: "s".into(),
        account: "carol".into(),
        offer: "traffic".into(),
        quantity: "1".parse().expect("a quantity"),
        from: Some(d("2012-01-01")),
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: false,
        access: vec![],
    })))
    .expect("started");
    book
}

#[test]
fn an_allowance_and_a_maximum_hold_for_what_an_expression_asks_in_each_group() {
    let mut book = traffic();
    let sent = |key, day: u8, quantity, region, rate| {
        let at = format!("2012-04-{day:02}T12:00:00Z");
        let attributes = [("region", region), ("rate", rate)];
        record(key, "traffic", &at, quantity, &attributes)
    };
    let month = |book: &Book| worth(book, "traffic", "2012-04-01");
    let first = vec![
        sent(1, 10, "6", "eu", "0.5"),
        // 4 of its 8 are beyond the ten.
        sent(2, 11, "8", "eu", "0.5"),
        // 2 of its 12.
        sent(3, 10, "12", "us", "0.25"),
    ];
    send(&mut book, "b1", first);
    assert_eq!(month(&book), "2.5");
    send(&mut book, "b2", vec![sent(4, 12, "20", "eu", "0.5")]);
    assert_eq!(month(&book), "5", "12.5, and at most 5");
    let corrected = |key, day, quantity| UsageRecord {
        corrects: true,
        ..sent(key, day, quantity, "eu", "0.5")
    };
    // 2 + 8 + 4 of eu: 4 beyond.
    send(
        &mut book,
        "b3",
        vec![corrected(1, 10, "2"), corrected(4, 12, "4")],
    );
    assert_eq!(month(&book), "2.5");
    // Earlier by its own time, it takes the ten: 7 for eu.
    send(&mut book, "b4", vec![sent(5, 2, "9", "eu", "0")]);
    assert_eq!(
        month(&book),
        "5",
        "1 of the first and all after it: 6.5 and 0.5"
    );
    // Taken back, it frees them again.
    send(&mut book, "b5", vec![corrected(5, 2, "-5")]);
    assert_eq!(
        month(&book),
        "0.5",
        "-5 + 14 of eu: 9, and what -5 cost is nothing"
    );
    let used = book.tenant().tables.usage["s/traffic/2012-04-01"]
        .state
        .clone();
    assert_eq!(used.meter.records, 5);
}

#[test]
fn an_allowance_fits_an_amount_that_the_record_carries_but_not_a_percentage() {
    let mut book = Book::new();
    let price =
        |price: &str| TRAFFIC.replace("{ expression = 'units * number(record.rate)' }", price);
    apply(&mut book, &price("{ dynamic = { multiplier = \"2\" } }")).expect("is published");
    let refused = apply(&mut book, &price("{ percentage = { rate = \"0.1\" } }"));
    let message = refused.expect_err("is refused").message;
    assert!(message.contains("use its free events"), "{message}");
}
