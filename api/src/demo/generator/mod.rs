//! Six months of deliveries out of a few hours, one month and one day of supplied records (docs/contexts/demo.md).
//!
//! The records are shifted and repeated, never invented: seconds, costs and readings stay as supplied. Files have the
//! supplied format, so that they take the same road as the real ones. Same seed, same files.

mod calls;
mod focus;
mod nem12;

use super::random::Random;
use chrono::{Datelike as _, Days, NaiveDate};
use indelible_domain::mediation::formats::Format;

pub use focus::sub_accounts;
pub use nem12::{Like, Site};

/// A file as one source sends it on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The day it arrives; it holds what was used up to the day before.
    pub on: NaiveDate,
    pub source: &'static str,
    pub format: Format,
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The supplied files could not be used as patterns.
#[derive(Debug, thiserror::Error)]
#[error("the supplied {file} cannot be repeated: {why}")]
pub struct PatternError {
    pub file: &'static str,
    pub why: String,
}

/// Who is metered, and from when until when.
pub struct Customers<'a> {
    /// Whether a telephone number belongs to somebody on a day.
    pub reachable: &'a dyn Fn(&str, NaiveDate) -> bool,
    pub sites: &'a [Site],
}

/// Every delivery of the months from `first` (a first of a month), ordered by day and source.
pub fn deliveries(
    seed: u64,
    first: NaiveDate,
    months: u32,
    customers: &Customers<'_>,
) -> Result<Vec<Delivery>, PatternError> {
    let months = months_from(first, months);
    let mut all = calls::deliveries(Random::new(seed, "calls"), &months, customers.reachable)?;
    all.extend(focus::deliveries(Random::new(seed, "cloud"), &months)?);
    all.extend(nem12::deliveries(
        Random::new(seed, "energy"),
        &months,
        customers.sites,
    )?);
    all.sort_by(|a, b| (a.on, a.source, &a.name).cmp(&(b.on, b.source, &b.name)));
    Ok(all)
}

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Month {
    first: NaiveDate,
    days: u32,
}

impl Month {
    /// Day 1 … days; a later one counts on into the next month.
    fn day(&self, day: u32) -> NaiveDate {
        after(self.first, day.saturating_sub(1))
    }

    /// `2610` for October 2026.
    fn tag(&self) -> String {
        self.first.format("%y%m").to_string()
    }

    fn next(&self) -> NaiveDate {
        after(self.first, self.days)
    }
}

fn months_from(first: NaiveDate, count: u32) -> Vec<Month> {
    let mut months = Vec::new();
    let mut start = first;
    for _ in 0..count {
        let later = after(start, 31);
        let next = after(later, 0).with_day(1).unwrap_or(later);
        let days = u32::try_from((next - start).num_days()).unwrap_or(31);
        months.push(Month { first: start, days });
        start = next;
    }
    months
}

fn after(date: NaiveDate, days: u32) -> NaiveDate {
    date.checked_add_days(Days::new(u64::from(days)))
        .unwrap_or(date)
}

/// The files of a source, a day each, while they are being written.
struct Outbox {
    source: &'static str,
    format: Format,
    header: String,
    footer: &'static str,
    days: std::collections::BTreeMap<NaiveDate, Vec<String>>,
}

impl Outbox {
    fn new(source: &'static str, format: Format, header: &str) -> Outbox {
        Outbox {
            source,
            format,
            header: header.to_string(),
            footer: "",
            days: Default::default(),
        }
    }

    /// A line for the file that arrives on the day after `used`.
    fn put(&mut self, used: NaiveDate, line: String) {
        self.days.entry(after(used, 1)).or_default().push(line);
    }

    fn deliveries(self) -> Vec<Delivery> {
        let write = |(on, lines): (NaiveDate, Vec<String>)| {
            let mut text = self
                .header
                .replace("{on}", &on.format("%Y%m%d").to_string());
            for line in lines {
                text.push_str(&line);
                text.push('\n');
            }
            text.push_str(self.footer);
            let name = format!("{}-{on}.csv", self.source);
            Delivery {
                on,
                source: self.source,
                format: self.format,
                name,
                bytes: text.into_bytes(),
            }
        };
        self.days.into_iter().map(write).collect()
    }
}

#[cfg(test)]
mod tests;
