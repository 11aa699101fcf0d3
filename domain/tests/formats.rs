//! The readers of usage formats, on the real files under `tests/data` and on damaged ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use indelible_domain::mediation::formats::{
    Format, Line, RAW_BYTES_MAX, Reading, Unreadable, read,
};
use rust_decimal::Decimal;
use serde_json::Value;

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

#[test]
fn the_real_meter_files_give_the_intervals_and_sums_an_independent_reader_finds() {
    let expected = json("energy/nem12/expected.json");
    // Minutes of an interval, by file.
    let files = [
        ("Example_NEM12_actual_interval.csv", 30),
        ("Example_NEM12_month_solar.csv", 5),
        ("Example_NEM12_multiple_quality.csv", 30),
        ("Example_NEM12_partialchannel.csv", 5),
        ("Example_NEM12_upper_case_units.csv", 30),
    ];
    for (file, minutes) in files {
        let lines = read(Format::Nem12, &data(&format!("energy/nem12/{file}")))
            .expect("the file has a header");
        assert_eq!(faults(&lines), [], "{file}");
        // Meter and register → intervals, sum, first start and last end.
        let mut found: BTreeMap<(String, String), (u64, Decimal, i64, i64)> = BTreeMap::new();
        let mut keys = BTreeSet::new();
        for reading in readings(&lines) {
            assert!(
                keys.insert(&reading.key),
                "{file}: {} is there once",
                reading.key
            );
            let register = (reading.access.clone(), reading.attributes["suffix"].clone());
            let (from, until) = (reading.at_micros, reading.at_micros + minutes * 60_000_000);
            let total = found
                .entry(register)
                .or_insert((0, Decimal::ZERO, from, until));
            *total = (
                total.0 + 1,
                total.1 + reading.quantity,
                total.2.min(from),
                total.3.max(until),
            );
        }
        let mut wanted = BTreeMap::new();
        for (nmi, registers) in expected[file].as_object().expect("registers by meter") {
            for (suffix, total) in registers.as_object().expect("totals by register") {
                let intervals = total["intervals"].as_u64().expect("a count");
                let sum = decimal(&total["sum"].to_string());
                let (first, last) = (market_time(&total["first"]), market_time(&total["last"]));
                wanted.insert((nmi.clone(), suffix.clone()), (intervals, sum, first, last));
            }
        }
        assert_eq!(found, wanted, "{file}");
    }
}

/// The microseconds UTC of a market time, which is UTC+10 all year.
fn market_time(text: &Value) -> i64 {
    let text = format!("{}+10:00", text.as_str().expect("a time").replace(' ', "T"));
    chrono::DateTime::parse_from_rfc3339(&text)
        .expect("a time")
        .timestamp_micros()
}

#[test]
fn an_interval_keeps_its_own_part_of_the_day_and_says_which_flow_it_is() {
    let lines = read(
        Format::Nem12,
        &data("energy/nem12/Example_NEM12_month_solar.csv"),
    )
    .expect("a header");
    let line = lines
        .iter()
        .find(|line| line.raw == "300,20230301[77]=.005")
        .expect("the first sun of the month");
    assert_eq!(line.number, 3);
    let reading = line.reading.as_ref().expect("a value");
    assert_eq!(
        reading.key,
        "NMI1234567/B1/SERNO1234/2023-03-01T06:20+10:00"
    );
    assert_eq!(
        reading.at_micros, 1_677_616_200_000_000,
        "2023-02-28 20:30 UTC"
    );
    assert_eq!(
        (reading.metric.as_str(), reading.unit.as_str()),
        ("energy-export", "kWh")
    );
    assert_eq!(
        (reading.quantity, reading.corrects),
        (decimal("0.005"), true)
    );
}

#[test]
fn ranges_of_a_day_replace_its_quality() {
    let lines = read(
        Format::Nem12,
        &data("energy/nem12/Example_NEM12_multiple_quality.csv"),
    )
    .expect("a header");
    let readings = readings(&lines);
    let quality = |interval: usize| readings[interval - 1].attributes["quality"].as_str();
    assert_eq!(
        [1, 20, 21, 24, 25, 48].map(quality),
        ["F14", "F14", "A", "A", "S14", "S14"]
    );
}

