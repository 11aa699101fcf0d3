//! From what a record says to the units that are priced: units of measure, rounding, and what of it depends on the day.

use super::{Aggregate, Price, Timing, Usage, is_default};
use crate::kernel::{Date, Days, Decimal, Exact, Rejection};
use serde::{Deserialize, Serialize};

/// How finely time is cut where a level is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A unit counts from the day it rises until, not including, the day it falls; one that does both on a day counts
    /// that day (policy 16).
    Day,
    /// By the clock of the account's zone; a day of 23 or 25 hours is one day (policy 6).
    Second,
}

/// Rounding of units to multiples of `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    pub to: Decimal,
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: RoundMode,
    #[serde(default, skip_serializing_if = "is_default")]
    pub per: RoundPer,
}

/// In which direction; units below zero as those above, so that a record and its reversal cancel out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundMode {
    /// Away from zero: each started block.
    #[default]
    Up,
    /// Half away from zero.
    Nearest,
    Down,
}

/// What is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundPer {
    #[default]
    Record,
    /// The units of the whole period.
    Period,
}

impl Round {
    pub fn of(&self, units: Exact) -> Result<Exact, Rejection> {
        let steps = units.share(
            Exact::from(self.to).denominator(),
            Exact::from(self.to).numerator(),
        )?;
        let size = steps.max(steps.negated());
        let whole = match self.mode {
            RoundMode::Up => size.ceil(),
            RoundMode::Down => floor(size),
            RoundMode::Nearest => floor(size.plus(Exact::ratio(1, 2)?)?),
        };
        let whole = if steps.is_negative() {
            whole.negated()
        } else {
            whole
        };
        whole.times(self.to.into())
    }
}

fn floor(value: Exact) -> Exact {
    value.negated().ceil().negated()
}

/// A unit of measure: one of it is `factor` of another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitOf {
    pub code: String,
    pub of: String,
    pub factor: Decimal,
}

/// A price from a day on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceFrom {
    pub from: Date,
    pub price: Price,
}

/// Units that every catalog knows: what is measured, code, and how many of the first of its kind one is.
const KNOWN: &[(&str, &str, &str)] = &[
    ("time", "second", "1"),
    ("time", "minute", "60"),
    ("time", "hour", "3600"),
    ("time", "day", "86400"),
    ("time", "week", "604800"),
    ("data", "bit", "0.125"),
    ("data", "byte", "1"),
    ("data", "kB", "1000"),
    ("data", "MB", "1000000"),
    ("data", "GB", "1000000000"),
    ("data", "TB", "1000000000000"),
    ("data", "PB", "1000000000000000"),
    ("data", "KiB", "1024"),
    ("data", "MiB", "1048576"),
    ("data", "GiB", "1073741824"),
    ("data", "TiB", "1099511627776"),
    ("data", "PiB", "1125899906842624"),
    ("energy", "Wh", "1"),
    ("energy", "kWh", "1000"),
    ("energy", "MWh", "1000000"),
    ("energy", "GWh", "1000000000"),
    ("power", "W", "1"),
    ("power", "kW", "1000"),
    ("power", "MW", "1000000"),
    ("volume", "litre", "1"),
    ("volume", "hl", "100"),
    ("volume", "m3", "1000"),
    ("mass", "g", "1"),
    ("mass", "kg", "1000"),
    ("mass", "t", "1000000"),
    ("length", "m", "1"),
    ("length", "km", "1000"),
];

/// Longest chain of units that are told by other units.
const CHAIN_MAX: usize = 8;

/// How many `to` one `from` is; none where the two do not measure the same.
pub fn conversion(units: &[UnitOf], from: &str, to: &str) -> Option<Exact> {
    let (a, from) = base(units, from)?;
    let (b, to) = base(units, to)?;
    let factor = || from.share(to.denominator(), to.numerator()).ok();
    if a == b { factor() } else { None }
}

/// What a unit measures in the end, and how many of that one is.
fn base<'a>(units: &'a [UnitOf], code: &'a str) -> Option<(&'a str, Exact)> {
    let (mut code, mut factor) = (code, Exact::from(1));
    for _ in 0..CHAIN_MAX {
        match units.iter().find(|u| u.code == code) {
            Some(unit) => {
                factor = factor.times(unit.factor.into()).ok()?;
                code = &unit.of;
            }
            None => {
                let (kind, _, size) = KNOWN.iter().find(|(_, known, _)| *known == code)?;
                let size: Decimal = size.parse().ok()?;
                return Some((kind, factor.times(size.into()).ok()?));
            }
        }
    }
    None
}

