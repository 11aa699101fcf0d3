//! How subscriptions make an account's level, and the level its movements.

use std::collections::BTreeMap;

use indelible_domain::catalog::{Offer, Sold};
use indelible_domain::kernel::calendar::LAST_DATE;
use indelible_domain::kernel::{Currency, Date, Decider, Exact, Id};
use indelible_domain::subscriptions::schedule::{self, Running};
use indelible_domain::subscriptions::{self, Subscription, Term};
use indelible_domain::{Event, Recorded, Rejection, rating};
use serde::{Deserialize, Serialize};

use super::holdings::Before;
use super::{Kind, Movement, Moves, discounts, holdings};
use crate::{Projection, Rows, ViewError};

/// Rows: `s/subscription` its recurring terms and what of them is counted; `o/account` what it has and who pays
/// ([`Holding`]); `k/currency/account` the changes of its level by day; `m/currency/day/account` a [`Movement`]; `d/currency/day` the [`Moves`] of all accounts; `x/subscription` the
/// id of one whose amount is too large or too fine for the sums.
pub struct Mrr;

/// The changes of an amount by day; days on which nothing changes are not kept, so that equal levels have equal rows.
pub(super) type Changes = BTreeMap<Date, Exact>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counted {
    pub(super) terms: Subscription,
    /// What of it is in the account's level.
    changes: Changes,
}

