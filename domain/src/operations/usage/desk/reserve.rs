//! What the desk does for credit control: prices usage in advance, sets money aside for it, debits what was used.
//!
//! Quotas on one meter are priced one behind the other in the order they were granted. Whenever the meter moves, or one
//! of them is given back, the others are priced anew: their holds and what was charged together never cost more than
//! was set aside for all of them (docs/decisions/0016-reservations.md).

use super::{Desk, Received, UsageRecord, closed};
use crate::catalog::{Pay, Price};
use crate::kernel::{Date, Decimal, Exact, Id, Instant, Rejection};
use crate::rating::quote::{depends_on_earlier, quote};
use crate::rating::tally::Use;
use crate::rating::{self, Place};
use crate::reservations::{Living, Quota, Units, hold_id};
use crate::subscriptions::Subscription;
use crate::usage;
use crate::wallets::Target;

/// A price that was told in advance.
pub(in crate::operations) struct Priced<'s> {
    account: &'s str,
    meter: Id,
    on: Date,
    units: Exact,
    /// What a wallet would pay; nothing where an invoice does.
    pub cost: Exact,
    /// What wallets have for it.
    pub available: Exact,
    target: Target<'s>,
}

impl<'s> Desk<'s, '_> {
    /// Who a record would be charged to: subscription and account.
    pub(in crate::operations) fn who(
        &self,
        record: &UsageRecord,
    ) -> Result<(&'s str, &'s str), Rejection> {
        let (id, sub, _) = self.subscription(record)?;
        Ok((id, &sub.account))
    }

    /// What a record that has not happened yet would cost behind everything that is reserved.
    pub(in crate::operations) fn price(
        &mut self,
        record: &UsageRecord,
    ) -> Result<Priced<'s>, Rejection> {
        let (id, sub, zone) = self.subscription(record)?;
        let place = rating::place(self.session, (id, sub), zone, record)?;
        let open = self.open(id, place)?;
        let mut free = self.free((id, sub), &place, record)?;
        let meter = usage::id(id, &place.charge.code, place.days.from);
        let account = sub.account.as_str();
        self.purse(account);
        self.tax(account, open, place.charge, place.on)?;
        self.watch(account);
        self.know_living(&meter);
        let (Some(working), Some(purse)) = (self.meters.get(open), self.purses.get(account)) else {
            return Err(closed(&meter));
        };
        let mut used = rating::measured(&place, record)?;
        let units = used.units;
        let mut position = working.meter().clone();
        let target = place.target();
        let available = purse.available(place.on, &target)?;
        let cost = match place.charge.pay {
            Pay::Invoice => Exact::ZERO,
            Pay::Wallet | Pay::WalletThenInvoice => {
                if depends_on_earlier(place.charge) || !free.is_zero() {
                    for living in self.living.get(&meter).into_iter().flatten() {
                        let reserved = beyond(reserved(living), &mut free)?;
                        if depends_on_earlier(place.charge) {
                            position = quote(place.charge, &position, reserved)?.after;
                        }
                    }
                }
                used = beyond(used, &mut free)?;
                let most = quote(place.charge, &position, used.clone())?.most;
                // What wallets lack is for the invoice.
                match place.charge.pay {
                    Pay::WalletThenInvoice => most.min(available),
                    _ => most,
                }
            }
        };
        Ok(Priced {
            account,
            available,
            target,
            meter,
            on: place.on,
            units,
            cost,
        })
    }

    /// Sets money aside for a record, or for as many whole units of it as there is money for; the answer is the quota
    /// and its cost.
    pub(in crate::operations) fn reserve(
        &mut self,
        record: &UsageRecord,
        (session, service): (&str, &str),
        until: Instant,
    ) -> Result<(Quota, Exact), Rejection> {
        let mut record = record.clone();
        let mut priced = self.price(&record)?;
        if priced.cost > priced.available {
            priced = self.afford(&mut record, priced)?;
        }
        let purse = self.purses.get_mut(priced.account);
        let purse = purse.ok_or_else(|| closed(&priced.meter))?;
        let hold = hold_id(session, service);
        purse.hold(&hold, priced.cost, until, priced.on, &priced.target)?;
        let quota = Quota {
            meter: priced.meter.clone(),
            granted: Units {
                quantity: record.quantity,
                amount: record.amount,
            },
            units: priced.units,
            until,
        };
        self.living.entry(priced.meter).or_default().push(Living {
            session: session.to_string(),
            service: service.to_string(),
            quota: quota.clone(),
        });
        Ok((quota, priced.cost))
    }

    /// Cuts a record down to what there is money for.
    fn afford(
        &mut self,
        record: &mut UsageRecord,
        whole: Priced<'s>,
    ) -> Result<Priced<'s>, Rejection> {
        let lacking = Rejection::new(
            "WALLET_INSUFFICIENT",
            format!(
                "the wallets have {} free, a reservation of {} needs {}",
                whole.available, record.quantity, whole.cost
            ),
        );
        let dynamic = self
            .working(&whole.meter)
            .is_some_and(|w| matches!(w.charge().price, Price::Dynamic(_)));
        if dynamic {
            // The amount belongs to the whole quantity.
            return Err(lacking);
        }
        let (mut best, mut low, mut high) = (None, 1, record.quantity.get().trunc().mantissa());
        while low <= high {
            let middle = low + (high - low) / 2;
            record.quantity = Decimal::new(rust_decimal::Decimal::from_i128_with_scale(middle, 0));
            let priced = self.price(record)?;
            if priced.cost <= priced.available {
                low = middle + 1;
                best = Some((record.quantity, priced));
            } else {
                high = middle - 1;
            }
        }
        let (quantity, priced) = best.ok_or(lacking)?;
        record.quantity = quantity;
        Ok(priced)
    }

    /// Gives a quota back: its money and its place among the others.
    pub(in crate::operations) fn give_up(
        &mut self,
        account: &'s str,
        (session, service): (&str, &str),
        quota: &Quota,
    ) -> Result<(), Rejection> {
        self.purse(account);
        if let Some(purse) = self.purses.get_mut(account) {
            purse.release(&hold_id(session, service))?;
        }
        self.know_living(&quota.meter);
        if let Some(living) = self.living.get_mut(&quota.meter) {
            living.retain(|l| l.session != session || l.service != service);
        }
        Ok(())
    }

    /// Debits a record; the answer is its meter and its charge. Refused, it is listed with its reason like any record.
    pub(in crate::operations) fn debit(
        &mut self,
        record: UsageRecord,
    ) -> Result<(Id, Exact), Rejection> {
        let key = record.key;
        let (rejected, pending) = (self.listed.rejected.len(), self.listed.pending.len());
        self.take(Received::Record(record))?;
        let refused = self.listed.rejected.get(rejected).map(|r| &r.reason);
        let waits = self.listed.pending.get(pending).map(|h| &h.reason);
        if let Some(reason) = refused.or(waits) {
            return Err(reason.clone());
        }
        let meter = self.here.get(&key).and_then(|here| here.meter);
        let debited = meter.and_then(|meter| {
            let working = self.meters.get(meter)?;
            Some((working.id().to_string(), working.last_amount()?))
        });
        debited.ok_or_else(|| {
            Rejection::new("RECORD_EXISTS", "this usage was debited before".to_string())
        })
    }

    /// Prices what others reserved on a meter anew. `strict`: refused if there is no money for it, which leaves the holds
    /// half changed; else as much is held as there is.
    pub(in crate::operations) fn price_anew(
        &mut self,
        meter: &str,
        strict: bool,
    ) -> Result<(), Rejection> {
        if !self.moves_others(meter) {
            return Ok(());
        }
        let (account, open) = self.reopen(meter)?;
        // Open, it says who pays: nothing is held for what an invoice bills.
        if !self.moves_others(meter) {
            return Ok(());
        }
        if let Some((charge, on)) = self.meters.get(open).map(|w| (w.charge(), w.on())) {
            self.tax(account, open, charge, on)?;
        }
        let (Some(working), Some(purse), Some(living)) = (
            self.meters.get(open),
            self.purses.get_mut(account),
            self.living.get(meter),
        ) else {
            return Err(closed(meter));
        };
        let mut position = working.meter().clone();
        let mut costs = Vec::with_capacity(living.len());
        for l in living {
            let quoted = quote(working.charge(), &position, reserved(l))?;
            costs.push((hold_id(&l.session, &l.service), quoted.most, l.quota.until));
            position = quoted.after;
        }
        costs.retain(|(hold, cost, _)| purse.held(hold) != *cost);
        // Room first: one may grow by what another one gives back.
        for (hold, _, _) in &costs {
            purse.release(hold)?;
        }
        let (on, target) = (working.on(), working.target());
        for (hold, cost, until) in costs {
            let cost = if strict {
                cost
            } else {
                cost.min(purse.available(on, &target)?)
            };
            purse.hold(&hold, cost, until, on, &target)?;
        }
        Ok(())
    }

    /// Whether a move of this meter changes what others' reservations cost.
    pub(super) fn moves_others(&mut self, meter: &str) -> bool {
        if !self.session.index().reserved.any_on(meter) && !self.living.contains_key(meter) {
            return false;
        }
        self.know_living(meter);
        let positional = self.working(meter).is_none_or(|w| {
            // What counters cover of it is not known before it is used: those holds stay as they are.
            w.charge().pay == Pay::Wallet && depends_on_earlier(w.charge()) && !w.counts()
        });
        positional && self.living.get(meter).is_some_and(|l| !l.is_empty())
    }

    /// Units that counters have for a record that has not happened yet.
    fn free(
        &mut self,
        drawing: (&str, &Subscription),
        place: &Place<'_>,
        record: &UsageRecord,
    ) -> Result<Exact, Rejection> {
        let mark = self.lots.mark();
        let left = match self.lots.way(drawing, place, record)? {
            Some(way) => self.lots.all_left(&way.units),
            None => Ok(Exact::ZERO),
        };
        self.lots.restore(mark);
        left
    }

    fn know_living(&mut self, meter: &str) {
        if !self.living.contains_key(meter) {
            let now = self.session.now();
            let living = self.session.index().reserved.on(meter, now).cloned();
            self.living.insert(meter.to_string(), living.collect());
        }
    }
}

/// What is left of some use once counters covered what they have.
fn beyond(used: Use, free: &mut Exact) -> Result<Use, Rejection> {
    let covered = used.units.min(*free).max(Exact::ZERO);
    *free = free.minus(covered)?;
    Ok(Use {
        units: used.units.minus(covered)?,
        ..used
    })
}

fn reserved(living: &Living) -> Use {
    Use::new(living.quota.units, living.quota.granted.amount)
}
