//! What the bank side has to find again: payments by what a bank calls them, mandates that were drawn on, open entries.

use super::{Fate, Item, Order, Sequence, account, entry, file};
use crate::kernel::{Date, Id};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Look-ups over a tenant's bank accounts, entries and files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BankIndex {
    /// Bank accounts by IBAN and whatever else their bank calls them.
    pub numbers: BTreeMap<String, Id>,
    /// Payments that are in a file, by their end-to-end id.
    pub drawn: BTreeMap<String, Drawn>,
    /// Mandates that a collection was drawn on, by reference.
    pub mandates: BTreeMap<String, MandateUse>,
    /// Creditor identifiers of bank accounts.
    pub creditors: BTreeMap<Id, String>,
    /// Collections that came back, so that a credit that is told later does not count.
    pub returned: BTreeSet<String>,
    /// Entries with the parts that wait for a person.
    pub open: BTreeMap<Id, BTreeSet<u32>>,
}

/// Most collections remembered of one mandate: as many files as can be withdrawn one after the other.
const USES_MAX: usize = 12;

/// What was drawn on a mandate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MandateUse {
    pub count: u32,
    /// The last ones, oldest first.
    pub uses: Vec<Use>,
}

/// One collection drawn on a mandate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Use {
    pub file: Id,
    pub on: Date,
    pub sequence: Sequence,
    /// The creditor identifier it was drawn with.
    pub creditor: String,
}

impl MandateUse {
    /// The last collection.
    pub fn last(&self) -> Option<&Use> {
        self.uses.last()
    }

    /// Nothing more may be drawn: it was for one collection, or had its last.
    pub fn is_over(&self) -> bool {
        let over = |of: &Use| matches!(of.sequence, Sequence::OneOff | Sequence::Final);
        self.uses.iter().any(over)
    }
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
            account::Event::Balanced(_)
            | account::Event::Announced(_)
            | account::Event::FeesRuled(_) => return,
        };
        match &terms.creditor_id {
            Some(creditor) => self.creditors.insert(id.to_string(), creditor.clone()),
            None => self.creditors.remove(id),
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
                    self.mandate(id, &e.bank, item);
                }
            }
            file::Event::Withdrawn(e) => {
                for end_to_end in &e.end_to_ends {
                    self.drawn.remove(end_to_end);
                }
                self.mandates.retain(|_, of| {
                    let before = of.uses.len();
                    of.uses.retain(|used| used.file != id);
                    let gone = u32::try_from(before - of.uses.len()).unwrap_or(u32::MAX);
                    of.count = of.count.saturating_sub(gone);
                    of.count > 0
                });
            }
            file::Event::Amended(_) => {}
            file::Event::Reported(e) => {
                let refused = e.refused.iter().cloned();
                self.returned.extend(refused);
            }
        }
    }

    fn mandate(&mut self, file: &str, bank: &str, item: &Item) {
        let Order::Debit {
            mandate, sequence, ..
        } = &item.order
        else {
            return;
        };
        let of = self.mandates.entry(mandate.clone()).or_default();
        of.count = of.count.saturating_add(1);
        if of.uses.len() >= USES_MAX {
            of.uses.remove(0);
        }
        of.uses.push(Use {
            file: file.to_string(),
            on: item.on,
            sequence: *sequence,
            creditor: self.creditors.get(bank).cloned().unwrap_or_default(),
        });
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
