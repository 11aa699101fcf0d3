//! Price lists: other prices for the offers of the catalog, by currency, seller, country, customer group and date.

use super::{Price, is_default};
use crate::kernel::{Currency, Date, Decimal, Id};
use serde::{Deserialize, Serialize};

/// Another price of one charge, or of every charge, of an offer: a price, an amount, or so many percent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTerm {
    pub offer: String,
    /// None: every charge of the offer; only for percentages.
    #[serde(default, skip_serializing_if = "is_default")]
    pub charge: Option<String>,
    /// Of a recurring or a usage charge.
    #[serde(default, skip_serializing_if = "is_default")]
    pub price: Option<Price>,
    /// Of a one-off charge.
    #[serde(default, skip_serializing_if = "is_default")]
    pub amount: Option<Decimal>,
    /// Added to what the price would be otherwise; -10 is ten percent less.
    #[serde(default, skip_serializing_if = "is_default")]
    pub percent: Option<Decimal>,
}

impl PriceTerm {
    pub fn names(&self, offer: &str, charge: &str) -> bool {
        self.offer == offer && self.charge.as_ref().is_none_or(|c| c == charge)
    }
}

/// Prices that hold where all that it names fits; what it does not name fits always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    pub code: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: String,
    pub currency: Currency,
    /// Legal entity that sells.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seller: Option<Id>,
    /// Country of the buyer, ISO 3166 alpha-2.
    #[serde(default, skip_serializing_if = "is_default")]
    pub country: Option<String>,
    /// Group of the buyer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub group: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub from: Option<Date>,
    /// Exclusive.
    #[serde(default, skip_serializing_if = "is_default")]
    pub until: Option<Date>,
    #[serde(default, skip_serializing_if = "is_default", rename = "item")]
    pub items: Vec<PriceTerm>,
}

/// Who buys, from whom, in which currency and on which day.
#[derive(Clone, Copy, Debug)]
pub struct Market<'a> {
    pub seller: &'a str,
    pub country: &'a str,
    pub group: Option<&'a str>,
    pub currency: Currency,
    pub on: Date,
}

impl PriceList {
    pub fn holds_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day < until)
    }

    pub fn fits(&self, market: &Market<'_>) -> bool {
        self.currency == market.currency
            && self.holds_on(market.on)
            && self.seller.as_deref().is_none_or(|s| s == market.seller)
            && self.country.as_deref().is_none_or(|c| c == market.country)
            && self
                .group
                .as_deref()
                .is_none_or(|g| Some(g) == market.group)
    }

    /// How special it is: a list for a group before one for a country before one for a seller.
    pub fn rank(&self) -> u32 {
        4 * u32::from(self.group.is_some())
            + 2 * u32::from(self.country.is_some())
            + u32::from(self.seller.is_some())
    }

    /// What it names, in words.
    pub fn conditions(&self) -> String {
        let named = [
            ("group", &self.group),
            ("country", &self.country),
            ("seller", &self.seller),
        ];
        let mut all: Vec<String> = vec![format!("currency {}", self.currency.code())];
        let named = named
            .into_iter()
            .filter_map(|(what, is)| Some((what, is.as_ref()?)));
        all.extend(named.map(|(what, is)| format!("{what} {is}")));
        all.join(", ")
    }

    /// Whether two lists could both be the one on some day: the same conditions at the same time.
    pub fn rivals(&self, other: &PriceList) -> bool {
        let same = (&self.currency, &self.seller, &self.country, &self.group)
            == (&other.currency, &other.seller, &other.country, &other.group);
        let apart = |a: &PriceList, b: &PriceList| matches!((a.until, b.from), (Some(until), Some(from)) if until <= from);
        let names = |t: &PriceTerm| {
            other.items.iter().any(|o| {
                o.offer == t.offer
                    && (o.charge.is_none() || t.charge.is_none() || o.charge == t.charge)
            })
        };
        same && !apart(self, other) && !apart(other, self) && self.items.iter().any(names)
    }
}
