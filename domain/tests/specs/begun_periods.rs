//! A fee costs the same whenever it is billed, and whenever what cuts its period was told: where a phase ends in a period that is
//! charged whole, where a plan is taken back, and where it leaves and comes back.

use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::charges::What;
use indelible_domain::command::{ChangeSubscription, Effective};
use indelible_domain::kernel::Money;
use indelible_domain::subscriptions::{Plan, Unused};

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

/// Something else that a run bills.
fn other(day: &str) -> Command {
    Command::AddCharge {
        account: "alice".into(),
        charge: format!("other-{day}"),
        text: "Something else".into(),
        amount: usd("1.00"),
        on: None,
        tax_class: "standard".into(),
    }
}

/// Everything that was billed of the fee where these things happen, and runs are on these days after them.
fn comes_to(sold: (&str, &str), happens: &[(&str, Command)], bills: &[&str]) -> Money {
    let alone = billed(sold, happens, bills, false);
    // Days that are freed and give nothing back are not on a document for themselves.
    let beside = billed(sold, happens, bills, true);
    assert_eq!(alone, beside, "{sold:?}: {happens:?} billed on {bills:?}");
    alone
}

/// The same where every run has something else to bill or not.
fn billed(
    (says, lasts): (&str, &str),
    happens: &[(&str, Command)],
    bills: &[&str],
    beside: bool,
) -> Money {
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
            if beside {
                book.ask(other(day)).expect("adds");
            }
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

fn planned(day: &str) -> Command {
    let Command::ChangeSubscription(mut change) = change() else {
        unreachable!("it is a change");
    };
    change.effective = Effective::On(d(day));
    Command::ChangeSubscription(change)
}

fn ends(day: &str) -> Command {
    Command::TerminateSubscription {
        subscription: "s1".into(),
        effective: Effective::On(d(day)),
        unused: Unused::CreditProrata,
    }
}

fn undone(plan: Plan) -> Command {
    Command::UndoPlan {
        subscription: "s1".into(),
        plan,
    }
}

fn no_change(day: &str) -> Command {
    undone(Plan::Change { from: d(day) })
}

fn reactivated() -> Command {
    Command::ReactivateSubscription {
        subscription: "s1".into(),
        on: None,
    }
}

/// What was known when a period was billed, and is otherwise now, was paid for as it was known: it is not paid again.
#[test]
fn a_period_costs_the_same_whenever_its_end_or_change_was_told_and_taken_back() {
    let none = "prorate = \"none\"\n";
    let change_taken_back = || {
        vec![
            ("2012-05-15", planned("2012-06-10")),
            ("2012-06-05", no_change("2012-06-10")),
        ]
    };
    let end_taken_back = || {
        vec![
            ("2012-05-15", ends("2012-06-10")),
            ("2012-06-05", undone(Plan::End)),
        ]
    };
    let with = |mut all: Vec<(&'static str, Command)>, more: (&'static str, Command)| {
        all.push(more);
        all
    };
    let revived = || vec![("2012-06-10", end()), ("2012-06-12", reactivated())];
    // May is 30.00. June is 30 days of 1.00.
    let rows = [
        ("on_change = \"full\"", change_taken_back(), "60.00"),
        ("on_end = \"full\"", end_taken_back(), "60.00"),
        ("on_change = \"nothing\"", change_taken_back(), "60.00"),
        ("on_end = \"nothing\"", end_taken_back(), "60.00"),
        ("", change_taken_back(), "60.00"),
        // Taken back, and planned anew or ended instead.
        (
            "on_change = \"full\"",
            with(change_taken_back(), ("2012-06-05", planned("2012-06-20"))),
            "60.00",
        ),
        (
            "on_change = \"full\"",
            with(change_taken_back(), ("2012-06-05", planned("2012-06-07"))),
            "60.00",
        ),
        (
            "on_change = \"full\"\non_end = \"prorate\"",
            with(change_taken_back(), ("2012-06-15", end())),
            "44.00",
        ),
        (
            "on_change = \"full\"\non_end = \"prorate\"",
            with(change_taken_back(), ("2012-06-07", end())),
            "36.00",
        ),
        (
            "on_change = \"full\"\non_end = \"nothing\"",
            with(change_taken_back(), ("2012-06-15", end())),
            "30.00",
        ),
        (
            "on_end = \"full\"\non_change = \"prorate\"",
            with(end_taken_back(), ("2012-06-15", change())),
            "44.00",
        ),
        (
            "on_change = \"full\"",
            with(
                with(change_taken_back(), ("2012-06-15", pause())),
                ("2012-06-17", resume()),
            ),
            "58.00",
        ),
        // Told on its day, or after it.
        (
            "on_change = \"full\"",
            vec![("2012-06-20", planned("2012-06-10"))],
            "60.00",
        ),
        (
            "on_change = \"prorate\"",
            vec![("2012-06-20", planned("2012-06-10"))],
            "39.00",
        ),
        (
            "on_change = \"nothing\"",
            vec![("2012-06-20", planned("2012-06-10"))],
            "30.00",
        ),
        // Ended, and on again two days later, which are not charged.
        ("", revived(), "58.00"),
        ("on_end = \"full\"", revived(), "58.00"),
        ("on_end = \"nothing\"", revived(), "58.00"),
    ];
    let whole = [
        // The same of a period that is charged whole.
        ("", change_taken_back(), "60.00"),
        ("", end_taken_back(), "60.00"),
        ("on_change = \"prorate\"", change_taken_back(), "60.00"),
        ("on_end = \"prorate\"", end_taken_back(), "60.00"),
        ("on_end = \"nothing\"", end_taken_back(), "60.00"),
        ("on_change = \"full\"", change_taken_back(), "60.00"),
        (
            "on_end = \"prorate\"",
            with(change_taken_back(), ("2012-06-15", end())),
            "44.00",
        ),
        (
            "on_end = \"prorate\"",
            with(change_taken_back(), ("2012-06-07", end())),
            "36.00",
        ),
        (
            "on_end = \"nothing\"",
            with(change_taken_back(), ("2012-06-15", end())),
            "30.00",
        ),
        ("", revived(), "60.00"),
        ("on_end = \"full\"", revived(), "60.00"),
        ("on_end = \"nothing\"", revived(), "60.00"),
    ];
    let rows = rows.map(|(says, happens, amount)| (says.to_string(), happens, amount));
    let whole = whole.map(|(says, happens, amount)| (format!("{none}{says}"), happens, amount));
    let mut wrong = Vec::new();
    for (says, happens, amount) in rows.into_iter().chain(whole) {
        let often = [
            "2012-05-01",
            "2012-06-01",
            "2012-06-06",
            "2012-06-08",
            "2012-06-11",
            "2012-06-16",
            "2012-06-20",
            "2012-09-01",
        ];
        for bills in [
            &often[..],
            &["2012-05-01", "2012-06-01", "2012-09-01"],
            &["2012-05-01", "2012-06-01", "2012-06-11", "2012-09-01"],
            &["2012-05-01", "2012-06-06", "2012-09-01"],
            &["2012-06-01", "2012-06-20", "2012-09-01"],
            &["2012-09-01"],
        ] {
            let billed = comes_to((&says, "61 days"), &happens, bills);
            if billed != usd(amount) {
                wrong.push(format!(
                    "{says}: {happens:?} billed on {bills:?} is {billed} and not {amount}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A fee that begins on 10 June and is paid from the beginning of that month: what was known of its end when it was billed
/// is taken back.
#[test]
fn a_start_that_is_paid_whole_costs_the_period_whatever_was_planned() {
    let says = "on_start = \"full\"\non_change = \"prorate\"\nafter = \"40 days\"";
    let planned_and_not = vec![
        ("2012-05-15", planned("2012-06-20")),
        ("2012-06-15", no_change("2012-06-20")),
    ];
    for bills in [
        &["2012-06-10", "2012-06-16", "2012-08-01"][..],
        &["2012-06-10", "2012-08-01"],
        &["2012-08-01"],
    ] {
        assert_eq!(
            comes_to((says, "21 days"), &planned_and_not, bills),
            usd("30.00"),
            "billed on {bills:?}"
        );
    }
}

/// A change on 30 June costs as much as none: June is 30 days of 1.00, and May 30.00. When it was billed, an end on that day was
/// planned, which costs 29.00; it was taken back before.
#[test]
fn a_change_that_costs_the_whole_does_so_on_the_day_of_an_end_that_was_taken_back() {
    let happens = vec![
        ("2012-05-20", ends("2012-06-30")),
        ("2012-06-03", undone(Plan::End)),
        ("2012-06-03", planned("2012-06-30")),
    ];
    for bills in [
        &["2012-06-01", "2012-06-03", "2012-06-30", "2012-08-01"][..],
        &["2012-06-01", "2012-08-01", "2012-09-01"],
        &["2012-05-01", "2012-06-03", "2012-07-01"],
        &["2012-08-01"],
    ] {
        let billed = comes_to(("on_change = \"full\"", "61 days"), &happens, bills);
        assert_eq!(billed, usd("60.00"), "billed on {bills:?}");
    }
}

/// Seats at 30.00 a month by their highest quantity, which another offer does not have: gone on 10 June, back on 20 June.
#[test]
fn the_highest_quantity_pays_for_a_day_once_though_it_leaves_and_comes_back() {
    let seats = |says: &str| {
        format!(
            r#"
[[offer]]
code = "seats"
name = "Seats"
currency = "USD"
[[offer.recurring]]
code = "seats"
name = "Seats"
price = {{ per_unit = "30.00" }}
every = "1 month"
align = "calendar"
high_water = true
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
        )
    };
    let to = |offer: &str, quantity: i64| {
        let Command::ChangeSubscription(mut change) = change() else {
            unreachable!("it is a change");
        };
        change.offer = Some(offer.into());
        change.quantity = Some(quantity.into());
        Command::ChangeSubscription(change)
    };
    // June is 30 days of 1.00 a seat; back with so many seats it comes to so much.
    let rows = [
        // Nine days of one seat, and eleven from the 20th on.
        ("", 1, "20.00"),
        ("", 3, "42.00"),
        // From the 1st on: the nine days are paid once, and what three seats cost more is added.
        ("on_start = \"full\"", 1, "30.00"),
        ("on_start = \"full\"", 3, "90.00"),
        // The month was paid to its end when it left.
        ("on_change = \"full\"", 1, "30.00"),
        ("on_change = \"full\"", 3, "52.00"),
        ("on_start = \"full\"\non_change = \"full\"", 3, "90.00"),
    ];
    for (says, back, amount) in rows {
        for bills in [
            &["2012-06-01", "2012-06-10", "2012-06-20", "2012-07-01"][..],
            &["2012-06-01", "2012-06-20", "2012-07-01"],
            &["2012-06-15", "2012-07-01"],
            &["2012-06-20", "2012-07-01"],
        ] {
            let mut book = Book::new();
            book.on("2012-06-01").sells(&seats(says));
            book.start("s1", "seats");
            let mut days = bills.to_vec();
            days.extend(["2012-06-10", "2012-06-20"]);
            days.sort_unstable();
            days.dedup();
            for day in days {
                book.on(day);
                match day {
                    "2012-06-10" => drop(book.ask(to("bare", 1)).expect("leaves")),
                    "2012-06-20" => drop(book.ask(to("seats", back)).expect("comes back")),
                    "2012-07-01" => drop(book.ask(end()).expect("ends")),
                    _ => {}
                }
                if bills.contains(&day) {
                    book.bill();
                }
            }
            let charges = &book.tenant().tables.charges["s1"].state;
            let nets = charges.items.iter().map(|i| i.net);
            assert_eq!(
                Money::sum(usd("0").currency, nets),
                usd(amount),
                "{says}, back with {back}, billed on {bills:?}"
            );
        }
    }
}
