//! What a usage period costs on the invoice.

use crate::catalog::Usage;
use crate::kernel::{Date, Days, Exact, Rejection};
use crate::rating;
use crate::subscriptions::Subscription;
use crate::subscriptions::schedule::UsagePeriod;
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
