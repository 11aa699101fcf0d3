//! Business dates: half-open intervals, spans, and the grids that billing periods lie on.

use super::{Rejection, written};
use chrono::{Datelike, Duration};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A calendar day in the account's zone (policy 6).
pub type Date = chrono::NaiveDate;

/// The last day this program computes with; far dates are refused at the edge, so date arithmetic cannot overflow.
pub const LAST_DATE: Date = match Date::from_ymd_opt(9999, 1, 1) {
    Some(d) => d,
    None => Date::MAX,
};

/// Parses `2026-10-01`.
pub fn parse_date(text: &str) -> Result<Date, Rejection> {
    let invalid = || {
        Rejection::new(
            "DATE_INVALID",
            format!("{text:?} is not a date like 2026-10-01 between 1900 and 9998"),
        )
    };
    let date = Date::parse_from_str(text, "%Y-%m-%d").map_err(|_| invalid())?;
    if date.year() < 1900 || date >= LAST_DATE {
        Err(invalid())
    } else {
        Ok(date)
    }
}

/// `date` moved by whole days; clamped to what a calendar can hold.
pub fn add_days(date: Date, days: i64) -> Date {
    Duration::try_days(days)
        .and_then(|d| date.checked_add_signed(d))
        .unwrap_or(if days < 0 { Date::MIN } else { Date::MAX })
}

/// Whole days from `a` to `b`, negative when `b` is earlier.
pub fn days_between(a: Date, b: Date) -> i64 {
    b.signed_duration_since(a).num_days()
}

fn days_in_month(year: i32, month: u32) -> u32 {
    let (y, m) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    Date::from_ymd_opt(y, m, 1)
        .and_then(|d| d.pred_opt())
        .map_or(28, |d| d.day())
}

/// Day `day` of month number `months` (counted from year 0), clamped to the month's last day.
fn in_month(months: i32, day: u32) -> Date {
    let (year, month) = (
        months.div_euclid(12),
        months.rem_euclid(12).unsigned_abs() + 1,
    );
    Date::from_ymd_opt(year, month, day.min(days_in_month(year, month)).max(1)).unwrap_or(Date::MAX)
}

fn month_number(date: Date) -> i32 {
    date.year() * 12 + i32::try_from(date.month0()).unwrap_or(0)
}

/// Calendar days `[from, until)` (policy 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Days {
    #[serde(with = "written")]
    pub from: Date,
    #[serde(with = "written")]
    pub until: Date,
}

impl Days {
    pub fn new(from: Date, until: Date) -> Days {
        Days { from, until }
    }

    pub fn is_empty(&self) -> bool {
        self.until <= self.from
    }

    /// Number of calendar days; a day of 23 or 25 hours is one day.
    pub fn count(&self) -> i64 {
        days_between(self.from, self.until).max(0)
    }

    pub fn contains(&self, date: Date) -> bool {
        self.from <= date && date < self.until
    }

    pub fn overlap(&self, other: Days) -> Days {
        Days {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }

    /// What is left of these days without `hole`: none, one or two parts.
    pub fn without(&self, hole: Days) -> Vec<Days> {
        let cut = self.overlap(hole);
        if cut.is_empty() {
            return if self.is_empty() { vec![] } else { vec![*self] };
        }
        [
            Days::new(self.from, cut.from),
            Days::new(cut.until, self.until),
        ]
        .into_iter()
        .filter(|d| !d.is_empty())
        .collect()
    }

    /// What is left without any of `holes`, in order.
    pub fn without_all(&self, holes: &[Days]) -> Vec<Days> {
        holes.iter().fold(vec![*self], |parts, hole| {
            parts.iter().flat_map(|p| p.without(*hole)).collect()
        })
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.from, self.until)
    }
}

/// A length of calendar time: whole months or whole days, never mixed. Written `3 months`, `30 days`, `2 weeks`, `1 year`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub months: u32,
    pub days: u32,
}

impl Span {
    pub fn months(months: u32) -> Span {
        Span { months, days: 0 }
    }

    pub fn days(days: u32) -> Span {
        Span { months: 0, days }
    }

    pub fn is_zero(&self) -> bool {
        self.months == 0 && self.days == 0
    }

