//! Money that goes back by credit transfer: to the account a direct debit came from, or one the payer gave for it.

use super::bank_terms;
use super::draw::{day, draw, fits, method, text};
use crate::accounts::folio;
use crate::bank::file::ITEMS_MAX;
use crate::bank::{BankAccount, Item, Order, Terms, return_end_to_end};
use crate::command::Outcome;
use crate::kernel::{Date, Rejection};
use crate::methods::{Kind, Means, Methods, SealedBank};
use crate::operations::folio_terms;
use crate::payments::{Back, BackStage, Payment};
use crate::session::Session;

pub(in crate::operations) fn draw_transfers(
    session: &mut Session<'_>,
    file: &str,
    bank: &str,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let terms = bank_terms(session, bank)?;
    let on = day(session, &terms, on)?;
    let mut items = Vec::new();
    for id in session.ids::<Payment>("") {
        let Some(payment) = session.find::<Payment>(&id).map(|e| &e.state) else {
            continue;
        };
        let waits = |back: &&Back| back.stage == BackStage::Pending;
        let mut waiting = payment.returns.iter().filter(waits).peekable();
        if waiting.peek().is_none() {
            continue;
        }
        let Some(account) = account(session, payment, &terms) else {
            continue;
        };
        for back in waiting {
            let named = back.reference.clone();
            let named = named.unwrap_or_else(|| return_end_to_end(&id, back.number));
            if session.index().bank.drawn.contains_key(&named) {
                continue;
            }
            items.push(Item {
                payment: id.clone(),
                end_to_end: named,
                amount: back.amount,
                on,
                text: text(payment),
                batch: 0,
                order: Order::Transfer {
                    number: back.number,
                },
                account: account.clone(),
            });
        }
    }
    let left = items.len().saturating_sub(ITEMS_MAX) as u64;
    items.truncate(ITEMS_MAX);
    draw(session, file, bank, items, left)
}

/// Where money of a payment goes back to through this bank account; none: it goes another way.
fn account(session: &Session<'_>, payment: &Payment, terms: &Terms) -> Option<SealedBank> {
    if fits(session, payment, terms) {
        let debited = method(session, payment).and_then(|method| method.means.bank());
        return debited.or_else(|| given(session, payment)).cloned();
    }
    let ours = by_transfer(payment) && is_of(session, payment, terms);
    given(session, payment).filter(|_| ours).cloned()
}

/// The first account that the payer gave to have money sent to.
fn given<'a>(session: &'a Session<'_>, payment: &Payment) -> Option<&'a SealedBank> {
    let methods = &session
        .find::<Methods>(folio::owner(&payment.account))?
        .state;
    methods
        .methods
        .iter()
        .find_map(|method| match &method.means {
            Means::Transfer(bank) => bank.as_ref(),
            _ => None,
        })
}

/// The payer sent it: no provider could give it back.
fn by_transfer(payment: &Payment) -> bool {
    payment.route.is_none() && payment.method == Kind::Transfer.name()
}

fn is_of(session: &Session<'_>, payment: &Payment, terms: &Terms) -> bool {
    let account = folio_terms(session, &payment.account).ok();
    payment.amount.currency == terms.currency
        && account.is_some_and(|account| account.entity == terms.entity)
}

/// True for a payment whose money goes back by a file: its payer sent it and gave an account to send it back to, and the
/// legal entity has a bank account to send it from.
pub(in crate::operations) fn goes_by_file(
    session: &Session<'_>,
    payment: &str,
) -> Result<bool, Rejection> {
    let state = session.get::<Payment>(payment)?;
    if !by_transfer(state) || given(session, state).is_none() {
        return Ok(false);
    }
    let banks = session.ids::<BankAccount>("");
    let ours = |bank: &String| {
        let found = session.find::<BankAccount>(bank);
        found.is_some_and(|e| is_of(session, state, &e.state.terms))
    };
    Ok(banks.iter().any(ours))
}
