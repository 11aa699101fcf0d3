//! What a meter remembers of its records: only what a later correction needs.

use super::{Event, Meter, Part, Payer, RatedRecord};
use crate::kernel::{Decimal, Exact};
use crate::mediation::Key;
use crate::rating::tally::Use;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A rated record, reduced to what replacing it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        Use {
            units: self.units,
            carried: self.carried,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metered {
    pub meter: Meter,
    /// One chunk per event, shared between versions of this state: rating the next batch copies no records.
    chunks: Vec<Arc<Vec<Kept>>>,
    /// What wallets paid here, oldest first; a correction gives back from the end.
    pub paid: Vec<Part>,
}

impl Metered {
    /// The records in the order they were rated.
    pub fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.chunks.iter().flat_map(|c| c.iter())
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Rated(e) => {
                self.chunks
                    .push(Arc::new(e.records.iter().map(Kept::of).collect()));
                e.records.iter().for_each(|r| self.pay(&r.payer));
                self.meter = e.meter.clone();
            }
            Event::Corrected(e) => {
                let by_key: std::collections::HashMap<Key, &super::Correction> =
                    e.corrections.iter().map(|c| (c.key, c)).collect();
                for chunk in &mut self.chunks {
                    if !chunk.iter().any(|k| by_key.contains_key(&k.key)) {
                        continue;
                    }
                    let edit = |k: &Kept| match by_key.get(&k.key) {
                        Some(c) => c.now.as_ref().map(Kept::of),
                        None => Some(k.clone()),
                    };
                    *chunk = Arc::new(chunk.iter().filter_map(edit).collect());
                }
                for c in &e.corrections {
                    c.now.iter().for_each(|r| self.pay(&r.payer));
                    c.returned.iter().for_each(|p| book(&mut self.paid, p));
                }
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
