//! Money in and out: payments, credit given by hand, write-offs.

use super::{advances, folio_terms, folios};
use crate::accounts::AccountTerms;
use crate::collections;
use crate::command::{FailureKind, Outcome, RecordPayment};
use crate::invoices::Invoice;
use crate::kernel::{Date, Id, Money, Rejection, check_id};
use crate::payments::{Answer, Command, Payment, Recorded};
use crate::receivables::{self, Item, Receivables, Source};
use crate::session::Session;

pub(super) fn record(session: &mut Session<'_>, ask: RecordPayment) -> Result<Outcome, Rejection> {
    check_id("payment", &ask.payment)?;
    let held = folios::holding(session, &ask.account, ask.invoice.as_deref());
    let account = folios::paying(session, &held, None, ask.amount.currency)?;
    let ask = RecordPayment { account, ..ask };
    let terms = folio_terms(session, &ask.account)?;
    check_currency(&terms, &ask.account, "payment", ask.amount)?;
    let on = session.today(&terms.zone);
    let RecordPayment {
        payment,
        account,
        amount,
        invoice,
        method,
        pending,
    } = ask;
    if let (Some(named), false) = (&invoice, pending) {
        advances::of_request(session, named, Some(amount))?;
    }
    session.decide::<Payment>(
        &payment,
        Command::Record(Recorded {
            account,
            amount,
            invoice,
            method,
            pending,
            on,
        }),
    )?;
    Ok(Outcome::of("payment", &payment))
}

