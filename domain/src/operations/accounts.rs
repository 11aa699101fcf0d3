//! Legal entities and accounts.

use super::{account_terms, entity_terms, usage};
use crate::accounts::{Account, AccountTerms, Command};
use crate::command::Outcome;
use crate::entities::{self, Closing, EntityTerms, LegalEntity, Retention};
use crate::kernel::calendar::{add_days, parse_date};
use crate::kernel::{Date, Rejection, Zone, check_id};
use crate::session::Session;

pub(super) fn open_entity(
    session: &mut Session<'_>,
    entity: &str,
    terms: EntityTerms,
) -> Result<Outcome, Rejection> {
    check_id("legal entity", entity)?;
    session.decide::<LegalEntity>(entity, entities::Command::Open(terms))?;
    Ok(Outcome::of("entity", entity))
}

pub(super) fn change_entity(
    session: &mut Session<'_>,
    entity: &str,
    mut terms: EntityTerms,
) -> Result<Outcome, Rejection> {
    let known = session.find::<LegalEntity>(entity);
    let zone = known.map(|e| e.state.terms.zone.clone());
    let mut asked = None;
    if let Some(zone) = zone {
        let now = zone.name_on(session.today(&zone)).to_string();
        let wanted = std::mem::replace(&mut terms.zone, zone);
        // Who names the zone of today says nothing of those before and after it.
        asked = Some(wanted).filter(|wanted| *wanted != terms.zone && wanted.name() != now);
    }
    session.decide::<LegalEntity>(entity, entities::Command::Change(terms))?;
    match asked {
        Some(zone) => set_entity_zone(session, entity, &zone, None),
        None => Ok(Outcome::of("entity", entity)),
    }
}

/// Days of a legal entity from a day on are of another zone: what it issues and posts from now on is dated by it. Documents and
/// entries that are there keep their dates.
///
/// Errors: ZONES_TOO_MANY, DATE_INVALID.
pub(super) fn set_entity_zone(
    session: &mut Session<'_>,
    entity: &str,
    zone: &Zone,
    from: Option<Date>,
) -> Result<Outcome, Rejection> {
    let mut terms = entity_terms(session, entity)?.clone();
    let from = from.unwrap_or_else(|| session.today(&terms.zone));
    // It is stored as text.
    parse_date(&from.to_string())?;
    terms.zone = terms.zone.followed_by(zone, from)?;
    session.decide::<LegalEntity>(entity, entities::Command::Change(terms))?;
    Ok(Outcome::of("entity", entity))
}

pub(super) fn set_language(
    session: &mut Session<'_>,
    entity: &str,
    language: Option<String>,
) -> Result<Outcome, Rejection> {
    session.decide::<LegalEntity>(entity, entities::Command::SetLanguage(language))?;
    Ok(Outcome::of("entity", entity))
}

pub(super) fn set_retention(
    session: &mut Session<'_>,
    entity: &str,
    rule: Retention,
) -> Result<Outcome, Rejection> {
    session.decide::<LegalEntity>(entity, entities::Command::SetRetention(rule))?;
    Ok(Outcome::of("entity", entity))
}

pub(super) fn close_period(
    session: &mut Session<'_>,
    entity: &str,
    closing: Closing,
) -> Result<Outcome, Rejection> {
    let today = session.today(&entity_terms(session, entity)?.zone);
    session.decide::<LegalEntity>(entity, entities::Command::Close { closing, today })?;
    Ok(Outcome::of("entity", entity))
}

pub(super) fn reopen_period(
    session: &mut Session<'_>,
    entity: &str,
    open_from: Date,
    reason: String,
) -> Result<Outcome, Rejection> {
    session.decide::<LegalEntity>(entity, entities::Command::Reopen { open_from, reason })?;
    Ok(Outcome::of("entity", entity))
}

pub(super) fn open(
    session: &mut Session<'_>,
    account: &str,
    terms: AccountTerms,
) -> Result<Outcome, Rejection> {
    check_id("account", account)?;
    entity_terms(session, &terms.entity)?;
    check_payer(session, account, &terms)?;
    session.decide::<Account>(account, Command::Open(terms))?;
    Ok(Outcome::of("account", account))
}

pub(super) fn change(
    session: &mut Session<'_>,
    account: &str,
    mut terms: AccountTerms,
) -> Result<Outcome, Rejection> {
    check_payer(session, account, &terms)?;
    let zone = session
        .find::<Account>(account)
        .map(|a| a.state.terms.zone.clone());
    let asked = match zone {
        Some(zone) => std::mem::replace(&mut terms.zone, zone),
        None => terms.zone.clone(),
    };
    let stays = asked == terms.zone;
    session.decide::<Account>(account, Command::Change(terms))?;
    match stays {
        true => Ok(Outcome::of("account", account)),
        false => set_zone(session, account, &asked, None),
    }
}

/// Days from a day on are of another zone, and usage that moves to another day with it is rated again in this commit.
///
/// Errors: ZONE_UNKNOWN, ZONES_TOO_MANY, DATE_INVALID, ZONE_MOVES_USAGE, and whatever rating the usage again may say.
pub(super) fn set_zone(
    session: &mut Session<'_>,
    account: &str,
    zone: &Zone,
    from: Option<Date>,
) -> Result<Outcome, Rejection> {
    let mut terms = account_terms(session, account)?.clone();
    let from = from.unwrap_or_else(|| session.today(&terms.zone));
    // It is stored as text.
    parse_date(&from.to_string())?;
    let new = terms.zone.followed_by(zone, from)?;
    if new == terms.zone {
        return Ok(Outcome::of("account", account));
    }
    let moves = terms.zone.differs_from(&new, from);
    terms.zone = new;
    session.decide::<Account>(account, Command::Change(terms))?;
    // What is still to come has no usage. A record that claims to be from then keeps the day it was given.
    if moves <= session.now() {
        usage::rezone(session, account, add_days(from, -1))?;
    }
    Ok(Outcome::of("account", account))
}

/// A payer is another account of the same entity and currency, and pays for itself.
fn check_payer(
    session: &Session<'_>,
    account: &str,
    terms: &AccountTerms,
) -> Result<(), Rejection> {
    let Some(payer) = &terms.payer else {
        return Ok(());
    };
    let other = account_terms(session, payer)?;
    let refused = |why: String| Err(Rejection::new("PAYER_INVALID", why));
    if payer == account || other.payer.is_some() {
        return refused(format!(
            "account {payer} cannot pay for {account}: a payer pays for itself"
        ));
    }
    if session
        .index()
        .paid_by
        .get(account)
        .is_some_and(|c| !c.is_empty())
    {
        return refused(format!(
            "account {account} pays for others and cannot be paid for"
        ));
    }
    if other.entity != terms.entity || other.currency != terms.currency {
        return refused(format!(
            "account {payer} is in {} {}, account {account} in {} {}",
            other.entity, other.currency, terms.entity, terms.currency
        ));
    }
    Ok(())
}
