//! Forgetting a customer: the fact that keys are destroyed, from which everybody who holds keys acts.
//!
//! - The fact comes first and names the keys; the edge destroys them when it is durable, and again at every start
//!   while one of them is still there. So a crash between the two, or key files from a backup, change nothing.
//! - Amounts, numbers and dates stay; what is sealed under those keys can never be read again.
//! - The key of legal documents is kept until their retention has ended (`entities/retention.rs`).
//! - A customer who comes back gets new keys: new data is readable, the old stays forgotten.

use super::{Account, AccountTerms, Buyer, Changed, Event};
use crate::kernel::{Date, Id, Personal, Purpose, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The keys of some purposes were given up for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forgotten {
    pub purposes: BTreeSet<Purpose>,
    /// Ids of the keys that are destroyed, in order.
    pub keys: BTreeSet<String>,
    /// Ended subscriptions that usage finds no more, with the keyed hashes that found them.
    pub unlinked: BTreeMap<Id, Vec<String>>,
    /// Business day in the zone of the legal entity.
    pub on: Date,
    /// Who asked for it.
    pub by: String,
}

/// What an account is asked to forget, with everything needed to decide it.
#[derive(Clone, Debug)]
pub struct Forget {
    pub purposes: BTreeSet<Purpose>,
    /// Ids of the living keys of the account for these purposes.
    pub keys: BTreeSet<String>,
    /// Ended subscriptions of the account that usage still finds, with the keyed hashes that find them.
    pub unlinked: BTreeMap<Id, Vec<String>>,
    /// First day on which the law asks for none of its documents any more; none: it has no documents.
    pub kept_until: Option<Date>,
    /// The buyer of its documents, sealed before the contact goes, if the account has none yet.
    pub buyer: Option<Personal<Buyer>>,
    pub on: Date,
    pub by: String,
}

impl Account {
    /// Ids of all keys that its facts say are destroyed.
    pub fn destroyed_keys(&self) -> impl Iterator<Item = &String> {
        self.forgotten.iter().flat_map(|f| &f.keys)
    }

    fn destroyed(&self, key: &str) -> bool {
        self.forgotten.iter().any(|f| f.keys.contains(key))
    }
}

/// Refuses terms with personal data under a key that was destroyed: they were made before the account was forgotten.
pub(super) fn still_there(state: &Account, terms: &AccountTerms) -> Result<(), Rejection> {
    let contact = terms.contact.as_ref().map(|c| &c.key_id);
    let buyer = terms.buyer.as_ref().map(|b| &b.key_id);
    if [contact, buyer]
        .into_iter()
        .flatten()
        .any(|key| state.destroyed(key))
    {
        return Err(Rejection::new(
            "FORGOTTEN_MEANWHILE",
            "this account was forgotten while it was changed: ask again",
        ));
    }
    Ok(())
}

pub(super) fn decide(state: &Account, ask: Forget) -> Result<Vec<Event>, Rejection> {
    if ask.purposes.is_empty() {
        return Err(Rejection::new(
            "PURPOSE_MISSING",
            "say for which purposes the account is forgotten",
        ));
    }
    let legal = ask.purposes.contains(&Purpose::LegalDocument);
    if let (true, Some(until)) = (legal, ask.kept_until)
        && ask.on < until
    {
        return Err(Rejection::new(
            "RETENTION_NOT_OVER",
            format!(
                "the legal documents of this account must be kept until {}: their key can be destroyed from {until} on, asked on {}",
                until.pred_opt().unwrap_or(until),
                ask.on
            ),
        ));
    }
    let mut events = Vec::new();
    let keeps = !legal && ask.purposes.contains(&Purpose::Contact) && state.terms.buyer.is_none();
    if let (true, Some(buyer)) = (keeps, ask.buyer) {
        let terms = AccountTerms {
            buyer: Some(buyer),
            ..state.terms.clone()
        };
        events.push(Changed { terms }.into());
    }
    let mut keys = ask.keys;
    let held = |purpose| match purpose {
        Purpose::Contact => state.terms.contact.as_ref().map(|c| c.key_id.clone()),
        Purpose::LegalDocument => state.terms.buyer.as_ref().map(|b| b.key_id.clone()),
        Purpose::UsageRaw | Purpose::Payment => None,
    };
    keys.extend(ask.purposes.iter().copied().filter_map(held));
    keys.retain(|key| !state.destroyed(key));
    if keys.is_empty() && ask.unlinked.is_empty() {
        return Ok(vec![]);
    }
    events.push(
        Forgotten {
            purposes: ask.purposes,
            keys,
            unlinked: ask.unlinked,
            on: ask.on,
            by: ask.by,
        }
        .into(),
    );
    Ok(events)
}

pub(super) fn evolve(state: &mut Account, fact: &Forgotten) {
    let gone = |key: &String| fact.keys.contains(key);
    state.terms.contact.take_if(|contact| gone(&contact.key_id));
    state.terms.buyer.take_if(|buyer| gone(&buyer.key_id));
    state.forgotten.push(fact.clone());
}
