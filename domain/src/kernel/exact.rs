//! Exact amounts: what an amount is before it becomes money (policy 1).

use super::{Decimal, Rejection};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;

/// A rational number of currency units, always in lowest terms with a positive denominator.
///
/// Multiply first, divide once, round never: only [`super::Money::round`] leaves this type.
/// Every operation is checked; what does not fit 127 bits is a rejection, not a wrong cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exact {
    num: i128,
    den: i128,
}

impl Default for Exact {
    fn default() -> Self {
        Exact::ZERO
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        // Division of 128-bit numbers is many times slower, and nearly every amount fits in 64.
        if let (Ok(a), Ok(b)) = (u64::try_from(a), u64::try_from(b)) {
            return u128::from(gcd_small(a, b));
        }
        (a, b) = (b, a % b);
    }
    a
}

fn gcd_small(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn too_large() -> Rejection {
    Rejection::new(
        "AMOUNT_TOO_LARGE",
        "an exact amount needs more than 127 bits".to_string(),
    )
}

impl Exact {
    pub const ZERO: Exact = Exact { num: 0, den: 1 };

    /// `num / den` in lowest terms; a zero denominator is refused.
    pub fn ratio(num: i128, den: i128) -> Result<Exact, Rejection> {
        if den == 0 {
            return Err(Rejection::new(
                "DIVISION_BY_ZERO",
                format!("{num} divided by zero"),
            ));
        }
        if den == 1 {
            return Ok(Exact { num, den });
        }
        // Nearly every number fits in 64 bits, and division of 128 is many times slower.
        if let (Ok(n), Ok(d)) = (i64::try_from(num), u64::try_from(den)) {
            let g = gcd_small(n.unsigned_abs(), d);
            let of = |part: u64| i128::from(part / g);
            let num = if n < 0 {
                -of(n.unsigned_abs())
            } else {
                of(n.unsigned_abs())
            };
            return Ok(Exact { num, den: of(d) });
        }
        let g = i128::try_from(gcd(num.unsigned_abs(), den.unsigned_abs()))
            .map_err(|_| too_large())?
            .max(1);
        // Division of 128-bit numbers is slow, and what replay reads is in lowest terms already.
        let (mut num, mut den) = if g == 1 {
            (num, den)
        } else {
            (num / g, den / g)
        };
        if den < 0 {
            num = num.checked_neg().ok_or_else(too_large)?;
            den = den.checked_neg().ok_or_else(too_large)?;
        }
        Ok(Exact { num, den })
    }

    pub fn numerator(self) -> i128 {
        self.num
    }

    pub fn denominator(self) -> i128 {
        self.den
    }

    pub fn is_zero(self) -> bool {
        self.num == 0
    }

    pub fn is_negative(self) -> bool {
        self.num < 0
    }

    pub fn plus(self, other: Exact) -> Result<Exact, Rejection> {
        if self.den == other.den {
            let num = self.num.checked_add(other.num).ok_or_else(too_large)?;
            return match self.den {
                1 => Ok(Exact { num, den: 1 }),
                den => Exact::ratio(num, den),
            };
        }
        let (left, right) = match (u64::try_from(self.den), u64::try_from(other.den)) {
            (Ok(own), Ok(others)) => {
                let g = gcd_small(own, others);
                (i128::from(others / g), i128::from(own / g))
            }
            _ => {
                let g = gcd(self.den.unsigned_abs(), other.den.unsigned_abs());
                let g = i128::try_from(g).map_err(|_| too_large())?;
                (other.den / g, self.den / g)
            }
        };
        let num = self
            .num
            .checked_mul(left)
            .zip(other.num.checked_mul(right))
            .and_then(|(a, b)| a.checked_add(b))
            .ok_or_else(too_large)?;
        Exact::ratio(num, self.den.checked_mul(left).ok_or_else(too_large)?)
    }

    pub fn minus(self, other: Exact) -> Result<Exact, Rejection> {
        self.plus(other.negated())
    }

    pub fn negated(self) -> Exact {
        Exact {
            num: self.num.saturating_neg(),
            den: self.den,
        }
    }

    pub fn times(self, other: Exact) -> Result<Exact, Rejection> {
        if self.den == 1 && other.den == 1 {
            let num = self.num.checked_mul(other.num).ok_or_else(too_large)?;
            return Ok(Exact { num, den: 1 });
        }
        // Cross-reduce first: keeps the intermediate products small.
        let a = Exact::ratio(self.num, other.den)?;
        let b = Exact::ratio(other.num, self.den)?;
        let num = a.num.checked_mul(b.num).ok_or_else(too_large)?;
        let den = a.den.checked_mul(b.den).ok_or_else(too_large)?;
        // Nothing is left to reduce: each numerator has been reduced against both denominators.
        Ok(Exact { num, den })
    }

    /// This amount × `part` ÷ `whole`: the share of a whole by days or units.
    pub fn share(self, part: i128, whole: i128) -> Result<Exact, Rejection> {
        self.times(Exact::ratio(part, whole)?)
    }

    /// Smallest whole number that is not below this one.
    pub fn ceil(self) -> Exact {
        let floor = self.num.div_euclid(self.den);
        let up = i128::from(self.num.rem_euclid(self.den) != 0);
        Exact {
            num: floor.saturating_add(up),
            den: 1,
        }
    }

    pub fn min(self, other: Exact) -> Exact {
        if self <= other { self } else { other }
    }

    pub fn max(self, other: Exact) -> Exact {
        if self >= other { self } else { other }
    }

    /// The value with twelve decimals, rounded half away from zero, as [`Exact::to_decimal`] writes it; none if it has more
    /// than 28 digits then.
    pub fn shown(self) -> Option<Decimal> {
        const PLACES: u32 = 12;
        if self.den == 1
            && let Ok(whole) = i64::try_from(self.num)
        {
            return Some(Decimal::from(whole));
        }
        if let Some(small) = self.shown_small() {
            return Some(small);
        }
        let quick = || {
            let scaled = self.num.checked_mul(10_i128.pow(PLACES))?;
            let (mut mantissa, rest) = (scaled / self.den, (scaled % self.den).abs());
            if rest >= self.den - rest {
                mantissa += scaled.signum();
            }
            rust_decimal::Decimal::try_from_i128_with_scale(mantissa, PLACES).ok()
        };
        match quick() {
            Some(value) => Some(Decimal::new(value)),
            None => self.to_decimal(PLACES).parse().ok(),
        }
    }

    /// [`Exact::shown`] without a division of 128 bits, where numerator and denominator are small.
    fn shown_small(self) -> Option<Decimal> {
        const ONE: u64 = 10_u64.pow(12);
        let den = u64::try_from(self.den).ok().filter(|d| *d < 1 << 23)?;
        let num = u64::try_from(self.num.unsigned_abs()).ok()?;
        // Below 2^23 × 10^12, which is below 2^63.
        let scaled = num % den * ONE;
        let (part, rest) = (scaled / den, scaled % den);
        let part = part + u64::from(rest >= den - rest);
        let mut mantissa = (num / den).checked_mul(ONE)?.checked_add(part)?;
        let mut places = 12;
        while places > 0 && mantissa.is_multiple_of(10) {
            (mantissa, places) = (mantissa / 10, places - 1);
        }
        let mantissa = i64::try_from(mantissa).ok()?;
        let signed = if self.num < 0 { -mantissa } else { mantissa };
        Some(Decimal::new(rust_decimal::Decimal::new(signed, places)))
    }

    /// The value with `places` decimals, rounded half away from zero: for showing beside a line (policy 1: 12 places).
    pub fn to_decimal(self, places: u32) -> String {
        let sign = if self.num < 0 { "-" } else { "" };
        let (num, den) = (self.num.unsigned_abs(), self.den.unsigned_abs());
        let whole = num / den;
        let mut rest = num % den;
        let mut digits = String::new();
        for _ in 0..places {
            rest = rest.saturating_mul(10);
            digits
                .push(char::from_digit(u32::try_from(rest / den).unwrap_or(9), 10).unwrap_or('9'));
            rest %= den;
        }
        let mut text = format!("{whole}{digits}");
        if rest.saturating_mul(2) >= den {
            text = increment(&text);
        }
        let at = text
            .len()
            .saturating_sub(usize::try_from(places).unwrap_or(0));
        let (head, tail) = text.split_at(at);
        let tail = tail.trim_end_matches('0');
        let head = if head.is_empty() { "0" } else { head };
        let shown = if tail.is_empty() {
            head.to_string()
        } else {
            format!("{head}.{tail}")
        };
        if shown.chars().all(|c| c == '0' || c == '.') {
            "0".to_string()
        } else {
            format!("{sign}{shown}")
        }
    }
}

/// Adds one to a string of digits.
fn increment(digits: &str) -> String {
    let mut out: Vec<u8> = digits.bytes().collect();
    for d in out.iter_mut().rev() {
        if *d == b'9' {
            *d = b'0';
        } else {
            *d += 1;
            return String::from_utf8_lossy(&out).into_owned();
        }
    }
    format!("1{}", String::from_utf8_lossy(&out))
}

impl From<Decimal> for Exact {
    fn from(value: Decimal) -> Self {
        let d = value.get();
        // A 96-bit mantissa over at most 10^28 always fits.
        Exact::ratio(d.mantissa(), 10_i128.pow(d.scale())).unwrap_or(Exact::ZERO)
    }
}

impl From<i128> for Exact {
    fn from(value: i128) -> Self {
        Exact { num: value, den: 1 }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.den == other.den {
            return self.num.cmp(&other.num);
        }
        let crossed = self
            .num
            .checked_mul(other.den)
            .zip(other.num.checked_mul(self.den));
        if let Some((left, right)) = crossed {
            return left.cmp(&right);
        }
        // Compares whole parts first, then the remainders as continued fractions: no overflow.
        let (mut a, mut b) = ((self.num, self.den), (other.num, other.den));
        loop {
            let (qa, qb) = (a.0.div_euclid(a.1), b.0.div_euclid(b.1));
            if qa != qb {
                return qa.cmp(&qb);
            }
            let (ra, rb) = (a.0.rem_euclid(a.1), b.0.rem_euclid(b.1));
            match (ra, rb) {
                (0, 0) => return Ordering::Equal,
                (0, _) => return Ordering::Less,
                (_, 0) => return Ordering::Greater,
                _ => {
                    // ra/a.1 ? rb/b.1  ⇔  b.1/rb ? a.1/ra, with the order kept.
                    let next = ((b.1, rb), (a.1, ra));
                    (a, b) = next;
                }
            }
        }
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_decimal(12))
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("{}/{}", self.num, self.den))
        } else {
            (self.num, self.den).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (num, den) = if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            let (n, d) = text.split_once('/').unwrap_or((&text, "1"));
            let parse = |t: &str| t.parse::<i128>().map_err(serde::de::Error::custom);
            (parse(n)?, parse(d)?)
        } else {
            <(i128, i128)>::deserialize(deserializer)?
        };
        // Whole numbers are in lowest terms; replay reads millions of them.
        if den == 1 {
            return Ok(Exact { num, den });
        }
        Exact::ratio(num, den).map_err(|r| serde::de::Error::custom(r.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(n: i128, d: i128) -> Exact {
        Exact::ratio(n, d).expect("test ratio")
    }

    #[test]
    fn a_third_of_a_price_keeps_its_value_until_it_is_rounded() {
        let price: Exact = "89.985".parse::<Decimal>().expect("number").into();
        assert_eq!(price.share(10, 30).expect("share").to_decimal(12), "29.995");
    }

    #[test]
    fn order_is_that_of_the_numbers_even_when_cross_products_overflow() {
        let big = i128::MAX;
        assert!(ratio(big, big - 1) > ratio(big - 1, big));
        assert!(ratio(-1, 3) < ratio(-1, 4));
        assert!(ratio(1, 3) < ratio(1, 2));
        assert_eq!(ratio(2, 4), ratio(1, 2));
    }

    #[test]
    fn what_is_shown_is_the_text_of_twelve_decimals() {
        let numerators = [
            0,
            1,
            -1,
            2,
            61,
            -999,
            1_000_001,
            12_345_678_901,
            i128::from(i64::MAX),
        ];
        let denominators = [
            1,
            2,
            3,
            7,
            60,
            125,
            1_200,
            1 << 41,
            9_000_000_000_001,
            1 << 70,
        ];
        for (n, d) in numerators
            .iter()
            .flat_map(|n| denominators.map(|d| (*n, d)))
        {
            let value = ratio(n, d);
            let text = value.to_decimal(12).parse().ok();
            assert_eq!(value.shown(), text, "{n}/{d}");
        }
    }

    #[test]
    fn shown_decimals_round_half_away_from_zero() {
        assert_eq!(ratio(1, 3).to_decimal(12), "0.333333333333");
        assert_eq!(ratio(-1, 2).to_decimal(0), "-1");
        assert_eq!(ratio(1999, 1000).to_decimal(2), "2");
        assert_eq!(ratio(-1, 1000).to_decimal(2), "0");
    }
}