impl Usage {
    /// The price in force on a day.
    pub fn price_on(&self, day: Date) -> &Price {
        let dated = self.prices.iter().filter(|p| p.from <= day);
        dated
            .max_by_key(|p| p.from)
            .map_or(&self.price, |p| &p.price)
    }

    /// The days around `day` on which one price holds: a usage period is cut where another begins.
    pub fn same_price(&self, day: Date, within: Days) -> Days {
        let from = self.prices.iter().map(|p| p.from);
        Days::new(
            from.clone()
                .filter(|f| *f <= day)
                .max()
                .map_or(within.from, |f| f.max(within.from)),
            from.filter(|f| *f > day)
                .min()
                .map_or(within.until, |f| f.min(within.until)),
        )
    }

    /// Every price it ever has.
    pub fn all_prices(&self) -> impl Iterator<Item = &Price> {
        std::iter::once(&self.price).chain(self.prices.iter().map(|p| &p.price))
    }

    pub fn in_advance(&self) -> bool {
        self.timing == Some(Timing::Advance)
    }

    /// Whether it measures how much of something there is, rather than what was used up.
    pub fn is_level(&self) -> bool {
        matches!(
            self.aggregate,
            Aggregate::Weighted | Aggregate::Level | Aggregate::Peak
        )
    }

    /// How finely its level is measured.
    pub fn precision(&self) -> By {
        self.by.unwrap_or(match self.aggregate {
            Aggregate::Weighted => By::Second,
            _ => By::Day,
        })
    }

    /// Whether what a record counts as or costs is read from its contract too.
    pub fn reads_contract(&self) -> bool {
        self.quantity.is_some()
            || self
                .all_prices()
                .any(|price| matches!(price, Price::Expression(_)))
    }

    /// Whether the records of its periods are kept by group and time: sums alone do not say what they cost.
    pub fn remembers(&self) -> bool {
        let nested = |price: &Price| match price {
            Price::Matrix(m) => {
                self.aggregate != Aggregate::Sum
                    || self.maximum.is_some()
                    || self.round.is_some_and(|r| r.per == RoundPer::Period)
                    || m.prices().any(|p| !matches!(p, Price::PerUnit(_)))
            }
            Price::Percentage(_) => self.maximum.is_some(),
            // Which of the records are free is told by their own time.
            Price::Dynamic(_) | Price::Expression(_) => {
                self.maximum.is_some() || self.allowance.is_some()
            }
            _ => false,
        };
        self.is_level()
            || matches!(self.aggregate, Aggregate::Last | Aggregate::Unique)
            || !self.group_by.is_empty()
            || self.all_prices().any(nested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        text.parse::<Decimal>().expect("a number").into()
    }

    #[test]
    fn units_of_one_kind_are_converted_exactly_and_others_not_at_all() {
        let own = [UnitOf {
            code: "impulse".into(),
            of: "second".into(),
            factor: "6".parse().expect("a number"),
        }];
        let shown = |from, to| conversion(&own, from, to).map(|f| f.to_string());
        assert_eq!(shown("second", "minute"), Some("0.016666666667".into()));
        assert_eq!(shown("minute", "impulse"), Some("10".into()));
        assert_eq!(shown("GiB", "MB"), Some("1073.741824".into()));
        assert_eq!(shown("kWh", "minute"), None);
        assert_eq!(shown("parsec", "km"), None);
    }

    #[test]
    fn units_are_rounded_to_blocks_the_same_way_above_and_below_zero() {
        let rounded = |to: &str, mode, units: &str| {
            let round = Round {
                to: to.parse().expect("a number"),
                mode,
                per: RoundPer::Record,
            };
            round.of(exact(units)).expect("rounds").to_string()
        };
        use RoundMode::{Down, Nearest, Up};
        // P-A25, the steps being powers of ten.
        for (to, mode, shown) in [
            ("0.01", Nearest, "123.46"),
            ("1", Nearest, "123"),
            ("100", Nearest, "100"),
            ("0.01", Up, "123.46"),
            ("1", Up, "124"),
            ("100", Up, "200"),
            ("0.01", Down, "123.45"),
            ("1", Down, "123"),
            ("100", Down, "100"),
        ] {
            assert_eq!(rounded(to, mode, "123.456"), shown, "{mode:?} to {to}");
            assert_eq!(rounded(to, mode, "-123.456"), format!("-{shown}"));
        }
        assert_eq!(rounded("60", Up, "61"), "120");
        assert_eq!(rounded("60", Up, "60"), "60");
        assert_eq!(rounded("6", Nearest, "9"), "12");
    }
}
