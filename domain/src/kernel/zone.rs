//! Time zones, which turn instants into business dates: one, or several after each other.

use super::{Date, Instant, Rejection, Text, calendar::add_days, calendar::parse_date};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// Most zones that may follow each other.
pub const ZONES_MAX: usize = 32;

/// An IANA time zone by name, with those that were in force before it. Business dates are calendar days in the account's
/// zone (policy 6).
///
/// - Every day is of one zone. Days from the day of a change on are of the new zone and begin by its clocks; the day before
///   takes what lies between: it is longer where the new zone's days begin later, shorter where they begin earlier, and is one
///   day like one of 23 or 25 hours. No instant is on two days, and days follow each other as instants do.
/// - It is stored as text: the name, and where zones follow each other `Europe/Berlin > 2026-03-01 Asia/Tokyo`, the earliest
///   first, each later one with its first day.
///
/// It holds its rules, because a record of usage asks for its day more than once, and to find rules by name is slow.
#[derive(Clone)]
pub struct Zone {
    /// As it is stored.
    text: Text,
    /// Of the latest zone.
    rules: TimeZone,
    before: Option<Arc<Before>>,
}

/// What was in force before the latest zone.
#[derive(Debug)]
struct Before {
    zone: Zone,
    /// First day of the later zone.
    until: Date,
    /// Clocks show the later zone from here on: the earlier of the two beginnings of `until`.
    switched: Instant,
}

impl Default for Zone {
    fn default() -> Self {
        Zone {
            text: "UTC".into(),
            rules: TimeZone::UTC,
            before: None,
        }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.text == other.text
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
        self.text.cmp(&other.text)
    }
}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.text).finish()
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        // Whether a zone is known was judged when it was set; a log of other rules is read all the same.
        let named = |name: &str| Zone {
            text: name.into(),
            rules: TimeZone::get(name).unwrap_or(TimeZone::UTC),
            before: None,
        };
        let mut parts = text.split(NEXT);
        let mut zone = named(parts.next().unwrap_or_default());
        for part in parts {
            let day = part
                .split_once(' ')
                .map(|(day, name)| (parse_date(day), name));
            if let Some((Ok(from), name)) = day {
                zone = zone.then(&named(name), from);
            }
        }
        Ok(zone)
    }
}

/// Between zones that follow each other, where they are stored.
const NEXT: &str = " > ";

impl Zone {
    /// The name of the latest zone, which may not be in force yet.
    pub fn name(&self) -> &str {
        let last = self.text.rsplit(NEXT).next().unwrap_or_default();
        last.rsplit(' ').next().unwrap_or_default()
    }

    /// The name of the zone whose day a day is.
    pub fn name_on(&self, date: Date) -> &str {
        self.of(date).name()
    }

    /// The zones in force one after the other, the earliest first, each later one with its first day.
    pub fn each(&self) -> Vec<(Option<Date>, &str)> {
        let mut found = self.before.as_ref().map_or(vec![], |b| b.zone.each());
        found.push((self.before.as_ref().map(|b| b.until), self.name()));
        found
    }

    /// The same until a day, and another zone from then on. What was to follow later does not.
    ///
    /// Errors: ZONES_TOO_MANY beyond [`ZONES_MAX`].
    pub fn followed_by(&self, next: &Zone, from: Date) -> Result<Zone, Rejection> {
        let zone = self.until(from);
        if zone.name() == next.name() {
            return Ok(zone.clone());
        }
        if zone.each().len() >= ZONES_MAX {
            return Err(Rejection::new(
                "ZONES_TOO_MANY",
                format!("at most {ZONES_MAX} time zones may follow each other"),
            ));
        }
        Ok(zone.then(next, from))
    }

    /// From which instant on another zone in place of this one from a day on may give other days or other clocks.
    pub fn differs_from(&self, next: &Zone, from: Date) -> Instant {
        self.start_of(from).min(next.start_of(from))
    }

    fn then(&self, next: &Zone, until: Date) -> Zone {
        Zone {
            text: format!("{}{NEXT}{until} {}", self.text, next.name()).into(),
            rules: next.rules.clone(),
            before: Some(Arc::new(Before {
                zone: self.clone(),
                until,
                switched: self.differs_from(&next.alone(), until),
            })),
        }
    }

    /// The latest zone, as if it had always been in force.
    fn alone(&self) -> Zone {
        Zone {
            text: self.name().into(),
            rules: self.rules.clone(),
            before: None,
        }
    }

    /// What is in force on the days before a day.
    fn until(&self, date: Date) -> &Zone {
        match &self.before {
            Some(before) if date <= before.until => before.zone.until(date),
            _ => self,
        }
    }

    /// What is in force on a day.
    fn of(&self, date: Date) -> &Zone {
        match &self.before {
            Some(before) if date < before.until => before.zone.of(date),
            _ => self,
        }
    }

    fn civil(&self, at: Instant) -> jiff::civil::DateTime {
        match &self.before {
            Some(before) if at < before.switched => before.zone.civil(at),
            _ => self.rules.to_datetime(at.timestamp()),
        }
    }

    /// The calendar day on which `at` falls here.
    pub fn date(&self, at: Instant) -> Date {
        let earliest = match &self.before {
            Some(before) if at < before.switched => return before.zone.date(at),
            // Between zones that are more than a day apart.
            Some(before) => add_days(before.until, -1),
            None => Date::MIN,
        };
        let d = self.rules.to_datetime(at.timestamp()).date();
        Date::from_ymd_opt(
            i32::from(d.year()),
            u32::from(d.month().unsigned_abs()),
            u32::from(d.day().unsigned_abs()),
        )
        .unwrap_or_default()
        .max(earliest)
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
        if let Some(before) = &self.before
            && date < before.until
        {
            return before.zone.at(date, minute).min(before.switched);
        }
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
                text: name.into(),
                rules,
                before: None,
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
        f.write_str(&self.text)
    }
}
