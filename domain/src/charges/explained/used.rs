//! Lines of usage: what the price made of the period's total, or of its records.

use super::fees::{figures, sold};
use super::kept;
use super::{Arithmetic, Behind, Covered, Figure, OfGroup, Sale, Source, Use, sum, term_on};
use crate::catalog::{Percentage, Price, Usage};
use crate::charges::used::least;
use crate::invoices::Line;
use crate::kernel::{Days, Decimal, Exact, Money, Rejection};
use crate::rating::parts::parts;
use crate::rating::price;
use crate::subscriptions::{Subscription, Term, schedule};
use crate::usage::{Draws, Kept, Metered};
use std::collections::BTreeMap;

/// Most different prices that an expression's records are told by.
const PRICES_MAX: usize = 100;

pub(super) fn arithmetic(
    line: &Line,
    code: &str,
    days: Days,
    behind: Behind<'_>,
    sale: Sale,
) -> Result<Arithmetic, Rejection> {
    let before = behind.charges.into_iter().flat_map(|charges| {
        let billed = charges.usage_billed(code, days.from);
        billed.filter(|item| item.invoice != behind.invoice)
    });
    let billed: Vec<Money> = before.map(|item| item.net).collect();
    let billed_before = Money::sum(sale.currency, billed.iter().copied());
    let total = match billed.is_empty() {
        true => line.exact,
        // Only the rounded whole is known from the document.
        false => line.before_discounts().plus(billed_before).exact(),
    };
    let found = behind.subscription.and_then(|sub| {
        let term = term_on(sub, days.from)?;
        let charge = term.offer.usage.iter().find(|u| u.code == code)?;
        Some((sub, term, charge))
    });
    let Some((sub, term, charge)) = found else {
        let other = Figure::amount(Source::Other, total)?.told(line.explain.as_str());
        return Ok(Arithmetic {
            figures: vec![other],
            billed_before: Some(billed_before),
            ..Arithmetic::default()
        });
    };
    let none = Metered::default();
    let metered = behind.metered.unwrap_or(&none);
    let whole = whole(sub, term, charge, days);
    let ended = days.until <= sale.as_of;
    let mut found = None;
    if charge.remembers() {
        let slots = kept::slots(sub, charge, (days, whole), metered, behind)?;
        if let Some(mut each) = kept::remembered(charge, days, slots)? {
            beside(&mut each, metered)?;
            bounds(&mut each, charge, days, whole, ended)?;
            // What was carried in may have changed since: then the steps would be of something else.
            let now = sum(&each)?;
            let same = now == total || !billed.is_empty() && sale.round(now)?.exact() == total;
            found = same.then_some(each);
        }
    }
    let found = match found {
        Some(found) => found,
        None => {
            let mut found = priced(charge, days, metered, behind.records, total)?;
            beside(&mut found, metered)?;
            bounds(&mut found, charge, days, whole, ended)?;
            found
        }
    };
    Ok(Arithmetic {
        sold: Some(sold(term, charge.source.clone())),
        period: Some(whole),
        used: Some(used(charge, metered)?),
        figures: found,
        billed_before: Some(billed_before),
    })
}

/// What each group of a charge comes to, in the order of its values; none where groups do not make all of the line: it has none, is
/// a difference to an earlier document, a least amount, or its records were changed since.
///
/// Errors: an amount that does not fit.
pub(super) fn groups(
    line: &Line,
    code: &str,
    days: Days,
    behind: Behind<'_>,
    sale: Sale,
) -> Result<Option<Vec<OfGroup>>, Rejection> {
    let found = behind.subscription.and_then(|sub| {
        let term = term_on(sub, days.from)?;
        let charge = term.offer.usage.iter().find(|u| u.code == code)?;
        Some((sub, term, charge))
    });
    let Some((sub, term, charge)) = found.filter(|(.., charge)| !charge.group_by.is_empty()) else {
        return Ok(None);
    };
    let mut billed = behind
        .charges
        .into_iter()
        .flat_map(|charges| charges.usage_billed(code, days.from));
    if billed.any(|item| item.invoice != behind.invoice) {
        return Ok(None);
    }
    let none = Metered::default();
    let metered = behind.metered.unwrap_or(&none);
    let whole = whole(sub, term, charge, days);
    let mut groups: BTreeMap<Vec<String>, OfGroup> = BTreeMap::new();
    let mut all = Exact::ZERO;
    for of in kept::slots(sub, charge, (days, whole), metered, behind)? {
        all = all.plus(of.worth.amount)?;
        let values = || {
            let named = charge.group_by.iter().zip(&of.slot.group);
            named.map(|(name, value)| (name.clone(), value.clone()))
        };
        let group = groups
            .entry(of.slot.group.clone())
            .or_insert_with(|| OfGroup {
                values: values().collect(),
                unit: charge.unit.clone(),
                units: Exact::ZERO,
                amount: Exact::ZERO,
                figures: vec![],
            });
        group.units = group.units.plus(of.worth.units)?;
        group.amount = group.amount.plus(of.worth.amount)?;
        group.figures.extend(of.figures);
    }
    // Of less than all of it there would be two ways to say which group is owed what.
    let mut asked = vec![Figure::amount(Source::Records, all)?];
    beside(&mut asked, metered)?;
    bounds(&mut asked, charge, days, whole, false)?;
    let same = sale.round(sum(&asked)?)? == line.before_discounts();
    let below = groups.values().any(|group| group.amount.is_negative());
    Ok((same && !below).then(|| groups.into_values().collect()))
}

