//! Price models over totals and over single records; ids are those of the numeric cases.

use indelible_domain::catalog::{self, Usage};
use indelible_domain::kernel::{Decimal, Exact};
use indelible_domain::rating::{Tally, price};
use indelible_domain::usage::Meter;

/// A usage charge, from the lines that matter.
pub fn usage(lines: &str) -> Usage {
    let text = format!(
        "[[offer]]\ncode = \"o\"\nname = \"O\"\ncurrency = \"EUR\"\n[[offer.usage]]\ncode = \"u\"\nname = \"U\"\nmetric = \"m\"\nunit = \"unit\"\nevery = \"1 month\"\n{lines}"
    );
    let offers = catalog::parse(&text).expect("the test's offer reads");
    offers[0].usage[0].clone()
}

fn exact(text: &str) -> Exact {
    text.parse::<Decimal>().expect("a number").into()
}

/// Units → amount, in the table of a case: whole totals, and the same total in slices of records.
#[track_caller]
fn table(case: &str, lines: &str, rows: &[(&str, &str)]) {
    let charge = usage(lines);
    let mut tally = Tally::new(&charge, Meter::default()).expect("a tally");
    let base = price::of_total(&charge, Exact::ZERO).expect("a base");
    for (units, amount) in rows {
        let total = price::of_total(&charge, exact(units)).expect("a price");
        assert_eq!(total.to_string(), *amount, "{case}: {units} units");
        // The same total, reached by one more record: what it adds is the difference.
        let step = exact(units)
            .minus(tally.meter.units)
            .expect("a step")
            .to_decimal(12);
        let used = tally
            .read(step.parse().expect("a number"), None)
            .expect("a use");
        tally.add(used).expect("a charge");
        let summed = base.plus(tally.meter.amount).expect("a sum");
        assert_eq!(
            summed.to_string(),
            *amount,
            "{case}: records summing to {units} units"
        );
    }
}

#[test]
fn graduated_tiers_price_their_own_width_and_their_flat_fee_when_entered() {
    table(
        "P-A01",
        r#"price = { graduated = [{ up_to = "10", unit = "10", flat = "2" }, { up_to = "20", unit = "5", flat = "3" }, { unit = "5", flat = "3" }] }"#,
        &[
            ("0", "2"),
            ("1", "12"),
            ("10", "102"),
            ("11", "110"),
            ("12", "115"),
            ("21", "163"),
        ],
    );
    table(
        "P-A03",
        r#"price = { graduated = [{ up_to = "0.1", unit = "10" }, { up_to = "1", unit = "5" }, { unit = "2" }] }"#,
        &[("0.05", "0.5"), ("0.5", "3")],
    );
    table(
        "P-A08, first prices",
        r#"price = { graduated = [{ up_to = "5", flat = "100" }, { up_to = "10", flat = "50" }, { up_to = "15", unit = "5" }, { unit = "1" }] }"#,
        &[("22", "182")],
    );
    table(
        "P-A08, second prices",
        r#"price = { graduated = [{ up_to = "5", flat = "100" }, { up_to = "10", flat = "50" }, { up_to = "15", unit = "10" }, { unit = "5" }] }"#,
        &[
            ("0", "100"),
            ("3", "100"),
            ("5", "100"),
            ("5.001", "150"),
            ("7", "150"),
            ("12", "170"),
            ("22", "235"),
        ],
    );
    table(
        "S-G01, all tiers",
        r#"price = { graduated = [{ up_to = "10", unit = "1.5" }, { up_to = "110", unit = "1" }, { up_to = "1110", unit = "0.5" }] }"#,
        &[("111", "115.5")],
    );
}

#[test]
fn a_flat_fee_already_charged_is_not_repeated_by_a_later_slice() {
    let charge = usage(
        r#"price = { graduated = [{ up_to = "5", flat = "100" }, { up_to = "10", flat = "50" }, { up_to = "15", unit = "5" }, { unit = "1" }] }"#,
    );
    let mut tally = Tally::new(&charge, Meter::default()).expect("a tally");
    let mut slice = |units: i64| {
        let used = tally.read(units.into(), None).expect("a use");
        tally.add(used).expect("a charge").to_string()
    };
    slice(12);
    assert_eq!(slice(10), "22", "P-A09");
}

