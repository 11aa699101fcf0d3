//! The readers of usage formats, on the real files under `tests/data` and on damaged ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use indelible_domain::mediation::formats::{
    Format, Line, RAW_BYTES_MAX, Reading, Unreadable, read,
};
use rust_decimal::Decimal;
use serde_json::Value;

mod damage;
mod nem12;

fn data(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/data")
        .join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &str) -> Value {
    serde_json::from_slice(&data(path)).expect("the expected figures are JSON")
}

fn decimal(text: &str) -> Decimal {
    Decimal::from_str(text).expect("the test writes decimals")
}

fn readings(lines: &[Line]) -> Vec<&Reading> {
    lines
        .iter()
        .filter_map(|line| line.reading.as_ref().ok())
        .collect()
}

/// (line, code) of what could not be read.
fn faults(lines: &[Line]) -> Vec<(u64, &'static str)> {
    let fault = |line: &Line| {
        line.reading
            .as_ref()
            .err()
            .map(|refused| (line.number, refused.code))
    };
    lines.iter().filter_map(fault).collect()
}

fn refusal(read: Result<Vec<Line>, Unreadable>) -> &'static str {
    read.map(|lines| lines.len())
        .expect_err("the file is refused")
        .code
}

#[test]
fn every_format_is_found_by_its_name() {
    for format in Format::ALL {
        assert_eq!(Format::parse(format.name()), Some(format));
    }
    assert_eq!(Format::parse("NEM12"), None);
}

#[test]
fn the_real_calls_sum_to_the_expected_seconds_of_each_subscriber() {
    let lines =
        read(Format::Calls, &data("telecom/voice-calls.csv")).expect("the file has a header");
    assert_eq!(lines.len(), 2025);
    assert_eq!(faults(&lines), []);

    let mut unique: BTreeMap<&str, &Reading> = BTreeMap::new();
    let mut repeated = 0;
    for call in readings(&lines) {
        if let Some(first) = unique.insert(&call.key, call) {
            assert_eq!(first, call, "a repeated record id repeats the call");
            repeated += 1;
        }
    }
    assert_eq!((unique.len(), repeated), (2000, 25));

    let mut totals: BTreeMap<&str, (u64, Decimal)> = BTreeMap::new();
    for call in unique.values() {
        assert_eq!(
            (call.metric.as_str(), call.unit.as_str()),
            ("voice", "second")
        );
        let total = totals.entry(&call.access).or_default();
        *total = (total.0 + 1, total.1 + call.quantity);
    }
    let expected = json("telecom/mo.expected.json");
    let expected = expected["totals"]
        .as_object()
        .expect("totals by subscriber");
    assert_eq!(totals.len(), expected.len());
    for (msisdn, total) in expected {
        let figures = (
            total["records"].as_u64(),
            total["seconds"].as_u64().map(Decimal::from),
        );
        assert_eq!(
            totals
                .get(msisdn.as_str())
                .map(|(calls, sum)| (Some(*calls), Some(*sum))),
            Some(figures),
            "{msisdn}"
        );
    }
}

#[test]
fn a_call_keeps_its_line_its_text_and_its_start_in_utc() {
    let file = b"record_id;msisdn;start;seconds\r\n\r\nmo-1;4917;2026-10-01T02:00:07+02:00;0\r\n";
    let lines = read(Format::Calls, file).expect("the file has a header");
    let [line] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (line.number, line.raw.as_str()),
        (3, "mo-1;4917;2026-10-01T02:00:07+02:00;0")
    );
    let call = line
        .reading
        .as_ref()
        .expect("a call of no seconds is a call");
    assert_eq!(
        (call.at_micros, call.quantity, call.corrects),
        (1_790_812_807_000_000, Decimal::ZERO, false)
    );
}