#[test]
fn every_invalid_meter_file_is_refused_with_a_reason() {
    let refused_whole = [
        ("Example_empty_file.csv", "EMPTY_FILE"),
        ("Example_NEM12_empty.csv", "EMPTY_FILE"),
        ("Example_NEM12_missing_header.csv", "NO_HEADER"),
        ("Example_NEM12_powercor.csv", "NO_HEADER"),
        ("Example_NEM12_powercor_missing_fields.csv", "NO_HEADER"),
    ];
    for (file, code) in refused_whole {
        assert_eq!(
            refusal(read(
                Format::Nem12,
                &data(&format!("energy/nem12/invalid/{file}"))
            )),
            code,
            "{file}"
        );
    }
    // Here single days are wrong, and the good ones beside them are read.
    let refused_days = [
        (
            "Example_NEM12_15min_200_30min_300.csv",
            vec![(3, "WRONG_INTERVAL_COUNT")],
            0,
        ),
        (
            "Example_NEM12_15min_200_30min_400.csv",
            vec![(3, "BAD_QUALITY_RANGE")],
            0,
        ),
        (
            "Example_NEM12_30min_200_15min_300.csv",
            vec![(3, "WRONG_INTERVAL_COUNT")],
            0,
        ),
        (
            "Example_NEM12_30min_200_15min_400.csv",
            vec![(3, "WRONG_INTERVAL_COUNT")],
            0,
        ),
        (
            "Example_NEM12_incomplete_interval.csv",
            vec![(3, "WRONG_INTERVAL_COUNT")],
            3 * 48,
        ),
    ];
    for (file, days, intervals) in refused_days {
        let lines = read(
            Format::Nem12,
            &data(&format!("energy/nem12/invalid/{file}")),
        )
        .expect("a header");
        assert_eq!(
            (faults(&lines), readings(&lines).len()),
            (days, intervals),
            "{file}"
        );
    }
}

#[test]
fn accumulated_reads_are_refused_one_by_one() {
    let lines = read(
        Format::Nem12,
        &data("energy/nem12/Example_NEM13_forward_estimate.csv"),
    )
    .expect("a header");
    assert_eq!(
        faults(&lines),
        [(2, "UNSUPPORTED_RECORD"), (4, "UNSUPPORTED_RECORD")]
    );
    assert_eq!(lines.len(), 2);
}

/// A file of one channel with the given unit, and days of 48 values each.
fn meter(unit: &str, days: &str) -> Vec<Line> {
    let file = format!("100,NEM12,202301010000,M,R\n200,NMI1,E1,1,E1,,S1,{unit},30,\n{days}900\n");
    read(Format::Nem12, file.as_bytes()).expect("a header")
}

fn day(date: &str, value: &str, quality: &str) -> String {
    format!(
        "300,{date},{},{quality},,,20230102000000,\n",
        [value; 48].join(",")
    )
}

#[test]
fn units_of_energy_are_normalised_to_thousands() {
    let table = [
        ("Wh", "5", "0.005", "kWh"),
        ("KWH", "5", "5", "kWh"),
        ("MWh", "0.0005", "0.5", "kWh"),
        ("kvarh", "5", "5", "kVArh"),
        ("VARH", "5", "0.005", "kVArh"),
        ("kVAh", "5", "5", "kVAh"),
    ];
    for (unit, written, quantity, normal) in table {
        let lines = meter(unit, &day("20230101", written, "A"));
        assert_eq!(readings(&lines).len(), 48, "{unit}");
        for reading in readings(&lines) {
            assert_eq!(
                (reading.quantity, reading.unit.as_str()),
                (decimal(quantity), normal),
                "{unit}"
            );
        }
    }
    for unit in ["kW", "A", "pf", "", "GWh"] {
        let lines = meter(unit, &day("20230101", "5", "A"));
        assert_eq!(
            faults(&lines),
            [(2, "BAD_UNIT"), (3, "MISSING_CHANNEL")],
            "{unit}"
        );
    }
    // Twenty-eight decimals in watt-hours are thirty-one in kilowatt-hours, three more than there are.
    let lines = meter(
        "Wh",
        &day("20230101", "0.0000000000000000000000000001", "A"),
    );
    assert_eq!(faults(&lines), [(3, "BAD_NUMBER")]);
}

