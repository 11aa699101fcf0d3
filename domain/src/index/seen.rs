//! The memory of usage records by key, across files, channels and restarts.
//!
//! It is the largest part of a tenant's state, so it can be copied without copying a record: a copy shares the records
//! there are, and what either of the two learns meanwhile lies beside them until the other is gone.

use crate::mediation::Key;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

/// The record that holds a key (policy 13).
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub content: Key,
    /// The batch that brought it.
    pub batch: Arc<str>,
    /// Stream of the meter it counts on; none while it waits or if it was rejected.
    pub meter: Option<Arc<str>>,
}

/// Usage records by key. Shown and stored in one order, so that two equal states look equal.
#[derive(Clone, Default)]
pub struct SeenKeys {
    shared: Arc<HashMap<Key, Seen>>,
    /// What came while `shared` was also somebody else's; goes before it.
    beside: HashMap<Key, Seen>,
}

impl SeenKeys {
    pub fn get(&self, key: &Key) -> Option<&Seen> {
        // Nearly always empty.
        if self.beside.is_empty() {
            return self.shared.get(key);
        }
        self.beside.get(key).or_else(|| self.shared.get(key))
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    pub fn is_empty(&self) -> bool {
        self.shared.is_empty() && self.beside.is_empty()
    }

    /// Every key once, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Seen)> {
        let older = self.shared.iter();
        older
            .filter(|(key, _)| self.beside.is_empty() || !self.beside.contains_key(*key))
            .chain(&self.beside)
    }

    /// Remembers records; a later one takes the place of an earlier one under its key.
    pub fn extend(&mut self, records: impl Iterator<Item = (Key, Seen)>) {
        match Arc::get_mut(&mut self.shared) {
            Some(own) => {
                own.extend(self.beside.drain());
                own.extend(records);
            }
            None => self.beside.extend(records),
        }
    }
}

impl PartialEq for SeenKeys {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, seen)| other.get(key) == Some(seen))
    }
}

impl fmt::Debug for SeenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys: Vec<_> = self.iter().collect();
        keys.sort_unstable_by_key(|(key, _)| *key);
        f.debug_map().entries(keys).finish()
    }
}

/// Bytes of a key and the content under it.
const PAIR: usize = 32;

/// Records of one batch on one meter: the two by their place in the list of names (0 = no meter, else one more), then
/// key and content of each record in the order of the keys.
#[derive(Serialize, Deserialize)]
struct Group(u64, u64, Packed);

/// Batch and meter of a record.
type Place<'a> = (&'a str, Option<&'a str>);

