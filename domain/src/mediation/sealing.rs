//! From a reading to a usage record: what identifies people is replaced by keyed hashes.

use super::formats::{Reading, Said};
use super::{Key, UsageRecord};
use crate::kernel::{Decimal, Instant};

/// Prefix of an access that names its subscription openly: nothing to hide, nothing to look up.
const SUBSCRIPTION: &str = "subscription:";

/// What `Subscription::access` and `UsageRecord::access` hold for a number, meter or resource. `hash` is the tenant's
/// keyed hash: without its key nobody can try all telephone numbers.
pub fn access_hash(access: &str, hash: impl Fn(&[u8]) -> [u8; 32]) -> String {
    Sealer::new("", hash).access(access)
}

/// The usage record of a reading from `source`. The caller adds its line and its sealed raw text.
pub fn record_from(
    reading: &Reading,
    source: &str,
    hash: impl Fn(&[u8]) -> [u8; 32],
) -> UsageRecord {
    Sealer::new(source, hash).record(&reading.said())
}

/// Makes usage records of what lines of one source say.
pub struct Sealer<'a, H> {
    source: &'a str,
    hash: H,
    /// What is hashed next; one buffer for all.
    parts: Vec<u8>,
}

impl<'a, H: Fn(&[u8]) -> [u8; 32]> Sealer<'a, H> {
    /// `hash` is the tenant's keyed hash.
    pub fn new(source: &'a str, hash: H) -> Sealer<'a, H> {
        Sealer {
            source,
            hash,
            parts: Vec::with_capacity(256),
        }
    }

    /// The usage record of what a line says. The caller adds its line and its sealed raw text.
    pub fn record(&mut self, said: &Said<'_>) -> UsageRecord {
        let quantity = Decimal::new(said.quantity);
        let amount = said.amount.map(Decimal::new);
        self.begin("content");
        self.add(&said.metric);
        self.add(&said.access);
        self.add_number(i128::from(said.at_micros), 0);
        self.add_decimal(quantity);
        self.add(&said.unit);
        match amount {
            Some(amount) => self.add_decimal(amount),
            None => self.add(""),
        }
        for (name, value) in &said.attributes {
            self.add(name);
            self.add(value);
        }
        let content = short((self.hash)(&self.parts));
        self.begin("key");
        self.add(self.source);
        self.add(&said.key);
        let key = short((self.hash)(&self.parts));
        let attributes = said.attributes.iter();
        UsageRecord {
            line: 0,
            key,
            content,
            corrects: said.corrects,
            metric: said.metric.clone().into_owned(),
            access: self.access(&said.access),
            at: Instant(said.at_micros),
            quantity,
            amount,
            attributes: attributes
                .map(|(name, value)| (name.clone().into_owned(), value.clone().into_owned()))
                .collect(),
            raw: None,
        }
    }

    fn access(&mut self, access: &str) -> String {
        if access.starts_with(SUBSCRIPTION) {
            return access.to_string();
        }
        self.parts.clear();
        self.parts.extend_from_slice(b"access:");
        self.parts.extend_from_slice(access.as_bytes());
        hex(&short((self.hash)(&self.parts)))
    }

    // Texts behind their lengths, so that no two lists of texts have the same bytes.
    fn begin(&mut self, what: &str) {
        self.parts.clear();
        self.add(what);
    }

    fn add(&mut self, text: &str) {
        self.parts
            .extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.parts.extend_from_slice(text.as_bytes());
    }

    fn add_decimal(&mut self, value: Decimal) {
        self.add_number(value.get().mantissa(), value.get().scale());
    }

    /// Adds `mantissa` ÷ 10^`scale` as its text.
    fn add_number(&mut self, mantissa: i128, scale: u32) {
        let length = self.parts.len();
        self.parts.extend_from_slice(&[0; 8]);
        write_number(&mut self.parts, mantissa, scale);
        let written = self.parts.len() - length - 8;
        if let Some(place) = self.parts.get_mut(length..length + 8) {
            place.copy_from_slice(&(written as u64).to_le_bytes());
        }
    }
}

/// Writes a decimal as `Display` does, which takes several times as long.
fn write_number(out: &mut Vec<u8>, mantissa: i128, scale: u32) {
    if mantissa < 0 {
        out.push(b'-');
    }
    // Digits from the last one on; a mantissa has at most 39, and a scale at most 28.
    let mut digits = [b'0'; 40];
    let (mut rest, mut used) = (mantissa.unsigned_abs(), 0);
    let least = usize::try_from(scale).unwrap_or(0) + 1;
    for place in digits.iter_mut().rev() {
        if rest == 0 && used >= least {
            break;
        }
        let (quotient, digit) = match u64::try_from(rest) {
            Ok(small) => (u128::from(small / 10), small % 10),
            Err(_) => (rest / 10, u64::try_from(rest % 10).unwrap_or(0)),
        };
        *place = b'0' + u8::try_from(digit).unwrap_or(0);
        (rest, used) = (quotient, used + 1);
    }
    let digits = digits.get(40 - used..).unwrap_or_default();
    let (whole, fraction) = digits.split_at(used + 1 - least);
    out.extend_from_slice(whole);
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

fn hex(key: &Key) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or('0');
    let mut text = String::with_capacity(32);
    for byte in key {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

fn short(full: [u8; 32]) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&full[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_hashed_as_it_is_shown() {
        for text in [
            "0",
            "7",
            "-7",
            "0.5",
            "-0.005",
            "10",
            "123.45",
            "1000000",
            "-12.000000001",
            "79228162514264337593543950335",
            "0.0000000000000000000000000001",
        ] {
            let number: Decimal = text.parse().expect("a decimal");
            let mut written = Vec::new();
            write_number(&mut written, number.get().mantissa(), number.get().scale());
            assert_eq!(String::from_utf8_lossy(&written), number.to_string());
        }
    }

    /// Whoever sends a record again years later must find it: these hashes are in logs.
    #[test]
    fn a_record_has_the_identity_and_content_it_always_had() {
        let reading = Reading {
            key: "r1".into(),
            corrects: false,
            metric: "voice".into(),
            access: "491700000001".into(),
            at_micros: 1_790_812_800_000_000,
            quantity: "61.50".parse().expect("a decimal"),
            unit: "second".into(),
            amount: Some("-0.020".parse().expect("a decimal")),
            attributes: [("zone".to_string(), "eu".to_string())].into(),
        };
        let parts = |parts: &[&str]| {
            let mut all = Vec::new();
            for part in parts {
                all.extend_from_slice(&(part.len() as u64).to_le_bytes());
                all.extend_from_slice(part.as_bytes());
            }
            short(*blake3::hash(&all).as_bytes())
        };
        let record = record_from(&reading, "switch", |bytes| *blake3::hash(bytes).as_bytes());
        assert_eq!(record.key, parts(&["key", "switch", "r1"]));
        let content = [
            "content",
            "voice",
            "491700000001",
            "1790812800000000",
            "61.5",
            "second",
            "-0.02",
            "zone",
            "eu",
        ];
        assert_eq!(record.content, parts(&content));
        let access = blake3::hash(b"access:491700000001").to_hex();
        assert_eq!(Some(record.access.as_str()), access.get(..32));
    }
}
