//! The functions there are, and what each computes.

use super::TEXT_MAX;
use super::failure::Stop;
use super::value::{Kind, Moment, Value};
use crate::kernel::{Date, Decimal, Exact, calendar::parse_date};
use chrono::Datelike;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Which way `round` goes; the same words as the rounding of a legal entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoundingMode {
    /// To the nearest, halves away from zero (policy 1).
    #[default]
    HalfAwayFromZero,
    /// To the nearest, halves to the even neighbour.
    HalfEven,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
}

impl RoundingMode {
    const ALL: [(RoundingMode, &'static str); 4] = [
        (RoundingMode::HalfAwayFromZero, "half_away_from_zero"),
        (RoundingMode::HalfEven, "half_even"),
        (RoundingMode::Up, "up"),
        (RoundingMode::Down, "down"),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(mode, _)| *mode == self);
        found.map_or("", |(_, name)| name)
    }

    pub(super) fn named(name: &str) -> Option<RoundingMode> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(mode, _)| *mode)
    }
}

/// A function of the language. `attribute`, `field` and `date` of a constant are read by the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Abs,
    Ceil,
    Coalesce,
    Concat,
    Contains,
    Date,
    Day,
    EndsWith,
    Floor,
    Hour,
    Length,
    Lower,
    Max,
    Min,
    Minute,
    Mod,
    Month,
    Number,
    /// Decimals and the way.
    Round(u32, RoundingMode),
    StartsWith,
    Substring,
    Text,
    Trim,
    Upper,
    Weekday,
    Year,
}

impl Function {
    const ALL: [(Function, &'static str, usize, usize); 26] = [
        (Function::Abs, "abs", 1, 1),
        (Function::Ceil, "ceil", 1, 1),
        (Function::Coalesce, "coalesce", 2, usize::MAX),
        (Function::Concat, "concat", 2, usize::MAX),
        (Function::Contains, "contains", 2, 2),
        (Function::Date, "date", 1, 1),
        (Function::Day, "day", 1, 1),
        (Function::EndsWith, "ends_with", 2, 2),
        (Function::Floor, "floor", 1, 1),
        (Function::Hour, "hour", 1, 1),
        (Function::Length, "length", 1, 1),
        (Function::Lower, "lower", 1, 1),
        (Function::Max, "max", 2, usize::MAX),
        (Function::Min, "min", 2, usize::MAX),
        (Function::Minute, "minute", 1, 1),
        (Function::Mod, "mod", 2, 2),
        (Function::Month, "month", 1, 1),
        (Function::Number, "number", 1, 1),
        // Digits and mode are constants, read by the parser.
        (
            Function::Round(0, RoundingMode::HalfAwayFromZero),
            "round",
            1,
            3,
        ),
        (Function::StartsWith, "starts_with", 2, 2),
        (Function::Substring, "substring", 2, 3),
        (Function::Text, "text", 1, 1),
        (Function::Trim, "trim", 1, 1),
        (Function::Upper, "upper", 1, 1),
        (Function::Weekday, "weekday", 1, 1),
        (Function::Year, "year", 1, 1),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        let same = |known: Function| match (known, self) {
            (Function::Round(..), Function::Round(..)) => true,
            (known, asked) => known == asked,
        };
        let found = Self::ALL.iter().find(|(known, ..)| same(*known));
        found.map_or("", |(_, name, ..)| name)
    }

    /// The function with its least and most arguments.
    pub(super) fn named(name: &str) -> Option<(Function, usize, usize)> {
        let found = Self::ALL.iter().find(|(_, known, ..)| *known == name);
        found.map(|(function, _, least, most)| (*function, *least, *most))
    }

    /// Every name, for messages.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(_, name, ..)| *name)
    }
}

