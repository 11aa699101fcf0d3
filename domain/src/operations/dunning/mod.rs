//! Dunning: sets policies and rules, and does what an account's dunning has reached.
//!
//! One file per step: `reach` does a level, `interest` counts days, `follow` sees what a change of the debt means,
//! `restore` lifts restrictions, `steer` is for clerks, `preview` writes nothing.

mod follow;
mod interest;
mod preview;
mod reach;
mod restore;
mod steer;

pub(crate) use follow::follow;
pub use preview::{Preview, preview};
pub(super) use steer::steer;

use super::{folio_terms_of, folios};
use crate::command::{DunningLevel, Outcome};
use crate::dunning::{self, Case, Command, Next, Policy, Rule, Rules, Terms};
use crate::kernel::{Date, Id, Instant, Money, Rejection, check_id};
use crate::processes::agenda::Timer;
use crate::receivables::Receivables;
use crate::session::Session;

/// More than one account can reach at once: every level of a policy, and the end of a pause.
const TURNS_MAX: usize = 100;

pub(super) fn set_policy(
    session: &mut Session<'_>,
    policy: &str,
    levels: Vec<DunningLevel>,
) -> Result<Outcome, Rejection> {
    check_id("dunning policy", policy)?;
    catch_up_all(session)?;
    session.decide::<Policy>(policy, dunning::policy::Command::Set { levels })?;
    Ok(Outcome::of("dunning-policy", policy))
}

pub(super) fn set_terms(
    session: &mut Session<'_>,
    policy: &str,
    terms: Terms,
) -> Result<Outcome, Rejection> {
    session.decide::<Policy>(policy, dunning::policy::Command::SetTerms(terms))?;
    Ok(Outcome::of("dunning-policy", policy))
}

pub(super) fn set_rules(session: &mut Session<'_>, rules: Vec<Rule>) -> Result<Outcome, Rejection> {
    for rule in &rules {
        if session.find::<Policy>(&rule.policy).is_none() {
            return Err(policy_unknown(&rule.policy));
        }
    }
    catch_up_all(session)?;
    session.decide::<Rules>(dunning::rules::MAIN, dunning::rules::Command::Set { rules })?;
    Ok(Outcome::of("dunning-rules", dunning::rules::MAIN))
}

fn policy_unknown(policy: &str) -> Rejection {
    Rejection::new(
        "DUNNING_POLICY_UNKNOWN",
        format!("there is no dunning policy {policy:?}"),
    )
}

pub(super) fn pause(
    session: &mut Session<'_>,
    account: &str,
    reason: String,
    until: Option<Date>,
) -> Result<Outcome, Rejection> {
    dun(session, account)?;
    let on = session.today(&folio_terms_of(session, account)?.zone);
    session.decide::<Case>(account, Command::Pause { reason, on, until })?;
    Ok(Outcome::of("dunning", account))
}

pub(super) fn resume(session: &mut Session<'_>, account: &str) -> Result<Outcome, Rejection> {
    dun(session, account)?;
    let on = session.today(&folio_terms_of(session, account)?.zone);
    session.decide::<Case>(account, Command::Resume { on })?;
    Ok(Outcome::of("dunning", account))
}

/// Performs every level reached by today, in order, each dated at its own day: late or repeated, the result is the same.
pub(super) fn dun(session: &mut Session<'_>, account: &str) -> Result<Outcome, Rejection> {
    let today = session.today(&folio_terms_of(session, account)?.zone);
    // Every turn does one more level, so the turns come to an end by themselves.
    for _ in 0..TURNS_MAX {
        let owed = session.keep::<Receivables>(account).unwrap_or_default();
        if !turn(session, account, &owed.state, today)? {
            break;
        }
    }
    Ok(Outcome::of("dunning", account))
}

/// Does what an account's time had come for while it owed what `before` says: the change that is being recorded came after.
///
/// So it makes no difference whether the clock was asked before the money came. Only a write-off does not take what has
/// come meanwhile.
pub(crate) fn catch_up(
    session: &mut Session<'_>,
    account: &str,
    before: &Receivables,
) -> Result<(), Rejection> {
    let dunned = |e: &crate::session::Staged| *e.id == account && e.kind == "dunning";
    if session.events().iter().any(dunned) {
        return Ok(());
    }
    let today = session.today(&folio_terms_of(session, account)?.zone);
    for _ in 0..TURNS_MAX {
        if !turn(session, account, before, today)? {
            break;
        }
    }
    Ok(())
}

/// The same for everybody whose day has come, before a rule changes. Nobody, where the clock runs.
fn catch_up_all(session: &mut Session<'_>) -> Result<(), Rejection> {
    for account in late(session) {
        dun(session, &account)?;
    }
    Ok(())
}

fn late(session: &Session<'_>) -> Vec<Id> {
    let now: Instant = session.now();
    let agenda = session.agenda();
    let Some(last) = agenda.last_today(now) else {
        return vec![];
    };
    let dunned = agenda.through(last).filter_map(|(_, timer)| match timer {
        Timer::Dun { account } => Some(account.clone()),
        _ => None,
    });
    dunned.collect()
}

/// Refuses to sell to an account that is held.
pub(super) fn not_held(session: &mut Session<'_>, payer: &str) -> Result<(), Rejection> {
    let folios = folios::of(session, payer)?;
    for folio in &folios {
        dun(session, folio)?;
    }
    let mut cases = folios.iter().filter_map(|f| session.find::<Case>(f));
    match cases.find(|case| case.state.held()) {
        Some(_) => Err(Rejection::new(
            "ACCOUNT_HELD",
            format!("account {payer} is held until what is overdue is paid: nothing new is sold"),
        )),
        _ => Ok(()),
    }
}

/// One more thing that time brought by `today`; false when there is none.
fn turn(
    session: &mut Session<'_>,
    account: &str,
    owed: &Receivables,
    today: Date,
) -> Result<bool, Rejection> {
    let Some(next) = dunning::next(&*session, account, owed).filter(|n| n.on() <= today) else {
        return Ok(false);
    };
    match next {
        Next::PauseEnds { on } => {
            let command = match broken(session, account, owed) {
                Some(missing) => Command::Break { on, missing },
                None => Command::Resume { on },
            };
            session.decide::<Case>(account, command)?;
        }
        Next::Level { choice, level, on } => {
            reach::reach(session, account, choice, &level, on, owed)?;
        }
    }
    Ok(true)
}

/// What of a promise is not paid.
fn broken(session: &Session<'_>, account: &str, owed: &Receivables) -> Option<Money> {
    let case = session.find::<Case>(account)?;
    let promise = case.state.paused.as_ref()?.promise.as_ref()?;
    Some(missing(promise, owed))
}

/// What is open of the promised invoices beyond what was to be left.
fn missing(promise: &dunning::Promise, owed: &Receivables) -> Money {
    let open = promise.invoices.iter().filter_map(|i| owed.item(i));
    let open = Money::sum(promise.leaves.currency, open.map(|i| i.open));
    let missing = open.minus(promise.leaves);
    if missing.is_negative() {
        Money::zero(missing.currency)
    } else {
        missing
    }
}

fn receivables(session: &Session<'_>, account: &str) -> Receivables {
    let owed = session.find::<Receivables>(account);
    owed.map(|e| e.state.clone()).unwrap_or_default()
}

fn case(session: &Session<'_>, account: &str) -> Case {
    let case = session.find::<Case>(account);
    case.map(|e| e.state.clone()).unwrap_or_default()
}
