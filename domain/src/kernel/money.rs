//! Money: whole minor units of one currency, and the only ways to get there.

use super::{Decimal, Exact, Rejection};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An ISO 4217 currency, by its three-letter code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits after the point of its minor unit (JPY 0, EUR 2, KWD 3, CLF 4).
    pub fn exponent(&self) -> u32 {
        iso_currency::Currency::from_code(self.code())
            .and_then(|c| c.exponent())
            .map_or(2, u32::from)
    }

    /// Minor units in one unit of the currency.
    pub fn scale(&self) -> i128 {
        10_i128.pow(self.exponent())
    }
}

impl FromStr for Currency {
    type Err = Rejection;

    fn from_str(code: &str) -> Result<Self, Rejection> {
        let known = iso_currency::Currency::from_code(code).is_some();
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(bytes) if known => Ok(Currency(bytes)),
            _ => Err(Rejection::new(
                "CURRENCY_UNKNOWN",
                format!("{code:?} is not an ISO 4217 currency code"),
            )),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Default for Currency {
    /// XXX: "no currency", the state before anything was opened.
    fn default() -> Self {
        Currency(*b"XXX")
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.code())
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse()
                .map_err(|r: Rejection| serde::de::Error::custom(r.message))
        } else {
            Ok(Currency(<[u8; 3]>::deserialize(deserializer)?))
        }
    }
}

/// How an exact amount becomes minor units (policy 1; a setting of the legal entity).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    #[default]
    HalfUp,
    HalfEven,
    Up,
    Down,
}

/// Whole minor units of one currency. Written as `12.34 EUR` in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Money {
    pub minor: i128,
    pub currency: Currency,
}

impl Money {
    pub fn zero(currency: Currency) -> Money {
        Money { minor: 0, currency }
    }

    pub fn new(minor: i128, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// The one place where an exact amount becomes money: one rounding, to the minor unit.
    pub fn round(exact: Exact, currency: Currency, rounding: Rounding) -> Result<Money, Rejection> {
        let scaled = exact.times(Exact::from(currency.scale()))?;
        let (num, den) = (scaled.numerator(), scaled.denominator());
        let (sign, num) = (num.signum(), num.unsigned_abs());
        let den = den.unsigned_abs();
        let (whole, rest) = (num / den, num % den);
        let twice = rest.saturating_mul(2);
        let up = match rounding {
            Rounding::HalfUp => twice >= den,
            Rounding::HalfEven => twice > den || (twice == den && whole % 2 == 1),
            Rounding::Up => rest > 0,
            Rounding::Down => false,
        };
        let minor = i128::try_from(whole + u128::from(up)).map_err(|_| {
            Rejection::new(
                "AMOUNT_TOO_LARGE",
                format!("{exact} {currency} does not fit"),
            )
        })?;
        Ok(Money {
            minor: minor * sign,
            currency,
        })
    }

    /// A decimal that must already be whole minor units, such as a payment: `10.005 EUR` is refused.
    pub fn parse(amount: Decimal, currency: Currency) -> Result<Money, Rejection> {
        let money = Money::round(amount.into(), currency, Rounding::HalfUp)?;
        if money.exact() != Exact::from(amount) {
            return Err(Rejection::new(
                "AMOUNT_NOT_IN_MINOR_UNITS",
                format!(
                    "{amount} {currency} has more than {} decimals",
                    currency.exponent()
                ),
            ));
        }
        Ok(money)
    }

    pub fn exact(self) -> Exact {
        Exact::ratio(self.minor, self.currency.scale()).unwrap_or(Exact::ZERO)
    }

    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    pub fn is_negative(self) -> bool {
        self.minor < 0
    }

    pub fn is_positive(self) -> bool {
        self.minor > 0
    }

    pub fn negated(self) -> Money {
        Money {
            minor: self.minor.saturating_neg(),
            ..self
        }
    }

    /// Sum in one currency. Two currencies are a mistake of the program: they are kept apart before money is added.
    pub fn plus(self, other: Money) -> Money {
        assert!(
            self.currency == other.currency,
            "cannot add {other} to {self}"
        );
        Money {
            minor: self.minor.saturating_add(other.minor),
            currency: self.currency,
        }
    }

    pub fn minus(self, other: Money) -> Money {
        self.plus(other.negated())
    }

    pub fn min(self, other: Money) -> Money {
        if self.minor <= other.minor {
            self
        } else {
            other
        }
    }

    pub fn sum(currency: Currency, parts: impl IntoIterator<Item = Money>) -> Money {
        parts.into_iter().fold(Money::zero(currency), Money::plus)
    }

    /// The number alone, with exactly the currency's decimals: `12.34`.
    pub fn amount(self) -> String {
        let places = usize::try_from(self.currency.exponent()).unwrap_or(0);
        let digits = format!("{:0width$}", self.minor.unsigned_abs(), width = places + 1);
        let (whole, cents) = digits.split_at(digits.len() - places);
        let sign = if self.minor < 0 { "-" } else { "" };
        if cents.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{cents}")
        }
    }

