//! The life of a subscription beyond start and change: activation, tenure, transfer, billing day, ends and what is undone.

use super::migration::lay;
use super::subscriptions::{effective, running};
use super::usage::follow::follow;
use super::{account_terms, exchange, folios};
use crate::accounts::{self, Account};
use crate::catalog::{Align, Offer};
use crate::command::{
    Command as Ask, Effective, EndSubscription, EndWhen, Outcome, Rest, TransferSubscription,
};
use crate::kernel::{
    Date, Rejection, Span,
    calendar::{add_days, days_between},
    check_id,
};
use crate::session::Session;
use crate::subscriptions::{
    Command, EndKind, Ending, Pause, Plan, Restricted, Start, Subscription, Tenure, Term, Unused,
    in_force,
};
use chrono::Datelike;

/// Most days that a subscription runs before it is billed.
pub const FREE_DAYS_MAX: i64 = 1_200;

pub(super) fn handle(session: &mut Session<'_>, ask: Ask) -> Result<Outcome, Rejection> {
    match ask {
        Ask::EndSubscription(ask) => end(session, *ask),
        Ask::CancelSubscription {
            subscription,
            reason,
        } => {
            let (_, today) = running(session, &subscription)?;
            decide(session, &subscription, Command::Cancel { today, reason })
        }
        Ask::ReactivateSubscription { subscription, on } => reactivate(session, &subscription, on),
        Ask::UndoPlan { subscription, plan } => undo(session, &subscription, plan),
        Ask::ActivateSubscription { subscription, on } => activate(session, &subscription, on),
        Ask::TransferSubscription(ask) => transfer(session, *ask),
        Ask::MoveBillingDay {
            subscription,
            day,
            effective,
        } => move_billing_day(session, &subscription, day, effective),
        Ask::MoveAccountBillingDay {
            account,
            day,
            effective,
        } => move_account(session, &account, day, effective),
        Ask::AgreeTenure {
            subscription,
            from,
            terms,
        } => {
            let (_, today) = running(session, &subscription)?;
            let from = from.unwrap_or(today);
            decide(session, &subscription, Command::AgreeTenure { from, terms })
        }
        Ask::TendTenure { subscription } => {
            let (_, today) = running(session, &subscription)?;
            decide(session, &subscription, Command::Tend { today })
        }
        other => Err(Rejection::new(
            "NOT_A_SUBSCRIPTION_COMMAND",
            format!("{other:?} does not change a subscription"),
        )),
    }
}

fn decide(
    session: &mut Session<'_>,
    subscription: &str,
    command: Command,
) -> Result<Outcome, Rejection> {
    session.decide::<Subscription>(subscription, command)?;
    Ok(Outcome::of("subscription", subscription))
}

/// Free days before the first charged one, as a trial.
pub(super) fn free_until(from: Date, billed_from: Date) -> Result<Option<Span>, Rejection> {
    let days = days_between(from, billed_from);
    match u32::try_from(days).ok().filter(|_| days <= FREE_DAYS_MAX) {
        Some(0) => Ok(None),
        Some(days) => Ok(Some(Span::days(days))),
        None => Err(Rejection::new(
            "BILLED_FROM_INVALID",
            format!(
                "a subscription from {from} can be billed from that day on up to {FREE_DAYS_MAX} days later, asked for {billed_from}"
            ),
        )),
    }
}

fn end(session: &mut Session<'_>, ask: EndSubscription) -> Result<Outcome, Rejection> {
    let (sub, today) = running(session, &ask.subscription)?;
    let tenure = sub.tenure.as_ref().filter(|t| !t.over);
    let on = match (ask.when, tenure) {
        (EndWhen::Effective(when), _) => effective(&sub, today, when),
        (EndWhen::Notice, _) => {
            // Notice is asked for after the tenure too.
            let terms = sub.tenure.as_ref();
            terms.map_or(today, |t| t.earliest_end(today))
        }
        (EndWhen::EndOfTenure, tenure) => tenure.map_or(today, Tenure::until),
    };
    let until = tenure.map_or(on, Tenure::until).max(on);
    let charged_until = match ask.rest {
        Rest::Refuse if until > on => {
            let earliest = tenure.map_or(on, |t| t.earliest_end(today));
            return Err(Rejection::new(
                "TENURE_RUNNING",
                format!(
                    "subscription {} is agreed until {until} and may end on {earliest} if that is asked for on {today}, asked to end it on {on}: say what becomes of the rest",
                    ask.subscription
                ),
            ));
        }
        Rest::Refuse | Rest::Waive => on,
        Rest::Charge | Rest::ChargeAtOnce => until,
        Rest::ChargeUntil(day) => day,
    };
    let ending = Ending {
        charged_until,
        at_once: ask.rest == Rest::ChargeAtOnce,
        fees: ask.fees,
        reason: ask.reason,
        ..Ending::on(on, ask.unused)
    };
    decide(session, &ask.subscription, Command::End(Box::new(ending)))
}

