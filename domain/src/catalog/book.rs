//! The published catalog of a tenant: every version of every offer.

use super::Offer;
use crate::events;
use crate::kernel::{Decider, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// Versions of each offer by code, oldest first; version n is at n − 1.
    pub offers: BTreeMap<String, Vec<Offer>>,
}

impl Catalog {
    /// The newest version of an offer.
    pub fn offer(&self, code: &str) -> Option<&Offer> {
        self.offers.get(code).and_then(|v| v.last())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferPublished {
    pub offer: Offer,
}

events! {
    /// What happens to the catalog.
    pub enum Event in "catalog" {
        OfferPublished = "offer-published" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    /// Publishes what is new or changed; refused as a whole with every problem listed.
    Apply(Vec<Offer>),
}

impl Decider for Catalog {
    type State = Catalog;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Catalog, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::Apply(offers) = command;
        super::check::catalog(&offers)?;
        let mut events = Vec::new();
        for mut offer in offers {
            let current = state.offer(&offer.code);
            offer.version = current.map_or(0, |o| o.version);
            if current != Some(&offer) {
                offer.version += 1;
                events.push(OfferPublished { offer }.into());
            }
        }
        Ok(events)
    }

    fn evolve(state: &mut Catalog, event: &Event) {
        let Event::OfferPublished(e) = event;
        state
            .offers
            .entry(e.offer.code.clone())
            .or_default()
            .push(e.offer.clone());
    }
}
