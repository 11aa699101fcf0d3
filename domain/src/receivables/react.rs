//! What documents and payments mean for the payer's open items.

use super::{Command, Elsewhere, How, ItemOpened, Receivables, Reversal, Source};
use crate::cash::Desk;
use crate::invoices::{self, Invoice};
use crate::kernel::{Date, Money, Rejection};
use crate::operations::{advances, folio_terms, folios};
use crate::payments::{self, Payment};
use crate::session::{Session, Staged};
use crate::world::Event;
use std::collections::BTreeMap;

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
    if !document.kind.is_booked() {
        return Ok(());
    }
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
    let folio = folios::of_document(session, document)?;
    session.decide::<Receivables>(&folio, command)?;
    Ok(())
}

fn voided(session: &mut Session<'_>, invoice: &str) -> Result<(), Rejection> {
    let state = session.get::<Invoice>(invoice)?;
    let total = state.document.total;
    let account = folios::of_document(session, &state.document)?;
    // A draft has no number and was never owed.
    if state.number.is_empty() || total.is_zero() || !state.document.kind.is_booked() {
        return Ok(());
    }
    if state.document.corrects.is_some() {
        let why = format!(
            "credit note {} corrects an invoice: it cannot be voided, invoice again instead",
            state.number
        );
        return Err(Rejection::new("CREDIT_NOTE_FINAL", why));
    }
    unclaim(session, invoice)?;
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

/// What other accounts took over of an item is owed by nobody any more, and neither is what was given for it.
fn unclaim(session: &mut Session<'_>, item: &str) -> Result<(), Rejection> {
    let claims = session.index().claims.of(item);
    let claims: Vec<_> = claims.map(|(id, c)| (id.clone(), c.clone())).collect();
    for (claim, held) in claims {
        unclaim(session, &claim)?;
        let source = Source::Transfer(claim.clone());
        let end = Command::EndClaim {
            claim,
            reason: "its invoice is void".to_string(),
        };
        session.decide::<Receivables>(&held.account, end)?;
        session.decide::<Receivables>(&held.from, Command::Withdraw { source })?;
    }
    Ok(())
}

fn payment(
    session: &mut Session<'_>,
    payment: &str,
    event: &payments::Event,
) -> Result<(), Rejection> {
    let state = session.get::<Payment>(payment)?;
    let (account, invoice) = (state.account.clone(), state.invoice.clone());
    let source = Source::Payment(payment.to_string());
    // What a provider says has happened: it cannot be refused because of what it was meant for.
    let told = state.route.is_some();
    let invoice = invoice.filter(|i| !(told && taken(session, &account, i, payment)));
    // Money for a request is for the invoice that follows it.
    let invoice = match invoice {
        Some(named) => advances::of_request(session, &named, None)?,
        None => None,
    };
    let payment = payment.to_string();
    let command = match event {
        payments::Event::Recorded(e) if e.pending => Command::Expect {
            payment,
            amount: e.amount,
            invoice,
        },
        payments::Event::Recorded(_) => return Ok(()),
        payments::Event::Settled(e) => {
            let how = Box::new(how(session, &account, &payment, e.value)?);
            // A plan that was broken before the money came is broken, whether or not the clock was asked meanwhile.
            if has_plans(session, &account) {
                let on = how.value_date;
                session.decide::<Receivables>(&account, Command::CheckPlans { on })?;
            }
            Command::Apply {
                payment,
                amount: e.amount,
                invoice,
                how,
            }
        }
        payments::Event::Failed(_) => Command::Drop { payment },
        payments::Event::Refunded(e) => {
            fetch(session, &account, &source, e.amount)?;
            Command::Unapply {
                payment,
                amount: e.amount,
                why: Reversal::Refund,
            }
        }
        payments::Event::RefundObserved(e) => {
            fetch(session, &account, &source, e.amount)?;
            Command::Unapply {
                payment,
                amount: e.amount,
                why: Reversal::Refund,
            }
        }
        payments::Event::ChargedBack(e) => {
            fetch(session, &account, &source, e.amount)?;
            Command::Unapply {
                payment,
                amount: e.amount,
                why: Reversal::ChargeBack,
            }
        }
        payments::Event::ChargeBackReversed(e) => Command::Restore {
            payment,
            amount: e.amount,
            invoice,
        },
        // What is open of its items decides what is asked for; nothing of them changes by asking.
        payments::Event::Routed(_)
        | payments::Event::Reduced(_)
        | payments::Event::Sent(_)
        | payments::Event::Accepted(_)
        | payments::Event::ActionAsked(_)
        | payments::Event::AnswerLost(_)
        | payments::Event::Contradicted(_)
        | payments::Event::Acknowledged(_)
        | payments::Event::RefundAsked(_)
        | payments::Event::RefundSent(_)
        | payments::Event::RefundAccepted(_)
        | payments::Event::RefundLost(_)
        | payments::Event::RefundFailed(_) => return Ok(()),
    };
    session.decide::<Receivables>(&account, command)?;
    Ok(())
}

/// Whether an account has a payment plan in force.
fn has_plans(session: &Session<'_>, account: &str) -> bool {
    session
        .find::<Receivables>(account)
        .is_some_and(|e| !e.state.plans.is_empty())
}

/// By what a payment of an account is applied: the entity's rules, the day it counts from, and the tax of open invoices
/// where a discount may be taken of it.
fn how(
    session: &Session<'_>,
    account: &str,
    payment: &str,
    settled: Date,
) -> Result<How, Rejection> {
    let entity = folio_terms(session, account)?.entity;
    let rules = session.find::<Desk>(&entity).map(|e| e.state.rules.clone());
    let rules = rules.unwrap_or_default();
    let state = session.find::<Receivables>(account).map(|e| &e.state);
    let remitted = state.and_then(|s| s.remittances.get(payment));
    let value_date = remitted.map_or(settled, |r| r.value_date);
    let mut tax = BTreeMap::new();
    if !rules.discounts.is_empty() {
        for item in state.into_iter().flat_map(Receivables::open_items) {
            if let Some(invoice) = session.find::<Invoice>(&item.invoice) {
                tax.insert(item.invoice.clone(), invoice.state.document.tax);
            }
        }
    }
    Ok(How {
        rules,
        value_date,
        tax,
    })
}

/// Brings back what of a source is a deposit or with other accounts, as far as its money has to go: a payer's bank does
/// not ask where it is. What other accounts paid with it is open there again.
fn fetch(
    session: &mut Session<'_>,
    account: &str,
    source: &Source,
    amount: Money,
) -> Result<(), Rejection> {
    let fund = session.find::<Receivables>(account);
    let Some(fund) = fund.and_then(|e| e.state.fund(source)).cloned() else {
        return Ok(());
    };
    let mut missing = amount.minus(fund.here().min(amount));
    for moved in fund.moved {
        let part = moved.amount.min(missing);
        if !part.is_positive() {
            break;
        }
        missing = missing.minus(part);
        match moved.to {
            Elsewhere::Deposit(deposit) => {
                let give = Command::ReleaseDeposit {
                    deposit,
                    amount: Some(part),
                    source: Some(source.clone()),
                    invoice: None,
                    hold: true,
                    reason: "its payment goes back".to_string(),
                };
                session.decide::<Receivables>(account, give)?;
            }
            Elsewhere::Account {
                transfer,
                account: other,
            } => {
                let theirs = Source::Transfer(transfer.clone());
                fetch(session, &other, &theirs, part)?;
                let recall = Command::Recall {
                    source: theirs,
                    amount: part,
                };
                session.decide::<Receivables>(&other, recall)?;
                let back = Command::TakeBack {
                    transfer,
                    source: source.clone(),
                    amount: part,
                };
                session.decide::<Receivables>(account, back)?;
            }
            // Only credit without a payment is paid out; it cannot be asked for again.
            Elsewhere::PaidOut(_) => {}
        }
    }
    Ok(())
}

/// Another payment of the invoice is under way, or it is gone: money that came all the same goes to what is open.
fn taken(session: &Session<'_>, account: &str, invoice: &str, payment: &str) -> bool {
    let owed = session.find::<Receivables>(account);
    owed.and_then(|owed| owed.state.item(invoice))
        .is_none_or(|item| {
            item.pending
                .as_deref()
                .is_some_and(|other| other != payment)
        })
}
