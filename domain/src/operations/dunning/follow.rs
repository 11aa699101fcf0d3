//! What a change of an account's debt means for its case.

use super::{case, interest, missing, receivables, restore};
use crate::dunning::owed::{self, Owed};
use crate::dunning::{
    self, Case, Command, Deferred, InterestCarried, PartPayment, Policy, SteppedBack,
};
use crate::kernel::{Date, Exact, Id, Money, Rejection, calendar::add_days};
use crate::operations::folio_terms;
use crate::receivables::Receivables;
use crate::session::Session;

/// Follows one change; `lost` is an invoice that was written off by it.
///
/// Every call looks at the whole of what is owed now, so the order of facts within a commit does not matter.
pub(crate) fn follow(
    session: &mut Session<'_>,
    account: &str,
    lost: Option<(&Id, Money)>,
) -> Result<(), Rejection> {
    let today = session.today(&folio_terms(session, account)?.zone);
    carry(session, account, today)?;
    if let Some((invoice, amount)) = lost {
        lose(session, account, invoice, amount, today)?;
    }
    keep(session, account, today)?;
    resolve_unpaid(session, account, today)?;
    settle_open(session, account, today)?;
    floor(session, account, today)
}

/// Interest of the days until now is owed on what was open until now.
fn carry(session: &mut Session<'_>, account: &str, on: Date) -> Result<(), Rejection> {
    let Some(before) = session.before::<Receivables>(account) else {
        return Ok(());
    };
    let case = case(session, account);
    let choice = dunning::chosen(&*session, account, &before.state, on);
    let charges = choice
        .and_then(|c| session.find::<Policy>(&c.policy))
        .is_some_and(|p| p.state.charges_interest());
    if !charges {
        return Ok(());
    }
    let now = receivables(session, account);
    let (old, new) = (
        owed::owed(&case, &before.state, on),
        owed::owed(&case, &now, on),
    );
    let (spans, mut anew) = interest::changed(&case, &old, &new, on);
    anew.retain(|invoice| case.interest_from.get(invoice) != Some(&on));
    if !spans.is_empty() || !anew.is_empty() {
        session.decide::<Case>(account, Command::Carry(InterestCarried { on, spans, anew }))?;
    }
    Ok(())
}

/// An overdue invoice of the open episode was written off.
fn lose(
    session: &mut Session<'_>,
    account: &str,
    invoice: &Id,
    amount: Money,
    on: Date,
) -> Result<(), Rejection> {
    let item = session.get::<Receivables>(account)?.item(invoice);
    let overdue = item.is_some_and(|i| i.due < on && !i.open.is_positive());
    if overdue && !case(session, account).excluded.contains_key(invoice) {
        let invoice = invoice.clone();
        session.decide::<Case>(
            account,
            Command::Lose {
                on,
                invoice,
                amount,
            },
        )?;
    }
    Ok(())
}

/// A promise is kept as soon as enough is paid.
fn keep(session: &mut Session<'_>, account: &str, on: Date) -> Result<(), Rejection> {
    let case = case(session, account);
    let promise = case.paused.as_ref().and_then(|p| p.promise.as_ref());
    if promise.is_some_and(|p| missing(p, &receivables(session, account)).is_zero()) {
        session.decide::<Case>(account, Command::Keep { on })?;
    }
    Ok(())
}

/// An episode that ended unpaid is cleared when its invoices are paid after all.
fn resolve_unpaid(session: &mut Session<'_>, account: &str, on: Date) -> Result<(), Rejection> {
    let case = case(session, account);
    let Some(unpaid) = &case.unpaid else {
        return Ok(());
    };
    let owed = receivables(session, account);
    let paid = |invoice: &Id| {
        let item = owed.item(invoice);
        item.is_none_or(|i| !i.open.is_positive() && !i.written_off.is_positive())
    };
    if unpaid.invoices.iter().all(paid) {
        let resumed = restore::lift(session, &unpaid.episode.measures, on)?;
        let episode = unpaid.episode.number;
        session.decide::<Case>(
            account,
            Command::Clear {
                episode,
                on,
                resumed,
            },
        )?;
    }
    Ok(())
}