#[test]
fn volume_prices_all_units_at_the_tier_that_the_total_reaches() {
    table(
        "P-A05",
        r#"price = { volume = [{ up_to = "100", unit = "2", flat = "10" }, { up_to = "200", unit = "1" }, { unit = "0.5", flat = "50" }] }"#,
        &[
            ("0", "10"),
            ("1", "12"),
            ("100", "210"),
            ("100.5", "100.5"),
            ("101", "101"),
            ("200", "200"),
            ("300", "200"),
        ],
    );
    table(
        "P-A07",
        r#"price = { volume = [{ up_to = "10", unit = "5", flat = "100" }, { unit = "2", flat = "50" }] }"#,
        &[("5", "125"), ("15", "80")],
    );
    table(
        "S-G01, top tier",
        r#"price = { volume = [{ up_to = "10", unit = "1.5" }, { up_to = "110", unit = "1" }, { up_to = "1110", unit = "0.5" }] }"#,
        &[("111", "55.5")],
    );
    table(
        "S-G03",
        r#"price = { volume = [{ up_to = "1000", unit = "1", block = "100" }, { up_to = "101000", unit = "1", block = "1000" }, { up_to = "201000", unit = "0.5", block = "1000" }] }"#,
        &[
            ("1000", "10"),
            ("101000", "101"),
            ("101001", "51"),
            ("300000", "150"),
        ],
    );
}

#[test]
fn packages_are_charged_when_started_after_the_free_units() {
    table(
        "P-A11",
        r#"price = { package = { size = "10", price = "100" } }"#,
        &[("121", "1300")],
    );
    table(
        "P-A11, 10 free",
        r#"price = { package = { size = "10", price = "100", free = "10" } }"#,
        &[("121", "1200")],
    );
    table(
        "P-A11, 200 free",
        r#"price = { package = { size = "10", price = "100", free = "200" } }"#,
        &[("121", "0")],
    );
    table(
        "P-A13",
        r#"price = { package = { size = "10", price = "15" } }"#,
        &[
            ("0", "0"),
            ("1", "15"),
            ("9", "15"),
            ("10", "15"),
            ("11", "30"),
            ("17", "30"),
            ("22", "45"),
        ],
    );
    table(
        "P-A13, blocks of 20",
        r#"price = { package = { size = "20", price = "5" } }"#,
        &[("45", "15")],
    );
    table(
        "S-G05, minutes",
        r#"price = { package = { size = "1000", price = "0.5" } }"#,
        &[("1000", "0.5")],
    );
    table(
        "S-G05, megabytes",
        r#"price = { package = { size = "512", price = "0.3" } }"#,
        &[("30720", "18")],
    );
}

#[test]
fn late_usage_adds_only_the_difference() {
    let foo = r#"price = { graduated = [{ up_to = "10", unit = "1" }, { up_to = "60", unit = "10" }, { up_to = "135", unit = "100" }] }"#;
    let bar = r#"price = { graduated = [{ up_to = "100", unit = "2" }, { up_to = "600", unit = "20" }, { up_to = "1350", unit = "200" }] }"#;
    table("S-G07, FOO", foo, &[("50", "410"), ("70", "1510")]);
    table("S-G07, BAR", bar, &[("80", "160"), ("200", "2200")]);
    // 1510 + 2200 − (410 + 160) = 3140.
}

#[test]
fn a_unit_price_below_a_cent_stays_exact_until_the_line() {
    table(
        "S-G09",
        r#"price = { graduated = [{ unit = "0.067", block = "1" }] }"#,
        &[("55", "3.685")],
    );
}

