//! What a bank says happened on an account, whatever the format it says it in.

use crate::status::{self, Report};
use crate::{FILE_BYTES_MAX, Fault, camt, mt940};
use indelible_domain::kernel::{Date, Money};

/// What kind of message it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Booked entries between two balances: camt.053, MT940.
    Statement,
    /// Entries announced or explained, without balances: camt.054.
    Notification,
    /// What the day has brought so far, booked or pending: camt.052. Information only.
    Interim,
}

/// A balance at the end of a day; negative: overdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    pub amount: Money,
    pub on: Date,
}

/// One statement or notification of one account.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub kind: Kind,
    /// What the bank calls it; unique within its account.
    pub id: String,
    /// IBAN, or the bank's own number where there is none.
    pub account: String,
    pub opening: Option<Balance>,
    pub closing: Option<Balance>,
    pub entries: Vec<Entry>,
}

/// One entry. All are booked but those of interim statements.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The bank's own reference of the entry, the same in every message about it.
    pub reference: Option<String>,
    /// Positive: money came in. Of a reversal, the sign is already turned as booked.
    pub amount: Money,
    pub reversal: bool,
    /// The bank has not booked it; `booked` is when it expects to.
    pub pending: bool,
    pub booked: Date,
    pub value: Date,
    /// ISO bank transaction code `PMNT-RCDT-ESCT`, or the bank's own.
    pub code: String,
    /// Our own file and batch, where the entry books one.
    pub message: Option<String>,
    pub batch: Option<String>,
    /// What the entry is made of; empty: nothing is known but the sum.
    pub details: Vec<Detail>,
}

/// One transaction of an entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    /// With the sign of its entry. None: the bank did not say.
    pub amount: Option<Money>,
    /// The bank's own reference of the transaction.
    pub reference: Option<String>,
    pub message: Option<String>,
    pub batch: Option<String>,
    /// As whoever started the payment gave it; `NOTPROVIDED` is left out.
    pub end_to_end: Option<String>,
    pub mandate: Option<String>,
    /// Structured creditor reference.
    pub creditor_reference: Option<String>,
    /// Unstructured text, in one line.
    pub text: String,
    /// Who is on the other side.
    pub name: Option<String>,
    pub iban: Option<String>,
    pub returned: Option<Returned>,
}

/// Why a payment came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// ISO reason code such as `AM04`; empty: the bank gave none that we know.
    pub code: String,
    pub text: String,
}

/// What a file from a bank is.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    Statements(Vec<Statement>),
    Report(Report),
}

/// Reads whatever a bank sends: statements of any known format, or a status report on a file of ours.
///
/// # Errors
/// As [`read`], and what the reader of status reports says.
pub fn incoming(bytes: &[u8]) -> Result<Incoming, Fault> {
    if bytes.len() <= FILE_BYTES_MAX {
        let text = text(bytes);
        let begin = begin(&text);
        if begin.starts_with('<') && status::is_report(begin) {
            return status::read(begin).map(Incoming::Report);
        }
    }
    read(bytes).map(Incoming::Statements)
}

fn begin(text: &str) -> &str {
    text.trim_start_matches(['\u{feff}', ' ', '\r', '\n', '\t'])
}

/// Reads a statement file of any known format, by its content.
///
/// # Errors
/// `BANK_FORMAT_UNKNOWN`, or what the format's reader says.
pub fn read(bytes: &[u8]) -> Result<Vec<Statement>, Fault> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Fault::new(
            "BANK_FILE_SIZE",
            format!(
                "the file has {} bytes, more than {FILE_BYTES_MAX}",
                bytes.len()
            ),
        ));
    }
    let text = text(bytes);
    let begin = begin(&text);
    let statements = match begin.chars().next() {
        Some('<') => camt::read(begin)?,
        Some(':' | '{') => mt940::read(begin)?,
        _ => {
            return Err(Fault::new(
                "BANK_FORMAT_UNKNOWN",
                "the file is neither camt.052, camt.053, camt.054 nor MT940",
            ));
        }
    };
    for statement in &statements {
        check(statement)?;
    }
    Ok(statements)
}

/// UTF-8, or else ISO 8859-1: what MT940 files of old come in.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
    }
}

/// Opening balance and entries make the closing balance, and the parts of an entry make the entry; otherwise the file is
/// damaged or misread, and nothing of it is taken.
fn check(statement: &Statement) -> Result<(), Fault> {
    let wrong = |message: String| Fault::new("STATEMENT_DOES_NOT_ADD_UP", message);
    if statement.kind == Kind::Interim {
        return check_parts(statement);
    }
    let mut sum: i128 = 0;
    let currency = statement
        .opening
        .or(statement.closing)
        .map(|balance| balance.amount.currency);
    for entry in &statement.entries {
        if currency.is_some_and(|currency| currency != entry.amount.currency) {
            return Err(wrong(format!(
                "statement {} has balances and entries of different currencies",
                statement.id
            )));
        }
        sum = sum
            .checked_add(entry.amount.minor)
            .ok_or_else(|| wrong("the entries do not fit".to_owned()))?;
    }
    check_parts(statement)?;
    let (Some(opening), Some(closing)) = (statement.opening, statement.closing) else {
        return Ok(());
    };
    if opening.amount.currency != closing.amount.currency
        || opening.amount.minor.checked_add(sum) != Some(closing.amount.minor)
    {
        return Err(wrong(format!(
            "statement {} opens with {} and closes with {}, but its entries sum to {}",
            statement.id,
            opening.amount,
            closing.amount,
            Money::new(sum, opening.amount.currency)
        )));
    }
    Ok(())
}

/// The parts of an entry make the entry, where all of them say what they are.
fn check_parts(statement: &Statement) -> Result<(), Fault> {
    for entry in &statement.entries {
        let parts: Option<Vec<Money>> = entry.details.iter().map(|d| d.amount).collect();
        let parts = parts.filter(|parts| {
            !parts.is_empty() && parts.iter().all(|p| p.currency == entry.amount.currency)
        });
        let Some(parts) = parts else { continue };
        let whole = parts
            .iter()
            .try_fold(0_i128, |sum, part| sum.checked_add(part.minor));
        if whole != Some(entry.amount.minor) {
            return Err(Fault::new(
                "STATEMENT_DOES_NOT_ADD_UP",
                format!(
                    "the transactions of an entry of {} on {} sum to something else",
                    entry.amount, entry.booked
                ),
            ));
        }
    }
    Ok(())
}
