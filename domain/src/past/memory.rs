//! The past in memory: for tests, for dry runs over the real one, and as the measure of any other.

use super::{Learnt, Past, Sighting, gone, learn};
use crate::kernel::{Id, Rejection};
use crate::mediation::Key;
use crate::session::Staged;
use crate::usage;
use crate::world::Event;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Where a memory over another past begins to count: no log ever reaches it, so the two never name the same position.
const BEYOND: u64 = 1 << 63;

/// Facts, and what they say of keys.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    keys: HashMap<Key, (Sighting, Arc<str>)>,
    facts: BTreeMap<u64, (Id, Event)>,
    /// Position of the fact that came last.
    last: u64,
}

impl Memory {
    /// Empty, to lie over another past.
    pub fn beyond() -> Memory {
        Memory {
            last: BEYOND,
            ..Memory::default()
        }
    }

    /// Takes the next fact of the log.
    pub fn learn(&mut self, stream: &str, event: &Event) {
        self.last += 1;
        let (position, keys) = (self.last, &mut self.keys);
        let mut name: Option<Arc<str>> = None;
        learn(stream, event, &mut |learnt: Learnt| {
            if !learnt.counted && keys.contains_key(&learnt.key) {
                return;
            }
            let batch = name.get_or_insert_with(|| learnt.batch.into());
            let sighting = Sighting {
                content: learnt.content,
                position,
                counted: learnt.counted,
            };
            keys.insert(learnt.key, (sighting, Arc::clone(batch)));
        });
        if matches!(event, Event::Usage(_)) {
            self.facts.insert(position, (stream.into(), event.clone()));
        }
    }

    /// Takes what a session staged.
    pub fn absorb(&mut self, staged: &[Staged]) {
        staged.iter().for_each(|s| self.learn(&s.id, &s.event));
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// This memory, and below it what was before.
    pub fn over<'a>(&'a self, below: &'a dyn Past) -> Over<'a> {
        Over { above: self, below }
    }
}

impl Past for Memory {
    fn sightings(&self, keys: &[Key]) -> Result<Vec<Option<Sighting>>, Rejection> {
        let held = |key| self.keys.get(key).map(|(sighting, _)| *sighting);
        Ok(keys.iter().map(held).collect())
    }

    fn batch_of(&self, key: &Key) -> Result<Id, Rejection> {
        let (_, batch) = self.keys.get(key).ok_or_else(gone)?;
        Ok(batch.to_string())
    }

    fn fact(&self, position: u64) -> Result<(Id, Event), Rejection> {
        self.facts.get(&position).cloned().ok_or_else(gone)
    }

    fn meter(&self, id: &str) -> Result<Vec<usage::Event>, Rejection> {
        let own = self.facts.values().filter(|(stream, _)| stream == id);
        let events = own.filter_map(|(_, event)| match event {
            Event::Usage(event) => Some(event.clone()),
            _ => None,
        });
        Ok(events.collect())
    }
}

/// A past with what was tried after it.
#[derive(Clone, Copy)]
pub struct Over<'a> {
    above: &'a Memory,
    below: &'a dyn Past,
}

impl Past for Over<'_> {
    fn sightings(&self, keys: &[Key]) -> Result<Vec<Option<Sighting>>, Rejection> {
        let below = self.below.sightings(keys)?;
        let both = below.into_iter().zip(keys);
        let last = |(below, key): (Option<Sighting>, &Key)| match self.above.keys.get(key) {
            Some((above, _)) if above.counted || below.is_none() => Some(*above),
            _ => below,
        };
        Ok(both.map(last).collect())
    }

    fn batch_of(&self, key: &Key) -> Result<Id, Rejection> {
        match self.above.keys.get(key) {
            Some((above, _)) if above.counted => self.above.batch_of(key),
            Some(_) => self
                .below
                .batch_of(key)
                .or_else(|_| self.above.batch_of(key)),
            None => self.below.batch_of(key),
        }
    }

    fn fact(&self, position: u64) -> Result<(Id, Event), Rejection> {
        match position > BEYOND {
            true => self.above.fact(position),
            false => self.below.fact(position),
        }
    }

    fn meter(&self, id: &str) -> Result<Vec<usage::Event>, Rejection> {
        let mut events = self.below.meter(id)?;
        events.extend(self.above.meter(id)?);
        Ok(events)
    }
}
