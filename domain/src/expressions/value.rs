//! What expressions compute with.

use crate::kernel::{Date, Decimal, Exact, Instant, Zone};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// What sort of value something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Number,
    Text,
    Boolean,
    /// A calendar day.
    Date,
    /// A calendar day and a time of day, as clocks showed them in the account's zone.
    Moment,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Number => "a number",
            Kind::Text => "a text",
            Kind::Boolean => "true or false",
            Kind::Date => "a date",
            Kind::Moment => "a moment",
        })
    }
}

/// A local day and time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub date: Date,
    /// Minutes since midnight that local clocks showed, 0–1439.
    pub minute: u16,
}

impl Moment {
    /// What clocks in `zone` showed at `at`.
    pub fn of(zone: &Zone, at: Instant) -> Moment {
        Moment {
            date: zone.date(at),
            minute: zone.minute_of_day(at),
        }
    }
}

/// A value, borrowed from where it came from wherever it can be.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value<'a> {
    /// Not there: an attribute or a field without a value.
    #[default]
    Null,
    Number(Exact),
    Text(Cow<'a, str>),
    Boolean(bool),
    Date(Date),
    Moment(Moment),
}

impl<'a> Value<'a> {
    /// A borrowed text.
    pub fn text(text: &'a str) -> Value<'a> {
        Value::Text(Cow::Borrowed(text))
    }

    /// A borrowed text, or nothing.
    pub fn maybe(text: Option<&'a str>) -> Value<'a> {
        text.map_or(Value::Null, Value::text)
    }

    /// None for what is not there.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Value::Null => None,
            Value::Number(_) => Some(Kind::Number),
            Value::Text(_) => Some(Kind::Text),
            Value::Boolean(_) => Some(Kind::Boolean),
            Value::Date(_) => Some(Kind::Date),
            Value::Moment(_) => Some(Kind::Moment),
        }
    }

    /// The same value, borrowed.
    pub fn lend(&self) -> Value<'_> {
        match self {
            Value::Null => Value::Null,
            Value::Number(n) => Value::Number(*n),
            Value::Text(t) => Value::text(t),
            Value::Boolean(b) => Value::Boolean(*b),
            Value::Date(d) => Value::Date(*d),
            Value::Moment(m) => Value::Moment(*m),
        }
    }

    /// Order of two values of one kind; none for values that have no order with each other.
    pub(super) fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
            (Value::Moment(a), Value::Moment(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

impl From<Exact> for Value<'_> {
    fn from(value: Exact) -> Self {
        Value::Number(value)
    }
}

impl From<Decimal> for Value<'_> {
    fn from(value: Decimal) -> Self {
        Value::Number(value.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Boolean(value)
    }
}

impl From<Date> for Value<'_> {
    fn from(value: Date) -> Self {
        Value::Date(value)
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("nothing"),
            Value::Number(n) => n.fmt(f),
            // Shown in messages: what is longer than a line says nothing more.
            Value::Text(t) if t.chars().count() > SHOWN_MAX => {
                let start: String = t.chars().take(SHOWN_MAX).collect();
                write!(f, "{start:?}…")
            }
            Value::Text(t) => write!(f, "{t:?}"),
            Value::Boolean(b) => b.fmt(f),
            Value::Date(d) => d.fmt(f),
            Value::Moment(m) => write!(f, "{} {:02}:{:02}", m.date, m.minute / 60, m.minute % 60),
        }
    }
}

/// Characters of a text that a message shows.
const SHOWN_MAX: usize = 200;
