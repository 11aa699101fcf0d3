//! Any usage as lines of JSON (NDJSON): one object to a line, for sources that have no format of their own.
//!
//! Members: `key`, `metric`, `access`, `at` (RFC 3339) and `quantity`, and optionally `unit` and `amount`; every other
//! member is an attribute. It says what a row of `records` says, so a record is the same record in either format.
//!
//! A line is read in one pass, member by member. Numbers are taken as they are written, never through binary fractions
//! (policy 4).

use super::said::{LineRef, Raw, Said};
use super::{Unreadable, fields};
use std::borrow::Cow;

const BAD_JSON: &str = "BAD_JSON";
const CUT_OFF: &str = "TRUNCATED";

/// The fields of a line, in the order in which a missing one is told.
const FIELDS: [&str; 7] = [
    "key", "metric", "access", "at", "quantity", "unit", "amount",
];

/// Hands out every line in file order; empty lines are none.
pub(super) fn each(bytes: &[u8], take: &mut dyn FnMut(LineRef<'_>)) {
    let whole = std::str::from_utf8(bytes).ok();
    let (mut rest, mut number, mut begin) = (bytes, 0, 0);
    let mut said = Said::default();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, after) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
        let from = begin;
        (rest, number, begin) = (after, number + 1, begin + line.len());
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // Where all of a file is text, each of its lines is.
        let text = match whole {
            Some(text) => text.get(from..from + line.len()),
            None => std::str::from_utf8(line).ok(),
        };
        let read = match text {
            Some(text) => Object::new(text.trim_ascii()).read(&mut said),
            None => Err(Unreadable::new("NOT_UTF8", "the line is not utf-8")),
        };
        let read = read.map_err(|fault| cut_off(fault, rest.is_empty() && end.is_none()));
        take(LineRef {
            number,
            raw: Raw::Bytes(line),
            said: read.map(|()| &said),
        });
    }
}

/// A line that ends too early is cut off only where the file ends with it.
fn cut_off(fault: Unreadable, last: bool) -> Unreadable {
    match (fault.code, last) {
        (CUT_OFF, true) => Unreadable::new(CUT_OFF, "the file ends within a line"),
        (CUT_OFF, false) => Unreadable::new(BAD_JSON, fault.reason),
        _ => fault,
    }
}

