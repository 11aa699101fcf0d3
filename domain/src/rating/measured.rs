//! From a record to what it brings to its price model: units converted and rounded, its line of a matrix, its slot.

use super::Place;
use super::names::{PricedNames, RecordNames};
use super::tally::Use;
use crate::catalog::{Aggregate, Cells, Price, RoundPer, Usage, conversion};
use crate::expressions::Failure;
use crate::kernel::{Date, Decimal, Exact, Rejection, Zone};
use crate::mediation::{Key, UsageRecord};
use crate::usage::{Moved, Slot};

/// What a record brings to the model of its charge.
///
/// Errors: NO_PRICE where no line of a matrix fits and there is no default; PRICE_MISSING where the record should carry
/// an amount; ATTRIBUTE_MISSING where the values of an attribute are counted that it does not have.
pub fn measured(place: &Place<'_>, record: &UsageRecord) -> Result<Use, Rejection> {
    let charge = place.charge;
    let price = charge.price_on(place.days.from);
    if matches!(price, Price::Dynamic(_)) && record.amount.is_none() {
        return Err(carries_none(charge));
    }
    let units = units(place, record)?;
    let mut used = Use::new(units, record.amount);
    let mut line = 0;
    if let Price::Matrix(matrix) = price {
        let found = matrix.line(&Seen { place, record });
        let nested = matrix.price(found).ok_or_else(|| {
            Rejection::new(
                "NO_PRICE",
                format!(
                    "no line of the matrix of charge {} fits this record, and it has no default price",
                    charge.code
                ),
            )
        })?;
        line = found.and_then(|n| u32::try_from(n + 1).ok()).unwrap_or(0);
        if let Price::PerUnit(unit) = nested {
            used.unit_price = Some(*unit);
        }
    }
    if let (Price::Expression(expression), Some(names)) = (price, place.names) {
        let record = RecordNames::of(names, record);
        let priced = expression.number(&PricedNames { record, units });
        let refusal = |e: Failure| e.of(format!("charge {}, price", charge.code));
        used.priced = Some(priced.map_err(refusal)?);
    }
    if charge.remembers() {
        used.moved = Some(Box::new((
            slot(charge, line, record),
            Moved {
                priced: used.priced.map(Box::new),
                ..moved(place, record, units)?
            },
        )));
    }
    Ok(used)
}

/// What a record brings to a charge that counts quantities as they are delivered and whose price reads nothing of the
/// contract: as [`measured`], without a place. None where that cannot say it.
pub fn measured_plainly(
    charge: &Usage,
    price: &Price,
    zone: &Zone,
    record: &UsageRecord,
) -> Option<Use> {
    let units = scaled(charge, record.quantity.into()).ok()?;
    let mut used = Use::new(units, record.amount);
    match price {
        Price::Expression(_) => return None,
        Price::Dynamic(_) if record.amount.is_none() => return None,
        Price::Matrix(matrix) => {
            let line = matrix.line(&Read { zone, record });
            match matrix.price(line)? {
                Price::PerUnit(unit) => used.unit_price = Some(*unit),
                _ => return None,
            }
        }
        _ => {}
    }
    Some(used)
}

/// Quantity × conversion ÷ per, at least so much, in whole steps.
fn units(place: &Place<'_>, record: &UsageRecord) -> Result<Exact, Rejection> {
    let charge = place.charge;
    let mut units = match (&charge.quantity, place.names) {
        (Some(quantity), Some(names)) => quantity
            .number(&RecordNames::of(names, record))
            .map_err(|e| e.of(format!("charge {}, quantity", charge.code)))?,
        _ => Exact::from(record.quantity),
    };
    if let Some(from) = &charge.usage_unit {
        let factor = conversion(&place.term.offer.unit, from, &charge.unit);
        let factor = factor.ok_or_else(|| {
            Rejection::new(
                "UNIT_UNKNOWN",
                format!(
                    "charge {} cannot turn {from} into {}",
                    charge.code, charge.unit
                ),
            )
        })?;
        units = units.times(factor)?;
    }
    scaled(charge, units)
}

/// Units ÷ per, at least so much, in whole steps.
fn scaled(charge: &Usage, mut units: Exact) -> Result<Exact, Rejection> {
    if let Some(per) = charge.per {
        units = super::price::divide(units, per)?;
    }
    if let Some(least) = charge.least.map(Exact::from) {
        units = match (units.is_zero(), units.is_negative()) {
            (true, _) => units,
            (false, false) => units.max(least),
            (false, true) => units.min(least.negated()),
        };
    }
    match charge.round {
        Some(round) if round.per == RoundPer::Record => round.of(units),
        _ => Ok(units),
    }
}

fn slot(charge: &Usage, line: u32, record: &UsageRecord) -> Slot {
    let value = |name: &String| record.attributes.get(name).cloned().unwrap_or_default();
    Slot {
        line,
        group: charge.group_by.iter().map(value).collect(),
    }
}

fn moved(place: &Place<'_>, record: &UsageRecord, units: Exact) -> Result<Moved, Rejection> {
    let charge = place.charge;
    let value = match &charge.unique {
        Some(name) => {
            let value = record.attributes.get(name).ok_or_else(|| {
                Rejection::new(
                    "ATTRIBUTE_MISSING",
                    format!(
                        "charge {} tells records apart by {name}, which this one does not have",
                        charge.code
                    ),
                )
            })?;
            Some(short(value))
        }
        None => None,
    };
    let units = match charge.aggregate {
        Aggregate::Level | Aggregate::Weighted | Aggregate::Peak if charge.unique.is_some() => {
            // One value more or one less, whatever the quantity is.
            Exact::from(if units.is_negative() { -1 } else { 1 })
        }
        _ => units,
    };
    Ok(Moved {
        key: record.key,
        at: record.at,
        on: place.on,
        clock: place.zone.second_of_day(record.at),
        units,
        carried: record.amount,
        value,
        priced: None,
    })
}

/// Sixteen bytes that tell a text from others.
fn short(text: &str) -> Key {
    let mut key = Key::default();
    let hash = blake3::hash(text.as_bytes());
    let bytes = key.iter_mut().zip(hash.as_bytes());
    bytes.for_each(|(to, from)| *to = *from);
    key
}

/// A record whose day is asked for only where a matrix looks at it.
struct Read<'a> {
    zone: &'a Zone,
    record: &'a UsageRecord,
}

impl Cells for Read<'_> {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.record.attributes.get(name).map(String::as_str)
    }

    fn day(&self) -> Date {
        self.zone.date(self.record.at)
    }

    fn quantity(&self) -> Decimal {
        self.record.quantity
    }
}

struct Seen<'a> {
    place: &'a Place<'a>,
    record: &'a UsageRecord,
}

impl Cells for Seen<'_> {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.record.attributes.get(name).map(String::as_str)
    }

    fn day(&self) -> Date {
        self.place.on
    }

    fn quantity(&self) -> Decimal {
        self.record.quantity
    }
}

/// A record without the amount that its price multiplies.
pub(super) fn carries_none(charge: &Usage) -> Rejection {
    Rejection::new(
        "PRICE_MISSING",
        format!(
            "charge {} multiplies the amount a record carries; this one carries none",
            charge.code
        ),
    )
}

/// What is asked needs the record itself.
pub(super) fn unremembered(charge: &Usage) -> Rejection {
    Rejection::new(
        "PRICE_NEEDS_RECORDS",
        format!(
            "charge {} prices single records, not a plain quantity",
            charge.code
        ),
    )
}
