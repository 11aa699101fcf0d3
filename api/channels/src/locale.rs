//! Amounts and days as they are written in a language.
//!
//! Values come as `1234.50 EUR` and `2026-10-01`; what does not look like one is shown as it is.

/// The language without region or script: `de` of `de-AT`, in lower case.
pub fn primary(tag: &str) -> String {
    tag.split('-')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// `1234.50 EUR` as `1.234,50 EUR` in German, `1 234,50 EUR` in French and `EUR 1,234.50` in English.
pub fn amount(value: &str, tag: &str) -> String {
    let Some((number, currency)) = value.split_once(' ') else {
        return value.to_owned();
    };
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !numeric(whole) || !numeric(fraction) {
        return value.to_owned();
    }
    // Narrow no-break spaces keep a number on one line (French style guides; ISO 31-0).
    let (group, mark, before) = match primary(tag).as_str() {
        "de" => (".", ",", false),
        "fr" => ("\u{202f}", ",", false),
        "en" => (",", ".", true),
        _ => ("", ".", false),
    };
    let mut text = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            text.push_str(group);
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push_str(mark);
        text.push_str(fraction);
    }
    match before {
        true => format!("{currency} {sign}{text}"),
        false => format!("{sign}{text}\u{a0}{currency}"),
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `2026-10-01` as `01.10.2026` in German, `01/10/2026` in French and `1 October 2026` in English.
pub fn day(value: &str, tag: &str) -> String {
    let mut parts = value.splitn(3, '-');
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else {
        return value.to_owned();
    };
    let number = |text: &str| text.parse::<usize>().ok();
    let (Some(_), Some(m), Some(d)) = (number(year), number(month), number(day)) else {
        return value.to_owned();
    };
    match (primary(tag).as_str(), MONTHS.get(m.wrapping_sub(1))) {
        ("de", _) => format!("{day}.{month}.{year}"),
        ("fr", _) => format!("{day}/{month}/{year}"),
        ("en", Some(name)) => format!("{d} {name} {year}"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{amount, day};

    #[test]
    fn an_amount_is_written_as_its_reader_expects() {
        assert_eq!(amount("1234567.50 EUR", "de-AT"), "1.234.567,50\u{a0}EUR");
        assert_eq!(amount("-1234.50 EUR", "en"), "EUR -1,234.50");
        assert_eq!(amount("999.999 KWD", "fr"), "999,999\u{a0}KWD");
        assert_eq!(amount("1000 JPY", "fr-CA"), "1\u{202f}000\u{a0}JPY");
        assert_eq!(amount("12.00 PLN", "pl"), "12.00\u{a0}PLN");
        assert_eq!(amount("nothing at all", "de"), "nothing at all");
        assert_eq!(amount("12", "de"), "12");
    }

    #[test]
    fn a_day_is_written_as_its_reader_expects() {
        assert_eq!(day("2026-10-01", "de"), "01.10.2026");
        assert_eq!(day("2026-10-01", "fr"), "01/10/2026");
        assert_eq!(day("2026-10-01", "en-GB"), "1 October 2026");
        assert_eq!(day("2026-10-01", "pl"), "2026-10-01");
        assert_eq!(day("2026-13-01", "en"), "2026-13-01");
        assert_eq!(day("soon", "de"), "soon");
    }
}
