use super::*;
use indelible_domain::mediation::formats::{self, Line};
use std::collections::{BTreeMap, BTreeSet};

fn october() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 10, 1).expect("a day of the calendar")
}

fn site(nmi: &str, like: Like) -> Site {
    Site {
        nmi: nmi.to_string(),
        like,
        from: october(),
    }
}

fn generate(seed: u64, months: u32) -> Vec<Delivery> {
    let sites = [
        site("NMI1234567", Like::Solar),
        site("VABD000163", Like::House),
        site("CCCC123456", Like::Plant),
    ];
    let customers = Customers {
        reachable: &|_, _| true,
        sites: &sites,
    };
    deliveries(seed, october(), months, &customers).expect("the supplied files are patterns")
}

fn lines(deliveries: &[Delivery], source: &str) -> Vec<Line> {
    let of_source = deliveries.iter().filter(|d| d.source == source);
    of_source
        .flat_map(|d| formats::read(d.format, &d.bytes).expect("a file of its format"))
        .collect()
}

#[test]
fn one_seed_gives_the_same_files_and_another_seed_gives_others() {
    assert_eq!(generate(1, 1), generate(1, 1));
    assert_ne!(generate(1, 1), generate(2, 1));
}

#[test]
fn a_month_has_each_supplied_call_once_and_its_faults() {
    let all = lines(&generate(1, 1), calls::SOURCE);
    let readable: Vec<_> = all.iter().filter_map(|l| l.reading.as_ref().ok()).collect();
    let keys: BTreeSet<&str> = readable.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(
        keys.len(),
        2_000 + 3,
        "2,000 supplied calls and 3 of strangers"
    );
    assert_eq!(all.len() - readable.len(), 3, "unreadable lines");
    let mut contents: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for reading in &readable {
        contents
            .entry(&reading.key)
            .or_default()
            .insert(format!("{} {}", reading.at_micros, reading.quantity));
    }
    assert_eq!(
        contents.values().filter(|c| c.len() > 1).count(),
        5,
        "conflicts"
    );
    assert_eq!(readable.len(), 2_003 + 25 + 5);
}

#[test]
fn a_month_has_each_supplied_cloud_row_twice_and_its_cost_twice() {
    let all = lines(&generate(1, 1), focus::SOURCE);
    let mut by_key = BTreeMap::new();
    for reading in all.iter().filter_map(|l| l.reading.as_ref().ok()) {
        by_key
            .entry(reading.key.clone())
            .or_insert_with(|| reading.clone());
    }
    let known = by_key.values().filter(|r| r.access != "00000000000");
    let cost: rust_decimal::Decimal = known.clone().filter_map(|r| r.amount).sum();
    assert_eq!(known.count(), 2_000);
    assert_eq!(cost.normalize().to_string(), "41.04045345798");
    assert_eq!(all.iter().filter(|l| l.reading.is_err()).count(), 1);
}

#[test]
fn every_day_of_every_month_has_all_readings_once_before_the_faults_come() {
    let all = lines(&generate(1, 5), nem12::SOURCE);
    let mut per_site: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for reading in all.iter().filter_map(|l| l.reading.as_ref().ok()) {
        per_site
            .entry(reading.access.clone())
            .or_default()
            .insert(reading.key.clone());
    }
    let days = 31 + 30 + 31 + 31 + 28;
    assert_eq!(per_site["NMI1234567"].len(), days * 288 * 2);
    assert_eq!(per_site["VABD000163"].len(), days * 48);
    assert_eq!(per_site["CCCC123456"].len(), days * 48);
    assert_eq!(
        per_site["VABX000999"].len(),
        5 * 48,
        "one day a month of a site nobody supplies"
    );
    let damaged: Vec<_> = all
        .iter()
        .filter_map(|l| l.reading.as_ref().err())
        .map(|u| u.code)
        .collect();
    assert_eq!(damaged, ["WRONG_INTERVAL_COUNT"; 5]);
}

#[test]
fn a_file_holds_nothing_that_was_used_after_the_day_it_arrives() {
    for delivery in generate(1, 2) {
        let midnight = delivery
            .on
            .and_time(chrono::NaiveTime::MIN)
            .and_utc()
            .timestamp_micros();
        for line in formats::read(delivery.format, &delivery.bytes).expect("a file of its format") {
            if let Ok(reading) = line.reading {
                assert!(
                    reading.at_micros < midnight,
                    "{} of {}",
                    reading.key,
                    delivery.name
                );
            }
        }
    }
}
