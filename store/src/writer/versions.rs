//! Versions of the streams that were written to last, beside the index: a stream that was just written to is often written
//! to again, and its last block may be on disk already.

use crate::index::key::Key;

/// Places for streams at first, and at most: 24 bytes each, so 96 MiB. What is forgotten costs a page of the index, several
/// times what the rest of an event does, and a million subscriptions have a few million meters in a month.
const FEWEST: usize = 1 << 12;
const MOST: usize = 1 << 22;
/// Places that a stream may take, side by side.
const WAYS: usize = 2;

const EMPTY: (Key, u64) = (Key(0, 0), 0);

/// Each stream has two places, by part of its key, which the last two that have them take; so little has to be looked for,
/// and what was forgotten is asked of the index.
pub(super) struct Versions {
    places: Vec<(Key, u64)>,
    taken: usize,
}

impl Versions {
    pub fn new() -> Versions {
        Versions {
            places: vec![EMPTY; FEWEST],
            taken: 0,
        }
    }

    /// The version of a stream, if it is remembered; above zero.
    pub fn get(&self, stream: Key) -> Option<u64> {
        let is_it = |(key, version): &&(Key, u64)| *key == stream && *version > 0;
        let (_, version) = self.set(stream).iter().find(is_it)?;
        Some(*version)
    }

    /// Fetches what [`get`](Versions::get) will look at.
    pub fn near(&self, stream: Key) -> u64 {
        self.set(stream).first().map_or(0, |(_, version)| *version)
    }

    pub fn put(&mut self, stream: Key, version: u64) {
        if self.taken * 2 >= self.places.len() && self.places.len() < MOST {
            self.grow();
        }
        let first = self.place(stream);
        let Some([latest, older]) = self.places.get_mut(first..first + WAYS) else {
            return;
        };
        if latest.0 != stream {
            self.taken += usize::from(older.1 == 0 || latest.1 == 0);
            *older = std::mem::replace(latest, (stream, version));
        }
        latest.1 = version;
    }

    fn grow(&mut self) {
        let wider = vec![EMPTY; self.places.len() * 4];
        self.taken = 0;
        for (stream, version) in std::mem::replace(&mut self.places, wider) {
            if version > 0 {
                self.put(stream, version);
            }
        }
    }

    fn set(&self, stream: Key) -> &[(Key, u64)] {
        let first = self.place(stream);
        self.places.get(first..first + WAYS).unwrap_or_default()
    }

    /// The first of a stream's places; their number is a power of two.
    fn place(&self, stream: Key) -> usize {
        stream.0 as usize & (self.places.len() - 1) & !(WAYS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_put_last_however_many_streams_there_are() {
        let mut versions = Versions::new();
        let streams = 3 * FEWEST as u64;
        let key = |n: u64| Key(n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n);
        for round in 1..3 {
            (0..streams).for_each(|n| versions.put(key(n), n + round));
        }
        let known = (0..streams).filter_map(|n| Some((n, versions.get(key(n))?)));
        let known: Vec<(u64, u64)> = known.collect();
        assert!(known.iter().all(|(n, version)| *version == n + 2));
        assert!(known.len() * 2 > FEWEST * 5, "{} are known", known.len());
        assert_eq!(versions.get(Key(0, 7)), None);
    }
}
