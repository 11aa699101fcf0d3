//! What an offer is made of and may be extended by: other offers, each as an option under rules.
//!
//! A service that always comes along is an option with `min` 1; an add-on is one with `min` 0. What a customer has is one
//! [`Offer`] again: the offer's own charges and those of its options, each under the name `option.charge`.

use super::{Offer, Price, UnitOf, is_default};
use crate::kernel::{Date, Decimal, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most options of one offer.
pub const OPTIONS_MAX: usize = 200;

/// An offer within an offer, and how many of it there may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionRule {
    /// Its name here; its charges are called `code.charge`.
    pub code: String,
    /// Code of the offer whose charges it brings.
    pub offer: String,
    /// From 1 on it always comes along and cannot be taken away.
    #[serde(default, skip_serializing_if = "is_default")]
    pub min: Decimal,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub max: Decimal,
    /// How many there are of a mandatory option when nobody says so; none: `min`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub usual: Option<Decimal>,
    /// Only together with all of these options.
    #[serde(default, skip_serializing_if = "is_default")]
    pub requires: Vec<String>,
    /// Never together with one of these options.
    #[serde(default, skip_serializing_if = "is_default")]
    pub excludes: Vec<String>,
}

impl OptionRule {
    pub fn mandatory(&self) -> bool {
        self.min > Decimal::ZERO
    }
}

/// An option that a customer has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    pub option: String,
    /// Code and version of the offer it brings.
    pub offer: String,
    pub version: u32,
    pub quantity: Decimal,
    /// The day from which its phases and its trial are counted.
    pub from: Date,
}

/// Where a charge comes from that is not of the offer itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfOption {
    pub option: String,
    /// How many of it; the subscription's quantity is that of the offer.
    pub quantity: Decimal,
    /// The day from which its phases and its trial are counted.
    pub from: Date,
    #[serde(default, skip_serializing_if = "is_default")]
    pub trial: Option<Span>,
}

fn one() -> Decimal {
    Decimal::ONE
}

fn is_one(value: &Decimal) -> bool {
    *value == Decimal::ONE
}

impl Offer {
    /// An option that the customer has.
    pub fn chosen(&self, option: &str) -> Option<&Chosen> {
        self.chosen.iter().find(|c| c.option == option)
    }

    /// How many of each option the customer has.
    pub fn quantities(&self) -> BTreeMap<String, Decimal> {
        let all = self.chosen.iter();
        all.map(|c| (c.option.clone(), c.quantity)).collect()
    }

    /// The offer with so many of an option. Usage charges of options come first: an option is more special than what it
    /// extends, so its charges see a record before the offer's own do.
    pub fn with_option(self, option: &str, sold: &Offer, quantity: Decimal, from: Date) -> Offer {
        let mut offer = self.without_option(option);
        let of = OfOption {
            option: option.to_string(),
            quantity,
            from,
            trial: sold.trial,
        };
        let code = |charge: &str| format!("{option}.{charge}");
        let name = |charge: &str| format!("{} {charge}", sold.name);
        offer.one_off.extend(sold.one_off.iter().map(|charge| {
            let mut charge = charge.clone();
            charge.code = code(&charge.code);
            charge.name = name(&charge.name);
            charge.of = Some(of.clone());
            charge
        }));
        offer.recurring.extend(sold.recurring.iter().map(|charge| {
            let mut charge = charge.clone();
            charge.code = code(&charge.code);
            charge.name = name(&charge.name);
            charge.of = Some(of.clone());
            // Two of an option cost twice, also where one has a flat price.
            if quantity != Decimal::ONE
                && let Price::Flat(amount) = charge.price
            {
                charge.price = Price::PerUnit(amount);
            }
            charge
        }));
        let usage = sold.usage.iter().map(|charge| {
            let mut charge = charge.clone();
            charge.code = code(&charge.code);
            charge.name = name(&charge.name);
            charge.allowance = charge
                .allowance
                .and_then(|units| units.times(quantity).ok());
            charge.of = Some(of.clone());
            charge
        });
        let own = std::mem::take(&mut offer.usage);
        offer.usage = usage.chain(own).collect();
        let new = |u: &&UnitOf| !offer.unit.contains(u);
        let units: Vec<UnitOf> = sold.unit.iter().filter(new).cloned().collect();
        offer.unit.extend(units);
        offer
            .commitments
            .extend(sold.commitments.iter().map(|bounds| {
                let mut bounds = bounds.clone();
                bounds.code = code(&bounds.code);
                bounds.name = name(&bounds.name);
                // Those of the option alone, and of each charge once, however many there are.
                let all = sold.recurring.iter().map(|c| &c.code);
                let all = all.chain(sold.usage.iter().map(|c| &c.code)).cloned();
                if bounds.charges.is_empty() {
                    bounds.charges = all.collect();
                }
                bounds.charges = bounds.charges.iter().map(|c| code(c)).collect();
                bounds
            }));
        offer.brings(option, sold, &of);
        offer.chosen.push(Chosen {
            option: option.to_string(),
            offer: sold.code.clone(),
            version: sold.version,
            quantity,
            from,
        });
        offer
    }

    /// The offer without an option and its charges.
    pub fn without_option(mut self, option: &str) -> Offer {
        let other = |of: &Option<OfOption>| of.as_ref().is_none_or(|of| of.option != option);
        self.one_off.retain(|c| other(&c.of));
        self.recurring.retain(|c| other(&c.of));
        self.usage.retain(|c| other(&c.of));
        self.counter.retain(|c| other(&c.of));
        self.feature.retain(|f| other(&f.of));
        let prefix = format!("{option}.");
        self.commitments.retain(|c| !c.code.starts_with(&prefix));
        self.chosen.retain(|c| c.option != option);
        self
    }
}

/// Adds the mandatory options that nobody named.
pub fn completed(
    rules: &[OptionRule],
    mut asked: BTreeMap<String, Decimal>,
) -> BTreeMap<String, Decimal> {
    for rule in rules.iter().filter(|r| r.mandatory()) {
        let usual = rule.usual.unwrap_or(rule.min);
        asked.entry(rule.code.clone()).or_insert(usual);
    }
    asked
}

/// Every rule that a choice breaks, in words.
pub fn problems(offer: &Offer, chosen: &BTreeMap<String, Decimal>) -> Vec<String> {
    let mut found = Vec::new();
    for (option, quantity) in chosen {
        let Some(rule) = offer.option.iter().find(|r| r.code == *option) else {
            found.push(match offer.includes.contains(option) {
                true => format!("{option} is included in {} already", offer.code),
                false => format!("{} has no option {option}", offer.code),
            });
            continue;
        };
        if *quantity < rule.min || *quantity > rule.max || *quantity <= Decimal::ZERO {
            found.push(format!(
                "of {option} there may be {} to {}, asked for {quantity}",
                rule.min, rule.max
            ));
        }
        for needed in rule.requires.iter().filter(|r| !chosen.contains_key(*r)) {
            found.push(format!("{option} needs {needed}"));
        }
        for other in rule.excludes.iter().filter(|r| chosen.contains_key(*r)) {
            found.push(format!("{option} does not go with {other}"));
        }
    }
    for rule in offer.option.iter().filter(|r| r.mandatory()) {
        if !chosen.contains_key(&rule.code) {
            found.push(format!("{} always comes with {}", offer.code, rule.code));
        }
    }
    found
}