#[test]
fn each_fault_of_a_meter_file_has_its_code() {
    let good = day("20230101", "1", "A");
    let varies = day("20230101", "1", "V");
    let table: [(String, Vec<(u64, &str)>, usize); 11] = [
        (
            good.replace(",1,1,A", ",1,x,A"),
            vec![(3, "WRONG_INTERVAL_COUNT")],
            0,
        ),
        (good.replace(",1,1,A", ",1,,A"), vec![(3, "BAD_NUMBER")], 0),
        (
            good.replace(",1,1,A", ",1,-1,A"),
            vec![(3, "NEGATIVE_QUANTITY")],
            0,
        ),
        (day("20230230", "1", "A"), vec![(3, "BAD_TIME")], 0),
        (day("20230101", "1", "Z"), vec![(3, "BAD_QUALITY")], 0),
        (varies.clone(), vec![(3, "BAD_QUALITY_RANGE")], 0),
        (
            varies.clone() + "400,1,24,A\n400,24,48,A\n",
            vec![(3, "BAD_QUALITY_RANGE")],
            0,
        ),
        (
            varies.clone() + "400,1,48,A\n400,9,8,A\n",
            vec![(3, "BAD_QUALITY_RANGE")],
            0,
        ),
        (
            good.clone() + "400,1,48,E52\n",
            vec![(4, "UNEXPECTED_RECORD")],
            48,
        ),
        (
            good.clone() + "2OO,NMI2\n" + &good,
            vec![(4, "UNKNOWN_RECORD"), (5, "MISSING_CHANNEL")],
            48,
        ),
        (
            good.clone() + "900\n" + &good,
            vec![(5, "UNEXPECTED_RECORD"), (6, "UNEXPECTED_RECORD")],
            48,
        ),
    ];
    for (days, wanted, read) in table {
        let lines = meter("kWh", &days);
        assert_eq!(faults(&lines), wanted, "{days}");
        assert_eq!(readings(&lines).len(), read, "{days}");
    }
}

#[test]
fn a_meter_file_without_its_end_keeps_its_days_and_says_so() {
    let file = format!(
        "100,NEM12,202301010000,M,R\n200,NMI1,E1,1,E1,,,kWh,30,\n{}",
        day("20230101", "1", "A")
    );
    let lines = read(Format::Nem12, file.as_bytes()).expect("a header");
    assert_eq!(
        (readings(&lines).len(), faults(&lines)),
        (48, vec![(3, "TRUNCATED")])
    );
}

#[test]
fn a_value_read_again_has_the_key_of_the_first_and_corrects_it() {
    let lines = meter(
        "kWh",
        &(day("20230101", "1", "S14") + &day("20230101", "2", "A")),
    );
    let readings = readings(&lines);
    assert_eq!(readings.len(), 96);
    let (first, second) = readings.split_at(48);
    for (first, second) in first.iter().zip(second) {
        assert_eq!(
            (&first.key, first.corrects, second.corrects),
            (&second.key, true, true)
        );
        assert_ne!(first.quantity, second.quantity);
    }
}

/// A linear congruential generator: the same damage on every run.
struct Damage(u64);

impl Damage {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const SPLINTERS: [&[u8]; 10] = [
            b"\"",
            b",",
            b";",
            b"\n",
            b"\r",
            b"\xff",
            b"-",
            b"9999999999999999999999999999999",
            b"e-28",
            b"\n300,",
        ];
        for _ in 0..=self.below(12) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 => bytes.truncate(at.max(bytes.len() / 2)),
                1 => {
                    let until = (at + self.below(40)).min(bytes.len());
                    bytes.drain(at..until);
                }
                2 => {
                    let splinter = SPLINTERS[self.below(SPLINTERS.len())];
                    bytes.splice(at..at, splinter.iter().copied());
                }
                _ => {
                    let byte = u8::try_from(self.below(256)).unwrap_or_default();
                    if let Some(place) = bytes.get_mut(at) {
                        *place = byte;
                    }
                }
            }
        }
    }
}

#[test]
fn damaged_files_end_in_lines_or_a_refusal_and_never_in_a_panic() {
    let seeds: [Vec<u8>; 5] = [
        data("telecom/voice-calls.csv")
            .into_iter()
            .take(2_000)
            .collect(),
        data("cloud/focus-1.0-sample.csv")
            .into_iter()
            .take(5_000)
            .collect(),
        data("energy/nem12/Example_NEM12_multiple_quality.csv"),
        data("energy/nem12/Example_NEM13_forward_estimate.csv"),
        b"key,metric,access,at,quantity,unit,amount,zone\nk,m,a,2026-01-01T00:00:00Z,1,GB,2,z\n"
            .to_vec(),
    ];
    let mut damage = Damage(20_261_001);
    let (mut read_some, mut found_faults, mut refused) = (0, 0, 0);
    for round in 0..1_500 {
        let mut bytes = seeds[round % seeds.len()].clone();
        damage.mutate(&mut bytes);
        for format in Format::ALL {
            match read(format, &bytes) {
                Ok(lines) => {
                    let number_max = 1 + bytes
                        .iter()
                        .fold(0, |lines, byte| lines + u64::from(*byte == b'\n'));
                    for line in &lines {
                        assert!(
                            (1..=number_max).contains(&line.number),
                            "round {round}: line {}",
                            line.number
                        );
                    }
                    read_some += readings(&lines).len();
                    found_faults += faults(&lines).len();
                }
                Err(_) => refused += 1,
            }
        }
    }
    // The damage is neither so small nor so great that one way out is never taken.
    assert!(
        read_some > 1_000 && found_faults > 1_000 && refused > 1_000,
        "{read_some} {found_faults} {refused}"
    );
}
