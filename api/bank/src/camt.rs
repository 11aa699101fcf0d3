//! camt.053 (statement), camt.054 (debit and credit notification) and camt.052 (report of the day so far), ISO 20022, in the
//! versions whose schemas are known ([`crate::schema`]): a document is checked against its own before anything of it is read.
//!
//! Between versions elements moved one level (`Sts`, `Dbtr`) but kept their names, so each is looked for where any version
//! has it. Entries that are not booked yet (`PDNG`, `INFO`, `FUTR`) are left out of statements and notifications: they come
//! again once they are. A report of the day shows the pending ones as well.

use crate::xml::{self, Element};
use crate::{Balance, Detail, Entry, Fault, Kind, Returned, Statement, reason, schema};
use indelible_domain::kernel::{Currency, Date, Decimal, Money, calendar};

/// Reads a document.
///
/// # Errors
/// `CAMT_VERSION`, `SCHEMA_VIOLATED`, `CAMT_FIELD`, and what malformed XML is refused for.
pub fn read(text: &str) -> Result<Vec<Statement>, Fault> {
    let root = xml::parse(text)?;
    let namespace = root.namespace.as_deref().unwrap_or_default();
    let message = namespace
        .strip_prefix(schema::NAMESPACE)
        .unwrap_or_default();
    let kind = message
        .split_once(".001.")
        .filter(|_| schema::knows(message));
    let (kind, body, each) = match kind {
        Some(("camt.052", _)) => (Kind::Interim, "BkToCstmrAcctRpt", "Rpt"),
        Some(("camt.053", _)) => (Kind::Statement, "BkToCstmrStmt", "Stmt"),
        Some(("camt.054", _)) => (Kind::Notification, "BkToCstmrDbtCdtNtfctn", "Ntfctn"),
        _ => {
            let known: Vec<_> = schema::messages()
                .filter(|m| m.starts_with("camt"))
                .collect();
            return Err(Fault::new(
                "CAMT_VERSION",
                format!(
                    "a document of {namespace:?} is none of {}",
                    known.join(", ")
                ),
            ));
        }
    };
    schema::valid(text)?;
    let body = root.child(body).filter(|_| root.name == "Document");
    let body = body.ok_or_else(|| missing("the message", body_path(kind)))?;
    body.all(each)
        .map(|statement| read_one(statement, kind))
        .collect()
}

fn body_path(kind: Kind) -> &'static str {
    match kind {
        Kind::Interim => "Document/BkToCstmrAcctRpt",
        Kind::Statement => "Document/BkToCstmrStmt",
        Kind::Notification => "Document/BkToCstmrDbtCdtNtfctn",
    }
}

fn read_one(statement: &Element, kind: Kind) -> Result<Statement, Fault> {
    let id = required(statement, "a statement", &["Id"])?;
    let what = format!("statement {id}");
    let account = required(statement, &what, &["Acct/Id/IBAN", "Acct/Id/Othr/Id"])?;
    let interim = kind == Kind::Interim;
    let entries = statement.all("Ntry");
    let entries = entries.filter(|entry| is_booked(entry) || interim && is_pending(entry));
    // An entry that is not booked has no day yet.
    let made = date(statement, &what, &["CreDtTm"])?.filter(|_| interim);
    Ok(Statement {
        kind,
        account: account.replace(' ', ""),
        opening: balance(statement, &["OPBD", "PRCD"])?,
        closing: balance(statement, &["CLBD"])?,
        entries: entries
            .map(|e| read_entry(e, &what, made))
            .collect::<Result<_, _>>()?,
        id: id.to_owned(),
    })
}

fn is_booked(entry: &Element) -> bool {
    entry
        .text_at(&["Sts/Cd", "Sts"])
        .is_none_or(|status| status == "BOOK")
}

fn is_pending(entry: &Element) -> bool {
    entry.text_at(&["Sts/Cd", "Sts"]) == Some("PDNG")
}

fn balance(statement: &Element, codes: &[&str]) -> Result<Option<Balance>, Fault> {
    let of = |code: &&str| {
        let mut all = statement.all("Bal");
        all.find(|balance| balance.text_at(&["Tp/CdOrPrtry/Cd"]) == Some(*code))
    };
    let Some(found) = codes.iter().find_map(of) else {
        return Ok(None);
    };
    let amount = signed(money(found, "a balance")?, found, "a balance")?;
    let on = date(found, "a balance", &["Dt/Dt", "Dt/DtTm"])?;
    let on = on.ok_or_else(|| missing("a balance", "Dt"))?;
    Ok(Some(Balance { amount, on }))
}

fn read_entry(entry: &Element, what: &str, made: Option<Date>) -> Result<Entry, Fault> {
    let what = format!("an entry of {what}");
    let amount = signed(money(entry, &what)?, entry, &what)?;
    let value = date(entry, &what, &["ValDt/Dt", "ValDt/DtTm"])?;
    let booked = date(entry, &what, &["BookgDt/Dt", "BookgDt/DtTm"])?
        .or(value)
        .or(made);
    let booked = booked.ok_or_else(|| missing(&what, "BookgDt"))?;
    let mut details = Vec::new();
    for detail in entry.all("NtryDtls").flat_map(|group| group.all("TxDtls")) {
        details.push(read_detail(detail, amount, &what)?);
    }
    if let [only] = details.as_mut_slice()
        && only.amount.is_none()
    {
        only.amount = Some(amount);
    }
    Ok(Entry {
        reference: entry.text_at(&["AcctSvcrRef"]).map(str::to_owned),
        amount,
        reversal: entry
            .text_at(&["RvslInd"])
            .is_some_and(|yes| matches!(yes, "true" | "1")),
        pending: is_pending(entry),
        booked,
        value: value.unwrap_or(booked),
        code: code(entry),
        message: given(entry, &["NtryDtls/Btch/MsgId"]),
        batch: given(entry, &["NtryDtls/Btch/PmtInfId"]),
        details,
    })
}

