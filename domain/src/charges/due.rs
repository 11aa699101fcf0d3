//! What is due and was not billed yet: the contract's schedule minus what the charge stream holds.
//!
//! Lines follow from the difference alone, so late facts, back-dated changes, pauses, crashes and second runs all end
//! in the same place: what should have been billed minus what was (policy 8, 10, 11, 15, 24).

use super::balance::balance;
use super::beyond::{beyond, spare, unused_share};
use super::{Charges, Item, What, committed, used};
use crate::catalog::{Moment, OneOff, Part, Pay, PriceSource, Prorate, Recurring, Timing};
use crate::kernel::calendar::add_days;
use crate::kernel::{Currency, Date, Days, Decimal, Exact, Money, Rejection, Rounding};
use crate::rating;
use crate::subscriptions::schedule::{self, Segment};
use crate::subscriptions::{EndKind, Ending, Subscription, Unused, commitments};
use crate::usage::Metered;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A line that the next invoice will carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Due {
    pub what: What,
    pub text: String,
    /// Units, and what a unit is; a share of a period shows as `20/31 months`.
    pub quantity: String,
    /// Before rounding.
    pub exact: Exact,
    pub net: Money,
    pub tax_class: String,
    /// The arithmetic in words.
    pub explain: String,
}

/// How exact amounts become money on this document.
#[derive(Clone, Copy, Debug)]
pub struct Basis {
    pub currency: Currency,
    pub rounding: Rounding,
    /// Everything whose moment has come on or before this day.
    pub as_of: Date,
    /// Usage of periods that still run counts too, as far as it has come: for a look ahead, for a document that is asked for
    /// before its time, and when a threshold is reached.
    pub running: bool,
}

impl Basis {
    pub(super) fn round(&self, exact: Exact) -> Result<Money, Rejection> {
        Money::round(exact, self.currency, self.rounding)
    }

    pub(super) fn how(&self) -> &'static str {
        match self.rounding {
            Rounding::HalfUp => "rounded half away from zero",
            Rounding::HalfEven => "rounded half to even",
            Rounding::Up => "rounded up",
            Rounding::Down => "rounded down",
        }
    }
}

/// Lines due for one subscription. `metered` answers what was rated for a usage charge in the period from a day.
///
/// `settled`: periods that end on or before this day were billed as the contract has them and nothing changed them since, so
/// none of them is looked at; [`Date::MIN`] where that is not known.
pub fn of_subscription<'a>(
    sub: &Subscription,
    charges: &Charges,
    metered: impl Fn(&str, Date) -> Option<&'a Metered>,
    basis: Basis,
    settled: Date,
) -> Result<Vec<Due>, Rejection> {
    let mut due = one_offs(sub, charges, basis)?;
    // What was billed up to the day itself is looked at anyway.
    let billed_until = charges
        .since(basis.as_of)
        .filter_map(|i| i.what.days())
        .map(|d| d.until)
        .max();
    let rest = at_once(sub, basis.as_of).map(|e| e.charged_until);
    let through = billed_until.max(rest).unwrap_or(basis.as_of);
    let segments = schedule::segments_since(sub, settled, through.max(basis.as_of), basis.as_of);
    due.extend(credits(sub, charges, &segments, basis, settled)?);
    for segment in segments.iter().filter(|s| reached(sub, s, basis.as_of)) {
        let more = recurring(segment, &segments, (charges, &due), basis)?;
        due.extend(more);
    }
    balance(sub, charges, &segments, &mut due, basis, settled)?;
    due.extend(usage(sub, charges, &metered, basis, settled)?);
    due.extend(used::no_longer(sub, charges, &metered, basis, settled));
    due.extend(committed::of_subscription(
        sub, charges, metered, basis, settled,
    )?);
    due.extend(added(charges, basis.as_of));
    Ok(due)
}

