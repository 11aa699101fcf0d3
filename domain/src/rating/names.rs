//! What expressions of a catalog can read: the record, the contract, the customer, and custom fields of all of them.
//!
//! Everything is looked up when it is asked for and borrowed from where it is; only a custom field makes the names of
//! the streams it may be in.

use crate::accounts::AccountTerms;
use crate::catalog::Offer;
use crate::expressions::{Kind, Moment, Names, Schema, Value};
use crate::fields::{self, Definitions, Look, Subject};
use crate::kernel::{Date, Decimal, Exact, Instant, Span};
use crate::mediation::UsageRecord;
use crate::subscriptions::{Subscription, Term};
use chrono::Datelike;
use std::collections::BTreeMap;

/// Names of a contract: its customer and, once there is one, its subscription.
const CONTRACT: [(&str, Kind); 12] = [
    ("on", Kind::Date),
    ("offer", Kind::Text),
    ("subscription.quantity", Kind::Number),
    ("subscription.start", Kind::Date),
    ("subscription.age", Kind::Number),
    ("subscription.id", Kind::Text),
    ("account.id", Kind::Text),
    ("account.country", Kind::Text),
    ("account.category", Kind::Text),
    ("account.group", Kind::Text),
    ("account.currency", Kind::Text),
    ("account.entity", Kind::Text),
];

/// Names of a usage record.
const RECORD: [(&str, Kind); 4] = [
    ("quantity", Kind::Number),
    ("amount", Kind::Number),
    ("metric", Kind::Text),
    ("at", Kind::Moment),
];

/// What an expression about a contract may read: whether it can be bought, what a period of it costs.
pub fn contract_schema(definitions: Option<&Definitions>) -> Schema {
    let named = CONTRACT
        .iter()
        .fold(Schema::default(), |s, (name, kind)| s.with(*name, *kind));
    fields::schema(definitions, named)
}

/// What an expression about a usage record may read: filters, quantities, prices of records.
pub fn usage_schema(definitions: Option<&Definitions>) -> Schema {
    RECORD
        .iter()
        .fold(contract_schema(definitions), |s, (name, kind)| {
            s.with(*name, *kind)
        })
        .with_attributes()
}

/// What the price of a record may read: also `units`, what it counts as.
pub fn price_schema(definitions: Option<&Definitions>) -> Schema {
    usage_schema(definitions).with("units", Kind::Number)
}

/// A contract on a day, as expressions see it.
#[derive(Clone, Copy)]
pub struct ContractNames<'a> {
    pub look: &'a dyn Look,
    pub account: &'a str,
    pub terms: &'a AccountTerms,
    /// Id and state; none while it is only asked for.
    pub subscription: Option<(&'a str, &'a Subscription)>,
    pub offer: &'a Offer,
    /// The charge that is computed, if one is.
    pub charge: Option<&'a str>,
    /// As bought; none while nothing was.
    pub quantity: Option<Decimal>,
    pub on: Date,
}

impl<'a> ContractNames<'a> {
    /// The names of a term of a subscription on a day; none if its account is not there.
    pub fn of(
        look: &'a dyn Look,
        id: &'a str,
        subscription: &'a Subscription,
        term: &'a Term,
        charge: &'a str,
        on: Date,
    ) -> Option<ContractNames<'a>> {
        Some(ContractNames {
            look,
            account: &subscription.account,
            terms: look.account(&subscription.account)?,
            subscription: Some((id, subscription)),
            offer: &term.offer,
            charge: Some(charge),
            quantity: Some(term.quantity),
            on,
        })
    }
}

impl Names for ContractNames<'_> {
    fn name(&self, name: &str) -> Option<Value<'_>> {
        let start = || self.subscription.and_then(|(_, s)| s.start());
        Some(match name {
            "on" => self.on.into(),
            "offer" => Value::text(&self.offer.code),
            "subscription.quantity" => self.quantity.map_or(Value::Null, Value::from),
            "subscription.start" => start().map_or(Value::Null, Value::from),
            "subscription.age" => {
                let months = |start| Exact::from(i128::from(whole_months(start, self.on)));
                start().map_or(Value::Null, |start| months(start).into())
            }
            "subscription.id" => Value::maybe(self.subscription.map(|(id, _)| id)),
            "account.id" => Value::text(self.account),
            "account.country" => Value::text(&self.terms.country),
            "account.category" => Value::text(&self.terms.tax_category),
            "account.group" => Value::maybe(self.terms.group.as_deref()),
            "account.currency" => Value::text(self.terms.currency.code()),
            "account.entity" => Value::text(&self.terms.entity),
            _ => return None,
        })
    }

    fn field(&self, code: &str) -> Option<Value<'_>> {
        let definition = self.look.definitions()?.fields.get(code)?;
        let subject = Subject {
            subscription: self.subscription.map(|(id, _)| id),
            account: Some(self.account),
            offer: Some(&self.offer.code),
            charge: self.charge,
            entity: Some(&self.terms.entity),
        };
        let found = fields::find(self.look, definition, subject, self.on);
        Some(found.map_or(Value::Null, |f| f.value.lend()))
    }
}

/// A usage record under a contract, as expressions see it. Its day is the contract's.
#[derive(Clone, Copy)]
pub struct RecordNames<'a> {
    pub contract: ContractNames<'a>,
    pub quantity: Decimal,
    pub amount: Option<Decimal>,
    pub metric: &'a str,
    pub at: Instant,
    pub attributes: &'a BTreeMap<String, String>,
}

impl<'a> RecordNames<'a> {
    pub fn of(contract: ContractNames<'a>, record: &'a UsageRecord) -> RecordNames<'a> {
        RecordNames {
            contract,
            quantity: record.quantity,
            amount: record.amount,
            metric: &record.metric,
            at: record.at,
            attributes: &record.attributes,
        }
    }
}

/// A usage record whose units are known, as a price sees it.
#[derive(Clone, Copy)]
pub struct PricedNames<'a> {
    pub record: RecordNames<'a>,
    pub units: Exact,
}

impl Names for PricedNames<'_> {
    fn name(&self, name: &str) -> Option<Value<'_>> {
        match name {
            "units" => Some(self.units.into()),
            _ => self.record.name(name),
        }
    }

    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        self.record.attribute(name)
    }

    fn field(&self, code: &str) -> Option<Value<'_>> {
        self.record.field(code)
    }
}

impl Names for RecordNames<'_> {
    fn name(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "quantity" => self.quantity.into(),
            "amount" => self.amount.map_or(Value::Null, Value::from),
            "metric" => Value::text(self.metric),
            "at" => Value::Moment(Moment::of(&self.contract.terms.zone, self.at)),
            _ => return self.contract.name(name),
        })
    }

    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        Some(Value::maybe(self.attributes.get(name).map(String::as_str)))
    }

    fn field(&self, code: &str) -> Option<Value<'_>> {
        self.contract.field(code)
    }
}

/// Months of a contract that are over on a day, from its first day (policy 7): 31 January to 28 February is one.
pub fn whole_months(start: Date, on: Date) -> u32 {
    if on <= start {
        return 0;
    }
    let months =
        (on.year() - start.year()) * 12 + on.month0().cast_signed() - start.month0().cast_signed();
    let months = u32::try_from(months).unwrap_or(0);
    match Span::months(months).after(start) <= on {
        true => months,
        false => months.saturating_sub(1),
    }
}