/// Bytes in one piece.
struct Packed(Vec<u8>);

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Packed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Packed, E> {
                Ok(Packed(bytes))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Packed, E> {
                Ok(Packed(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

impl Serialize for SeenKeys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut groups: HashMap<Place, Vec<(&Key, &Key)>> = HashMap::new();
        for (key, seen) in self.iter() {
            groups
                .entry((&seen.batch, seen.meter.as_deref()))
                .or_default()
                .push((key, &seen.content));
        }
        let names: BTreeSet<&str> = groups
            .keys()
            .flat_map(|(batch, meter)| [Some(*batch), *meter])
            .flatten()
            .collect();
        let place: BTreeMap<&str, u64> = names.iter().copied().zip(0..).collect();
        let place = |name: &str| place.get(name).copied().unwrap_or_default();
        let mut sorted: Vec<_> = groups.into_iter().collect();
        sorted.sort_unstable_by_key(|(name, _)| *name);
        let groups: Vec<Group> = sorted
            .into_iter()
            .map(|((batch, meter), mut records)| {
                records.sort_unstable();
                let mut bytes = Vec::with_capacity(records.len() * PAIR);
                for (key, content) in records {
                    bytes.extend_from_slice(key);
                    bytes.extend_from_slice(content);
                }
                Group(
                    place(batch),
                    meter.map_or(0, |m| place(m) + 1),
                    Packed(bytes),
                )
            })
            .collect();
        (names, groups).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SeenKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (names, groups) = <(Vec<String>, Vec<Group>)>::deserialize(deserializer)?;
        let names: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
        let name = |place: u64| {
            let found = usize::try_from(place).ok().and_then(|p| names.get(p));
            found
                .cloned()
                .ok_or_else(|| D::Error::custom(format!("name {place} of {}", names.len())))
        };
        let records: usize = groups.iter().map(|g| g.2.0.len() / PAIR).sum();
        let mut keys = HashMap::with_capacity(records);
        for Group(batch, meter, Packed(bytes)) in groups {
            let batch = name(batch)?;
            let meter = match meter {
                0 => None,
                place => Some(name(place - 1)?),
            };
            let (pairs, rest) = bytes.as_chunks::<PAIR>();
            if !rest.is_empty() {
                return Err(D::Error::custom("a key without its content"));
            }
            for pair in pairs {
                let (mut key, mut content) = (Key::default(), Key::default());
                let (left, right) = pair.split_at(key.len());
                key.copy_from_slice(left);
                content.copy_from_slice(right);
                let seen = Seen {
                    content,
                    batch: batch.clone(),
                    meter: meter.clone(),
                };
                keys.insert(key, seen);
            }
        }
        Ok(SeenKeys {
            shared: Arc::new(keys),
            beside: HashMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(content: u8, batch: &str, meter: Option<&str>) -> Seen {
        Seen {
            content: [content; 16],
            batch: batch.into(),
            meter: meter.map(Into::into),
        }
    }

    #[test]
    fn a_copy_and_its_original_learn_apart_and_both_remember() {
        let mut live = SeenKeys::default();
        live.extend(
            [
                ([1; 16], seen(1, "b1", None)),
                ([2; 16], seen(2, "b1", Some("m"))),
            ]
            .into_iter(),
        );
        let copy = live.clone();
        live.extend(
            [
                ([1; 16], seen(9, "b2", Some("m"))),
                ([3; 16], seen(3, "b2", None)),
            ]
            .into_iter(),
        );
        assert_eq!((copy.len(), live.len()), (2, 3));
        assert_eq!(copy.get(&[1; 16]), Some(&seen(1, "b1", None)));
        assert_eq!(live.get(&[1; 16]), Some(&seen(9, "b2", Some("m"))));
        assert!(copy != live && !copy.contains(&[3; 16]));
        drop(copy);
        live.extend([([4; 16], seen(4, "b3", None))].into_iter());
        assert!(live.beside.is_empty(), "what lay beside was not taken over");
        assert_eq!(live.get(&[1; 16]), Some(&seen(9, "b2", Some("m"))));
        assert_eq!(live.len(), 4);
    }

    #[test]
    fn what_was_stored_is_read_back_and_equal_states_have_equal_bytes() {
        let records = || {
            (0..200).map(|n| {
                let meter = (n % 3 != 0).then_some(["m1", "m2"][usize::from(n % 2)]);
                (
                    [n; 16],
                    seen(n, ["b1", "b2", "b3"][usize::from(n % 3)], meter),
                )
            })
        };
        let mut all = SeenKeys::default();
        all.extend(records());
        let mut in_parts = SeenKeys::default();
        in_parts.extend(records().take(50).collect::<Vec<_>>().into_iter().rev());
        let _held = in_parts.clone();
        in_parts.extend(records().skip(40));
        let bytes = bincode::serialize(&all).expect("it can be stored");
        assert_eq!(
            bincode::serialize(&in_parts).expect("it can be stored"),
            bytes
        );
        let back: SeenKeys = bincode::deserialize(&bytes).expect("it can be read");
        assert!(back == all && back == in_parts);
        for cut in 0..bytes.len() {
            let read: Result<SeenKeys, _> =
                bincode::deserialize(bytes.get(..cut).unwrap_or_default());
            assert!(read.is_err(), "read from {cut} of {} bytes", bytes.len());
        }
    }
}