/// Charges added to a stream by hand or by a process.
pub fn added(charges: &Charges, as_of: Date) -> Vec<Due> {
    if charges.pending.is_empty() {
        return vec![];
    }
    let added = charges.items.iter().filter_map(|i| match &i.what {
        What::Added { charge, .. } => Some(charge.as_str()),
        _ => None,
    });
    let billed: HashSet<&str> = added.collect();
    charges
        .pending
        .iter()
        .filter(|p| p.on <= as_of && !billed.contains(p.charge.as_str()))
        .map(|p| {
            let order = charges.orders.get(&p.charge);
            let explain = match order {
                None => format!("{}: {} on {}", p.text, p.amount, p.on),
                Some(o) => format!(
                    "{}: {} × {} = {} on {} (price: {})",
                    p.text, o.quantity, o.price, p.amount, p.on, o.why
                ),
            };
            Due {
                what: What::Added {
                    charge: p.charge.clone(),
                    on: p.on,
                },
                text: p.text.clone(),
                quantity: order.map_or("1".to_string(), |o| o.quantity.to_string()),
                exact: order.map_or(p.amount.exact(), |o| o.exact),
                net: p.amount,
                tax_class: p.tax_class.clone(),
                explain,
            }
        })
        .collect()
}

/// In advance a period is due when its first day is reached, in arrears at its end (policy 11).
pub(super) fn reached(sub: &Subscription, segment: &Segment<'_>, as_of: Date) -> bool {
    if at_once(sub, as_of).is_some_and(|e| segment.days.until > e.on) {
        return true;
    }
    match segment.charge.timing {
        Timing::Advance => segment.days.from <= as_of,
        Timing::Arrears => segment.days.until <= as_of,
    }
}

/// The end that asks for the rest of what was agreed at once, if its day has come.
fn at_once(sub: &Subscription, as_of: Date) -> Option<&Ending> {
    let end = sub.end.as_ref();
    end.filter(|e| e.at_once && e.charged_until > e.on && e.on <= as_of)
}

fn one_offs(sub: &Subscription, charges: &Charges, basis: Basis) -> Result<Vec<Due>, Rejection> {
    let mut out = Vec::new();
    for (fee, on) in moments(sub)
        .into_iter()
        .filter(|(_, on)| *on <= basis.as_of)
    {
        let what = What::OneOff {
            code: fee.code.clone(),
            on,
        };
        if charges.items.iter().any(|i| i.what == what) {
            continue;
        }
        let one = Decimal::ONE;
        let quantity = fee.of.as_ref().map_or(one, |of| of.quantity);
        let exact = Exact::from(fee.amount).times(quantity.into())?;
        let net = basis.round(exact)?;
        let mut explain = match quantity == one {
            true => format!("{} of {} on {on}", fee.name, net),
            false => format!(
                "{} of {quantity} × {} = {net} on {on}",
                fee.name, fee.amount
            ),
        };
        explain.push_str(&priced_by(&fee.source));
        out.push(Due {
            what,
            text: fee.name.clone(),
            quantity: quantity.to_string(),
            exact,
            net,
            tax_class: fee.tax_class.clone(),
            explain,
        });
    }
    Ok(out)
}

/// One-off charges with the day each is due: of the offer at the first and the last day of the contract, of an option
/// when it comes and when it goes.
fn moments(sub: &Subscription) -> Vec<(&OneOff, Date)> {
    let mut out = Vec::new();
    let cancelled = |e: &Ending| e.kind == EndKind::Cancelled;
    if sub.end.as_ref().is_some_and(cancelled) {
        return out;
    }
    let end = sub.end.as_ref().filter(|e| e.fees).map(|e| e.on);
    for (i, term) in sub.terms.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| sub.terms.get(i));
        let after = sub.terms.get(i + 1);
        for fee in &term.offer.one_off {
            let has = |t: &&crate::subscriptions::Term| {
                fee.of.is_none() || t.offer.one_off.iter().any(|f| f.code == fee.code)
            };
            match fee.on {
                Moment::Activation
                    if before.filter(has).is_none() && (i == 0 || term.from < sub.end_date()) =>
                {
                    out.push((fee, term.from));
                }
                Moment::Termination if after.filter(has).is_none() => {
                    let gone = after.map(|t| t.from).filter(|from| *from < sub.end_date());
                    out.extend(gone.or(end).map(|on| (fee, on)));
                }
                _ => {}
            }
        }
    }
    // What another account had before was asked for there.
    out.retain(|(_, on)| *on >= sub.first_day());
    out
}

/// Where a price comes from that is not simply the offer's, for the arithmetic in words.
pub(super) fn priced_by(source: &Option<PriceSource>) -> String {
    match source {
        Some(source) => format!("; price: {}", source.why),
        None => String::new(),
    }
}

