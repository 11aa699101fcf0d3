//! Values: texts, codes, numbers and days, as XML Schema writes them.

use super::pattern::Pattern;
use std::fmt;

/// What a value without elements must be.
#[derive(Debug)]
pub enum Simple {
    Text(Text),
    Code(Vec<&'static str>),
    Decimal(Decimal),
    Date,
    DateTime,
    Boolean,
    Year,
    YearMonth,
    /// Bytes, by how many they are.
    Base64 {
        least: usize,
        most: usize,
    },
}

/// What a text must be.
#[derive(Debug)]
pub enum Text {
    Length { least: usize, most: usize },
    Pattern(Pattern),
}

/// What a number must be.
#[derive(Debug)]
pub struct Decimal {
    /// Most digits in all, without zeros before and behind.
    pub total: usize,
    /// Most digits behind the point.
    pub fraction: usize,
    pub positive: bool,
}

impl Simple {
    /// True if a value is one. Spaces around count for texts and codes only (whiteSpace of XML Schema).
    pub fn fits(&self, value: &str) -> bool {
        let bare = value.trim_matches([' ', '\t', '\n', '\r']);
        match self {
            Simple::Text(Text::Length { least, most }) => {
                (*least..=*most).contains(&value.chars().count())
            }
            Simple::Text(Text::Pattern(pattern)) => pattern.fits(value),
            Simple::Code(codes) => codes.contains(&value),
            Simple::Decimal(decimal) => decimal.fits(bare),
            Simple::Boolean => matches!(bare, "true" | "false" | "1" | "0"),
            Simple::Date => zoned(bare).is_some_and(is_date),
            Simple::DateTime => zoned(bare).is_some_and(is_date_time),
            Simple::Year => zoned(bare).and_then(year).is_some(),
            Simple::YearMonth => zoned(bare).is_some_and(is_year_month),
            Simple::Base64 { least, most } => {
                bytes(bare).is_some_and(|bytes| (*least..=*most).contains(&bytes))
            }
        }
    }
}

impl fmt::Display for Simple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Simple::Text(Text::Length { least, most }) => write!(f, "{least} to {most} characters"),
            Simple::Text(Text::Pattern(pattern)) => write!(f, "a text like {pattern}"),
            Simple::Code(codes) if codes.len() <= 12 => write!(f, "one of {}", codes.join(", ")),
            Simple::Code(codes) => write!(f, "one of {} codes", codes.len()),
            Simple::Decimal(decimal) => write!(
                f,
                "a number{} of at most {} digits, {} of them behind the point",
                if decimal.positive {
                    ", not below zero,"
                } else {
                    ""
                },
                decimal.total,
                decimal.fraction
            ),
            Simple::Date => write!(f, "a day YYYY-MM-DD"),
            Simple::DateTime => write!(f, "an instant YYYY-MM-DDThh:mm:ss"),
            Simple::Boolean => write!(f, "true or false"),
            Simple::Year => write!(f, "a year"),
            Simple::YearMonth => write!(f, "a month YYYY-MM"),
            Simple::Base64 { least, most } => write!(f, "{least} to {most} bytes in base64"),
        }
    }
}

impl Decimal {
    fn fits(&self, text: &str) -> bool {
        let negative = text.starts_with('-');
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return false;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let zero = whole.is_empty() && fraction.is_empty();
        whole.len() + fraction.len() <= self.total
            && fraction.len() <= self.fraction
            && !(self.positive && negative && !zero)
    }
}

/// What is before a time zone, if that is none or a good one.
fn zoned(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_suffix('Z') {
        return Some(rest);
    }
    let zone = text
        .len()
        .checked_sub(6)
        .and_then(|at| text.split_at_checked(at));
    let Some((rest, zone)) = zone else {
        return Some(text);
    };
    let Some(zone) = zone
        .strip_prefix(['+', '-'])
        .filter(|zone| zone.contains(':'))
    else {
        return Some(text);
    };
    let (hours, minutes) = zone.split_once(':')?;
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let fits = hours < 14 && minutes < 60 || hours == 14 && minutes == 0;
    fits.then_some(rest)
}

