//! Prices in parts: what is reached becomes a charge in the same commit.

use super::exchange::{self, currency_of};
use super::{account_terms, folios};
use crate::charges::{self, Charges, Pending, What};
use crate::command::Outcome;
use crate::kernel::{Date, Id, Rejection, check_id};
use crate::milestones::{self, Command, Milestones, Plan, Reached};
use crate::session::Session;
use crate::subscriptions::Subscription;

pub(super) fn agree(session: &mut Session<'_>, id: &str, plan: Plan) -> Result<Outcome, Rejection> {
    check_id("milestone plan", id)?;
    let terms = account_terms(session, &plan.account)?;
    let mut currency = terms.currency;
    if let Some(subscription) = &plan.subscription {
        let sub = session.get::<Subscription>(subscription)?;
        if sub.account != plan.account {
            return Err(Rejection::new(
                "SUBSCRIPTION_UNKNOWN",
                format!(
                    "account {} has no subscription {subscription:?}",
                    plan.account
                ),
            ));
        }
        currency = currency_of(sub, terms.currency);
    }
    let asked = plan.total.map_or(currency, |total| total.currency);
    let own = plan.subscription.is_none();
    let converts = own
        && (exchange::converts(session, &plan.account, &terms)
            || folios::apart(session, &plan.account, &terms));
    if asked != currency && !converts {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!("the charges are in {currency}, the plan in {asked}"),
        ));
    }
    session.decide::<Milestones>(id, Command::Agree(plan.clone()))?;
    for milestone in &plan.milestones {
        if let Some(on) = milestone.on {
            due(session, id, &plan, &milestone.code, on)?;
        }
    }
    Ok(Outcome::of("milestone", id))
}

pub(super) fn reach(
    session: &mut Session<'_>,
    id: &str,
    milestone: Id,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let plan = session.get::<Milestones>(id)?.plan.clone();
    let today = match &plan {
        Some(plan) => session.today(&account_terms(session, &plan.account)?.zone),
        None => Date::default(),
    };
    let on = on.unwrap_or(today);
    let reached = Reached {
        milestone: milestone.clone(),
        on,
    };
    session.decide::<Milestones>(id, Command::Reach(reached))?;
    if let Some(plan) = plan {
        due(session, id, &plan, &milestone, on)?;
    }
    Ok(Outcome::of("milestone", id))
}

/// Adds the charge of one part.
fn due(
    session: &mut Session<'_>,
    id: &str,
    plan: &Plan,
    milestone: &str,
    on: Date,
) -> Result<(), Rejection> {
    let parts = plan.milestones.iter().zip(plan.amounts()?);
    let mut part = parts.filter(|(m, _)| m.code == milestone);
    let Some((part, amount)) = part.next() else {
        return Ok(());
    };
    if amount.is_zero() {
        return Ok(());
    }
    let pending = Pending {
        charge: milestones::charge(id, milestone),
        text: format!("{}: {} ({} %)", plan.text, part.text, part.share),
        amount,
        on,
        tax_class: plan.tax_class.clone(),
    };
    let owner = plan.owner().clone();
    let (charge, currency) = (pending.charge.clone(), pending.amount.currency);
    session.decide::<Charges>(&owner, charges::Command::Add(pending))?;
    match plan.subscription {
        Some(_) => Ok(()),
        None => folios::charge(session, &plan.account, &charge, currency),
    }
}

pub(super) fn cancel(
    session: &mut Session<'_>,
    id: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let plan = session.get::<Milestones>(id)?.plan.clone();
    session.decide::<Milestones>(id, Command::Cancel { reason })?;
    let Some(plan) = plan else {
        return Ok(Outcome::of("milestone", id));
    };
    let owner = plan.owner().clone();
    for milestone in &plan.milestones {
        let charge = milestones::charge(id, &milestone.code);
        let waits = session.find::<Charges>(&owner).is_some_and(|e| {
            let of = |w: &What| matches!(w, What::Added { charge: c, .. } if *c == charge);
            let billed = e.state.items.iter().any(|i| of(&i.what));
            !billed && e.state.pending.iter().any(|p| p.charge == charge)
        });
        if waits {
            session.decide::<Charges>(&owner, charges::Command::Cancel { charge })?;
        }
    }
    Ok(Outcome::of("milestone", id))
}
