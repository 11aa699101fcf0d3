//! Closed accounting periods: nothing is posted before the first open day.
//!
//! - What would be posted into a closed period is refused, or posted on a day of the first open month and says so (policy 31).
//! - A period may be closed up to and including today, and opened again.

use super::{Event, LegalEntity};
use crate::kernel::{Date, Rejection};
use chrono::{Datelike, Weekday};
use serde::{Deserialize, Serialize};

/// What becomes of a posting that is dated in a closed period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// PERIOD_CLOSED.
    #[default]
    Refuse,
    /// Posted on the first open day.
    FirstDay,
    /// Posted on the first such day of the first open month: 1 is Monday, 7 Sunday.
    FirstWeekday(u8),
    /// Posted on this day of the first open month, on its last one if it is shorter.
    Day(u8),
}

/// Where the open periods begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The first open day.
    pub open_from: Date,
    pub late: Late,
}

/// Everything before `open_from` is closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeriodClosed {
    pub closing: Closing,
}

/// Days that were closed are open again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeriodReopened {
    pub closing: Closing,
    pub reason: String,
}

impl Closing {
    /// The day on which something dated `on` is posted.
    ///
    /// PERIOD_CLOSED if it is dated in a closed period and late postings are refused.
    pub fn posting_day(&self, on: Date) -> Result<Date, Rejection> {
        let open = self.open_from;
        if on >= open {
            return Ok(on);
        }
        let day = match self.late {
            Late::Refuse => {
                return Err(Rejection::new(
                    "PERIOD_CLOSED",
                    format!("{on} is in a closed period, the books are open from {open} on"),
                ));
            }
            Late::FirstDay => Some(open),
            Late::FirstWeekday(day) => weekday(day)
                .and_then(|day| Date::from_weekday_of_month_opt(open.year(), open.month(), day, 1)),
            Late::Day(day) => (1..=day)
                .rev()
                .find_map(|day| Date::from_ymd_opt(open.year(), open.month(), day.into())),
        };
        Ok(day.map_or(open, |day| day.max(open)))
    }
}

fn weekday(number: u8) -> Option<Weekday> {
    Weekday::try_from(number.checked_sub(1)?).ok()
}

pub(super) fn close(
    state: &LegalEntity,
    closing: Closing,
    today: Date,
) -> Result<Vec<Event>, Rejection> {
    let valid = match closing.late {
        Late::FirstWeekday(day) => (1..=7).contains(&day),
        Late::Day(day) => (1..=31).contains(&day),
        Late::Refuse | Late::FirstDay => true,
    };
    if !valid {
        return Err(Rejection::new(
            "PERIOD_RULE_INVALID",
            format!(
                "{:?}: weekdays are 1 to 7, days of the month 1 to 31",
                closing.late
            ),
        ));
    }
    if closing
        .open_from
        .pred_opt()
        .is_some_and(|last| last > today)
    {
        return Err(Rejection::new(
            "PERIOD_NOT_OVER",
            format!(
                "today is {today}: days from then on cannot be closed, asked to open the books from {} on",
                closing.open_from
            ),
        ));
    }
    match &state.closing {
        Some(now) if *now == closing => Ok(vec![]),
        Some(now) if closing.open_from < now.open_from => Err(Rejection::new(
            "PERIOD_CLOSED",
            format!(
                "the books are open from {} on, asked to close them before {}: opening days again has its own command",
                now.open_from, closing.open_from
            ),
        )),
        _ => Ok(vec![PeriodClosed { closing }.into()]),
    }
}

pub(super) fn reopen(
    state: &LegalEntity,
    open_from: Date,
    reason: String,
) -> Result<Vec<Event>, Rejection> {
    let Some(now) = state.closing.filter(|now| now.open_from > open_from) else {
        return Err(Rejection::new(
            "PERIOD_OPEN",
            format!("the books are open from {open_from} on already"),
        ));
    };
    let closing = Closing { open_from, ..now };
    Ok(vec![PeriodReopened { closing, reason }.into()])
}