fn two(text: &str) -> Option<u32> {
    let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Four digits or more, without needless zeros, and not the year zero, which there never was.
fn year(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    if !plain || digits.len() < 4 || (digits.len() > 4 && digits.starts_with('0')) {
        return None;
    }
    digits.parse().ok().filter(|year| *year != 0)
}

fn is_year_month(text: &str) -> bool {
    let parts = text.rsplit_once('-');
    parts.is_some_and(|(y, m)| year(y).is_some() && two(m).is_some_and(|m| (1..=12).contains(&m)))
}

fn is_date(text: &str) -> bool {
    let Some((month, day)) = text.rsplit_once('-') else {
        return false;
    };
    let Some((years, month)) = month.rsplit_once('-') else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (year(years), two(month), two(day)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else {
        return false;
    };
    let (clock, fraction) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (time, None),
    };
    let whole = fraction.is_none_or(|f| !f.is_empty() && f.bytes().all(|b| b.is_ascii_digit()));
    let parts: Option<Vec<u32>> = clock.split(':').map(two).collect();
    let clock = match parts.as_deref() {
        Some([24, 0, 0]) => fraction.is_none_or(|f| f.bytes().all(|b| b == b'0')),
        Some([hours, minutes, seconds]) => *hours < 24 && *minutes < 60 && *seconds < 60,
        _ => false,
    };
    whole && clock && is_date(date)
}

/// How many bytes a base64 text stands for (RFC 4648 4).
fn bytes(text: &str) -> Option<usize> {
    let text: Vec<u8> = text.bytes().filter(|b| !b" \t\r\n".contains(b)).collect();
    let padding = text.iter().rev().take_while(|b| **b == b'=').count();
    let (data, _) = text.split_at_checked(text.len() - padding)?;
    let known = |b: &u8| b.is_ascii_alphanumeric() || b"+/".contains(b);
    let fits = text.len().is_multiple_of(4) && padding <= 2 && data.iter().all(known);
    fits.then_some(data.len() * 3 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_the_digits_that_matter() {
        let amount = Simple::Decimal(Decimal {
            total: 18,
            fraction: 5,
            positive: true,
        });
        for good in [
            "1",
            "+1.5",
            ".5",
            "5.",
            " 12 ",
            "0001",
            "1.500000",
            "-0",
            "1234567890123.12345",
        ] {
            assert!(amount.fits(good), "{good:?}");
        }
        for bad in [
            "",
            ".",
            "-1",
            "1,5",
            "1.123456",
            "12345678901234.12345",
            "1e3",
            "0x1",
            "1 2",
        ] {
            assert!(!amount.fits(bad), "{bad:?}");
        }
    }

    #[test]
    fn days_and_instants_are_days_that_there_are() {
        for good in [
            "2026-11-22",
            "2024-02-29Z",
            "2026-11-22+14:00",
            " 2026-11-22\n",
        ] {
            assert!(Simple::Date.fits(good), "{good:?}");
        }
        for bad in [
            "2026-02-29",
            "2026-13-01",
            "26-11-22",
            "0000-01-01",
            "2026-11-22+15:00",
            "2026-1-1",
            "20261122",
        ] {
            assert!(!Simple::Date.fits(bad), "{bad:?}");
        }
        for good in [
            "2026-11-22T24:00:00",
            "2026-11-22T23:59:59.999Z",
            "2026-11-22T00:00:00-05:30",
        ] {
            assert!(Simple::DateTime.fits(good), "{good:?}");
        }
        for bad in [
            "2026-11-22",
            "2026-11-22T24:00:01",
            "2026-11-22T10:00",
            "2026-11-22T10:00:60",
            "2026-11-22T10:00:00.",
        ] {
            assert!(!Simple::DateTime.fits(bad), "{bad:?}");
        }
    }
}