/// A value as far as usage may have one.
enum Value<'a> {
    Text(Cow<'a, str>),
    /// As it is written.
    Number(&'a str),
    Word(&'static str),
    Null,
}

/// One line on its way.
struct Object<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Object<'a> {
    fn new(text: &'a str) -> Object<'a> {
        Object { text, at: 0 }
    }

    fn read(mut self, said: &mut Said<'a>) -> Result<(), Unreadable> {
        let mut found: [Option<Value<'a>>; FIELDS.len()] = Default::default();
        said.attributes.clear();
        self.expect(b'{')?;
        if self.next_is(b'}') {
            return Err(missing("key"));
        }
        loop {
            let name = self.string()?;
            self.expect(b':')?;
            let value = self.value(&name)?;
            match FIELDS.iter().position(|field| *field == name) {
                Some(field) => {
                    if let Some(place) = found.get_mut(field)
                        && place.replace(value).is_some()
                    {
                        return Err(twice(&name));
                    }
                }
                None => attribute(said, name, value)?,
            }
            if self.next_is(b',') {
                continue;
            }
            self.expect(b'}')?;
            break;
        }
        if self.at < self.text.len() {
            return Err(self.fault("nothing behind the object"));
        }
        fill(said, found)?;
        said.attributes.sort_unstable();
        let pairs = said.attributes.iter().zip(said.attributes.iter().skip(1));
        if let Some(((name, _), _)) = pairs.into_iter().find(|((a, _), (b, _))| a == b) {
            return Err(twice(name));
        }
        Ok(())
    }

    fn blanks(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let blanks = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        self.at += blanks.count();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes a byte if it comes next, blanks aside.
    fn next_is(&mut self, byte: u8) -> bool {
        self.blanks();
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unreadable> {
        match self.next_is(byte) {
            true => Ok(()),
            false => Err(self.fault(&format!("{:?}", char::from(byte)))),
        }
    }

    fn fault(&self, wanted: &str) -> Unreadable {
        let code = if self.at < self.text.len() {
            BAD_JSON
        } else {
            CUT_OFF
        };
        let at = self.at + 1;
        Unreadable::new(code, format!("byte {at} of the line should be {wanted}"))
    }

    /// A string, copied only if it has escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, Unreadable> {
        self.expect(b'"')?;
        let from = self.at;
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        for (n, byte) in rest.iter().enumerate() {
            match byte {
                b'"' => {
                    self.at = from + n + 1;
                    let text = self.text.get(from..from + n).unwrap_or_default();
                    return Ok(Cow::Borrowed(text));
                }
                b'\\' => {
                    let plain = self.text.get(from..from + n).unwrap_or_default();
                    self.at = from + n;
                    return self.escaped(plain.to_owned()).map(Cow::Owned);
                }
                0..0x20 => {
                    self.at = from + n;
                    return Err(self.fault("no control character"));
                }
                _ => {}
            }
        }
        self.at = self.text.len();
        Err(self.fault("the end of a string"))
    }

    /// The rest of a string that has an escape next.
    fn escaped(&mut self, mut out: String) -> Result<String, Unreadable> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let mut chars = rest.chars();
            match chars.next() {
                Some('"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(c) if c >= ' ' => {
                    self.at += c.len_utf8();
                    out.push(c);
                }
                _ => return Err(self.fault("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Unreadable> {
        let kind = self.peek();
        self.at += 1;
        Ok(match kind {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.four()?;
                // A character beyond the first plane is written as two halves.
                let half = (0xD800..0xDC00).contains(&first);
                let code = if half && self.text.get(self.at..self.at + 2) == Some("\\u") {
                    self.at += 2;
                    let second = self.four()?;
                    match second {
                        0xDC00..0xE000 => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                        _ => first,
                    }
                } else {
                    first
                };
                char::from_u32(code).ok_or_else(|| self.fault("a whole character"))?
            }
            _ => {
                self.at -= 1;
                return Err(self.fault("an escape that JSON has"));
            }
        })
    }

    fn four(&mut self) -> Result<u32, Unreadable> {
        let digits = self.text.get(self.at..self.at + 4);
        let code = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.fault("four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    fn value(&mut self, name: &str) -> Result<Value<'a>, Unreadable> {
        self.blanks();
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b'{' | b'[') => Err(Unreadable::new(
                "BAD_FIELD",
                format!("{name} is a list or an object, a record holds plain values"),
            )),
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let words = [
                    ("true", Value::Word("true")),
                    ("false", Value::Word("false")),
                ];
                let mut words = words.into_iter().chain([("null", Value::Null)]);
                let (word, value) = words
                    .find(|(word, _)| rest.starts_with(word))
                    .ok_or_else(|| self.fault("a value"))?;
                self.at += word.len();
                Ok(value)
            }
        }
    }

    /// The text of a number (RFC 8259 6).
    fn number(&mut self) -> Result<&'a str, Unreadable> {
        let from = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let whole = self.digits();
        let leading_zero = self.text.as_bytes().get(self.at - whole) == Some(&b'0');
        let mut good = whole == 1 || (whole > 1 && !leading_zero);
        if self.peek() == Some(b'.') {
            self.at += 1;
            good &= self.digits() > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            good &= self.digits() > 0;
        }
        match good {
            true => Ok(self.text.get(from..self.at).unwrap_or_default()),
            false => Err(self.fault("a number")),
        }
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        digits
    }
}

fn missing(name: &str) -> Unreadable {
    Unreadable::new("MISSING_FIELD", format!("{name} has no value"))
}

fn twice(name: &str) -> Unreadable {
    Unreadable::new("BAD_FIELD", format!("the line names {name:?} twice"))
}

/// Keeps an attribute that has a value, as a cell of a table would say it.
fn attribute<'a>(
    said: &mut Said<'a>,
    name: Cow<'a, str>,
    value: Value<'a>,
) -> Result<(), Unreadable> {
    let value = match value {
        Value::Text(text) => trimmed(text),
        Value::Number(text) | Value::Word(text) => Cow::Borrowed(text),
        Value::Null => return Ok(()),
    };
    if name.is_empty() {
        return Err(Unreadable::new("BAD_FIELD", "a value has no name"));
    }
    if !value.is_empty() {
        said.attributes.push((trimmed(name), value));
    }
    Ok(())
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

fn fill<'a>(
    said: &mut Said<'a>,
    found: [Option<Value<'a>>; FIELDS.len()],
) -> Result<(), Unreadable> {
    let [key, metric, access, at, quantity, unit, amount] = found;
    said.corrects = false;
    said.key = required("key", key)?;
    said.metric = required("metric", metric)?;
    said.access = required("access", access)?;
    said.at_micros = fields::moment("at", &required("at", at)?)?;
    let quantity = exact("quantity", quantity)?.ok_or_else(|| missing("quantity"))?;
    said.quantity = fields::decimal("quantity", &quantity)?;
    said.unit = text("unit", unit)?.unwrap_or(Cow::Borrowed("unit"));
    said.amount = exact("amount", amount)?
        .map(|amount| fields::decimal("amount", &amount))
        .transpose()?;
    Ok(())
}

fn required<'a>(name: &str, value: Option<Value<'a>>) -> Result<Cow<'a, str>, Unreadable> {
    text(name, value)?.ok_or_else(|| missing(name))
}

/// A field that must be a string; an empty one has no value.
fn text<'a>(name: &str, value: Option<Value<'a>>) -> Result<Option<Cow<'a, str>>, Unreadable> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(trimmed(text)).filter(|text| !text.is_empty())),
        Some(Value::Number(_) | Value::Word(_)) => {
            let reason = format!("{name} is a number or a word, it should be a string");
            Err(Unreadable::new("BAD_FIELD", reason))
        }
    }
}

/// A decimal, as a string or as a number.
fn exact<'a>(name: &str, value: Option<Value<'a>>) -> Result<Option<Cow<'a, str>>, Unreadable> {
    match value {
        Some(Value::Number(text)) => Ok(Some(Cow::Borrowed(text))),
        other => text(name, other),
    }
}

#[cfg(test)]
mod tests;
