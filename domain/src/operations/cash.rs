//! Money that comes in: whose it is, and what it pays.

use super::{entity_terms, folio_terms, folios, payments};
use crate::accounts::folio;
use crate::cash::{Command, Desk, Received, reference};
use crate::command::{Exchange, Outcome, ReceiveCash, RecordPayment};
use crate::invoices::Invoice;
use crate::kernel::{Currency, Decimal, Exact, Id, Money, Rejection, Rounding, check_id};
use crate::payments::Payment;
use crate::receivables::{self, Exchanged, Found, Receivables, Remitted};
use crate::session::Session;
use std::collections::BTreeSet;

/// Invoices that one payment may name.
pub const TARGETS_MAX: usize = 500;

/// Whose money is, and what it names.
struct Owner {
    account: Id,
    found: Found,
    invoices: Vec<Id>,
}

/// Records money as a payment of the account it belongs to and applies it, or keeps it unallocated.
///
/// The account is looked for in this order: given; numbers of invoices in the text; creditor references (ISO 11649);
/// the account's own number; the bank account of an earlier payment. More than one account, or one in another
/// currency, is not decided here: the money stays unallocated and names them.
///
/// Never refused because of what the payer wrote; only for an unknown entity or given account, an amount that is not
/// above zero, or an id that is taken.
pub fn receive(session: &mut Session<'_>, ask: ReceiveCash) -> Result<Outcome, Rejection> {
    check_id("payment", &ask.payment)?;
    let entity = entity_terms(session, &ask.entity)?;
    if session.find::<Payment>(&ask.payment).is_some() {
        let why = format!("payment {} was already recorded", ask.payment);
        return Err(Rejection::new("PAYMENT_EXISTS", why));
    }
    let found = owner(session, &ask)?.map(|found| at_home(session, &ask, found));
    let owner = match found {
        Ok(owner) if fits(session, &owner.account, &ask)? => owner,
        unclear => {
            let candidates = match unclear {
                Ok(owner) => vec![owner.account],
                Err(candidates) => candidates.into_iter().collect(),
            };
            let received = Received {
                payment: ask.payment.clone(),
                amount: ask.amount,
                value_date: ask.value_date,
                reference: reference::words(&ask.reference),
                payer: ask.payer,
                method: ask.method,
                candidates,
                on: session.today(&entity.zone),
            };
            session.decide::<Desk>(&ask.entity, Command::Receive(received))?;
            return Ok(Outcome::of("cash", &ask.payment));
        }
    };
    pay(session, ask, owner)
}

/// Unallocated money becomes a payment of an account, for `invoices` first.
pub(super) fn allocate(
    session: &mut Session<'_>,
    (entity, payment): (&str, &str),
    account: &str,
    invoices: Vec<Id>,
    exchange: Option<Exchange>,
) -> Result<Outcome, Rejection> {
    let zone = entity_terms(session, entity)?.zone;
    let receipt = desk(session, entity).receipt(payment)?.clone();
    let account = match exchange {
        None => &folios::paying(session, account, Some(entity), receipt.amount.currency)?,
        Some(_) => account,
    };
    let terms = folio_terms(session, account)?;
    if terms.entity != entity {
        return Err(other_entity(account, &terms.entity, entity));
    }
    check_named(session, account, &invoices)?;
    let exchanged = exchange
        .map(|e| exchanged(payment, receipt.amount, terms.currency, e))
        .transpose()?;
    let on = session.today(&zone);
    session.decide::<Desk>(
        entity,
        Command::Allocate {
            payment: payment.to_string(),
            account: account.to_string(),
            on,
        },
    )?;
    let ask = ReceiveCash {
        payment: receipt.payment,
        entity: entity.to_string(),
        account: Some(account.to_string()),
        amount: exchanged.as_ref().map_or(receipt.amount, |e| e.settled),
        value_date: receipt.value_date,
        reference: receipt.reference,
        payer: receipt.payer,
        method: receipt.method,
    };
    let owner = Owner {
        account: account.to_string(),
        found: Found::Given,
        invoices,
    };
    let outcome = pay(session, ask, owner)?;
    if let Some(exchanged) = exchanged {
        session.decide::<Receivables>(account, receivables::Command::Exchange(exchanged))?;
    }
    Ok(outcome)
}

