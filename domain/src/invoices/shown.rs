//! How the lines of a document are put together for whoever reads it.
//!
//! - Usage by the days, weeks or months on which it happened, and by its unit price; by the groups that a charge counts
//!   apart; lines of one service as one.
//! - What is shown is split off the lines beneath in minor units, so that it sums to them to the cent (policy 3). Tax and
//!   totals are those of the document; nothing that is billed, remembered or credited depends on it.
//! - The document records how it is shown, so that it reads the same whatever is set later.

use super::{Document, Line};
use crate::charges::What;
use crate::charges::explained::OfGroup;
use crate::kernel::{Date, Days, Decimal, Exact, Money, Rejection, Span, calendar::add_days};
use crate::taxes::Answer;
use chrono::Datelike;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod stored;

/// Amounts weigh as whole millionths when a line is split over them.
const WEIGHT: i128 = 1_000_000;

/// The days that usage is put together by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageDate {
    /// The whole period at once.
    #[default]
    Whole,
    Day,
    /// From Monday.
    Week,
    Month,
}

/// How lines are put together; by default each is shown as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub usage_date: UsageDate,
    /// Usage of different unit prices is shown apart.
    pub unit_price: bool,
    /// Lines of one service are shown as one: the same charge, tax and rate, of whichever subscription.
    pub service: bool,
    /// A charge that counts by groups is shown by them, and not by days and unit prices.
    pub group: bool,
}

impl Shown {
    /// Whether each line is shown as it is.
    pub fn as_it_is(&self) -> bool {
        *self == Shown::default()
    }
}

/// A record of usage beneath a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Used {
    /// The day in the account's zone.
    pub on: Date,
    pub quantity: Decimal,
    /// Units that its price is per.
    pub units: Exact,
    pub amount: Exact,
}

/// What lies beneath a line of usage, as it stood when the document was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beneath {
    pub records: Vec<Used>,
    /// None where groups do not make all of the line.
    pub groups: Option<Vec<OfGroup>>,
}

impl From<Vec<Used>> for Beneath {
    fn from(records: Vec<Used>) -> Beneath {
        Beneath {
            records,
            groups: None,
        }
    }
}

/// What is shown as one: parts of lines that sum to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Together {
    pub text: String,
    /// The days it is about.
    pub days: Option<Days>,
    /// As on the line, or what the records sum to; none where units of several lines meet.
    pub quantity: Option<String>,
    /// Of usage that is shown by its unit price: what one unit cost before discounts, in the currency of the sale.
    pub unit_price: Option<Exact>,
    /// Of usage that is shown by its groups: attributes of the records, and their values.
    pub group: Vec<(String, String)>,
    /// Tax and rate, by the name of the tax.
    pub tax: Answer,
    pub net: Money,
    /// The lines beneath by their numbers, each with its part of the net.
    pub parts: Vec<(u32, Money)>,
}

/// By what pieces of lines are put together, in the order shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Number of the first line.
    line: u32,
    group: Vec<(String, String)>,
    /// First day of the stretch of days; none: the line's own.
    from: Option<Date>,
    price: Option<Exact>,
}

/// A line or a part of it, before it is put together with others.
struct Piece {
    group: Vec<(String, String)>,
    from: Option<Date>,
    price: Option<Exact>,
    quantity: Option<Decimal>,
    net: Money,
}

/// The document as it is to be shown; `beneath` answers what lies beneath a line of usage, as it stood when it was made.
pub fn together(
    document: &Document,
    beneath: impl Fn(&Line) -> Beneath,
) -> Result<Vec<Together>, Rejection> {
    let how = document.shown;
    let mut first: BTreeMap<(String, Answer), u32> = BTreeMap::new();
    let mut found: BTreeMap<Place, Together> = BTreeMap::new();
    for line in &document.lines {
        let service = (line.text.clone(), line.tax.clone());
        let at = match how.service {
            true => *first.entry(service).or_insert(line.no),
            false => line.no,
        };
        for piece in pieces(document, line, how, &beneath)? {
            let place = Place {
                line: at,
                group: piece.group.clone(),
                from: piece.from,
                price: piece.price,
            };
            let days = stretch(line, piece.from, how.usage_date);
            let quantity = match piece.quantity {
                Some(sum) => Some(sum.to_string()),
                None => Some(line.quantity.clone()),
            };
            match found.get_mut(&place) {
                None => {
                    let together = Together {
                        text: named(&line.text, &piece.group),
                        days,
                        quantity,
                        unit_price: piece.price,
                        group: piece.group,
                        tax: line.tax.clone(),
                        net: piece.net,
                        parts: vec![(line.no, piece.net)],
                    };
                    found.insert(place, together);
                }
                Some(known) => {
                    known.days = match (known.days, days) {
                        (Some(a), Some(b)) => {
                            Some(Days::new(a.from.min(b.from), a.until.max(b.until)))
                        }
                        (a, b) => a.or(b),
                    };
                    known.quantity = added(known.quantity.as_deref(), piece.quantity);
                    known.net = known.net.plus(piece.net);
                    known.parts.push((line.no, piece.net));
                }
            }
        }
    }
    Ok(found.into_values().collect())
}

