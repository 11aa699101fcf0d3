//! Wallets: opened for an account, topped up. Burning is part of rating (`operations::usage`).

use super::account_terms;
use crate::command::Outcome;
use crate::kernel::{Date, Id, Money, Rejection, check_id};
use crate::session::Session;
use crate::wallets::{Command, Wallet};

pub(super) fn open(
    session: &mut Session<'_>,
    wallet: &str,
    account: &str,
    priority: u32,
) -> Result<Outcome, Rejection> {
    check_id("wallet", wallet)?;
    let currency = account_terms(session, account)?.currency;
    session.decide::<Wallet>(
        wallet,
        Command::Open {
            account: account.to_string(),
            currency,
            priority,
        },
    )?;
    Ok(Outcome::of("wallet", wallet))
}

pub(super) fn top_up(
    session: &mut Session<'_>,
    wallet: &str,
    grant: Id,
    amount: Money,
    expires: Option<Date>,
) -> Result<Outcome, Rejection> {
    check_id("grant", &grant)?;
    let Some(account) = session
        .find::<Wallet>(wallet)
        .map(|e| e.state.account.clone())
    else {
        return Err(Rejection::new(
            "WALLET_UNKNOWN",
            format!("there is no wallet {wallet:?}"),
        ));
    };
    let today = session.today(&account_terms(session, &account)?.zone);
    let at = session.now();
    session.decide::<Wallet>(
        wallet,
        Command::TopUp {
            grant,
            amount,
            expires,
            at,
            today,
        },
    )?;
    Ok(Outcome::of("wallet", wallet))
}
