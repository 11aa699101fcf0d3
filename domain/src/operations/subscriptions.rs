//! Subscriptions: resolves offers, dates and prices, then lets the subscription decide.

use super::account_terms;
use super::catalog::MAIN;
use crate::catalog::{Catalog, Offer, Price, Sold};
use crate::command::{ChangeSubscription, Effective, Outcome, StartSubscription};
use crate::kernel::{Currency, Date, Decimal, Rejection, check_id};
use crate::session::Session;
use crate::subscriptions::{Command, Start, Subscription, Term, Unused, schedule};
use chrono::Datelike;
use std::collections::BTreeMap;

pub(super) fn start(
    session: &mut Session<'_>,
    ask: StartSubscription,
) -> Result<Outcome, Rejection> {
    check_id("subscription", &ask.subscription)?;
    let account = account_terms(session, &ask.account)?;
    super::dunning::not_held(session, account.payer(&ask.account))?;
    let mut offer = sold(session, &ask.offer, account.currency, &ask.overrides)?;
    if !ask.trial && offer.trial.is_some() {
        offer = Sold::new(Offer {
            trial: None,
            ..Offer::clone(&offer)
        });
    }
    let from = ask.from.unwrap_or_else(|| session.today(&account.zone));
    super::fields::require(session, &ask.subscription, &ask.account, &offer, from)?;
    let first_charged = offer.trial.map_or(from, |t| t.after(from));
    let billing_day = ask
        .billing_day
        .or(account.billing_day)
        .unwrap_or(first_charged.day());
    let term = Term {
        from,
        offer,
        quantity: ask.quantity,
        billing_day,
        unused: Unused::None,
    };
    let start = Start {
        account: ask.account,
        term,
        access: ask.access,
    };
    session.decide::<Subscription>(&ask.subscription, Command::Start(Box::new(start)))?;
    Ok(Outcome::of("subscription", &ask.subscription))
}

pub(super) fn change(
    session: &mut Session<'_>,
    ask: ChangeSubscription,
) -> Result<Outcome, Rejection> {
    let (sub, today) = running(session, &ask.subscription)?;
    let payer = account_terms(session, &sub.account)?;
    super::dunning::not_held(session, payer.payer(&sub.account))?;
    let from = effective(&sub, today, ask.effective);
    let Some((_, now)) = sub.term_on(from) else {
        return Err(Rejection::new(
            "SUBSCRIPTION_TERMINATED",
            format!("subscription {} does not run on {from}", ask.subscription),
        ));
    };
    let offer = match &ask.offer {
        Some(code) => sold(session, code, now.offer.currency, &ask.overrides)?,
        None => overridden(now.offer.clone(), &ask.overrides)?,
    };
    if ask.offer.is_some() {
        super::fields::require(session, &ask.subscription, &sub.account, &offer, from)?;
    }
    let term = Term {
        from,
        offer,
        quantity: ask.quantity.unwrap_or(now.quantity),
        billing_day: ask.billing_day.unwrap_or(now.billing_day),
        unused: ask.unused,
    };
    session.decide::<Subscription>(&ask.subscription, Command::Change(Box::new(term)))?;
    Ok(Outcome::of("subscription", &ask.subscription))
}

pub(super) fn pause(
    session: &mut Session<'_>,
    subscription: &str,
    reason: String,
    from: Option<Date>,
) -> Result<Outcome, Rejection> {
    let (_, today) = running(session, subscription)?;
    session.decide::<Subscription>(
        subscription,
        Command::Pause {
            reason,
            from: from.unwrap_or(today),
        },
    )?;
    Ok(Outcome::of("subscription", subscription))
}

pub(super) fn resume(
    session: &mut Session<'_>,
    subscription: &str,
    reason: String,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let (_, today) = running(session, subscription)?;
    session.decide::<Subscription>(
        subscription,
        Command::Resume {
            reason,
            on: on.unwrap_or(today),
        },
    )?;
    Ok(Outcome::of("subscription", subscription))
}

pub(super) fn terminate(
    session: &mut Session<'_>,
    subscription: &str,
    when: Effective,
    unused: Unused,
) -> Result<Outcome, Rejection> {
    let (sub, today) = running(session, subscription)?;
    let on = effective(&sub, today, when);
    session.decide::<Subscription>(subscription, Command::Terminate { on, unused })?;
    Ok(Outcome::of("subscription", subscription))
}

/// The subscription and today's date in its account's zone.
fn running(session: &Session<'_>, subscription: &str) -> Result<(Subscription, Date), Rejection> {
    let Some(sub) = session
        .find::<Subscription>(subscription)
        .map(|e| e.state.clone())
    else {
        return Err(Rejection::new(
            "SUBSCRIPTION_UNKNOWN",
            format!("there is no subscription {subscription:?}"),
        ));
    };
    let zone = account_terms(session, &sub.account)?.zone;
    Ok((sub, session.today(&zone)))
}

fn effective(sub: &Subscription, today: Date, when: Effective) -> Date {
    match when {
        Effective::Immediate => today,
        Effective::On(date) => date,
        Effective::EndOfPeriod => schedule::period_end(sub, today),
    }
}

/// The newest version of an offer, with this customer's prices in it.
fn sold(
    session: &Session<'_>,
    code: &str,
    currency: Currency,
    overrides: &BTreeMap<String, Decimal>,
) -> Result<Sold, Rejection> {
    let offer = session
        .find::<Catalog>(MAIN)
        .and_then(|e| e.state.offer(code))
        .cloned();
    let Some(offer) = offer else {
        return Err(Rejection::new(
            "OFFER_UNKNOWN",
            format!("there is no published offer {code:?}"),
        ));
    };
    if offer.currency != currency {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "offer {code} is sold in {}, the account is in {currency}",
                offer.currency
            ),
        ));
    }
    overridden(offer, overrides)
}

fn overridden(sold: Sold, overrides: &BTreeMap<String, Decimal>) -> Result<Sold, Rejection> {
    if overrides.is_empty() {
        return Ok(sold);
    }
    let mut offer = Offer::clone(&sold);
    for (code, price) in overrides {
        if price.is_negative() {
            return Err(Rejection::new(
                "PRICE_NEGATIVE",
                format!("a price of {price} for charge {code} is below zero"),
            ));
        }
        let Some(charge) = offer.recurring.iter_mut().find(|c| c.code == *code) else {
            return Err(Rejection::new(
                "CHARGE_UNKNOWN",
                format!(
                    "offer {} has no recurring charge {code:?} to override",
                    offer.code
                ),
            ));
        };
        charge.price = match charge.price {
            Price::PerUnit(_) => Price::PerUnit(*price),
            _ => Price::Flat(*price),
        };
    }
    Ok(Sold::new(offer))
}
