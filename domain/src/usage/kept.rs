//! What a meter remembers of its records: totals, and what wallets paid. The records themselves are in the log.

use super::{Draws, Event, Memory, Meter, Part, Payer, RatedRecord, Voided};
use crate::kernel::{Decimal, Exact};
use crate::mediation::Key;
use crate::rating::tally::Use;
use crate::table::{Place, Table};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A rated record, reduced to what replacing it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub key: Key,
    pub units: Exact,
    pub carried: Option<Decimal>,
    pub amount: Exact,
}

impl Kept {
    pub fn of(record: &RatedRecord) -> Kept {
        Kept {
            key: record.key,
            units: record.units,
            carried: record.amount_carried,
            amount: record.amount,
        }
    }

    pub fn used(&self) -> Use {
        Use::new(self.units, self.carried)
    }
}

impl Event {
    /// The record under a key, as it stands after this fact.
    pub fn record(&self, key: &Key) -> Option<&RatedRecord> {
        match self {
            Event::Rated(e) => e.records.iter().rev().find(|r| r.key == *key),
            Event::Corrected(e) => {
                let last = e.corrections.iter().rev().find(|c| c.key == *key)?;
                last.now.as_ref()
            }
            Event::Recounted(e) => {
                let last = e.changes.iter().rev().find(|c| c.key == *key)?;
                last.now.as_ref()
            }
            Event::Remembered(_) | Event::Drawn(_) => None,
        }
    }
}

/// The records of a meter as they stand, folded from its facts.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// In the order they were rated; one that has left leaves its place empty.
    kept: Vec<Option<Kept>>,
    places: HashMap<Key, usize>,
}

impl Records {
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Records {
        let mut records = Records::default();
        events.into_iter().for_each(|event| records.apply(event));
        records
    }

    /// The records in the order they were rated.
    pub fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter().flatten()
    }

    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Rated(e) => e.records.iter().for_each(|record| {
                self.places.insert(record.key, self.kept.len());
                self.kept.push(Some(Kept::of(record)));
            }),
            Event::Recounted(e) => e.changes.iter().for_each(|c| {
                let now = c.now.as_ref().map(Kept::of);
                let place = self.places.get(&c.key).copied();
                match place.and_then(|place| self.kept.get_mut(place)) {
                    Some(kept) => *kept = now,
                    None if now.is_some() => {
                        self.places.insert(c.key, self.kept.len());
                        self.kept.push(now);
                    }
                    None => {}
                }
            }),
            Event::Corrected(e) => e.corrections.iter().for_each(|c| {
                let place = self.places.get(&c.key).copied();
                if let Some(kept) = place.and_then(|place| self.kept.get_mut(place)) {
                    *kept = c.now.as_ref().map(Kept::of);
                }
            }),
            Event::Remembered(_) | Event::Drawn(_) => {}
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metered {
    pub meter: Meter,
    /// What wallets paid here, oldest first; a correction gives back from the end.
    pub paid: Vec<Part>,
    /// The records, where the charge depends on each of them.
    pub memory: Option<Box<Memory>>,
    /// What its records drew on counters.
    pub draws: Option<Box<Draws>>,
    /// Records that a rerating took out: nothing corrects them, only undoing it brings them back.
    pub voided: Option<Box<Voided>>,
}

/// Fetches the meters in some rows together, before any of them is worked on, so that the waits for memory overlap.
pub(crate) fn fetch(meters: &Table<Metered>, rows: impl Iterator<Item = Place> + Clone) {
    let found = || rows.clone().filter_map(|row| meters.at(row));
    let heads = found().fold(0, |touched, (id, entry)| {
        touched ^ entry.version ^ id.len() as u64
    });
    let rest = found().fold(heads, |touched, (_, entry)| {
        let state = &entry.state;
        let zeros = state.meter.burnt.is_zero() ^ state.meter.free.is_zero();
        let length = state.paid.len() as u64;
        touched ^ state.meter.records ^ length ^ u64::from(zeros)
    });
    std::hint::black_box(rest);
}

impl Metered {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Rated(e) => {
                e.records.iter().for_each(|r| self.pay(&r.payer));
                self.meter = e.meter.clone();
            }
            Event::Corrected(e) => {
                for c in &e.corrections {
                    c.now.iter().for_each(|r| self.pay(&r.payer));
                    c.returned.iter().for_each(|p| book(&mut self.paid, p));
                }
                self.meter = e.meter.clone();
            }
            Event::Remembered(e) => self.memory.get_or_insert_default().apply(e),
            Event::Drawn(e) => self.draws.get_or_insert_default().apply(e),
            Event::Recounted(e) => {
                e.parts.iter().for_each(|p| book(&mut self.paid, p));
                Voided::apply(&mut self.voided, &e.changes);
                self.meter = e.meter.clone();
            }
        }
    }

    fn pay(&mut self, payer: &Payer) {
        payer.parts().iter().for_each(|p| book(&mut self.paid, p));
    }
}

/// Books a part that was paid, or a negative one that was given back, on what grants paid so far.
pub fn book(paid: &mut Vec<Part>, part: &Part) {
    let same = |p: &Part| p.wallet == part.wallet && p.grant == part.grant;
    let at = if part.amount.is_negative() {
        paid.iter().rposition(same)
    } else {
        paid.len()
            .checked_sub(1)
            .filter(|last| paid.get(*last).is_some_and(same))
    };
    match at.and_then(|i| paid.get_mut(i)) {
        // What is given back was paid here before, and amounts of one period are far from the limits of an exact number.
        Some(known) => known.amount = known.amount.plus(part.amount).unwrap_or(known.amount),
        None => paid.push(part.clone()),
    }
    paid.retain(|p| !p.amount.is_zero());
}