/// `AmtDtls/TxAmt` is where version 02 says what `Amt` says since.
fn read_detail(detail: &Element, entry: Money, what: &str) -> Result<Detail, Fault> {
    let at = detail
        .child("Amt")
        .map(|_| detail)
        .or_else(|| detail.at("AmtDtls/TxAmt"));
    let amount = at.map(|at| money(at, what)).transpose()?;
    // A transaction in another currency than its entry was exchanged by the bank: its share of the entry is not known here.
    let amount = amount.filter(|a| a.currency == entry.currency);
    let amount = match (amount, detail.child("CdtDbtInd")) {
        (Some(amount), Some(_)) => Some(signed(amount, detail, what)?),
        (Some(amount), None) if entry.is_negative() => Some(amount.negated()),
        (amount, _) => amount,
    };
    let came_in = amount.unwrap_or(entry).is_positive();
    let (party, account) = match came_in {
        true => (["Dbtr/Pty/Nm", "Dbtr/Nm"], "DbtrAcct/Id/IBAN"),
        false => (["Cdtr/Pty/Nm", "Cdtr/Nm"], "CdtrAcct/Id/IBAN"),
    };
    let parties = detail.child("RltdPties");
    let texts: Vec<&str> = detail
        .all("RmtInf")
        .flat_map(|info| info.all("Ustrd"))
        .map(|t| t.text.trim())
        .collect();
    let text = match texts.is_empty() {
        true => detail
            .text_at(&["AddtlTxInf"])
            .unwrap_or_default()
            .to_owned(),
        false => texts.join(" "),
    };
    let structured = ["RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/RfrdDocInf/Nb"];
    Ok(Detail {
        amount,
        reference: given(detail, &["Refs/AcctSvcrRef", "Refs/TxId"]),
        message: given(detail, &["Refs/MsgId"]),
        batch: given(detail, &["Refs/PmtInfId"]),
        end_to_end: given(detail, &["Refs/EndToEndId"]),
        mandate: given(detail, &["Refs/MndtId"]),
        creditor_reference: given(detail, &structured),
        text,
        name: parties.and_then(|p| p.text_at(&party)).map(str::to_owned),
        iban: parties
            .and_then(|p| p.text_at(&[account]))
            .map(|iban| iban.replace(' ', "")),
        returned: returned(detail),
    })
}

fn returned(detail: &Element) -> Option<Returned> {
    let info = detail.child("RtrInf")?;
    let text = info.text_at(&["AddtlInf"]).unwrap_or_default();
    let code = info
        .text_at(&["Rsn/Cd", "Rsn/Prtry"])
        .or_else(|| reason::find(text));
    Some(Returned {
        code: code.unwrap_or_default().to_owned(),
        text: text.to_owned(),
    })
}

fn code(entry: &Element) -> String {
    let Some(code) = entry.child("BkTxCd") else {
        return String::new();
    };
    let parts = ["Domn/Cd", "Domn/Fmly/Cd", "Domn/Fmly/SubFmlyCd"];
    let parts: Vec<&str> = parts
        .iter()
        .filter_map(|path| code.text_at(&[path]))
        .collect();
    match parts.is_empty() {
        true => code.text_at(&["Prtry/Cd"]).unwrap_or_default().to_owned(),
        false => parts.join("-"),
    }
}

/// `NOTPROVIDED` stands for nothing (EPC guidelines).
fn given(element: &Element, paths: &[&str]) -> Option<String> {
    let text = element
        .text_at(paths)
        .filter(|text| !text.eq_ignore_ascii_case("NOTPROVIDED"));
    text.map(str::to_owned)
}

fn money(element: &Element, what: &str) -> Result<Money, Fault> {
    let amount = element.child("Amt").ok_or_else(|| missing(what, "Amt"))?;
    let currency = amount
        .currency
        .as_deref()
        .ok_or_else(|| missing(what, "Amt/@Ccy"))?;
    let currency: Currency = currency.parse()?;
    let number: Decimal = amount.text.trim().parse().map_err(|_| {
        Fault::new(
            "CAMT_FIELD",
            format!(
                "{what} has an amount {:?} that is no number",
                amount.text.trim()
            ),
        )
    })?;
    if number.is_negative() {
        return Err(Fault::new(
            "CAMT_FIELD",
            format!("{what} has an amount below zero"),
        ));
    }
    Ok(Money::parse(number, currency)?)
}

fn signed(amount: Money, element: &Element, what: &str) -> Result<Money, Fault> {
    match element.text_at(&["CdtDbtInd"]) {
        Some("CRDT") => Ok(amount),
        Some("DBIT") => Ok(amount.negated()),
        _ => Err(missing(what, "CdtDbtInd")),
    }
}

/// The day of a date or an instant: the bank's own day, whatever its offset.
fn date(element: &Element, what: &str, paths: &[&str]) -> Result<Option<Date>, Fault> {
    let Some(text) = element.text_at(paths) else {
        return Ok(None);
    };
    let day = text.get(..10).unwrap_or(text);
    let date = calendar::parse_date(day);
    date.map(Some).map_err(|_| {
        Fault::new(
            "CAMT_FIELD",
            format!("{what} has a date {text:?} that is no day"),
        )
    })
}

fn required<'a>(element: &'a Element, what: &str, paths: &[&str]) -> Result<&'a str, Fault> {
    let text = element.text_at(paths);
    text.ok_or_else(|| missing(what, paths.first().unwrap_or(&"")))
}

fn missing(what: &str, path: &str) -> Fault {
    Fault::new("CAMT_FIELD", format!("{what} has no {path}"))
}
