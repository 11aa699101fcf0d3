//! A meter counted anew by a rerating: what each record was, what it is now, and where the record came from.

use super::{Basis, Event, Gone, Meter, Part, RatedRecord, Reversed};
use crate::kernel::Text;
use crate::mediation::Key;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Records were counted anew: their old results are reversed and the new ones take their place (policy 18).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recounted {
    /// The rerating that did it.
    pub rerating: Text,
    pub basis: Basis,
    pub changes: Vec<Recount>,
    /// What wallets paid more, by grant; negative where they got back.
    pub parts: Vec<Part>,
    /// After the whole commit.
    pub meter: Meter,
}

/// One record before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recount {
    #[serde(with = "crate::kernel::key")]
    pub key: Key,
    /// The batch that brought the record.
    pub batch: Text,
    pub source: Text,
    /// What is reversed; none: it did not count here.
    pub was: Option<Reversed>,
    /// What it is now; none: it counts here no more. What wallets pay is told of the meter as a whole, not of a record.
    pub now: Option<RatedRecord>,
    /// It counts nowhere any more.
    pub void: bool,
}

impl Recount {
    pub fn came(&self) -> bool {
        self.was.is_none() && self.now.is_some()
    }

    pub fn left(&self) -> bool {
        self.was.is_some() && self.now.is_none()
    }
}

/// Records that were taken out of a meter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Voided {
    pub keys: Vec<Gone>,
}

impl Voided {
    pub fn has(&self, key: &Key) -> bool {
        self.keys.iter().any(|gone| gone.0 == *key)
    }

    pub(super) fn apply(voided: &mut Option<Box<Voided>>, changes: &[Recount]) {
        for change in changes {
            if change.void {
                let voided = voided.get_or_insert_default();
                if !voided.has(&change.key) {
                    voided.keys.push(Gone(change.key));
                }
            } else if let Some(known) = voided {
                known.keys.retain(|gone| gone.0 != change.key);
            }
        }
        if voided.as_ref().is_some_and(|v| v.keys.is_empty()) {
            *voided = None;
        }
    }
}

/// A record as it stands on a meter, whole, with where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub record: RatedRecord,
    pub batch: Text,
    pub source: Text,
    pub basis: Basis,
}

/// The records of a meter as they stand after its facts, in the order they were rated; one that has left leaves its place
/// to itself alone.
pub fn standing<'e>(events: impl IntoIterator<Item = &'e Event>) -> Vec<Standing> {
    let mut known: Vec<Option<Standing>> = Vec::new();
    let mut places: HashMap<Key, usize> = HashMap::new();
    let mut put = |key: Key, now: Option<Standing>| match places.get(&key).copied() {
        Some(place) => {
            if let Some(slot) = known.get_mut(place) {
                *slot = now;
            }
        }
        None if now.is_some() => {
            places.insert(key, known.len());
            known.push(now);
        }
        None => {}
    };
    for event in events {
        match event {
            Event::Rated(e) => e.records.iter().for_each(|record| {
                let now = Standing {
                    record: record.clone(),
                    batch: e.provenance.batch.clone(),
                    source: e.provenance.source.clone(),
                    basis: e.provenance.basis.clone(),
                };
                put(record.key, Some(now));
            }),
            Event::Corrected(e) => e.corrections.iter().for_each(|c| {
                let now = c.now.as_ref().map(|record| Standing {
                    record: record.clone(),
                    batch: e.batch.clone(),
                    source: e.source.clone(),
                    basis: e.basis.clone(),
                });
                put(c.key, now);
            }),
            Event::Recounted(e) => e.changes.iter().for_each(|c| {
                let now = c.now.as_ref().map(|record| Standing {
                    record: record.clone(),
                    batch: c.batch.clone(),
                    source: c.source.clone(),
                    basis: e.basis.clone(),
                });
                put(c.key, now);
            }),
            Event::Remembered(_) | Event::Drawn(_) => {}
        }
    }
    known.into_iter().flatten().collect()
}
