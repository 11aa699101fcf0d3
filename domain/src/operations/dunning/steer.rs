//! What clerks do with a case.

use super::{case, dun, follow, policy_unknown, receivables, restore};
use crate::accounts::folio;
use crate::charges::{self, Charges, What};
use crate::command::Outcome;
use crate::dunning::owed;
use crate::dunning::{
    Case, Command, Excluded, Included, Policy, Promised, Restored, Steer, Switched,
};
use crate::kernel::{Date, Id, Money, Rejection};
use crate::operations::{folio_terms, invoices};
use crate::receivables::Receivables;
use crate::session::Session;

/// Does what time had come for, then what was asked.
pub(crate) fn steer(
    session: &mut Session<'_>,
    account: &str,
    steer: Steer,
) -> Result<Outcome, Rejection> {
    dun(session, account)?;
    let on = session.today(&folio_terms(session, account)?.zone);
    match steer {
        Steer::PauseUntil { reason, until } => {
            let until = Some(until);
            session.decide::<Case>(account, Command::Pause { reason, on, until })?;
        }
        Steer::Promise { until, amount } => promise(session, account, on, until, amount)?,
        Steer::Exclude { invoice, reason } => {
            known(session, account, &invoice)?;
            let excluded = Excluded {
                on,
                invoice,
                reason,
            };
            session.decide::<Case>(account, Command::Exclude(excluded))?;
            follow::follow(session, account, None)?;
        }
        Steer::Include { invoice } => {
            session.decide::<Case>(account, Command::Include(Included { on, invoice }))?;
        }
        Steer::Stop { reason, restore } => stop(session, account, on, reason, restore)?,
        Steer::Switch { policy, reason } => switch(session, account, on, policy, reason)?,
        Steer::Restore { reason } => {
            let case = case(session, account);
            let resumed = restore::lift(session, case.measures(), on)?;
            if resumed.is_empty() {
                return Err(Rejection::new(
                    "DUNNING_NOT_RESTRICTED",
                    "dunning restricts no service of the account, asked to lift it",
                ));
            }
            let restored = Restored {
                on,
                reason,
                resumed,
            };
            session.decide::<Case>(account, Command::Restore(restored))?;
        }
        Steer::LiftHold { reason } => {
            session.decide::<Case>(account, Command::LiftHold { on, reason })?;
        }
        Steer::Recall { reason } => {
            session.decide::<Case>(account, Command::Recall { on, reason })?;
        }
        Steer::Waive { charge, reason } => return waive(session, account, on, charge, reason),
    }
    Ok(Outcome::of("dunning", account))
}

fn known(session: &Session<'_>, account: &str, invoice: &str) -> Result<(), Rejection> {
    let owed = session.find::<Receivables>(account);
    if owed.is_none_or(|e| e.state.item(invoice).is_none()) {
        return Err(Rejection::new(
            "INVOICE_NOT_OPEN",
            format!("the account has no finalised invoice {invoice:?} to keep out of dunning"),
        ));
    }
    Ok(())
}

fn promise(
    session: &mut Session<'_>,
    account: &str,
    on: Date,
    until: Date,
    amount: Option<Money>,
) -> Result<(), Rejection> {
    let state = receivables(session, account);
    let parts = owed::owed(&case(session, account), &state, on);
    let overdue = owed::sum(&parts, on, state.currency);
    let amount = amount.unwrap_or(overdue);
    if amount.currency != overdue.currency || !amount.is_positive() || amount.minor > overdue.minor
    {
        return Err(Rejection::new(
            "PROMISE_INVALID",
            format!("{overdue} is overdue, asked to take a promise of {amount}"),
        ));
    }
    let promised = Promised {
        on,
        until,
        amount,
        invoices: owed::invoices(&parts, on).into_iter().cloned().collect(),
        leaves: overdue.minus(amount),
    };
    session.decide::<Case>(account, Command::Promise(promised))?;
    Ok(())
}

fn stop(
    session: &mut Session<'_>,
    account: &str,
    on: Date,
    reason: String,
    restore: bool,
) -> Result<(), Rejection> {
    let case = case(session, account);
    let state = receivables(session, account);
    let parts = owed::owed(&case, &state, on);
    let invoices = owed::invoices(&parts, on).into_iter().cloned().collect();
    let restore = match restore {
        true => Some(restore::lift(session, case.measures(), on)?),
        false => None,
    };
    session.decide::<Case>(
        account,
        Command::Stop {
            on,
            reason,
            invoices,
            restore,
        },
    )?;
    Ok(())
}

/// The levels of the new policy up to the days that were done under the old one count as done.
fn switch(
    session: &mut Session<'_>,
    account: &str,
    on: Date,
    policy: Id,
    reason: String,
) -> Result<(), Rejection> {
    let Some(new) = session.find::<Policy>(&policy) else {
        return Err(policy_unknown(&policy));
    };
    let case = case(session, account);
    let old = crate::dunning::chosen(&*session, account, &receivables(session, account), on)
        .and_then(|c| session.find::<Policy>(&c.policy));
    let days = old
        .into_iter()
        .flat_map(|p| case.done().iter().filter_map(|name| p.state.level(name)))
        .map(|l| l.after_days)
        .max()
        .unwrap_or_default();
    let levels = new.state.levels.iter();
    let done = levels.take_while(|l| l.after_days <= days);
    let done = done.map(|l| l.name.clone()).collect();
    let switched = Switched {
        on,
        policy,
        reason,
        done,
    };
    session.decide::<Case>(account, Command::Switch(switched))?;
    Ok(())
}

fn waive(
    session: &mut Session<'_>,
    account: &str,
    on: Date,
    charge: Id,
    reason: String,
) -> Result<Outcome, Rejection> {
    let owner = folio::owner(account);
    let charges = session.find::<Charges>(owner).map(|e| &e.state);
    let pending = charges.is_some_and(|c| c.pending.iter().any(|p| p.charge == charge));
    let billed = charges.and_then(|c| {
        let is_it = |what: &What| matches!(what, What::Added { charge: c, .. } if *c == charge);
        let item = c.items.iter().find(|i| is_it(&i.what))?;
        Some((item.invoice.clone(), item.line))
    });
    let note = billed.as_ref().map(|_| format!("waive.{charge}"));
    let command = Command::Waive {
        on,
        charge: charge.clone(),
        reason: reason.clone(),
        note: note.clone(),
    };
    // Asked first: a charge that dunning did not make is not its to waive.
    session.decide::<Case>(account, command)?;
    match (billed, note) {
        (Some((invoice, line)), Some(note)) => {
            invoices::credit(session, &note, &invoice, &[(line, None)], &reason)
        }
        _ => {
            if pending {
                session.decide::<Charges>(owner, charges::Command::Cancel { charge })?;
            }
            Ok(Outcome::of("dunning", account))
        }
    }
}
