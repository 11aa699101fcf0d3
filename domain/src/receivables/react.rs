//! What documents and payments mean for the payer's open items.

use super::{Command, ItemOpened, Receivables, Reversal, Source};
use crate::invoices::{self, Invoice};
use crate::kernel::Rejection;
use crate::payments::{self, Payment};
use crate::session::{Session, Staged};
use crate::world::Event;

/// Follows finalised and voided documents, and payments.
pub fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    match &fact.event {
        Event::Invoice(invoices::Event::Finalised(e)) => finalised(session, &fact.id, e),
        Event::Invoice(invoices::Event::Voided(_)) => voided(session, &fact.id),
        Event::Payment(e) => payment(session, &fact.id, e),
        _ => Ok(()),
    }
}

fn finalised(
    session: &mut Session<'_>,
    invoice: &str,
    e: &invoices::Finalised,
) -> Result<(), Rejection> {
    let (document, back) = (&e.document, e.document.total.negated());
    let command = match &document.corrects {
        _ if document.total.is_zero() => return Ok(()),
        _ if document.total.is_positive() => Command::Open(ItemOpened {
            invoice: invoice.to_string(),
            number: e.number.clone(),
            issued: e.issued,
            due: e.due,
            total: document.total,
        }),
        Some(corrected) => Command::Credit {
            invoice: corrected.clone(),
            note: invoice.to_string(),
            amount: back,
        },
        None => Command::Grant {
            source: Source::Note(invoice.to_string()),
            amount: back,
            reason: format!("credit note {}", e.number),
        },
    };
    session.decide::<Receivables>(&document.account, command)?;
    Ok(())
}

fn voided(session: &mut Session<'_>, invoice: &str) -> Result<(), Rejection> {
    let state = session.get::<Invoice>(invoice)?;
    let (account, total) = (state.document.account.clone(), state.document.total);
    // A draft has no number and was never owed.
    if state.number.is_empty() || total.is_zero() {
        return Ok(());
    }
    if state.document.corrects.is_some() {
        let why = format!(
            "credit note {} corrects an invoice: it cannot be voided, invoice again instead",
            state.number
        );
        return Err(Rejection::new("CREDIT_NOTE_FINAL", why));
    }
    let command = if total.is_positive() {
        Command::Void {
            invoice: invoice.to_string(),
        }
    } else {
        Command::Withdraw {
            source: Source::Note(invoice.to_string()),
        }
    };
    session.decide::<Receivables>(&account, command)?;
    Ok(())
}

fn payment(
    session: &mut Session<'_>,
    payment: &str,
    event: &payments::Event,
) -> Result<(), Rejection> {
    let state = session.get::<Payment>(payment)?;
    let (account, invoice) = (state.account.clone(), state.invoice.clone());
    let payment = payment.to_string();
    let command = match event {
        payments::Event::Recorded(e) if e.pending => Command::Expect {
            payment,
            amount: e.amount,
            invoice,
        },
        payments::Event::Recorded(_) => return Ok(()),
        payments::Event::Settled(e) => Command::Apply {
            payment,
            amount: e.amount,
            invoice,
        },
        payments::Event::Failed(_) => Command::Drop { payment },
        payments::Event::Refunded(e) => Command::Unapply {
            payment,
            amount: e.amount,
            why: Reversal::Refund,
        },
        payments::Event::ChargedBack(e) => Command::Unapply {
            payment,
            amount: e.amount,
            why: Reversal::ChargeBack,
        },
    };
    session.decide::<Receivables>(&account, command)?;
    Ok(())
}
