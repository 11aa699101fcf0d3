//! The published catalog of a tenant: every version of every offer.

use super::old::OfferPublishedV1;
use super::{Offer, Sold};
use crate::events;
use crate::kernel::{Decider, Rejection, check_id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// Versions of each offer by code, oldest first; version n is at n − 1.
    pub offers: BTreeMap<String, Vec<Sold>>,
    /// Product line by code of the offer; what is not named here has none.
    pub product_lines: BTreeMap<String, String>,
}

impl Catalog {
    /// The newest version of an offer.
    pub fn offer(&self, code: &str) -> Option<&Sold> {
        self.offers.get(code).and_then(|v| v.last())
    }

    /// The product line that an offer is reported and dunned under; empty for none.
    pub fn product_line(&self, offer: &str) -> &str {
        self.product_lines.get(offer).map_or("", String::as_str)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferPublished {
    pub offer: Sold,
}

/// All versions of an offer belong to this product line from now on; empty: to none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferClassified {
    pub offer: String,
    pub product_line: String,
}

events! {
    /// What happens to the catalog.
    pub enum Event in "catalog" {
        OfferPublished = "offer-published" 2 from { 1: OfferPublishedV1 },
        OfferClassified = "offer-classified" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    /// Publishes what is new or changed; refused as a whole with every problem listed.
    Apply(Vec<Offer>),
    /// None: the offer belongs to no product line any more.
    Classify {
        offer: String,
        product_line: Option<String>,
    },
}

impl Decider for Catalog {
    type State = Catalog;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Catalog, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Apply(offers) => apply(state, offers),
            Command::Classify {
                offer,
                product_line,
            } => classify(state, offer, product_line.unwrap_or_default()),
        }
    }

    fn evolve(state: &mut Catalog, event: &Event) {
        match event {
            Event::OfferPublished(e) => {
                let versions = state.offers.entry(e.offer.code.clone()).or_default();
                versions.push(e.offer.clone());
            }
            Event::OfferClassified(e) if e.product_line.is_empty() => {
                state.product_lines.remove(&e.offer);
            }
            Event::OfferClassified(e) => {
                let (offer, line) = (e.offer.clone(), e.product_line.clone());
                state.product_lines.insert(offer, line);
            }
        }
    }
}

fn apply(state: &Catalog, offers: Vec<Offer>) -> Result<Vec<Event>, Rejection> {
    super::check::catalog(&offers)?;
    let mut events = Vec::new();
    for mut offer in offers {
        let current = state.offer(&offer.code);
        offer.version = current.map_or(0, |o| o.version);
        if current.map(|sold| &**sold) != Some(&offer) {
            offer.version += 1;
            let offer = Sold::new(offer);
            events.push(OfferPublished { offer }.into());
        }
    }
    Ok(events)
}

fn classify(state: &Catalog, offer: String, product_line: String) -> Result<Vec<Event>, Rejection> {
    if state.offer(&offer).is_none() {
        return Err(Rejection::new(
            "OFFER_UNKNOWN",
            format!("there is no offer {offer:?} to put into product line {product_line:?}"),
        ));
    }
    if !product_line.is_empty() {
        check_id("product line", &product_line)?;
    }
    if state.product_line(&offer) == product_line {
        return Ok(vec![]);
    }
    Ok(vec![
        OfferClassified {
            offer,
            product_line,
        }
        .into(),
    ])
}
