//! Days, periods and zones, once more: the rules of daylight saving time are written out, periods are walked.

use chrono::{Datelike, Duration, NaiveDate};

pub type Day = NaiveDate;

pub fn day(year: i32, month: u32, day: u32) -> Day {
    Day::from_ymd_opt(year, month, day).expect("a day")
}

pub fn later(from: Day, days: i64) -> Day {
    from + Duration::days(days)
}

pub fn between(from: Day, until: Day) -> i64 {
    (until - from).num_days()
}

/// Days from one to, not including, another.
pub fn each(from: Day, until: Day) -> impl Iterator<Item = Day> {
    (0..between(from, until)).map(move |n| later(from, n))
}

/// Zones with daylight saving of an hour, of half an hour, and without any.
pub const ZONES: &[&str] = &[
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "UTC",
];

/// The `n`th Sunday of a month (from 1), or its last one (0).
fn sunday(year: i32, month: u32, n: i64) -> Day {
    let sundays: Vec<Day> = (0..31)
        .map(|d| later(day(year, month, 1), d))
        .filter(|d| d.month() == month && d.weekday() == chrono::Weekday::Sun)
        .collect();
    match n {
        0 => *sundays.last().expect("a Sunday"),
        n => sundays[usize::try_from(n - 1).expect("few")],
    }
}

fn seconds(on: Day, clock: i64) -> i64 {
    between(day(1970, 1, 1), on) * 86_400 + clock
}

/// How far clocks are ahead of UTC, in seconds, `at` seconds since 1970.
fn ahead(zone: &str, at: i64) -> i64 {
    let year = later(day(1970, 1, 1), at.div_euclid(86_400)).year();
    let hour = 3600;
    match zone {
        "Europe/Berlin" => {
            let summer = seconds(sunday(year, 3, 0), hour);
            let winter = seconds(sunday(year, 10, 0), hour);
            if summer <= at && at < winter {
                2 * hour
            } else {
                hour
            }
        }
        "America/New_York" => {
            let summer = seconds(sunday(year, 3, 2), 7 * hour);
            let winter = seconds(sunday(year, 11, 1), 6 * hour);
            if summer <= at && at < winter {
                -4 * hour
            } else {
                -5 * hour
            }
        }
        // At two o'clock by its clocks, on Sunday; that is Saturday afternoon in UTC.
        "Australia/Lord_Howe" => {
            let winter = seconds(sunday(year, 4, 1), 2 * hour) - 11 * hour;
            let summer = seconds(sunday(year, 10, 1), 2 * hour) - 10 * hour - hour / 2;
            if winter <= at && at < summer {
                10 * hour + hour / 2
            } else {
                11 * hour
            }
        }
        "Asia/Kathmandu" => 5 * hour + 45 * 60,
        _ => 0,
    }
}

/// The day and the second of it that clocks show.
pub fn local(zone: &str, at: i64) -> (Day, i64) {
    let shown = at + ahead(zone, at);
    let on = later(day(1970, 1, 1), shown.div_euclid(86_400));
    (on, shown.rem_euclid(86_400))
}

/// The first second of a day.
pub fn begins(zone: &str, on: Day) -> i64 {
    let guess = seconds(on, 0);
    let first = (-15 * 4..=15 * 4).map(|quarter| guess + quarter * 900);
    let mut first = first.filter(|at| local(zone, *at) == (on, 0));
    first
        .next()
        .expect("every day of these zones begins at midnight")
}

/// A length of time: so many months, or so many days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Every {
    Months(i64),
    Days(i64),
}

impl Every {
    pub fn text(self) -> String {
        match self {
            Every::Months(n) => format!("{n} months"),
            Every::Days(n) => format!("{n} days"),
        }
    }

    pub fn after(self, from: Day) -> Day {
        match self {
            Every::Months(n) => months_later(from.year(), from.month(), from.day(), n),
            Every::Days(n) => later(from, n),
        }
    }
}