fn reactivate(
    session: &mut Session<'_>,
    subscription: &str,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let (sub, today) = running(session, subscription)?;
    let account = account_terms(session, &sub.account)?;
    super::dunning::not_held(session, account.payer(&sub.account))?;
    let on = on.unwrap_or_else(|| sub.end.as_ref().map_or(today, |e| e.on.max(today)));
    session.decide::<Subscription>(subscription, Command::Reactivate { on })?;
    lay(session, subscription, add_days(on, 1), None)?;
    Ok(Outcome::of("subscription", subscription))
}

fn undo(session: &mut Session<'_>, subscription: &str, plan: Plan) -> Result<Outcome, Rejection> {
    let (sub, today) = running(session, subscription)?;
    let mut outcome = Outcome::of("subscription", subscription);
    session.decide::<Subscription>(
        subscription,
        Command::Undo {
            plan: plan.clone(),
            today,
        },
    )?;
    match plan {
        Plan::Change { from } => lay(session, subscription, from, None)?,
        Plan::End => {
            if let Some(EndKind::HandedOver { to }) = sub.end.map(|e| e.kind) {
                let reason = "the transfer was undone".to_string();
                session.decide::<Subscription>(&to, Command::Cancel { today, reason })?;
                outcome.touched.push(("subscription".to_string(), to));
            }
        }
        Plan::Pause { .. } | Plan::Resume { .. } => {}
    }
    Ok(outcome)
}

fn activate(
    session: &mut Session<'_>,
    subscription: &str,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let (sub, today) = running(session, subscription)?;
    let account = account_terms(session, &sub.account)?;
    super::dunning::not_held(session, account.payer(&sub.account))?;
    let on = on.unwrap_or(today);
    let day_of = |from: Date, offer: &Offer| offer.trial.map_or(from, |t| t.after(from)).day();
    let billing_day = sub.terms.last().map_or(1, |term| {
        let given = term.offer.billing_day.or(account.billing_day).is_some();
        let given = given || sub.day_chosen;
        // A day that nobody chose is that of the first charged day, whenever that comes.
        match !given && term.billing_day == day_of(term.from, &term.offer) {
            true => day_of(on, &term.offer),
            false => term.billing_day,
        }
    });
    session.decide::<Subscription>(subscription, Command::Activate { on, billing_day })?;
    lay(session, subscription, add_days(on, 1), None)?;
    Ok(Outcome::of("subscription", subscription))
}

fn move_billing_day(
    session: &mut Session<'_>,
    id: &str,
    day: u32,
    when: Effective,
) -> Result<Outcome, Rejection> {
    let (sub, today) = running(session, id)?;
    let from = effective(&sub, today, when);
    let now = in_force(&sub, from)?;
    if !has_billing_day(&now.offer) {
        return Err(Rejection::new(
            "BILLING_DAY_UNUSED",
            format!(
                "no charge of offer {} lies on a billing day, asked to move it to day {day}",
                now.offer.code
            ),
        ));
    }
    let term = Term {
        from,
        billing_day: day,
        unused: Unused::CreditProrata,
        ..now.clone()
    };
    session.decide::<Subscription>(id, Command::Change(Box::new(term)))?;
    lay(session, id, add_days(from, 1), None)?;
    follow(session, id)?;
    Ok(Outcome::of("subscription", id))
}

fn has_billing_day(offer: &Offer) -> bool {
    let recurring = offer.recurring.iter().map(|c| c.align);
    let usage = offer.usage.iter().map(|c| c.align);
    let commitments = offer.commitments.iter().map(|c| c.align);
    let mut all = recurring.chain(usage).chain(commitments);
    all.any(|align| align == Align::BillingDay)
}

