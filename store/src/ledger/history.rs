//! Looking back: the log of one tenant, an entity as it was, and whether the live state is the log's fold.

use indelible_domain::kernel::Instant;
use indelible_domain::world::Noun;
use indelible_domain::{Event, Recorded, World};
use serde::Serialize;

use super::{Ledger, replay};
use crate::{StoreError, StoredEvent, StreamKey, codec};

/// Events looked through at a time.
const PAGE: usize = 1_024;

/// Whether the live state is what a replay of the log makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateCheck {
    /// Everything up to this position was compared.
    pub position: u64,
    pub tenants: u64,
    /// Tenants whose live state differs; empty when all is well.
    pub differing: Vec<String>,
}

impl Ledger {
    /// At most `max` events of one tenant after a position, in order.
    pub fn events(
        &self,
        tenant: &str,
        after: u64,
        max: usize,
    ) -> Result<Vec<Recorded<Event>>, StoreError> {
        let mut found = Vec::new();
        let mut at = after;
        while found.len() < max {
            let page = self.store.read(at, PAGE)?;
            let Some(last) = page.last() else { break };
            at = last.position;
            let own = page.into_iter().filter(|e| e.stream.tenant == tenant);
            for event in own.take(max - found.len()) {
                found.push(codec::decode(event)?);
            }
        }
        Ok(found)
    }

    /// One stream, or what it held at a position.
    pub fn stream(
        &self,
        tenant: &str,
        kind: &str,
        id: &str,
        up_to_position: Option<u64>,
    ) -> Result<Vec<Recorded<Event>>, StoreError> {
        let key = StreamKey::new(tenant, kind, id);
        let last = up_to_position.unwrap_or(u64::MAX);
        let mut found = Vec::new();
        let mut version = 0;
        loop {
            let page = self.store.read_stream(&key, version, PAGE)?;
            let Some(end) = page.last().map(|e: &StoredEvent| (e.version, e.position)) else {
                break;
            };
            version = end.0;
            for event in page.into_iter().filter(|e| e.position <= last) {
                found.push(codec::decode(event)?);
            }
            if end.1 >= last {
                break;
            }
        }
        Ok(found)
    }

    /// An entity as it was at a position, from its own stream; none if it had no events yet.
    pub fn state_at<N: Noun>(
        &self,
        tenant: &str,
        id: &str,
        up_to_position: Option<u64>,
    ) -> Result<Option<N::State>, StoreError> {
        let mut past = World::default();
        for event in self.stream(tenant, N::KIND, id, up_to_position)? {
            past.apply(&event);
        }
        let entry = N::table(&past.tenant(tenant).tables).get(id);
        Ok(entry.map(|entry| entry.state.clone()))
    }

    /// Last position recorded at or before an instant; 0 if there is none.
    pub fn position_at(&self, at: Instant) -> Result<u64, StoreError> {
        // recorded_at never decreases, so the answer is a border that halving finds.
        let (mut known, mut beyond) = (0, self.store.head() + 1);
        while beyond - known > 1 {
            let middle = known + (beyond - known) / 2;
            let block = self.store.read(middle - 1, 1)?;
            match block.iter().take_while(|e| e.recorded_at <= at.0).last() {
                Some(event) => known = event.position.min(beyond - 1),
                None => beyond = middle,
            }
        }
        Ok(known)
    }

    /// Replays the whole log beside the live state and compares. Commands go on until the last moment, then wait.
    pub fn verify_state(&self) -> Result<StateCheck, StoreError> {
        let (mut replayed, mut position) = (World::default(), 0);
        let head = self.store.head();
        replay(self.store.as_ref(), &mut replayed, &mut position, head)?;
        let live = self.reading();
        // The writer needs no lock of ours to make the rest durable.
        if self.durable(live.position).is_err() {
            return Err(StoreError::Poisoned {
                why: self.stopped().unwrap_or_default().to_string(),
            });
        }
        replay(
            self.store.as_ref(),
            &mut replayed,
            &mut position,
            live.position,
        )?;
        let mut names: Vec<&String> = live.world.tenants().chain(replayed.tenants()).collect();
        names.sort();
        names.dedup();
        let differs = |name: &str| live.world.tenant(name) != replayed.tenant(name);
        Ok(StateCheck {
            position,
            tenants: names.len() as u64,
            differing: names
                .iter()
                .filter(|name| differs(name))
                .map(ToString::to_string)
                .collect(),
        })
    }
}
