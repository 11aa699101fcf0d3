//! Voiding and crediting finalised documents.

use super::billing::{number, owner_of, unclaim};
use super::{account_terms, entity_terms, exchange, stated};
use crate::charges::{self, Charges};
use crate::command::Outcome;
use crate::invoices::{Command, Credited, Invoice, Line, Stage, compose};
use crate::kernel::{Money, Rejection, check_id};
use crate::session::Session;

/// Keeps the number, releases the charges to the next run; the receivable is closed by the reaction to it (policy 23).
pub(super) fn void(
    session: &mut Session<'_>,
    invoice: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let state = session.get::<Invoice>(invoice)?;
    // A draft has no number that the document itself could be named by.
    if state.stage == Stage::Void && state.number.is_empty() {
        return Err(Rejection::new(
            "INVOICE_VOID",
            format!("draft {invoice} is already void"),
        ));
    }
    let lines = state.document.lines.clone();
    session.decide::<Invoice>(invoice, Command::Void { reason })?;
    let account = session.get::<Invoice>(invoice)?.document.account.clone();
    unclaim(session, invoice, &account, &lines)?;
    super::shares::take_back(session, invoice)?;
    Ok(Outcome::of("invoice", invoice))
}

pub(super) fn credit(
    session: &mut Session<'_>,
    note: &str,
    invoice: &str,
    parts: &[(u32, Option<Money>)],
    reason: &str,
) -> Result<Outcome, Rejection> {
    check_id("credit note", note)?;
    let state = session.get::<Invoice>(invoice)?.clone();
    if state.stage != Stage::Finalised {
        return Err(Rejection::new(
            "INVOICE_NOT_FINAL",
            format!("document {invoice} is not finalised: it cannot be credited"),
        ));
    }
    if !state.document.kind.is_booked() {
        return Err(Rejection::new(
            "NOT_AN_INVOICE",
            format!(
                "document {} asks for an advance and is no invoice: close the advance instead",
                state.number
            ),
        ));
    }
    let mut exact_parts = Vec::new();
    for (no, amount) in parts {
        let line = state.line(*no).ok_or_else(|| {
            Rejection::new(
                "LINE_UNKNOWN",
                format!("document {} has no line {no}", state.number),
            )
        })?;
        exact_parts.push((*no, asked(&state, line, *amount)?));
    }
    if exact_parts.is_empty() {
        return Err(Rejection::new(
            "NOTHING_TO_CREDIT",
            "a credit note needs at least one line",
        ));
    }
    let told = super::advances::taxes_of(session, &state, &exact_parts)?;
    let (mut document, credited) =
        compose::credit_note(&state, invoice, note, &exact_parts, &told)?;
    for line in &mut document.lines {
        line.explain.push_str(&format!(" ({reason})"));
    }
    for part in &credited {
        if let Some(line) = state.line(part.line) {
            let last = part.net == state.line_left(line);
            let asked = as_priced(session, invoice, line, part)?;
            let amount = exchange::taken_off(session, invoice, line, asked, last)?;
            // So little that the currency of the sale has no coin for it.
            if line.converted.is_some() && amount.is_zero() {
                continue;
            }
            let adjust = charges::Command::Adjust {
                invoice: invoice.to_string(),
                line: part.line,
                amount,
            };
            session.decide::<Charges>(&owner_of(line), adjust)?;
        }
    }
    let stated = stated::of_note(session, &state, &document)?;
    super::advances::credited(session, note, &state, &credited)?;
    session.decide::<Invoice>(invoice, Command::Credit { parts: credited })?;
    let entity = entity_terms(session, &document.entity)?;
    // A note is made out to whom its invoice was.
    let buyer = match state.buyer {
        Some(buyer) => Some(buyer),
        None => account_terms(session, &document.account)?.buyer,
    };
    let issued = session.today(&entity.zone);
    let shared = super::shares::parts(session, &document)?;
    super::shares::told(&mut document, &shared);
    let of = (document.entity.clone(), document.account.clone());
    let (number, issued) = number(session, note, &entity.number_prefix, &document, issued)?;
    session.decide::<Invoice>(
        note,
        Command::Finalise {
            number,
            issued,
            due: issued,
            document: Box::new(document),
            buyer,
        },
    )?;
    super::shares::owe(session, note, of, issued, shared)?;
    stated::tell(session, note, stated)?;
    Ok(Outcome::of("invoice", note))
}

/// What is asked to be credited of a line: all that is left where nothing is said.
///
/// Errors: NOTHING_TO_CREDIT, CREDIT_NOT_POSITIVE, CURRENCY_MISMATCH. That it is no more than is left is seen when the parts
/// are taken off.
fn asked(of: &Invoice, line: &Line, amount: Option<Money>) -> Result<Money, Rejection> {
    let (no, number, left) = (line.no, &of.number, of.line_left(line));
    let Some(amount) = amount else {
        if left.is_positive() {
            return Ok(left);
        }
        return Err(Rejection::new(
            "NOTHING_TO_CREDIT",
            format!(
                "line {no} of {number} was {}, of which {left} is left: only what is left above zero can be credited",
                line.net
            ),
        ));
    };
    if amount.currency != left.currency {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!("line {no} of {number} has {left} left, asked to credit {amount}"),
        ));
    }
    if amount.is_positive() {
        return Ok(amount);
    }
    Err(Rejection::new(
        "CREDIT_NOT_POSITIVE",
        match left.is_positive() {
            true => format!(
                "asked to credit {amount} of line {no} of {number}: more than zero and up to {left} can be credited"
            ),
            false => format!(
                "asked to credit {amount} of line {no} of {number}: {left} is left of it, and nothing can be credited"
            ),
        },
    ))
}

/// What a part of a credit note takes off a line as its price is told: of a price that includes tax, tax included, and no
/// more than is left of it by the cents that its group's tax was rounded.
fn as_priced(
    session: &Session<'_>,
    invoice: &str,
    line: &Line,
    part: &Credited,
) -> Result<Money, Rejection> {
    let Some(gross) = line.gross else {
        return Ok(part.net);
    };
    let taxed = part.net.plus(part.tax);
    if line.converted.is_some() {
        return Ok(taxed.min(gross));
    }
    let charges = session.find::<Charges>(&owner_of(line)).map(|e| &e.state);
    let item = charges.and_then(|c| {
        let item = c
            .items
            .iter()
            .find(|i| i.invoice == invoice && i.line == part.line)?;
        Some(c.left(item))
    });
    Ok(item.map_or(taxed, |left| taxed.min(left)))
}