#[test]
fn blocks_within_tiers() {
    table(
        "S-G13, minutes, all tiers",
        r#"price = { graduated = [{ up_to = "1000", unit = "1", block = "10" }, { unit = "0.5", block = "10" }] }"#,
        &[("1500", "125")],
    );
    table(
        "S-G13, megabytes, all tiers",
        r#"price = { graduated = [{ up_to = "1024", unit = "0.5" }, { unit = "0.1" }] }"#,
        &[("2048", "614.4")],
    );
    table(
        "S-G13, minutes, top tier",
        r#"price = { volume = [{ up_to = "1000", unit = "1", block = "10" }, { unit = "0.5", block = "10" }] }"#,
        &[("1500", "75")],
    );
    table(
        "S-G13, megabytes, top tier",
        r#"price = { volume = [{ up_to = "1024", unit = "0.5" }, { unit = "0.1" }] }"#,
        &[("2048", "204.8")],
    );
}

/// Records of these sizes one by one; the answer is what they cost together.
fn records(lines: &str, sizes: &[&str], carried: bool) -> String {
    let charge = usage(lines);
    let mut tally = Tally::new(&charge, Meter::default()).expect("a tally");
    for size in sizes {
        let size: Decimal = size.parse().expect("a number");
        let used = if carried {
            tally.read(Decimal::ONE, Some(size))
        } else {
            tally.read(size, None)
        };
        tally.add(used.expect("a use")).expect("a charge");
    }
    tally.meter.amount.to_string()
}

