//! Runs a program on a small stack.

use super::Names;
use super::compile::{Op, Program};
use super::failure::Stop;
use super::functions::{call, fits, number, over};
use super::tree::Binary;
use super::value::{Kind, Value};
use crate::kernel::{Date, Exact, calendar::days_between};
use std::cmp::Ordering;

/// Values that fit without asking for memory: nearly every expression of a catalog.
const ROOM: usize = 6;

pub(super) fn run<'a>(program: &'a Program, names: &'a dyn Names) -> Result<Value<'a>, Stop> {
    if program.room <= ROOM {
        let mut room = [const { Value::Null }; ROOM];
        return execute(program, names, &mut room);
    }
    let mut room = vec![Value::Null; program.room];
    execute(program, names, &mut room)
}

/// The values in use, the last on top. What the compiler made never takes more than there is.
struct Stack<'r, 'a> {
    room: &'r mut [Value<'a>],
    used: usize,
}

impl<'a> Stack<'_, 'a> {
    fn push(&mut self, value: Value<'a>) {
        if let Some(place) = self.room.get_mut(self.used) {
            *place = value;
            self.used += 1;
        }
    }

    fn pop(&mut self) -> Value<'a> {
        self.used = self.used.saturating_sub(1);
        self.room
            .get_mut(self.used)
            .map(std::mem::take)
            .unwrap_or_default()
    }

    fn top(&self) -> &Value<'a> {
        self.room
            .get(self.used.saturating_sub(1))
            .unwrap_or(&Value::Null)
    }
}

fn execute<'a>(
    program: &'a Program,
    names: &'a dyn Names,
    room: &mut [Value<'a>],
) -> Result<Value<'a>, Stop> {
    let mut stack = Stack { room, used: 0 };
    let mut at = 0;
    while let Some(op) = program.ops.get(at) {
        let column = || program.columns.get(at).copied().unwrap_or(1);
        let name = |n: usize| program.names.get(n).map_or("", String::as_str);
        let mut next = at + 1;
        match *op {
            Op::Constant(n) => {
                stack.push(program.constants.get(n).map_or(Value::Null, Value::lend));
            }
            Op::Name(n) => stack.push(read(names.name(name(n)), "name", name(n), column)?),
            Op::Attribute(n) => {
                stack.push(read(
                    names.attribute(name(n)),
                    "attribute",
                    name(n),
                    column,
                )?);
            }
            Op::Field(n) => {
                stack.push(read(names.field(name(n)), "custom field", name(n), column)?);
            }
            Op::Negative => {
                let n = number(stack.pop(), column())?;
                stack.push(Value::Number(n.negated()));
            }
            Op::Not => {
                let value = truth(&stack.pop(), column)?;
                stack.push(Value::Boolean(!value));
            }
            Op::Binary(operator) => {
                let right = stack.pop();
                let left = stack.pop();
                stack.push(binary(operator, left, right, column)?);
            }
            Op::In(n, negated) => {
                let value = stack.pop();
                let list = program.lists.get(n).map_or(&[][..], Vec::as_slice);
                let mut found = false;
                for entry in list {
                    found = found || equal(&value, entry, column)?;
                }
                stack.push(Value::Boolean(found != negated));
            }
            Op::Call(function, count) => {
                let from = stack.used.saturating_sub(count);
                let arguments = stack.room.get_mut(from..stack.used).unwrap_or_default();
                let value = call(function, arguments, column())?;
                stack.used = from;
                stack.push(value);
            }
            Op::Jump(to) => next = to,
            Op::JumpUnless(to) => {
                if !truth(&stack.pop(), column)? {
                    next = to;
                }
            }
            Op::KeepIf(wanted, to) => {
                if truth(stack.top(), column)? == wanted {
                    next = to;
                } else {
                    stack.pop();
                }
            }
            Op::KeepIfThere(to) => match stack.top() {
                Value::Null => {
                    stack.pop();
                }
                _ => next = to,
            },
            Op::Truth => {
                truth(stack.top(), column)?;
            }
        }
        at = next;
    }
    Ok(stack.pop())
}

