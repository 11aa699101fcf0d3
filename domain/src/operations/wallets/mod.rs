//! Wallets: opened for an account, agreed about, filled, emptied. Burning is part of rating (`operations::usage`) and of
//! finalising (`settle`).

mod invoiced;
mod settle;

use super::{account_terms, entity_terms};
use crate::command::{GrantWallet, Outcome};
use crate::invoices;
use crate::kernel::{Date, Decimal, Id, Money, Rejection, Rounding, Zone, check_id};
use crate::session::{Session, Staged};
use crate::wallets::{
    Ask, Burn, Command, Event as Fact, Funding, Origin, Put, Terms, Wallet, When,
};
use crate::world::Event;

pub(crate) use settle::collect;
pub use settle::expected_balance;

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

pub(super) fn change(
    session: &mut Session<'_>,
    wallet: &str,
    terms: Terms,
) -> Result<Outcome, Rejection> {
    known(session, wallet)?;
    session.decide::<Wallet>(wallet, Command::Set(Box::new(terms)))?;
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
    let zone = known(session, wallet)?.1;
    let put = Put {
        grant,
        amount,
        expires,
        priority: 0,
        origin: Origin::Paid,
        rollover: None,
        rule: None,
        at: session.now(),
        today: session.today(&zone),
    };
    session.decide::<Wallet>(wallet, Command::TopUp(Box::new(put)))?;
    Ok(Outcome::of("wallet", wallet))
}

pub(super) fn grant(session: &mut Session<'_>, ask: GrantWallet) -> Result<Outcome, Rejection> {
    check_id("grant", &ask.grant)?;
    let (state, zone) = known(session, &ask.wallet)?;
    let worth = state.terms.worth(ask.units)?;
    let amount = Money::round(worth, state.currency, Rounding::Down)?;
    let today = session.today(&zone);
    let command = if ask.funding == Funding::Invoice {
        Command::Ask(Box::new(Ask {
            invoice: format!("{}.{}", ask.wallet, ask.grant),
            grant: ask.grant,
            amount,
            on: today,
            expires: ask.expires,
            lasts: None,
            priority: ask.priority,
            rollover: ask.rollover,
            rule: None,
        }))
    } else {
        Command::TopUp(Box::new(Put {
            grant: ask.grant,
            amount,
            expires: ask.expires,
            priority: ask.priority,
            origin: match ask.funding {
                Funding::Free => Origin::Free,
                Funding::Paid | Funding::Invoice => Origin::Paid,
            },
            rollover: ask.rollover,
            rule: None,
            at: session.now(),
            today,
        }))
    };
    session.decide::<Wallet>(&ask.wallet, command)?;
    Ok(Outcome::of("wallet", &ask.wallet))
}

pub(super) fn void(
    session: &mut Session<'_>,
    wallet: &str,
    units: Option<Decimal>,
    grant: Option<Id>,
    reason: String,
) -> Result<Outcome, Rejection> {
    let (state, zone) = known(session, wallet)?;
    let rounding = rounding(session, &state.account)?;
    let on = session.today(&zone);
    session.decide::<Wallet>(
        wallet,
        Command::Void {
            units,
            grant,
            reason,
            on,
            rounding,
        },
    )?;
    Ok(Outcome::of("wallet", wallet))
}

pub(super) fn tick(session: &mut Session<'_>, wallet: &str) -> Result<Outcome, Rejection> {
    let (state, zone) = known(session, wallet)?;
    let rounding = rounding(session, &state.account)?;
    let today = session.today(&zone);
    session.decide::<Wallet>(
        wallet,
        Command::Tick {
            wallet: wallet.to_string(),
            today,
            zone,
            rounding,
        },
    )?;
    Ok(Outcome::of("wallet", wallet))
}

/// What follows from facts of wallets, documents and receivables.
pub(crate) fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    match &fact.event {
        Event::Wallet(Fact::Asked(e)) => invoiced::send(session, &fact.id, &e.ask),
        Event::Wallet(
            Fact::Burnt(_)
            | Fact::Paid(_)
            | Fact::Expired(_)
            | Fact::Voided(_)
            | Fact::AskDropped(_),
        ) => refill(session, &fact.id),
        Event::Invoice(invoices::Event::Finalised(e)) => settle::pay(session, &fact.id, e),
        Event::Invoice(invoices::Event::Voided(_)) => {
            settle::give_back(session, &fact.id)?;
            invoiced::voided(session, &fact.id)
        }
        Event::Invoice(invoices::Event::Rejected(_)) => invoiced::voided(session, &fact.id),
        Event::Invoice(invoices::Event::CreditNoted(_)) => invoiced::credited(session, &fact.id),
        Event::Receivable(e) => invoiced::moved(session, &fact.id, e),
        _ => Ok(()),
    }
}

/// After usage: what is not invoiced yet may bring a wallet that pays invoices below a level.
pub(super) fn watch(session: &mut Session<'_>, account: &str) -> Result<(), Rejection> {
    let payer = account_terms(session, account)?.payer(account).to_string();
    for id in of_account(session, &payer) {
        let pays_invoices = session
            .find::<Wallet>(&id)
            .is_some_and(|e| e.state.terms.burn == Burn::Finalising);
        if pays_invoices {
            refill(session, &id)?;
        }
    }
    Ok(())
}

fn refill(session: &mut Session<'_>, wallet: &str) -> Result<(), Rejection> {
    let (state, zone) = known(session, wallet)?;
    let watches = |rule: &crate::wallets::Rule| matches!(rule.when, When::Below(_));
    if !state.terms.rules.iter().any(watches) {
        return Ok(());
    }
    let command = Command::Refill {
        wallet: wallet.to_string(),
        expected: expected_balance(session, wallet)?,
        at: session.now(),
        today: session.today(&zone),
    };
    session.decide::<Wallet>(wallet, command)?;
    Ok(())
}

/// Wallets of an account, by id.
fn of_account(session: &Session<'_>, account: &str) -> Vec<Id> {
    let known = session.index().wallets_of.get(account);
    known.into_iter().flatten().cloned().collect()
}

/// A wallet that is open, and the zone of its account.
fn known<'s>(session: &'s Session<'_>, wallet: &str) -> Result<(&'s Wallet, Zone), Rejection> {
    let Some(entry) = session.find::<Wallet>(wallet) else {
        return Err(Rejection::new(
            "WALLET_UNKNOWN",
            format!("there is no wallet {wallet:?}"),
        ));
    };
    let zone = account_terms(session, &entry.state.account)?.zone;
    Ok((&entry.state, zone))
}

fn rounding(session: &Session<'_>, account: &str) -> Result<Rounding, Rejection> {
    Ok(entity_terms(session, &account_terms(session, account)?.entity)?.rounding)
}
