//! Rated usage as it is stored from version 2 on: numbers as short as they are, and nothing that follows from the rest.
//!
//! Byte by byte, in this order. A *number* is LEB128 (seven bits to a byte, the lowest first, the last byte below 128); a
//! *signed* one is n ≥ 0 → 2n, n < 0 → −2n − 1 of it; a *text* is its length and its bytes; a *fraction* is its signed
//! numerator and its denominator in lowest terms; a *decimal* its signed mantissa and its scale.
//!
//! 1. texts `batch`, `source`, `engine`, `tzdb`, `offer`; number `version`
//! 2. the meter: flags, then the days from and until since 1970 (signed, number of days), number `records`, fraction
//!    `amount`, and by the flags fractions `burnt` and `free`, fraction `units`, decimal `quantity`
//! 3. number of records, then each: flags, number `line`, 16 bytes `key`, 16 bytes `content`, signed `at`, decimal
//!    `quantity`, and by the flags fraction `units`, fraction `amount`, who pays, attributes, decimal `amount_carried`,
//!    the sealed line
//!
//! Unknown flags are refused, so that a later field is not lost on an older program.

use super::{Basis, Meter, Part, Payer, Provenance, Rated, RatedRecord};
use crate::kernel::calendar::{add_days, days_between};
use crate::kernel::{Date, Days, Decimal, Exact, Instant, Personal};
use std::sync::Arc;

const PERIOD: u8 = 1;
const BURNT: u8 = 2;
const FREE: u8 = 4;
/// The quantity is not what the units say.
const QUANTITY: u8 = 8;

/// The units are not the quantity itself.
const UNITS: u8 = 1;
const BY_WALLET: u8 = 2;
const BY_BOTH: u8 = 4;
const ATTRIBUTES: u8 = 8;
const CARRIED: u8 = 16;
const RAW: u8 = 32;

/// The stored bytes of a fact.
pub(super) fn pack(rated: &Rated) -> Vec<u8> {
    let mut out = Vec::with_capacity(160 + rated.records.len() * 96);
    pack_into(rated, &mut out);
    out
}

/// Appends the stored bytes of a fact.
pub(super) fn pack_into(rated: &Rated, out: &mut Vec<u8>) {
    let mut out = Writer(out);
    let provenance = rated.provenance.as_ref();
    let basis = &provenance.basis;
    for text in [
        &provenance.batch,
        &provenance.source,
        &basis.engine,
        &basis.tzdb,
        &basis.offer,
    ] {
        out.text(text);
    }
    out.number(u128::from(basis.version));
    out.meter(&rated.meter);
    out.number(rated.records.len() as u128);
    rated.records.iter().for_each(|record| out.record(record));
}

