//! The 300 record, a day of values, with the 400 records that tell their quality.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use rust_decimal::Decimal;

use super::super::{Line, Reading, Unreadable, fields};
use super::Channel;

/// The market's clock, ahead of UTC, in summer as in winter.
const MARKET_OFFSET_HOURS: i64 = 10;

/// One day of one channel.
pub(super) struct Day {
    number: u64,
    date: NaiveDate,
    /// As written, and in the channel's unit.
    values: Vec<(String, Decimal)>,
    quality: String,
    ranges: Vec<Result<Range, Unreadable>>,
}

/// Intervals `first..=last`, counted from 1, that share a quality.
struct Range {
    first: usize,
    last: usize,
    quality: String,
}

impl Day {
    /// Reads a 300 record. A day with a value too few, too many or unreadable is no day: nothing says which
    /// interval the remaining values belong to.
    pub fn read(number: u64, channel: &Channel, fields: &[&str]) -> Result<Self, Unreadable> {
        let date =
            fields::compact_date("interval date", fields.get(1).copied().unwrap_or_default())?;
        let wanted = channel.intervals();
        let written = fields.get(2..).unwrap_or_default();
        // Behind the values stands the quality, the first field that begins with a letter.
        let begins_with_letter = |field: &&str| {
            field
                .bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_alphabetic())
        };
        let found = written
            .iter()
            .position(begins_with_letter)
            .unwrap_or(written.len());
        let (values, behind) = written.split_at(found);
        if found != wanted {
            let minutes = channel.interval_minutes;
            let reason = format!(
                "{date} has {found} values, a day of {minutes}-minute intervals has {wanted}"
            );
            return Err(Unreadable::new("WRONG_INTERVAL_COUNT", reason));
        }
        let values = (1..)
            .zip(values)
            .map(|(place, text)| value(channel, place, text))
            .collect::<Result<_, _>>()?;
        let quality = behind.first().copied().unwrap_or_default();
        if quality != "V" {
            check_quality(quality)?;
        }
        Ok(Self {
            number,
            date,
            values,
            quality: quality.to_owned(),
            ranges: Vec::new(),
        })
    }

    /// Whether 400 records are to follow.
    pub fn quality_varies(&self) -> bool {
        self.quality == "V"
    }

    /// Adds a 400 record.
    pub fn range(&mut self, fields: &[&str]) {
        self.ranges.push(Range::read(fields));
    }

    /// Makes a line of each interval, or one line of the day if its quality is not known throughout.
    pub fn close(self, channel: &Channel, lines: &mut Vec<Line>) {
        let (number, date) = (self.number, self.date.format("%Y%m%d").to_string());
        match self.qualities() {
            Ok(qualities) => {
                for (interval, ((text, quantity), quality)) in
                    (1..).zip(self.values.iter().zip(qualities))
                {
                    let raw = format!("300,{date}[{interval}]={text}");
                    let reading = self.reading(channel, interval, *quantity, quality);
                    lines.push(Line {
                        number,
                        raw,
                        reading,
                    });
                }
            }
            Err(refused) => {
                let values: Vec<&str> = self.values.iter().map(|(text, _)| text.as_str()).collect();
                let raw = format!("300,{date},{},{}", values.join(","), self.quality);
                lines.push(Line {
                    number,
                    raw,
                    reading: Err(refused),
                });
            }
        }
    }

    /// The quality of each interval.
    fn qualities(&self) -> Result<Vec<&str>, Unreadable> {
        if !self.quality_varies() {
            return Ok(vec![self.quality.as_str(); self.values.len()]);
        }
        let mut qualities: Vec<Option<&str>> = vec![None; self.values.len()];
        for range in &self.ranges {
            let Range {
                first,
                last,
                quality,
            } = range.as_ref().map_err(Unreadable::clone)?;
            let count = qualities.len();
            let covered = first
                .checked_sub(1)
                .and_then(|from| qualities.get_mut(from..*last))
                .ok_or_else(|| {
                    bad_range(format!(
                        "a 400 record covers intervals {first} to {last}, the day has 1 to {count}"
                    ))
                })?;
            for interval in covered {
                if interval.replace(quality).is_some() {
                    return Err(bad_range(format!(
                        "intervals {first} to {last} overlap another 400 record"
                    )));
                }
            }
        }
        (1..)
            .zip(qualities)
            .map(|(interval, quality)| {
                quality.ok_or_else(|| {
                    bad_range(format!(
                        "no 400 record covers interval {interval} of a day of quality V"
                    ))
                })
            })
            .collect()
    }

    fn reading(
        &self,
        channel: &Channel,
        interval: i32,
        quantity: Decimal,
        quality: &str,
    ) -> Result<Reading, Unreadable> {
        let minutes = i64::from(channel.interval_minutes) * i64::from(interval - 1);
        let start = NaiveDateTime::new(self.date, NaiveTime::MIN) + TimeDelta::minutes(minutes);
        let at = start - TimeDelta::hours(MARKET_OFFSET_HOURS);
        let mut attributes = BTreeMap::from([
            ("quality".to_owned(), quality.to_owned()),
            ("suffix".to_owned(), channel.suffix.clone()),
        ]);
        if !channel.serial.is_empty() {
            attributes.insert("serial".to_owned(), channel.serial.clone());
        }
        Ok(Reading {
            key: format!(
                "{}/{}/{}/{}",
                channel.nmi,
                channel.suffix,
                channel.serial,
                start.format("%Y-%m-%dT%H:%M+10:00")
            ),
            corrects: true,
            metric: channel.metric(),
            access: channel.nmi.clone(),
            at_micros: at.and_utc().timestamp_micros(),
            quantity,
            unit: channel.unit.to_owned(),
            amount: None,
            attributes,
        })
    }
}

