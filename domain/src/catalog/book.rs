//! The published catalog of a tenant: every version of every offer.

use super::old::OfferPublishedV1;
use super::text::File;
use super::{PriceList, Sold, Text};
use crate::events;
use crate::kernel::{Date, Decider, Rejection, check_id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// Versions of each offer by code, oldest first; version n is at n − 1.
    pub offers: BTreeMap<String, Vec<Sold>>,
    /// Product line by code of the offer; what is not named here has none.
    pub product_lines: BTreeMap<String, String>,
    /// Price lists by code, as they are now.
    pub price_lists: BTreeMap<String, Text<PriceList>>,
    /// Offers that nobody new can subscribe to, with the first day of that.
    pub retired: BTreeMap<String, Date>,
}

impl Catalog {
    /// Every version of an offer, oldest first.
    pub fn versions(&self, code: &str) -> &[Sold] {
        self.offers.get(code).map_or(&[], Vec::as_slice)
    }

    /// The version of an offer that is sold on a day: the newest of those that are valid on it.
    pub fn sold_on(&self, code: &str, day: Date) -> Option<&Sold> {
        let valid = |o: &&Sold| {
            o.valid_from.is_none_or(|from| from <= day)
                && o.valid_until.is_none_or(|until| day < until)
        };
        self.versions(code).iter().rev().find(valid)
    }

    /// A version of an offer by its number.
    pub fn version(&self, code: &str, version: u32) -> Option<&Sold> {
        self.versions(code).iter().find(|o| o.version == version)
    }

    /// Since when nobody new can subscribe to an offer.
    pub fn retired(&self, code: &str) -> Option<Date> {
        self.retired.get(code).copied()
    }

    /// What of the catalog itself needs an offer, in words.
    fn needed_by(&self, offer: &str) -> Option<String> {
        let option = self.offers.values().filter_map(|v| v.last()).find(|o| {
            let named = o.requires.iter().chain(&o.excludes);
            o.code != offer
                && (o.option.iter().any(|r| r.offer == offer)
                    || named.into_iter().any(|n| n == offer))
        });
        let list = self
            .price_lists
            .values()
            .find(|l| l.items.iter().any(|t| t.offer == offer));
        option
            .map(|o| format!("offer {} names it", o.code))
            .or_else(|| list.map(|l| format!("price list {} prices it", l.code)))
    }

    /// The newest version of an offer.
    pub fn offer(&self, code: &str) -> Option<&Sold> {
        self.offers.get(code).and_then(|v| v.last())
    }

    /// The newest version of each offer, by code.
    pub fn current(&self) -> impl Iterator<Item = &Sold> {
        self.offers.values().filter_map(|versions| versions.last())
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

/// The prices of this list take the place of those it had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriceListPublished {
    pub list: Text<PriceList>,
}

/// Nobody new can subscribe to the offer; who has it keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferRetired {
    pub offer: String,
    pub from: Date,
}

/// The offer is sold again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferReopened {
    pub offer: String,
}

/// The offer never was there: nobody ever had it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferDeleted {
    pub offer: String,
}

events! {
    /// What happens to the catalog.
    pub enum Event in "catalog" {
        OfferPublished = "offer-published" 2 from { 1: OfferPublishedV1 },
        OfferClassified = "offer-classified" 1,
        PriceListPublished = "price-list-published" 1,
        OfferRetired = "offer-retired" 1,
        OfferReopened = "offer-reopened" 1,
        OfferDeleted = "offer-deleted" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    /// Publishes what is new or changed; refused as a whole with every problem listed.
    Apply {
        file: File,
        /// Problems that only the caller could see.
        found: Vec<String>,
    },
    /// None: the offer belongs to no product line any more.
    Classify {
        offer: String,
        product_line: Option<String>,
    },
    Retire {
        offer: String,
        from: Date,
    },
    Reopen {
        offer: String,
    },
    /// `used`: who ever had it, in words.
    Delete {
        offer: String,
        used: Option<String>,
    },
}

impl Decider for Catalog {
    type State = Catalog;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Catalog, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Apply { file, found } => apply(state, file, found),
            Command::Classify {
                offer,
                product_line,
            } => classify(state, offer, product_line.unwrap_or_default()),
            Command::Retire { offer, from } => retire(state, offer, from),
            Command::Reopen { offer } => reopen(state, offer),
            Command::Delete { offer, used } => delete(state, offer, used),
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
            Event::PriceListPublished(e) => {
                state
                    .price_lists
                    .insert(e.list.code.clone(), e.list.clone());
            }
            Event::OfferRetired(e) => {
                state.retired.insert(e.offer.clone(), e.from);
            }
            Event::OfferReopened(e) => {
                state.retired.remove(&e.offer);
            }
            Event::OfferDeleted(e) => {
                state.offers.remove(&e.offer);
                state.product_lines.remove(&e.offer);
                state.retired.remove(&e.offer);
            }
        }
    }
}

fn apply(state: &Catalog, file: File, found: Vec<String>) -> Result<Vec<Event>, Rejection> {
    super::check::catalog(state, &file, found)?;
    let mut events = Vec::new();
    for mut offer in file.offer {
        let current = state.offer(&offer.code);
        offer.version = current.map_or(0, |o| o.version);
        if current.map(|sold| &**sold) != Some(&offer) {
            offer.version += 1;
            let offer = Sold::new(offer);
            events.push(OfferPublished { offer }.into());
        }
    }
    for list in file.price_list {
        if state.price_lists.get(&list.code).map(|l| &**l) != Some(&list) {
            let list = Text::new(list);
            events.push(PriceListPublished { list }.into());
        }
    }
    Ok(events)
}

fn known(state: &Catalog, offer: &str) -> Result<(), Rejection> {
    match state.offer(offer) {
        Some(_) => Ok(()),
        None => Err(Rejection::new(
            "OFFER_UNKNOWN",
            format!("there is no offer {offer:?}"),
        )),
    }
}

fn retire(state: &Catalog, offer: String, from: Date) -> Result<Vec<Event>, Rejection> {
    known(state, &offer)?;
    match state.retired(&offer) == Some(from) {
        true => Ok(vec![]),
        false => Ok(vec![OfferRetired { offer, from }.into()]),
    }
}

fn reopen(state: &Catalog, offer: String) -> Result<Vec<Event>, Rejection> {
    known(state, &offer)?;
    match state.retired(&offer) {
        None => Ok(vec![]),
        Some(_) => Ok(vec![OfferReopened { offer }.into()]),
    }
}

fn delete(state: &Catalog, offer: String, used: Option<String>) -> Result<Vec<Event>, Rejection> {
    known(state, &offer)?;
    if let Some(used) = used.or_else(|| state.needed_by(&offer)) {
        return Err(Rejection::new(
            "OFFER_IN_USE",
            format!(
                "offer {offer} is in use: {used}; retire it instead, then nobody new can subscribe to it"
            ),
        ));
    }
    Ok(vec![OfferDeleted { offer }.into()])
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
