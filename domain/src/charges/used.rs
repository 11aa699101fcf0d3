//! What a usage period costs on the invoice.

use super::due::{Basis, Due};
use super::{Charges, What};
use crate::catalog::Usage;
use crate::kernel::{Date, Days, Exact, Money, Rejection};
use crate::rating;
use crate::subscriptions::Subscription;
use crate::subscriptions::schedule::{self, UsagePeriod};
use crate::usage::{Memory, Metered};

/// What was rated, within the charge's bounds. Less than nothing over a period is nothing, flat fees included (policy 16).
/// `metered` answers what was rated for a charge in the period from a day.
pub fn total<'m>(
    sub: &Subscription,
    period: &UsagePeriod<'_>,
    metered: impl Fn(&str, Date) -> Option<&'m Metered>,
) -> Result<Exact, Rejection> {
    let (charge, days) = (period.charge, period.days);
    let here = metered(&charge.code, days.from);
    let meter = here.map(|m| &m.meter);
    let price = charge.price_on(days.from);
    let exact = if charge.remembers() {
        // A level that was carried in may have changed since the records of this period were rated.
        let memory = |code: &str, from: Date| -> Option<&'m Memory> {
            metered(code, from).and_then(|m| m.memory.as_deref())
        };
        let carried = rating::carried_in(sub, charge, days.from, memory)?;
        let over = rating::Over {
            days,
            whole: period.whole,
        };
        let all = rating::Period::new(charge, over, carried);
        let worth = all.worth(here.and_then(|m| m.memory.as_deref()))?;
        let worth = rating::price::bounded(charge, price, worth.amount)?;
        let draws = here.and_then(|m| m.draws.as_ref());
        worth
            .minus(meter.map_or(Exact::ZERO, |m| m.burnt))?
            .minus(draws.map_or(Exact::ZERO, |d| d.covered))?
    } else {
        let base = rating::price::model(charge, price, Exact::ZERO)?;
        base.plus(meter.map_or(Exact::ZERO, |m| m.amount))?
    };
    rating::price::bounded(charge, price, exact)
}

/// What the days of a period cost at least: the minimum of the whole one, shared by days.
pub fn least(charge: &Usage, days: Days, whole: Days) -> Result<Option<Exact>, Rejection> {
    let share = |least| Exact::from(least).share(days.count().into(), whole.count().max(1).into());
    charge.minimum.map(share).transpose()
}

/// Usage periods that were billed, that the contract does not have any more and whose records count elsewhere now: what
/// was billed of them is taken back.
pub fn no_longer<'m>(
    sub: &Subscription,
    charges: &Charges,
    metered: impl Fn(&str, Date) -> Option<&'m Metered>,
    basis: Basis,
    settled: Date,
) -> Vec<Due> {
    let empty =
        |charge: &str, from: Date| metered(charge, from).is_none_or(|m| m.meter.records == 0);
    let mut left: Vec<(&str, Days, Money)> = Vec::new();
    for item in charges.since(settled) {
        let What::Usage { charge, days } = &item.what else {
            continue;
        };
        if days.until <= settled || !empty(charge, days.from) {
            continue;
        }
        match left
            .iter_mut()
            .find(|(c, d, _)| c == charge && d.from == days.from)
        {
            Some((_, _, sum)) => *sum = sum.plus(item.net),
            None => left.push((charge, *days, item.net)),
        }
    }
    left.retain(|(_, _, sum)| !sum.is_zero());
    if left.is_empty() {
        return vec![];
    }
    let wanted = schedule::usage_periods_since(sub, settled, basis.as_of);
    left.retain(|(charge, days, _)| {
        let same = |p: &UsagePeriod<'_>| p.charge.code == *charge && p.days.from == days.from;
        !wanted.iter().any(same)
    });
    let taken_back = |(charge, days, sum): (&str, Days, Money)| {
        let mut terms = sub.terms.iter().rev().flat_map(|t| &t.offer.usage);
        let sold = terms.find(|u| u.code == charge);
        Due {
            what: What::Usage {
                charge: charge.to_string(),
                days,
            },
            text: format!("{charge} {days} taken back"),
            quantity: format!("0 {}", sold.map_or("", |u| u.unit.as_str())),
            exact: sum.exact().negated(),
            net: sum.negated(),
            tax_class: sold
                .map_or("standard", |u| u.tax_class.as_str())
                .to_string(),
            explain: format!(
                "the contract has no period of {charge} from {} any more: {sum} was billed of it",
                days.from
            ),
        }
    };
    left.into_iter().map(taken_back).collect()
}