    /// The day this long after `date`; months keep the day of the month where they can.
    pub fn after(&self, date: Date) -> Date {
        let months = i32::try_from(self.months).unwrap_or(i32::MAX / 4);
        let moved = if months == 0 {
            date
        } else {
            in_month(month_number(date).saturating_add(months), date.day())
        };
        add_days(moved, i64::from(self.days))
    }

    /// A day from which this span, begun on any day up to it, is over by `date`: nothing that is as long and begins before it
    /// reaches beyond `date`.
    pub fn before(&self, date: Date) -> Date {
        let days = i64::from(self.months).saturating_mul(31);
        add_days(date, -days.saturating_add(i64::from(self.days)))
    }

    /// Months in this span as a fraction: a week is 12/52, a day 12/365 of a month (policy 33).
    pub fn in_months(&self) -> (i128, i128) {
        if self.months > 0 {
            (i128::from(self.months), 1)
        } else if self.days.is_multiple_of(7) {
            (i128::from(self.days / 7) * 12, 52)
        } else {
            (i128::from(self.days) * 12, 365)
        }
    }
}

impl FromStr for Span {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        let invalid = || {
            Rejection::new(
                "SPAN_INVALID",
                format!(
                    "{text:?} is not a span like \"30 days\", \"2 weeks\", \"1 month\" or \"1 year\""
                ),
            )
        };
        let (n, unit) = text.trim().split_once(' ').ok_or_else(invalid)?;
        let n: u32 = n
            .trim()
            .parse()
            .ok()
            .filter(|n| *n <= 1200)
            .ok_or_else(invalid)?;
        match unit.trim() {
            "day" | "days" => Ok(Span::days(n)),
            "week" | "weeks" => Ok(Span::days(n * 7)),
            "month" | "months" => Ok(Span::months(n)),
            "quarter" | "quarters" => Ok(Span::months(n * 3)),
            "year" | "years" => Ok(Span::months(n * 12)),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, unit) = match (self.months, self.days) {
            (0, d) if d.is_multiple_of(7) && d > 0 => (d / 7, "week"),
            (0, d) => (d, "day"),
            (m, _) if m.is_multiple_of(12) => (m / 12, "year"),
            (m, _) => (m, "month"),
        };
        write!(f, "{n} {unit}{}", if n == 1 { "" } else { "s" })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.months, self.days).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse()
                .map_err(|r: Rejection| serde::de::Error::custom(r.message))
        } else {
            let (months, days) = <(u32, u32)>::deserialize(deserializer)?;
            Ok(Span { months, days })
        }
    }
}

/// The boundaries of billing periods, computed from one anchor and never chained (policy 7):
/// anchor day 31 gives 31 Jan, 28 or 29 Feb, 31 Mar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Grid {
    /// Every `step` months from month number `month` (counted from year 0), on day `day`, clamped to short months.
    Months { month: i32, day: u32, step: u32 },
    /// Every `step` days from `anchor`.
    Days { anchor: Date, step: u32 },
}

impl Grid {
    /// Boundaries at `anchor` and whole periods before and after it.
    pub fn anchored(anchor: Date, every: Span) -> Grid {
        if every.months > 0 {
            Grid::Months {
                month: month_number(anchor),
                day: anchor.day(),
                step: every.months,
            }
        } else {
            Grid::Days {
                anchor,
                step: every.days.max(1),
            }
        }
    }

    /// The calendar's own boundaries: Monday, the 1st, quarters from January, years from 1 January (policy 8).
    /// Periods of days that are not weeks have no calendar and keep `start` as their anchor.
    pub fn calendar(start: Date, every: Span) -> Grid {
        if every.months > 0 {
            let step = i32::try_from(every.months).unwrap_or(1).max(1);
            Grid::Months {
                month: month_number(start).div_euclid(step) * step,
                day: 1,
                step: every.months,
            }
        } else if every.days.is_multiple_of(7) && every.days > 0 {
            let monday = add_days(start, -i64::from(start.weekday().num_days_from_monday()));
            Grid::Days {
                anchor: monday,
                step: every.days,
            }
        } else {
            Grid::Days {
                anchor: start,
                step: every.days.max(1),
            }
        }
    }

