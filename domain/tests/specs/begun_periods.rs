//! A period that is charged whole, in which the phase of its charge ends, costs the same whenever it is billed.

use crate::book::{Book, usd};
use indelible_domain::Command;
use indelible_domain::charges::What;
use indelible_domain::command::{ChangeSubscription, Effective};
use indelible_domain::kernel::Money;
use indelible_domain::subscriptions::Unused;

/// A fee of 30.00 a month from 1 May 2012, for so long as it lasts; what it says, and another offer without it.
fn book(says: &str, lasts: &str) -> Book {
    let text = format!(
        r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = {{ flat = "30.00" }}
every = "1 month"
align = "calendar"
lasts = "{lasts}"
{says}

[[offer]]
code = "bare"
name = "Bare"
currency = "USD"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
price = {{ per_unit = "1.00" }}
"#
    );
    let mut book = Book::new();
    book.sells(&text);
    book.start("s1", "plan");
    book
}

fn change() -> Command {
    Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: "s1".into(),
        offer: Some("bare".into()),
        quantity: None,
        billing_day: None,
        overrides: Default::default(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    }))
}

fn end() -> Command {
    Command::TerminateSubscription {
        subscription: "s1".into(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    }
}

fn pause() -> Command {
    Command::PauseSubscription {
        subscription: "s1".into(),
        reason: "asked".into(),
        from: None,
    }
}

fn resume() -> Command {
    Command::ResumeSubscription {
        subscription: "s1".into(),
        reason: "asked".into(),
        on: None,
    }
}

/// Everything that was billed of the fee where these things happen, and runs are on these days after them.
fn comes_to((says, lasts): (&str, &str), happens: &[(&str, Command)], bills: &[&str]) -> Money {
    let mut book = book(says, lasts);
    let mut days: Vec<&str> = happens.iter().map(|(day, _)| *day).collect();
    days.extend(bills);
    days.sort_unstable();
    days.dedup();
    for day in days {
        book.on(day);
        for (_, command) in happens.iter().filter(|(on, _)| *on == day) {
            book.ask(command.clone()).expect("happens");
        }
        if bills.contains(&day) {
            book.bill();
        }
    }
    let charges = &book.tenant().tables.charges["s1"].state;
    let of_fee = |what: &What| matches!(what, What::Recurring { .. } | What::Credit { .. });
    let nets = charges.items.iter().filter(|i| of_fee(&i.what));
    Money::sum(usd("0").currency, nets.map(|i| i.net))
}

#[test]
fn a_phase_that_ends_in_a_begun_period_costs_the_same_however_often_it_is_billed() {
    let changed = || vec![("2012-06-10", change())];
    let ended = || vec![("2012-06-10", end())];
    let paused = || vec![("2012-06-05", pause()), ("2012-06-10", resume())];
    let paused_and_changed = || {
        let mut all = paused();
        all.push(("2012-06-12", change()));
        all
    };
    let none = "prorate = \"none\"\n";
    let says = |more: &str| format!("{none}{more}");
    // May is 30.00. June is 30 days of 1.00; of the phase 14 of them.
    let rows = [
        // Nothing cuts it: begun, and charged whole, whether the phase lasts to its end or not.
        (says(""), vec![], "60.00"),
        ("".to_string(), vec![], "44.00"),
        // A change that costs as much as none, and one of which nothing is said.
        (says("on_change = \"full\""), changed(), "60.00"),
        (says(""), changed(), "60.00"),
        ("on_change = \"full\"".to_string(), changed(), "44.00"),
        // By day up to the change or the end: what lies beyond the phase goes with the last day.
        (says("on_change = \"prorate\""), changed(), "39.00"),
        (says("on_end = \"prorate\""), ended(), "39.00"),
        (says("on_end = \"full\""), ended(), "60.00"),
        (says("on_change = \"nothing\""), changed(), "30.00"),
        // Five days of a pause are taken off, and nothing else.
        (says("on_pause = \"prorate\""), paused(), "55.00"),
        (
            says("on_pause = \"prorate\"\non_change = \"full\""),
            paused_and_changed(),
            "55.00",
        ),
        (
            says("on_pause = \"prorate\"\non_change = \"prorate\""),
            paused_and_changed(),
            "36.00",
        ),
    ];
    let first = ["2012-05-01", "2012-06-01"];
    let last = "2012-09-01";
    for (says, happens, amount) in rows {
        let often = [
            first[0],
            first[1],
            "2012-06-08",
            "2012-06-11",
            "2012-06-20",
            last,
        ];
        for bills in [
            &often[..],
            &[first[0], first[1], last],
            &[first[0], last],
            &[last],
        ] {
            assert_eq!(
                comes_to((&says, "45 days"), &happens, bills),
                usd(amount),
                "{says}: {happens:?} billed on {bills:?}"
            );
        }
    }
}

/// The start cuts the period too, and is paid by day: the end of the phase still cuts nothing.
#[test]
fn where_the_start_is_by_day_a_begun_period_is_paid_from_it_to_its_end() {
    let none = "prorate = \"none\"\non_start = \"prorate\"\n";
    let says = |more: &str| format!("{none}{more}");
    let changed = || vec![("2012-06-12", change())];
    let rows = [
        // From 10 June 21 days of 1.00; the phase has five of them.
        (says(""), vec![], "21.00"),
        (says("on_change = \"full\""), changed(), "21.00"),
        (says("on_change = \"prorate\""), changed(), "2.00"),
    ];
    for (says, happens, amount) in rows {
        let says = format!("{says}\nafter = \"40 days\"");
        let often = [
            "2012-06-10",
            "2012-06-11",
            "2012-06-12",
            "2012-06-20",
            "2012-09-01",
        ];
        for bills in [&often[..], &["2012-06-10", "2012-09-01"], &["2012-09-01"]] {
            assert_eq!(
                comes_to((&says, "5 days"), &happens, bills),
                usd(amount),
                "{says}: {happens:?} billed on {bills:?}"
            );
        }
    }
}