#[test]
fn each_fault_of_a_call_has_its_code() {
    let start = "2026-10-01T00:00:00Z";
    let file = format!(
        "record_id;msisdn;start;seconds\n\
         a;1;{start};60\n\
         ;1;{start};60\n\
         b;1;{start};\n\
         c;1;{start};-1\n\
         d;1;{start};1.5\n\
         e;1;2026-10-01;60\n\
         f;1;{start};60;extra\n\
         \"g;1;{start};60\n\
         h;1;2026"
    );
    let lines = read(Format::Calls, file.as_bytes()).expect("the file has a header");
    assert_eq!(
        faults(&lines),
        [
            (3, "MISSING_FIELD"),
            (4, "MISSING_FIELD"),
            (5, "BAD_NUMBER"),
            (6, "BAD_NUMBER"),
            (7, "BAD_TIME"),
            (8, "WRONG_FIELD_COUNT"),
            (10, "TRUNCATED"),
        ]
    );
    // A stray quote is a character of the record id, and takes no line with it.
    assert_eq!(
        readings(&lines)
            .iter()
            .map(|call| call.key.as_str())
            .collect::<Vec<_>>(),
        ["a", "\"g"]
    );

    let lines = read(
        Format::Calls,
        b"record_id;msisdn;start;seconds\nmo-\xff;1;2026-10-01T00:00:00Z;60\n",
    );
    assert_eq!(
        faults(&lines.expect("the file has a header")),
        [(2, "NOT_UTF8")]
    );
}

#[test]
fn a_row_that_ends_in_cr_lf_is_whole() {
    let lines = read(Format::Calls, b"record_id;msisdn;start;seconds\r\na;1\r\n")
        .expect("the file has a header");
    assert_eq!(faults(&lines), [(2, "WRONG_FIELD_COUNT")]);
}

#[test]
fn a_table_without_a_usable_header_is_refused() {
    assert_eq!(refusal(read(Format::Calls, b"")), "EMPTY_FILE");
    assert_eq!(
        refusal(read(Format::Focus, b"\xef\xbb\xbf\r\n\r\n")),
        "EMPTY_FILE"
    );
    assert_eq!(
        refusal(read(Format::Calls, b"mo-1;1;2026-10-01T00:00:00Z;60\n")),
        "NO_HEADER"
    );
    assert_eq!(
        refusal(read(Format::Calls, b"record_id;msisdn;start\n")),
        "MISSING_COLUMN"
    );
    assert_eq!(
        refusal(read(
            Format::Records,
            b"key,metric,access,at,quantity,zone,zone\n"
        )),
        "DUPLICATE_COLUMN"
    );
    assert_eq!(
        refusal(read(
            Format::Calls,
            b"record_id;msisdn;start;seconds;\xff\n"
        )),
        "NOT_UTF8"
    );
}

#[test]
fn the_real_cloud_bill_sums_to_its_cost_and_has_no_two_rows_alike() {
    let lines =
        read(Format::Focus, &data("cloud/focus-1.0-sample.csv")).expect("the file has a header");
    assert_eq!((lines.len(), faults(&lines)), (1000, vec![]));
    let charges = readings(&lines);
    let billed: Decimal = charges.iter().filter_map(|charge| charge.amount).sum();
    assert_eq!(billed, decimal("20.52022672899"));
    assert_eq!(
        charges
            .iter()
            .map(|charge| &charge.key)
            .collect::<BTreeSet<_>>()
            .len(),
        1000
    );

    let credits: Vec<_> = charges
        .iter()
        .filter(|charge| charge.amount < Some(Decimal::ZERO))
        .collect();
    assert_eq!(credits.len(), 13);
    let taken_back: Decimal = credits.iter().filter_map(|charge| charge.amount).sum();
    assert_eq!(taken_back, decimal("-2.77567130010"));

    let first = lines.first().expect("there are lines");
    assert_eq!(first.number, 2);
    assert!(
        first
            .raw
            .starts_with("NULL,0.00000080000,\"1234567890123\"")
            && first.raw.ends_with(",NULL")
    );
    let first = first.reading.as_ref().expect("the row is whole");
    assert_eq!(
        (first.access.as_str(), first.unit.as_str()),
        ("51738928782", "Requests")
    );
    assert_eq!(
        (first.quantity, first.amount),
        (Decimal::TWO, Some(decimal("0.0000008")))
    );
    assert_eq!(
        first.at_micros, 1_726_696_800_000_000,
        "2024-09-18 22:00 UTC"
    );
    let attributes: Vec<_> = first
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        attributes,
        [
            ("charge_category", "Usage"),
            ("currency", "USD"),
            ("region", "us-west-2"),
            ("service", "Amazon Simple Queue Service")
        ]
    );
}

fn focus(rows: &str) -> Vec<Line> {
    let header = "Id,BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,SubAccountId,\
                  PricingQuantity,PricingUnit,ConsumedQuantity,ConsumedUnit,Tags";
    read(Format::Focus, format!("{header}\n{rows}").as_bytes()).expect("the file has a header")
}

