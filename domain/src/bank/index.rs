//! What the bank side has to find again: payments by what a bank calls them, mandates that were drawn on, open entries.

use super::{Fate, Order, account, entry, file};
use crate::kernel::Id;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Look-ups over a tenant's bank accounts, entries and files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BankIndex {
    /// Bank accounts by IBAN and whatever else their bank calls them.
    pub numbers: BTreeMap<String, Id>,
    /// Payments that are in a file, by their end-to-end id.
    pub drawn: BTreeMap<String, Drawn>,
    /// Mandates that a collection was drawn on.
    pub mandates: BTreeSet<String>,
    /// Collections that came back, so that a credit that is told later does not count.
    pub returned: BTreeSet<String>,
    /// Entries with the parts that wait for a person.
    pub open: BTreeMap<Id, BTreeSet<u32>>,
}

/// Where a payment was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    pub file: Id,
    pub payment: Id,
}

impl BankIndex {
    pub fn account(&mut self, id: &str, event: &account::Event) {
        let terms = match event {
            account::Event::Opened(e) => &e.terms,
            account::Event::Changed(e) => &e.terms,
            account::Event::Balanced(_) => return,
        };
        self.numbers.retain(|_, bank| bank != id);
        for number in terms.known_as.iter().chain([&terms.iban]) {
            self.numbers.insert(number.clone(), id.to_string());
        }
    }

    pub fn file(&mut self, id: &str, event: &file::Event) {
        match event {
            file::Event::Drawn(e) => {
                for item in &e.items {
                    let drawn = Drawn {
                        file: id.to_string(),
                        payment: item.payment.clone(),
                    };
                    self.drawn.insert(item.end_to_end.clone(), drawn);
                    if let Order::Debit { mandate, .. } = &item.order {
                        self.mandates.insert(mandate.clone());
                    }
                }
            }
            file::Event::Withdrawn(e) => {
                for end_to_end in &e.end_to_ends {
                    self.drawn.remove(end_to_end);
                }
                for mandate in &e.first_of {
                    self.mandates.remove(mandate);
                }
            }
        }
    }

    pub fn entry(&mut self, id: &str, event: &entry::Event) {
        let entry::Event::Followed(e) = event else {
            return;
        };
        match (&e.fate, &e.end_to_end) {
            (Fate::Failed { .. } | Fate::ChargedBack { .. }, Some(end_to_end)) => {
                self.returned.insert(end_to_end.clone());
            }
            (Fate::Open { .. }, _) => {
                self.open.entry(id.to_string()).or_default().insert(e.part);
            }
            (Fate::Closed { .. }, _) => self.close(id, e.part),
            _ => {}
        }
    }

    fn close(&mut self, id: &str, part: u32) {
        if let Some(parts) = self.open.get_mut(id) {
            parts.remove(&part);
            if parts.is_empty() {
                self.open.remove(id);
            }
        }
    }
}