/// A day of the month so many months later, or the last one that this month has.
fn months_later(year: i32, month: u32, on: u32, months: i64) -> Day {
    let all = i64::from(year) * 12 + i64::from(month) - 1 + months;
    let year = i32::try_from(all.div_euclid(12)).expect("a year");
    let month = u32::try_from(all.rem_euclid(12) + 1).expect("a month");
    let found = (1..=on)
        .rev()
        .find_map(|d| Day::from_ymd_opt(year, month, d));
    found.expect("every month has a first day")
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Align {
    Calendar,
    Anniversary,
    /// On this day of the month.
    BillingDay(u32),
}

impl Align {
    pub fn text(self) -> &'static str {
        match self {
            Align::Calendar => "calendar",
            Align::Anniversary => "anniversary",
            Align::BillingDay(_) => "billing_day",
        }
    }
}

/// The period that a day lies in, of those counted from `anchor`.
pub fn period(align: Align, every: Every, anchor: Day, on: Day) -> (Day, Day) {
    let first = match (align, every) {
        (Align::Calendar, Every::Months(12)) => day(anchor.year(), 1, 1),
        (Align::Calendar, Every::Months(n)) => {
            let into = (anchor.month() - 1) % u32::try_from(n).expect("few");
            day(anchor.year(), anchor.month() - into, 1)
        }
        (Align::Calendar, Every::Days(_)) => {
            let mut monday = anchor;
            while monday.weekday() != chrono::Weekday::Mon {
                monday = later(monday, -1);
            }
            monday
        }
        (Align::BillingDay(_), Every::Months(_)) => day(anchor.year(), anchor.month(), 1),
        _ => anchor,
    };
    let boundary = |k: i64| match (align, every) {
        (Align::BillingDay(d), Every::Months(n)) => {
            months_later(first.year(), first.month(), d, n * k)
        }
        (_, Every::Months(n)) => months_later(first.year(), first.month(), first.day(), n * k),
        (_, Every::Days(n)) => later(first, n * k),
    };
    let mut k = 0;
    while boundary(k) > on {
        k -= 1;
    }
    while boundary(k + 1) <= on {
        k += 1;
    }
    (boundary(k), boundary(k + 1))
}

#[test]
fn clocks_go_forward_and_back_where_the_law_says() {
    let at = |text: &str| {
        let moment = chrono::DateTime::parse_from_rfc3339(text).expect("a moment");
        moment.timestamp()
    };
    let shown = |zone, text| {
        let (on, clock) = local(zone, at(text));
        format!("{on} {}:{:02}", clock / 3600, clock % 3600 / 60)
    };
    let berlin = |text| shown("Europe/Berlin", text);
    assert_eq!(berlin("2024-03-31T00:59:00Z"), "2024-03-31 1:59");
    assert_eq!(berlin("2024-03-31T01:00:00Z"), "2024-03-31 3:00");
    assert_eq!(berlin("2024-10-27T00:59:00Z"), "2024-10-27 2:59");
    assert_eq!(berlin("2024-10-27T01:00:00Z"), "2024-10-27 2:00");
    let york = |text| shown("America/New_York", text);
    assert_eq!(york("2024-03-10T06:59:00Z"), "2024-03-10 1:59");
    assert_eq!(york("2024-03-10T07:00:00Z"), "2024-03-10 3:00");
    assert_eq!(york("2024-11-03T06:00:00Z"), "2024-11-03 1:00");
    let howe = |text| shown("Australia/Lord_Howe", text);
    assert_eq!(howe("2024-04-06T14:59:00Z"), "2024-04-07 1:59");
    assert_eq!(howe("2024-04-06T15:00:00Z"), "2024-04-07 1:30");
    assert_eq!(howe("2024-10-05T15:30:00Z"), "2024-10-06 2:30");
}

#[test]
fn periods_are_counted_from_their_anchor() {
    let month = |align, anchor, on| period(align, Every::Months(1), anchor, on);
    let anchor = day(2024, 1, 31);
    assert_eq!(
        month(Align::Anniversary, anchor, day(2024, 3, 1)),
        (day(2024, 2, 29), day(2024, 3, 31))
    );
    assert_eq!(
        month(Align::BillingDay(15), anchor, day(2024, 2, 14)),
        (day(2024, 1, 15), day(2024, 2, 15))
    );
    assert_eq!(
        period(Align::Calendar, Every::Days(7), anchor, day(2024, 2, 4)),
        (day(2024, 1, 29), day(2024, 2, 5))
    );
}