#[test]
fn a_percentage_is_free_while_ordinal_and_running_total_are_within_the_free_allowances() {
    let sizes = ["50", "100", "250", "400"];
    for (case, free, sizes, amount) in [
        (
            "P-A15",
            r#"free_events = 3, free_amount = "250""#,
            &sizes[..],
            "11.15",
        ),
        (
            "P-A15, no free amount",
            "free_events = 3",
            &sizes[..],
            "7.2",
        ),
        (
            "P-A15, free amount above the free events",
            r#"free_events = 3, free_amount = "500""#,
            &sizes[..],
            "7.2",
        ),
        (
            "P-A15, more free events than events",
            "free_events = 5",
            &["50", "100", "200", "50"][..],
            "0",
        ),
    ] {
        let lines =
            format!(r#"price = {{ percentage = {{ rate = "0.013", fixed = "2", {free} }} }}"#);
        assert_eq!(records(&lines, sizes, false), amount, "{case}");
    }
    let by_amount =
        r#"price = { percentage = { rate = "0.01", fixed = "5", free_amount = "15" } }"#;
    for (n, amount) in [(3, "0"), (4, "5.01"), (5, "10.11")] {
        assert_eq!(
            records(by_amount, &["4", "4", "4", "4", "10"][..n], false),
            amount,
            "P-A17 after {n}"
        );
    }
}

#[test]
fn the_bounds_of_a_percentage_hold_per_paid_event() {
    let sizes = ["10", "80", "10000"];
    for (case, more, amount) in [
        ("no bounds", "", "301.691"),
        ("bounds", r#", min = "1.75", max = "12""#, "16.142"),
        (
            "fixed fee",
            r#", min = "1.75", max = "12", fixed = "2""#,
            "18.691",
        ),
        (
            "two free events",
            r#", min = "1.75", max = "12", free_events = 2"#,
            "12",
        ),
        (
            "30 free",
            r#", min = "1.75", max = "12", free_amount = "30""#,
            "13.794",
        ),
        (
            "three free events within 10000",
            r#", min = "1.75", max = "12", free_events = 3, free_amount = "10000""#,
            "2.691",
        ),
    ] {
        let lines = format!(r#"price = {{ percentage = {{ rate = "0.0299"{more} }} }}"#);
        assert_eq!(records(&lines, &sizes, false), amount, "P-A19, {case}");
    }
}

#[test]
fn a_graduated_percentage_enters_its_first_tier_used_or_not() {
    table(
        "P-A21",
        r#"price = { graduated_percentage = [{ up_to = "10", rate = "0.01", flat = "200" }, { up_to = "20", rate = "0.02", flat = "300" }, { rate = "0.03", flat = "400" }] }"#,
        &[
            ("0", "200"),
            ("1", "200.01"),
            ("10", "200.1"),
            ("11", "500.12"),
            ("12", "500.14"),
            ("21", "900.33"),
        ],
    );
}

#[test]
fn a_dynamic_price_sums_what_records_carry_before_anything_is_rounded() {
    let dynamic = r#"price = { dynamic = { multiplier = "1" } }"#;
    assert_eq!(records(dynamic, &["10.1"], true), "10.1", "P-A23");
    assert_eq!(records(dynamic, &["10.1", "901.9"], true), "912", "P-A23");
    assert_eq!(
        records(
            r#"price = { dynamic = { multiplier = "1.15" } }"#,
            &["10", "-2"],
            true
        ),
        "9.2"
    );
    let refused = Tally::new(&usage(dynamic), Meter::default())
        .expect("a tally")
        .read(Decimal::ONE, None);
    assert_eq!(
        refused.expect_err("nothing to multiply").code,
        "PRICE_MISSING"
    );
}

#[test]
fn a_capacity_is_priced_by_its_peak() {
    let charge = |edges: [&str; 3]| {
        let [a, b, c] = edges;
        format!(
            r#"aggregate = "max"
price = {{ volume = [{{ up_to = "{a}", flat = "1" }}, {{ up_to = "{b}", flat = "10" }}, {{ up_to = "{c}", flat = "100" }}] }}"#
        )
    };
    let worth = |lines: &str, peaks: &[i64]| {
        let charge = usage(lines);
        let mut tally = Tally::new(&charge, Meter::default()).expect("a tally");
        for peak in peaks {
            let used = tally.read((*peak).into(), None).expect("a use");
            tally.add(used).expect("a charge");
        }
        price::of_total(&charge, Exact::ZERO)
            .and_then(|base| base.plus(tally.meter.amount))
            .expect("a sum")
    };
    let (foo, bar) = (charge(["10", "50", "75"]), charge(["100", "500", "750"]));
    // One tier holds both units, so the dearer of the two capacities decides.
    for (f, b, amount) in [(5, 99, "1"), (5, 101, "10"), (75, 101, "100")] {
        let dearer = worth(&foo, &[f - 1, f, 2]).max(worth(&bar, &[b, 7]));
        assert_eq!(dearer.to_string(), amount, "S-G11, FOO {f} and BAR {b}");
    }
}

#[test]
fn counted_records_are_units_and_an_allowance_comes_off_first() {
    let charge = usage("aggregate = \"count\"\nallowance = \"2\"\nprice = { per_unit = \"0.5\" }");
    let mut tally = Tally::new(&charge, Meter::default()).expect("a tally");
    let charges: Vec<String> = (0..4)
        .map(|_| {
            let used = tally.read(17.into(), None).expect("a use");
            tally.add(used).expect("a charge").to_string()
        })
        .collect();
    assert_eq!(charges, ["0", "0", "0.5", "0.5"]);
}

#[test]
fn less_than_nothing_is_nothing_flat_fees_included() {
    table(
        "policy 16",
        r#"price = { graduated = [{ up_to = "10", unit = "10", flat = "2" }, { unit = "5" }] }"#,
        &[("-3", "0"), ("1", "12"), ("-0.1", "1")],
    );
}

#[test]
fn sixty_seconds_are_exactly_a_minute_however_they_are_cut() {
    let charge = usage("per = \"60\"\nprice = { per_unit = \"0.05\" }");
    let mut tally = Tally::new(&charge, Meter::default()).expect("a tally");
    for seconds in [7, 7, 7, 7, 7, 7, 18] {
        let used = tally.read(seconds.into(), None).expect("a use");
        tally.add(used).expect("a charge");
    }
    let meter = tally.finish().expect("a meter");
    assert_eq!(
        (meter.quantity.to_string(), meter.amount.to_string()),
        ("1".to_string(), "0.05".to_string())
    );
}
