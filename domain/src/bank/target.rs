//! Days on which banks settle euros: the calendar of T2, in which SEPA payments move.

use crate::kernel::Date;
use crate::kernel::calendar::add_days;
use chrono::{Datelike, Weekday};

/// True on days on which T2 is open: not on Saturdays and Sundays, 1 January, Good Friday, Easter Monday, 1 May, 25 and 26
/// December (ECB, long-term calendar for TARGET closing days).
pub fn is_open(date: Date) -> bool {
    let weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
    let fixed = matches!(
        (date.month(), date.day()),
        (1, 1) | (5, 1) | (12, 25) | (12, 26)
    );
    let moving = easter(date.year())
        .is_some_and(|easter| date == add_days(easter, -2) || date == add_days(easter, 1));
    !weekend && !fixed && !moving
}

/// `date`, or the next day that is open.
pub fn next(date: Date) -> Date {
    let mut day = date;
    while !is_open(day) && day < Date::MAX {
        day = add_days(day, 1);
    }
    day
}

/// The open day that comes `days` open days after `date`.
pub fn after(date: Date, days: u32) -> Date {
    (0..days).fold(next(date), |day, _| next(add_days(day, 1)))
}

/// The open day that comes `days` open days before `date`, or before the open day after it.
pub fn before(date: Date, days: u32) -> Date {
    let back = |day: Date| {
        let mut day = add_days(day, -1);
        while !is_open(day) && day > Date::MIN {
            day = add_days(day, -1);
        }
        day
    };
    (0..days).fold(next(date), |day, _| back(day))
}

/// Easter Sunday of the Gregorian calendar (the computus of Meeus, Jones and Butcher).
fn easter(year: i32) -> Option<Date> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e, f) = (b / 4, b % 4, (b + 8) / 25);
    let g = (b - f + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    let month = u32::try_from(n / 31).ok()?;
    let day = u32::try_from(n % 31 + 1).ok()?;
    Date::from_ymd_opt(year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        crate::kernel::calendar::parse_date(text).expect("a day")
    }

    #[test]
    fn banks_rest_on_weekends_and_on_six_days_of_the_year() {
        for closed in [
            "2026-11-21",
            "2026-11-22",
            "2026-01-01",
            "2026-04-03",
            "2026-04-06",
            "2026-05-01",
            "2026-12-25",
            "2027-03-26",
            "2024-04-01",
        ] {
            assert!(!is_open(day(closed)), "{closed}");
        }
        for open in ["2026-11-20", "2026-12-24", "2026-04-07", "2025-10-03"] {
            assert!(is_open(day(open)), "{open}");
        }
    }

    #[test]
    fn lead_time_counts_open_days_only() {
        assert_eq!(after(day("2026-12-24"), 1), day("2026-12-28"));
        assert_eq!(after(day("2026-11-21"), 1), day("2026-11-24"));
        assert_eq!(after(day("2026-11-20"), 0), day("2026-11-20"));
        assert_eq!(before(day("2026-12-28"), 1), day("2026-12-24"));
        assert_eq!(before(day("2026-12-26"), 2), day("2026-12-23"));
    }
}