pub(super) fn settle(session: &mut Session<'_>, payment: &str) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    let state = session.get::<Payment>(payment)?;
    let (named, amount) = (state.invoice.clone(), state.amount);
    if let Some(named) = named {
        advances::of_request(session, &named, Some(amount))?;
    }
    session.decide::<Payment>(payment, Command::Settle { on })?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn fail(
    session: &mut Session<'_>,
    payment: &str,
    kind: FailureKind,
    reason: String,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    session.decide::<Payment>(payment, Command::Fail { kind, reason, on })?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn refund(
    session: &mut Session<'_>,
    payment: &str,
    amount: Option<Money>,
    reason: String,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    let command = match super::bank::goes_by_file(session, payment)? {
        true => Command::RefundByFile {
            amount,
            reason,
            on,
            payment: payment.to_string(),
        },
        false => Command::Refund { amount, reason, on },
    };
    session.decide::<Payment>(payment, command)?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn charge_back(
    session: &mut Session<'_>,
    payment: &str,
    amount: Option<Money>,
    reason: String,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    session.decide::<Payment>(payment, Command::ChargeBack { amount, reason, on })?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn reverse_charge_back(
    session: &mut Session<'_>,
    payment: &str,
    amount: Option<Money>,
    reason: String,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    session.decide::<Payment>(payment, Command::ReverseChargeBack { amount, reason, on })?;
    Ok(Outcome::of("payment", payment))
}

/// The provider is about to be called: from now on the amount is fixed, and nobody calls it a second time unasked.
/// Stages nothing if it was called before; `again` if it says that it never saw the payment.
pub(super) fn send(
    session: &mut Session<'_>,
    payment: &str,
    again: bool,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    let command = match again {
        true => Command::SendAgain { on },
        false => {
            let state = session.get::<Payment>(payment)?;
            let open = collections::open_of(session, payment, state, on);
            Command::Send { open, on }
        }
    };
    session.decide::<Payment>(payment, command)?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn answer(
    session: &mut Session<'_>,
    payment: &str,
    answer: Answer,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    session.decide::<Payment>(payment, Command::Answer { answer, on })?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn send_refund(
    session: &mut Session<'_>,
    payment: &str,
    number: u32,
    again: bool,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    session.decide::<Payment>(payment, Command::SendRefund { number, again, on })?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn answer_refund(
    session: &mut Session<'_>,
    payment: &str,
    number: u32,
    answer: Answer,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    let command = Command::AnswerRefund { number, answer, on };
    session.decide::<Payment>(payment, command)?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn observe(
    session: &mut Session<'_>,
    payment: &str,
    reference: String,
    amount: Money,
    reason: String,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    let command = Command::Observe {
        reference,
        amount,
        reason,
        on,
    };
    session.decide::<Payment>(payment, command)?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn acknowledge(
    session: &mut Session<'_>,
    payment: &str,
    note: String,
) -> Result<Outcome, Rejection> {
    let on = today(session, payment)?;
    session.decide::<Payment>(payment, Command::Acknowledge { note, on })?;
    Ok(Outcome::of("payment", payment))
}

pub(super) fn grant_credit(
    session: &mut Session<'_>,
    account: &str,
    credit: Id,
    amount: Money,
    reason: String,
) -> Result<Outcome, Rejection> {
    check_id("credit", &credit)?;
    let account = &folios::paying(session, account, None, amount.currency)?;
    let terms = folio_terms(session, account)?;
    check_currency(&terms, account, "credit", amount)?;
    let outcome = Outcome::of("credit", &credit);
    session.decide::<Receivables>(
        account,
        receivables::Command::Grant {
            source: Source::Grant(credit),
            amount,
            reason,
        },
    )?;
    Ok(outcome)
}

pub(super) fn write_off(
    session: &mut Session<'_>,
    invoice: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    for (account, invoice) in owing(session, invoice, |item| item.open)? {
        let reason = reason.clone();
        let command = receivables::Command::WriteOff { invoice, reason };
        session.decide::<Receivables>(&account, command)?;
    }
    Ok(Outcome::of("invoice", invoice))
}

/// Who owes an invoice: its account, whoever took a part of it over, and whoever took over from them; of all these only
/// where `what` is above zero, or the first one. A part that was taken over can also be named by its own id.
fn owing(
    session: &Session<'_>,
    invoice: &str,
    what: impl Fn(&Item) -> Money,
) -> Result<Vec<(Id, Id)>, Rejection> {
    let claims = &session.index().claims;
    let first = match claims.get(invoice) {
        Some(claim) => claim.account.clone(),
        None => folios::of_document(session, &session.get::<Invoice>(invoice)?.document)?,
    };
    let mut all = vec![(first, invoice.to_string())];
    let mut next = 0;
    while let Some((_, of)) = all.get(next) {
        let parts = claims.of(of).map(|(id, c)| (c.account.clone(), id.clone()));
        let parts: Vec<_> = parts.collect();
        all.extend(parts);
        next += 1;
    }
    let found = |(account, invoice): &&(Id, Id)| {
        let owed = session.find::<Receivables>(account);
        let item = owed.and_then(|e| e.state.item(invoice));
        item.is_some_and(|item| what(item).is_positive())
    };
    let owing: Vec<_> = all.iter().filter(found).cloned().collect();
    Ok(match owing.is_empty() {
        true => all.into_iter().take(1).collect(),
        false => owing,
    })
}

pub(super) fn reverse_write_off(
    session: &mut Session<'_>,
    invoice: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    for (account, invoice) in owing(session, invoice, |item| item.written_off)? {
        let reason = reason.clone();
        let command = receivables::Command::ReverseWriteOff { invoice, reason };
        session.decide::<Receivables>(&account, command)?;
    }
    Ok(Outcome::of("invoice", invoice))
}

/// Today in the zone of the payment's account.
fn today(session: &Session<'_>, payment: &str) -> Result<Date, Rejection> {
    let Some(account) = session
        .find::<Payment>(payment)
        .map(|e| e.state.account.clone())
    else {
        return Err(Rejection::new(
            "PAYMENT_UNKNOWN",
            format!("there is no payment {payment:?}"),
        ));
    };
    Ok(session.today(&folio_terms(session, &account)?.zone))
}

fn check_currency(
    terms: &AccountTerms,
    account: &str,
    what: &str,
    amount: Money,
) -> Result<(), Rejection> {
    if amount.currency != terms.currency {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "account {account} is in {}, the {what} in {}",
                terms.currency, amount.currency
            ),
        ));
    }
    Ok(())
}