impl Range {
    fn read(fields: &[&str]) -> Result<Self, Unreadable> {
        let place = |index: usize| {
            let text = fields.get(index).copied().unwrap_or_default();
            text.parse::<usize>()
                .map_err(|_| bad_range(format!("a 400 record has interval {text:?}")))
        };
        let (first, last) = (place(1)?, place(2)?);
        if first > last {
            return Err(bad_range(format!(
                "a 400 record goes from interval {first} back to {last}"
            )));
        }
        let quality = fields.get(3).copied().unwrap_or_default();
        check_quality(quality)?;
        Ok(Self {
            first,
            last,
            quality: quality.to_owned(),
        })
    }
}

fn value(channel: &Channel, place: usize, text: &str) -> Result<(String, Decimal), Unreadable> {
    let value = fields::decimal(&format!("value {place}"), text)?;
    if value.is_sign_negative() {
        let reason = format!(
            "value {place} is {text}; a register never counts below zero, flows have registers each"
        );
        return Err(Unreadable::new("NEGATIVE_QUANTITY", reason));
    }
    let scaled = channel.scaled(value).ok_or_else(|| {
        Unreadable::new(
            "BAD_NUMBER",
            format!("value {place} is {text}, too long for a decimal"),
        )
    })?;
    Ok((text.to_owned(), scaled))
}

/// A quality is a letter (actual, estimated, final substitute, null, substitute), most with a method of two digits.
fn check_quality(text: &str) -> Result<(), Unreadable> {
    let mut bytes = text.bytes();
    let known = matches!(bytes.next(), Some(b'A' | b'E' | b'F' | b'N' | b'S'));
    if known && bytes.len() <= 2 && bytes.all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Unreadable::new(
        "BAD_QUALITY",
        format!("quality is {text:?}, not A, E, F, N or S with a method"),
    ))
}

fn bad_range(reason: String) -> Unreadable {
    Unreadable::new("BAD_QUALITY_RANGE", reason)
}
