//! What the desk answers without rating: where a record would count, and what is left for it.

use super::{Desk, UsageRecord, closed};
use crate::catalog::{Aggregate, Beyond, Owner, Pay, Usage};
use crate::entitlements::Left;
use crate::kernel::{Exact, Rejection};
use crate::rating;

/// What is left for a record.
pub(in crate::operations) struct Entitled<'s> {
    pub charge: &'s Usage,
    /// In the order in which they are drawn.
    pub left: Vec<Left>,
    /// What the charge makes of the record's quantity.
    pub units: Exact,
    /// Units that allowances and counters have.
    pub free: Exact,
    /// A counter refuses what is beyond it.
    pub refuses: bool,
    /// What wallets would pay, and what they have.
    pub wallets: Option<(Exact, Exact)>,
}

impl<'s> Desk<'s, '_> {
    /// What is left for a record that has not happened.
    pub(in crate::operations) fn entitled(
        &mut self,
        record: &UsageRecord,
    ) -> Result<Entitled<'s>, Rejection> {
        let (id, sub, zone) = self.subscription(record)?;
        let place = rating::place(self.session, (id, sub), zone, record)?;
        let open = self.open(id, place)?;
        let charge = place.charge;
        let units = rating::measured(&place, record)?.units;
        let mut left = Vec::new();
        let mut free = Exact::ZERO;
        let mut refuses = false;
        if let Some(way) = self.lots.way((id, sub), &place, record)? {
            for lot in way.units.iter().chain(&way.money) {
                let Some(told) = self.lots.told(lot)? else {
                    continue;
                };
                let rule = self.lots.rule(lot);
                refuses |= rule.is_some_and(|rule| rule.beyond == Beyond::Refuse);
                if told.unit.is_some() {
                    free = free.plus(told.left)?;
                }
                left.push(told);
            }
        }
        let working = self.meters.get(open).ok_or_else(|| closed("asked for"))?;
        let sums = matches!(charge.aggregate, Aggregate::Sum | Aggregate::Count);
        if let Some(allowance) = charge.allowance.filter(|_| sums) {
            let (size, used) = (Exact::from(allowance), working.meter().units);
            let used = used.min(size).max(Exact::ZERO);
            let rest = size.minus(used)?;
            free = free.plus(rest)?;
            left.push(Left {
                counter: None,
                name: charge.name.clone(),
                owner: Owner::Subscription,
                of: id.to_string(),
                unit: Some(charge.unit.clone()),
                currency: None,
                size,
                used,
                left: rest,
                carried: false,
                resets: Some(place.days.until),
            });
        }
        let wallets = match charge.pay {
            Pay::Invoice => None,
            Pay::Wallet | Pay::WalletThenInvoice => {
                let priced = self.price(record)?;
                Some((priced.cost, priced.available))
            }
        };
        Ok(Entitled {
            charge,
            left,
            units,
            free,
            refuses,
            wallets,
        })
    }
}