/// Whether a billed line and a segment are the same days of the same thing at the same price.
fn same(item: &Item, segment: &Segment<'_>, full: Exact) -> bool {
    matches!(&item.what, What::Recurring { charge, period, full: f, .. }
        if *charge == segment.charge.code && *period == segment.period && *f == full)
}

/// What the whole period costs. Where the highest quantity counts, that of the period so far: what was paid is not given
/// back, and only what exceeds it is new.
pub(super) fn full_amount(
    segment: &Segment<'_>,
    segments: &[Segment<'_>],
) -> Result<Exact, Rejection> {
    let own =
        |s: &Segment<'_>| rating::price::amount(&s.charge.price, s.charge.units(s.term.quantity));
    let full = own(segment)?;
    if !segment.charge.high_water {
        return Ok(full);
    }
    let earlier = segments.iter().filter(|s| {
        s.charge.code == segment.charge.code
            && s.period == segment.period
            && s.days.from < segment.days.from
            && s.charge.high_water
            // A quantity that cost nothing was not paid.
            && s.part != Some(Part::Nothing)
    });
    earlier
        .map(own)
        .try_fold(full, |most, earlier| Ok(most.max(earlier?)))
}

/// Whether a part of a period costs as much as all of it, whatever its days are.
pub(super) fn charged_whole(segment: &Segment<'_>) -> bool {
    match segment.part {
        Some(Part::Full) => {
            segment.charge.prorate == Prorate::None && segment.paid == segment.period
        }
        Some(_) => false,
        None => segment.charge.prorate == Prorate::None,
    }
}

/// What the period was charged already, on whichever document: at this price, or of the highest quantity at any. What
/// was given back was not charged; what discounts and credit notes took off was.
fn already(
    segment: &Segment<'_>,
    full: Exact,
    charges: &Charges,
    due: &[Due],
) -> Result<Exact, Rejection> {
    let mut sum = Exact::ZERO;
    if !charged_whole(segment) {
        return Ok(sum);
    }
    let here = |what: &What| {
        matches!(what, What::Recurring { charge, period, full: f, .. }
            if *charge == segment.charge.code
                && *period == segment.period
                && (*f == full || segment.charge.high_water))
    };
    let billed = charges.since(segment.period.from);
    for item in billed.filter(|i| here(&i.what)) {
        let back = due.iter().filter(|d| {
            matches!(&d.what, What::Credit { invoice, line, .. }
                if (invoice, *line) == (&item.invoice, item.line))
        });
        sum = sum.plus(charges.charged(item, back.map(|d| d.net))?)?;
    }
    for line in due.iter().filter(|d| here(&d.what)) {
        sum = sum.plus(line.net.exact())?;
    }
    Ok(sum)
}

/// What is paid already for some days where a charge comes back within its period: what was there before at this price
/// pays for them once, and of the highest quantity what was there at any price pays for a part of them.
fn covered(
    charge: &Recurring,
    segments: &[Segment<'_>],
    (own, period): (Days, Days),
    days: Days,
    full: Exact,
) -> Result<Exact, Rejection> {
    let mut sum = Exact::ZERO;
    let before = segments.iter().filter(|s| {
        s.charge.code == charge.code
            && s.period == period
            && s.days.until <= own.from
            && s.part != Some(Part::Nothing)
            && !s.paid.overlap(days).is_empty()
    });
    let mut parts: Vec<(Days, Exact)> = Vec::new();
    for s in before {
        let price = full_amount(s, segments)?;
        if charge.high_water || price == full {
            parts.push((s.paid, price.min(full)));
        }
    }
    let mut day = days.from;
    while day < days.until && !parts.is_empty() {
        let mut most = Exact::ZERO;
        for (_, price) in parts.iter().filter(|(paid, _)| paid.contains(day)) {
            most = most.max(*price);
        }
        sum = sum.plus(most)?;
        day = add_days(day, 1);
    }
    sum.share(1, period.count().into())
}

/// Days of a segment that no billed line of the same price holds, as lines. `due` are the lines that this document
/// carries already: a period that is charged whole is whole with the first of its segments, on whichever document.
fn recurring(
    segment: &Segment<'_>,
    segments: &[Segment<'_>],
    (charges, due): (&Charges, &[Due]),
    basis: Basis,
) -> Result<Vec<Due>, Rejection> {
    // What was billed for days that cost nothing already comes back as a credit.
    if segment.part == Some(Part::Nothing) {
        return Ok(vec![]);
    }
    let full = full_amount(segment, segments)?;
    let whole = segment.period.count();
    let mut paid = already(segment, full, charges, due)?;
    let mut gaps = vec![segment.days];
    let billed = charges.since(segment.period.from);
    for item in billed.filter(|i| same(i, segment, full)) {
        let Some(days) = item.what.days() else {
            continue;
        };
        for held in charges.held(&item.invoice, item.line, days) {
            gaps = gaps.iter().flat_map(|g| g.without(held)).collect();
        }
    }
    let code = &segment.charge.code;
    let mut out = Vec::new();
    for days in gaps {
        let (exact, quantity, share) = match charged_whole(segment) {
            false => {
                let part = segment.paid_within(days);
                let covered = covered(
                    segment.charge,
                    segments,
                    (segment.days, segment.period),
                    segment.paid_for(days),
                    full,
                )?;
                let mut share = format!(
                    "{part} of {whole} days of {} × {}",
                    segment.period,
                    full.to_decimal(12)
                );
                if !covered.is_zero() {
                    share.push_str(&format!(
                        ", less {} that is paid for these days",
                        covered.to_decimal(12)
                    ));
                }
                (
                    full.share(part.into(), whole.into())?.minus(covered)?,
                    if part == whole {
                        "1".to_string()
                    } else {
                        format!("{part}/{whole}")
                    },
                    share,
                )
            }
            true if paid.is_zero() => (
                full,
                "1".to_string(),
                format!(
                    "the whole period {} × {}",
                    segment.period,
                    full.to_decimal(12)
                ),
            ),
            true => {
                let more = full.minus(paid)?.max(Exact::ZERO);
                // What was rounded is not owed again.
                if basis.round(more)?.is_zero() {
                    (
                        Exact::ZERO,
                        "0".to_string(),
                        "the period was already charged whole".to_string(),
                    )
                } else {
                    let share = format!(
                        "{} for {}, of which {} is paid",
                        full.to_decimal(12),
                        segment.period,
                        paid.to_decimal(12)
                    );
                    (more, "1".to_string(), share)
                }
            }
        };
        paid = paid.plus(exact)?;
        let net = basis.round(exact)?;
        out.push(Due {
            what: What::Recurring {
                charge: code.clone(),
                days,
                period: segment.period,
                full,
                timing: segment.charge.timing,
            },
            text: format!("{} {}", segment.term.offer.name, segment.charge.name),
            quantity,
            exact,
            net,
            tax_class: segment.charge.tax_class.clone(),
            explain: format!(
                "{share} = {}, {} to {net} (offer {} version {}, quantity {}){}",
                exact.to_decimal(12),
                basis.how(),
                segment.term.offer.code,
                segment.term.offer.version,
                segment.charge.units(segment.term.quantity),
                priced_by(&segment.charge.source)
            ),
        });
    }
    Ok(out)
}

/// Billed days that the contract no longer asks for, given back as the contract says (policy 10).
fn credits(
    sub: &Subscription,
    charges: &Charges,
    segments: &[Segment<'_>],
    basis: Basis,
    settled: Date,
) -> Result<Vec<Due>, Rejection> {
    let mut out: Vec<Due> = Vec::new();
    // Once the end has come, everybody knows up to which day is charged.
    let known = sub.end_date() <= basis.as_of;
    for item in charges.since(settled) {
        let What::Recurring {
            charge,
            days,
            period,
            full,
            ..
        } = &item.what
        else {
            continue;
        };
        if period.until <= settled {
            continue;
        }
        let asked = segments.iter().filter(|s| {
            s.period == *period
                && s.charge.code == *charge
                && full_amount(s, segments).is_ok_and(|f| f == *full)
        });
        // Days of a part of a period that costs nothing are not paid for, whatever cut it.
        let (free, asked): (Vec<_>, Vec<_>) = asked.partition(|s| s.part == Some(Part::Nothing));
        let wanted: Vec<Days> = asked.iter().map(|s| s.days).collect();
        let given: Vec<(Days, Money)> = charges
            .credits_of(&item.invoice, item.line, Some(*days))
            .collect();
        let credited: Vec<Days> = given.iter().map(|(days, _)| *days).collect();
        let held = days.without_all(&credited);
        let gone: Vec<Days> = held.iter().flat_map(|h| h.without_all(&wanted)).collect();
        let whole = *days == *period && given.is_empty();
        if whole && gone.is_empty() {
            continue;
        }
        let paid = beyond(item, *full, (*days, *period), segments, basis)?;
        let beyond = paid.less(*days, &given);
        let mut still_held: i64 = held.iter().map(Days::count).sum();
        let mut left = charges.left(item);
        let mut give = |(piece, unused): (Days, i64), mode: Unused, rest: bool, why: &str| {
            let share = unused_share(item, charges, (*full, *period), beyond, unused, basis)?;
            // The line has only what is new of a day.
            let sold = asked.first().map(|s| s.charge);
            let covered = match sold {
                Some(charge) => covered(charge, segments, (*days, *period), piece, *full)?,
                None => Exact::ZERO,
            };
            let share = share.minus(covered)?.max(Exact::ZERO);
            let (back, how) = match mode {
                Unused::None => (
                    Money::zero(basis.currency),
                    "nothing is given back".to_string(),
                ),
                Unused::CreditFull => (
                    left,
                    format!("the whole line, {left} left of it, is given back"),
                ),
                Unused::CreditProrata if rest => (
                    left,
                    format!("the last unused days take what is left of the line, {left}"),
                ),
                Unused::CreditProrata => {
                    let part = basis.round(share)?;
                    let how = format!(
                        "{unused} of {} days × {} = {part}, {left} left of the line",
                        period.count(),
                        full.to_decimal(12)
                    );
                    (part.min(left), how)
                }
            };
            left = left.minus(back);
            Ok::<Due, Rejection>(Due {
                what: What::Credit {
                    invoice: item.invoice.clone(),
                    line: item.line,
                    charge: charge.clone(),
                    days: piece,
                },
                text: format!("Unused {charge} {piece}"),
                quantity: format!("-{unused}/{}", period.count()),
                exact: back.exact().negated(),
                net: back.negated(),
                tax_class: tax_class(sub, charge, piece.from),
                explain: format!(
                    "{why} {piece} of line {} of {}: {how}",
                    item.line, item.invoice
                ),
            })
        };
        let over = |piece: &Days| piece.from <= basis.as_of || known;
        let holds = |day: Date| held.iter().any(|h| h.contains(day));
        let reaches = |day: Date| {
            let mut asked = asked.iter().filter(|s| s.paid.contains(day));
            asked.any(|s| holds(edge(s, day)))
        };
        for piece in gone.iter().copied().filter(over) {
            still_held -= piece.count();
            let mode = match free.iter().any(|s| s.days.contains(piece.from)) {
                // What else the line holds stays paid for.
                true if still_held > 0 => Unused::CreditProrata,
                true => Unused::CreditFull,
                // What is asked for as far as an edge of the period is paid as far as that.
                false if reaches(piece.from) => Unused::None,
                false => unused_mode(sub, charge, piece.from),
            };
            let untouched = || {
                let mut adjusted = charges.adjusted.iter();
                adjusted.all(|(i, l, _)| *i != item.invoice || *l != item.line)
            };
            let rest = still_held == 0 && untouched();
            let unused = beyond.with(*days, piece);
            out.push(give((piece, unused), mode, rest, "unused days")?);
        }
        // What it pays for beyond the days that it holds, by what becomes of each day now.
        let spare = spare(*days, beyond, &given, &gone);
        if spare.is_empty() {
            continue;
        }
        let held_by = |day: Date| {
            holds(day)
                || charges.since(settled).any(|i| match &i.what {
                    What::Recurring {
                        charge: c,
                        days,
                        period: p,
                        full: f,
                        ..
                    } if i.net.is_zero() && (c, p, f) == (charge, period, full) => charges
                        .held(&i.invoice, i.line, *days)
                        .iter()
                        .any(|h| h.contains(day)),
                    _ => false,
                })
        };
        let becomes = |day: Date| -> Option<Unused> {
            if reaches(day) {
                return None;
            }
            let pays = |s: &&&Segment<'_>| charged_whole(s) || s.paid.contains(day);
            let of = asked.iter().find(|s| s.days.contains(day));
            let Some(of) = of.or_else(|| asked.iter().find(pays)) else {
                let unused = match free.iter().any(|s| s.days.contains(day)) {
                    true => Unused::CreditProrata,
                    false => unused_mode(sub, charge, day),
                };
                return (unused != Unused::None).then_some(unused);
            };
            let stays =
                charged_whole(of) || !reached(sub, of, basis.as_of) || held_by(edge(of, day));
            (!stays).then_some(Unused::CreditProrata)
        };
        for days in spare {
            let mut from = days.from;
            while from < days.until {
                let how = becomes(from);
                let mut until = add_days(from, 1);
                while until < days.until && becomes(until) == how {
                    until = add_days(until, 1);
                }
                let piece = Days::new(from, until);
                from = until;
                let asked_again = wanted.iter().any(|w| w.contains(piece.from));
                let Some(how) = how.filter(|_| asked_again || over(&piece)) else {
                    continue;
                };
                let back = give((piece, piece.count()), how, false, "days already paid")?;
                if !back.net.is_zero() {
                    out.push(back);
                }
            }
        }
    }
    Ok(out)
}

/// The day of a segment with whose line a day is paid for.
fn edge(segment: &Segment<'_>, day: Date) -> Date {
    let last = add_days(segment.days.until, -1);
    day.max(segment.days.from).min(last)
}

/// What becomes of a day that was billed and is unused: what the charge says about what made it so (an end, a change, a
/// pause), else what that fact says; a pause gives back by day.
fn unused_mode(sub: &Subscription, charge: &str, date: Date) -> Unused {
    let sold = |i: usize| {
        sub.terms[..=i]
            .iter()
            .rev()
            .find_map(|t| t.offer.recurring.iter().find(|c| c.code == charge))
    };
    let (fact, charge, says) = match sub.term_on(date) {
        None => {
            let end = sub.end.as_ref().map_or(Unused::CreditProrata, |e| e.unused);
            let charge = sold(sub.terms.len().saturating_sub(1));
            (end, charge, charge.and_then(|c| c.on_end))
        }
        Some((i, _)) if sub.paused_on(date) => {
            let charge = sold(i);
            (
                Unused::CreditProrata,
                charge,
                charge.and_then(|c| c.on_pause),
            )
        }
        Some((i, term)) => {
            let charge = sold(i.saturating_sub(1));
            (term.unused, charge, charge.and_then(|c| c.on_change))
        }
    };
    match says {
        Some(Part::Prorate) => Unused::CreditProrata,
        Some(Part::Full) => Unused::None,
        Some(Part::Nothing) => Unused::CreditFull,
        None if charge.is_some_and(|c| c.prorate == Prorate::None) => Unused::None,
        None => fact,
    }
}

pub(super) fn tax_class(sub: &Subscription, charge: &str, date: Date) -> String {
    let of = |t: &crate::subscriptions::Term| {
        t.offer
            .recurring
            .iter()
            .find(|c| c.code == charge)
            .map(|c| c.tax_class.clone())
    };
    let before = sub
        .terms
        .iter()
        .rev()
        .filter(|t| t.from <= date)
        .find_map(of);
    before.unwrap_or_else(|| "standard".to_string())
}

/// Usage periods that have ended: the exact total, rounded, minus what was billed for the period before.
pub fn usage<'a>(
    sub: &Subscription,
    charges: &Charges,
    metered: impl Fn(&str, Date) -> Option<&'a Metered>,
    basis: Basis,
    settled: Date,
) -> Result<Vec<Due>, Rejection> {
    let mut out = Vec::new();
    for period in schedule::usage_periods_since(sub, settled, basis.as_of) {
        let (charge, days) = (period.charge, period.days);
        // The whole period: what changes on a day cuts the days before it.
        if period.whole.until <= settled {
            continue;
        }
        let ended = days.until <= basis.as_of;
        let early = basis.running || charge.in_advance();
        if !(ended || early && days.from <= basis.as_of) || charge.pay == Pay::Wallet {
            continue;
        }
        let meter = metered(&charge.code, days.from).map(|m| &m.meter);
        let (exact, capped) = used::total(sub, &period, &metered)?;
        let (exact, topped_up) = match used::least(charge, days, period.whole)? {
            Some(least) if ended && exact < least => (least, Some(exact)),
            _ => (exact, None),
        };
        let total = basis.round(exact)?;
        let billed = Money::sum(
            basis.currency,
            charges.usage_billed(&charge.code, days.from).map(|i| i.net),
        );
        let earlier = charges.usage_billed(&charge.code, days.from).next();
        let net = total.minus(billed);
        if net.is_zero() && (earlier.is_some() || meter.is_none()) {
            continue;
        }
        let (records, quantity) = meter.map_or((0, Decimal::ZERO), |m| (m.records, m.quantity));
        let mut explain = format!(
            "{quantity} {} in {records} records of {days} = {}, {} to {total} (offer {} version {})",
            charge.unit,
            exact.to_decimal(12),
            basis.how(),
            period.term.offer.code,
            period.term.offer.version
        );
        explain.push_str(&priced_by(&charge.source));
        let mut text = format!("{} {}", period.term.offer.name, charge.name);
        if let Some(asked) = capped {
            let most = charge.maximum.unwrap_or_default();
            let asked = asked.to_decimal(12);
            explain.push_str(&format!("; the maximum of {most} a period capped {asked}"));
        }
        if let Some(rated) = topped_up {
            let least = charge.minimum.unwrap_or_default();
            let rated = rated.to_decimal(12);
            explain.push_str(&format!(
                "; the minimum of {least} a period was not reached by {rated}"
            ));
        }
        let draws = metered(&charge.code, days.from).and_then(|m| m.draws.as_ref());
        if let Some(draws) = draws {
            explain.push_str(&counted(draws, &charge.unit)?);
        }
        if let Some(burnt) = meter.map(|m| m.burnt).filter(|b| !b.is_zero()) {
            explain.push_str(&format!("; wallets paid {} of it", burnt.to_decimal(12)));
        }
        if let Some(earlier) = earlier {
            explain.push_str(&format!(
                "; {billed} of it was billed before, first on {}",
                earlier.invoice
            ));
            text.push_str(&format!(
                ", adjustment of {days} billed on {}",
                earlier.invoice
            ));
        }
        out.push(Due {
            what: What::Usage {
                charge: charge.code.clone(),
                days,
            },
            text,
            quantity: format!("{quantity} {}", charge.unit),
            exact: if earlier.is_some() {
                net.exact()
            } else {
                exact
            },
            net,
            tax_class: charge.tax_class.clone(),
            explain,
        });
    }
    Ok(out)
}

/// What counters covered of a period, in words.
fn counted(draws: &crate::usage::Draws, unit: &str) -> Result<String, Rejection> {
    let (units, money) = draws.by_counter()?;
    let told = |parts: crate::usage::draws::ByCounter, of: &str| {
        let all = parts.into_iter().filter(|(_, part)| !part.is_zero());
        all.map(|(counter, part)| {
            format!("; counter {counter} covered {}{of}", part.to_decimal(12))
        })
        .collect::<String>()
    };
    Ok(told(units, &format!(" {unit} beside")) + &told(money, " of the amount"))
}

/// The first day on which something will be due, for the agenda; none when nothing is left to bill.
pub fn next_date(sub: &Subscription, charges: &Charges, after: Date) -> Option<Date> {
    // Two periods of the longest charge ahead always contain the next due day of a running subscription.
    let longest = sub.terms.iter().flat_map(|t| {
        t.offer
            .recurring
            .iter()
            .map(|c| c.every)
            .chain(t.offer.usage.iter().map(|u| u.every))
            .chain(t.offer.commitments.iter().map(|c| c.every))
    });
    let horizon = longest
        .map(|span| span.after(span.after(after)))
        .max()
        .unwrap_or(after);
    let last_start = sub.terms.last().map_or(after, |t| t.from);
    let trial = sub
        .terms
        .iter()
        .filter_map(|t| t.offer.trial)
        .map(|t| t.after(last_start))
        .max()
        .unwrap_or(after);
    let horizon = horizon.max(trial).max(last_start);
    let recurring = schedule::segments_since(sub, after, horizon, after)
        .into_iter()
        .map(|s| match s.charge.timing {
            Timing::Advance => s.days.from,
            Timing::Arrears => s.days.until,
        });
    let usage = schedule::usage_periods_since(sub, after, horizon)
        .into_iter()
        .flat_map(|p| {
            [
                p.charge.in_advance().then_some(p.days.from),
                Some(p.days.until),
            ]
        })
        .flatten();
    let committed = commitments::committed_since(sub, after, horizon)
        .into_iter()
        .map(|c| c.days.until);
    let end = sub.end.iter().flat_map(|e| [e.on, e.charged_until]);
    let added = charges.pending.iter().map(|p| p.on);
    recurring
        .chain(usage)
        .chain(committed)
        .chain(end)
        .chain(added)
        .filter(|d| *d > after)
        .min()
}
