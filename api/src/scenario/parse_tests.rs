use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::super::ast::{Catalog, Change, Effective, Expect, Kind, Line, Unused};
use super::{Scenario, parse};

const UPGRADE: &str = r#"
# the head
scenario S-C01 Upgrade from monthly to annual
source   beatrix # not a comment here
note     policy 9
catalog  catalogs/arms.toml
entity   us currency USD zone UTC country US terms 14 rounding half-even
tax      class standard rate 0.20 from 2000-01-01 buyer DE name VAT
dunning policy default
  level OD1 after 30 days remind fee 5.00   # first
  level OD2 after 40 days minimum 260.00 suspend
end
catalog:
[[offer]]
code = "x"   # toml's own comment
end

on 2012-04-01T15:30
  account alice billing-day 1 terms 14
  subscribe s1 alice shotgun-monthly quantity 3 override base 279.95 trial none
  change s1 to shotgun-annual on 2012-05-12 unused full
  charge alice 33.80 "External # charge" class reduced
  usage s1 voice 61.5 at 2012-05-03T10:00 key k1 direction=mo
  refused INVOICE_PAID: void alice invoice 1
  expect invoice alice 2 total 10.00 state partly-paid
    line [2012-05-12, 2013-05-01) 2327.62

    # a comment between lines
    line 2012-05-12 -9.90
  expect dunning alice clear
"#;

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date of the test")
}

fn scenario() -> Scenario {
    parse(UPGRADE).expect("the scenario of the test is well formed")
}

fn mistake(step: &str) -> String {
    parse(&format!("scenario X y\n{step}"))
        .expect_err("the step of the test is wrong")
        .to_string()
}

#[test]
fn the_setting_is_read_before_the_steps() {
    let scenario = scenario();
    assert_eq!(
        (scenario.id.as_str(), scenario.title.as_str()),
        ("S-C01", "Upgrade from monthly to annual")
    );
    assert_eq!(
        scenario.source.as_deref(),
        Some("beatrix # not a comment here")
    );
    assert_eq!(scenario.entities[0].terms, 14);
    assert_eq!(scenario.taxes[0].rate, Decimal::new(20, 2));
    assert_eq!(
        scenario.dunning[0].levels[0].fee,
        Some(Decimal::new(500, 2))
    );
    assert_eq!(
        scenario.dunning[0].levels[1].minimum,
        Some(Decimal::new(26000, 2))
    );
    assert!(scenario.dunning[0].levels[1].suspend && !scenario.dunning[0].levels[0].suspend);
    let Catalog::Inline { text, .. } = &scenario.catalogs[1] else {
        panic!("the second catalog is inline")
    };
    assert_eq!(text, "[[offer]]\ncode = \"x\"   # toml's own comment\n");
}

#[test]
fn steps_keep_their_line_and_their_words() {
    let scenario = scenario();
    let change = &scenario.steps[3];
    assert_eq!(
        (change.line, change.text.as_str()),
        (21, "change s1 to shotgun-annual on 2012-05-12 unused full")
    );
    assert_eq!(
        change.kind,
        Kind::Change(Change {
            subscription: "s1".to_owned(),
            to: Some("shotgun-annual".to_owned()),
            effective: Effective::On(day("2012-05-12")),
            unused: Unused::Full,
            quantity: None,
            billing_day: None,
            overrides: Vec::new(),
            add: Vec::new(),
            remove: Vec::new(),
        })
    );
    let Kind::Charge { text, .. } = &scenario.steps[4].kind else {
        panic!("the fifth step is a charge")
    };
    assert_eq!(text, "External # charge");
    assert!(
        matches!(&scenario.steps[6].kind, Kind::Refused { code, .. } if code == "INVOICE_PAID")
    );
}

#[test]
fn an_expected_invoice_takes_the_lines_below_it() {
    let scenario = scenario();
    let Kind::Expect(Expect::Invoice(invoice)) = &scenario.steps[7].kind else {
        panic!("the eighth step expects")
    };
    assert_eq!(invoice.number, Some(2));
    let annual = Line {
        from: day("2012-05-12"),
        until: Some(day("2013-05-01")),
        amount: Decimal::new(232762, 2),
    };
    let fee = Line {
        from: day("2012-05-12"),
        until: None,
        amount: Decimal::new(-990, 2),
    };
    assert_eq!(invoice.lines, [annual, fee]);
    assert_eq!(scenario.steps.len(), 9);
}

#[test]
fn a_mistake_names_the_line_what_was_needed_and_what_was_found() {
    let table = [
        (
            "pay p1 alice",
            "line 2: `pay` needs an amount, found the end of the line",
        ),
        (
            "pay p1 100.00 alice",
            "line 2: `pay` needs an amount, found `alice`",
        ),
        (
            "on 2012-02-30",
            "line 2: `on` needs a day or a day and a time, found `2012-02-30`",
        ),
        (
            "\naccount alice billing-day 32",
            "line 3: `account` needs a day of the month, 1 to 31, after `billing-day`, found `32`",
        ),
        (
            "change s1",
            "line 2: `change` needs something to change: `to OFFER`, `quantity`, `billing-day`, `override`, `add` or `remove`",
        ),
        (
            "change s1 to x at once",
            "line 2: `change` knows only `at period-end`",
        ),
        ("frob alice", "line 2: `frob` is not a step of a scenario"),
        (
            "bill alice\n line 2012-01-01 1.00",
            "line 3: `line` stands below an `expect invoice`",
        ),
        (
            "expect invoice a\n line [2012-05-01, 2012-05-01) 1",
            "line 3: `line` has an empty period [2012-05-01, 2012-05-01)",
        ),
        (
            "expect invoice a\n line [2012-05-01, 2012-06-01 1",
            "line 3: a period `[from, until)` is opened and not closed",
        ),
        (
            "charge alice 1.00 \"text",
            "line 2: a quotation is opened and not closed",
        ),
        (
            "refused CODE void alice invoice 1",
            "line 2: `refused` needs a colon after the code, found `CODE`",
        ),
        (
            "void alice invoice 0",
            "line 2: `void` needs the number of an invoice, counted from 1, found `0`",
        ),
        (
            "settle p1 now",
            "line 2: `settle` does not know what to do with `now`",
        ),
        (
            "dunning policy x\nlevel A after 3 weeks",
            "line 3: `level` counts in days: `after 30 days`",
        ),
        (
            "dunning policy x\nlevel A after 3 days",
            "line 2: `dunning` is not closed by `end`",
        ),
        (
            "catalog:\n[[offer]]",
            "line 2: `catalog:` is not closed by `end`",
        ),
        (
            "tax class standard from 2000-01-01",
            "line 2: `tax` needs `rate`",
        ),
        (
            "scenario Y z",
            "line 2: `scenario` stands twice: one file holds one scenario",
        ),
    ];
    for (step, sentence) in table {
        assert_eq!(mistake(step), sentence);
    }
}

#[test]
fn a_file_without_a_scenario_line_is_refused() {
    let mistake = parse("# nothing\n\nbill alice\n").expect_err("there is no scenario line");
    assert_eq!(
        mistake.to_string(),
        "line 3: a scenario begins with `scenario ID title`"
    );
}
