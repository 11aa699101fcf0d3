//! Getting money from payers through providers.

use super::{folio_terms, folios};
use crate::collections::{self, Collection, Command, Opened, Rules, Stage, Why};
use crate::command::{Collect, Outcome};
use crate::entities::{self, LegalEntity};
use crate::invoices::Invoice;
use crate::kernel::{Rejection, check_id};
use crate::methods::Method;
use crate::payments::Payment;
use crate::session::Session;

pub(super) fn set_rules(
    session: &mut Session<'_>,
    entity: &str,
    rules: Rules,
) -> Result<Outcome, Rejection> {
    session.decide::<LegalEntity>(entity, entities::Command::SetCollection(rules))?;
    Ok(Outcome::of("entity", entity))
}

/// Asks for an invoice, or for everything that is due. One that waits for its next attempt is tried now.
pub(super) fn collect(session: &mut Session<'_>, ask: Collect) -> Result<Outcome, Rejection> {
    let Collect {
        collection,
        account,
        invoice,
        method,
    } = ask;
    check_id("collection", &collection)?;
    let account = folios::holding(session, &account, invoice.as_deref());
    let on = session.today(&folio_terms(session, &account)?.zone);
    if let Some(invoice) = &invoice
        && folios::of_document(session, &session.get::<Invoice>(invoice)?.document)? != account
    {
        return Err(Rejection::new(
            "INVOICE_NOT_OPEN",
            format!("the account has no finalised invoice {invoice:?} to pay"),
        ));
    }
    check_method(session, &account, method.as_deref(), on)?;
    let waiting = session.index().collections_of.get(&account);
    let waiting = waiting.into_iter().flatten().find(|id| {
        let known = session.find::<Collection>(id);
        known.is_some_and(|c| {
            c.state.invoice == invoice && matches!(c.state.stage, Stage::Waiting { .. })
        })
    });
    let id = match waiting.cloned() {
        Some(id) => {
            collections::attempt(session, &id, method, on)?;
            id
        }
        None => {
            let opened = Opened {
                rules: collections::rules_of(session, &account)?,
                account,
                invoice,
                why: Why::Asked,
                on,
            };
            collections::open(session, &collection, opened, method)?;
            collection
        }
    };
    let Some(state) = session.find::<Collection>(&id).map(|c| &c.state) else {
        return Ok(Outcome::of("collection", &id));
    };
    if let (Stage::Closed { reason }, true) = (&state.stage, state.attempts.is_empty()) {
        return Err(Rejection::new(
            "NOTHING_TO_COLLECT",
            format!("account {}: {reason}", state.account),
        ));
    }
    // A wallet pays without a payment.
    let payment = state.attempts.last().map(|a| a.payment.clone());
    let payment = payment.filter(|p| session.find::<Payment>(p).is_some());
    let mut outcome = Outcome::of("collection", &id);
    outcome
        .touched
        .extend(payment.map(|p| ("payment".to_string(), p)));
    Ok(outcome)
}

/// Makes the attempts that are due by today; a late or repeated call does the same.
pub(super) fn collect_due(session: &mut Session<'_>, account: &str) -> Result<Outcome, Rejection> {
    let on = session.today(&folio_terms(session, account)?.zone);
    collections::collect_due(session, account, on)?;
    Ok(Outcome::of("account", account))
}

pub(super) fn close(
    session: &mut Session<'_>,
    collection: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let state = session.get::<Collection>(collection)?;
    if let Some(attempt) = state.under_way() {
        return Err(Rejection::new(
            "COLLECTION_UNDER_WAY",
            format!(
                "payment {} is under way: wait for it or fail it first",
                attempt.payment
            ),
        ));
    }
    let on = session.today(&folio_terms(session, &state.account)?.zone);
    session.decide::<Collection>(collection, Command::Close { reason, on })?;
    Ok(Outcome::of("collection", collection))
}

/// A provider or a wallet can be asked by it today.
fn check_method(
    session: &Session<'_>,
    account: &str,
    method: Option<&str>,
    on: crate::kernel::Date,
) -> Result<(), Rejection> {
    let methods = collections::methods(session, account);
    let mut usable = methods.usable(on).filter(|m| m.collects());
    let found = match method {
        Some(id) => usable.any(|m: &Method| m.id == id),
        None => usable.next().is_some(),
    };
    match found {
        true => Ok(()),
        false => Err(Rejection::new(
            "METHOD_UNUSABLE",
            match method {
                Some(id) => format!(
                    "payment method {id:?} of account {account} is unknown, blocked, expired or not one that can be asked for money"
                ),
                None => format!(
                    "account {account} has no payment method that can be asked for money today"
                ),
            },
        )),
    }
}
