//! Files out: which payments go into one, and when their money moves.

use super::order::Orders;
use super::{bank_terms, follow};
use crate::accounts::folio;
use crate::bank::file::{self, Amended, Command, FILE_ID_MAX, ITEMS_MAX};
use crate::bank::{BankFile, Item, Order, Sequence, Terms, end_to_end, target};
use crate::command::Outcome;
use crate::kernel::{Date, Id, Rejection, check_id};
use crate::methods::{Kind, Mandate, MandateTerm, Means, Method, Methods, Scheme};
use crate::operations::{entity_terms, folio_terms};
use crate::payments::{Payment, Stage};
use crate::session::Session;
use std::collections::BTreeMap;

/// What payment methods that are collected by file name their provider.
const GATEWAY: &str = "direct-debit";

/// What makes a batch: its bookings have these in common (pain.008 states them once for each batch).
type Batch = (u8, Sequence, Date);

pub(in crate::operations) fn draw_debits(
    session: &mut Session<'_>,
    file: &str,
    bank: &str,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let terms = bank_terms(session, bank)?;
    if terms.creditor_id.is_none() {
        return Err(Rejection::new(
            "CREDITOR_ID_MISSING",
            format!("bank account {bank} has no creditor identifier: it cannot collect"),
        ));
    }
    let on = day(session, &terms, on)?;
    let waiting = waiting(session, &terms, on);
    let mut orders = Orders::new(&waiting);
    let mut items: Vec<Item> = Vec::new();
    let mut refused = Vec::new();
    for waits in waiting.iter().take(ITEMS_MAX) {
        let state = session.get::<Payment>(&waits.payment)?;
        let mut item = Item {
            payment: waits.payment.clone(),
            end_to_end: reference(&waits.payment, state),
            amount: state.amount,
            on: due(state).map_or(on, |due| on.max(target::next(due))),
            text: text(state),
            batch: 0,
            order: Order::Transfer { number: 0 },
            account: waits.mandate.bank.clone(),
        };
        match orders.order(session, &terms, waits, &item)? {
            Ok(order) => {
                item.order = order;
                items.push(item);
            }
            Err(why) => {
                follow::fail(session, &item, why.code, why.message, false)?;
                refused.push(waits.payment.clone());
            }
        }
    }
    let left = waiting.len().saturating_sub(ITEMS_MAX) as u64;
    if items.is_empty() && !refused.is_empty() {
        // Nothing is left for a file, and that is worth keeping: the payments go on by another way or are dunned.
        let touched = refused.into_iter().map(|id| ("payment".to_string(), id));
        return Ok(Outcome {
            left,
            touched: touched.collect(),
            ..Outcome::default()
        });
    }
    let amendments = orders.amendments;
    let outcome = draw(session, file, bank, items, left)?;
    session.decide::<BankFile>(file, Command::Amend(Amended { amendments }))?;
    Ok(outcome)
}

/// Numbers the batches in the order of what makes them, so that the same payments make the same file.
pub(super) fn draw(
    session: &mut Session<'_>,
    file: &str,
    bank: &str,
    mut items: Vec<Item>,
    left: u64,
) -> Result<Outcome, Rejection> {
    check_id("file", file)?;
    if file.len() > FILE_ID_MAX || file.contains('_') {
        return Err(Rejection::new(
            "ID_INVALID",
            format!("banks take file ids of at most {FILE_ID_MAX} characters without _"),
        ));
    }
    if items.is_empty() {
        return Err(Rejection::new(
            "NOTHING_TO_DRAW",
            format!("nothing waits for a file of bank account {bank}"),
        ));
    }
    let mut batches: BTreeMap<Batch, u32> = items.iter().map(|i| (batch(i), 0)).collect();
    for (number, batch) in (1..).zip(batches.values_mut()) {
        *batch = number;
    }
    for item in &mut items {
        item.batch = batches.get(&batch(item)).copied().unwrap_or_default();
    }
    let drawn = file::Drawn {
        bank: bank.to_string(),
        at: session.now(),
        items,
    };
    session.decide::<BankFile>(file, Command::Draw(drawn))?;
    Ok(Outcome {
        left,
        ..Outcome::of("bank-file", file)
    })
}

fn batch(item: &Item) -> Batch {
    match item.order {
        Order::Debit {
            scheme, sequence, ..
        } => {
            let scheme = match scheme {
                Scheme::Core => 0,
                Scheme::B2b => 1,
            };
            (scheme, sequence, item.on)
        }
        Order::Transfer { .. } => (0, Sequence::Recurring, item.on),
    }
}