/// What money in another currency is worth and settles; one rounding, half away from zero (policy 4).
fn exchanged(
    payment: &str,
    paid: Money,
    currency: Currency,
    Exchange { rate, settles }: Exchange,
) -> Result<Exchanged, Rejection> {
    let invalid = |why: String| Err(Rejection::new("EXCHANGE_INVALID", why));
    if paid.currency == currency {
        return invalid(format!("the money and the account are both in {currency}"));
    }
    if rate <= Decimal::from(0) {
        return invalid(format!("a rate of {rate} is not above zero"));
    }
    let worth = paid.exact().times(Exact::from(rate))?;
    let worth = Money::round(worth, currency, Rounding::HalfUp)?;
    let settled = settles.unwrap_or(worth);
    if settled.currency != currency || !settled.is_positive() {
        return invalid(format!(
            "{settled} is not an amount above zero in {currency}"
        ));
    }
    Ok(Exchanged {
        payment: payment.to_string(),
        paid,
        rate,
        worth,
        settled,
    })
}

/// Unallocated money goes back.
pub(super) fn give_back(
    session: &mut Session<'_>,
    entity: &str,
    payment: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let on = session.today(&entity_terms(session, entity)?.zone);
    session.decide::<Desk>(
        entity,
        Command::Return {
            payment: payment.to_string(),
            reason,
            on,
        },
    )?;
    Ok(Outcome::of("cash", payment))
}

fn desk(session: &Session<'_>, entity: &str) -> Desk {
    session
        .find::<Desk>(entity)
        .map(|e| e.state.clone())
        .unwrap_or_default()
}

/// What is known of it goes before the payment, so that it is applied as the payer meant it.
fn pay(session: &mut Session<'_>, ask: ReceiveCash, owner: Owner) -> Result<Outcome, Rejection> {
    let Owner {
        account,
        found,
        invoices,
    } = owner;
    let invoices = super::advances::of_requests(session, invoices, ask.amount)?;
    let remitted = Remitted {
        payment: ask.payment.clone(),
        value_date: ask.value_date,
        reference: reference::words(&ask.reference),
        payer: ask.payer,
        found,
        invoices,
        deposit: None,
    };
    session.decide::<Receivables>(&account, receivables::Command::Remit(remitted))?;
    let touched = account.clone();
    let mut outcome = payments::record(
        session,
        RecordPayment {
            payment: ask.payment,
            account,
            amount: ask.amount,
            invoice: None,
            method: ask.method,
            pending: false,
        },
    )?;
    outcome.touched.push(("account".to_string(), touched));
    Ok(outcome)
}

/// Money of this entity and in the account's currency can be applied without anybody's help.
fn fits(session: &Session<'_>, account: &str, ask: &ReceiveCash) -> Result<bool, Rejection> {
    Ok(folio_terms(session, account)?.currency == ask.amount.currency)
}

/// The folio of the account found that takes money of this entity and currency, unless invoices say which.
fn at_home(session: &Session<'_>, ask: &ReceiveCash, found: Owner) -> Owner {
    if !found.invoices.is_empty() {
        return found;
    }
    let account = folio::owner(&found.account);
    let home = folios::paying(session, account, Some(&ask.entity), ask.amount.currency);
    match home {
        Ok(account) => Owner { account, ..found },
        Err(_) => found,
    }
}

