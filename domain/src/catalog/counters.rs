//! Counters: quantities or amounts that a customer may use before the price of a charge is asked; and features, which
//! an offer has or has not.
//!
//! A counter is of one subscription, or a pool of all subscriptions of an account or of a customer, each of which brings its
//! size. What is drawn from it is `crate::counters`; here is only what was agreed.

use super::{Aggregate, OfOption, Offer, Price, Usage, is_default};
use crate::kernel::{Decimal, Exact, Rejection, Span};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Most counters of one offer.
pub const COUNTERS_MAX: usize = 100;

/// Most periods through which something that was left can be used.
pub const ROLLOVER_MAX: u32 = 36;

/// What may be used in each period, and by which charges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterRule {
    pub code: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: String,
    /// What it counts: the unit of the charges that draw on it; none: money, in the offer's currency.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit: Option<String>,
    /// Of a pool: what each subscription brings.
    pub size: Decimal,
    #[serde(default, skip_serializing_if = "is_default")]
    pub owner: Owner,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reset: Reset,
    /// A part of a period brings its share by days; false: all of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prorate: bool,
    /// A pool is as large as the largest that a member brings; false: all of them together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fixed: bool,
    /// Each unit of the subscription's quantity brings the size.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by_quantity: bool,
    /// What is left goes on into later periods; none: it lapses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rollover: Option<Rollover>,
    /// When so much of a period's own size is used, a fact says so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub thresholds: Vec<Threshold>,
    /// Text of the message that its owner's account gets at each of them, such as `allowance`; none: nobody is written to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub message: Option<String>,
    /// Codes of the usage charges that draw on it; empty: all that count in its unit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub charges: Vec<String>,
    /// Metrics of the records that draw on it; empty: all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metrics: Vec<String>,
    /// Attributes that a record must have to draw on it.
    #[serde(default, rename = "where", skip_serializing_if = "is_default")]
    pub filter: BTreeMap<String, String>,
    /// Of several counters the lowest number is drawn first; equal ones, and those without, in the order of the offer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: Option<u32>,
    /// What a unit costs that it covers; none: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub price: Option<Decimal>,
    /// What becomes of a record that it cannot cover.
    #[serde(default, skip_serializing_if = "is_default")]
    pub beyond: Beyond,
    /// The option it comes from; written by selling.
    #[serde(default, skip_serializing_if = "is_default")]
    pub of: Option<OfOption>,
}

/// Whose a counter is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    #[default]
    Subscription,
    /// All subscriptions of the account draw on it.
    Account,
    /// All subscriptions of the account that pays, and of those it pays for.
    Customer,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Owner::Subscription => "subscription",
            Owner::Account => "account",
            Owner::Customer => "customer",
        })
    }
}

/// When a counter begins anew: at midnight of the account's zone (policy 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// A month from the billing day of the subscription, of a pool from that of its account.
    #[default]
    BillingPeriod,
    Day,
    /// Monday.
    Week,
    Month,
    Quarter,
    Year,
    Never,
}

impl Reset {
    /// How long a period is; none: for ever.
    pub fn every(self) -> Option<Span> {
        match self {
            Reset::BillingPeriod | Reset::Month => Some(Span::months(1)),
            Reset::Day => Some(Span::days(1)),
            Reset::Week => Some(Span::days(7)),
            Reset::Quarter => Some(Span::months(3)),
            Reset::Year => Some(Span::months(12)),
            Reset::Never => None,
        }
    }
}

/// What of a period goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollover {
    /// Of all earlier periods together at most this goes into a period; what is beyond lapses, the oldest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max: Option<Decimal>,
    /// How many periods after its own it lives.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub periods: u32,
}

fn once() -> u32 {
    1
}

fn is_once(periods: &u32) -> bool {
    *periods == 1
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// The next counter covers the rest, and after the last one the charge's price holds.
    #[default]
    Charge,
    /// The record is rejected, COUNTER_EXHAUSTED, and draws nothing (policy 17).
    Refuse,
}

/// A level of use: so many units or so much money, or a share of the size. Written `500` or `80%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold {
    pub value: Decimal,
    pub percent: bool,
}

impl Threshold {
    /// The level in the counter's unit; none of nothing.
    pub fn of(self, size: Exact) -> Result<Option<Exact>, Rejection> {
        if !self.percent {
            return Ok(Some(self.value.into()));
        }
        if size <= Exact::ZERO {
            return Ok(None);
        }
        let hundredth = Exact::ratio(1, 100)?;
        size.times(self.value.into())?.times(hundredth).map(Some)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.value, if self.percent { "%" } else { "" })
    }
}

