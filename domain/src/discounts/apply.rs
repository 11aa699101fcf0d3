//! What the discounts of an account take off the lines of a document.

use super::{ChargeKind, Off, Redemption, Scope};
use crate::invoices::{Line, Reduction};
use crate::kernel::{Date, Decimal, Exact, Id, Money, Rejection, Rounding};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one redemption took off a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Used {
    pub redemption: Id,
    pub amount: Money,
}

/// What a line is of, as discounts see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    pub offer: String,
    pub charge: String,
    pub metric: String,
    pub kind: Option<ChargeKind>,
    /// The first day that the line is about.
    pub on: Date,
}

impl Scope {
    pub(super) fn covers(&self, place: &Place) -> bool {
        let within = |list: &[String], value: &String| list.is_empty() || list.contains(value);
        within(&self.offers, &place.offer)
            && within(&self.charges, &place.charge)
            && within(&self.metrics, &place.metric)
            && (self.kinds.is_empty() || place.kind.is_some_and(|k| self.kinds.contains(&k)))
    }
}

/// Lowers the lines above zero by what each discount takes off them, and tells what was used. `places` belong to `lines`
/// one by one.
///
/// A discount's whole amount is rounded once, and split over its lines in proportion to what is left of them, so that the
/// parts sum to it (policy 3, 19).
pub fn apply(
    lines: &mut [Line],
    places: &[Place],
    redemptions: &[Redemption],
    rounding: Rounding,
) -> Result<(), Rejection> {
    let mut ordered: Vec<&Redemption> = redemptions.iter().filter(|r| !r.used_up()).collect();
    // Stable: of equal rank the oldest first.
    ordered.sort_by_key(|r| r.terms.rank());
    let covers = |r: &Redemption, line: &Line, place: &Place| {
        r.subscription.is_none() || r.subscription == line.subscription
    } && r.holds(place.on) && r.terms.scope.covers(place);
    // The line's only discount, where it has an exclusive one.
    let only: Vec<Option<&str>> = lines
        .iter()
        .zip(places)
        .map(|(line, place)| {
            let first = ordered
                .iter()
                .find(|r| r.terms.exclusive && covers(r, line, place));
            first.map(|r| r.id.as_str())
        })
        .collect();
    for redemption in &ordered {
        let chosen: Vec<usize> = lines
            .iter()
            .zip(places)
            .zip(&only)
            .enumerate()
            .filter(|(_, ((line, place), only))| {
                line.priced().is_positive()
                    && only.is_none_or(|id| id == redemption.id)
                    && covers(redemption, line, place)
            })
            .map(|(i, _)| i)
            .collect();
        take_off(lines, &chosen, redemption, rounding)?;
    }
    Ok(())
}

fn take_off(
    lines: &mut [Line],
    chosen: &[usize],
    redemption: &Redemption,
    rounding: Rounding,
) -> Result<(), Rejection> {
    let left: Vec<Money> = chosen
        .iter()
        .filter_map(|i| lines.get(*i).map(Line::priced))
        .collect();
    let Some(currency) = left.first().map(|m| m.currency) else {
        return Ok(());
    };
    let whole = Money::sum(currency, left.iter().copied());
    let off = match (redemption.terms.off, redemption.budget()) {
        (Off::Percent(share), _) => {
            Money::round(whole.exact().times(Exact::from(share))?, currency, rounding)?
        }
        (Off::Fixed(_), Some(budget)) if budget.currency == currency => budget,
        // An amount in another currency takes nothing off.
        (Off::Fixed(_), _) => Money::zero(currency),
    }
    .min(whole);
    if !off.is_positive() {
        return Ok(());
    }
    let weights: Vec<i128> = left.iter().map(|m| m.minor).collect();
    for (i, amount) in chosen.iter().zip(off.allocate(&weights)?) {
        let Some(line) = lines.get_mut(*i).filter(|_| amount.is_positive()) else {
            continue;
        };
        lower(
            line,
            Reduction {
                redemption: redemption.id.clone(),
                text: redemption.terms.name.clone(),
                amount,
            },
            &told(redemption),
        );
    }
    Ok(())
}

/// Takes an amount off a line; below zero: puts it on.
pub fn lower(line: &mut Line, reduction: Reduction, why: &str) {
    match &mut line.gross {
        Some(gross) => *gross = gross.minus(reduction.amount),
        None => line.net = line.net.minus(reduction.amount),
    }
    line.explain.push_str(&format!(
        "; {} ({why}): −{}",
        reduction.text, reduction.amount
    ));
    line.reductions.push(reduction);
}

fn told(redemption: &Redemption) -> String {
    match redemption.terms.off {
        Off::Percent(share) => {
            let percent = Exact::from(share).times(Exact::from(Decimal::from(100)));
            percent.map_or_else(
                |_| format!("{share} of it"),
                |p| format!("{} %", p.to_decimal(6)),
            )
        }
        Off::Fixed(amount) => format!("its share of {amount}"),
    }
}

/// What a document used of each redemption.
pub fn used(lines: &[Line]) -> Vec<Used> {
    let mut sums: BTreeMap<&Id, Money> = BTreeMap::new();
    for reduction in lines.iter().flat_map(|l| &l.reductions) {
        if reduction.redemption.is_empty() {
            continue;
        }
        let sum = sums
            .entry(&reduction.redemption)
            .or_insert(Money::zero(reduction.amount.currency));
        *sum = sum.plus(reduction.amount);
    }
    sums.into_iter()
        .map(|(redemption, amount)| Used {
            redemption: redemption.clone(),
            amount,
        })
        .collect()
}