fn read<'a>(
    value: Option<Value<'a>>,
    what: &str,
    name: &str,
    column: impl Fn() -> usize,
) -> Result<Value<'a>, Stop> {
    match value {
        Some(Value::Text(text)) => fits(&text, column()).map(|()| Value::Text(text)),
        Some(value) => Ok(value),
        None => Err(Stop::new(
            "EXPRESSION_NAME_UNKNOWN",
            column(),
            format!("there is no {what} {name:?} here"),
        )),
    }
}

fn truth(value: &Value<'_>, column: impl Fn() -> usize) -> Result<bool, Stop> {
    match value {
        Value::Boolean(value) => Ok(*value),
        other => Err(Stop::not_a(column(), Kind::Boolean, other)),
    }
}

/// What is not there equals only what is not there; values of two kinds are not compared.
fn equal(a: &Value<'_>, b: &Value<'_>, column: impl Fn() -> usize) -> Result<bool, Stop> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        (Value::Number(a), Value::Number(b)) => Ok(a == b),
        (Value::Null, other) | (other, Value::Null) => Ok(*other == Value::Null),
        (a, b) => match a.kind() {
            Some(kind) if b.kind() != Some(kind) => Err(Stop::not_a(column(), kind, b)),
            _ => Ok(a == b),
        },
    }
}

fn binary<'a>(
    operator: Binary,
    left: Value<'a>,
    right: Value<'a>,
    column: impl Fn() -> usize,
) -> Result<Value<'a>, Stop> {
    let wanted = match operator {
        Binary::Equal => return Ok(Value::Boolean(equal(&left, &right, column)?)),
        Binary::Unequal => return Ok(Value::Boolean(!equal(&left, &right, column)?)),
        Binary::Less => |o| o == Ordering::Less,
        Binary::AtMost => |o| o != Ordering::Greater,
        Binary::More => |o| o == Ordering::Greater,
        Binary::AtLeast => |o| o != Ordering::Less,
        _ => return arithmetic(operator, left, right, column),
    };
    match left.order(&right) {
        Some(order) => Ok(Value::Boolean(wanted(order))),
        None => Err(no_order(&left, &right, column())),
    }
}

fn no_order(left: &Value<'_>, right: &Value<'_>, column: usize) -> Stop {
    match (left.kind(), right.kind()) {
        (None, kind) => Stop::not_a(column, kind.unwrap_or(Kind::Number), left),
        (Some(Kind::Boolean), _) => Stop::not_a(column, Kind::Number, left),
        (Some(kind), _) => Stop::not_a(column, kind, right),
    }
}

fn arithmetic<'a>(
    operator: Binary,
    left: Value<'a>,
    right: Value<'a>,
    column: impl Fn() -> usize,
) -> Result<Value<'a>, Stop> {
    let (a, b) = match (left, right) {
        (Value::Number(a), Value::Number(b)) => (a, b),
        (Value::Date(a), Value::Date(b)) if operator == Binary::Minus => {
            return Ok(Value::Number(Exact::from(i128::from(days_between(b, a)))));
        }
        (Value::Date(a), Value::Number(b)) if operator == Binary::Plus => {
            return moved(a, b, column()).map(Value::Date);
        }
        (Value::Date(a), Value::Number(b)) if operator == Binary::Minus => {
            return moved(a, b.negated(), column()).map(Value::Date);
        }
        (left, right) => {
            let wrong = match left {
                Value::Number(_) => right,
                Value::Date(_) if matches!(operator, Binary::Plus | Binary::Minus) => right,
                left => left,
            };
            return Err(Stop::not_a(column(), Kind::Number, &wrong));
        }
    };
    let value = match operator {
        Binary::Plus => a.plus(b),
        Binary::Minus => a.minus(b),
        Binary::Times => a.times(b),
        _ => over(a, b),
    };
    value.map(Value::Number).map_err(|why| {
        let what = format!("{a} {} {b}", operator.sign());
        Stop::arithmetic(column(), why, what)
    })
}

/// A date moved by whole days.
fn moved(date: Date, days: Exact, column: usize) -> Result<Date, Stop> {
    let whole = i64::try_from(days.numerator())
        .ok()
        .filter(|_| days.denominator() == 1)
        .and_then(chrono::TimeDelta::try_days)
        .and_then(|days| date.checked_add_signed(days));
    whole.ok_or_else(|| {
        let why = format!("{date} cannot be moved by {days} days");
        Stop::new("EXPRESSION_VALUE_INVALID", column, why)
    })
}
