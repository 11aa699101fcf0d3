//! Versions of the streams that were written to last, beside the index: a stream that was just written to is often written
//! to again, and its last block may be on disk already.

use crate::index::key::Key;

/// Places for streams at first, and at most: 24 bytes each.
const FEWEST: usize = 1 << 12;
const MOST: usize = 1 << 20;

const EMPTY: (Key, u64) = (Key(0, 0), 0);

/// Each stream has one place, by part of its key, which the last one that has it takes; so nothing has to be looked for,
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
        let (key, version) = self.places.get(self.place(stream))?;
        (*key == stream && *version > 0).then_some(*version)
    }

    pub fn put(&mut self, stream: Key, version: u64) {
        if self.taken * 2 >= self.places.len() && self.places.len() < MOST {
            self.grow();
        }
        let place = self.place(stream);
        if let Some(slot) = self.places.get_mut(place) {
            self.taken += usize::from(slot.1 == 0);
            *slot = (stream, version);
        }
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

    fn place(&self, stream: Key) -> usize {
        stream.0 as usize % self.places.len()
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
        assert!(known.len() * 2 > FEWEST * 3, "{} are known", known.len());
        assert_eq!(versions.get(Key(0, 7)), None);
    }
}