impl FromStr for Threshold {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Threshold, Rejection> {
        let (number, percent) = match text.strip_suffix('%') {
            Some(number) => (number.trim(), true),
            None => (text.trim(), false),
        };
        let value = number.parse().map_err(|_| {
            Rejection::new(
                "THRESHOLD_INVALID",
                format!("{text:?} is not a threshold like \"80%\" or \"500\""),
            )
        })?;
        Ok(Threshold { value, percent })
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|r: Rejection| serde::de::Error::custom(r.message))
    }
}

/// Something that an offer allows, beside what is charged: a switch, a limit, or a text. Exactly one of them is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    pub code: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub on: Option<bool>,
    /// So many of it at most.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limit: Option<Decimal>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub text: Option<String>,
    /// The option it comes from; written by selling.
    #[serde(default, skip_serializing_if = "is_default")]
    pub of: Option<OfOption>,
}

impl CounterRule {
    /// Whether records of a charge may draw on it, as far as the charge says so.
    pub fn fits(&self, charge: &Usage) -> bool {
        let named = self.charges.is_empty() || self.charges.contains(&charge.code);
        let metric = self.metrics.is_empty() || self.metrics.contains(&charge.metric);
        let counts = match &self.unit {
            Some(unit) => *unit == charge.unit && charge.counts_units(),
            None => charge.counts_money(),
        };
        named && metric && counts
    }

    /// Whether a record with these attributes may.
    pub fn takes(&self, attributes: &BTreeMap<String, String>) -> bool {
        let mut all = self.filter.iter();
        all.all(|(name, value)| attributes.get(name) == Some(value))
    }

    /// What it is called.
    pub fn shown(&self) -> &str {
        match self.name.is_empty() {
            true => &self.code,
            false => &self.name,
        }
    }
}

impl Usage {
    /// What it costs follows from the total of its units, so a counter can take units out of it.
    pub fn counts_units(&self) -> bool {
        let total = !self.all_prices().any(|price| {
            matches!(
                price,
                Price::Percentage(_)
                    | Price::GraduatedPercentage(_)
                    | Price::Dynamic(_)
                    | Price::Expression(_)
            )
        });
        total && matches!(self.aggregate, Aggregate::Sum | Aggregate::Count) && !self.remembers()
    }

    /// What it costs is known when a record is rated, so a counter can pay for it.
    pub fn counts_money(&self) -> bool {
        !self.carry
    }
}

impl Offer {
    /// Whether records of it may draw on counters: they take the general road of rating.
    pub fn has_counters(&self) -> bool {
        !self.counter.is_empty()
    }

    /// Counters that a charge may draw on, in the order in which they are drawn.
    pub fn counters_of<'a>(&'a self, charge: &'a Usage) -> Vec<&'a CounterRule> {
        let mut rules: Vec<&CounterRule> = self
            .counter
            .iter()
            .filter(|rule| rule.fits(charge))
            .collect();
        rules.sort_by_key(|rule| rule.priority.unwrap_or(u32::MAX));
        rules
    }

    /// The counters and features that so many of an option bring. What belongs to the subscription is called
    /// `option.counter`; a pool keeps its name, because others draw on it too.
    pub(super) fn brings(&mut self, option: &str, sold: &Offer, of: &OfOption) {
        let own = |charge: &String| match sold.usage.iter().any(|u| u.code == *charge) {
            true => format!("{option}.{charge}"),
            false => charge.clone(),
        };
        self.counter.extend(sold.counter.iter().map(|rule| {
            let mut rule = rule.clone();
            if rule.owner == Owner::Subscription {
                rule.code = format!("{option}.{}", rule.code);
            }
            rule.name = match rule.name.is_empty() {
                true => String::new(),
                false => format!("{} {}", sold.name, rule.name),
            };
            rule.size = rule.size.times(of.quantity).unwrap_or(rule.size);
            rule.charges = rule.charges.iter().map(own).collect();
            rule.of = Some(of.clone());
            rule
        }));
        self.feature.extend(sold.feature.iter().map(|feature| {
            let mut feature = feature.clone();
            feature.limit = feature
                .limit
                .map(|limit| limit.times(of.quantity).unwrap_or(limit));
            feature.of = Some(of.clone());
            feature
        }));
    }

    /// A feature with everything that options add: on if one says so, limits together, the text of the last one.
    pub fn feature(&self, code: &str) -> Option<Feature> {
        let mut all = self.feature.iter().filter(|f| f.code == code);
        let mut found = all.next()?.clone();
        for more in all {
            found.on = match (found.on, more.on) {
                (Some(a), Some(b)) => Some(a || b),
                (a, b) => a.or(b),
            };
            found.limit = match (found.limit, more.limit) {
                (Some(a), Some(b)) => Some(a.plus(b).unwrap_or(a)),
                (a, b) => a.or(b),
            };
            if more.text.is_some() {
                found.text.clone_from(&more.text);
            }
        }
        Some(found)
    }

    /// Codes of its features, each once, in order.
    pub fn feature_codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = self.feature.iter().map(|f| f.code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}
