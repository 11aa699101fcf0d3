//! The tax that wallets pay with what they pay, while a batch is rated.

use super::TaxPart;
use crate::kernel::{Exact, Id, Rejection};
use crate::usage::Part;
use std::collections::BTreeMap;

/// Meter, wallet, grant.
type Place = (Id, Id, Id);

/// What the tax was paid on, and the tax.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    net: Exact,
    tax: Exact,
}

impl Sum {
    fn add(&mut self, net: Exact, tax: Exact) -> Result<(), Rejection> {
        self.net = self.net.plus(net)?;
        self.tax = self.tax.plus(tax)?;
        Ok(())
    }
}

/// The meter that is paid for now, its rate, and the tax of everything that was looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Taxing {
    now: Option<(Id, Exact)>,
    /// Before the batch and in it.
    paid: BTreeMap<Place, Sum>,
    /// In the batch.
    moved: BTreeMap<Place, Sum>,
}

impl Taxing {
    pub fn of<'a>(
        &mut self,
        meter: &str,
        rate: Exact,
        known: impl Iterator<Item = (&'a Id, &'a TaxPart)>,
    ) {
        for (wallet, part) in known {
            let place = (meter.to_string(), wallet.clone(), part.grant.clone());
            let (net, tax) = (part.net, part.tax);
            self.paid.entry(place).or_insert(Sum { net, tax });
        }
        self.now = Some((meter.to_string(), rate));
    }

    /// 1 + the rate.
    pub fn factor(&self) -> Result<Exact, Rejection> {
        let rate = self.now.as_ref().map_or(Exact::ZERO, |(_, rate)| *rate);
        Exact::from(1).plus(rate)
    }

    fn place(&self, part: &Part) -> Option<Place> {
        let (meter, _) = self.now.as_ref()?;
        Some((meter.clone(), part.wallet.clone(), part.grant.clone()))
    }

    /// The tax that goes back with a negative part: as much of what was paid as the part is of what it was paid on.
    pub fn back(&self, part: &Part) -> Result<Exact, Rejection> {
        let known = self.place(part).and_then(|place| self.paid.get(&place));
        match known.filter(|sum| sum.net > Exact::ZERO) {
            Some(sum) => {
                let back = part.amount.negated().min(sum.net);
                let share = back.share(sum.net.denominator(), sum.net.numerator())?;
                Ok(sum.tax.times(share)?.negated())
            }
            None => Ok(Exact::ZERO),
        }
    }

    /// Notes the tax of a part, if it has any.
    pub fn note(&mut self, part: &Part, tax: Exact) -> Result<(), Rejection> {
        let Some(place) = self.place(part).filter(|_| !tax.is_zero()) else {
            return Ok(());
        };
        let moved = self.moved.entry(place.clone()).or_default();
        moved.add(part.amount, tax)?;
        self.paid.entry(place).or_default().add(part.amount, tax)
    }

    /// What a wallet is to be told.
    pub fn finish(&mut self, wallet: &str) -> Vec<TaxPart> {
        let own = self.moved.iter().filter(|((_, of, _), _)| of == wallet);
        let parts = own.map(|((meter, _, grant), sum)| TaxPart {
            meter: meter.clone(),
            grant: grant.clone(),
            net: sum.net,
            tax: sum.tax,
        });
        let moved = |p: &TaxPart| !p.net.is_zero() || !p.tax.is_zero();
        parts.filter(moved).collect()
    }
}
