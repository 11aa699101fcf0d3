//! Meter data: the real files, the invalid ones, and each fault by itself.

use std::collections::{BTreeMap, BTreeSet};

use indelible_domain::mediation::formats::{Format, Line, read};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{data, decimal, faults, json, readings, refusal};

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
        reading.at_micros, 1_677_615_600_000_000,
        "2023-02-28 20:20 UTC"
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
    // Days, the faults they end in, and how many intervals are read beside them.
    type Case<'a> = (String, Vec<(u64, &'a str)>, usize);
    let table: [Case<'_>; 11] = [
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
