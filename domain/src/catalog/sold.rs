//! An offer as it was sold, shared by all who bought it.

use super::Offer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// One version of an offer, with a customer's own prices in it if there are any. It never changes.
///
/// In the log it is its canonical text (JSON without defaults), which says of itself what its fields are. In memory
/// equal texts are one offer, so a million subscribers to an offer hold it once, and what is made of it for rating is
/// made once.
#[derive(Clone)]
pub struct Sold(Arc<Pinned>);

struct Pinned {
    offer: Offer,
    text: Box<str>,
}

/// Offers in memory by their text.
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Known {
    offers: HashMap<Box<str>, Weak<Pinned>>,
    /// Forget what nobody holds any more when there are this many.
    full: usize,
}

impl Known {
    fn find(&self, text: &str) -> Option<Arc<Pinned>> {
        self.offers.get(text).and_then(Weak::upgrade)
    }

    fn keep(&mut self, offer: Offer, text: &str) -> Arc<Pinned> {
        if let Some(known) = self.find(text) {
            return known;
        }
        if self.offers.len() >= self.full {
            self.offers.retain(|_, held| held.strong_count() > 0);
            self.full = 2 * self.offers.len() + 1_000;
        }
        let pinned = Arc::new(Pinned {
            offer,
            text: text.into(),
        });
        self.offers.insert(text.into(), Arc::downgrade(&pinned));
        pinned
    }
}

impl Sold {
    pub fn new(offer: Offer) -> Sold {
        let text = serde_json::to_string(&offer)
            .expect("an offer's fields are all text, numbers and lists");
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        Sold(known.keep(offer, &text))
    }

    /// The canonical text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Where it lies in memory: equal offers lie at one place, as long as anybody holds them.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    fn read(text: &str) -> Result<Sold, serde_json::Error> {
        let known = KNOWN
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .find(text);
        match known {
            Some(pinned) => Ok(Sold(pinned)),
            None => serde_json::from_str(text).map(Sold::new),
        }
    }
}

impl Deref for Sold {
    type Target = Offer;

    fn deref(&self) -> &Offer {
        &self.0.offer
    }
}

impl PartialEq for Sold {
    fn eq(&self, other: &Sold) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl fmt::Debug for Sold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.offer.fmt(f)
    }
}

impl From<Offer> for Sold {
    fn from(offer: Offer) -> Sold {
        Sold::new(offer)
    }
}

impl Serialize for Sold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.offer.serialize(serializer)
        } else {
            serializer.serialize_str(&self.0.text)
        }
    }
}

impl<'de> Deserialize<'de> for Sold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sold, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Sold;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an offer's text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sold, E> {
                Sold::read(text).map_err(E::custom)
            }
        }
        if deserializer.is_human_readable() {
            Offer::deserialize(deserializer).map(Sold::new)
        } else {
            deserializer.deserialize_str(Text)
        }
    }
}