impl Projection for Mrr {
    const NAME: &'static str = "subscriptions/mrr";
    const VERSION: u32 = 5;
    const KINDS: &'static [&'static str] = &["subscription", "redemption", "account", "invoice"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let id = &recorded.id;
        match &recorded.event {
            Event::Subscription(fact) => {
                let key = subscription_key(id);
                let mut row: Counted = rows.get(&key)?.unwrap_or_default();
                let before = row.terms.account.clone();
                Subscription::evolve(&mut row.terms, &recurring_only(fact));
                let account = row.terms.account.clone();
                if before != account {
                    // What it was in the level of who had it before.
                    let none = Changes::new();
                    if let Ok(plan) =
                        shift(rows, &before, currency(&row.terms), &row.changes, &none)?
                    {
                        plan.write(rows, &before, currency(&row.terms))?;
                    }
                    row.changes = none;
                    holdings::moves(rows, id, &before, &account)?;
                }
                rows.put(&key, &row)?;
                let payer = holdings::payer(rows, &account)?;
                match holdings::discounts(rows, &payer)?.is_empty() {
                    true => {
                        let changes = changes(&row.terms);
                        count(rows, id, changes)
                    }
                    false => discounted(rows, &payer),
                }
            }
            Event::Redemption(fact) => {
                let before = holdings::discounts(rows, id)?;
                holdings::redeemed(rows, id, fact)?;
                discounted_since(rows, (id.clone(), before))
            }
            Event::Account(fact) => match holdings::pays(rows, id, fact)? {
                Some(payers) => payers.iter().try_for_each(|payer| discounted(rows, payer)),
                None => Ok(()),
            },
            Event::Invoice(fact) => match holdings::covered(rows, fact)? {
                Some(before) => discounted_since(rows, before),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// Counts everything that an account pays for anew, less what its discounts take off.
fn discounted(rows: &mut Rows<'_>, payer: &Id) -> Result<(), ViewError> {
    let held = holdings::held(rows, payer)?;
    let discounts = holdings::discounts(rows, payer)?;
    for (id, changes) in discounts::changes(&held, &discounts) {
        count(rows, &id, changes)?;
    }
    Ok(())
}

/// The same, if its discounts are others than before: nearly every document takes some off, and for hardly any of them the
/// amounts that recur become others.
fn discounted_since(rows: &mut Rows<'_>, (payer, before): Before) -> Result<(), ViewError> {
    match holdings::discounts(rows, &payer)? == before {
        true => Ok(()),
        false => discounted(rows, &payer),
    }
}

/// Puts a subscription's changes into the level of its account, instead of those that were there.
fn count(
    rows: &mut Rows<'_>,
    id: &Id,
    wanted: Result<Changes, Rejection>,
) -> Result<(), ViewError> {
    let key = subscription_key(id);
    let Some(mut row) = rows.get::<Counted>(&key)? else {
        return Ok(());
    };
    let account = row.terms.account.clone();
    let currency = currency(&row.terms);
    let apart = format!("x/{id}");
    // A document that uses up one time of a discount mostly changes nothing: rows are not written for it.
    let same = |new: &Changes| !new.is_empty() && *new == row.changes;
    if wanted.as_ref().is_ok_and(same) && rows.get::<Id>(&apart)?.is_none() {
        return Ok(());
    }
    let plan = match wanted {
        Ok(new) => shift(rows, &account, currency, &row.changes, &new)?.map(|plan| (plan, new)),
        Err(rejection) => Err(rejection),
    };
    match plan {
        Ok((plan, new)) => {
            plan.write(rows, &account, currency)?;
            row.changes = new;
            rows.remove(&apart)?;
        }
        // One contract with an amount that no sum can hold must not stop the figures of all others.
        Err(_) => {
            let none = Changes::new();
            if let Ok(plan) = shift(rows, &account, currency, &row.changes, &none)? {
                plan.write(rows, &account, currency)?;
                row.changes = none;
            }
            rows.put(&apart, id)?;
        }
    }
    rows.put(&key, &row)
}

pub(super) fn subscription_key(id: &str) -> String {
    format!("s/{id}")
}

fn currency(sub: &Subscription) -> Currency {
    let term = sub.terms.first();
    term.map_or(Currency::default(), |t| t.offer.currency)
}

/// The fact without what recurring revenue does not need, to keep rows small.
fn recurring_only(fact: &subscriptions::Event) -> subscriptions::Event {
    let strip = |term: &mut Term| {
        term.offer = Sold::new(Offer {
            one_off: vec![],
            usage: vec![],
            ..Offer::clone(&term.offer)
        });
    };
    let mut fact = fact.clone();
    match &mut fact {
        subscriptions::Event::Started(e) => {
            strip(&mut e.term);
            e.access.clear();
        }
        subscriptions::Event::Changed(e) => strip(&mut e.term),
        _ => {}
    }
    fact
}

/// By how much a subscription's monthly amount changes on which day, before discounts.
fn changes(sub: &Subscription) -> Result<Changes, Rejection> {
    let mut changes = Changes::new();
    for running in schedule::running(sub) {
        let monthly = monthly(&running)?;
        add(&mut changes, running.days.from, monthly)?;
        if running.days.until < LAST_DATE {
            add(&mut changes, running.days.until, monthly.negated())?;
        }
    }
    Ok(changes)
}

pub(super) fn add(changes: &mut Changes, on: Date, by: Exact) -> Result<(), Rejection> {
    let sum = changes.get(&on).copied().unwrap_or_default().plus(by)?;
    if sum.is_zero() {
        changes.remove(&on);
    } else {
        changes.insert(on, sum);
    }
    Ok(())
}

/// A charge's amount per month: its price divided by the months of its period, without tax.
pub(super) fn monthly(running: &Running<'_>) -> Result<Exact, Rejection> {
    let full = rating::price::amount(
        &running.charge.price,
        running.charge.units(running.term.quantity),
    )?;
    match running.charge.every.in_months() {
        (0, _) => Ok(Exact::ZERO),
        (months, of) => full.share(of, months),
    }
}

/// What a change of an account's level does to the rows, worked out before any row is touched.
struct Plan {
    level: Changes,
    gone: Vec<Movement>,
    come: Vec<Movement>,
    days: BTreeMap<Date, Moves>,
}

impl Plan {
    fn write(self, rows: &mut Rows<'_>, account: &Id, currency: Currency) -> Result<(), ViewError> {
        for movement in &self.gone {
            rows.remove(&movement_key(currency, movement))?;
        }
        for movement in &self.come {
            rows.put(&movement_key(currency, movement), movement)?;
        }
        for (on, moves) in &self.days {
            let key = day_key(currency, *on);
            match *moves == Moves::default() {
                true => rows.remove(&key)?,
                false => rows.put(&key, moves)?,
            }
        }
        rows.put(&level_key(account, currency), &self.level)
    }
}

/// Moves an account's level from one set of changes of a subscription to another. The inner error is a sum that does
/// not fit.
fn shift(
    rows: &mut Rows<'_>,
    account: &Id,
    currency: Currency,
    old: &Changes,
    new: &Changes,
) -> Result<Result<Plan, Rejection>, ViewError> {
    let before = rows
        .get::<Changes>(&level_key(account, currency))?
        .unwrap_or_default();
    let planned = || -> Result<Plan, Rejection> {
        let mut level = before.clone();
        for (on, by) in old {
            add(&mut level, *on, by.negated())?;
        }
        for (on, by) in new {
            add(&mut level, *on, *by)?;
        }
        let (was, is) = (movements(account, &before)?, movements(account, &level)?);
        let only = |these: &[Movement], not: &[Movement]| -> Vec<Movement> {
            these.iter().filter(|m| !not.contains(m)).cloned().collect()
        };
        Ok(Plan {
            gone: only(&was, &is),
            come: only(&is, &was),
            level,
            days: BTreeMap::new(),
        })
    };
    let mut plan = match planned() {
        Ok(plan) => plan,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let touched = plan.gone.iter().chain(&plan.come).map(|m| m.on);
    let touched: Vec<Date> = touched.collect();
    for on in touched {
        let moves = rows.get::<Moves>(&day_key(currency, on))?;
        plan.days.insert(on, moves.unwrap_or_default());
    }
    let counted = || -> Result<Plan, Rejection> {
        for movement in &plan.gone {
            plan.days
                .entry(movement.on)
                .or_default()
                .take_out(movement)?;
        }
        for movement in &plan.come {
            plan.days.entry(movement.on).or_default().put_in(movement)?;
        }
        Ok(plan)
    };
    Ok(counted())
}

fn movements(account: &Id, level: &Changes) -> Result<Vec<Movement>, Rejection> {
    let mut found = Vec::with_capacity(level.len());
    let mut before = Exact::ZERO;
    for (on, by) in level {
        let after = before.plus(*by)?;
        let kind = match () {
            () if before.is_zero() && found.is_empty() => Kind::New,
            () if before.is_zero() => Kind::Reactivation,
            () if after.is_zero() => Kind::Churn,
            () if by.is_negative() => Kind::Contraction,
            () => Kind::Expansion,
        };
        found.push(Movement {
            account: account.clone(),
            on: *on,
            kind,
            before,
            after,
        });
        before = after;
    }
    Ok(found)
}

fn level_key(account: &str, currency: Currency) -> String {
    format!("k/{currency}/{account}")
}

fn day_key(currency: Currency, on: Date) -> String {
    format!("d/{currency}/{on}")
}

fn movement_key(currency: Currency, movement: &Movement) -> String {
    format!("m/{currency}/{}/{}", movement.on, movement.account)
}
