//! Drafts of the catalog: offers and price lists that are worked on piece by piece and published together.
//!
//! - What is in a draft may be unfinished; only publishing asks whether it makes sense.
//! - Publishing applies the whole draft or nothing, and closes it; so does discarding.

use crate::catalog::{File, Offer, PriceList, Text};
use crate::events;
use crate::kernel::{Decider, Rejection, check_id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most offers and price lists of one draft.
pub const DRAFT_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    #[default]
    Open,
    Published,
    Discarded,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub stage: Stage,
    /// By code.
    pub offers: BTreeMap<String, Text<Offer>>,
    pub price_lists: BTreeMap<String, Text<PriceList>>,
}

impl Draft {
    /// What would be published.
    pub fn file(&self) -> File {
        File {
            offer: self.offers.values().map(|o| Offer::clone(o)).collect(),
            price_list: self
                .price_lists
                .values()
                .map(|l| PriceList::clone(l))
                .collect(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferDrafted {
    pub offer: Text<Offer>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferDropped {
    pub offer: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriceListDrafted {
    pub list: Text<PriceList>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriceListDropped {
    pub list: String,
}

/// It became part of the catalog in the same commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DraftPublished {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DraftDiscarded {}

events! {
    /// What happens to a draft of the catalog.
    pub enum Event in "catalog-draft" {
        OfferDrafted = "offer-drafted" 1,
        OfferDropped = "offer-dropped" 1,
        PriceListDrafted = "price-list-drafted" 1,
        PriceListDropped = "price-list-dropped" 1,
        DraftPublished = "published" 1,
        DraftDiscarded = "discarded" 1,
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    PutOffer(Box<Offer>),
    DropOffer(String),
    PutPriceList(Box<PriceList>),
    DropPriceList(String),
    Publish,
    Discard,
}

impl Decider for Draft {
    type State = Draft;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Draft, command: Command) -> Result<Vec<Event>, Rejection> {
        let how = match state.stage {
            Stage::Open => None,
            Stage::Published => Some("published"),
            Stage::Discarded => Some("discarded"),
        };
        if let Some(how) = how {
            return Err(Rejection::new(
                "DRAFT_CLOSED",
                format!("this draft was {how}: begin another one"),
            ));
        }
        let full = state.offers.len() + state.price_lists.len() >= DRAFT_MAX;
        let room = |known: bool| match full && !known {
            false => Ok(()),
            true => Err(Rejection::new(
                "DRAFT_FULL",
                format!("a draft holds at most {DRAFT_MAX} offers and price lists"),
            )),
        };
        match command {
            Command::PutOffer(offer) => {
                check_id("offer", &offer.code)?;
                room(state.offers.contains_key(&offer.code))?;
                let same = state.offers.get(&offer.code).map(|o| &**o) == Some(&*offer);
                let offer = Text::new(*offer);
                Ok(match same {
                    true => vec![],
                    false => vec![OfferDrafted { offer }.into()],
                })
            }
            Command::PutPriceList(list) => {
                check_id("price list", &list.code)?;
                room(state.price_lists.contains_key(&list.code))?;
                let same = state.price_lists.get(&list.code).map(|l| &**l) == Some(&*list);
                let list = Text::new(*list);
                Ok(match same {
                    true => vec![],
                    false => vec![PriceListDrafted { list }.into()],
                })
            }
            Command::DropOffer(offer) if state.offers.contains_key(&offer) => {
                Ok(vec![OfferDropped { offer }.into()])
            }
            Command::DropPriceList(list) if state.price_lists.contains_key(&list) => {
                Ok(vec![PriceListDropped { list }.into()])
            }
            Command::DropOffer(code) | Command::DropPriceList(code) => Err(Rejection::new(
                "NOT_IN_DRAFT",
                format!("the draft has no {code:?} to take out"),
            )),
            Command::Publish => Ok(vec![DraftPublished {}.into()]),
            Command::Discard => Ok(vec![DraftDiscarded {}.into()]),
        }
    }

    fn evolve(state: &mut Draft, event: &Event) {
        match event {
            Event::OfferDrafted(e) => {
                state.offers.insert(e.offer.code.clone(), e.offer.clone());
            }
            Event::OfferDropped(e) => {
                state.offers.remove(&e.offer);
            }
            Event::PriceListDrafted(e) => {
                state
                    .price_lists
                    .insert(e.list.code.clone(), e.list.clone());
            }
            Event::PriceListDropped(e) => {
                state.price_lists.remove(&e.list);
            }
            Event::DraftPublished(_) => state.stage = Stage::Published,
            Event::DraftDiscarded(_) => state.stage = Stage::Discarded,
        }
    }
}
