//! Lines that are not usage: days of a fee, one-off charges, what is given back, commitments.

use super::{Arithmetic, Behind, Figure, Sale, Sold, Source, sum, term_on};
use crate::charges::What;
use crate::invoices::Line;
use crate::kernel::{Date, Days, Decimal, Exact, Rejection};
use crate::rating::parts::{Part, parts};
use crate::subscriptions::{Subscription, Term};

pub(super) fn arithmetic(
    line: &Line,
    what: &What,
    behind: Behind<'_>,
    sale: Sale,
) -> Result<Arithmetic, Rejection> {
    match what {
        What::Recurring {
            charge,
            days,
            period,
            full,
            ..
        } => recurring(line, charge, (*days, *period), *full, behind),
        What::Credit {
            invoice,
            line: no,
            days,
            ..
        } => given_back(line, (invoice, *no), *days, behind, sale),
        What::OneOff { code, on } => one_off(line, code, *on, behind),
        What::TrueUp { commitment, days } => bound(line, commitment, *days, behind, |c| c.min),
        What::Cap { commitment, days } => bound(line, commitment, *days, behind, |c| c.max),
        What::Added { charge, .. } => {
            let order = behind.charges.and_then(|c| c.orders.get(charge));
            let figure = match order {
                Some(order) => {
                    let (quantity, price) = (order.quantity.into(), order.price.into());
                    Figure::new(Source::Price, quantity, price)?.told(order.why.as_str())
                }
                None => Figure::amount(Source::Amount, line.exact)?.told(line.text.as_str()),
            };
            Ok(Arithmetic::of(vec![figure]))
        }
        What::TopUp { .. }
        | What::Advance { .. }
        | What::Deducted { .. }
        | What::Reduction { .. }
        | What::Usage { .. } => {
            let amount = Figure::amount(Source::Amount, line.exact)?;
            Ok(Arithmetic::of(vec![amount.told(line.text.as_str())]))
        }
    }
}

pub(super) fn sold(term: &Term, source: Option<crate::catalog::PriceSource>) -> Sold {
    Sold {
        offer: term.offer.code.clone(),
        version: term.offer.version,
        source,
    }
}

/// The parts of a price as figures: units, then the flat fees.
pub(super) fn figures(found: &[Part]) -> Result<Vec<Figure>, Rejection> {
    let mut all = Vec::new();
    for part in found {
        let text = part.tier.map(|n| format!("tier {n}")).unwrap_or_default();
        let tiered = |figure: Figure| Figure {
            tier: part.tier,
            after: part.tier.map(|_| part.after),
            up_to: part.up_to,
            ..figure.told(text.as_str())
        };
        let by_units = Figure::new(Source::Price, part.counted, part.price.into())?;
        all.push(tiered(by_units));
        if part.flat != Decimal::ZERO {
            all.push(tiered(Figure::amount(Source::Flat, part.flat.into())?));
        }
    }
    Ok(all)
}

/// The part of the period that a line says it is: `15/31`, `1`, `0`.
fn share_of(line: &Line) -> Option<(i64, i64)> {
    match line.quantity.split_once('/') {
        Some((part, whole)) => Some((part.parse().ok()?, whole.parse().ok()?)),
        None => Some((line.quantity.parse().ok()?, 1)),
    }
}

fn recurring(
    line: &Line,
    code: &str,
    (days, period): (Days, Days),
    full: Exact,
    behind: Behind<'_>,
) -> Result<Arithmetic, Rejection> {
    let term = behind.subscription.and_then(|sub| term_on(sub, days.from));
    let of_code = |t: &Term| t.offer.recurring.iter().find(|c| c.code == code).cloned();
    let charge = term.and_then(of_code);
    let mut figures = match (&charge, term) {
        (Some(charge), Some(term)) => {
            figures(&parts(&charge.price, charge.units(term.quantity).into())?)?
        }
        _ => vec![],
    };
    if sum(&figures)? != full {
        figures = vec![Figure::amount(Source::Period, full)?.told(period.to_string())];
    }
    let share = share_of(line).unwrap_or((days.count(), period.count()));
    if share != (1, 1) {
        let share = match share {
            (0, _) => (0, period.count()),
            share => share,
        };
        let shared = figures.into_iter().map(|figure| figure.shared(share));
        figures = shared.collect::<Result<_, _>>()?;
    }
    let paid = sum(&figures)?.minus(line.exact)?;
    if !paid.is_zero() && !paid.is_negative() {
        let paid = Figure::amount(Source::Paid, paid.negated())?;
        figures.push(paid.told("paid for the same period"));
    }
    Ok(Arithmetic {
        sold: term.map(|term| sold(term, charge.and_then(|c| c.source))),
        period: Some(period),
        figures,
        ..Arithmetic::default()
    })
}

