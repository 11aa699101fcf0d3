//! Values by id, or by something else, without an order of their own.

use super::KEYED;
use crate::kernel::Id;
use foldhash::fast::RandomState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::hash::Hash;

/// Anything by key that is only ever looked up: found by hash, shown and stored in the order of the keys.
///
/// A look-up touches one or two places of memory however many keys there are; an ordered tree of a million names compares
/// some twenty texts that lie all over it. Whoever goes over all of it has to bring them into an order first.
#[derive(Clone, Debug)]
pub struct ById<V, K = Id>(HashMap<K, V, RandomState>);

impl<V: PartialEq, K: Eq + Hash> PartialEq for ById<V, K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<V, K> Default for ById<V, K> {
    fn default() -> Self {
        ById(HashMap::with_hasher(KEYED.clone()))
    }
}

impl<V, K> std::ops::Deref for ById<V, K> {
    type Target = HashMap<K, V, RandomState>;

    fn deref(&self) -> &HashMap<K, V, RandomState> {
        &self.0
    }
}

impl<V, K> std::ops::DerefMut for ById<V, K> {
    fn deref_mut(&mut self) -> &mut HashMap<K, V, RandomState> {
        &mut self.0
    }
}

impl<V, K: Eq + Hash> FromIterator<(K, V)> for ById<V, K> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        let mut all = ById::default();
        all.0.extend(rows);
        all
    }
}

impl<V: Serialize, K: Ord + Serialize> Serialize for ById<V, K> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut rows: Vec<(&K, &V)> = self.0.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        serializer.collect_map(rows)
    }
}

impl<'de, V: Deserialize<'de>, K: Deserialize<'de> + Eq + Hash> Deserialize<'de> for ById<V, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        HashMap::deserialize(deserializer).map(ById)
    }
}
