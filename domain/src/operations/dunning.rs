//! Dunning: sets policies, and does what an account's dunning has reached.

use super::{account_terms, entity_terms};
use crate::accounts::AccountTerms;
use crate::charges::{self, Charges, Pending};
use crate::command::{DunningAction, DunningLevel, Outcome};
use crate::dunning::{self, Case, Command, Policy, REASON, Step};
use crate::entities::EntityTerms;
use crate::kernel::{Date, Exact, Id, Money, Rejection, check_id};
use crate::receivables::{self, Receivables};
use crate::session::Session;
use crate::subscriptions::{self, Subscription};

pub(super) fn set_policy(
    session: &mut Session<'_>,
    policy: &str,
    levels: Vec<DunningLevel>,
) -> Result<Outcome, Rejection> {
    check_id("dunning policy", policy)?;
    session.decide::<Policy>(policy, dunning::policy::Command::Set { levels })?;
    Ok(Outcome::of("dunning-policy", policy))
}

pub(super) fn pause(
    session: &mut Session<'_>,
    account: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let on = session.today(&account_terms(session, account)?.zone);
    session.decide::<Case>(account, Command::Pause { reason, on })?;
    Ok(Outcome::of("dunning", account))
}

pub(super) fn resume(session: &mut Session<'_>, account: &str) -> Result<Outcome, Rejection> {
    let on = session.today(&account_terms(session, account)?.zone);
    session.decide::<Case>(account, Command::Resume { on })?;
    Ok(Outcome::of("dunning", account))
}

/// Performs every level reached by today, in order, each dated at its own day: late or repeated, the result is the same.
pub(super) fn dun(session: &mut Session<'_>, account: &str) -> Result<Outcome, Rejection> {
    let terms = account_terms(session, account)?;
    let entity = entity_terms(session, &terms.entity)?;
    let today = session.today(&terms.zone);
    let levels = dunning::policy_of(&terms, &entity)
        .and_then(|policy| session.find::<Policy>(policy))
        .map(|e| e.state.levels.clone())
        .unwrap_or_default();
    // Every turn does one more level, so there are at most as many turns as levels.
    for _ in 0..levels.len() {
        let case = session
            .find::<Case>(account)
            .map(|e| e.state.clone())
            .unwrap_or_default();
        let owed = session
            .find::<Receivables>(account)
            .map(|e| e.state.clone())
            .unwrap_or_default();
        let Some((level, on)) = dunning::next(&levels, &case, &owed).filter(|(_, on)| *on <= today)
        else {
            break;
        };
        reach(
            session,
            account,
            (&terms, &entity),
            (level, on),
            (&case, &owed),
        )?;
    }
    Ok(Outcome::of("dunning", account))
}

fn reach(
    session: &mut Session<'_>,
    account: &str,
    (terms, entity): (&AccountTerms, &EntityTerms),
    (level, on): (&DunningLevel, Date),
    (case, owed): (&Case, &Receivables),
) -> Result<(), Rejection> {
    let Some(oldest) = owed.overdue(on).next() else {
        return Ok(());
    };
    let overdue = Money::sum(terms.currency, owed.overdue(on).map(|i| i.open));
    let free = || owed.overdue(on).filter(|i| i.pending.is_none());
    let suspends = level.actions.contains(&DunningAction::Suspend);
    let step = Step {
        level: level.clone(),
        on,
        oldest: oldest.invoice.clone(),
        overdue,
        fees: fees(account, (terms, entity), level, case)?,
        subscriptions: if suspends {
            running(session, account, on)?
        } else {
            vec![]
        },
        invoices: free().map(|i| i.invoice.clone()).collect(),
        collectable: Money::sum(terms.currency, free().map(|i| i.open)),
    };
    for (charge, amount) in &step.fees {
        let text = format!("Late fee, {}", level.name);
        let fee = Pending {
            charge: charge.clone(),
            text,
            amount: *amount,
            on,
            tax_class: "standard".to_string(),
        };
        session.decide::<Charges>(account, charges::Command::Add(fee))?;
    }
    for subscription in &step.subscriptions {
        let start = session
            .get::<Subscription>(subscription)?
            .start()
            .unwrap_or(on);
        let pause = subscriptions::Command::Pause {
            reason: REASON.to_string(),
            from: on.max(start),
        };
        session.decide::<Subscription>(subscription, pause)?;
    }
    let (invoices, writes_off) = (
        step.invoices.clone(),
        level.actions.contains(&DunningAction::WriteOff),
    );
    session.decide::<Case>(account, Command::Reach(Box::new(step)))?;
    for invoice in invoices.into_iter().filter(|_| writes_off) {
        let reason = format!("dunning level {}", level.name);
        session
            .decide::<Receivables>(account, receivables::Command::WriteOff { invoice, reason })?;
    }
    Ok(())
}

/// Ids and amounts of a level's late fees: `dun.<account>.<episode>.<ordinal of the level>`.
fn fees(
    account: &str,
    terms: (&AccountTerms, &EntityTerms),
    level: &DunningLevel,
    case: &Case,
) -> Result<Vec<(Id, Money)>, Rejection> {
    let episode = if case.open.is_some() {
        case.episodes
    } else {
        case.episodes + 1
    };
    let ordinal = case.done().len() + 1;
    let mut fees: Vec<(Id, Money)> = Vec::new();
    for action in &level.actions {
        let DunningAction::Fee(fee) = action else {
            continue;
        };
        let amount = Money::round(Exact::from(*fee), terms.0.currency, terms.1.rounding)?;
        if amount.is_zero() {
            continue;
        }
        let more = if fees.is_empty() {
            String::new()
        } else {
            format!(".{}", fees.len() + 1)
        };
        fees.push((format!("dun.{account}.{episode}.{ordinal}{more}"), amount));
    }
    Ok(fees)
}

/// Subscriptions that the account pays for, that run on a day or began since, and that dunning has not paused yet.
fn running(session: &Session<'_>, account: &str, on: Date) -> Result<Vec<Id>, Rejection> {
    let index = session.index();
    let owners = std::iter::once(account).chain(
        index
            .paid_by
            .get(account)
            .into_iter()
            .flatten()
            .map(String::as_str),
    );
    let mut ids = Vec::new();
    for owner in owners {
        let today = session.today(&account_terms(session, owner)?.zone);
        for id in index.subscriptions_of.get(owner).into_iter().flatten() {
            let sub = session.get::<Subscription>(id)?;
            let from = sub.start().map_or(on, |start| start.max(on));
            let paused = sub
                .pauses
                .iter()
                .any(|p| p.reason == REASON && p.until.is_none_or(|until| until > from));
            if from <= today.max(on) && sub.term_on(from).is_some() && !paused {
                ids.push(id.clone());
            }
        }
    }
    Ok(ids)
}