/// The day money moves: a day on which banks settle, with the lead time the bank asks for.
pub(super) fn day(
    session: &Session<'_>,
    terms: &Terms,
    asked: Option<Date>,
) -> Result<Date, Rejection> {
    let today = session.today(&entity_terms(session, &terms.entity)?.zone);
    let earliest = target::after(today, terms.lead_days);
    match asked {
        None => Ok(earliest),
        Some(on) if on >= earliest && target::is_open(on) => Ok(on),
        Some(on) => Err(Rejection::new(
            "COLLECTION_DATE",
            format!(
                "on {on} banks do not settle, or it is before {earliest}, the earliest day with a lead time of {} days",
                terms.lead_days
            ),
        )),
    }
}

/// A collection that waits for a file.
pub(super) struct Waits {
    pub payment: Id,
    pub mandate: Mandate,
    pub term: MandateTerm,
    /// References the mandate had before.
    pub former: Vec<String>,
}

/// Collections that wait for a file of this bank account, in the order of their ids: those whose lead time has come if
/// money moves on `on` at the earliest.
fn waiting(session: &Session<'_>, terms: &Terms, on: Date) -> Vec<Waits> {
    let ids = session.ids::<Payment>("");
    let mut found = Vec::new();
    for id in ids {
        let Some(payment) = session.find::<Payment>(&id).map(|e| &e.state) else {
            continue;
        };
        let drawn = &session.index().bank.drawn;
        let taken = drawn.contains_key(&reference(&id, payment));
        let early = due(payment).is_some_and(|due| target::next(due) > on);
        if payment.stage != Stage::Pending || taken || early || !fits(session, payment, terms) {
            continue;
        }
        if let Some(method) = method(session, payment)
            && let Means::DirectDebit(mandate) = &method.means
        {
            found.push(Waits {
                payment: id,
                mandate: mandate.clone(),
                term: method.term,
                former: method.former.clone(),
            });
        }
    }
    found
}

/// It goes through this bank account: by direct debit, for its entity, in its currency.
pub(super) fn fits(session: &Session<'_>, payment: &Payment, terms: &Terms) -> bool {
    let by_file = match &payment.route {
        Some(route) => route.gateway == GATEWAY,
        None => payment.method == Kind::DirectDebit.name(),
    };
    let account = folio_terms(session, &payment.account).ok();
    by_file
        && payment.amount.currency == terms.currency
        && account.is_some_and(|account| account.entity == terms.entity)
}

/// The method with the mandate a payment is collected on: the one it was routed to, or the first there is for one
/// recorded by hand.
pub(super) fn method<'a>(session: &'a Session<'_>, payment: &Payment) -> Option<&'a Method> {
    let methods = &session
        .find::<Methods>(folio::owner(&payment.account))?
        .state;
    let routed = payment.route.as_ref().map(|route| &route.method);
    let mut fitting = methods.methods.iter().filter(|method| match routed {
        Some(id) => method.id == *id,
        None => method.blocked.is_none(),
    });
    fitting.find(|method| matches!(method.means, Means::DirectDebit(_)))
}

/// What the bank calls a payment.
fn reference(id: &str, payment: &Payment) -> String {
    payment.reference.clone().unwrap_or_else(|| end_to_end(id))
}

fn due(payment: &Payment) -> Option<Date> {
    payment.route.as_ref().map(|route| route.on)
}

pub(super) fn text(payment: &Payment) -> String {
    match &payment.route {
        Some(route) => route.text.clone(),
        None => payment.invoice.clone().unwrap_or_default(),
    }
}

/// Only while nothing of it was booked.
pub(in crate::operations) fn withdraw(
    session: &mut Session<'_>,
    file: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let items = session
        .find::<BankFile>(file)
        .map(|e| e.state.items.clone());
    for item in items.unwrap_or_default() {
        let stage = session
            .find::<Payment>(&item.payment)
            .map(|e| e.state.stage);
        let open = stage == Some(Stage::Pending);
        if matches!(item.order, Order::Debit { .. }) && !open {
            return Err(Rejection::new(
                "BANK_FILE_BOOKED",
                format!(
                    "payment {} of file {file} does not wait any more: the bank had the file",
                    item.payment
                ),
            ));
        }
    }
    session.decide::<BankFile>(file, Command::Withdraw { reason })?;
    Ok(Outcome::of("bank-file", file))
}
