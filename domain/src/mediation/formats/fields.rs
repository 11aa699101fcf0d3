//! Fields every format has: exact decimals and moments.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;

use super::Unreadable;

/// Reads a decimal exactly as written (policy 4), with an exponent if it has one (FOCUS allows `35.2E-7`).
///
/// A number that does not fit 28 digits is refused: the parser of the decimal type would round it, and a rounded
/// quantity is another quantity.
pub(super) fn decimal(field: &str, text: &str) -> Result<Decimal, Unreadable> {
    exact(text).ok_or_else(|| {
        Unreadable::new(
            "BAD_NUMBER",
            format!("{field} is {text:?}, which is no exact decimal"),
        )
    })
}

fn exact(text: &str) -> Option<Decimal> {
    small(text).or_else(|| general(text))
}

/// The usual number: at most 18 digits and no exponent.
fn small(text: &str) -> Option<Decimal> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let (mut units, mut scale, mut point) = (0_i64, 0_u32, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                units = units * 10 + i64::from(byte - b'0');
                scale += u32::from(point);
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    while scale > 0 && units % 10 == 0 {
        units /= 10;
        scale -= 1;
    }
    // A lone point, and zeros whose form matters, are the general road's.
    if units == 0 {
        return None;
    }
    Some(Decimal::new(if negative { -units } else { units }, scale))
}

fn general(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    // Zeros behind the last digit carry nothing, and 15 of them would cost digits that a long number needs.
    let fraction = fraction.trim_end_matches('0');
    let mut units: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        units = units
            .checked_mul(10)?
            .checked_add(i128::from(digit - b'0'))?;
    }
    if units == 0 {
        return Some(Decimal::ZERO);
    }
    let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    while scale < 0 {
        units = units.checked_mul(10)?;
        scale += 1;
    }
    let units = if negative { -units } else { units };
    Decimal::try_from_i128_with_scale(units, u32::try_from(scale).ok()?).ok()
}

/// Reads a moment with its offset from UTC (RFC 3339), as microseconds UTC.
pub(super) fn moment(field: &str, text: &str) -> Result<i64, Unreadable> {
    if let Some(micros) = usual_moment(text.as_bytes()) {
        return Ok(micros);
    }
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|at| at.to_utc())
        .filter(|at| business_year(at.year()))
        .map(|at| at.timestamp_micros())
        .ok_or_else(|| {
            Unreadable::new(
                "BAD_TIME",
                format!("{field} is {text:?}, which is no moment with an offset from UTC"),
            )
        })
}

/// The usual form, `2026-10-01T02:00:00Z` or with an offset; any other one is left to the general reader.
fn usual_moment(text: &[u8]) -> Option<i64> {
    let (clock, zone) = text.split_at_checked(19)?;
    let number = |from: usize, to: usize| {
        let digits = clock.get(from..to)?;
        let mut sum = 0_u32;
        for digit in digits {
            sum = sum * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        }
        Some(sum)
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| clock.get(*at) != Some(mark)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let east = match zone {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|d| d.is_ascii_digit()) =>
        {
            let two = |a: &u8, b: &u8| i64::from(a - b'0') * 10 + i64::from(b - b'0');
            let (hours, minutes) = (two(h1, h2), two(m1, m2));
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3_600 + minutes * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    // A day into the years that are allowed, so that no offset leaves them.
    if !(1971..=9997).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let days = i64::from(date.to_epoch_days());
    let seconds =
        days * 86_400 + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second) - east;
    Some(seconds * 1_000_000)
}

/// Reads a moment that is UTC even where it does not say so: `2024-09-18 22:00:00`, as microseconds UTC.
pub(super) fn utc_moment(field: &str, text: &str) -> Result<i64, Unreadable> {
    if text.len() != "2024-09-18 22:00:00".len() {
        return moment(field, text);
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .ok()
        .filter(|at| business_year(at.year()))
        .map(|at| at.and_utc().timestamp_micros())
        .ok_or_else(|| {
            Unreadable::new(
                "BAD_TIME",
                format!("{field} is {text:?}, which is no moment"),
            )
        })
}

/// Reads a date written as eight digits: `20230301`.
pub(super) fn compact_date(field: &str, text: &str) -> Result<NaiveDate, Unreadable> {
    let digits =
        Some(text).filter(|text| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|text| NaiveDate::parse_from_str(text, "%Y%m%d").ok())
        .filter(|date| business_year(date.year()))
        .ok_or_else(|| {
            Unreadable::new("BAD_TIME", format!("{field} is {text:?}, which is no date"))
        })
}

/// Years outside are slips of a machine, and calendars further on need not be able to represent them.
fn business_year(year: i32) -> bool {
    (1970..=9998).contains(&year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_read_exactly_or_not_at_all() {
        let written = [
            ("0", "0"),
            ("-0.00", "0"),
            (".005", "0.005"),
            ("5.", "5"),
            ("+1.50", "1.5"),
            ("-2.61370000000", "-2.6137"),
            ("0.000000037300000", "0.0000000373"),
            ("35.2E-7", "0.00000352"),
            ("1.25e3", "1250"),
            ("0000000000000000000000000000000000001", "1"),
            (
                "7.9228162514264337593543950335",
                "7.9228162514264337593543950335",
            ),
        ];
        for (text, value) in written {
            assert_eq!(
                decimal("quantity", text).map(|number| number.to_string()),
                Ok(value.to_owned()),
                "{text}"
            );
        }
        for text in [
            "",
            ".",
            "-",
            "1,5",
            "1_000",
            "0x10",
            "NaN",
            "1e",
            "1e99999999999",
            "0.00000000000000000000000000001",
            "１",
        ] {
            assert_eq!(
                decimal("quantity", text).map_err(|refused| refused.code),
                Err("BAD_NUMBER"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_usual_forms_are_read_as_the_general_ones() {
        for text in [
            "0",
            "0.0",
            "00",
            "1",
            "-1",
            "-0.50",
            "007.10",
            "123456789012345678",
            "1.",
            ".5",
            ".",
            "-",
            "",
            "1.2.3",
            "+1",
            "99999999999999999999",
            "1e3",
            "0.000000000000000001",
        ] {
            assert_eq!(exact(text), general(text), "{text}");
        }
        for text in [
            "2026-10-01T02:00:00+02:00",
            "2024-02-29T23:59:59Z",
            "1971-01-01T00:00:00+23:59",
            "2026-12-31T23:59:59-11:30",
            "2026-10-01T02:00:00.25Z",
            "2026-10-01 02:00:00Z",
        ] {
            let general = DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_micros());
            assert_eq!(moment("at", text).ok(), general.ok(), "{text}");
        }
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-10-01T24:00:00Z",
            "2026-10-01T00:00:00+24:00",
        ] {
            assert_eq!(usual_moment(text.as_bytes()), None, "{text}");
            assert!(moment("at", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_is_counted_in_utc() {
        assert_eq!(
            moment("at", "2026-10-01T02:00:00+02:00"),
            Ok(1_790_812_800_000_000)
        );
        assert_eq!(
            utc_moment("at", "2026-10-01 00:00:00"),
            Ok(1_790_812_800_000_000)
        );
        assert_eq!(
            utc_moment("at", "2026-10-01T00:00:00Z"),
            Ok(1_790_812_800_000_000)
        );
        for text in [
            "",
            "2026-10-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(
                moment("at", text).map_err(|refused| refused.code),
                Err("BAD_TIME"),
                "{text}"
            );
        }
        assert_eq!(
            compact_date("date", "20230229").map_err(|refused| refused.code),
            Err("BAD_TIME")
        );
    }
}
