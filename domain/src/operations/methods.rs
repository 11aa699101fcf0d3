//! The ways in which an account pays.

use super::account_terms;
use crate::accounts::Account;
use crate::command::{AddMethod, Outcome};
use crate::kernel::{Date, Id, Rejection, check_id};
use crate::methods::{Command, MandateTerm, Means, Methods};
use crate::session::Session;
use crate::wallets::Wallet;

pub(super) fn add(session: &mut Session<'_>, ask: AddMethod) -> Result<Outcome, Rejection> {
    let AddMethod {
        account,
        method,
        means,
        preferred,
    } = ask;
    check_id("payment method", &method)?;
    still_there(session, &account, &means)?;
    let on = today(session, &account)?;
    let add = Command::Add {
        method,
        means,
        preferred,
        on,
    };
    decide(session, &account, add)
}

pub(super) fn change(
    session: &mut Session<'_>,
    account: &str,
    method: Id,
    means: Means,
) -> Result<Outcome, Rejection> {
    still_there(session, account, &means)?;
    let on = today(session, account)?;
    decide(session, account, Command::Change { method, means, on })
}

pub(super) fn order(
    session: &mut Session<'_>,
    account: &str,
    order: Vec<Id>,
) -> Result<Outcome, Rejection> {
    let on = today(session, account)?;
    decide(session, account, Command::Order { order, on })
}

pub(super) fn remove(
    session: &mut Session<'_>,
    account: &str,
    method: Id,
    reason: String,
) -> Result<Outcome, Rejection> {
    let on = today(session, account)?;
    decide(session, account, Command::Remove { method, reason, on })
}

pub(super) fn notice(session: &mut Session<'_>, account: &str) -> Result<Outcome, Rejection> {
    let on = today(session, account)?;
    decide(session, account, Command::Notice { on })
}

pub(super) fn set_automatic(
    session: &mut Session<'_>,
    account: &str,
    automatic: Option<bool>,
) -> Result<Outcome, Rejection> {
    let on = today(session, account)?;
    decide(session, account, Command::SetAutomatic { automatic, on })
}

pub(super) fn set_mandate_term(
    session: &mut Session<'_>,
    account: &str,
    method: Id,
    term: MandateTerm,
) -> Result<Outcome, Rejection> {
    let on = today(session, account)?;
    decide(
        session,
        account,
        Command::SetMandateTerm { method, term, on },
    )
}

fn decide(
    session: &mut Session<'_>,
    account: &str,
    command: Command,
) -> Result<Outcome, Rejection> {
    session.decide::<Methods>(account, command)?;
    Ok(Outcome::of("method", account))
}

fn today(session: &Session<'_>, account: &str) -> Result<Date, Rejection> {
    Ok(session.today(&account_terms(session, account)?.zone))
}

/// Refuses a bank account sealed under a key that was destroyed meanwhile, and a wallet of somebody else.
fn still_there(session: &Session<'_>, account: &str, means: &Means) -> Result<(), Rejection> {
    if let Means::Wallet(wallet) = means
        && session.get::<Wallet>(wallet)?.account != account
    {
        return Err(Rejection::new(
            "METHOD_INVALID",
            format!("wallet {wallet} is not one of account {account}"),
        ));
    }
    let (Some(bank), Some(holder)) = (means.bank(), session.find::<Account>(account)) else {
        return Ok(());
    };
    let mut destroyed = holder.state.destroyed_keys();
    if destroyed.any(|key| *key == bank.account.key_id) {
        return Err(Rejection::new(
            "FORGOTTEN_MEANWHILE",
            "this account was forgotten while its payment method was written: ask again",
        ));
    }
    Ok(())
}
