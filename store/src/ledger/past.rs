//! The log behind the state, as a command may ask for it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use indelible_domain::kernel::{Id, Rejection};
use indelible_domain::mediation::Key;
use indelible_domain::past::{self, Past, Sighting};
use indelible_domain::usage::{self, Metered};
use indelible_domain::world::Noun;
use indelible_domain::{Event, Staged};

use super::{LOOK_AGAIN, Ledger, replay_each};
use crate::seen::{KeysStats, Seen};
use crate::{EventStore, StoreError, StreamKey, codec};

/// Facts of a meter that are read at a time.
const PAGE: usize = 1_024;

/// One tenant's past up to a position. What is not durable yet is waited for when it is asked for.
pub struct TenantPast {
    store: Arc<dyn EventStore>,
    seen: Arc<Seen>,
    stopped: Arc<OnceLock<String>>,
    tenant: String,
    upto: u64,
    /// Why an answer could not be given: whoever decided on it must not go on.
    failed: Mutex<Option<StoreError>>,
}

impl Ledger {
    /// What the log knows of a tenant's usage, beside its state as it is now. It goes on with the log: for a dry run of
    /// several commands on a copy of the state.
    pub fn past(&self, tenant: &str) -> TenantPast {
        let upto = self.reading().position;
        self.past_upto(tenant, upto)
    }

    pub(super) fn past_upto(&self, tenant: &str, upto: u64) -> TenantPast {
        TenantPast {
            store: Arc::clone(&self.store),
            seen: Arc::clone(&self.seen),
            stopped: Arc::clone(&self.stopped),
            tenant: tenant.to_string(),
            upto,
            failed: Mutex::new(None),
        }
    }

    /// What the memory of usage keys takes.
    pub fn keys(&self) -> KeysStats {
        self.seen.stats()
    }

    /// Waits until nothing of the memory of usage keys is left to write or to merge. False if the time was over before.
    pub fn keys_settled(&self, limit: Duration) -> bool {
        self.seen.idle_within(limit)
    }

    /// Remembers what a commit of these facts says of keys; the first of them has the position after `before`.
    pub(super) fn see(&self, tenant: &str, before: u64, staged: &Arc<Vec<Staged>>) {
        self.seen.learn(tenant, before, staged);
    }
}

impl TenantPast {
    /// The failure that was answered as a refusal, if there was one.
    pub fn failure(&self) -> Option<StoreError> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.take()
    }

    fn answer<T>(&self, read: Result<T, StoreError>) -> Result<T, Rejection> {
        read.map_err(|error| {
            let refusal = Rejection::new("PAST_UNREADABLE", error.to_string());
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
            refusal
        })
    }

    /// Waits until a position is durable: the log cannot be asked for what only waits for the disk.
    fn durable(&self, position: u64) -> Result<(), StoreError> {
        while self.store.head() < position {
            if let Some(why) = self.stopped.get() {
                return Err(StoreError::Poisoned { why: why.clone() });
            }
            self.store.wait_past(position - 1, LOOK_AGAIN);
        }
        Ok(())
    }

    fn read_fact(&self, position: u64) -> Result<Option<(Id, Event)>, StoreError> {
        self.durable(position)?;
        let mut found = None;
        let before = position.saturating_sub(1);
        replay_each(
            self.store.as_ref(),
            before,
            position,
            &mut |stored, event| {
                found = (stored.tenant == self.tenant).then(|| (stored.id.to_string(), event));
            },
        )?;
        Ok(found)
    }

    fn read_meter(&self, id: &str) -> Result<Vec<usage::Event>, StoreError> {
        self.durable(self.upto)?;
        let key = StreamKey::new(self.tenant.as_str(), Metered::KIND, id);
        let (mut events, mut version) = (Vec::new(), 0);
        loop {
            let page = self.store.read_stream(&key, version, PAGE)?;
            let Some(last) = page.last() else {
                return Ok(events);
            };
            version = last.version;
            for stored in page {
                if let Event::Usage(event) = codec::decode(stored)?.event {
                    events.push(event);
                }
            }
        }
    }
}

impl Past for TenantPast {
    fn sightings(&self, keys: &[Key]) -> Result<Vec<Option<Sighting>>, Rejection> {
        self.answer(self.seen.sightings(&self.tenant, keys))
    }

    fn batch_of(&self, key: &Key) -> Result<Id, Rejection> {
        let batch = self.answer(self.seen.batch_of(&self.tenant, key))?;
        batch.ok_or_else(past::gone)
    }

    fn fact(&self, position: u64) -> Result<(Id, Event), Rejection> {
        let fact = self.answer(self.read_fact(position))?;
        fact.ok_or_else(past::gone)
    }

    fn meter(&self, id: &str) -> Result<Vec<usage::Event>, Rejection> {
        self.answer(self.read_meter(id))
    }
}
