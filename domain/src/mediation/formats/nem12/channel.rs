//! The 200 record: which register of which meter the days behind it belong to.

use rust_decimal::Decimal;

use super::super::Unreadable;

/// A meter's register, and how its values are to be read.
pub(super) struct Channel {
    /// National metering identifier: the supply point.
    pub nmi: String,
    /// The register: its first letter is the flow, e.g. E (to the customer) or B (from the customer).
    pub suffix: String,
    /// Serial number of the meter, which changes when a meter is exchanged. May be empty.
    pub serial: String,
    pub interval_minutes: u16,
    /// The unit of a reading, in thousands: `kWh`, `kVArh`, `kVAh`.
    pub unit: &'static str,
    /// What makes a value one in `unit`.
    factor: Decimal,
}

impl Channel {
    pub fn read(fields: &[&str]) -> Result<Self, Unreadable> {
        let field = |place: usize| fields.get(place).copied().unwrap_or_default();
        let (nmi, suffix, serial) = (field(1), field(4), field(6));
        // Both go into the key, between slashes.
        for (name, value) in [("NMI", nmi), ("NMI suffix", suffix)] {
            if value.is_empty() {
                return Err(Unreadable::new(
                    "MISSING_FIELD",
                    format!("record 200 has no {name}"),
                ));
            }
            if !value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                let reason = format!("{name} is {value:?}, which is not letters and digits");
                return Err(Unreadable::new("BAD_FIELD", reason));
            }
        }
        if !serial
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        {
            return Err(Unreadable::new(
                "BAD_FIELD",
                format!("meter serial number is {serial:?}"),
            ));
        }
        let (unit, factor) = unit(field(7))?;
        let interval_minutes = match field(8) {
            "5" => 5,
            "15" => 15,
            "30" => 30,
            length => {
                let reason = format!("interval length is {length:?}, not 5, 15 or 30 minutes");
                return Err(Unreadable::new("BAD_INTERVAL_LENGTH", reason));
            }
        };
        let (nmi, suffix, serial) = (nmi.to_owned(), suffix.to_owned(), serial.to_owned());
        Ok(Self {
            nmi,
            suffix,
            serial,
            interval_minutes,
            unit,
            factor,
        })
    }

    /// How many values a day has. NEM12 days never have 23 or 25 hours.
    pub fn intervals(&self) -> usize {
        usize::from(24 * 60 / self.interval_minutes)
    }

    /// `energy-import` is what the customer takes, `energy-export` what the customer gives. (NEM12 names the flows
    /// from the grid's side, where E is export and B import.)
    pub fn metric(&self) -> String {
        match self
            .suffix
            .bytes()
            .next()
            .map(|flow| flow.to_ascii_uppercase())
        {
            Some(b'E') => "energy-import".to_owned(),
            Some(b'B') => "energy-export".to_owned(),
            _ => format!("energy-{}", self.suffix),
        }
    }

    /// A value of this channel in its `unit`; none if that needs more digits than a decimal has.
    pub fn scaled(&self, value: Decimal) -> Option<Decimal> {
        // Multiplying rounds what does not fit 28 digits; a value that comes back whole did fit.
        let scaled = value.checked_mul(self.factor)?;
        (scaled.checked_div(self.factor)? == value).then(|| scaled.normalize())
    }
}

/// The unit values are normalised to. Files spell units in any case.
fn unit(text: &str) -> Result<(&'static str, Decimal), Unreadable> {
    let lower = text.to_ascii_lowercase();
    let (prefix, base) = match lower.strip_suffix("wh").map(|prefix| (prefix, "kWh")) {
        Some(split) => split,
        None => match lower.strip_suffix("varh").map(|prefix| (prefix, "kVArh")) {
            Some(split) => split,
            None => (lower.strip_suffix("vah").unwrap_or("?"), "kVAh"),
        },
    };
    let factor = match prefix {
        "" => Decimal::new(1, 3),
        "k" => Decimal::ONE,
        "m" => Decimal::ONE_THOUSAND,
        // Watts, amperes and power factors are states of a moment: their sum over a month means nothing.
        _ => {
            return Err(Unreadable::new(
                "BAD_UNIT",
                format!("unit is {text:?}, which is no unit of energy"),
            ));
        }
    };
    Ok((base, factor))
}