    /// Splits this money in proportion to `weights` so that the parts sum to the whole: the largest remainders get
    /// the left-over minor units, the earlier of equal ones first (policy 3). Weights must not be negative.
    pub fn allocate(self, weights: &[i128]) -> Result<Vec<Money>, Rejection> {
        let total: i128 = weights.iter().sum();
        if weights.iter().any(|w| *w < 0) || total <= 0 {
            return Err(Rejection::new(
                "SPLIT_IMPOSSIBLE",
                format!("{self} cannot be split over weights that sum to {total}"),
            ));
        }
        let sign = self.minor.signum();
        let whole = self.minor.saturating_abs();
        let mut parts = Vec::with_capacity(weights.len());
        let mut rest = Vec::with_capacity(weights.len());
        for (i, w) in weights.iter().enumerate() {
            let product = whole.checked_mul(*w).ok_or_else(|| {
                Rejection::new(
                    "AMOUNT_TOO_LARGE",
                    format!("{self} times weight {w} does not fit"),
                )
            })?;
            parts.push(product / total);
            rest.push((product % total, i));
        }
        let mut left = whole - parts.iter().sum::<i128>();
        rest.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, i) in rest {
            if left == 0 {
                break;
            }
            if let Some(part) = parts.get_mut(i) {
                *part += 1;
            }
            left -= 1;
        }
        Ok(parts
            .into_iter()
            .map(|minor| Money {
                minor: minor * sign,
                currency: self.currency,
            })
            .collect())
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

impl FromStr for Money {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        let (amount, currency) = text.split_once(' ').ok_or_else(|| {
            Rejection::new(
                "MONEY_INVALID",
                format!("{text:?} is not of the form \"12.34 EUR\""),
            )
        })?;
        Money::parse(amount.parse()?, currency.parse()?)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.minor, self.currency).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse()
                .map_err(|r: Rejection| serde::de::Error::custom(r.message))
        } else {
            let (minor, currency) = <(i128, Currency)>::deserialize(deserializer)?;
            Ok(Money { minor, currency })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Currency {
        "EUR".parse().expect("EUR")
    }

    #[test]
    fn a_tie_rounds_away_from_zero_by_default() {
        let tie = Exact::ratio(74_985, 1000).expect("ratio");
        assert_eq!(
            Money::round(tie, eur(), Rounding::HalfUp)
                .expect("rounds")
                .amount(),
            "74.99"
        );
        assert_eq!(
            Money::round(tie.negated(), eur(), Rounding::HalfUp)
                .expect("rounds")
                .amount(),
            "-74.99"
        );
        assert_eq!(
            Money::round(tie, eur(), Rounding::HalfEven)
                .expect("rounds")
                .amount(),
            "74.98"
        );
    }

    #[test]
    fn the_minor_unit_is_that_of_the_currency() {
        for (code, exact, shown) in [
            ("JPY", (3045, 100), "30"),
            ("KWD", (4995, 10_000), "0.500"),
            ("CLF", (100_005, 100_000), "1.0001"),
        ] {
            let amount = Exact::ratio(exact.0, exact.1).expect("ratio");
            let currency: Currency = code.parse().expect("currency");
            assert_eq!(
                Money::round(amount, currency, Rounding::HalfUp)
                    .expect("rounds")
                    .amount(),
                shown,
                "{code}"
            );
        }
    }

    #[test]
    fn the_parts_of_a_split_sum_to_the_whole() {
        let parts = Money::new(-100, eur())
            .allocate(&[1, 1, 1])
            .expect("splits");
        assert_eq!(
            parts.iter().map(|p| p.minor).collect::<Vec<_>>(),
            [-34, -33, -33]
        );
    }
}