/// A fact from its stored bytes; nothing if they are not those of one.
pub(super) fn unpack(bytes: &[u8]) -> Option<Rated> {
    let mut read = Reader(bytes);
    let (batch, source) = (read.text()?.into(), read.text()?.into());
    let basis = Basis {
        engine: read.text()?.into(),
        tzdb: read.text()?.into(),
        offer: read.text()?.into(),
        version: u32::try_from(read.number()?).ok()?,
    };
    let meter = read.meter()?;
    let count = usize::try_from(read.number()?).ok()?;
    // A record has more bytes than this, so a damaged count cannot ask for more memory than the bytes there are.
    let mut records = Vec::with_capacity(count.min(read.0.len() / 32));
    for _ in 0..count {
        records.push(read.record()?);
    }
    let whole = read.0.is_empty();
    let provenance = Provenance {
        batch,
        source,
        basis,
    };
    whole.then_some(Rated {
        provenance: Arc::new(provenance),
        records,
        meter,
    })
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn number(&mut self, mut number: u128) {
        while number >= 128 {
            self.0.push((number & 127) as u8 | 128);
            number >>= 7;
        }
        self.0.push((number & 127) as u8);
    }

    fn small(&mut self, mut number: u64) {
        while number >= 128 {
            self.0.push((number & 127) as u8 | 128);
            number >>= 7;
        }
        self.0.push((number & 127) as u8);
    }

    fn signed(&mut self, number: i128) {
        match i64::try_from(number) {
            Ok(n) => self.small(((n << 1) ^ (n >> 63)).cast_unsigned()),
            Err(_) => self.number(((number << 1) ^ (number >> 127)).cast_unsigned()),
        }
    }

    fn text(&mut self, text: &str) {
        self.small(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn exact(&mut self, exact: Exact) {
        self.signed(exact.numerator());
        self.number(exact.denominator().unsigned_abs());
    }

    fn decimal(&mut self, decimal: Decimal) {
        self.signed(decimal.get().mantissa());
        self.small(u64::from(decimal.get().scale()));
    }

    fn meter(&mut self, meter: &Meter) {
        let shown = meter.units.shown();
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let other = shown != Some(meter.quantity);
        self.0.push(
            flag(meter.period.is_some(), PERIOD)
                | flag(!meter.burnt.is_zero(), BURNT)
                | flag(!meter.free.is_zero(), FREE)
                | flag(other, QUANTITY),
        );
        if let Some(Days { from, until }) = meter.period {
            self.signed(i128::from(days_between(Date::default(), from)));
            self.signed(i128::from(days_between(from, until)));
        }
        self.small(meter.records);
        self.exact(meter.amount);
        if !meter.burnt.is_zero() {
            self.exact(meter.burnt);
        }
        if !meter.free.is_zero() {
            self.exact(meter.free);
        }
        self.exact(meter.units);
        if other {
            self.decimal(meter.quantity);
        }
    }

    fn record(&mut self, record: &RatedRecord) {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let other = record.units != Exact::from(record.quantity);
        let payer = match &record.payer {
            Payer::Invoice => 0,
            Payer::Wallet(_) => BY_WALLET,
            Payer::Split { .. } => BY_BOTH,
        };
        self.0.push(
            payer
                | flag(other, UNITS)
                | flag(!record.attributes.is_empty(), ATTRIBUTES)
                | flag(record.amount_carried.is_some(), CARRIED)
                | flag(record.raw.is_some(), RAW),
        );
        self.small(record.line);
        self.0.extend_from_slice(&record.key);
        self.0.extend_from_slice(&record.content);
        self.signed(i128::from(record.at.0));
        self.decimal(record.quantity);
        if other {
            self.exact(record.units);
        }
        self.exact(record.amount);
        if payer != 0 {
            let parts = record.payer.parts();
            self.small(parts.len() as u64);
            for part in parts {
                self.text(&part.wallet);
                self.text(&part.grant);
                self.exact(part.amount);
            }
        }
        if let Payer::Split { rest, .. } = &record.payer {
            self.exact(*rest);
        }
        if !record.attributes.is_empty() {
            self.small(record.attributes.len() as u64);
            for (name, value) in &record.attributes {
                self.text(name);
                self.text(value);
            }
        }
        if let Some(carried) = record.amount_carried {
            self.decimal(carried);
        }
        if let Some(raw) = &record.raw {
            self.text(&raw.key_id);
            self.0.extend_from_slice(&raw.nonce);
            self.small(raw.ciphertext.len() as u64);
            self.0.extend_from_slice(&raw.ciphertext);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// A number in its only form: no byte too many.
    fn number(&mut self) -> Option<u128> {
        let first = self.byte()?;
        if first < 128 {
            return Some(u128::from(first));
        }
        let mut number = u128::from(first & 127);
        for shift in (7..128).step_by(7) {
            let byte = self.byte()?;
            let part = u128::from(byte & 127);
            if shift == 126 && part > 3 {
                return None;
            }
            number |= part << shift;
            if byte < 128 {
                return (byte > 0).then_some(number);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u64> {
        u64::try_from(self.number()?).ok()
    }

    fn signed(&mut self) -> Option<i128> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.small()?).ok()?;
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn exact(&mut self) -> Option<Exact> {
        let num = self.signed()?;
        let den = i128::try_from(self.number()?).ok()?;
        match den {
            1 => Some(Exact::from(num)),
            _ => Exact::ratio(num, den).ok(),
        }
    }

    fn decimal(&mut self) -> Option<Decimal> {
        let mantissa = self.signed()?;
        let scale = u32::try_from(self.small()?).ok()?;
        let value = rust_decimal::Decimal::try_from_i128_with_scale(mantissa, scale).ok()?;
        Some(Decimal::new(value))
    }

    fn meter(&mut self) -> Option<Meter> {
        let flags = self.byte()?;
        if flags & !(PERIOD | BURNT | FREE | QUANTITY) != 0 {
            return None;
        }
        let exact_if = |read: &mut Self, flag: u8| match flags & flag {
            0 => Some(Exact::ZERO),
            _ => read.exact(),
        };
        let period = match flags & PERIOD {
            0 => None,
            _ => {
                let from = add_days(Date::default(), i64::try_from(self.signed()?).ok()?);
                let days = i64::try_from(self.signed()?).ok()?;
                Some(Days::new(from, add_days(from, days)))
            }
        };
        let records = self.small()?;
        let amount = self.exact()?;
        let burnt = exact_if(self, BURNT)?;
        let free = exact_if(self, FREE)?;
        let units = self.exact()?;
        let quantity = match flags & QUANTITY {
            0 => units.shown()?,
            _ => self.decimal()?,
        };
        Some(Meter {
            period,
            records,
            quantity,
            amount,
            burnt,
            units,
            free,
        })
    }

    fn record(&mut self) -> Option<RatedRecord> {
        let flags = self.byte()?;
        if flags & !(UNITS | BY_WALLET | BY_BOTH | ATTRIBUTES | CARRIED | RAW) != 0 {
            return None;
        }
        let line = self.small()?;
        let (key, content) = (self.take()?, self.take()?);
        let at = Instant(i64::try_from(self.signed()?).ok()?);
        let quantity = self.decimal()?;
        let units = match flags & UNITS {
            0 => quantity.into(),
            _ => self.exact()?,
        };
        let amount = self.exact()?;
        let payer = match flags & (BY_WALLET | BY_BOTH) {
            0 => Payer::Invoice,
            BY_WALLET => Payer::Wallet(self.parts()?),
            BY_BOTH => Payer::Split {
                parts: self.parts()?,
                rest: self.exact()?,
            },
            _ => return None,
        };
        let mut attributes = std::collections::BTreeMap::new();
        if flags & ATTRIBUTES != 0 {
            for _ in 0..self.small()? {
                attributes.insert(self.text()?.to_string(), self.text()?.to_string());
            }
        }
        let amount_carried = match flags & CARRIED {
            0 => None,
            _ => Some(self.decimal()?),
        };
        let raw = match flags & RAW {
            0 => None,
            _ => {
                let key_id = self.text()?.to_string();
                let nonce = self.take()?;
                let ciphertext = self.bytes()?.to_vec();
                Some(Box::new(Personal::sealed(key_id, nonce, ciphertext)))
            }
        };
        Some(RatedRecord {
            line,
            key,
            content,
            at,
            quantity,
            units,
            amount,
            payer,
            attributes,
            amount_carried,
            raw,
        })
    }

    fn parts(&mut self) -> Option<Vec<Part>> {
        let count = self.small()?;
        let mut parts = Vec::new();
        for _ in 0..count {
            parts.push(Part {
                wallet: self.text()?.to_string(),
                grant: self.text()?.to_string(),
                amount: self.exact()?,
            });
        }
        Some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::event::{from_bytes, to_bytes};

    fn exact(num: i128, den: i128) -> Exact {
        Exact::ratio(num, den).expect("a fraction")
    }

    fn record(n: u8, payer: Payer) -> RatedRecord {
        RatedRecord {
            line: u64::from(n) * 1_000,
            key: [n; 16],
            content: [n ^ 0xFF; 16],
            at: Instant(-1_790_812_800_000_000 + i64::from(n)),
            quantity: "-61.25".parse().expect("a decimal"),
            units: exact(61, 60),
            amount: exact(i128::MAX, 3),
            payer,
            attributes: [("zone".to_string(), "eu".to_string())].into(),
            amount_carried: Some("0.02".parse().expect("a decimal")),
            raw: Some(Box::new(Personal::sealed(
                "key_1".into(),
                [7; 24],
                vec![1, 2, 3],
            ))),
        }
    }

    fn rated() -> Rated {
        let part = Part {
            wallet: "w".into(),
            grant: "g".into(),
            amount: exact(-1, 7),
        };
        let plain = RatedRecord {
            units: Exact::from(5),
            quantity: "5".parse().expect("a decimal"),
            amount: Exact::ZERO,
            attributes: Default::default(),
            amount_carried: None,
            raw: None,
            ..record(3, Payer::Invoice)
        };
        let split = Payer::Split {
            parts: vec![part.clone()],
            rest: exact(i128::MIN + 1, 1),
        };
        let provenance = Provenance {
            batch: "b".into(),
            source: "switch".into(),
            basis: Basis {
                engine: "e".into(),
                tzdb: "t".into(),
                offer: "ö".into(),
                version: u32::MAX,
            },
        };
        Rated {
            provenance: Arc::new(provenance),
            records: vec![
                plain,
                record(1, Payer::Wallet(vec![part])),
                record(2, split),
            ],
            meter: Meter {
                period: Some(Days::new(
                    add_days(Date::default(), -40),
                    add_days(Date::default(), 20_000),
                )),
                records: u64::MAX,
                quantity: "1.5".parse().expect("a decimal"),
                amount: exact(81, 20),
                burnt: exact(1, 3),
                units: exact(203, 2),
                free: exact(250, 1),
            },
        }
    }

    #[test]
    fn what_was_packed_is_read_back_and_nothing_shorter_is() {
        let plain = Rated {
            records: vec![],
            meter: Meter::default(),
            ..rated()
        };
        for fact in [rated(), plain] {
            let bytes = pack(&fact);
            assert_eq!(unpack(&bytes).as_ref(), Some(&fact));
            for cut in 0..bytes.len() {
                assert_eq!(unpack(&bytes[..cut]), None, "read from {cut} bytes");
            }
            let mut stored = Vec::new();
            fact.store(&mut stored);
            assert_eq!(to_bytes("usage.rated", &fact).expect("bytes"), stored);
            let read: Rated = from_bytes("usage.rated", 2, &stored).expect("a fact");
            assert_eq!(read, fact);
        }
    }

    #[test]
    fn a_flag_that_is_not_known_is_refused() {
        let fact = Rated {
            records: vec![],
            ..rated()
        };
        let mut bytes = pack(&fact);
        let flags = bytes.len() - pack_meter(&fact).len() - 1;
        bytes[flags] |= 128;
        assert_eq!(unpack(&bytes), None);
    }

    fn pack_meter(fact: &Rated) -> Vec<u8> {
        let mut out = Vec::new();
        Writer(&mut out).meter(&fact.meter);
        out
    }
}
