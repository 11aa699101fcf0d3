//! Subscriptions: resolves offers, dates and prices, then lets the subscription decide.

use super::account_terms;
use super::migration::lay;
use super::selling::{self, Choices, Sale};
use super::usage::follow::follow;
use crate::catalog::{Chosen, Offer, Sold, problems};
use crate::command::{ChangeWithOptions, Effective, Outcome, StartWithOptions};
use crate::kernel::{Date, Rejection, calendar::add_days, check_id};
use crate::session::Session;
use crate::subscriptions::{Command, Start, Subscription, Term, Unused, in_force, schedule};
use chrono::Datelike;

pub(super) fn start(
    session: &mut Session<'_>,
    with: StartWithOptions,
) -> Result<Outcome, Rejection> {
    let StartWithOptions {
        start: ask,
        options,
        contract,
        beginning,
    } = with;
    check_id("subscription", &ask.subscription)?;
    let account = account_terms(session, &ask.account)?;
    super::dunning::not_held(session, account.payer(&ask.account))?;
    let from = ask.from.unwrap_or_else(|| session.today(&account.zone));
    let sale = Sale {
        account: &ask.account,
        terms: &account,
        on: from,
        listed_on: from,
        contract: contract.as_deref(),
        also: None,
        subscription: &ask.subscription,
        quantity: ask.quantity,
    };
    let mut choices = Choices::new();
    for choice in options {
        choices.insert(choice.option, (choice.quantity, from));
    }
    let mut offer = selling::sell(session, sale, &ask.offer, choices)?;
    offer = selling::overridden(offer, &ask.overrides)?;
    if !ask.trial {
        offer.trial = None;
    }
    if let Some(billed_from) = beginning.billed_from {
        offer.trial = super::life::free_until(from, billed_from)?;
    }
    super::fields::require(session, &ask.subscription, &ask.account, &offer, from)?;
    let first_charged = offer.trial.map_or(from, |t| t.after(from));
    let chosen = ask.billing_day.or(offer.billing_day);
    let chosen = chosen.or(account.billing_day);
    let billing_day = chosen.unwrap_or(first_charged.day());
    let tenure = beginning.tenure.or(offer.tenure);
    let term = Term {
        from,
        offer: Sold::new(offer),
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
    super::folios::sell(session, &ask.subscription)?;
    if beginning.awaits_activation {
        session.decide::<Subscription>(
            &ask.subscription,
            Command::Await {
                day_chosen: chosen.is_some(),
            },
        )?;
    }
    if let Some(terms) = tenure {
        session.decide::<Subscription>(&ask.subscription, Command::AgreeTenure { from, terms })?;
    }
    lay(session, &ask.subscription, add_days(from, 1), None)?;
    Ok(Outcome::of("subscription", &ask.subscription))
}

pub(super) fn change(
    session: &mut Session<'_>,
    with: ChangeWithOptions,
) -> Result<Outcome, Rejection> {
    let id = with.change.subscription.clone();
    let (sub, today) = running(session, &id)?;
    let account = account_terms(session, &sub.account)?;
    super::dunning::not_held(session, account.payer(&sub.account))?;
    let from = effective(&sub, today, with.change.effective);
    let now = in_force(&sub, from)?;
    let contract = with.contract.clone().or_else(|| now.offer.contract.clone());
    let sale = Sale {
        account: &sub.account,
        terms: &account,
        on: from,
        listed_on: from,
        contract: contract.as_deref(),
        also: None,
        subscription: &id,
        quantity: with.change.quantity.unwrap_or(now.quantity),
    };
    let offer = match &with.change.offer {
        Some(code) => {
            let choices = carried(session, sale, &now.offer, code, &with)?;
            let mut offer = selling::sell(session, sale, code, choices)?;
            selling::keep_free_days(session, &now.offer, &mut offer)?;
            offer
        }
        None => {
            let mut offer = Offer::clone(&now.offer);
            let agreed = with.contract.is_some() && offer.contract != contract;
            if agreed
                || (sale.quantity != now.quantity && selling::depends_on_buyer(session, &offer))
            {
                offer.contract = contract.clone();
                let sale = Sale {
                    listed_on: sub.term_on(from).map_or(from, |(i, _)| sold_since(&sub, i)),
                    ..sale
                };
                offer =
                    selling::again(session, sale, &offer, &super::migration::pinned(&now.offer))?;
            }
            options(session, sale, offer, &with)?
        }
    };
    let offer = selling::overridden(offer, &with.change.overrides)?;
    if with.change.offer.is_some() {
        super::fields::require(session, &id, &sub.account, &offer, from)?;
    }
    let term = Term {
        from,
        offer: Sold::new(offer),
        quantity: with.change.quantity.unwrap_or(now.quantity),
        billing_day: with.change.billing_day.unwrap_or(now.billing_day),
        unused: with.change.unused,
    };
    session.decide::<Subscription>(&id, Command::Change(Box::new(term)))?;
    super::folios::payable(session, &id)?;
    lay(session, &id, add_days(from, 1), None)?;
    follow(session, &id)?;
    Ok(Outcome::of("subscription", &id))
}

/// The day on which the customer bought the version that term `i` has.
pub(super) fn sold_since(sub: &Subscription, i: usize) -> Date {
    let version = |t: &Term| (t.offer.code.clone(), t.offer.version);
    let Some(term) = sub.terms.get(i) else {
        return Date::default();
    };
    let same = sub.terms[..i].iter().rev();
    let same = same.take_while(|t| version(t) == version(term));
    same.last().map_or(term.from, |t| t.from)
}

/// The options of a new offer: what is asked for, and what the customer has and the new offer has too, since when he has
/// it. What the new offer includes is given up; what it does not know must be taken away by the command.
fn carried(
    session: &Session<'_>,
    sale: Sale<'_>,
    now: &Offer,
    code: &str,
    with: &ChangeWithOptions,
) -> Result<Choices, Rejection> {
    let mut choices = Choices::new();
    let catalog = session.find::<crate::catalog::Catalog>(super::catalog::MAIN);
    let includes = catalog
        .and_then(|c| c.state.sold_on(code, sale.on))
        .map(|o| o.includes.clone())
        .unwrap_or_default();
    // Another version of the same offer knows its mandatory options; another offer need not know those of this one.
    let forced = |chosen: &Chosen| {
        let rule = now.option.iter().find(|r| r.code == chosen.option);
        rule.is_some_and(|r| r.mandatory())
            && catalog
                .and_then(|c| c.state.sold_on(code, sale.on))
                .is_some_and(|o| o.option.iter().all(|r| r.code != chosen.option))
    };
    let kept = now.chosen.iter().filter(|c| {
        !with.remove.contains(&c.option) && !includes.contains(&c.option) && !forced(c)
    });
    for chosen in kept {
        choices.insert(chosen.option.clone(), (chosen.quantity, chosen.from));
    }
    for choice in &with.add {
        let since = since(now, choice.replaces.as_deref(), &choice.option, sale.on)?;
        if let Some(replaced) = &choice.replaces {
            choices.remove(replaced);
        }
        choices.insert(choice.option.clone(), (choice.quantity, since));
    }
    known(now, &with.remove)?;
    Ok(choices)
}

/// The offer that the customer has, with options added and taken away under the rules it was sold with.
fn options(
    session: &Session<'_>,
    sale: Sale<'_>,
    mut offer: Offer,
    with: &ChangeWithOptions,
) -> Result<Offer, Rejection> {
    if with.add.is_empty() && with.remove.is_empty() {
        return Ok(offer);
    }
    known(&offer, &with.remove)?;
    let had = offer.clone();
    let mut wanted = offer.quantities();
    let mut gone = with.remove.clone();
    gone.extend(with.add.iter().filter_map(|c| c.replaces.clone()));
    for option in &gone {
        wanted.remove(option);
    }
    for choice in &with.add {
        wanted.insert(choice.option.clone(), choice.quantity);
    }
    let found = problems(&offer, &wanted);
    if !found.is_empty() {
        return Err(Rejection::new(
            "OFFER_RULES_BROKEN",
            format!(
                "offer {} cannot be had like this, {} problems: {}",
                offer.code,
                found.len(),
                found.join("; ")
            ),
        ));
    }
    for option in &gone {
        offer = offer.without_option(option);
    }
    for choice in &with.add {
        let since = since(&had, choice.replaces.as_deref(), &choice.option, sale.on)?;
        let rule = offer
            .option
            .iter()
            .find(|r| r.code == choice.option)
            .cloned();
        if let Some(rule) = rule {
            offer = selling::add(session, sale, offer, &rule, choice.quantity, since)?;
        }
    }
    Ok(offer)
}

/// The day from which an option's phases count: what takes the place of another goes on where that one is, more or fewer
/// of the same too.
fn since(now: &Offer, replaces: Option<&str>, option: &str, on: Date) -> Result<Date, Rejection> {
    match replaces {
        Some(other) => now
            .chosen(other)
            .map(|c| c.from)
            .ok_or_else(|| not_chosen(other)),
        None => Ok(now.chosen(option).map_or(on, |c| c.from)),
    }
}

fn known(now: &Offer, options: &[String]) -> Result<(), Rejection> {
    match options.iter().find(|o| now.chosen(o).is_none()) {
        Some(option) => Err(not_chosen(option)),
        None => Ok(()),
    }
}

fn not_chosen(option: &str) -> Rejection {
    Rejection::new(
        "OPTION_NOT_CHOSEN",
        format!("the subscription does not have option {option:?}"),
    )
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
    let (sub, today) = running(session, subscription)?;
    let on = on.unwrap_or(today);
    session.decide::<Subscription>(subscription, Command::Resume { reason, on })?;
    // Dunning lifts its own pauses of what has ended too, so that an end can be taken back; nobody else resumes what does not run.
    if sub.end.as_ref().is_some_and(|end| end.on <= on) {
        in_force(&sub, on)?;
    }
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
pub(super) fn running(
    session: &Session<'_>,
    subscription: &str,
) -> Result<(Subscription, Date), Rejection> {
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

pub(super) fn effective(sub: &Subscription, today: Date, when: Effective) -> Date {
    match when {
        Effective::Immediate => today,
        Effective::On(date) => date,
        Effective::EndOfPeriod => schedule::period_end(sub, today),
    }
}
