//! What a line says, where it was read: the fast road, on which nothing is copied that is not kept.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::{Line, Reading, Unreadable, raw};

/// A line of a source, borrowed from its bytes.
#[derive(Debug)]
pub struct LineRef<'a> {
    /// Line of the file on which the record begins, counted from 1.
    pub number: u64,
    /// The text as received.
    pub raw: Raw<'a>,
    /// What was read from it, or why nothing was.
    pub said: Result<&'a Said<'a>, Unreadable>,
}

/// The text of a line: bytes of the source, or what a format made of them.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'a> {
    Bytes(&'a [u8]),
    Text(&'a str),
}

impl Raw<'_> {
    /// The text as [`Line::raw`] has it.
    pub fn to_text(&self) -> String {
        match self {
            Raw::Bytes(bytes) => raw(bytes),
            Raw::Text(text) => (*text).to_owned(),
        }
    }

    /// Length in bytes, of which [`Raw::to_text`] shows at most a bounded part.
    pub fn len(&self) -> usize {
        match self {
            Raw::Bytes(bytes) => {
                let end = bytes.iter().rev();
                let end = end.take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                (bytes.len() - end).min(super::RAW_BYTES_MAX)
            }
            Raw::Text(text) => text.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A [`Reading`] whose texts lie where they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said<'a> {
    pub key: Cow<'a, str>,
    pub corrects: bool,
    pub metric: Cow<'a, str>,
    pub access: Cow<'a, str>,
    /// Microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    pub quantity: Decimal,
    pub unit: Cow<'a, str>,
    pub amount: Option<Decimal>,
    /// In the order of their names, each once.
    pub attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl Said<'_> {
    pub fn to_reading(&self) -> Reading {
        let attributes = self.attributes.iter();
        Reading {
            key: self.key.clone().into_owned(),
            corrects: self.corrects,
            metric: self.metric.clone().into_owned(),
            access: self.access.clone().into_owned(),
            at_micros: self.at_micros,
            quantity: self.quantity,
            unit: self.unit.clone().into_owned(),
            amount: self.amount,
            attributes: attributes
                .map(|(name, value)| (name.clone().into_owned(), value.clone().into_owned()))
                .collect(),
        }
    }
}

impl Reading {
    /// The reading, borrowed.
    pub fn said(&self) -> Said<'_> {
        let attributes = self.attributes.iter();
        Said {
            key: Cow::Borrowed(&self.key),
            corrects: self.corrects,
            metric: Cow::Borrowed(&self.metric),
            access: Cow::Borrowed(&self.access),
            at_micros: self.at_micros,
            quantity: self.quantity,
            unit: Cow::Borrowed(&self.unit),
            amount: self.amount,
            attributes: attributes
                .map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_str())))
                .collect(),
        }
    }
}

impl LineRef<'_> {
    pub fn to_line(&self) -> Line {
        Line {
            number: self.number,
            raw: self.raw.to_text(),
            reading: self.said.clone().map(|said| said.to_reading()),
        }
    }
}
