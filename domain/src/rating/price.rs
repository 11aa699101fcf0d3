//! Price models as functions of a total quantity.
//!
//! Every model but two is a function of the period's total alone. A percentage (fixed fee and bounds per event) and a
//! dynamic price (the record carries its amount) are sums over records; [`super::tally`] adds them up.

use crate::catalog::{Package, Percentage, Price, RoundPer, Tier, Usage};
use crate::kernel::{Decimal, Exact, Rejection};

/// The exact amount of `quantity` units under `price`, from nothing: tiers filled from the first, flat fees included.
/// Below zero it is zero (policy 16), except that a price per unit below zero pays for what the customer delivers.
/// Of a percentage or a dynamic price only zero units have an amount.
pub fn amount(price: &Price, quantity: impl Into<Exact>) -> Result<Exact, Rejection> {
    let quantity = quantity.into();
    let amount = match price {
        Price::Flat(amount) => (*amount).into(),
        // No units below zero here: taking back what was delivered cannot cost more than it brought.
        Price::PerUnit(unit) if price.pays_the_customer() => {
            return Exact::from(*unit).times(quantity.max(Exact::ZERO));
        }
        Price::PerUnit(unit) => Exact::from(*unit).times(quantity)?,
        Price::Package(package) => packages(package, quantity)?,
        Price::Graduated(tiers) => {
            let tiers = tiers.iter().map(|t| Step {
                up_to: t.up_to,
                unit: t.unit,
                flat: t.flat,
                block: t.block,
            });
            graduated(tiers, quantity)?
        }
        Price::GraduatedPercentage(tiers) => {
            let tiers = tiers.iter().map(|t| Step {
                up_to: t.up_to,
                unit: t.rate,
                flat: t.flat,
                block: None,
            });
            graduated(tiers, quantity)?
        }
        Price::Volume(tiers) => volume(tiers, quantity)?,
        Price::Percentage(_) | Price::Dynamic(_) | Price::Matrix(_) | Price::Expression(_)
            if quantity.is_zero() =>
        {
            Exact::ZERO
        }
        Price::Percentage(_) | Price::Dynamic(_) | Price::Matrix(_) | Price::Expression(_) => {
            return Err(Rejection::new(
                "PRICE_NEEDS_RECORDS",
                "this price model prices single records, not a plain quantity",
            ));
        }
    };
    Ok(amount.max(Exact::ZERO))
}

/// The amount of a usage charge's period total at its first price, within the charge's bounds.
pub fn of_total(charge: &Usage, units: Exact) -> Result<Exact, Rejection> {
    bounded(charge, &charge.price, model(charge, &charge.price, units)?)
}

/// What the price model asks for a total: it is rounded, and the allowance comes off before the model sees the rest.
pub fn model(charge: &Usage, price: &Price, units: Exact) -> Result<Exact, Rejection> {
    amount(price, seen(charge, whole_steps(charge, units)?)?)
}

/// The units of a period, rounded if they are rounded once and not record by record.
pub(crate) fn whole_steps(charge: &Usage, units: Exact) -> Result<Exact, Rejection> {
    match charge.round {
        Some(round) if round.per == RoundPer::Period => round.of(units),
        _ => Ok(units),
    }
}

/// Units beyond the allowance.
pub(crate) fn seen(charge: &Usage, units: Exact) -> Result<Exact, Rejection> {
    match charge.allowance {
        Some(allowance) if !units.is_negative() => {
            Ok(units.minus(allowance.into())?.max(Exact::ZERO))
        }
        _ => Ok(units),
    }
}

/// What is left of a record's own price after the allowance: as much of it as of the record's units lies beyond. `before` is
/// the total that the record comes on top of; a record of no units draws nothing on the allowance.
pub(super) fn beyond(
    charge: &Usage,
    before: Exact,
    units: Exact,
    asked: Exact,
) -> Result<Exact, Rejection> {
    if charge.allowance.is_none() || units.is_zero() {
        return Ok(asked);
    }
    let paid = seen(charge, before.plus(units)?)?.minus(seen(charge, before)?)?;
    match paid == units {
        true => Ok(asked),
        false => asked.times(paid.share(units.denominator(), units.numerator())?),
    }
}

/// What a period costs at most; less than nothing is nothing, unless the price pays the customer (policy 16).
pub fn bounded(charge: &Usage, price: &Price, amount: Exact) -> Result<Exact, Rejection> {
    let amount = match price.pays_the_customer() {
        true => amount,
        false => amount.max(Exact::ZERO),
    };
    Ok(match charge.maximum {
        Some(most) => amount.min(most.into()),
        None => amount,
    })
}

/// The price of a level for as long as it lasts, without what is due once. Below zero too: a level that falls takes back
/// what it cost, and only what a period comes to is never below zero.
pub(super) fn without_flats(price: &Price, level: Exact) -> Result<Exact, Rejection> {
    match price {
        Price::Graduated(tiers) => {
            let tiers = tiers.iter().map(|t| Step {
                up_to: t.up_to,
                unit: t.unit,
                flat: Decimal::ZERO,
                block: t.block,
            });
            graduated(tiers, level)
        }
        Price::PerUnit(unit) => Exact::from(*unit).times(level),
        price => amount(price, level),
    }
}

