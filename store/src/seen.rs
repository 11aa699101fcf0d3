//! Every usage record's key, and where the record is: what tells a duplicate from a new record (policy 13).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use indelible_domain::Event;
use indelible_domain::mediation::Key;
use indelible_domain::past::{self, Learnt, Sighting};

use crate::StoreError;

type Keys = HashMap<Key, (Sighting, Arc<str>)>;

/// The keys of all tenants.
#[derive(Default)]
pub(crate) struct Seen {
    tenants: RwLock<HashMap<String, Keys>>,
}

impl Seen {
    /// Takes the fact at a position.
    pub fn learn(&self, tenant: &str, stream: &str, position: u64, event: &Event) {
        if !matches!(event, Event::Usage(_) | Event::Batch(_)) {
            return;
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if !tenants.contains_key(tenant) {
            tenants.insert(tenant.to_string(), Keys::default());
        }
        let Some(keys) = tenants.get_mut(tenant) else {
            return;
        };
        let mut name: Option<Arc<str>> = None;
        past::learn(stream, event, &mut |learnt: Learnt| {
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
    }

    /// What holds each of these keys.
    pub fn sightings(
        &self,
        tenant: &str,
        keys: &[Key],
    ) -> Result<Vec<Option<Sighting>>, StoreError> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let known = tenants.get(tenant);
        let held = |key| known?.get(key).map(|(sighting, _)| *sighting);
        Ok(keys.iter().map(held).collect())
    }

    /// The batch that brought the record that holds a key.
    pub fn batch_of(&self, tenant: &str, key: &Key) -> Result<Option<String>, StoreError> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let held = tenants.get(tenant).and_then(|keys| keys.get(key));
        Ok(held.map(|(_, batch)| batch.to_string()))
    }
}
