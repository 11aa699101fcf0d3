//! How long legal documents must be kept.
//!
//! - A document is kept for whole calendar years after the year it was issued in: the duty of merchants and taxpayers
//!   counts from the end of that year (for instance § 147 (4) of the German Abgabenordnung).
//! - The default of ten years is the longest duty in common use for invoices (for instance article L123-22 of the French
//!   Code de commerce, article 958f of the Swiss Code of Obligations). Where the law asks for another time, such as the
//!   eight years of § 147 (3) of the Abgabenordnung since 2025, the entity sets it.
//! - A rule holds for documents issued on or after its day; an earlier day reaches back, and whoever sets it answers for that.

use super::Event;
use crate::kernel::{Date, Rejection};
use chrono::Datelike;
use serde::{Deserialize, Serialize};

/// Whole calendar years after the year of issue, where the legal entity has set nothing.
pub const DEFAULT_YEARS: u32 = 10;

/// Longest time that can be set, in years.
pub const YEARS_MAX: u32 = 100;

/// For how long documents issued on or after a day are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    pub from: Date,
    /// Whole calendar years after the year of issue.
    pub years: u32,
}

/// The legal entity keeps its documents for another time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetentionSet {
    pub rule: Retention,
}

/// Years a document is kept after the year of its issue. `rules` ascend by day.
pub fn years(rules: &[Retention], issued: Date) -> u32 {
    let rule = rules.iter().rev().find(|rule| rule.from <= issued);
    rule.map_or(DEFAULT_YEARS, |rule| rule.years)
}

/// First day on which a document need not be kept any more.
pub fn ends(rules: &[Retention], issued: Date) -> Date {
    let after = i64::from(issued.year()) + i64::from(years(rules, issued)) + 1;
    let first = i32::try_from(after).ok();
    first
        .and_then(|year| Date::from_ymd_opt(year, 1, 1))
        .unwrap_or(Date::MAX)
}

pub(super) fn set(rules: &[Retention], rule: Retention) -> Result<Vec<Event>, Rejection> {
    if !(1..=YEARS_MAX).contains(&rule.years) {
        return Err(Rejection::new(
            "RETENTION_INVALID",
            format!("{} years are not between 1 and {YEARS_MAX}", rule.years),
        ));
    }
    if rules.contains(&rule) {
        return Ok(vec![]);
    }
    Ok(vec![RetentionSet { rule }.into()])
}

pub(super) fn evolve(rules: &mut Vec<Retention>, rule: Retention) {
    rules.retain(|known| known.from != rule.from);
    rules.push(rule);
    rules.sort_by_key(|known| known.from);
}
