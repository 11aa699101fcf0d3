//! Custom fields: what a business wants to know of its offers and customers beyond what the product knows of them.
//!
//! - A field is defined once per tenant, with its kind and with what it can be of; neither changes while it is there.
//! - A value holds on the days `[from, until)`. Of several that hold on a day the one with the highest priority counts,
//!   then the one with the latest first day, then the one that was set last.
//! - A value of a parent holds for what hangs on it, unless that has a value of its own, if the field is inherited: legal
//!   entity → payer → account → subscription, and offer → charge ([`find`]).
//! - What is personal is sealed before it gets here, under the key that reaches the account's holder, and is gone with
//!   that key; no expression can read it.

mod definition;
mod held;
mod lookup;

pub use definition::{
    Allowed, Command as DefinitionCommand, Defined, Definition, Definitions,
    Event as DefinitionEvent, FieldKind, Inheritance, Withdrawn, schema,
};
pub use held::{Command, Event, Held, Period, ValueEnded, ValueSet};
pub use lookup::{Found, Look, Subject, find, missing};

use crate::expressions::{self, Kind};
use crate::kernel::{Date, Decimal, Id, Personal, Rejection};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a custom field can be of.
///
/// Stored in events: new ones are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    LegalEntity,
    Account,
    Subscription,
    Offer,
    Charge,
}

impl Carrier {
    /// Every carrier there is.
    pub const ALL: [Carrier; 5] = [
        Carrier::LegalEntity,
        Carrier::Account,
        Carrier::Subscription,
        Carrier::Offer,
        Carrier::Charge,
    ];

    /// As it is written in ids and messages.
    pub fn name(self) -> &'static str {
        match self {
            Carrier::LegalEntity => "entity",
            Carrier::Account => "account",
            Carrier::Subscription => "subscription",
            Carrier::Offer => "offer",
            Carrier::Charge => "charge",
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that carries values: an account, an offer, …
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub carrier: Carrier,
    /// Id within its kind; of a charge `offer/charge`.
    pub id: Id,
}

impl Place {
    pub fn new(carrier: Carrier, id: impl Into<Id>) -> Place {
        Place {
            carrier,
            id: id.into(),
        }
    }

    /// Stream of its values.
    pub fn stream(&self) -> Id {
        format!("{}/{}", self.carrier, self.id)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.carrier, self.id)
    }
}

/// A value of a custom field.
///
/// Stored in events: new kinds are added at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FieldValue {
    Text(String),
    Number(Decimal),
    Date(Date),
    Boolean(bool),
    /// Personal data, which the edge sealed.
    Sealed(Personal<String>),
}

/// Longest text of a value, in bytes.
pub const TEXT_MAX: usize = 1_000;

impl FieldValue {
    /// As an expression sees it; what is sealed is not there for it.
    pub fn lend(&self) -> expressions::Value<'_> {
        match self {
            FieldValue::Text(text) => expressions::Value::text(text),
            FieldValue::Number(number) => (*number).into(),
            FieldValue::Date(date) => (*date).into(),
            FieldValue::Boolean(is) => (*is).into(),
            FieldValue::Sealed(_) => expressions::Value::Null,
        }
    }

    /// Reads a written value of a kind.
    pub fn read(kind: Kind, text: &str) -> Result<FieldValue, Rejection> {
        let wrong = || {
            let message = format!("{text:?} is not {kind}");
            Rejection::new("FIELD_VALUE_INVALID", message)
        };
        match kind {
            Kind::Number => text.parse().map(FieldValue::Number).map_err(|_| wrong()),
            Kind::Date => crate::kernel::calendar::parse_date(text)
                .map(FieldValue::Date)
                .map_err(|_| wrong()),
            Kind::Boolean => match text {
                "true" => Ok(FieldValue::Boolean(true)),
                "false" => Ok(FieldValue::Boolean(false)),
                _ => Err(wrong()),
            },
            Kind::Text => Ok(FieldValue::Text(text.to_string())),
            Kind::Moment => Err(wrong()),
        }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldValue::Text(text) => f.write_str(text),
            FieldValue::Number(number) => number.fmt(f),
            FieldValue::Date(date) => date.fmt(f),
            FieldValue::Boolean(is) => is.fmt(f),
            FieldValue::Sealed(sealed) => write!(f, "{sealed:?}"),
        }
    }
}