#[test]
fn a_cloud_row_is_identified_by_all_that_focus_says_of_it_and_by_nothing_else() {
    let lines = focus(
        "1,0.5,USD,Usage,2024-09-01T00:00:00Z,s,1,GB,,,\n\
         2,0.5,USD,Usage,2024-09-01T00:00:00Z,s,1,GB,NULL,NULL,NULL\n\
         3,0.6,USD,Usage,2024-09-01T00:00:00Z,s,1,GB,,,\n",
    );
    let keys: Vec<_> = readings(&lines)
        .iter()
        .map(|charge| charge.key.as_str())
        .collect();
    assert_eq!(keys[0], keys[1], "an exporter's row number tells nothing");
    assert_ne!(keys[0], keys[2], "another cost is another record");
    assert_eq!(keys[0].len(), 32);

    let reordered = read(
        Format::Focus,
        b"SubAccountId,PricingUnit,PricingQuantity,ChargePeriodStart,ChargeCategory,BillingCurrency,BilledCost\n\
          s,GB,1,2024-09-01T00:00:00Z,Usage,USD,0.5\n",
    );
    assert_eq!(
        readings(&reordered.expect("the file has a header"))[0].key,
        keys[0]
    );
}

#[test]
fn a_cloud_row_without_a_priced_quantity_falls_back_to_what_was_consumed_then_to_nothing() {
    let lines = focus(
        "1,1E-3,USD,Usage,2024-09-01 00:00:00,s,NULL,NULL,2.50,Hours,\n\
         2,7,USD,Tax,2024-09-01 00:00:00,s,NULL,NULL,NULL,NULL,\n",
    );
    let read: Vec<_> = readings(&lines)
        .iter()
        .map(|row| (row.quantity, row.unit.clone(), row.amount))
        .collect();
    assert_eq!(
        read,
        [
            (decimal("2.5"), "Hours".to_owned(), Some(decimal("0.001"))),
            (Decimal::ZERO, "charge".to_owned(), Some(decimal("7"))),
        ]
    );
}

#[test]
fn a_cloud_row_may_hold_quoted_separators_and_line_ends_and_an_open_quote_is_told() {
    let lines = focus(
        "1,1,USD,Usage,2024-09-01 00:00:00,s,1,GB,,,\"{\"\"a\"\":\n1,\"\"b\"\":2}\"\n\
         2,1,USD,Usage,2024-09-01 00:00:00,NULL,1,GB,,,\n\
         3,1,USD,Usage,2024-09-01 00:00:00,s,1,GB,,,\"open\n4,1\n",
    );
    assert_eq!(
        lines.iter().map(|line| line.number).collect::<Vec<_>>(),
        [2, 4, 5]
    );
    assert_eq!(readings(&lines).len(), 1);
    assert_eq!(
        faults(&lines),
        [(4, "MISSING_FIELD"), (5, "UNCLOSED_QUOTE")]
    );
}

#[test]
fn other_columns_of_a_record_are_attributes() {
    let file = b"\xef\xbb\xbfkey,metric,access,at,quantity,unit,amount,zone,note\r\n\
        k1,storage,acc-1,2026-01-31T23:59:59.5Z,-0.25,GB,1.20,eu,\r\n\
        k2,storage,acc-1,2026-01-31T23:59:59Z,much,,,,\r\n";
    let lines = read(Format::Records, file).expect("the file has a header");
    assert_eq!(faults(&lines), [(3, "BAD_NUMBER")]);
    let expected = Reading {
        key: "k1".to_owned(),
        corrects: false,
        metric: "storage".to_owned(),
        access: "acc-1".to_owned(),
        at_micros: 1_769_903_999_500_000,
        quantity: decimal("-0.25"),
        unit: "GB".to_owned(),
        amount: Some(decimal("1.2")),
        attributes: BTreeMap::from([("zone".to_owned(), "eu".to_owned())]),
    };
    assert_eq!(readings(&lines), [&expected]);
}

#[test]
fn the_text_kept_with_a_line_is_bounded() {
    let file = format!(
        "key,metric,access,at,quantity\n{}\n",
        "x".repeat(3 * RAW_BYTES_MAX)
    );
    let lines = read(Format::Records, file.as_bytes()).expect("the file has a header");
    assert_eq!(faults(&lines), [(2, "WRONG_FIELD_COUNT")]);
    assert!(lines.iter().all(|line| line.raw.len() < RAW_BYTES_MAX + 40));
}
