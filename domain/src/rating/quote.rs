//! What usage that has not happened yet may cost at most: what has to be set aside for it.
//!
//! A charge is a difference of totals, so it depends on what was counted before. What was reserved earlier counts as
//! used here: the holds of one meter then sum to the price of all of it, whoever confirms first.

use super::price;
use super::tally::{Tally, Use};
use crate::catalog::{Aggregate, Percentage, Price, Usage};
use crate::kernel::{Exact, Rejection};
use crate::usage::Meter;

/// A price told in advance.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// The most that all of it, or any part of it, costs.
    pub most: Exact,
    /// The meter if all of it is used.
    pub after: Meter,
}

/// Whether what a record costs depends on the records before it.
///
/// Of a percentage only its free allowances do; a quote takes them for used up.
pub fn depends_on_earlier(charge: &Usage) -> bool {
    match &charge.price {
        Price::Percentage(_) | Price::Dynamic(_) | Price::Matrix(_) | Price::Expression(_) => false,
        Price::PerUnit(_) => {
            charge.allowance.is_some()
                || charge.maximum.is_some()
                || charge.round.is_some()
                || charge.aggregate != Aggregate::Sum
        }
        _ => true,
    }
}

/// What `used` would cost after what `meter` counts.
pub fn quote(charge: &Usage, meter: &Meter, used: Use) -> Result<Quote, Rejection> {
    let start = match depends_on_earlier(charge) {
        true => meter.clone(),
        false => Meter::default(),
    };
    if let Price::Percentage(p) = &charge.price {
        let all_paid = Percentage {
            free_events: None,
            free_amount: None,
            ..p.clone()
        };
        let share = price::percentage(&all_paid, 1, used.units, used.units, Exact::ZERO)?;
        return Ok(Quote {
            most: share.amount.max(Exact::ZERO),
            after: meter.clone(),
        });
    }
    let mut tally = Tally::new(charge, start.clone())?;
    let mut most = tally.add(used.clone())?.max(Exact::ZERO);
    // Where more is cheaper than less, a part that ends at a tier's edge costs more than the whole.
    for edge in edges(charge)? {
        let inside = start.units < edge && edge < tally.meter.units;
        if !inside || charge.aggregate == Aggregate::Count {
            continue;
        }
        let units = match charge.aggregate {
            Aggregate::Max => edge,
            _ => edge.minus(start.units)?,
        };
        let part = Tally::new(charge, start.clone())?.add(Use {
            units,
            ..used.clone()
        })?;
        most = most.max(part);
    }
    Ok(Quote {
        most,
        after: tally.meter,
    })
}

/// The period totals at which another tier begins.
fn edges(charge: &Usage) -> Result<Vec<Exact>, Rejection> {
    let edges: Vec<_> = match &charge.price {
        Price::Volume(tiers) | Price::Graduated(tiers) => {
            tiers.iter().filter_map(|t| t.up_to).collect()
        }
        _ => vec![],
    };
    let free = Exact::from(charge.allowance.unwrap_or_default());
    edges
        .into_iter()
        .map(|edge| free.plus(edge.into()))
        .collect()
}
