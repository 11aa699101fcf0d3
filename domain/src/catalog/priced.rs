//! Which price a charge has for one customer, and why: the first rule that says something wins.
//!
//! Override of the subscription, then the subscription's own contract, then contracts of the account and of who pays for
//! it, then the price list that fits best, then the offer's own price. What won stays with the charge.

use super::lists::{Market, PriceList, PriceTerm};
use super::{Offer, OneOff, Price, Recurring, Usage};
use crate::kernel::{Currency, Decimal, Rejection};
use serde::{Deserialize, Serialize};

/// The rule that a price follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceRule {
    /// Agreed for this subscription alone.
    Override,
    /// The contract that the subscription names.
    SubscriptionContract,
    /// A contract of the account, or of the account that pays for it.
    AccountContract,
    PriceList,
    /// The offer's own price, although other prices were looked at.
    Default,
}

/// Why a price is what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSource {
    pub rule: PriceRule,
    /// The contract or price list; empty where there is none.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub id: String,
    /// In words, with what it won over.
    pub why: String,
}

/// A contract that may say something about a price.
#[derive(Clone, Copy, Debug)]
pub struct Framework<'a> {
    pub id: &'a str,
    /// Whose contract it is, in words.
    pub whose: &'a str,
    pub rule: PriceRule,
    pub terms: &'a [PriceTerm],
}

/// Everything that may say something about prices of one customer.
#[derive(Clone, Debug)]
pub struct Prices<'a> {
    pub market: Market<'a>,
    /// Those that fit, the most special first.
    pub lists: Vec<&'a PriceList>,
    /// In the order in which they are asked.
    pub contracts: Vec<Framework<'a>>,
}

/// A price of whichever kind a charge has.
#[derive(Clone, Debug)]
enum Value {
    Price(Price),
    Amount(Decimal),
}

impl Value {
    fn of(term: &PriceTerm, like: &Value) -> Option<Value> {
        match like {
            Value::Price(_) => term.price.clone().map(Value::Price),
            Value::Amount(_) => term.amount.map(Value::Amount),
        }
    }

    fn scaled(&self, percent: Decimal) -> Result<Value, Rejection> {
        let factor = factor(percent)?;
        Ok(match self {
            Value::Price(price) => Value::Price(price.scaled(factor)?),
            Value::Amount(amount) => Value::Amount(super::scale::scaled(*amount, factor)?),
        })
    }
}

/// 1 + percent ÷ 100.
fn factor(percent: Decimal) -> Result<Decimal, Rejection> {
    let hundredth = Decimal::new(rust_decimal::Decimal::new(1, 2));
    Decimal::ONE.plus(percent.times(hundredth)?)
}

