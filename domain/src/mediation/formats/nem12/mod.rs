//! Interval meter data in AEMO's NEM12 format.
//!
//! A file is a header (100), meters' channels (200) with one record per day (300) that lists the day's values, the
//! quality of ranges of a day where it varies (400), notes (500), and an end (900). Each value becomes a reading,
//! identified by meter, register, serial number and the interval's start, in the market's time: UTC+10 all year.
//! Another value for the same interval corrects the earlier one (policy 13): meters are read again, and substituted
//! values replaced by actual ones.

use super::{Line, Unreadable, raw};

mod channel;
mod day;

use channel::Channel;
use day::Day;

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Line>, Unreadable> {
    let mut file = File::default();
    for (number, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        file.record(number, bytes)?;
    }
    file.end()
}

/// What the records read so far say about the next one.
#[derive(Default)]
struct File {
    lines: Vec<Line>,
    at: Place,
    /// The channel the next day belongs to. None after a record that may have been a damaged 200: a value under
    /// the wrong meter is worse than a rejected one.
    channel: Option<Channel>,
    day: Pending,
    number_max: u64,
}

#[derive(Default, PartialEq, Eq)]
enum Place {
    #[default]
    BeforeHeader,
    Within,
    AfterEnd,
}

/// The day whose 400 records may still follow.
#[derive(Default)]
enum Pending {
    #[default]
    None,
    /// Its 400 and 500 records are part of it, and its line already says why it cannot be read.
    Refused,
    Open(Day),
}

impl File {
    fn record(&mut self, number: u64, bytes: &[u8]) -> Result<(), Unreadable> {
        // Free text in a record may be in any encoding; the fields that count refuse what is not plain below.
        let text = String::from_utf8_lossy(bytes);
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let indicator = fields.first().copied().unwrap_or_default();
        if fields.len() == 1 && indicator.is_empty() {
            return Ok(());
        }
        self.number_max = number;
        match (indicator, &self.at) {
            ("100", Place::BeforeHeader | Place::AfterEnd) => header(&fields)?,
            (_, Place::BeforeHeader) => {
                let reason =
                    format!("the file begins with record {indicator:?}, not with the header 100");
                return Err(Unreadable::new("NO_HEADER", reason));
            }
            ("300", Place::Within) => self.day(number, bytes, &fields),
            ("400", Place::Within) => self.quality(number, bytes, &fields),
            ("500", Place::Within) if !matches!(self.day, Pending::None) => {}
            // A note to an accumulated read that was itself refused.
            ("550", Place::Within) => {}
            _ => self.boundary(number, bytes, indicator, &fields),
        }
        if indicator == "100" {
            self.at = Place::Within;
        }
        Ok(())
    }

    /// A record that ends the day before it.
    fn boundary(&mut self, number: u64, bytes: &[u8], indicator: &str, fields: &[&str]) {
        self.close_day();
        self.channel = None;
        match (indicator, &self.at) {
            ("200", Place::Within) => match Channel::read(fields) {
                Ok(channel) => self.channel = Some(channel),
                Err(refused) => self.refuse(number, bytes, refused),
            },
            ("900", Place::Within) => self.at = Place::AfterEnd,
            ("250", Place::Within) => {
                let reason = "record 250 is an accumulated read (NEM13), which has no intervals";
                self.refuse(number, bytes, Unreadable::new("UNSUPPORTED_RECORD", reason));
            }
            ("100" | "500", Place::Within) => {
                let reason = format!("record {indicator} does not belong at this place");
                self.refuse(number, bytes, Unreadable::new("UNEXPECTED_RECORD", reason));
            }
            (_, Place::AfterEnd) => {
                let reason = format!("record {indicator:?} stands behind the end record 900");
                self.refuse(number, bytes, Unreadable::new("UNEXPECTED_RECORD", reason));
            }
            _ => {
                let reason = format!(
                    "record {indicator:?} is none of 100, 200, 250, 300, 400, 500, 550, 900"
                );
                self.refuse(number, bytes, Unreadable::new("UNKNOWN_RECORD", reason));
            }
        }
    }

    fn day(&mut self, number: u64, bytes: &[u8], fields: &[&str]) {
        self.close_day();
        let day = match &self.channel {
            Some(channel) => Day::read(number, channel, fields),
            None => Err(Unreadable::new(
                "MISSING_CHANNEL",
                "record 300 follows no readable 200 record",
            )),
        };
        match day {
            Ok(day) => self.day = Pending::Open(day),
            Err(refused) => {
                self.refuse(number, bytes, refused);
                self.day = Pending::Refused;
            }
        }
    }

    fn quality(&mut self, number: u64, bytes: &[u8], fields: &[&str]) {
        match &mut self.day {
            Pending::Open(day) if day.quality_varies() => day.range(fields),
            Pending::Refused => {}
            Pending::None | Pending::Open(_) => {
                let reason = "record 400 follows no day of quality V";
                self.refuse(number, bytes, Unreadable::new("UNEXPECTED_RECORD", reason));
            }
        }
    }

    fn close_day(&mut self) {
        if let (Pending::Open(day), Some(channel)) = (std::mem::take(&mut self.day), &self.channel)
        {
            day.close(channel, &mut self.lines);
        }
    }

    fn refuse(&mut self, number: u64, bytes: &[u8], refused: Unreadable) {
        self.lines.push(Line {
            number,
            raw: raw(bytes),
            reading: Err(refused),
        });
    }

    fn end(mut self) -> Result<Vec<Line>, Unreadable> {
        self.close_day();
        if self.at != Place::AfterEnd {
            let refused = Unreadable::new("TRUNCATED", "the file ends without the end record 900");
            self.refuse(self.number_max, b"", refused);
        }
        if self.lines.is_empty() {
            return Err(Unreadable::new(
                "EMPTY_FILE",
                "the file holds no meter data",
            ));
        }
        Ok(self.lines)
    }
}

fn header(fields: &[&str]) -> Result<(), Unreadable> {
    match fields.get(1) {
        // A NEM13 file is told record by record that its reads are not supported.
        Some(&("NEM12" | "NEM13")) => Ok(()),
        version => {
            let version = version.copied().unwrap_or_default();
            Err(Unreadable::new(
                "NO_HEADER",
                format!("the header says {version:?}, not NEM12"),
            ))
        }
    }
}