/// Who owes what the text names, or the accounts among which it cannot be told.
fn owner(
    session: &Session<'_>,
    ask: &ReceiveCash,
) -> Result<Result<Owner, BTreeSet<Id>>, Rejection> {
    let words = reference::candidates(&ask.reference);
    let numbered = named(session, ask, words.iter().map(String::as_str));
    let referred = named(
        session,
        ask,
        words.iter().filter_map(|w| reference::referred(w)),
    );
    if let Some(account) = &ask.account {
        let account = &folios::paying(session, account, Some(&ask.entity), ask.amount.currency)?;
        let terms = folio_terms(session, account)?;
        if terms.entity != ask.entity {
            return Err(other_entity(account, &terms.entity, &ask.entity));
        }
        let all = numbered.into_iter().chain(referred);
        return Ok(Ok(Owner {
            account: account.clone(),
            found: Found::Given,
            invoices: all.filter(|(a, _)| a == account).map(|(_, i)| i).collect(),
        }));
    }
    for (found, invoices) in [
        (Found::InvoiceNumber, numbered),
        (Found::CreditorReference, referred),
    ] {
        if !invoices.is_empty() {
            let accounts = invoices
                .iter()
                .map(|(account, _)| account.clone())
                .collect();
            let invoices = invoices.into_iter().map(|(_, invoice)| invoice).collect();
            return Ok(only(accounts, found, invoices));
        }
    }
    let own = ask.reference.split_whitespace().filter(|w| {
        let digits = w.chars().any(|c| c.is_ascii_digit());
        digits && of_entity(session, w, &ask.entity)
    });
    let own: BTreeSet<Id> = own.take(TARGETS_MAX).map(str::to_string).collect();
    if !own.is_empty() {
        return Ok(only(own, Found::AccountNumber, vec![]));
    }
    let payer = ask.payer.as_ref();
    let before = payer.and_then(|p| session.index().paid_from.get(p));
    let before = before.into_iter().flatten();
    let before = before.filter(|a| of_entity(session, a, &ask.entity));
    // Of several folios of one account the currency decides.
    let before = before.map(|a| {
        match folios::paying(
            session,
            folio::owner(a),
            Some(&ask.entity),
            ask.amount.currency,
        ) {
            Ok(home) => home,
            Err(_) => a.clone(),
        }
    });
    Ok(only(before.collect(), Found::Payer, vec![]))
}

fn only(accounts: BTreeSet<Id>, found: Found, invoices: Vec<Id>) -> Result<Owner, BTreeSet<Id>> {
    match accounts.first() {
        Some(account) if accounts.len() == 1 => Ok(Owner {
            account: account.clone(),
            found,
            invoices,
        }),
        _ => Err(accounts),
    }
}

/// Invoices of the entity with these numbers, each with the account that owes it, in the order they are named.
fn named<'a>(
    session: &Session<'_>,
    ask: &ReceiveCash,
    numbers: impl Iterator<Item = &'a str>,
) -> Vec<(Id, Id)> {
    let mut named = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for number in numbers {
        // Longer ones come first: the year and number of another kind of document are no number of an invoice.
        if known.iter().any(|known| known.contains(number)) {
            continue;
        }
        let documents = session.index().numbered.get(number);
        known.extend(documents.map(|_| number));
        for id in documents.into_iter().flatten() {
            let Some(document) = session.find::<Invoice>(id).map(|e| &e.state.document) else {
                continue;
            };
            let Ok(folio) = folios::of_document(session, document) else {
                continue;
            };
            let found = (folio, id.clone());
            let fits = document.entity == ask.entity && document.total.is_positive();
            if fits && named.len() < TARGETS_MAX && !named.contains(&found) {
                named.push(found);
            }
        }
    }
    named
}

fn of_entity(session: &Session<'_>, account: &str, entity: &str) -> bool {
    let owned = folio::owner(account) == account;
    match folio_terms(session, account) {
        Ok(terms) if terms.entity == entity => true,
        Ok(_) if owned => folios::of(session, account).is_ok_and(|folios| {
            let mut others = folios.iter().filter_map(|f| folio_terms(session, f).ok());
            others.any(|terms| terms.entity == entity)
        }),
        _ => false,
    }
}

fn other_entity(account: &str, of: &str, asked: &str) -> Rejection {
    Rejection::new(
        "CASH_OTHER_ENTITY",
        format!("account {account} is of entity {of}, the money came to {asked}"),
    )
}

/// Invoices that somebody names by hand must be the account's.
fn check_named(session: &Session<'_>, account: &str, invoices: &[Id]) -> Result<(), Rejection> {
    if invoices.len() > TARGETS_MAX {
        return Err(Rejection::new(
            "TOO_MANY_INVOICES",
            format!("{} invoices named, at most {TARGETS_MAX}", invoices.len()),
        ));
    }
    let items = session.find::<Receivables>(account).map(|e| &e.state);
    let unknown = |i: &&Id| items.is_none_or(|r| r.item(i).is_none());
    match invoices.iter().find(unknown) {
        Some(invoice) => Err(Rejection::new(
            "INVOICE_NOT_OPEN",
            format!("account {account} has no finalised invoice {invoice:?} to pay"),
        )),
        None => Ok(()),
    }
}
