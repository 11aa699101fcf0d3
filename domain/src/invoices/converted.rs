//! A charge that is sold in another currency than the document's.
//!
//! The charge streams remember what was billed in the currency of the sale, so that what is due follows from the contract
//! alone, whatever rates were. The document has the other currency, and the rate and its day are written on the line.

use super::Line;
use crate::kernel::{Date, Exact, Money, Rejection, Rounding};
use serde::{Deserialize, Serialize};

/// What a line was before it was converted, and by which rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Converted {
    /// Before discounts, in the currency of the sale; of a price that includes tax, tax included.
    pub from: Money,
    /// Units of the document's currency for one unit of the currency of the sale.
    pub rate: Exact,
    /// The day whose rate it is.
    pub on: Date,
    /// Who told the rate.
    pub source: String,
}

impl Converted {
    /// What a part of `whole`, both in the document's currency, was in the currency of the sale.
    fn part(&self, part: Money, whole: Money) -> Result<Money, Rejection> {
        if whole.is_zero() {
            return Ok(Money::zero(self.from.currency));
        }
        let exact = self
            .from
            .exact()
            .times(Exact::ratio(part.minor, whole.minor)?)?;
        Money::round(exact, self.from.currency, Rounding::HalfUp)
    }

    /// The same rate over a part of a line that is given back.
    pub(super) fn given_back(&self, part: Money, whole: Money) -> Result<Converted, Rejection> {
        Ok(Converted {
            from: self.part(part, whole)?.negated(),
            ..self.clone()
        })
    }
}

impl Line {
    /// What the line costs before discounts, and what each discount took off, in the currency that the charge streams
    /// remember: that of the sale. The discounts of a converted line sum to their share of it, rounded once.
    pub fn sold(&self) -> Result<(Money, Vec<Money>), Rejection> {
        let whole = self.before_discounts();
        let Some(converted) = &self.converted else {
            let taken = self.reductions.iter().map(|r| r.amount);
            return Ok((whole, taken.collect()));
        };
        let (mut so_far, mut told) = (
            Money::zero(whole.currency),
            Money::zero(converted.from.currency),
        );
        let mut taken = Vec::with_capacity(self.reductions.len());
        for reduction in &self.reductions {
            so_far = so_far.plus(reduction.amount);
            let now = converted.part(so_far, whole)?;
            taken.push(now.minus(told));
            told = now;
        }
        Ok((converted.from, taken))
    }
}
