//! pain.002 (payment status report), ISO 20022: what a bank says of a file of ours before it books anything of it.

use crate::schema;
use crate::xml::{self, Element};
use crate::{Fault, reason};

/// Where a file, batch or payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `RCVD`, `PDNG`: received, or not decided.
    Pending,
    /// `ACTC`, `ACCP`, `ACSP` and the like: checked and taken on.
    Accepted,
    /// `PART`, `PATC`: parts of it are refused.
    Partly,
    /// `ACSC`, `ACCC`: the money has moved.
    Settled,
    /// `RJCT`, `CANC`.
    Rejected,
}

/// What a bank says, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: Status,
    /// ISO reason code, or the bank's own; empty: none was given.
    pub code: String,
}

/// A report on one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the bank calls it.
    pub id: String,
    /// Our file.
    pub message: String,
    /// Of the file as a whole.
    pub whole: Option<Verdict>,
    /// By the id of the batch.
    pub batches: Vec<(String, Verdict)>,
    /// By end-to-end id.
    pub payments: Vec<(String, Verdict)>,
}

/// True if a document looks like a status report; what it is in truth is checked when it is read.
pub fn is_report(text: &str) -> bool {
    let head: String = text.chars().take(HEAD_MAX).collect();
    head.contains("tech:xsd:pain.002.")
}

/// How much of a document is looked at to tell what it is, in characters.
const HEAD_MAX: usize = 2_000;

/// Reads a document.
///
/// # Errors
/// `PAIN_VERSION`, `SCHEMA_VIOLATED`, `PAIN_STATUS`, and what malformed XML is refused for.
pub fn read(text: &str) -> Result<Report, Fault> {
    let root = xml::parse(text)?;
    let namespace = root.namespace.as_deref().unwrap_or_default();
    let message = namespace
        .strip_prefix(schema::NAMESPACE)
        .unwrap_or_default();
    if !message.starts_with("pain.002.") || !schema::knows(message) {
        let known: Vec<_> = schema::messages()
            .filter(|m| m.starts_with("pain.002"))
            .collect();
        return Err(Fault::new(
            "PAIN_VERSION",
            format!(
                "a document of {namespace:?} is none of {}",
                known.join(", ")
            ),
        ));
    }
    schema::valid(text)?;
    let body = root.child("CstmrPmtStsRpt").ok_or_else(broken)?;
    let group = body.child("OrgnlGrpInfAndSts").ok_or_else(broken)?;
    let mut report = Report {
        id: text_of(body, "GrpHdr/MsgId")?,
        message: text_of(group, "OrgnlMsgId")?,
        whole: verdict(group, "GrpSts")?,
        batches: Vec::new(),
        payments: Vec::new(),
    };
    for batch in body.all("OrgnlPmtInfAndSts") {
        let id = batch.text_at(&["OrgnlPmtInfId"]).filter(is_given);
        if let (Some(id), Some(verdict)) = (id, verdict(batch, "PmtInfSts")?) {
            report.batches.push((id.to_owned(), verdict));
        }
        // A bank that refuses a batch gives its reason there and often not again with each payment.
        let above = verdict(batch, "PmtInfSts")?.or_else(|| report.whole.clone());
        for payment in batch.all("TxInfAndSts") {
            let id = payment.text_at(&["OrgnlEndToEndId"]).filter(is_given);
            let own = verdict(payment, "TxSts")?;
            // Listed without a status of its own: as what it is listed under, where that is not mixed.
            let own = own.or_else(|| above.clone().filter(|v| v.status != Status::Partly));
            if let (Some(id), Some(mut verdict)) = (id, own) {
                if verdict.code.is_empty() {
                    let alike = above.as_ref().filter(|a| a.status == verdict.status);
                    verdict.code = alike.map(|a| a.code.clone()).unwrap_or_default();
                }
                report.payments.push((id.to_owned(), verdict));
            }
        }
    }
    Ok(report)
}

/// The schema was checked before: what it demands is there.
fn broken() -> Fault {
    Fault::new("PAIN_STATUS", "the status report says nothing of a file")
}

fn text_of(element: &Element, path: &str) -> Result<String, Fault> {
    element
        .text_at(&[path])
        .map(str::to_owned)
        .ok_or_else(broken)
}

fn is_given(id: &&str) -> bool {
    !id.eq_ignore_ascii_case("NOTPROVIDED")
}

fn verdict(element: &Element, status: &str) -> Result<Option<Verdict>, Fault> {
    let Some(word) = element.text_at(&[status]) else {
        return Ok(None);
    };
    let status = match word {
        "RCVD" | "PDNG" => Status::Pending,
        "ACTC" | "ACCP" | "ACSP" | "ACWC" | "ACWP" | "ACFC" | "ACIS" | "ACPD" => Status::Accepted,
        "PART" | "PATC" => Status::Partly,
        "ACSC" | "ACCC" => Status::Settled,
        "RJCT" | "CANC" => Status::Rejected,
        other => {
            return Err(Fault::new(
                "PAIN_STATUS",
                format!(
                    "the status {other:?} is not known: nothing is done before somebody has looked"
                ),
            ));
        }
    };
    let info = element.child("StsRsnInf");
    let code = info.and_then(|info| info.text_at(&["Rsn/Cd", "Rsn/Prtry"]));
    let said = info
        .and_then(|info| info.text_at(&["AddtlInf"]))
        .unwrap_or_default();
    let code = code.or_else(|| reason::find(said)).unwrap_or_default();
    Ok(Some(Verdict {
        status,
        code: code.to_owned(),
    }))
}
