//! Which product lines a document is about, and with how much of its total.
//!
//! Every product line gets a share of the total in proportion to its net lines above zero; the shares sum to the total.
//! A line without a subscription, and one of an offer without a product line, belongs to the product line without a name.

use super::{Document, Line};
use crate::catalog::Catalog;
use crate::charges::What;
use crate::kernel::{Date, Money, Rejection};
use crate::subscriptions::Subscription;
use std::collections::BTreeMap;

/// Shares by product line, in the order of their names.
pub fn product_lines<'t>(
    document: &Document,
    catalog: &Catalog,
    find: impl Fn(&str) -> Option<&'t Subscription>,
) -> Result<Vec<(String, Money)>, Rejection> {
    shares(document, |line| {
        let sold = line.subscription.as_deref().and_then(&find);
        let term = sold.and_then(|sold| {
            let at = served_from(line)?;
            let earlier = sold.terms.iter().rev().find(|t| t.from <= at);
            earlier.or(sold.terms.first())
        });
        term.map_or(String::new(), |term| {
            catalog.product_line(&term.offer.code).to_string()
        })
    })
}

/// Shares by whatever `name` says a line belongs to.
pub fn shares(
    document: &Document,
    name: impl Fn(&Line) -> String,
) -> Result<Vec<(String, Money)>, Rejection> {
    let mut weights: BTreeMap<String, i128> = BTreeMap::new();
    for line in &document.lines {
        *weights.entry(name(line)).or_default() += line.net.minor;
    }
    weights.retain(|_, weight| *weight > 0);
    if weights.is_empty() {
        return Ok(vec![(String::new(), document.total)]);
    }
    let (names, weights): (Vec<_>, Vec<_>) = weights.into_iter().unzip();
    Ok(names
        .into_iter()
        .zip(document.total.allocate(&weights)?)
        .collect())
}

/// The first day that a line is about.
pub fn served_from(line: &Line) -> Option<Date> {
    match &line.what {
        What::OneOff { on, .. }
        | What::Added { on, .. }
        | What::TopUp { on, .. }
        | What::Advance { on, .. } => Some(*on),
        other => other.days().map(|days| days.from),
    }
}
