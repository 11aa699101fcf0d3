//! Rules that choose the policy an account is dunned by.

use async_graphql::{Enum, InputObject, Result, SimpleObject};
use indelible_domain::dunning as domain;
use indelible_domain::kernel::Currency;
use indelible_domain::methods;

use crate::graphql::errors;
use crate::graphql::scalars::Decimal;

/// Kind of a payment method.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "DunningMethod", remote = "methods::Kind")]
pub enum Method {
    Card,
    DirectDebit,
    Transfer,
    Cash,
    Wallet,
}

/// Conditions are met by any of their members; those that name nothing by everybody.
#[derive(SimpleObject, InputObject)]
#[graphql(name = "DunningRule", input_name = "DunningRuleInput")]
pub struct Rule {
    pub name: String,
    /// Key of the policy that dunns whom the rule fits.
    pub policy: String,
    /// Keys of legal entities.
    #[graphql(default)]
    pub entities: Vec<String>,
    /// Customer groups.
    #[graphql(default)]
    pub groups: Vec<String>,
    /// Product lines of what is overdue.
    #[graphql(default)]
    pub product_lines: Vec<String>,
    /// At least so much is overdue, in the account's currency.
    pub at_least: Option<Decimal>,
    /// Less than so much is overdue.
    pub below: Option<Decimal>,
    /// The payment method that is tried first.
    #[graphql(default)]
    pub methods: Vec<Method>,
    /// Only accounts without a payment method that can be used.
    #[graphql(default)]
    pub no_method: bool,
    /// ISO 3166 alpha-2, the buyer's.
    #[graphql(default)]
    pub countries: Vec<String>,
    #[graphql(default)]
    pub currencies: Vec<String>,
}

impl From<&domain::Rule> for Rule {
    fn from(rule: &domain::Rule) -> Rule {
        let when = &rule.when;
        Rule {
            name: rule.name.clone(),
            policy: rule.policy.clone(),
            entities: when.entities.clone(),
            groups: when.groups.clone(),
            product_lines: when.product_lines.clone(),
            at_least: when.at_least.map(Decimal),
            below: when.below.map(Decimal),
            methods: when.methods.iter().map(|kind| (*kind).into()).collect(),
            no_method: when.no_method,
            countries: when.countries.clone(),
            currencies: when.currencies.iter().map(|c| c.to_string()).collect(),
        }
    }
}

impl Rule {
    pub fn made(&self) -> Result<domain::Rule> {
        let currency = |code: &String| {
            let parsed: Result<Currency, _> = code.parse();
            parsed.map_err(|why| errors::refused("CURRENCY_UNKNOWN", why.to_string()))
        };
        let when = domain::When {
            entities: self.entities.clone(),
            groups: self.groups.clone(),
            product_lines: self.product_lines.clone(),
            at_least: self.at_least.map(|d| d.0),
            below: self.below.map(|d| d.0),
            methods: self.methods.iter().map(|kind| (*kind).into()).collect(),
            no_method: self.no_method,
            countries: self.countries.clone(),
            currencies: self
                .currencies
                .iter()
                .map(currency)
                .collect::<Result<_>>()?,
        };
        Ok(domain::Rule {
            name: self.name.clone(),
            policy: self.policy.clone(),
            when,
        })
    }
}
