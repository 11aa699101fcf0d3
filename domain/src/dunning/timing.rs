//! When the next level is reached.

use super::Case;
use crate::command::DunningLevel;
use crate::kernel::{Date, Exact, calendar::add_days};
use crate::receivables::Receivables;

/// The next level of an account and the day it is (or was) reached, from what is open now; none while paused, or when
/// nothing is open or no level is left.
///
/// A level of n days is reached on the day n days after the oldest due date (policy 29), or on the first day after
/// that on which at least its minimum is overdue.
pub fn next<'a>(
    levels: &'a [DunningLevel],
    case: &Case,
    receivables: &Receivables,
) -> Option<(&'a DunningLevel, Date)> {
    if case.paused.is_some() {
        return None;
    }
    let left = levels.iter().filter(|l| !case.done().contains(&l.name));
    let reached = left.filter_map(|level| {
        let on = reached_on(level, receivables)?;
        Some((level, case.not_before.map_or(on, |floor| on.max(floor))))
    });
    // The first of equal days: levels are sorted by their days.
    reached.min_by_key(|(_, on)| *on)
}

fn reached_on(level: &DunningLevel, receivables: &Receivables) -> Option<Date> {
    let oldest = receivables.open_items().next()?;
    let first = add_days(oldest.due, i64::from(level.after_days));
    let Some(minimum) = level.minimum else {
        return Some(first);
    };
    let minimum = Exact::from(minimum);
    let mut overdue = 0_i128;
    for item in receivables.open_items() {
        overdue = overdue.saturating_add(item.open.minor);
        if crate::kernel::Money::new(overdue, item.open.currency).exact() >= minimum {
            return Some(first.max(add_days(item.due, 1)));
        }
    }
    None
}
