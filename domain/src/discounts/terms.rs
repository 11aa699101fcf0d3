//! What a discount takes off, of what, and for how long.

use crate::kernel::{Date, Decimal, Money, Rejection, Span};
use serde::{Deserialize, Serialize};

/// The terms of a discount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscountTerms {
    pub name: String,
    pub off: Off,
    pub scope: Scope,
    pub lasts: Lasts,
    /// First day on which it can be redeemed.
    pub redeem_from: Option<Date>,
    /// Exclusive.
    pub redeem_until: Option<Date>,
    /// How often it can be redeemed in all.
    pub limit: Option<u32>,
    pub limit_per_account: Option<u32>,
    /// Lower numbers are applied first.
    pub sequence: u32,
    /// A line with an exclusive discount has no other; of several exclusive ones the first.
    pub exclusive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Off {
    /// 0.2 is 20 %.
    Percent(Decimal),
    /// Of a document; of a discount that lasts once, over as many documents as it takes.
    Fixed(Money),
}

/// What a discount is of; an empty list is no restriction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    pub offers: Vec<String>,
    pub charges: Vec<String>,
    pub metrics: Vec<String>,
    pub kinds: Vec<ChargeKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeKind {
    OneOff,
    Recurring,
    Usage,
}

/// For how long it takes something off, from the day of redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lasts {
    /// A percentage: one document. A fixed amount: until it is used up.
    Once,
    /// So many documents.
    Times(u32),
    /// Services of so long.
    For(Span),
    Forever,
}

impl DiscountTerms {
    /// Refuses terms that make no sense.
    pub fn check(&self) -> Result<(), Rejection> {
        let wrong = |what: String| Err(Rejection::new("DISCOUNT_INVALID", what));
        if self.name.trim().is_empty() {
            return wrong("a discount needs a name: it is shown on invoices".to_string());
        }
        match self.off {
            Off::Percent(p) if p <= Decimal::ZERO || p > Decimal::ONE => {
                return wrong(format!(
                    "a percentage of {p} is not above 0 and up to 1 (0.2 is 20 %)"
                ));
            }
            Off::Fixed(amount) if !amount.is_positive() => {
                return wrong(format!("a discount of {amount} takes nothing off"));
            }
            _ => {}
        }
        match self.lasts {
            Lasts::Times(0) => {
                return wrong("a discount for no documents takes nothing off".to_string());
            }
            Lasts::For(span) if span.is_zero() => {
                return wrong("a discount for no time takes nothing off".to_string());
            }
            _ => {}
        }
        if let (Some(from), Some(until)) = (self.redeem_from, self.redeem_until)
            && from >= until
        {
            return wrong(format!(
                "it cannot be redeemed from {from} until {until}: that is no day"
            ));
        }
        Ok(())
    }

    /// Percentages come before fixed amounts of the same sequence (policy 19).
    pub(super) fn rank(&self) -> (u32, bool) {
        (self.sequence, matches!(self.off, Off::Fixed(_)))
    }
}