/// Flat fees of all tiers that a level has entered; the first is entered at the start.
pub(super) fn flats(price: &Price, highest: Exact) -> Result<Exact, Rejection> {
    let Price::Graduated(tiers) = price else {
        return Ok(Exact::ZERO);
    };
    let mut lower = None;
    let mut sum = Exact::ZERO;
    for tier in tiers {
        if lower.is_some_and(|lower| highest <= lower) {
            break;
        }
        sum = sum.plus(tier.flat.into())?;
        let Some(edge) = tier.up_to else { break };
        lower = Some(edge.into());
    }
    Ok(sum)
}

/// What one record adds under a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub amount: Exact,
    /// Free money used up in the period, this record included.
    pub free: Exact,
}

/// The charge of the record with number `ordinal` (from 1) that raises the running total to `total`.
///
/// A record is free while its ordinal and the running total after it are within the free allowances, strictly below a
/// free amount (policy 16); of the first that is not, only what exceeds the free amount is charged. Fixed fee and
/// bounds apply to each record that is not free.
pub fn percentage(
    p: &Percentage,
    ordinal: u64,
    value: Exact,
    total: Exact,
    free_before: Exact,
) -> Result<Share, Rejection> {
    let any = p.free_events.is_some() || p.free_amount.is_some();
    let in_count = p.free_events.is_none_or(|n| ordinal <= n);
    let limit = p.free_amount.map(Exact::from);
    let free = if any && in_count {
        limit.map_or(total, |l| l.min(total)).max(free_before)
    } else {
        free_before
    };
    if any && in_count && limit.is_none_or(|l| total < l) {
        return Ok(Share {
            amount: Exact::ZERO,
            free,
        });
    }
    let taxable = value.minus(free.minus(free_before)?)?;
    let mut amount = taxable.times(p.rate.into())?.plus(p.fixed.into())?;
    if let Some(min) = p.min {
        amount = amount.max(min.into());
    }
    if let Some(max) = p.max {
        amount = amount.min(max.into());
    }
    Ok(Share { amount, free })
}

/// A tier, whatever its price is a price of.
struct Step {
    up_to: Option<Decimal>,
    unit: Decimal,
    flat: Decimal,
    block: Option<Decimal>,
}

/// Each tier prices its own width; its flat fee is due when it is entered, the first at the start (policy 16).
fn graduated(
    tiers: impl ExactSizeIterator<Item = Step>,
    quantity: Exact,
) -> Result<Exact, Rejection> {
    let last = tiers.len().saturating_sub(1);
    let mut lower = Exact::ZERO;
    let mut sum = Exact::ZERO;
    for (i, tier) in tiers.enumerate() {
        if i > 0 && quantity <= lower {
            break;
        }
        // The last tier takes the overflow, whatever its edge says.
        let upper = tier
            .up_to
            .filter(|_| i < last)
            .map_or(quantity, |edge| quantity.min(edge.into()));
        let priced = blocks(upper.minus(lower)?, tier.block)?;
        sum = sum
            .plus(tier.flat.into())?
            .plus(priced.times(tier.unit.into())?)?;
        lower = upper;
        if upper == quantity {
            break;
        }
    }
    Ok(sum)
}

/// All units at the price of the tier that the total reaches.
fn volume(tiers: &[Tier], quantity: Exact) -> Result<Exact, Rejection> {
    let reached = tiers
        .iter()
        .find(|t| t.up_to.is_none_or(|edge| quantity <= edge.into()))
        .or(tiers.last());
    let Some(tier) = reached else {
        return Ok(Exact::ZERO);
    };
    Exact::from(tier.flat).plus(blocks(quantity, tier.block)?.times(tier.unit.into())?)
}

fn packages(package: &Package, quantity: Exact) -> Result<Exact, Rejection> {
    let paid = quantity.minus(package.free.into())?.max(Exact::ZERO);
    blocks(paid, Some(package.size))?.times(package.price.into())
}

/// Started blocks, or the units themselves.
pub(super) fn blocks(units: Exact, block: Option<Decimal>) -> Result<Exact, Rejection> {
    match block {
        Some(size) => Ok(divide(units, size)?.ceil()),
        None => Ok(units),
    }
}

/// `units` ÷ `by`; a divisor of zero is refused when the catalog is published.
pub fn divide(units: Exact, by: Decimal) -> Result<Exact, Rejection> {
    let by = Exact::from(by);
    units.share(by.denominator(), by.numerator())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_below_zero_pays_for_what_the_customer_delivers_and_never_charges_for_it() {
        let feed_in = Price::PerUnit("-0.05".parse().expect("a decimal"));
        let of = |kwh: i128| amount(&feed_in, Exact::from(kwh)).map(|a| a.to_decimal(2));
        assert_eq!(of(600), Ok("-30".to_string()));
        assert_eq!(of(-600), Ok("0".to_string()));
    }
}
