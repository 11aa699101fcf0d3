//! Numbers, money, dates and instants: text on the wire, and only text.
//!
//! A JSON number passes through binary floating point in most clients (policy 4), so a number is refused even where
//! it would fit.

use async_graphql::{InputType, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use indelible_domain::kernel;
use indelible_domain::kernel::Rejection;

fn text<T: InputType>(
    value: Value,
    example: &str,
    parse: impl FnOnce(&str) -> Result<T, Rejection>,
) -> InputValueResult<T> {
    match value {
        Value::String(text) => parse(&text).map_err(|rejection| {
            InputValueError::custom(rejection.message).with_extension("code", rejection.code)
        }),
        other => Err(InputValueError::custom(format!(
            "{other} must be written as a string, such as {example}"
        ))
        .with_extension("code", "NOT_A_STRING")),
    }
}

/// A decimal number as text, such as `"0.05"`; at most 28 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub kernel::Decimal);

#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "\"0.05\"", |text| text.parse().map(Decimal))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An amount of one currency as text, such as `"12.34 EUR"`, in whole minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money(pub kernel::Money);

#[Scalar(name = "Money")]
impl ScalarType for Money {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "\"12.34 EUR\"", |text| text.parse().map(Money))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A calendar day in a business time zone, such as `"2026-03-31"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub kernel::Date);

#[Scalar(name = "Date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "\"2026-03-31\"", |text| {
            kernel::calendar::parse_date(text).map(Date)
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A moment in UTC, such as `"2026-03-31T22:00:00Z"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant(pub kernel::Instant);

#[Scalar(name = "Instant")]
impl ScalarType for Instant {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "\"2026-03-31T22:00:00Z\"", |text| {
            text.parse().map(Instant)
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A place in the log, as an opaque token: hand it back, do not compute with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(pub String);

#[Scalar(name = "Position")]
impl ScalarType for Position {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "the position a mutation answered with", |text| {
            Ok(Position(text.to_owned()))
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}
