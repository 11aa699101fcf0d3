//! Debts that other accounts took over.

use crate::kernel::Id;
use crate::receivables::Event;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A debt that an account took over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Who owes it now.
    pub account: Id,
    /// Who owed it before.
    pub from: Id,
    /// The invoice or claim that it is a part of.
    pub of: Id,
}

/// Claims by their id, and by what they are a part of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    all: BTreeMap<Id, Claim>,
    parts: BTreeMap<Id, BTreeSet<Id>>,
}

impl Claims {
    /// A claim by its id.
    pub fn get(&self, claim: &str) -> Option<&Claim> {
        self.all.get(claim)
    }

    /// What other accounts took over of an invoice or claim.
    pub fn of(&self, item: &str) -> impl Iterator<Item = (&Id, &Claim)> {
        let ids = self.parts.get(item).into_iter().flatten();
        ids.filter_map(|id| self.all.get_key_value(id))
    }

    pub(super) fn apply(&mut self, account: &str, event: &Event) {
        match event {
            Event::ClaimOpened(e) => {
                let claim = Claim {
                    account: account.to_string(),
                    from: e.from.clone(),
                    of: e.invoice.clone(),
                };
                let parts = self.parts.entry(e.invoice.clone()).or_default();
                parts.insert(e.claim.clone());
                self.all.insert(e.claim.clone(), claim);
            }
            Event::ClaimEnded(e) => {
                let Some(claim) = self.all.remove(&e.claim) else {
                    return;
                };
                if let Some(parts) = self.parts.get_mut(&claim.of) {
                    parts.remove(&e.claim);
                    if parts.is_empty() {
                        self.parts.remove(&claim.of);
                    }
                }
            }
            _ => {}
        }
    }
}