/// Weekdays as catalogs write them.
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The value of a call. `coalesce` is not called: the program jumps.
pub(super) fn call<'a>(
    function: Function,
    arguments: &mut [Value<'a>],
    column: usize,
) -> Result<Value<'a>, Stop> {
    let count = arguments.len();
    let mut given = arguments.iter_mut().map(std::mem::take);
    let mut next = || given.next().unwrap_or_default();
    Ok(match function {
        Function::Abs => {
            let n = number(next(), column)?;
            Value::Number(if n.is_negative() { n.negated() } else { n })
        }
        Function::Ceil => Value::Number(round(number(next(), column)?, 0, Way::Ceil, column)?),
        Function::Floor => Value::Number(round(number(next(), column)?, 0, Way::Floor, column)?),
        Function::Round(digits, mode) => {
            let way = Way::Mode(mode);
            Value::Number(round(number(next(), column)?, digits, way, column)?)
        }
        Function::Mod => {
            let (a, b) = (number(next(), column)?, number(next(), column)?);
            let stop = |why| Stop::arithmetic(column, why, format_args!("mod({a}, {b})"));
            let whole = over(a, b).map_err(stop)?;
            let whole = round(whole, 0, Way::Floor, column)?;
            let rest = whole.times(b).and_then(|part| a.minus(part));
            Value::Number(rest.map_err(stop)?)
        }
        Function::Min => extreme(arguments, Ordering::Less, column)?,
        Function::Max => extreme(arguments, Ordering::Greater, column)?,
        Function::StartsWith => pair(next(), next(), column, |a, b| a.starts_with(b))?,
        Function::EndsWith => pair(next(), next(), column, |a, b| a.ends_with(b))?,
        Function::Contains => pair(next(), next(), column, |a, b| a.contains(b))?,
        Function::Length => {
            let count = text(next(), column)?.chars().count();
            Value::Number(Exact::from(i128::try_from(count).unwrap_or(i128::MAX)))
        }
        Function::Lower => {
            let t = text(next(), column)?;
            match t.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
                true => Value::Text(t),
                false => made(t.to_lowercase(), column)?,
            }
        }
        Function::Upper => made(text(next(), column)?.to_uppercase(), column)?,
        Function::Trim => match text(next(), column)? {
            Cow::Borrowed(t) => Value::text(t.trim()),
            Cow::Owned(t) => Value::Text(Cow::Owned(t.trim().to_string())),
        },
        Function::Substring => {
            let whole = text(next(), column)?;
            let from = position(next(), 1, column)?;
            let count = match count {
                2 => usize::MAX,
                _ => position(next(), 0, column)?,
            };
            substring(whole, from, count)
        }
        Function::Concat => {
            let mut out = String::new();
            for value in given {
                out.push_str(&text(value, column)?);
            }
            made(out, column)?
        }
        Function::Text => match next() {
            Value::Text(t) => Value::Text(t),
            Value::Null => return Err(Stop::not_a(column, Kind::Text, &Value::Null)),
            other => made(other.to_string(), column)?,
        },
        Function::Number => match next() {
            Value::Number(n) => Value::Number(n),
            value => {
                let t = text(value, column)?;
                let parsed = t.trim().parse::<Decimal>();
                let stop = |_| {
                    let shown = Value::text(&t).to_string();
                    let why = format!("{shown} is not a number");
                    Stop::new("EXPRESSION_VALUE_INVALID", column, why)
                };
                Value::Number(parsed.map_err(stop)?.into())
            }
        },
        Function::Date => match next() {
            Value::Moment(m) => Value::Date(m.date),
            Value::Date(d) => Value::Date(d),
            Value::Text(t) => {
                let stop = |_| {
                    let shown = Value::text(&t).to_string();
                    let why = format!("{shown} is not a date like 2027-01-31");
                    Stop::new("EXPRESSION_VALUE_INVALID", column, why)
                };
                Value::Date(parse_date(&t).map_err(stop)?)
            }
            other => return Err(Stop::not_a(column, Kind::Date, &other)),
        },
        Function::Year => whole(i128::from(day(next(), column)?.year())),
        Function::Month => whole(i128::from(day(next(), column)?.month())),
        Function::Day => whole(i128::from(day(next(), column)?.day())),
        Function::Weekday => {
            let n = day(next(), column)?.weekday().num_days_from_monday();
            let name = usize::try_from(n).ok().and_then(|n| WEEKDAYS.get(n));
            Value::text(name.copied().unwrap_or_default())
        }
        Function::Hour => whole(i128::from(moment(next(), column)?.minute / 60)),
        Function::Minute => whole(i128::from(moment(next(), column)?.minute % 60)),
        Function::Coalesce => next(),
    })
}

fn whole<'a>(n: i128) -> Value<'a> {
    Value::Number(Exact::from(n))
}

pub(super) fn number(value: Value<'_>, column: usize) -> Result<Exact, Stop> {
    match value {
        Value::Number(n) => Ok(n),
        other => Err(Stop::not_a(column, Kind::Number, &other)),
    }
}

fn text<'a>(value: Value<'a>, column: usize) -> Result<Cow<'a, str>, Stop> {
    match value {
        Value::Text(t) => Ok(t),
        other => Err(Stop::not_a(column, Kind::Text, &other)),
    }
}

fn day(value: Value<'_>, column: usize) -> Result<Date, Stop> {
    match value {
        Value::Date(d) => Ok(d),
        Value::Moment(m) => Ok(m.date),
        other => Err(Stop::not_a(column, Kind::Date, &other)),
    }
}

