//! Reading sources: the bytes of a file become usage readings, and whatever cannot be read becomes a line with a reason.
//!
//! A reader never drops a record: each record of the source comes back as one [`Line`] (a NEM12 day as one line
//! per interval), readable or not, so that received = accepted + duplicates + conflicts + unreadable can be counted
//! (policy 14). Only a file whose structure is unknown (no header, nothing in it) is refused as a whole.
//!
//! What identifies a record, and which code ends which fault, is told per format in `docs/contexts/mediation.md`.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

mod calls;
mod delimited;
mod fields;
mod focus;
mod ndjson;
mod nem12;
mod records;
mod said;

pub use said::{LineRef, Raw, Said};

/// The longest source text kept with a line, in bytes; a longer one is cut and says so.
///
/// A line becomes part of an event, and a damaged file can hold one "line" of many megabytes.
pub const RAW_BYTES_MAX: usize = 16 * 1024;

/// One record of a source as it was received, and what was read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Line of the file on which the record begins, counted from 1.
    pub number: u64,
    /// The text as received (bytes that are not UTF-8 shown as U+FFFD). A NEM12 interval keeps its own part of the
    /// day: `300,20230301[17]=.005` is the 17th value, counted from 1 as NEM12's 400 records count.
    pub raw: String,
    /// The reading, or why there is none.
    pub reading: Result<Reading, Unreadable>,
}

/// One usage record, in the terms every source shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Identity within (tenant, source) (policy 13).
    pub key: String,
    /// Whether another reading with the same key and other content replaces this one instead of conflicting with it
    /// (policy 13, 18).
    pub corrects: bool,
    /// What was used: `voice`, `cloud`, `energy-import`, …
    pub metric: String,
    /// What finds the subscription: a msisdn, a sub-account, a national metering identifier.
    pub access: String,
    /// When it was used, or when its interval began: microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    /// How much, in `unit`. Negative where the source takes usage back.
    pub quantity: Decimal,
    /// The unit of `quantity`: `second`, `kWh`, or as the source spells it.
    pub unit: String,
    /// The price the source itself puts on the record, unrounded, in the currency of attribute `currency` if it has one.
    pub amount: Option<Decimal>,
    /// What a price may depend on. A value the source leaves empty is absent.
    pub attributes: BTreeMap<String, String>,
}

/// Why a record, or a whole file, could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// Stable code, e.g. `BAD_NUMBER`; `docs/contexts/mediation.md` lists them.
    pub code: &'static str,
    /// The sentence for a person.
    pub reason: String,
}

impl Unreadable {
    fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

/// The formats a source may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Voice calls as `;`-separated text: `record_id;msisdn;start;seconds`.
    Calls,
    /// A cloud bill in FOCUS 1.0 (FinOps open cost and usage specification), as CSV.
    Focus,
    /// Any usage as lines of JSON: `{"key": …, "metric": …, "access": …, "at": …, "quantity": …}`.
    Ndjson,
    /// Australian interval meter data (AEMO meter data file format, NEM12).
    Nem12,
    /// Any usage as CSV: `key,metric,access,at,quantity[,unit][,amount][,attribute…]`.
    Records,
}

impl Format {
    /// Every format, in the order of their names.
    pub const ALL: [Self; 5] = [
        Self::Calls,
        Self::Focus,
        Self::Ndjson,
        Self::Nem12,
        Self::Records,
    ];

    /// Finds a format by the name [`Format::name`] gives it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The name used in commands, events and on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Focus => "focus",
            Self::Ndjson => "ndjson",
            Self::Nem12 => "nem12",
            Self::Records => "records",
        }
    }
}

/// Reads a whole file of one format, in file order.
///
/// The error refuses the file: nothing in it can be understood. Faults of single records are in their lines.
pub fn read(format: Format, bytes: &[u8]) -> Result<Vec<Line>, Unreadable> {
    let mut lines = Vec::new();
    each(format, bytes, &mut |line| lines.push(line.to_line()))?;
    Ok(lines)
}

/// Reads a whole file of one format and hands out its lines in file order, without copying what it need not.
///
/// The error refuses the file: nothing in it can be understood, and no line was handed out.
pub fn each(
    format: Format,
    bytes: &[u8],
    take: &mut dyn FnMut(LineRef<'_>),
) -> Result<(), Unreadable> {
    // Spreadsheet programs put a byte order mark before the first column's name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Unreadable::new("EMPTY_FILE", "the file holds no records"));
    }
    let lines = match format {
        Format::Ndjson => {
            ndjson::each(bytes, take);
            return Ok(());
        }
        Format::Records => return records::each(bytes, take),
        Format::Calls => calls::read(bytes)?,
        Format::Focus => focus::read(bytes)?,
        Format::Nem12 => nem12::read(bytes)?,
    };
    for line in lines {
        let said = line.reading.as_ref().map(Reading::said);
        take(LineRef {
            number: line.number,
            raw: Raw::Text(&line.raw),
            said: said.as_ref().map_err(|fault| (*fault).clone()),
        });
    }
    Ok(())
}

/// The source text of a record, without its line end, at most [`RAW_BYTES_MAX`] long.
fn raw(bytes: &[u8]) -> String {
    let text = match bytes.get(..RAW_BYTES_MAX) {
        Some(start) if bytes.len() > RAW_BYTES_MAX => {
            format!(
                "{}… ({} bytes)",
                String::from_utf8_lossy(start),
                bytes.len()
            )
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.trim_end_matches(['\r', '\n']).to_owned()
}
