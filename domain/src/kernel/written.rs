//! Days as they are stored anyway, `2026-10-01`, but for those of the usual years without the general way of writing and
//! reading them: a document has dozens.

use super::calendar::Date;
use chrono::Datelike;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

const DIGITS: &[u8; 10] = b"0123456789";

fn digit(n: u32) -> u8 {
    DIGITS.get((n % 10) as usize).copied().unwrap_or(b'0')
}

/// The ten letters of a day; none outside of the years 0 to 9999.
fn text(date: Date) -> Option<[u8; 10]> {
    let year = u32::try_from(date.year()).ok().filter(|y| *y <= 9_999)?;
    let (month, day) = (date.month(), date.day());
    Some([
        digit(year / 1_000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
    ])
}

/// The day of ten letters, if they are of this shape.
fn parsed(text: &str) -> Option<Date> {
    let text: &[u8; 10] = text.as_bytes().try_into().ok()?;
    let [a, b, c, d, b'-', e, f, b'-', g, h] = *text else {
        return None;
    };
    let mut numbers = [0_u32; 8];
    for (to, digit) in numbers.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *to = u32::from(digit.checked_sub(b'0').filter(|n| *n < 10)?);
    }
    let [a, b, c, d, e, f, g, h] = numbers;
    let year = i32::try_from(a * 1_000 + b * 100 + c * 10 + d).ok()?;
    Date::from_ymd_opt(year, e * 10 + f, g * 10 + h)
}

pub fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    let text = text(*date);
    match text.as_ref().and_then(|t| std::str::from_utf8(t).ok()) {
        Some(text) => serializer.serialize_str(text),
        None => date.serialize(serializer),
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    struct Written;
    impl Visitor<'_> for Written {
        type Value = Date;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a day like 2026-10-01")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Date, E> {
            match parsed(text) {
                Some(date) => Ok(date),
                None => Date::deserialize(text.into_deserializer()),
            }
        }
    }
    deserializer.deserialize_str(Written)
}

#[cfg(test)]
mod tests {
    use crate::kernel::calendar::add_days;
    use crate::kernel::{Date, Days};

    #[test]
    fn days_are_written_and_read_as_any_other_day_is() {
        let some = |y, m, d| Date::from_ymd_opt(y, m, d).expect("a day");
        let usual = (0..50_000).map(|n| add_days(some(1_999, 1, 1), n * 3 - 60_000));
        let odd = [some(0, 1, 1), some(9_999, 12, 31), some(10_000, 1, 1)];
        let odder = [some(-1, 2, 3), Date::MIN, Date::MAX];
        for date in usual.chain(odd).chain(odder) {
            let days = Days::new(date, date);
            let bytes = bincode::serialize(&days).expect("it can be written");
            let plain = bincode::serialize(&(date, date)).expect("it can be written");
            assert_eq!(bytes, plain);
            assert_eq!(
                bincode::deserialize::<Days>(&bytes).expect("readable"),
                days
            );
        }
        for odd in [
            "2026-02-30",
            "2026-2-03",
            "2026-13-01",
            "20260-1-01",
            "today",
        ] {
            let json = serde_json::json!({ "from": odd, "until": "2026-01-01" });
            let read = serde_json::from_value::<Days>(json).ok();
            assert_eq!(read.map(|days| days.from), odd.parse().ok(), "{odd}");
        }
    }
}
