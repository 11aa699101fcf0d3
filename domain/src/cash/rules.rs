//! How money of a legal entity is applied when nobody says it: the order of rules, small differences, early payment.

use crate::kernel::{Date, Decimal, Exact, Money, Rejection, Rounding, calendar::add_days};
use serde::{Deserialize, Serialize};

/// Most steps of early-payment discounts.
const DISCOUNTS_MAX: usize = 10;

/// Rules of one legal entity. Without any: what the payer names, then oldest due date first (policy 26).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Tried in this order, each on what the earlier ones left. Without `OldestDue` the rest waits for somebody.
    pub order: Vec<Rule>,
    /// What may be missing of an invoice that is meant to be paid whole.
    pub tolerance: Option<Tolerance>,
    /// What may be kept back for paying early; the best one that still holds is taken.
    pub discounts: Vec<EarlyPayment>,
}

/// One way of finding what money pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The invoices that the payer names.
    Reference,
    /// The only open invoice of exactly this amount (or this amount after a discount for paying early).
    ExactAmount,
    /// Oldest due date first, equal ones by number.
    OldestDue,
}

/// A difference is small when it is neither above the amount nor above the share of the invoice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// In whole units of the account's currency, e.g. `0.50`.
    pub amount: Decimal,
    /// Percent of the invoice's total.
    pub percent: Decimal,
}

/// Paid within so many days of the issue date, this much may be kept back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyPayment {
    pub days: u32,
    /// Percent of what is open.
    pub percent: Decimal,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            order: vec![Rule::Reference, Rule::OldestDue],
            tolerance: None,
            discounts: vec![],
        }
    }
}

impl Rules {
    /// What may be kept back of `open` when it is paid on a day.
    pub fn discount(&self, open: Money, issued: Date, paid: Date) -> Money {
        let zero = Money::zero(open.currency);
        let kept = self
            .discounts
            .iter()
            .filter(|d| paid <= add_days(issued, i64::from(d.days)))
            .filter_map(|d| percent(open, d.percent));
        kept.fold(
            zero,
            |most, next| if most.minor < next.minor { next } else { most },
        )
    }

    /// What may be missing of an invoice of `total`.
    pub fn tolerated(&self, total: Money) -> Money {
        let zero = Money::zero(total.currency);
        let Some(tolerance) = self.tolerance else {
            return zero;
        };
        let most = Money::round(tolerance.amount.into(), total.currency, Rounding::Down);
        let share = percent(total, tolerance.percent);
        match (most, share) {
            (Ok(most), Some(share)) => most.min(share),
            _ => zero,
        }
    }

    /// # Errors
    /// `RULES_INVALID` for a rule named twice, no rule, a percentage outside 0–100 or too many discounts.
    pub fn check(&self) -> Result<(), Rejection> {
        let no = |why: String| Err(Rejection::new("RULES_INVALID", why));
        let twice = |(i, rule): (usize, &Rule)| self.order.iter().take(i).any(|r| r == rule);
        if self.order.is_empty() || self.order.iter().enumerate().any(twice) {
            return no("every rule is named once, and at least one is".to_string());
        }
        if self.discounts.len() > DISCOUNTS_MAX {
            let given = self.discounts.len();
            return no(format!("{given} discounts given, at most {DISCOUNTS_MAX}"));
        }
        let shares = self.discounts.iter().map(|d| d.percent);
        let hundred = Decimal::from(100);
        for share in shares.chain(self.tolerance.map(|t| t.percent)) {
            if share < Decimal::from(0) || share > hundred {
                return no(format!("{share} percent is not between 0 and 100"));
            }
        }
        match self.tolerance {
            Some(t) if t.amount < Decimal::from(0) => {
                no(format!("a tolerance of {} is below zero", t.amount))
            }
            _ => Ok(()),
        }
    }
}

fn percent(of: Money, percent: Decimal) -> Option<Money> {
    let share = Exact::from(percent).share(1, 100).ok()?;
    Money::round(of.exact().times(share).ok()?, of.currency, Rounding::HalfUp).ok()
}
