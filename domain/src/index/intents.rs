//! What providers are to be asked, and what they call it.

use crate::collections;
use crate::kernel::Id;
use crate::payments::Event;
use crate::table::ById;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Payments and returns that a provider was or is to be asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intents {
    /// Payments that have neither come nor failed.
    pub asked: BTreeSet<Id>,
    /// Returns that were neither made nor failed, by payment.
    pub backs: BTreeMap<Id, BTreeSet<u32>>,
    /// Payments about which a provider said what cannot be, or whose return failed.
    pub odd: BTreeSet<Id>,
    /// Payments by what a provider calls them; two providers may use the same words.
    pub by_reference: BTreeMap<String, BTreeSet<Id>>,
}

impl Intents {
    pub(super) fn apply(&mut self, id: &str, event: &Event) {
        match event {
            Event::Routed(_) => {
                self.asked.insert(id.to_string());
            }
            Event::Accepted(e) => self.named(id, Some(&e.reference)),
            Event::ActionAsked(e) => self.named(id, Some(&e.reference)),
            Event::Settled(e) => {
                self.asked.remove(id);
                self.named(id, e.reference.as_deref());
            }
            Event::Failed(e) => {
                self.asked.remove(id);
                self.named(id, e.reference.as_deref());
            }
            Event::RefundAsked(e) => {
                self.backs
                    .entry(id.to_string())
                    .or_default()
                    .insert(e.number);
            }
            Event::Refunded(e) => self.done(id, e.number),
            Event::RefundFailed(e) => {
                self.done(id, Some(e.number));
                self.odd.insert(id.to_string());
            }
            Event::Contradicted(_) => {
                self.odd.insert(id.to_string());
            }
            Event::Acknowledged(_) => {
                self.odd.remove(id);
            }
            _ => {}
        }
    }

    fn named(&mut self, id: &str, reference: Option<&str>) {
        if let Some(reference) = reference {
            let of = self.by_reference.entry(reference.to_string()).or_default();
            of.insert(id.to_string());
        }
    }

    fn done(&mut self, id: &str, number: Option<u32>) {
        let (Some(number), Some(open)) = (number, self.backs.get_mut(id)) else {
            return;
        };
        open.remove(&number);
        if open.is_empty() {
            self.backs.remove(id);
        }
    }
}

/// Collections that are open, by account.
pub(super) fn collections(open: &mut ById<BTreeSet<Id>>, id: &str, event: &collections::Event) {
    use collections::Event as Fact;
    match event {
        Fact::Opened(e) => {
            open.entry(e.account.clone())
                .or_default()
                .insert(id.to_string());
        }
        Fact::Collected(_) | Fact::GivenUp(_) | Fact::Closed(_) => {
            let Some(of) = open.get_mut(event.account()) else {
                return;
            };
            of.remove(id);
            if of.is_empty() {
                open.remove(event.account());
            }
        }
        Fact::Attempted(_) | Fact::Refused(_) | Fact::Planned(_) | Fact::Drawn(_) => {}
    }
}
