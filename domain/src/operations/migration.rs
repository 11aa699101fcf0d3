//! Subscriptions that get another version of what they have: asked for, by the date of the version, or because a
//! contract begins or ends.

use super::account_terms;
use super::catalog::MAIN;
use super::selling::{self, Sale};
use super::subscriptions::{effective, running, sold_since};
use super::usage::follow::follow;
use crate::catalog::{Catalog, Offer, Sold};
use crate::command::{Effective, Outcome};
use crate::contracts::Contract;
use crate::kernel::{
    Date, Rejection,
    calendar::{LAST_DATE, add_days},
};
use crate::session::Session;
use crate::subscriptions::{Command, Subscription, Term, Unused, in_force, schedule};
use std::collections::BTreeSet;

/// Most subscriptions that one command moves; what is left is said in `Outcome::left`.
pub const MIGRATED_MAX: usize = 500;

/// Most reasons that a refusal lists.
const REASONS_MAX: usize = 20;

/// The versions that an offer was sold with.
pub(super) fn pinned(now: &Sold) -> impl Fn(&Catalog, &str) -> Option<Sold> + use<> {
    let now = now.clone();
    move |catalog, code| {
        let version = match code == now.code {
            true => Some(now.version),
            false => now
                .chosen
                .iter()
                .find(|c| c.offer == code)
                .map(|c| c.version),
        };
        catalog.version(code, version?).cloned()
    }
}

/// Gives one subscription the version of its offer that is sold on the day of the change.
pub(super) fn migrate(
    session: &mut Session<'_>,
    subscription: &str,
    when: Effective,
    unused: Unused,
) -> Result<Outcome, Rejection> {
    let (sub, today) = running(session, subscription)?;
    let from = effective(&sub, today, when);
    move_on(session, subscription, from, unused, false)?;
    Ok(Outcome::of("subscription", subscription))
}

/// The same for everybody who has a version of an offer; none: any older one.
pub(super) fn migrate_all(
    session: &mut Session<'_>,
    offer: &str,
    version: Option<u32>,
    when: Effective,
    unused: Unused,
) -> Result<Outcome, Rejection> {
    let newest = {
        let catalog = session.find::<Catalog>(MAIN).map(|e| &e.state);
        catalog.and_then(|c| c.offer(offer)).map(|o| o.version)
    };
    let Some(newest) = newest else {
        return Err(Rejection::new(
            "OFFER_UNKNOWN",
            format!("there is no published offer {offer:?}"),
        ));
    };
    let mut outcome = Outcome::of("catalog", MAIN);
    let mut refused = Vec::new();
    for id in session.ids::<Subscription>("") {
        let sub = session.get::<Subscription>(&id)?;
        // What is planned already counts: a migration at the end of a period is not asked for twice.
        let last = sub
            .terms
            .last()
            .map(|t| (t.offer.code.as_str(), t.offer.version));
        let has = last.is_some_and(|(code, v)| {
            code == offer && v < newest && version.is_none_or(|asked| asked == v)
        });
        if !has || sub.end.is_some() {
            continue;
        }
        if outcome.touched.len() > MIGRATED_MAX {
            outcome.left += 1;
            continue;
        }
        match session.attempt(|s| migrate(s, &id, when, unused)) {
            Ok(done) => outcome.touched.extend(done.touched),
            Err(e) => refused.push(format!("{id}: {}", e.message)),
        }
    }
    if refused.is_empty() {
        return Ok(outcome);
    }
    let more = match refused.len() > REASONS_MAX {
        true => format!(" and {} more", refused.len() - REASONS_MAX),
        false => String::new(),
    };
    refused.truncate(REASONS_MAX);
    Err(Rejection::new(
        "MIGRATION_REFUSED",
        format!("nobody was moved: {}{more}", refused.join("; ")),
    ))
}

/// What a version's date asks for: the newest version from the next period on. A late or repeated call does the same.
pub(super) fn move_by_date(
    session: &mut Session<'_>,
    subscription: &str,
) -> Result<Outcome, Rejection> {
    let (sub, today) = running(session, subscription)?;
    let catalog = session.find::<Catalog>(MAIN).map(|e| &e.state);
    let due = catalog
        .and_then(|c| kept_until(c, &sub))
        .filter(|day| *day <= today);
    let outcome = Outcome::of("subscription", subscription);
    if due.is_none() {
        return Ok(outcome);
    }
    // A period that begins today is the next one.
    let from = schedule::period_end(&sub, add_days(today, -1)).max(today);
    if sub.term_on(from).is_some() {
        move_on(session, subscription, from, Unused::CreditProrata, true)?;
    }
    Ok(outcome)
}

/// The day until which a subscription keeps an older version that a newer one replaces for everybody.
pub fn kept_until(catalog: &Catalog, sub: &Subscription) -> Option<Date> {
    let last = sub.terms.last()?;
    let newer = catalog.versions(&last.offer.code).iter();
    let newer = newer.filter(|v| v.version > last.offer.version);
    newer.filter_map(|v| v.grandfathered_until).min()
}