fn one_off(line: &Line, code: &str, on: Date, behind: Behind<'_>) -> Result<Arithmetic, Rejection> {
    let term = behind.subscription.and_then(|sub| {
        let has = |t: &&Term| t.offer.one_off.iter().any(|f| f.code == code);
        let before = sub.terms.iter().rev().filter(|t| t.from <= on);
        before.clone().find(has)
    });
    let fee = term.and_then(|t| t.offer.one_off.iter().find(|f| f.code == code));
    let figure = match fee {
        Some(fee) => {
            let quantity = fee.of.as_ref().map_or(Decimal::ONE, |of| of.quantity);
            Figure::new(Source::Price, quantity.into(), fee.amount.into())?
        }
        None => Figure::amount(Source::Amount, line.exact)?,
    };
    let source = fee.and_then(|fee| fee.source.clone());
    Ok(Arithmetic {
        sold: term.map(|term| sold(term, source)),
        figures: vec![figure.told(line.text.as_str())],
        ..Arithmetic::default()
    })
}

/// Unused days: their share of what the period cost, or what was left of the line.
fn given_back(
    line: &Line,
    (invoice, no): (&str, u32),
    days: Days,
    behind: Behind<'_>,
    sale: Sale,
) -> Result<Arithmetic, Rejection> {
    let items = behind.charges.into_iter().flat_map(|c| &c.items);
    let mut of_line = items.filter(|i| i.invoice == invoice && i.line == no);
    let found = of_line.find_map(|i| match &i.what {
        What::Recurring { period, full, .. } => Some((*period, *full)),
        _ => None,
    });
    let text = format!("line {no} of {invoice}");
    let left = || Figure::amount(Source::GivenBack, line.exact).map(|f| f.told(text.as_str()));
    let figure = match found {
        Some((period, full)) => {
            // With its last days go those beyond them that the line paid for.
            let told = share_of(line).map(|(part, whole)| (-part, whole));
            let share = told.filter(|(_, whole)| *whole == period.count());
            let share = share.unwrap_or((days.count(), period.count()));
            let figure = Figure::amount(Source::GivenBack, full.negated())?.shared(share)?;
            let rounded = sale.round(figure.amount)?;
            match rounded == line.before_discounts() {
                true => figure.told(text.as_str()),
                false => left()?,
            }
        }
        None => left()?,
    };
    Ok(Arithmetic {
        period: found.map(|(period, _)| period),
        figures: vec![figure],
        ..Arithmetic::default()
    })
}

/// A bound of a commitment, prorated like a fee, less what was rated.
fn bound(
    line: &Line,
    code: &str,
    days: Days,
    behind: Behind<'_>,
    which: impl Fn(&crate::catalog::Commitment) -> Option<Decimal>,
) -> Result<Arithmetic, Rejection> {
    let found = behind
        .subscription
        .and_then(|sub| committed(sub, code, days));
    let Some((term, commitment, period)) = found else {
        return of_account(line, code, days, behind);
    };
    let bound = which(commitment).unwrap_or_default();
    let figure = asked(bound, &commitment.name, (days, period))?;
    let rated = Figure::amount(Source::Rated, line.exact.minus(figure.amount)?)?;
    Ok(Arithmetic {
        sold: Some(sold(term, None)),
        period: Some(period),
        figures: vec![figure, rated],
        ..Arithmetic::default()
    })
}

/// What a bound asks for of a period, prorated like a fee.
fn asked(bound: Decimal, name: &str, (days, period): (Days, Days)) -> Result<Figure, Rejection> {
    let figure = Figure::amount(Source::Commitment, bound.into())?.told(name);
    match (days.count(), period.count()) {
        (part, whole) if part == whole => Ok(figure),
        share => figure.shared(share),
    }
}

/// A bound of a commitment of the account, less what was rated of each subscription.
fn of_account(
    line: &Line,
    code: &str,
    days: Days,
    behind: Behind<'_>,
) -> Result<Arithmetic, Rejection> {
    let whole = || {
        let amount = Figure::amount(Source::Commitment, line.exact)?;
        Ok(Arithmetic::of(vec![amount.told(line.text.as_str())]))
    };
    let known = behind.commitments.into_iter().flat_map(|c| &c.agreed);
    let Some(agreed) = known.into_iter().find(|a| a.id == code) else {
        return whole();
    };
    let mut periods = agreed.periods(days.from).into_iter();
    let Some((_, period)) = periods.find(|(d, _)| *d == days) else {
        return whole();
    };
    let bound = match line.what {
        What::Cap { .. } => agreed.max,
        _ => agreed.min,
    };
    let mut figures = vec![asked(
        bound.unwrap_or_default(),
        &agreed.name,
        (days, period),
    )?];
    for (subscription, rated) in behind.rated {
        if !rated.is_zero() {
            let rated = Figure::amount(Source::Rated, rated.negated())?;
            figures.push(rated.told(format!("subscription {subscription}")));
        }
    }
    // What came in another currency, or was changed since, is what is missing.
    let rest = line.exact.minus(sum(&figures)?)?;
    if !rest.is_zero() {
        figures.push(Figure::amount(Source::Rated, rest)?);
    }
    Ok(Arithmetic {
        period: Some(period),
        figures,
        ..Arithmetic::default()
    })
}

fn committed<'a>(
    sub: &'a Subscription,
    code: &str,
    days: Days,
) -> Option<(&'a Term, &'a crate::catalog::Commitment, Days)> {
    let since = crate::kernel::calendar::add_days(days.from, -1);
    let all = crate::subscriptions::commitments::committed_since(sub, since, days.until);
    let of_days = all
        .into_iter()
        .find(|c| c.commitment.code == code && c.days == days)?;
    Some((of_days.term, of_days.commitment, of_days.period))
}
