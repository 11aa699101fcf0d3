//! The bank side: statements in, files out.

mod draw;
mod follow;
mod order;
mod report;
mod take;
mod transfer;

use super::entity_terms;
use crate::bank::account::{ACCOUNT_ID_MAX, Command};
use crate::bank::{BankAccount, Entry, FeeRule, Terms, entry};
use crate::command::Outcome;
use crate::kernel::{Rejection, check_id};
use crate::session::Session;

pub(super) use draw::{draw_debits, withdraw};
pub(super) use report::report;
pub(super) use take::import;
pub(super) use transfer::{draw_transfers, goes_by_file};

pub(super) fn open(
    session: &mut Session<'_>,
    bank: &str,
    terms: Terms,
) -> Result<Outcome, Rejection> {
    check_id("bank account", bank)?;
    if bank.len() > ACCOUNT_ID_MAX {
        return Err(Rejection::new(
            "ID_INVALID",
            format!("a bank account's id has at most {ACCOUNT_ID_MAX} characters"),
        ));
    }
    entity_terms(session, &terms.entity)?;
    not_taken(session, bank, &terms)?;
    session.decide::<BankAccount>(bank, Command::Open(terms))?;
    Ok(Outcome::of("bank-account", bank))
}

pub(super) fn change(
    session: &mut Session<'_>,
    bank: &str,
    terms: Terms,
) -> Result<Outcome, Rejection> {
    not_taken(session, bank, &terms)?;
    session.decide::<BankAccount>(bank, Command::Change(terms))?;
    Ok(Outcome::of("bank-account", bank))
}

pub(super) fn rule_fees(
    session: &mut Session<'_>,
    bank: &str,
    rule: FeeRule,
) -> Result<Outcome, Rejection> {
    session.decide::<BankAccount>(bank, Command::RuleFees(rule))?;
    Ok(Outcome::of("bank-account", bank))
}

/// A number leads to one bank account, or statements could not be told apart.
fn not_taken(session: &Session<'_>, bank: &str, terms: &Terms) -> Result<(), Rejection> {
    let numbers = &session.index().bank.numbers;
    for number in terms.known_as.iter().chain([&terms.iban]) {
        if let Some(other) = numbers.get(number).filter(|other| *other != bank) {
            return Err(Rejection::new(
                "BANK_NUMBER_TAKEN",
                format!("bank account {other} is known by one of these numbers already"),
            ));
        }
    }
    Ok(())
}

pub(super) fn close(
    session: &mut Session<'_>,
    id: &str,
    part: u32,
    note: String,
) -> Result<Outcome, Rejection> {
    if session.find::<Entry>(id).is_none() {
        return Err(Rejection::new(
            "BANK_ENTRY_UNKNOWN",
            format!("there is no bank entry {id:?}"),
        ));
    }
    session.decide::<Entry>(id, entry::Command::Close { part, note })?;
    Ok(Outcome::of("bank-entry", id))
}

/// Terms of a bank account that must be open.
fn bank_terms(session: &Session<'_>, bank: &str) -> Result<Terms, Rejection> {
    session
        .find::<BankAccount>(bank)
        .map(|e| e.state.terms.clone())
        .ok_or_else(|| {
            Rejection::new(
                "BANK_ACCOUNT_UNKNOWN",
                format!("there is no bank account {bank:?}"),
            )
        })
}
