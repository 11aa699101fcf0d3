//! Framework agreements, and what they mean for subscriptions that run.

use super::account_terms;
use super::catalog::MAIN;
use super::migration::lay;
use crate::catalog::{Catalog, price_terms};
use crate::command::Outcome;
use crate::contracts::{Agreement, Command, Contract};
use crate::kernel::{Date, Id, Rejection, check_id};
use crate::session::Session;
use crate::subscriptions::Subscription;

/// Agrees on a contract, or changes it: subscriptions follow from today on, or from the day it begins.
pub(super) fn define(
    session: &mut Session<'_>,
    contract: &str,
    agreement: Agreement,
) -> Result<Outcome, Rejection> {
    check_id("contract", contract)?;
    account_terms(session, &agreement.account)?;
    let none = Catalog::default();
    let catalog = session.find::<Catalog>(MAIN).map_or(&none, |e| &e.state);
    let found = price_terms(catalog, &format!("contract {contract}"), &agreement.terms);
    if !found.is_empty() {
        return Err(Rejection::new(
            "CONTRACT_INVALID",
            format!(
                "the contract has {} problems: {}",
                found.len(),
                found.join("; ")
            ),
        ));
    }
    let before = days_of(session, contract);
    let account = agreement.account.clone();
    session.decide::<Contract>(contract, Command::Agree(agreement))?;
    follow(session, contract, &account, before)?;
    Ok(Outcome::of("contract", contract))
}

/// Ends a contract; none: today. Its prices are not in what is billed for that day and later ones.
pub(super) fn end(
    session: &mut Session<'_>,
    contract: &str,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let unknown = || {
        Rejection::new(
            "CONTRACT_UNKNOWN",
            format!("there is no contract {contract:?}"),
        )
    };
    let state = session.find::<Contract>(contract).map(|e| &e.state);
    let agreement = state
        .and_then(|c| c.agreement.as_ref())
        .ok_or_else(unknown)?;
    let account = agreement.account.clone();
    let zone = account_terms(session, &account)?.zone;
    let on = on.unwrap_or_else(|| session.today(&zone));
    let before = days_of(session, contract);
    session.decide::<Contract>(contract, Command::End { on })?;
    follow(session, contract, &account, before)?;
    Ok(Outcome::of("contract", contract))
}

/// First and last boundary of a contract as it is now.
fn days_of(session: &Session<'_>, contract: &str) -> Vec<Date> {
    let state = session.find::<Contract>(contract).map(|e| &e.state);
    let days = state.and_then(|c| c.agreement.as_ref()).map(|a| a.days());
    days.map_or(vec![], |d| vec![d.from, d.until])
}

/// Subscriptions of the account and of those it pays for get the prices of every day from the contract's first one on.
/// Days that were billed otherwise are corrected by their next invoice, as after any change.
fn follow(
    session: &mut Session<'_>,
    contract: &str,
    account: &str,
    before: Vec<Date>,
) -> Result<(), Rejection> {
    let days = days_of(session, contract).into_iter().chain(before);
    let Some(from) = days.min() else {
        return Ok(());
    };
    let index = session.index();
    let children = index.paid_by.get(account).into_iter().flatten();
    let accounts: Vec<&Id> = children.collect();
    let accounts = std::iter::once(account).chain(accounts.into_iter().map(String::as_str));
    let subscriptions: Vec<Id> = accounts
        .filter_map(|a| index.subscriptions_of.get(a))
        .flatten()
        .cloned()
        .collect();
    for id in subscriptions {
        let sub = session.get::<Subscription>(&id)?;
        let start = sub.start().unwrap_or(from);
        lay(session, &id, from.max(start), Some(contract))?;
    }
    Ok(())
}
