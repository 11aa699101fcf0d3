//! What a usage period costs on the invoice.

use super::due::{Basis, Due};
use super::{Charges, What};
use crate::catalog::Usage;
use crate::kernel::{Date, Days, Exact, Money, Rejection};
use crate::rating;
use crate::subscriptions::Subscription;
use crate::subscriptions::schedule::{self, UsagePeriod};
use crate::usage::{Memory, Metered};

/// What was rated, within the charge's bounds, and what it was before its maximum capped it, if that did. Less than nothing
/// over a period is nothing, flat fees included (policy 16). `metered` answers what was rated for a charge in the period from a day.
pub fn total<'m>(
    sub: &Subscription,
    period: &UsagePeriod<'_>,
    metered: impl Fn(&str, Date) -> Option<&'m Metered>,
) -> Result<(Exact, Option<Exact>), Rejection> {
    let (charge, days) = (period.charge, period.days);
    let here = metered(&charge.code, days.from);
    let meter = here.map(|m| &m.meter);
    let price = charge.price_on(days.from);
    let (exact, asked) = if charge.remembers() {
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
        let asked = all.worth(here.and_then(|m| m.memory.as_deref()))?.amount;
        let worth = rating::price::bounded(charge, price, asked)?;
        let draws = here.and_then(|m| m.draws.as_ref());
        let left = worth
            .minus(meter.map_or(Exact::ZERO, |m| m.burnt))?
            .minus(draws.map_or(Exact::ZERO, |d| d.covered))?;
        (left, asked)
    } else {
        let base = rating::price::model(charge, price, Exact::ZERO)?;
        let asked = base.plus(meter.map_or(Exact::ZERO, |m| m.amount))?;
        (asked, asked)
    };
    let most = charge.maximum.map(Exact::from);
    let capped = most.is_some_and(|most| asked > most).then_some(asked);
    Ok((rating::price::bounded(charge, price, exact)?, capped))
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

/// Usage that was rated and lies in no period of the contract any more, such as that of days after an end that was told
/// late: a period of its own, due at once. `meters`: the charge and the first day of each. What the days cost whether
/// anything is used or not is the matter of the periods that there are.
pub fn left_behind<'m>(
    sub: &Subscription,
    charges: &Charges,
    meters: &[(String, Date)],
    metered: impl Fn(&str, Date) -> Option<&'m Metered>,
    basis: Basis,
) -> Result<Vec<Due>, Rejection> {
    let mut out = Vec::new();
    for (code, from) in meters {
        let Some(meter) = metered(code, *from).map(|m| &m.meter) else {
            continue;
        };
        let Some(days) = meter.period.filter(|days| days.from <= basis.as_of) else {
            continue;
        };
        let mut terms = sub.terms.iter().rev();
        let sold = terms.find_map(|t| Some((t, t.offer.usage.iter().find(|u| u.code == *code)?)));
        let exact = match sold {
            Some((_, charge)) => {
                rating::price::bounded(charge, charge.price_on(*from), meter.amount)?
            }
            None => meter.amount.max(Exact::ZERO),
        };
        let total = basis.round(exact)?;
        let earlier: Vec<&super::Item> = charges.usage_billed(code, *from).collect();
        let billed = Money::sum(basis.currency, earlier.iter().map(|i| i.net));
        let net = total.minus(billed);
        if net.is_zero() {
            continue;
        }
        let unit = sold.map_or("", |(_, charge)| charge.unit.as_str());
        let name = match sold {
            Some((term, charge)) => format!("{} {}", term.offer.name, charge.name),
            None => code.clone(),
        };
        let (quantity, records) = (meter.quantity, meter.records);
        let mut explain = format!(
            "{quantity} {unit} in {records} records of {days}, a period that the contract does not have any more = {}, {} to {total}",
            exact.to_decimal(12),
            basis.how(),
        );
        if let Some(first) = earlier.first() {
            explain.push_str(&format!(
                "; {billed} of it was billed before, first on {}",
                first.invoice
            ));
        }
        out.push(Due {
            what: What::Usage {
                charge: code.clone(),
                days,
            },
            text: format!("{name} {days}"),
            quantity: format!("{quantity} {unit}"),
            exact: if earlier.is_empty() {
                exact
            } else {
                net.exact()
            },
            net,
            tax_class: sold
                .map_or("standard", |(_, u)| u.tax_class.as_str())
                .to_string(),
            explain,
        });
    }
    Ok(out)
}
