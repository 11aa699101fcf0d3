//! Expressions: the filters, quantities, prices and conditions that a catalog writes as text (docs/expressions.md).
//!
//! - Numbers are exact rationals; nothing is rounded that does not say so, and nothing is a float.
//! - An expression reads the names it is given and nothing else: no clock, no randomness, no state, no files. The same
//!   names give the same value for the same engine and time-zone rules.
//! - There are no loops and no functions of one's own, and a compiled program only ever jumps forward: every node runs at
//!   most once, so [`NODES_MAX`] bounds the steps and [`TEXT_MAX`] what one step can cost.
//! - Kinds are checked when a catalog is published ([`Expression::check`]); what a record then really carries is
//!   checked when it is read, and refused with the expression, the place and the value.

mod compile;
mod failure;
mod functions;
mod parse;
mod print;
mod run;
mod schema;
mod tokens;
mod tree;
mod types;
mod value;

pub use failure::{Failure, Problem};
pub use functions::{Function, RoundingMode};
pub use parse::parse;
pub use schema::Schema;
pub use tree::{Binary, Node, Read, Tree, Unary};
pub use value::{Kind, Moment, Value};

use crate::kernel::{Decimal, Exact, Rejection};
use compile::Program;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Longest source, in bytes.
pub const SOURCE_MAX: usize = 4_000;
/// Most nodes of one expression, and so the most steps of one evaluation.
pub const NODES_MAX: usize = 500;
/// Deepest nesting of parentheses, calls, `if` and signs.
pub const NESTING_MAX: usize = 40;
/// Most entries of one list after `in`.
pub const LIST_MAX: usize = 200;
/// Longest text that an expression reads or makes, in bytes.
pub const TEXT_MAX: usize = 4_000;
/// Most arguments of one call.
pub const ARGUMENTS_MAX: usize = 16;
/// Most decimals that `round` rounds to.
pub const DIGITS_MAX: u32 = 12;

/// What an expression may ask its surroundings for.
///
/// `None` means that the name is not given here at all; a value that is not there (a record without the attribute, a
/// customer without the field) is [`Value::Null`].
pub trait Names {
    /// A plain or dotted name such as `quantity` or `account.country`.
    fn name(&self, name: &str) -> Option<Value<'_>>;

    /// An attribute of the record.
    fn attribute(&self, _name: &str) -> Option<Value<'_>> {
        None
    }

    /// A custom field, by its code.
    fn field(&self, _code: &str) -> Option<Value<'_>> {
        None
    }
}

/// An expression: its source, and beside it the program, made once and shared by all copies.
///
/// Stored, compared and written as its source alone. What cannot be read stays as text, and says so in
/// [`Expression::check`] and when it is evaluated.
#[derive(Clone)]
pub struct Expression(Arc<Held>);

struct Held {
    source: String,
    program: OnceLock<Result<Program, Problem>>,
}

impl Expression {
    /// Takes the source as it is; nothing is checked yet.
    pub fn new(source: impl Into<String>) -> Expression {
        Expression(Arc::new(Held {
            source: source.into(),
            program: OnceLock::new(),
        }))
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What is wrong with it where `schema` is what it may read and `wanted` what it has to come to; empty if nothing is.
    pub fn check(&self, schema: &Schema, wanted: Kind) -> Vec<Problem> {
        match parse(self.source()) {
            Ok(tree) => types::check(&tree, schema, wanted),
            Err(problem) => vec![problem],
        }
    }

    /// Names, attributes and custom fields that it reads; nothing if it cannot be read.
    pub fn reads(&self) -> Vec<Read> {
        parse(self.source()).map_or_else(|_| vec![], |tree| tree.reads())
    }

    /// An expression that comes to so many times as much.
    ///
    /// Errors: EXPRESSION_INVALID where this one cannot be read, or has no room for a factor.
    pub fn times(&self, factor: Decimal) -> Result<Expression, Rejection> {
        let whole: Expression = self.source().parse()?;
        format!("({}) * {factor}", whole.source()).parse()
    }

    /// Its value.
    pub fn eval<'a>(&'a self, names: &'a dyn Names) -> Result<Value<'a>, Failure> {
        match self.program() {
            Ok(program) => run::run(program, names).map_err(|stop| stop.in_source(self.source())),
            Err(problem) => Err(Failure::unreadable(self.source(), problem)),
        }
    }

    /// Its value, which must be true or false.
    pub fn holds(&self, names: &dyn Names) -> Result<bool, Failure> {
        match self.eval(names)? {
            Value::Boolean(value) => Ok(value),
            other => Err(self.not_a(Kind::Boolean, &other)),
        }
    }

    /// Its value, which must be a number.
    pub fn number(&self, names: &dyn Names) -> Result<Exact, Failure> {
        match self.eval(names)? {
            Value::Number(value) => Ok(value),
            other => Err(self.not_a(Kind::Number, &other)),
        }
    }

    /// Its value, which must be a text.
    pub fn text(&self, names: &dyn Names) -> Result<String, Failure> {
        match self.eval(names)? {
            Value::Text(value) => Ok(value.into_owned()),
            other => Err(self.not_a(Kind::Text, &other)),
        }
    }

    fn not_a(&self, wanted: Kind, value: &Value<'_>) -> Failure {
        failure::Stop::not_a(1, wanted, value).in_source(self.source())
    }

    fn program(&self) -> Result<&Program, &Problem> {
        let compile = || parse(self.source()).and_then(|tree| compile::compile(&tree));
        self.0.program.get_or_init(compile).as_ref()
    }
}

impl Default for Expression {
    fn default() -> Self {
        Expression::new("")
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.source())
    }
}

impl std::str::FromStr for Expression {
    type Err = Rejection;

    /// Takes what can be read as an expression; kinds and names are not checked.
    fn from_str(source: &str) -> Result<Self, Rejection> {
        let expression = Expression::new(source);
        match expression.program() {
            Ok(_) => Ok(expression),
            Err(problem) => Err(Rejection::new(
                "EXPRESSION_INVALID",
                format!("expression {source:?}: {problem}"),
            )),
        }
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.source())
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Expression::new)
    }
}
