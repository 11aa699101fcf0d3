//! The running totals of one charge in one period, moved record by record.
//!
//! The charge of a record is the difference it makes to the model of the total, so charges always sum to the model.

use super::groups::{Groups, Period};
use super::levels::{CarriedIn, Over};
use super::price;
use crate::catalog::{Aggregate, Pay, Price, Usage};
use crate::kernel::{Decimal, Exact, Rejection};
use crate::mediation::Key;
use crate::usage::{Kept, Memory, Meter, Moved, Remembered, Slot};

/// What a record brings to the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    pub units: Exact,
    /// The amount of money the record carries.
    pub carried: Option<Decimal>,
    /// Price of one unit, where a matrix found it.
    pub unit_price: Option<Decimal>,
    /// Price of the record, where an expression found it.
    pub priced: Option<Exact>,
    /// Where and when it counts, if the charge remembers its records.
    pub moved: Option<Box<(Slot, Moved)>>,
}

impl Use {
    /// Units, and an amount of money.
    pub fn new(units: Exact, carried: Option<Decimal>) -> Use {
        Use {
            units,
            carried,
            unit_price: None,
            priced: None,
            moved: None,
        }
    }
}

/// A meter at work. Every call either moves it or leaves it as it was.
#[derive(Clone, Debug)]
pub struct Tally<'a> {
    charge: &'a Usage,
    /// The price in force in the period.
    price: &'a Price,
    /// The price of using nothing: billed with an invoice period whether used or not, so no part of its records.
    base: Exact,
    pub meter: Meter,
    /// Of a charge that remembers its records.
    groups: Option<Box<Groups<'a>>>,
    /// What counters of money paid, less what counted units cost: no part of the meter, but of what the period is worth.
    covered: Exact,
}

impl<'a> Tally<'a> {
    /// A meter whose sums say what it costs.
    ///
    /// Errors: PRICE_NEEDS_RECORDS where the charge depends on each of its records.
    pub fn new(charge: &'a Usage, meter: Meter) -> Result<Tally<'a>, Rejection> {
        if charge.remembers() {
            return Err(Rejection::new(
                "PRICE_NEEDS_RECORDS",
                format!("charge {} depends on each of its records", charge.code),
            ));
        }
        Tally::begin(charge, meter, None)
    }

    /// A meter of a period, with what is remembered of its records and what was there when it began.
    pub fn over(
        charge: &'a Usage,
        meter: Meter,
        over: Over,
        memory: Option<&'a Memory>,
        carried: CarriedIn,
    ) -> Result<Tally<'a>, Rejection> {
        let groups = match charge.remembers() {
            true => Some(Groups::new(Period::new(charge, over, carried), memory)?),
            false => None,
        };
        Tally::begin(charge, meter, groups.map(Box::new))
    }

