//! The running totals of one charge in one period, moved record by record.
//!
//! The charge of a record is the difference it makes to the model of the total, so charges always sum to the model.

use super::price;
use crate::catalog::{Aggregate, Pay, Price, Usage};
use crate::kernel::{Decimal, Exact, Rejection};
use crate::usage::Meter;

/// What a record brings to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub units: Exact,
    /// The amount of money the record carries.
    pub carried: Option<Decimal>,
}

/// A meter at work. Every call either moves it or leaves it as it was.
#[derive(Clone, Debug)]
pub struct Tally<'a> {
    charge: &'a Usage,
    /// The price of using nothing: billed with an invoice period whether used or not, so no part of its records.
    base: Exact,
    pub meter: Meter,
}

impl<'a> Tally<'a> {
    pub fn new(charge: &'a Usage, meter: Meter) -> Result<Tally<'a>, Rejection> {
        // A wallet has no bill for an unused period: its first record pays the first tier's flat fee.
        let base = if charge.pay == Pay::Wallet {
            Exact::ZERO
        } else {
            price::of_total(charge, Exact::ZERO)?
        };
        Ok(Tally {
            charge,
            base,
            meter,
        })
    }

    /// What a record of `quantity` brings: quantity ÷ per.
    pub fn read(&self, quantity: Decimal, carried: Option<Decimal>) -> Result<Use, Rejection> {
        if matches!(self.charge.price, Price::Dynamic(_)) && carried.is_none() {
            return Err(Rejection::new(
                "PRICE_MISSING",
                format!(
                    "charge {} multiplies the amount a record carries; this one carries none",
                    self.charge.code
                ),
            ));
        }
        let units = match self.charge.per {
            Some(per) => price::divide(quantity.into(), per)?,
            None => quantity.into(),
        };
        Ok(Use { units, carried })
    }

    /// Counts a record; the answer is its charge.
    pub fn add(&mut self, used: Use) -> Result<Exact, Rejection> {
        let mut next = self.meter.clone();
        next.records += 1;
        next.units = match self.charge.aggregate {
            Aggregate::Sum => next.units.plus(used.units)?,
            Aggregate::Max => next.units.max(used.units),
            Aggregate::Count => next.units.plus(Exact::from(1))?,
        };
        let charge = match &self.charge.price {
            Price::Percentage(p) => {
                let share = price::percentage(p, next.records, used.units, next.units, next.free)?;
                next.free = share.free;
                share.amount
            }
            Price::Dynamic(d) => {
                Exact::from(used.carried.unwrap_or_default()).times(d.multiplier.into())?
            }
            _ => price::of_total(self.charge, next.units)?.minus(self.worth()?)?,
        };
        self.book(&mut next, charge)?;
        self.meter = next;
        Ok(charge)
    }

    /// Replaces what an earlier record brought by what its correction brings, or takes it away; the answer is the
    /// difference this makes. `others` are all records of the meter after the replacement, in their order, and are looked at only if it tallies
    /// [`by order`](Tally::by_order).
    pub fn replace(
        &mut self,
        was: Use,
        now: Option<Use>,
        others: impl Iterator<Item = Use>,
    ) -> Result<Exact, Rejection> {
        let next = if self.by_order() {
            let mut again = Tally {
                meter: Meter {
                    period: self.meter.period,
                    ..Meter::default()
                },
                ..self.clone()
            };
            for used in others {
                again.add(used)?;
            }
            if self.charge.pay == Pay::WalletThenInvoice {
                again.meter.burnt = self.meter.burnt;
                again.meter.amount = again.meter.amount.minus(self.meter.burnt)?;
            }
            again.meter
        } else {
            self.moved(was, now)?
        };
        let difference = next
            .amount
            .plus(next.burnt)?
            .minus(self.meter.amount.plus(self.meter.burnt)?)?;
        self.meter = next;
        Ok(difference)
    }

    /// Whether a correction tallies all records anew, in their order: the sums do not say what the records cost.
    pub fn by_order(&self) -> bool {
        matches!(self.charge.price, Price::Percentage(_)) || self.charge.aggregate == Aggregate::Max
    }

    /// For models that depend on the sums alone.
    fn moved(&self, was: Use, now: Option<Use>) -> Result<Meter, Rejection> {
        let mut next = self.meter.clone();
        if self.charge.aggregate == Aggregate::Sum {
            next.units = next
                .units
                .minus(was.units)?
                .plus(now.map_or(Exact::ZERO, |n| n.units))?;
        }
        if now.is_none() {
            next.records = next.records.saturating_sub(1);
            if self.charge.aggregate == Aggregate::Count {
                next.units = next.units.minus(Exact::from(1))?;
            }
        }
        let difference = match &self.charge.price {
            Price::Dynamic(d) => {
                let now = now.and_then(|n| n.carried).unwrap_or_default();
                Exact::from(now)
                    .minus(was.carried.unwrap_or_default().into())?
                    .times(d.multiplier.into())?
            }
            // Once nothing is left, a wallet has nothing to pay either.
            _ if next.records == 0 => self.base.minus(self.worth()?)?,
            _ => price::of_total(self.charge, next.units)?.minus(self.worth()?)?,
        };
        self.book(&mut next, difference)?;
        Ok(next)
    }

    /// Moves what wallets paid of a charge from the invoice to them; below zero: back.
    pub fn paid_by_wallets(&mut self, amount: Exact) -> Result<(), Rejection> {
        let (left, burnt) = (
            self.meter.amount.minus(amount)?,
            self.meter.burnt.plus(amount)?,
        );
        self.meter.amount = left;
        self.meter.burnt = burnt;
        Ok(())
    }

    /// What the period costs so far.
    fn worth(&self) -> Result<Exact, Rejection> {
        self.base.plus(self.meter.amount)?.plus(self.meter.burnt)
    }

    fn book(&self, meter: &mut Meter, charge: Exact) -> Result<(), Rejection> {
        match self.charge.pay {
            // What wallets pay of it is moved over once they have been asked.
            Pay::Invoice | Pay::WalletThenInvoice => meter.amount = meter.amount.plus(charge)?,
            Pay::Wallet => meter.burnt = meter.burnt.plus(charge)?,
        }
        Ok(())
    }

    /// The meter with its quantity written out.
    pub fn finish(self) -> Result<Meter, Rejection> {
        // Twelve decimals are for showing; tiers and prices see the exact units.
        let quantity = match self.meter.units.shown() {
            Some(shown) => shown,
            None => self.meter.units.to_decimal(12).parse()?,
        };
        Ok(Meter {
            quantity,
            ..self.meter
        })
    }
}