impl<'a> Prices<'a> {
    /// The lists that fit, in the order in which they are asked; of equals the one that began last, then by code.
    pub fn fitting(
        market: Market<'a>,
        lists: impl Iterator<Item = &'a PriceList>,
        contracts: Vec<Framework<'a>>,
    ) -> Prices<'a> {
        let mut prices = Prices {
            market,
            lists: vec![],
            contracts,
        };
        prices.in_currency(market.currency, lists);
        prices
    }

    /// The same market in another currency, with the lists that fit it.
    pub fn in_currency(&mut self, currency: Currency, lists: impl Iterator<Item = &'a PriceList>) {
        self.market.currency = currency;
        self.lists = lists.filter(|l| l.fits(&self.market)).collect();
        self.lists
            .sort_by(|a, b| (b.rank(), b.from, &a.code).cmp(&(a.rank(), a.from, &b.code)));
    }

    /// The offer with this customer's prices in it; or every charge that has none.
    pub fn apply(&self, mut offer: Offer) -> Result<Offer, Vec<String>> {
        let foreign = offer.currency != self.market.currency;
        let code = offer.code.clone();
        let mut missing = Vec::new();
        let mut resolve =
            |charge: &str, value: &mut Value, source: &mut Option<PriceSource>| match self.resolve(
                &code,
                charge,
                value.clone(),
                foreign,
            ) {
                Ok(Some((found, why))) => {
                    *value = found;
                    *source = why;
                }
                Ok(None) => missing.push(format!(
                    "charge {charge} of {code} has no price in {}",
                    self.market.currency.code()
                )),
                Err(e) => missing.push(format!("charge {charge} of {code}: {e}")),
            };
        for OneOff {
            code,
            amount,
            source,
            ..
        } in &mut offer.one_off
        {
            let mut value = Value::Amount(*amount);
            resolve(code, &mut value, source);
            if let Value::Amount(found) = value {
                *amount = found;
            }
        }
        for Recurring {
            code,
            price,
            source,
            ..
        } in &mut offer.recurring
        {
            let mut value = Value::Price(price.clone());
            resolve(code, &mut value, source);
            if let Value::Price(found) = value {
                *price = found;
            }
        }
        for Usage {
            code,
            price,
            prices,
            source,
            ..
        } in &mut offer.usage
        {
            let mut value = Value::Price(price.clone());
            resolve(code, &mut value, source);
            if let Value::Price(found) = value {
                *price = found;
            }
            for dated in prices {
                let mut value = Value::Price(dated.price.clone());
                resolve(code, &mut value, &mut None);
                if let Value::Price(found) = value {
                    dated.price = found;
                }
            }
        }
        if foreign {
            let bounded = |u: &&Usage| u.minimum.is_some() || u.maximum.is_some();
            missing.extend(offer.usage.iter().filter(bounded).map(|u| {
                let currency = self.market.currency.code();
                format!(
                    "minimum and maximum of charge {} of {code} are not in {currency}",
                    u.code
                )
            }));
            let bounds = offer.commitments.iter().map(|c| &c.code);
            missing.extend(bounds.map(|c| {
                let currency = self.market.currency.code();
                format!("commitment {c} of {code} has no amount in {currency}")
            }));
            let money = offer
                .counter
                .iter()
                .filter(|c| c.unit.is_none() || c.price.is_some());
            missing.extend(money.map(|c| {
                let currency = self.market.currency.code();
                format!("counter {} of {code} has no amount in {currency}", c.code)
            }));
        }
        offer.currency = self.market.currency;
        match missing.is_empty() {
            true => Ok(offer),
            false => Err(missing),
        }
    }

    /// The price and its source; no source where nothing but the offer's own price was there, nothing where there is no
    /// price at all.
    fn resolve(
        &self,
        offer: &str,
        charge: &str,
        own: Value,
        foreign: bool,
    ) -> Result<Option<(Value, Option<PriceSource>)>, Rejection> {
        let default = (!foreign).then(|| own.clone());
        let from_list = self.list_price(offer, charge, &own, default.as_ref())?;
        let asked = self.contracts.iter().map(|c| {
            let term = c
                .terms
                .iter()
                .find(|t| t.names(offer, charge) && usable(t, &own));
            (c, term)
        });
        let mut passed = Vec::new();
        let otherwise = from_list.clone();
        for (contract, term) in asked {
            let Some(term) = term else {
                passed.push(format!(
                    "contract {} does not name this charge",
                    contract.id
                ));
                continue;
            };
            let instead = match &otherwise {
                Some((_, Some(source))) => format!(" instead of price list {}", source.id),
                _ => " instead of the offer's own price".to_string(),
            };
            let (value, says) = match (Value::of(term, &own), term.percent, &otherwise) {
                (Some(value), _, _) => (value, "a price of its own".to_string()),
                (None, Some(percent), Some((before, _))) => {
                    (before.scaled(percent)?, format!("{percent} percent"))
                }
                _ => continue,
            };
            let why = format!(
                "contract {} of {} says {says}{instead}{}",
                contract.id,
                contract.whose,
                because(&passed)
            );
            let source = PriceSource {
                rule: contract.rule,
                id: contract.id.to_string(),
                why,
            };
            return Ok(Some((value, Some(source))));
        }
        if let Some((value, Some(mut source))) = from_list {
            source.why.push_str(&because(&passed));
            return Ok(Some((value, Some(source))));
        }
        let looked = self
            .lists
            .iter()
            .map(|l| format!("price list {} does not name this charge", l.code));
        passed.extend(looked);
        let source = (!passed.is_empty()).then(|| PriceSource {
            rule: PriceRule::Default,
            id: String::new(),
            why: format!("the offer's own price{}", because(&passed)),
        });
        Ok(default.map(|value| (value, source)))
    }

    fn list_price(
        &self,
        offer: &str,
        charge: &str,
        own: &Value,
        default: Option<&Value>,
    ) -> Result<Option<(Value, Option<PriceSource>)>, Rejection> {
        let mut passed = Vec::new();
        for list in &self.lists {
            let Some(term) = list
                .items
                .iter()
                .find(|t| t.names(offer, charge) && usable(t, own))
            else {
                passed.push(format!(
                    "price list {} does not name this charge",
                    list.code
                ));
                continue;
            };
            let (value, says) = match (Value::of(term, own), term.percent, default) {
                (Some(value), _, _) => (value, "a price of its own".to_string()),
                (None, Some(percent), Some(own)) => (
                    own.scaled(percent)?,
                    format!("{percent} percent on the offer's own price"),
                ),
                _ => continue,
            };
            let why = format!(
                "price list {} ({}) says {says}{}",
                list.code,
                list.conditions(),
                because(&passed)
            );
            let source = PriceSource {
                rule: PriceRule::PriceList,
                id: list.code.clone(),
                why,
            };
            return Ok(Some((value, Some(source))));
        }
        Ok(default.map(|own| (own.clone(), None)))
    }
}

/// Whether a term can price a charge of this kind.
fn usable(term: &PriceTerm, like: &Value) -> bool {
    term.percent.is_some() || Value::of(term, like).is_some()
}

fn because(passed: &[String]) -> String {
    match passed.is_empty() {
        true => String::new(),
        false => format!("; {}", passed.join("; ")),
    }
}
