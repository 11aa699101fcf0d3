//! What a bank says of a file before anything of it is booked (pain.002).
//!
//! A report is taken once by what the bank calls it. What it says of one payment counts more than what it says of its
//! batch, and that more than what it says of the file.

use super::BankFile;
use crate::kernel::{Rejection, key};
use serde::{Deserialize, Serialize};

/// Where a payment or file stands at the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Received, or not decided.
    Pending,
    /// Checked and taken on; nothing has moved.
    Accepted,
    /// Parts of it are refused.
    Partly,
    /// The money has moved.
    Settled,
    Rejected,
}

/// What a bank says, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub status: Status,
    /// ISO reason code such as `AC04`, or the bank's own; empty: none was given.
    pub code: String,
    /// The code in words.
    pub reason: String,
    /// Another try may succeed.
    pub retry: bool,
}

/// A report on a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// What the bank calls it.
    pub report: String,
    /// Of everything it says.
    #[serde(with = "key")]
    pub digest: [u8; 16],
    pub whole: Option<Verdict>,
    /// By the number of the batch.
    pub batches: Vec<(u32, Verdict)>,
    /// By end-to-end id.
    pub payments: Vec<(String, Verdict)>,
    /// End-to-end ids of collections that it refuses, for whoever remembers them.
    pub refused: Vec<String>,
}

pub(super) fn take(
    state: &BankFile,
    report: Reported,
) -> Result<Vec<super::file::Event>, Rejection> {
    if state.items.is_empty() {
        return Err(Rejection::new("BANK_FILE_UNKNOWN", "there is no such file"));
    }
    if state.withdrawn {
        return Err(Rejection::new(
            "BANK_FILE_WITHDRAWN",
            format!(
                "report {} is about a file that was withdrawn as never sent: its payments may be in another one",
                report.report
            ),
        ));
    }
    match state.reports.get(&report.report) {
        Some(digest) if *digest == report.digest => return Ok(vec![]),
        Some(_) => {
            return Err(Rejection::new(
                "REPORT_CHANGED",
                format!(
                    "report {} was taken before with another content",
                    report.report
                ),
            ));
        }
        None => {}
    }
    let known = |end_to_end: &String| state.items.iter().any(|i| i.end_to_end == *end_to_end);
    let strange = report.payments.iter().find(|(id, _)| !known(id));
    let batch = |n: &u32| state.items.iter().any(|i| i.batch == *n);
    if strange.is_some() || report.batches.iter().any(|(n, _)| !batch(n)) {
        return Err(Rejection::new(
            "REPORT_MISMATCH",
            format!(
                "report {} names a payment or batch that the file does not have",
                report.report
            ),
        ));
    }
    let refused = report
        .of(state)
        .filter(|(_, v)| v.status == Status::Rejected);
    let refused = refused.map(|(id, _)| id).collect();
    Ok(vec![Reported { refused, ..report }.into()])
}

pub(super) fn evolve(state: &mut BankFile, report: &Reported) {
    state.reports.insert(report.report.clone(), report.digest);
    if report.whole.is_some() {
        state.whole = report.whole.clone();
    }
    let named: Vec<(String, Verdict)> = report.of(state).collect();
    state.verdicts.extend(named);
}

impl Reported {
    /// What it says of each payment of its file, by end-to-end id.
    ///
    /// A file or batch that is partly refused says nothing of a payment that is not named.
    pub fn of<'a>(&'a self, file: &'a BankFile) -> impl Iterator<Item = (String, Verdict)> + 'a {
        let whole = self.whole.as_ref().filter(|v| v.status != Status::Partly);
        file.items.iter().filter_map(move |item| {
            let named = self.payments.iter().find(|(id, _)| *id == item.end_to_end);
            let batch = self.batches.iter().find(|(n, _)| *n == item.batch);
            let verdict = match (named, batch) {
                (Some((_, verdict)), _) => Some(verdict),
                (None, Some((_, verdict))) if verdict.status != Status::Partly => Some(verdict),
                (None, Some(_)) => None,
                (None, None) => whole,
            };
            verdict.map(|v| (item.end_to_end.clone(), v.clone()))
        })
    }
}