    /// Only a billing day is known: that day in the month of `start` plus whole periods (policy 8). Periods of days ignore it.
    pub fn billing_day(start: Date, day: u32, every: Span) -> Grid {
        if every.months > 0 {
            Grid::Months {
                month: month_number(start),
                day: day.clamp(1, 31),
                step: every.months,
            }
        } else {
            Grid::Days {
                anchor: start,
                step: every.days.max(1),
            }
        }
    }

    /// Boundary number `k`; 0 is the anchor.
    pub fn boundary(&self, k: i32) -> Date {
        match *self {
            Grid::Months { month, day, step } => {
                let step = i32::try_from(step).unwrap_or(1);
                in_month(month.saturating_add(step.saturating_mul(k)), day)
            }
            Grid::Days { anchor, step } => add_days(anchor, i64::from(step) * i64::from(k)),
        }
    }

    /// The number of the last boundary that is not after `date`.
    pub fn index(&self, date: Date) -> i32 {
        let guess = match *self {
            Grid::Months { month, step, .. } => {
                (month_number(date) - month).div_euclid(i32::try_from(step).unwrap_or(1).max(1))
            }
            Grid::Days { anchor, step } => {
                i32::try_from(days_between(anchor, date).div_euclid(i64::from(step.max(1))))
                    .unwrap_or(0)
            }
        };
        // The guess is at most one too high (a day before the boundary in its month) or exact.
        if self.boundary(guess) > date {
            guess - 1
        } else {
            guess
        }
    }

    /// The whole period that contains `date`.
    pub fn period(&self, date: Date) -> Days {
        let k = self.index(date);
        Days::new(self.boundary(k), self.boundary(k.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Date {
        parse_date(text).expect("test date")
    }

    #[test]
    fn day_31_clamps_and_returns() {
        let grid = Grid::anchored(d("2011-01-31"), Span::months(1));
        let shown: Vec<String> = (0..4).map(|k| grid.boundary(k).to_string()).collect();
        assert_eq!(
            shown,
            ["2011-01-31", "2011-02-28", "2011-03-31", "2011-04-30"]
        );
        assert_eq!(
            grid.period(d("2011-03-30")),
            Days::new(d("2011-02-28"), d("2011-03-31"))
        );
    }

    #[test]
    fn a_boundary_belongs_to_the_later_period() {
        let grid = Grid::billing_day(d("2012-05-12"), 1, Span::months(12));
        assert_eq!(
            grid.period(d("2012-05-12")),
            Days::new(d("2012-05-01"), d("2013-05-01"))
        );
        assert_eq!(grid.period(d("2013-05-01")).from, d("2013-05-01"));
    }

    #[test]
    fn the_calendar_has_mondays_firsts_quarters_and_years() {
        let wed = d("2023-02-01");
        assert_eq!(
            Grid::calendar(wed, Span::days(7)).period(wed).from,
            d("2023-01-30")
        );
        assert_eq!(
            Grid::calendar(d("2023-02-04"), Span::months(3)).period(d("2023-02-04")),
            Days::new(d("2023-01-01"), d("2023-04-01"))
        );
        assert_eq!(
            Grid::calendar(d("2022-03-15"), Span::months(12)).period(d("2022-03-15")),
            Days::new(d("2022-01-01"), d("2023-01-01"))
        );
    }

    #[test]
    fn holes_leave_what_is_around_them() {
        let june = Days::new(d("2012-06-01"), d("2012-07-01"));
        let parts = june.without_all(&[
            Days::new(d("2012-06-05"), d("2012-06-10")),
            Days::new(d("2012-06-25"), d("2012-08-01")),
        ]);
        assert_eq!(
            parts,
            [
                Days::new(d("2012-06-01"), d("2012-06-05")),
                Days::new(d("2012-06-10"), d("2012-06-25"))
            ]
        );
    }

    #[test]
    fn spans_read_as_they_are_written() {
        for text in ["30 days", "1 month", "2 weeks", "1 year", "7 months"] {
            assert_eq!(text.parse::<Span>().expect("span").to_string(), text);
        }
        assert!("three months".parse::<Span>().is_err());
    }
}
