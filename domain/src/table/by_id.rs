//! Values by id without an order of their own.

use super::KEYED;
use crate::kernel::Id;
use foldhash::fast::RandomState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;

/// Anything by id that is only ever looked up: found by hash, shown and stored in the order of the ids.
#[derive(Clone, Debug, PartialEq)]
pub struct ById<V>(HashMap<Id, V, RandomState>);

impl<V> Default for ById<V> {
    fn default() -> Self {
        ById(HashMap::with_hasher(KEYED.clone()))
    }
}

impl<V> std::ops::Deref for ById<V> {
    type Target = HashMap<Id, V, RandomState>;

    fn deref(&self) -> &HashMap<Id, V, RandomState> {
        &self.0
    }
}

impl<V> std::ops::DerefMut for ById<V> {
    fn deref_mut(&mut self) -> &mut HashMap<Id, V, RandomState> {
        &mut self.0
    }
}

impl<V: Serialize> Serialize for ById<V> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut rows: Vec<(&Id, &V)> = self.0.iter().collect();
        rows.sort_unstable_by_key(|(id, _)| *id);
        serializer.collect_map(rows)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for ById<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        HashMap::deserialize(deserializer).map(ById)
    }
}
