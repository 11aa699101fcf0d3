//! What a customer may use, how much of it is left, and what would give more: answered from the counters, meters and wallets
//! that rating uses, without writing anything. `crate::operations::entitlements` asks.

use crate::catalog::{Feature, Offer, Owner, Pay, Usage};
use crate::kernel::{Currency, Date, Exact, Id, Rejection};

/// Whose entitlements are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    Subscription(&'a str),
    Account(&'a str),
    /// The account that pays, and those it pays for.
    Customer(&'a str),
}

/// One allowance: a period of a counter, or what a charge itself has free.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// Code of the counter; none: the allowance of the charge.
    pub counter: Option<String>,
    pub name: String,
    pub owner: Owner,
    /// The subscription, account or paying account that it belongs to.
    pub of: Id,
    /// None: money.
    pub unit: Option<String>,
    pub currency: Option<Currency>,
    pub size: Exact,
    pub used: Exact,
    pub left: Exact,
    /// It was left of an earlier period.
    pub carried: bool,
    /// The first day on which it is not there any more, or begins anew; none: never.
    pub resets: Option<Date>,
}

/// Something on sale that gives more.
#[derive(Clone, Debug, PartialEq)]
pub struct More {
    pub offer: Id,
    /// The option of the present offer by which it comes; none: another offer to change to.
    pub option: Option<String>,
    pub name: String,
    /// In words.
    pub gives: String,
}

/// One service or feature of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Entitlement {
    pub subscription: Id,
    pub account: Id,
    /// Code of the usage charge or feature.
    pub class: String,
    pub name: String,
    /// Of a usage charge: the metric of its records, and what it counts in.
    pub metric: Option<String>,
    pub unit: Option<String>,
    /// Why it may not be used now; none: it may.
    pub refused: Option<Rejection>,
    pub feature: Option<Feature>,
    /// In the order in which they are drawn.
    pub left: Vec<Left>,
    /// Use beyond what is left is charged to this; none: it is refused.
    pub beyond: Option<Pay>,
    /// What wallets have, where they pay.
    pub wallets: Option<Exact>,
    pub more: Vec<More>,
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub allowed: bool,
    /// Why not.
    pub refused: Option<Rejection>,
    /// How much of what was asked is allowed.
    pub granted: Exact,
    /// How much of it costs nothing: allowances and counters cover it.
    pub covered: Exact,
    /// What wallets would pay for the rest.
    pub cost: Exact,
    /// Code of the usage charge or feature that answered.
    pub class: String,
}

/// What an offer gives of a metric, as a month of it: allowances and counters in one unit, of each option chosen too.
pub fn gives(offer: &Offer, metric: &str, unit: &str) -> Result<Exact, Rejection> {
    let mut sum = Exact::ZERO;
    let charges = offer
        .usage
        .iter()
        .filter(|u| u.metric == metric && u.unit == unit);
    for charge in charges.clone() {
        if let Some(allowance) = charge.allowance {
            sum = sum.plus(monthly(allowance.into(), charge.every)?)?;
        }
    }
    for rule in &offer.counter {
        let named = |u: &Usage| rule.charges.is_empty() || rule.charges.contains(&u.code);
        let metric = rule.metrics.is_empty() || rule.metrics.iter().any(|m| m == metric);
        // An option may draw on a charge that only the offer has which it extends.
        let fits = charges.clone().any(named) || offer.usage.is_empty() || !rule.charges.is_empty();
        if rule.unit.as_deref() != Some(unit) || !metric || !fits {
            continue;
        }
        sum = match rule.reset.every() {
            Some(every) => sum.plus(monthly(rule.size.into(), every)?)?,
            None => sum.plus(rule.size.into())?,
        };
    }
    Ok(sum)
}

fn monthly(size: Exact, every: crate::kernel::Span) -> Result<Exact, Rejection> {
    let (months, of) = every.in_months();
    size.share(of, months.max(1))
}

/// Whether a feature is more than another one, or is there where none was.
pub fn is_more(feature: &Feature, than: Option<&Feature>) -> bool {
    let Some(than) = than else {
        return feature.on != Some(false);
    };
    match (feature.on, feature.limit) {
        (Some(on), _) => on && than.on != Some(true),
        (_, Some(limit)) => than.limit.is_some_and(|has| limit > has),
        _ => feature.text.is_some() && feature.text != than.text,
    }
}