    fn begin(
        charge: &'a Usage,
        meter: Meter,
        groups: Option<Box<Groups<'a>>>,
    ) -> Result<Tally<'a>, Rejection> {
        let price = match meter.period {
            Some(days) => charge.price_on(days.from),
            None => &charge.price,
        };
        let mut tally = Tally {
            charge,
            price,
            base: Exact::ZERO,
            meter,
            groups,
            covered: Exact::ZERO,
        };
        // A wallet has no bill for an unused period: its first record pays the first tier's flat fee.
        let by_use = matches!(
            price,
            Price::PerUnit(_)
                | Price::Matrix(_)
                | Price::Expression(_)
                | Price::Dynamic(_)
                | Price::Percentage(_)
        );
        if charge.pay != Pay::Wallet && tally.groups.is_none() && !by_use {
            tally.base = tally.total(Exact::ZERO)?;
        }
        Ok(tally)
    }

    /// With what counters covered before.
    #[must_use]
    pub fn beside(self, covered: Exact) -> Tally<'a> {
        Tally { covered, ..self }
    }

    /// What counters cover, as [`Tally::beside`] takes it.
    pub fn covered(&self) -> Exact {
        self.covered
    }

    /// As before what counters covered last, which was refused; the meter is brought back beside.
    pub fn uncover(&mut self, covered: Exact) {
        self.covered = covered;
    }

    /// Moves the units beyond counters, and the number of records: the answer is the difference this makes.
    pub fn shift(
        &mut self,
        records: i64,
        units: Exact,
        rate: Option<Decimal>,
    ) -> Result<Exact, Rejection> {
        let mut next = self.meter.clone();
        next.records = next.records.saturating_add_signed(records);
        next.units = next.units.plus(units)?;
        let difference = match (self.price, rate) {
            (Price::Matrix(_), Some(rate)) => units.times(rate.into())?,
            (
                Price::Matrix(_) | Price::Dynamic(_) | Price::Expression(_) | Price::Percentage(_),
                _,
            ) => return Err(super::measured::unremembered(self.charge)),
            _ if next.records == 0 && next.units.is_zero() => self.base.minus(self.worth()?)?,
            // A wallet pays the first tier's flat fee once something is beyond the counters.
            _ if self.charge.pay == Pay::Wallet && next.units.is_zero() => {
                Exact::ZERO.minus(self.worth()?)?
            }
            _ => self.total(next.units)?.minus(self.worth()?)?,
        };
        self.book(&mut next, difference)?;
        self.meter = next;
        Ok(difference)
    }

    /// Takes what counters pay off what is to be paid; below zero: back.
    pub fn cover(&mut self, amount: Exact) -> Result<(), Rejection> {
        let covered = self.covered.plus(amount)?;
        let mut next = self.meter.clone();
        self.book(&mut next, amount.negated())?;
        (self.meter, self.covered) = (next, covered);
        Ok(())
    }

    /// What the period's total costs.
    fn total(&self, units: Exact) -> Result<Exact, Rejection> {
        let amount = price::model(self.charge, self.price, units)?;
        price::bounded(self.charge, self.price, amount)
    }

    /// What a record of `quantity` brings: quantity ÷ per.
    pub fn read(&self, quantity: Decimal, carried: Option<Decimal>) -> Result<Use, Rejection> {
        if matches!(self.price, Price::Dynamic(_)) && carried.is_none() {
            return Err(super::measured::carries_none(self.charge));
        }
        let units = match self.charge.per {
            Some(per) => price::divide(quantity.into(), per)?,
            None => quantity.into(),
        };
        Ok(Use::new(units, carried))
    }

    /// Counts a record; the answer is its charge.
    pub fn add(&mut self, used: Use) -> Result<Exact, Rejection> {
        if self.groups.is_some() {
            return self.exchange(None, Some(used));
        }
        let mut next = self.meter.clone();
        next.records += 1;
        next.units = match self.charge.aggregate {
            Aggregate::Sum => next.units.plus(used.units)?,
            Aggregate::Max => next.units.max(used.units),
            Aggregate::Min if next.records > 1 => next.units.min(used.units),
            Aggregate::Min => used.units,
            Aggregate::Count => next.units.plus(Exact::from(1))?,
            // These remember their records.
            Aggregate::Last
            | Aggregate::Unique
            | Aggregate::Weighted
            | Aggregate::Level
            | Aggregate::Peak => return Err(super::measured::unremembered(self.charge)),
        };
        let charge = match self.price {
            Price::Percentage(p) => {
                let share = price::percentage(p, next.records, used.units, next.units, next.free)?;
                next.free = share.free;
                share.amount
            }
            Price::Dynamic(d) => {
                Exact::from(used.carried.unwrap_or_default()).times(d.multiplier.into())?
            }
            Price::Matrix(_) | Price::Expression(_) => of_record(self.charge, &used)?,
            _ => self.total(next.units)?.minus(self.worth()?)?,
        };
        self.book(&mut next, charge)?;
        self.meter = next;
        Ok(charge)
    }

    /// For a charge that remembers its records: one comes, goes or takes the place of another. The answer is the
    /// difference this makes; refused, nothing of it stays.
    fn exchange(&mut self, gone: Option<&Key>, come: Option<Use>) -> Result<Exact, Rejection> {
        let unremembered = || super::measured::unremembered(self.charge);
        let pay = self.charge.pay;
        // Before anything is used and once nothing is left, a wallet has nothing to pay.
        let worth = |groups: &Groups<'_>, records: u64| match (pay, records) {
            (Pay::Wallet, 0) => Ok(Exact::ZERO),
            _ => groups.amount(),
        };
        let mut next = self.meter.clone();
        let groups = self.groups.as_mut().ok_or_else(unremembered)?;
        let before = worth(groups, next.records)?;
        let whole = gone.map(|_| groups.clone());
        let exchanged = || {
            if let Some(key) = gone {
                groups.go(key)?;
                next.records = next.records.saturating_sub(1);
            }
            if let Some(used) = come {
                let moved = used.moved.ok_or_else(unremembered)?;
                groups.come(&moved.0, &moved.1)?;
                next.records += 1;
            }
            next.units = groups.sum().units;
            worth(groups, next.records)?.minus(before)
        };
        let charge = match exchanged() {
            Ok(charge) => charge,
            Err(refused) => {
                self.groups = whole.or(self.groups.take());
                return Err(refused);
            }
        };
        self.book(&mut next, charge)?;
        self.meter = next;
        Ok(charge)
    }

    /// As before the record that was added last, which somebody refused to pay.
    pub fn undo(&mut self, meter: Meter, key: &Key) -> Result<(), Rejection> {
        if let Some(groups) = &mut self.groups {
            groups.undo(key)?;
        }
        self.meter = meter;
        Ok(())
    }

    /// Replaces what an earlier record brought by what its correction brings, or takes it away; the answer is the
    /// difference this makes. `others` are all records of the meter after the replacement, in their order, and are looked at only if it tallies
    /// [`by order`](Tally::by_order).
    pub fn replace(
        &mut self,
        was: &Kept,
        now: Option<Use>,
        others: impl Iterator<Item = Use>,
    ) -> Result<Exact, Rejection> {
        if self.groups.is_some() {
            return self.exchange(Some(&was.key), now);
        }
        let next = if self.by_order() {
            let mut again = Tally {
                meter: Meter {
                    period: self.meter.period,
                    ..Meter::default()
                },
                covered: Exact::ZERO,
                ..self.clone()
            };
            for used in others {
                again.add(used)?;
            }
            if !self.covered.is_zero() {
                again.cover(self.covered)?;
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
        let order = matches!(self.price, Price::Percentage(_))
            || matches!(self.charge.aggregate, Aggregate::Max | Aggregate::Min);
        order && self.groups.is_none()
    }

    /// For models that depend on the sums alone.
    fn moved(&self, was: &Kept, now: Option<Use>) -> Result<Meter, Rejection> {
        let mut next = self.meter.clone();
        if self.charge.aggregate == Aggregate::Sum {
            next.units = next
                .units
                .minus(was.units)?
                .plus(now.as_ref().map_or(Exact::ZERO, |n| n.units))?;
        }
        if now.is_none() {
            next.records = next.records.saturating_sub(1);
            if self.charge.aggregate == Aggregate::Count {
                next.units = next.units.minus(Exact::from(1))?;
            }
        }
        let difference = match self.price {
            Price::Dynamic(d) => {
                let now = now.and_then(|n| n.carried).unwrap_or_default();
                Exact::from(now)
                    .minus(was.carried.unwrap_or_default().into())?
                    .times(d.multiplier.into())?
            }
            Price::Matrix(_) | Price::Expression(_) => match &now {
                Some(now) => of_record(self.charge, now)?.minus(was.amount)?,
                None => was.amount.negated(),
            },
            // Once nothing is left, a wallet has nothing to pay either.
            _ if next.records == 0 => self.base.minus(self.worth()?)?,
            _ => self.total(next.units)?.minus(self.worth()?)?,
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
        let paid = self.base.plus(self.meter.amount)?.plus(self.meter.burnt)?;
        match self.covered.is_zero() {
            true => Ok(paid),
            false => paid.plus(self.covered),
        }
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
        self.finish_all().map(|(meter, _)| meter)
    }

    /// The same, with what is to be remembered.
    pub fn finish_all(self) -> Result<(Meter, Option<Remembered>), Rejection> {
        let meter = self.meter.written_out()?;
        Ok((meter, self.groups.map(|groups| groups.finish())))
    }
}

/// What a record costs at the price that a matrix or an expression found for it.
fn of_record(charge: &Usage, used: &Use) -> Result<Exact, Rejection> {
    if let Some(priced) = used.priced {
        return Ok(priced);
    }
    let price = used
        .unit_price
        .ok_or_else(|| super::measured::unremembered(charge))?;
    used.units.times(price.into())
}
