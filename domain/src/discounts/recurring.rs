//! What discounts leave of recurring charges, per month and exact: the same rules as of a document (`apply`), for figures
//! that are of a day and not of a document (policy 33).

use super::{Lasts, Off, Place, Redemption};
use crate::kernel::{Exact, Id, Rejection};

/// A recurring charge on a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Monthly {
    pub subscription: Id,
    /// `on` is the day.
    pub place: Place,
    /// Per month, before discounts.
    pub amount: Exact,
    /// The months of its period.
    pub months: Exact,
}

impl Redemption {
    /// Whether it comes back document by document: what is taken off once is no part of what recurs.
    pub fn recurs(&self) -> bool {
        self.terms.lasts != Lasts::Once
    }
}

/// What is left of each charge after the discounts, in the same order. A fixed amount is taken off one document each
/// period, of several charges the shortest one's, and shared in proportion to what is left of them.
pub fn left(charges: &[Monthly], redemptions: &[Redemption]) -> Result<Vec<Exact>, Rejection> {
    let mut left: Vec<Exact> = charges.iter().map(|c| c.amount).collect();
    let mut ordered: Vec<&Redemption> = redemptions.iter().filter(|r| r.recurs()).collect();
    // Stable: of equal rank the oldest first.
    ordered.sort_by_key(|r| r.terms.rank());
    let covers = |r: &Redemption, c: &Monthly| {
        r.subscription.as_ref().is_none_or(|s| *s == c.subscription)
            && r.holds(c.place.on)
            && r.terms.scope.covers(&c.place)
    };
    let only = |c: &Monthly| ordered.iter().find(|r| r.terms.exclusive && covers(r, c));
    let only: Vec<Option<&str>> = charges
        .iter()
        .map(|c| only(c).map(|r| r.id.as_str()))
        .collect();
    for redemption in &ordered {
        let chosen = charges.iter().zip(&only).map(|(charge, only)| {
            only.is_none_or(|id| id == redemption.id) && covers(redemption, charge)
        });
        let chosen: Vec<bool> = chosen.collect();
        let of = || left.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
        let whole = of().try_fold(Exact::ZERO, |sum, (amount, _)| sum.plus(*amount))?;
        if whole.is_zero() {
            continue;
        }
        let stays = match redemption.terms.off {
            Off::Percent(share) => Exact::from(1).minus(share.into())?,
            Off::Fixed(amount) => {
                let spans = charges.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
                let Some(months) = spans.map(|(c, _)| c.months).min() else {
                    continue;
                };
                let off = amount
                    .exact()
                    .share(months.denominator(), months.numerator())?;
                let stays = whole.minus(off)?.max(Exact::ZERO);
                stays.share(whole.denominator(), whole.numerator())?
            }
        };
        for (amount, _) in left.iter_mut().zip(&chosen).filter(|(_, chosen)| **chosen) {
            *amount = amount.times(stays)?;
        }
    }
    Ok(left)
}