fn whole(sub: &Subscription, term: &Term, charge: &Usage, days: Days) -> Days {
    let at = sub.terms.iter().position(|t| t.from == term.from);
    at.map_or(days, |i| {
        schedule::usage_period(sub, i, charge, days.from).1
    })
}

fn used(charge: &Usage, metered: &Metered) -> Result<Use, Rejection> {
    let meter = &metered.meter;
    let priced = price::seen(charge, price::whole_steps(charge, meter.units)?)?;
    let counters = metered.draws.as_deref().map_or(Ok(vec![]), covered)?;
    Ok(Use {
        unit: charge.unit.clone(),
        records: meter.records,
        units: meter.units,
        allowance: charge.allowance,
        priced,
        counters,
        burnt: meter.burnt,
    })
}

fn covered(draws: &Draws) -> Result<Vec<Covered>, Rejection> {
    let (units, money) = draws.by_counter()?;
    let all = units
        .into_iter()
        .map(|(counter, amount)| (counter, amount, false));
    let all = all.chain(
        money
            .into_iter()
            .map(|(counter, amount)| (counter, amount, true)),
    );
    Ok(all
        .filter(|(_, amount, _)| !amount.is_zero())
        .map(|(counter, amount, money)| Covered {
            counter,
            amount,
            money,
        })
        .collect())
}

/// What the price asks for, before counters, wallets and bounds.
fn priced(
    charge: &Usage,
    days: Days,
    metered: &Metered,
    records: &[Kept],
    total: Exact,
) -> Result<Vec<Figure>, Rejection> {
    let (meter, price) = (&metered.meter, charge.price_on(days.from));
    let paid = match &metered.draws {
        Some(draws) => draws.covered.plus(meter.burnt)?,
        None => meter.burnt,
    };
    if charge.remembers() {
        let amount = total.plus(paid)?;
        let each = Figure::amount(Source::Records, amount)?;
        return Ok(vec![each.told(format!("{} records", meter.records))]);
    }
    let asked = meter.amount.plus(paid)?;
    let by_record = match price {
        Price::Dynamic(d) => carried(records, d.multiplier)?,
        Price::Percentage(p) => percentage(p, records)?,
        Price::Matrix(_) => by_rate(records)?,
        Price::Expression(_) => by_price(records)?,
        _ => {
            let units = price::seen(charge, price::whole_steps(charge, meter.units)?)?;
            let mut found = figures(&parts(price, units)?)?;
            // Below zero over a period is zero (policy 16).
            let below = price::model(charge, price, meter.units)?.minus(sum(&found)?)?;
            if !below.is_zero() {
                let none = Figure::amount(Source::Bounds, below)?;
                found.push(none.told("less than nothing is nothing"));
            }
            return Ok(found);
        }
    };
    if !by_record.is_empty() && sum(&by_record)? == asked {
        return Ok(by_record);
    }
    let each = Figure::amount(Source::Records, asked)?;
    Ok(vec![each.told(format!("{} records", meter.records))])
}

fn carried(records: &[Kept], multiplier: Decimal) -> Result<Vec<Figure>, Rejection> {
    let money = records.iter().try_fold(Exact::ZERO, |sum, r| {
        sum.plus(r.carried.unwrap_or_default().into())
    })?;
    let figure = Figure::new(Source::Carried, money, multiplier.into())?;
    Ok(vec![
        figure.told(format!("carried by {} records", records.len())),
    ])
}

