//! Interest on late payment: which principal was owed for which days, and what that comes to.
//!
//! Simple interest by day, on the principal of each day: what an invoice owed until it was paid in part counts until that
//! day. Everything is summed exactly and rounded once (policy 1).

use crate::dunning::owed::{Owed, overdue};
use crate::dunning::{Case, Interest, Span};
use crate::kernel::{Date, Exact, Money, Rejection, Rounding};
use std::collections::BTreeMap;

/// Interest to be charged, after the cap.
pub(super) struct Due {
    pub amount: Money,
    pub capped: Money,
}

/// Days and principals that no interest was charged for before `until`: those carried, then what is open.
pub(super) fn spans(case: &Case, parts: &[Owed], until: Date) -> Vec<Span> {
    let mut spans = case.carried.clone();
    spans.extend(running(case, parts, until));
    spans
}

/// What is open now, from the day up to which interest was charged or carried.
fn running(case: &Case, parts: &[Owed], until: Date) -> Vec<Span> {
    let open = overdue(parts, until).map(|part| {
        let since = case.interest_from.get(&part.invoice);
        Span {
            invoice: part.invoice.clone(),
            from: since.map_or(part.due, |since| part.due.max(*since)),
            until,
            principal: part.amount,
        }
    });
    open.filter(|span| span.from < span.until).collect()
}

/// The interest on spans, within the cap of the episode.
pub(super) fn due(
    case: &Case,
    terms: &Interest,
    spans: &[Span],
    overdue: Money,
    rounding: Rounding,
) -> Result<Due, Rejection> {
    let currency = overdue.currency;
    let mut sum = Exact::ZERO;
    for span in spans {
        sum = sum.plus(terms.of(span.principal, span.from, span.until)?)?;
    }
    let whole = Money::round(sum, currency, rounding)?;
    let Some(cap) = terms.cap(overdue)? else {
        let capped = Money::zero(currency);
        let amount = whole;
        return Ok(Due { amount, capped });
    };
    let charged = case.open.iter().flat_map(|open| &open.interest);
    let charged = charged.filter_map(|charge| case.charged.get(charge).copied());
    let left = Money::round(cap, currency, rounding)?.minus(Money::sum(currency, charged));
    let amount = whole.min(left);
    let amount = if amount.is_negative() {
        Money::zero(currency)
    } else {
        amount
    };
    let capped = whole.minus(amount);
    Ok(Due { amount, capped })
}

/// What changes on a day: spans of invoices that owe something else from then on, and those that are owed anew.
pub(super) fn changed(
    case: &Case,
    before: &[Owed],
    after: &[Owed],
    on: Date,
) -> (Vec<Span>, Vec<String>) {
    let sums = |parts: &[Owed]| {
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for part in overdue(parts, on) {
            *sums.entry(part.invoice.clone()).or_default() += part.amount.minor;
        }
        sums
    };
    let (old, new) = (sums(before), sums(after));
    let differs = |invoice: &String| old.get(invoice) != new.get(invoice);
    let mut spans = running(case, before, on);
    spans.retain(|span| differs(&span.invoice));
    let anew = new.keys().filter(|i| !old.contains_key(*i));
    (spans, anew.cloned().collect())
}
