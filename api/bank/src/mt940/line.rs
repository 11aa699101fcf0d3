//! Field 61: one entry.

use super::{amount, day, wrong};
use crate::{Detail, Entry, Fault};
use chrono::Datelike as _;
use indelible_domain::kernel::calendar::days_between;
use indelible_domain::kernel::{Currency, Date};

/// `2611221122C49,00NTRFNONREF//8327ABC`, and a second line of the bank's own.
pub(super) fn read(content: &str, currency: Currency) -> Result<Entry, Fault> {
    let bad = |why: &str| wrong("61", why);
    let first = content.lines().next().unwrap_or_default();
    let value = first
        .get(..6)
        .and_then(day)
        .ok_or_else(|| bad("it does not begin with a day"))?;
    let mut rest = first.get(6..).unwrap_or_default();
    let mut booked = value;
    if let Some(month_day) = rest
        .get(..4)
        .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
    {
        booked = near(value, month_day).ok_or_else(|| bad("its entry date is no day"))?;
        rest = rest.get(4..).unwrap_or_default();
    }
    let (reversal, came_in, after) =
        mark(rest).ok_or_else(|| bad("it has no debit or credit mark"))?;
    // One letter of the currency may follow the mark ("funds code").
    let after = after
        .strip_prefix(|c: char| c.is_ascii_uppercase())
        .unwrap_or(after);
    let end = after
        .find(|c: char| !c.is_ascii_digit() && c != ',')
        .unwrap_or(after.len());
    let (number, code) = after.split_at(end);
    let money = amount("61", number, currency)?;
    let kind = code
        .get(..4)
        .ok_or_else(|| bad("it has no transaction type"))?;
    let references = code.get(4..).unwrap_or_default();
    let (ours, banks) = references.split_once("//").unwrap_or((references, ""));
    let money = if came_in { money } else { money.negated() };
    Ok(Entry {
        reference: given(banks),
        amount: money,
        reversal,
        pending: false,
        booked,
        value,
        code: kind.to_owned(),
        message: None,
        batch: None,
        details: vec![Detail {
            amount: Some(money),
            end_to_end: given(ours),
            ..Detail::default()
        }],
    })
}

/// Whether it takes an entry back, whether money came in, and what follows. A reversed debit comes in.
fn mark(text: &str) -> Option<(bool, bool, &str)> {
    let marks = [
        ("RC", true, false),
        ("RD", true, true),
        ("EC", false, true),
        ("ED", false, false),
        ("C", false, true),
        ("D", false, false),
    ];
    marks.iter().find_map(|(mark, reversal, came_in)| {
        let after = text.strip_prefix(mark)?;
        Some((*reversal, *came_in, after))
    })
}

fn given(reference: &str) -> Option<String> {
    let reference = reference.trim();
    (!reference.is_empty() && reference != "NONREF").then(|| reference.to_owned())
}

/// The day `MMDD` that is nearest to a value date: around New Year the two are of different years.
fn near(value: Date, month_day: &str) -> Option<Date> {
    let month = month_day.get(..2)?.parse().ok()?;
    let day = month_day.get(2..)?.parse().ok()?;
    let years = [value.year() - 1, value.year(), value.year() + 1];
    let days = years
        .iter()
        .filter_map(|year| Date::from_ymd_opt(*year, month, day));
    days.min_by_key(|date| days_between(value, *date).abs())
}
