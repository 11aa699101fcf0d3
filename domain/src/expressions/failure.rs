//! What is wrong with an expression when it is published, and what went wrong when it was evaluated.

use super::{Kind, Value};
use crate::kernel::Rejection;
use std::fmt;

/// Something wrong with an expression, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Character of the source, from 1.
    pub column: usize,
    pub message: String,
}

impl Problem {
    pub(super) fn at(column: usize, message: impl Into<String>) -> Problem {
        Problem {
            column,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

/// Why an expression has no value for these names: code, expression, place and the value that did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable; listed in docs/expressions.md.
    pub code: &'static str,
    pub expression: String,
    /// Character of the source, from 1.
    pub column: usize,
    pub message: String,
}

impl Failure {
    pub(super) fn unreadable(source: &str, problem: &Problem) -> Failure {
        Failure {
            code: "EXPRESSION_INVALID",
            expression: source.to_string(),
            column: problem.column,
            message: problem.message.clone(),
        }
    }

    /// The refusal that names the rule as well, such as `charge roaming, filter`.
    pub fn of(&self, rule: impl fmt::Display) -> Rejection {
        Rejection::new(self.code, format!("{rule}: {self}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expression = Value::text(&self.expression);
        write!(
            f,
            "expression {expression}, column {}: {}",
            self.column, self.message
        )
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        Rejection::new(failure.code, failure.to_string())
    }
}

/// A failure before it knows its source: evaluation copies no text while all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub code: &'static str,
    pub column: usize,
    pub message: String,
}

impl Stop {
    pub fn new(code: &'static str, column: usize, message: impl Into<String>) -> Stop {
        Stop {
            code,
            column,
            message: message.into(),
        }
    }

    /// A value of another kind than an operator, a function or the caller takes.
    pub fn not_a(column: usize, wanted: Kind, value: &Value<'_>) -> Stop {
        match value {
            Value::Null => Stop::new(
                "EXPRESSION_VALUE_MISSING",
                column,
                format!(
                    "{wanted} is needed and there is no value: say what to take with coalesce(…)"
                ),
            ),
            value => Stop::new(
                "EXPRESSION_VALUE_KIND",
                column,
                format!("{wanted} is needed, {value} is given"),
            ),
        }
    }

    /// A number that left the range of exact numbers, or was divided by zero.
    pub fn arithmetic(column: usize, why: Rejection, what: impl fmt::Display) -> Stop {
        let code = match why.code.as_str() {
            "DIVISION_BY_ZERO" => "EXPRESSION_DIVISION_BY_ZERO",
            _ => "EXPRESSION_NUMBER_TOO_LARGE",
        };
        Stop::new(code, column, format!("{what}: {}", why.message))
    }

    pub fn in_source(self, source: &str) -> Failure {
        Failure {
            code: self.code,
            expression: source.to_string(),
            column: self.column,
            message: self.message,
        }
    }
}
