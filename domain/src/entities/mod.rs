//! The legal entity that sells: whose zone dates documents, whose rounding makes money, whose name is on the invoice.
//!
//! - An entity is opened once; what it changes later applies from then on, and every document records what it used.
//! - How long its documents must be kept is dated: a law that changes changes it for documents from a day on.

pub mod periods;
pub mod retention;

use crate::accounts::check_language;
use crate::collections::{Rules, RulesV1};
use crate::events;
use crate::kernel::{Currency, Date, Decider, Rejection, Rounding, Zone};
use serde::{Deserialize, Serialize};

pub use periods::{Closing, Late, PeriodClosed, PeriodReopened};
pub use retention::{Retention, RetentionSet};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LegalEntity {
    pub open: bool,
    pub terms: EntityTerms,
    /// Ascending by the day from which they hold; empty: [`retention::DEFAULT_YEARS`].
    pub retention: Vec<Retention>,
    /// None: nothing was ever closed.
    pub closing: Option<Closing>,
    /// How it collects what is due.
    pub collection: Rules,
    /// Language in which it writes to accounts that have none, a BCP 47 tag; none: English.
    pub language: Option<String>,
}

/// What an entity sets for its accounts and documents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EntityTerms {
    pub name: String,
    /// ISO 3166 alpha-2, the seller's country for tax.
    pub country: String,
    pub currency: Currency,
    pub zone: Zone,
    pub rounding: Rounding,
    /// Days from issue to due date, unless the account has its own.
    pub payment_days: u32,
    /// Put before the number of each document, e.g. `ACME-`.
    pub number_prefix: String,
    /// Policy that doubtful accounts are dunned by; none: no dunning.
    pub dunning_policy: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub terms: EntityTerms,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub terms: EntityTerms,
}

/// How it collects what is due, for collections opened from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectionSet {
    pub rules: Rules,
}

/// The language in which it writes from now on to accounts that have none; none: English.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanguageSet {
    pub language: Option<String>,
}

/// Before a method could be asked ahead of the due date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct CollectionSetV1 {
    rules: RulesV1,
}

impl From<CollectionSetV1> for CollectionSet {
    fn from(old: CollectionSetV1) -> CollectionSet {
        CollectionSet {
            rules: old.rules.into(),
        }
    }
}

events! {
    /// What happens to a legal entity.
    pub enum Event in "entity" {
        Opened = "opened" 1,
        Changed = "changed" 1,
        RetentionSet = "retention-set" 1,
        PeriodClosed = "period-closed" 1,
        PeriodReopened = "period-reopened" 1,
        CollectionSet = "collection-set" 2 from { 1: CollectionSetV1 },
        LanguageSet = "language-set" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Open(EntityTerms),
    Change(EntityTerms),
    SetRetention(Retention),
    /// `today` in the entity's zone.
    Close {
        closing: Closing,
        today: Date,
    },
    Reopen {
        open_from: Date,
        reason: String,
    },
    SetCollection(Rules),
    SetLanguage(Option<String>),
}

impl Decider for LegalEntity {
    type State = LegalEntity;
    type Command = Command;
    type Event = Event;

    fn decide(state: &LegalEntity, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Open(_) if state.open => Err(Rejection::new(
                "ENTITY_EXISTS",
                "this legal entity is already open",
            )),
            Command::Open(terms) => check(&terms).map(|()| vec![Opened { terms }.into()]),
            Command::Change(_) if !state.open => Err(Rejection::new(
                "ENTITY_UNKNOWN",
                "this legal entity was never opened",
            )),
            Command::Change(terms) if terms == state.terms => Ok(vec![]),
            Command::Change(terms) => check(&terms).map(|()| vec![Changed { terms }.into()]),
            Command::SetRetention(_) if !state.open => Err(Rejection::new(
                "ENTITY_UNKNOWN",
                "this legal entity was never opened",
            )),
            Command::SetRetention(rule) => retention::set(&state.retention, rule),
            Command::Close { .. } | Command::Reopen { .. } if !state.open => Err(Rejection::new(
                "ENTITY_UNKNOWN",
                "this legal entity was never opened",
            )),
            Command::Close { closing, today } => periods::close(state, closing, today),
            Command::Reopen { open_from, reason } => periods::reopen(state, open_from, reason),
            Command::SetCollection(_) if !state.open => Err(Rejection::new(
                "ENTITY_UNKNOWN",
                "this legal entity was never opened",
            )),
            Command::SetCollection(rules) if rules == state.collection => Ok(vec![]),
            Command::SetLanguage(_) if !state.open => Err(Rejection::new(
                "ENTITY_UNKNOWN",
                "this legal entity was never opened",
            )),
            Command::SetLanguage(language) if language == state.language => Ok(vec![]),
            Command::SetLanguage(language) => {
                language.as_deref().map_or(Ok(()), check_language)?;
                Ok(vec![LanguageSet { language }.into()])
            }
            Command::SetCollection(rules) => {
                rules.check().map(|()| vec![CollectionSet { rules }.into()])
            }
        }
    }

    fn evolve(state: &mut LegalEntity, event: &Event) {
        state.open = true;
        match event {
            Event::Opened(e) => state.terms = e.terms.clone(),
            Event::Changed(e) => state.terms = e.terms.clone(),
            Event::RetentionSet(e) => retention::evolve(&mut state.retention, e.rule),
            Event::PeriodClosed(e) => state.closing = Some(e.closing),
            Event::PeriodReopened(e) => state.closing = Some(e.closing),
            Event::CollectionSet(e) => state.collection = e.rules.clone(),
            Event::LanguageSet(e) => state.language.clone_from(&e.language),
        }
    }
}

fn check(terms: &EntityTerms) -> Result<(), Rejection> {
    if terms.name.trim().is_empty() {
        return Err(Rejection::new(
            "NAME_MISSING",
            "a legal entity needs a name",
        ));
    }
    if terms.payment_days > 365 {
        return Err(Rejection::new(
            "TERMS_TOO_LONG",
            format!(
                "payment terms of {} days are more than 365",
                terms.payment_days
            ),
        ));
    }
    Ok(())
}