fn moment(value: Value<'_>, column: usize) -> Result<Moment, Stop> {
    match value {
        Value::Moment(m) => Ok(m),
        other => Err(Stop::not_a(column, Kind::Moment, &other)),
    }
}

fn pair<'a>(
    a: Value<'_>,
    b: Value<'_>,
    column: usize,
    holds: impl Fn(&str, &str) -> bool,
) -> Result<Value<'a>, Stop> {
    Ok(Value::Boolean(holds(&text(a, column)?, &text(b, column)?)))
}

/// A text that was made, if it is not too long.
fn made<'a>(text: String, column: usize) -> Result<Value<'a>, Stop> {
    fits(&text, column)?;
    Ok(Value::Text(Cow::Owned(text)))
}

/// Refuses texts longer than [`TEXT_MAX`].
pub(super) fn fits(text: &str, column: usize) -> Result<(), Stop> {
    match text.len() {
        0..=TEXT_MAX => Ok(()),
        bytes => Err(Stop::new(
            "EXPRESSION_TEXT_TOO_LONG",
            column,
            format!("a text of {bytes} bytes, {TEXT_MAX} are allowed"),
        )),
    }
}

/// A whole number of characters, not below `least`.
fn position(value: Value<'_>, least: usize, column: usize) -> Result<usize, Stop> {
    let n = number(value, column)?;
    let found = usize::try_from(n.numerator())
        .ok()
        .filter(|p| n.denominator() == 1 && *p >= least);
    found.ok_or_else(|| {
        let why = format!("{n} is not a whole number of at least {least}");
        Stop::new("EXPRESSION_VALUE_INVALID", column, why)
    })
}

/// `count` characters from the one with number `from`, the first being 1; what is not there is left out.
fn substring<'a>(text: Cow<'a, str>, from: usize, count: usize) -> Value<'a> {
    let edge = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let start = edge(from.saturating_sub(1));
    let end = edge(from.saturating_sub(1).saturating_add(count)).max(start);
    match text {
        Cow::Borrowed(t) => Value::text(t.get(start..end).unwrap_or_default()),
        Cow::Owned(t) => Value::Text(Cow::Owned(
            t.get(start..end).unwrap_or_default().to_string(),
        )),
    }
}

/// The least or greatest of numbers or dates.
fn extreme<'a>(
    arguments: &mut [Value<'a>],
    wanted: Ordering,
    column: usize,
) -> Result<Value<'a>, Stop> {
    let mut best = Value::Null;
    for value in arguments.iter_mut().map(std::mem::take) {
        match (&value, &best) {
            (Value::Number(_) | Value::Date(_), Value::Null) => best = value,
            (Value::Number(_), Value::Number(_)) | (Value::Date(_), Value::Date(_)) => {
                if value.order(&best) == Some(wanted) {
                    best = value;
                }
            }
            (_, best) => {
                let wanted = best.kind().unwrap_or(Kind::Number);
                return Err(Stop::not_a(column, wanted, &value));
            }
        }
    }
    Ok(best)
}

/// `a` ÷ `b`.
pub(super) fn over(a: Exact, b: Exact) -> Result<Exact, crate::kernel::Rejection> {
    a.share(b.denominator(), b.numerator())
}

#[derive(Clone, Copy)]
enum Way {
    Floor,
    Ceil,
    Mode(RoundingMode),
}

fn round(value: Exact, digits: u32, way: Way, column: usize) -> Result<Exact, Stop> {
    let too_large = || {
        let why = format!("{value} with {digits} decimals needs more than 127 bits");
        Stop::new("EXPRESSION_NUMBER_TOO_LARGE", column, why)
    };
    if value.denominator() == 1 {
        return Ok(value);
    }
    let scale = 10_i128.checked_pow(digits).ok_or_else(too_large)?;
    let scaled = value.share(scale, 1).map_err(|_| too_large())?;
    let (num, den) = (scaled.numerator(), scaled.denominator());
    let (floor, rest) = (num.div_euclid(den), num.rem_euclid(den));
    // A remainder is below the denominator, so what is left of it to the denominator is above zero.
    let up = match way {
        Way::Floor => false,
        Way::Ceil => rest > 0,
        Way::Mode(RoundingMode::Up) => rest > 0 && num > 0,
        Way::Mode(RoundingMode::Down) => rest > 0 && num < 0,
        Way::Mode(mode) => match rest.cmp(&(den - rest)) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal if mode == RoundingMode::HalfEven => floor % 2 != 0,
            Ordering::Equal => num > 0,
        },
    };
    let whole = floor.checked_add(i128::from(up)).ok_or_else(too_large)?;
    Exact::ratio(whole, scale).map_err(|_| too_large())
}
