//! A decimal number as people write it: quantities, unit prices, rates.

use super::Rejection;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A normalised decimal (no trailing zeros), so that equal numbers have equal bytes.
///
/// Written as text in JSON and TOML (never a number, policy 4) and as (mantissa, scale) in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(rust_decimal::Decimal);

impl Decimal {
    pub const ZERO: Decimal = Decimal(rust_decimal::Decimal::ZERO);
    pub const ONE: Decimal = Decimal(rust_decimal::Decimal::ONE);

    pub fn new(value: rust_decimal::Decimal) -> Self {
        match is_normal(value.mantissa(), value.scale()) {
            true => Decimal(value),
            false => Decimal(value.normalize()),
        }
    }

    /// The underlying number.
    pub fn get(self) -> rust_decimal::Decimal {
        self.0
    }

    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    pub fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }

    /// Sum, or a rejection when it leaves the 96-bit range.
    pub fn plus(self, other: Decimal) -> Result<Decimal, Rejection> {
        self.0
            .checked_add(other.0)
            .map(Decimal::new)
            .ok_or_else(|| overflow("sum", self, other))
    }

    /// Difference, or a rejection when it leaves the 96-bit range.
    pub fn minus(self, other: Decimal) -> Result<Decimal, Rejection> {
        self.0
            .checked_sub(other.0)
            .map(Decimal::new)
            .ok_or_else(|| overflow("difference", self, other))
    }

    /// Product, or a rejection when it leaves the 96-bit range.
    pub fn times(self, other: Decimal) -> Result<Decimal, Rejection> {
        self.0
            .checked_mul(other.0)
            .map(Decimal::new)
            .ok_or_else(|| overflow("product", self, other))
    }

    pub fn negated(self) -> Decimal {
        Decimal::new(-self.0)
    }
}

/// Whether a number has no trailing zeros for certain: nearly every one is normal and small, and to normalise it again
/// costs more than all the rest.
fn is_normal(mantissa: i128, scale: u32) -> bool {
    mantissa != 0 && (scale == 0 || i64::try_from(mantissa).is_ok_and(|m| m % 10 != 0))
}

fn overflow(what: &str, a: Decimal, b: Decimal) -> Rejection {
    Rejection::new(
        "NUMBER_TOO_LARGE",
        format!("the {what} of {a} and {b} has more than 28 digits"),
    )
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Decimal::new(value.into())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Decimal {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        rust_decimal::Decimal::from_str_exact(text)
            .map(Decimal::new)
            .map_err(|_| {
                Rejection::new(
                    "NUMBER_INVALID",
                    format!("{text:?} is not a decimal number of at most 28 digits"),
                )
            })
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&self.0)
        } else {
            (self.0.mantissa(), self.0.scale()).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse()
                .map_err(|r: Rejection| serde::de::Error::custom(r.message))
        } else {
            let (mantissa, scale) = <(i128, u32)>::deserialize(deserializer)?;
            let value = rust_decimal::Decimal::try_from_i128_with_scale(mantissa, scale)
                .map_err(serde::de::Error::custom)?;
            Ok(Decimal::new(value))
        }
    }
}