/// A text with the group that it is about.
fn named(text: &str, group: &[(String, String)]) -> String {
    let values = group.iter().map(|(name, value)| match value.is_empty() {
        true => format!("without {name}"),
        false => format!("{name} {value}"),
    });
    let all: Vec<String> = std::iter::once(text.to_string()).chain(values).collect();
    all.join(", ")
}

/// Quantities of records sum; those of whole lines are words and do not.
fn added(known: Option<&str>, more: Option<Decimal>) -> Option<String> {
    let known: Decimal = known?.parse().ok()?;
    Some(known.plus(more?).ok()?.to_string())
}

/// The stretch of days that begins on a day, within the days of the line.
fn stretch(line: &Line, from: Option<Date>, by: UsageDate) -> Option<Days> {
    let own = line.what.days();
    let Some(from) = from else {
        return own;
    };
    let until = match by {
        UsageDate::Whole => return own,
        UsageDate::Day => add_days(from, 1),
        UsageDate::Week => add_days(from, 7),
        UsageDate::Month => Span::months(1).after(from),
    };
    let stretch = Days::new(from, until);
    Some(own.map_or(stretch, |own| own.overlap(stretch)))
}

fn begins(on: Date, by: UsageDate) -> Option<Date> {
    match by {
        UsageDate::Whole => None,
        UsageDate::Day => Some(on),
        UsageDate::Week => {
            let since = i64::from(on.weekday().num_days_from_monday());
            Some(add_days(on, -since))
        }
        UsageDate::Month => Some(add_days(on, 1 - i64::from(on.day()))),
    }
}

/// A line by the groups that it counts, or by the days and unit prices of its records. One that they do not make by themselves (a
/// difference to an earlier document, a minimum, a flat fee, something given back) stays as it is.
fn pieces(
    document: &Document,
    line: &Line,
    how: Shown,
    beneath: &impl Fn(&Line) -> Beneath,
) -> Result<Vec<Piece>, Rejection> {
    let whole = || {
        let price = match &line.what {
            What::Recurring { full, .. } if how.unit_price => Some(*full),
            _ => None,
        };
        vec![Piece {
            group: vec![],
            from: None,
            price,
            quantity: None,
            net: line.net,
        }]
    };
    let by_records = how.usage_date != UsageDate::Whole || how.unit_price;
    let usage = matches!(line.what, What::Usage { .. }) && line.corrects_line.is_none();
    if !((by_records || how.group) && usage && line.net.is_positive()) {
        return Ok(whole());
    }
    let Beneath { records, groups } = beneath(line);
    if let Some(groups) = groups.filter(|groups| how.group && !groups.is_empty()) {
        let weights: Vec<i128> = groups
            .iter()
            .map(|group| weight(group.amount))
            .collect::<Result<_, _>>()?;
        let nets = line.net.allocate(&weights)?;
        let piece = |(group, net): (OfGroup, Money)| Piece {
            group: group.values,
            from: None,
            price: None,
            quantity: group.units.shown(),
            net,
        };
        return Ok(groups.into_iter().zip(nets).map(piece).collect());
    }
    if !by_records {
        return Ok(whole());
    }
    let mut sums: BTreeMap<(Option<Date>, Option<Exact>), (Decimal, Exact)> = BTreeMap::new();
    let mut all = Exact::ZERO;
    for record in records {
        if record.amount.is_negative() {
            return Ok(whole());
        }
        let price = match how.unit_price && !record.units.is_zero() {
            true => Some(
                record
                    .amount
                    .share(record.units.denominator(), record.units.numerator())?,
            ),
            false => None,
        };
        let at = (begins(record.on, how.usage_date), price);
        let (quantity, amount) = sums.entry(at).or_insert((Decimal::ZERO, Exact::ZERO));
        *quantity = quantity.plus(record.quantity)?;
        *amount = amount.plus(record.amount)?;
        all = all.plus(record.amount)?;
    }
    let (sold, _) = line.sold()?;
    if sums.is_empty() || Money::round(all, sold.currency, document.rounding)? != sold {
        return Ok(whole());
    }
    let weights: Vec<i128> = sums
        .values()
        .map(|(_, amount)| weight(*amount))
        .collect::<Result<_, _>>()?;
    let nets = line.net.allocate(&weights)?;
    let pieces = sums.into_iter().zip(nets);
    Ok(pieces
        .map(|(((from, price), (quantity, _)), net)| Piece {
            group: vec![],
            from,
            price,
            quantity: Some(quantity),
            net,
        })
        .collect())
}

/// Whole millionths of an amount.
fn weight(amount: Exact) -> Result<i128, Rejection> {
    let scaled = amount.times(Exact::from(WEIGHT))?;
    Ok(scaled.numerator().div_euclid(scaled.denominator()))
}
