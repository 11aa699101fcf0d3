//! Drafts of the catalog.

use super::parties;
use indelible_domain::Event;
use indelible_domain::catalog::{PriceList, PriceTerm, Text};
use indelible_domain::drafts::{
    DraftDiscarded, DraftPublished, Event as Drafted, OfferDrafted, OfferDropped, PriceListDrafted,
    PriceListDropped,
};

pub(super) fn events() -> Vec<Event> {
    let list = PriceList {
        code: "austria".to_string(),
        currency: super::currency("EUR"),
        country: Some("AT".to_string()),
        items: vec![PriceTerm {
            offer: "mobile-m".to_string(),
            percent: Some(super::decimal("-10")),
            ..PriceTerm::default()
        }],
        ..PriceList::default()
    };
    let events: Vec<Drafted> = vec![
        OfferDrafted {
            offer: Text::new(parties::offer()),
        }
        .into(),
        OfferDropped {
            offer: "mobile-m".to_string(),
        }
        .into(),
        PriceListDrafted {
            list: Text::new(list),
        }
        .into(),
        PriceListDropped {
            list: "austria".to_string(),
        }
        .into(),
        DraftPublished {}.into(),
        DraftDiscarded {}.into(),
    ];
    events.into_iter().map(Event::CatalogDraft).collect()
}
