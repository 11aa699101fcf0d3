//! Whether a document is what the schema of its message allows: elements in their order and number, choices, and values.
//!
//! - The facts of each message that we read or write are in `facts.txt`, in a notation of our own ([`facts`]); of XML Schema
//!   only what the ISO 20022 messages use is known here.
//! - A document is refused whole, with all that is wrong with it up to [`PROBLEMS_MAX`]: line, path, what is there and what
//!   was expected.
//! - The documents themselves are the judge: tests compare verdicts with `xmllint` and the schemas of ISO over thousands of
//!   damaged documents. Stricter here: `xsi:type` is refused, which the messages have no use for.

mod check;
#[cfg(test)]
mod differential;
mod facts;
mod pattern;
mod value;

use crate::Fault;
use std::fmt;

/// Most problems that are told of one document.
pub const PROBLEMS_MAX: usize = 20;

/// One thing that the schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// From the root, e.g. `Document/BkToCstmrStmt/Stmt/Bal`.
    pub path: String,
    /// What is, and what was expected.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {}", self.line, self.path, self.what)
    }
}

/// The namespaces that all messages have before their name.
pub const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";

/// Messages whose schema is known, e.g. `camt.053.001.08`, in order.
pub fn messages() -> impl Iterator<Item = &'static str> {
    facts::facts().messages.keys().copied()
}

/// True if the schema of a message is known.
pub fn knows(message: &str) -> bool {
    facts::facts().messages.contains_key(message)
}

/// What the schema of its message does not allow in a document; empty: it is valid.
///
/// # Errors
/// `XML_MALFORMED` for what is no XML, `BANK_MESSAGE_UNKNOWN` for a message whose schema is not known.
pub fn problems(document: &str) -> Result<Vec<Problem>, Fault> {
    check::check(document)
}

/// Refuses a document that the schema of its message does not allow.
///
/// # Errors
/// `SCHEMA_VIOLATED` with every problem, and what [`problems`] says.
pub fn valid(document: &str) -> Result<(), Fault> {
    let problems = problems(document)?;
    if problems.is_empty() {
        return Ok(());
    }
    let count = match problems.len() {
        PROBLEMS_MAX => format!("{PROBLEMS_MAX} problems or more"),
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    let each: Vec<String> = problems.iter().map(Problem::to_string).collect();
    Err(Fault::new(
        "SCHEMA_VIOLATED",
        format!(
            "the document is not valid by the schema of its message, {count}: {}",
            each.join("; ")
        ),
    ))
}
