//! What a subscription brings to a counter in a period, and where the periods lie.

use crate::accounts::AccountTerms;
use crate::catalog::{CounterRule, Owner, Reset};
use crate::kernel::{Date, Days, Exact, Grid, Rejection, calendar::LAST_DATE, calendar::add_days};
use crate::subscriptions::Subscription;

/// The first day of a counter that never begins anew.
const EVER: Date = match Date::from_ymd_opt(1900, 1, 1) {
    Some(day) => day,
    None => Date::MIN,
};

/// Whose counter it is, as far as its periods depend on that.
#[derive(Clone, Copy)]
pub enum Brings<'a> {
    Subscription(&'a Subscription),
    /// The account that has the pool.
    Pool(&'a AccountTerms),
}

/// The period of a counter that a day falls into; the second is the whole one, of which the first is what belongs to the
/// billing day that holds on the day.
pub fn period(rule: &CounterRule, owner: Brings<'_>, on: Date) -> (Days, Days) {
    let Some(every) = rule.reset.every() else {
        let ever = Days::new(EVER, LAST_DATE);
        return (ever, ever);
    };
    if rule.reset != Reset::BillingPeriod {
        let whole = Grid::calendar(on, every).period(on);
        return (whole, whole);
    }
    match owner {
        Brings::Pool(terms) => {
            let whole = Grid::billing_day(on, terms.billing_day.unwrap_or(1), every).period(on);
            (whole, whole)
        }
        Brings::Subscription(sub) => {
            let days = billed(sub, on);
            let term = sub.terms.iter().rev().find(|t| t.from <= on);
            let day = term.or(sub.terms.first()).map_or(1, |t| t.billing_day);
            let whole = Grid::billing_day(on, day, every).period(on);
            (whole.overlap(days), whole)
        }
    }
}

/// The period before one; none for a counter that never begins anew.
pub fn earlier(rule: &CounterRule, owner: Brings<'_>, days: Days) -> Option<(Days, Days)> {
    rule.reset.every()?;
    Some(period(rule, owner, add_days(days.from, -1)))
}

/// The days on which the billing day is what it is on a day. The first one is taken to have held for ever.
fn billed(sub: &Subscription, on: Date) -> Days {
    let mut days = Days::new(EVER, LAST_DATE);
    let mut day = sub.terms.first().map(|t| t.billing_day);
    for term in &sub.terms {
        if Some(term.billing_day) == day {
            continue;
        }
        if term.from > on {
            days.until = term.from;
            break;
        }
        (days.from, day) = (term.from, Some(term.billing_day));
    }
    days
}

/// What a subscription brings to a counter in a period: with proration by the days on which it has the counter and is
/// not paused; without, the most that it brings on any day.
pub fn share(
    sub: &Subscription,
    (owner, code): (Owner, &str),
    (days, whole): (Days, Days),
) -> Result<Exact, Rejection> {
    let (mut parts, mut most) = (Exact::ZERO, Exact::ZERO);
    for (i, term) in sub.terms.iter().enumerate() {
        let runs = sub.term_days(i).overlap(days);
        if runs.is_empty() {
            continue;
        }
        let used = runs.without_all(&sub.pause_days());
        let count: i64 = used.iter().map(Days::count).sum();
        let mut all = Exact::ZERO;
        let rules = term.offer.counter.iter();
        for rule in rules.filter(|r| r.code == code && r.owner == owner) {
            let mut size = Exact::from(rule.size);
            if rule.by_quantity {
                size = size.times(term.quantity.into())?;
            }
            match rule.prorate {
                true => {
                    let part = size.share(count.into(), whole.count().max(1).into())?;
                    parts = parts.plus(part)?;
                }
                false => all = all.plus(size)?,
            }
        }
        most = most.max(all);
    }
    parts.plus(most)
}