/// `leave`: options that the new version does not have are left behind instead of refused.
fn move_on(
    session: &mut Session<'_>,
    id: &str,
    from: Date,
    unused: Unused,
    leave: bool,
) -> Result<(), Rejection> {
    let sub = session.get::<Subscription>(id)?.clone();
    let account = account_terms(session, &sub.account)?;
    let now = in_force(&sub, from)?;
    let mut offer = Offer::clone(&now.offer);
    let target = session
        .find::<Catalog>(MAIN)
        .and_then(|c| c.state.sold_on(&offer.code, from).cloned());
    let Some(target) = target else {
        return Err(Rejection::new(
            "OFFER_NOT_SOLD",
            format!("no version of offer {} is sold on {from}", offer.code),
        ));
    };
    if target.version == offer.version {
        return Ok(());
    }
    if leave {
        let gone: Vec<String> = offer
            .chosen
            .iter()
            .filter(|c| target.option.iter().all(|r| r.code != c.option))
            .map(|c| c.option.clone())
            .collect();
        for option in gone {
            offer = offer.without_option(&option);
        }
    }
    let mut wanted = offer.quantities();
    wanted.retain(|option, _| !target.includes.contains(option));
    let found = crate::catalog::problems(
        &target,
        &crate::catalog::completed(&target.option, wanted.clone()),
    );
    if !found.is_empty() && !leave {
        return Err(Rejection::new(
            "OFFER_RULES_BROKEN",
            format!(
                "version {} of offer {} does not fit, {} problems: {}",
                target.version,
                offer.code,
                found.len(),
                found.join("; ")
            ),
        ));
    }
    offer.chosen.retain(|c| wanted.contains_key(&c.option));
    for chosen in &mut offer.chosen {
        if let Some(rule) = target.option.iter().find(|r| r.code == chosen.option) {
            chosen.offer = rule.offer.clone();
        }
    }
    for rule in target.option.iter().filter(|r| r.mandatory()) {
        if offer.chosen(&rule.code).is_none() {
            offer.chosen.push(crate::catalog::Chosen {
                option: rule.code.clone(),
                offer: rule.offer.clone(),
                version: 0,
                quantity: rule.usual.unwrap_or(rule.min),
                from,
            });
        }
    }
    let sale = Sale {
        account: &sub.account,
        terms: &account,
        on: from,
        listed_on: from,
        contract: now.offer.contract.as_deref(),
        also: None,
        subscription: id,
        quantity: now.quantity,
    };
    let of_the_day = |catalog: &Catalog, code: &str| catalog.sold_on(code, from).cloned();
    let offer = selling::again(session, sale, &offer, &of_the_day)?;
    let term = Term {
        from,
        offer: Sold::new(offer),
        quantity: now.quantity,
        billing_day: now.billing_day,
        unused,
    };
    session.decide::<Subscription>(id, Command::Change(Box::new(term)))?;
    super::folios::payable(session, id)?;
    lay(session, id, add_days(from, 1), None)?;
    follow(session, id)
}

/// Gives a subscription a term from every day, not before `from`, on which contracts change its prices. `also`: a contract
/// that indexes do not know yet.
pub(super) fn lay(
    session: &mut Session<'_>,
    id: &str,
    from: Date,
    also: Option<&str>,
) -> Result<(), Rejection> {
    let sub = session.get::<Subscription>(id)?.clone();
    let account = account_terms(session, &sub.account)?;
    let mut days = contract_days(session, &sub, account.payer.as_deref(), also);
    days.extend(sub.terms.iter().map(|t| t.from));
    days.retain(|day| *day >= from && sub.term_on(*day).is_some());
    if days.is_empty() {
        return Ok(());
    }
    let mut wanted: Vec<Term> = Vec::new();
    for day in days {
        let Some((i, term)) = sub.term_on(day) else {
            continue;
        };
        let sale = Sale {
            account: &sub.account,
            terms: &account,
            on: day,
            listed_on: sold_since(&sub, i),
            contract: term.offer.contract.as_deref(),
            also,
            subscription: id,
            quantity: term.quantity,
        };
        let offer = Sold::new(selling::again(
            session,
            sale,
            &term.offer,
            &pinned(&term.offer),
        )?);
        let before = wanted
            .last()
            .or_else(|| sub.term_on(add_days(day, -1)).map(|(_, t)| t));
        if term.from == day {
            wanted.push(Term {
                offer,
                ..term.clone()
            });
        } else if before.is_none_or(|b| b.offer != offer) {
            wanted.push(Term {
                from: day,
                offer,
                unused: Unused::CreditProrata,
                ..term.clone()
            });
        }
    }
    let now: Vec<&Term> = sub.terms.iter().filter(|t| t.from >= from).collect();
    if now.iter().copied().eq(wanted.iter()) {
        return Ok(());
    }
    session.decide::<Subscription>(id, Command::Lay(wanted))?;
    Ok(())
}

/// The days on which a contract that may price a subscription begins or ends.
fn contract_days(
    session: &Session<'_>,
    sub: &Subscription,
    payer: Option<&str>,
    also: Option<&str>,
) -> BTreeSet<Date> {
    let own = sub.terms.iter().filter_map(|t| t.offer.contract.clone());
    let mut ids = selling::contract_ids(session, &sub.account, also);
    ids.extend(
        payer
            .into_iter()
            .flat_map(|p| selling::contract_ids(session, p, None)),
    );
    ids.extend(own);
    let days = ids.iter().filter_map(|id| {
        let contract = &session.find::<Contract>(id)?.state;
        let days = contract.agreement.as_ref()?.days();
        Some([days.from, days.until])
    });
    days.flatten().filter(|day| *day < LAST_DATE).collect()
}