/// The open episode: cleared, given up, stepped back or deferred.
fn settle_open(session: &mut Session<'_>, account: &str, today: Date) -> Result<(), Rejection> {
    let case = case(session, account);
    let Some(open) = &case.open else {
        return Ok(());
    };
    let now = receivables(session, account);
    let parts = owed::owed(&case, &now, today);
    if owed::overdue(&parts, today).next().is_none() {
        let lost = |i: &Id| now.item(i).is_some_and(|i| i.written_off.is_positive());
        if open.lost.iter().any(lost) {
            session.decide::<Case>(account, Command::GiveUp { on: today })?;
            return Ok(());
        }
        return clear(session, account, &case, today);
    }
    let choice = dunning::chosen(&*session, account, &now, today);
    let Some(policy) = choice.and_then(|c| session.find::<Policy>(&c.policy)) else {
        return Ok(());
    };
    let policy = policy.state.clone();
    defer(session, account, &policy, &parts, today)?;
    if policy.terms.part_payment == PartPayment::Keep {
        return Ok(());
    }
    let undone: Vec<String> = open
        .done
        .iter()
        .filter(|name| {
            policy
                .level(name)
                .is_some_and(|l| !reached(l, &parts, today))
        })
        .cloned()
        .collect();
    let to = open.done.iter().rfind(|l| !undone.contains(l)).cloned();
    match to {
        _ if undone.is_empty() => Ok(()),
        // What is left has reached no level: nothing is dunned any more.
        None => clear(session, account, &case, today),
        Some(to) => {
            let ended = open.measures.iter().filter(|m| undone.contains(&m.level));
            let resumed = restore::lift(session, ended, today)?;
            let back = SteppedBack {
                episode: open.number,
                on: today,
                undone,
                to,
                resumed,
            };
            session.decide::<Case>(account, Command::StepBack(back))?;
            Ok(())
        }
    }
}

fn reached(level: &crate::command::DunningLevel, parts: &[Owed], today: Date) -> bool {
    dunning::reached_on(level, parts).is_some_and(|on| on <= today)
}

fn clear(session: &mut Session<'_>, account: &str, case: &Case, on: Date) -> Result<(), Rejection> {
    let Some(open) = &case.open else {
        return Ok(());
    };
    let resumed = restore::lift(session, &open.measures, on)?;
    let episode = open.number;
    session.decide::<Case>(
        account,
        Command::Clear {
            episode,
            on,
            resumed,
        },
    )?;
    Ok(())
}

/// A part payment that is large enough buys days.
fn defer(
    session: &mut Session<'_>,
    account: &str,
    policy: &Policy,
    parts: &[Owed],
    today: Date,
) -> Result<(), Rejection> {
    let (Some(grace), Some(before)) = (&policy.terms.grace, session.before::<Receivables>(account))
    else {
        return Ok(());
    };
    let case = case(session, account);
    let currency = before.state.currency;
    let was = owed::sum(&owed::owed(&case, &before.state, today), today, currency);
    let paid = was.minus(owed::sum(parts, today, currency));
    let enough = dunning::actions::percentage(was.exact(), grace.percent)?;
    let until = add_days(today, i64::from(grace.days));
    let longer = case.not_before.is_none_or(|floor| floor < until);
    if paid.is_positive() && paid.exact() >= enough && enough > Exact::ZERO && longer {
        let deferred = Deferred {
            on: today,
            paid,
            until,
        };
        session.decide::<Case>(account, Command::Defer(deferred))?;
    }
    Ok(())
}

/// What time had come for was done before the change. So a level that is dated in the past now is so because a debt came
/// back (chargeback, reversed write-off, returned credit, lost dispute), and is reached from today on.
fn floor(session: &mut Session<'_>, account: &str, today: Date) -> Result<(), Rejection> {
    let none = Receivables::default();
    let owed = session.find::<Receivables>(account);
    let owed = owed.map_or(&none, |e| &e.state);
    let next = dunning::next(&*session, account, owed);
    if next.is_some_and(|next| matches!(next, dunning::Next::Level { on, .. } if on < today)) {
        session.decide::<Case>(account, Command::Reopen { on: today })?;
    }
    Ok(())
}