fn move_account(
    session: &mut Session<'_>,
    account: &str,
    day: u32,
    when: Effective,
) -> Result<Outcome, Rejection> {
    let mut terms = account_terms(session, account)?;
    let today = session.today(&terms.zone);
    let before = terms.billing_day.replace(day);
    session.decide::<Account>(account, accounts::Command::Change(terms))?;
    let mut outcome = Outcome::of("account", account);
    let ids = session.index().subscriptions_of.get(account);
    for id in ids.into_iter().flatten() {
        let sub = session.get::<Subscription>(id)?;
        let term = sub.terms.last();
        let same = |t: &&Term| before.is_none_or(|b| b == t.billing_day);
        let runs = sub.end_date() > today && !sub.awaits;
        let has = term.filter(same).filter(|t| has_billing_day(&t.offer));
        if runs && has.is_some_and(|t| t.billing_day != day && t.offer.billing_day.is_none()) {
            let moved = move_billing_day(session, id, day, when)?;
            outcome.touched.extend(moved.touched);
        }
    }
    Ok(outcome)
}

fn transfer(session: &mut Session<'_>, ask: TransferSubscription) -> Result<Outcome, Rejection> {
    check_id("subscription", &ask.to)?;
    let (sub, today) = running(session, &ask.subscription)?;
    let (own, other) = (
        account_terms(session, &sub.account)?,
        account_terms(session, &ask.account)?,
    );
    if ask.account == sub.account {
        return Err(Rejection::new(
            "ACCOUNT_SAME",
            format!(
                "subscription {} is of account {} already",
                ask.subscription, ask.account
            ),
        ));
    }
    let sold = exchange::currency_of(&sub, own.currency);
    if sold != other.currency
        && !exchange::converts(session, &ask.account, &other)
        && !folios::apart(session, &ask.account, &other)
    {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "subscription {} is sold in {sold}, account {} is in {}",
                ask.subscription, ask.account, other.currency
            ),
        ));
    }
    super::dunning::not_held(session, other.payer(&ask.account))?;
    let on = effective(&sub, today, ask.effective);
    let ending = Ending {
        fees: false,
        reason: format!("goes on with account {}", ask.account),
        kind: EndKind::HandedOver { to: ask.to.clone() },
        ..Ending::on(on, ask.unused)
    };
    session.decide::<Subscription>(&ask.subscription, Command::End(Box::new(ending)))?;
    take_over(session, &sub, &ask, on)?;
    folios::sell(session, &ask.to)?;
    lay(session, &ask.to, add_days(on, 1), None)?;
    let mut outcome = Outcome::of("subscription", &ask.to);
    let old = ("subscription".to_string(), ask.subscription);
    outcome.touched.push(old);
    Ok(outcome)
}

/// The same terms, pauses and tenure, as another account's from `on` on.
fn take_over(
    session: &mut Session<'_>,
    sub: &Subscription,
    ask: &TransferSubscription,
    on: Date,
) -> Result<(), Rejection> {
    let mut terms = sub.terms.iter().cloned();
    let Some(term) = terms.next() else {
        return Ok(());
    };
    let start = Start {
        account: ask.account.clone(),
        term,
        access: sub.access.clone(),
    };
    let mut commands = vec![
        Command::Start(Box::new(start)),
        Command::Lay(terms.collect()),
    ];
    let later = |p: &&Pause| p.until.is_none_or(|until| until > on);
    for pause in sub.pauses.iter().filter(later) {
        commands.push(Command::Restrict(Restricted {
            reason: pause.reason.clone(),
            from: pause.from,
            billing_stops: pause.billing_stops,
            usage: pause.usage.clone(),
        }));
        commands.extend(pause.until.map(|on| Command::Resume {
            reason: pause.reason.clone(),
            on,
        }));
    }
    commands.extend(sub.tenure.clone().map(|tenure| Command::CarryTenure {
        tenure,
        ends: sub.end.is_some(),
    }));
    commands.push(Command::TakeOver {
        subscription: ask.subscription.clone(),
        since: on,
    });
    for command in commands {
        session.decide::<Subscription>(&ask.to, command)?;
    }
    Ok(())
}
