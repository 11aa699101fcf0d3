//! The tax inside what a wallet pays at rating, where its balance includes tax.

use super::decide::Work;
use super::{OVERDRAFT, Wallet};
use crate::kernel::{Exact, Id, Money, Rejection, Rounding};
use serde::{Deserialize, Serialize};

/// Tax that one grant paid for one meter's usage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaxPart {
    pub meter: Id,
    pub grant: Id,
    /// What the tax was paid on; negative: given back.
    pub net: Exact,
    pub tax: Exact,
}

/// A part of what was burnt was tax: it is owed to the authority and was not earned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taxed {
    pub batch: Id,
    pub parts: Vec<TaxPart>,
    /// What a journal posts for it.
    pub posted: Money,
}

impl Wallet {
    /// The tax that its grants paid for a meter so far.
    pub fn taxes_of(&self, meter: &str) -> &[TaxPart] {
        self.taxed.get(meter).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn add_taxes(&mut self, e: &Taxed) -> Result<(), Rejection> {
        for part in &e.parts {
            self.tax = self.tax.plus(part.tax)?;
            let known = self.taxed.entry(part.meter.clone()).or_default();
            match known.iter_mut().find(|k| k.grant == part.grant) {
                Some(sum) => {
                    sum.net = sum.net.plus(part.net)?;
                    sum.tax = sum.tax.plus(part.tax)?;
                }
                None => known.push(part.clone()),
            }
            known.retain(|k| !k.net.is_zero() || !k.tax.is_zero());
        }
        self.taxed.retain(|_, parts| !parts.is_empty());
        self.tax_posted = self.tax_posted.plus(e.posted);
        Ok(())
    }
}

impl Work {
    /// Says how much of what is burnt is tax.
    pub(super) fn tax(
        &mut self,
        batch: Id,
        parts: Vec<TaxPart>,
        rounding: Rounding,
    ) -> Result<(), Rejection> {
        if parts.is_empty() {
            return Ok(());
        }
        let known = |p: &TaxPart| p.grant == OVERDRAFT || self.next.grant(&p.grant).is_some();
        if let Some(part) = parts.iter().find(|p| !known(p)) {
            let why = format!("this wallet has no grant {}", part.grant);
            return Err(Rejection::new("GRANT_UNKNOWN", why));
        }
        let mut sum = self.next.tax;
        for part in &parts {
            sum = sum.plus(part.tax)?;
        }
        let total = Money::round(sum, self.next.currency, rounding)?;
        let posted = total.minus(self.next.tax_posted);
        self.say(Taxed {
            batch,
            parts,
            posted,
        });
        Ok(())
    }
}