/// Records by what a unit of them cost; those of no units have no price to be told.
fn by_rate(records: &[Kept]) -> Result<Vec<Figure>, Rejection> {
    let mut rates: BTreeMap<Exact, Exact> = BTreeMap::new();
    for record in records.iter().filter(|r| !r.units.is_zero()) {
        let of_one = record
            .amount
            .share(record.units.denominator(), record.units.numerator())?;
        let units = rates.entry(of_one).or_insert(Exact::ZERO);
        *units = units.plus(record.units)?;
    }
    let figure = |(rate, units)| Figure::new(Source::Price, units, rate);
    rates.into_iter().map(figure).collect()
}

/// Records by what an expression asked for them, the dearest last; none where nearly every record has a price of its own.
fn by_price(records: &[Kept]) -> Result<Vec<Figure>, Rejection> {
    let mut prices: BTreeMap<Exact, i128> = BTreeMap::new();
    for record in records {
        *prices.entry(record.amount).or_default() += 1;
    }
    if prices.len() > PRICES_MAX {
        return Ok(vec![]);
    }
    let figure = |(price, count)| {
        let each = Figure::new(Source::PerRecord, Exact::from(count), price)?;
        Ok(each.told("by what the price says of a record"))
    };
    prices.into_iter().map(figure).collect()
}

/// A percentage of what is not free, a fee for each record that is not, and what the bounds of a record change.
fn percentage(p: &Percentage, records: &[Kept]) -> Result<Vec<Figure>, Rejection> {
    let (mut total, mut free) = (Exact::ZERO, Exact::ZERO);
    let (mut taxable, mut charged, mut bounds) = (Exact::ZERO, 0_i128, Exact::ZERO);
    for (ordinal, record) in (1..).zip(records) {
        total = total.plus(record.units)?;
        let share = price::percentage(p, ordinal, record.units, total, free)?;
        let part = record.units.minus(share.free.minus(free)?)?;
        let raw = part.times(p.rate.into())?.plus(p.fixed.into())?;
        let any = p.free_events.is_some() || p.free_amount.is_some();
        let within = p.free_events.is_none_or(|n| ordinal <= n)
            && p.free_amount.is_none_or(|most| total < most.into());
        if !(any && within) {
            taxable = taxable.plus(part)?;
            charged += 1;
            bounds = bounds.plus(share.amount.minus(raw)?)?;
        }
        free = share.free;
    }
    let rate = Figure::new(Source::Percentage, taxable, p.rate.into())?;
    let mut found = vec![rate.told("of what is not free")];
    if p.fixed != Decimal::ZERO {
        let each = Figure::new(Source::PerRecord, Exact::from(charged), p.fixed.into())?;
        found.push(each.told("for each record that is not free"));
    }
    if !bounds.is_zero() {
        let bounds = Figure::amount(Source::RecordBounds, bounds)?;
        found.push(bounds.told("by the least and the most of a record"));
    }
    Ok(found)
}

/// What counters and wallets paid of it.
fn beside(found: &mut Vec<Figure>, metered: &Metered) -> Result<(), Rejection> {
    let covered = metered.draws.as_ref().map_or(Exact::ZERO, |d| d.covered);
    for (source, paid) in [
        (Source::Counters, covered),
        (Source::Wallets, metered.meter.burnt),
    ] {
        if !paid.is_zero() {
            found.push(Figure::amount(source, paid.negated())?);
        }
    }
    Ok(())
}

/// What the least and the most of the period change; the least counts once the period has ended.
fn bounds(
    found: &mut Vec<Figure>,
    charge: &Usage,
    days: Days,
    whole: Days,
    ended: bool,
) -> Result<(), Rejection> {
    let asked = sum(found)?;
    let price = charge.price_on(days.from);
    let bounded = price::bounded(charge, price, asked)?;
    if bounded != asked {
        let change = Figure::amount(Source::Bounds, bounded.minus(asked)?)?;
        let most = charge.maximum.map(|most| format!("at most {most}"));
        found.push(change.told(most.unwrap_or_else(|| "less than nothing is nothing".into())));
    }
    if let Some(least) = least(charge, days, whole)?
        && ended
        && bounded < least
    {
        let change = Figure::amount(Source::Bounds, least.minus(bounded)?)?;
        found.push(change.told(format!("at least {}", least.to_decimal(12))));
    }
    Ok(())
}
