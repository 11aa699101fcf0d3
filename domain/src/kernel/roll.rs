//! A list that grows at its end and costs little to copy: what a stream remembers of a long history.
//!
//! A decision is taken on a copy of the state it changes, so a plain list makes every decision cost as much as the whole
//! history. Here a copy shares all blocks with its origin, and a push copies at most the last one.

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// Every block but the last is full; none is empty.
type Shelf<T> = Vec<Arc<Vec<T>>>;

/// See the module. Of so many entries to a block: a push copies half of them on average, with all their texts. Of so many blocks to a
/// shelf: a copy shares shelves, and a push copies at most one. As it is, 49 shelves are shared of 100,000 entries; a list that
/// stays short and has large entries is better off with small blocks ([`ShortRoll`]).
#[derive(Clone, PartialEq, Eq)]
pub struct Roll<T, const BLOCK: usize = 32, const SHELF: usize = 64> {
    /// Every shelf but the last is full; none is empty.
    shelves: Vec<Arc<Shelf<T>>>,
}

/// A list of some hundreds of large entries.
pub type ShortRoll<T> = Roll<T, 8, 64>;

impl<T, const BLOCK: usize, const SHELF: usize> Default for Roll<T, BLOCK, SHELF> {
    fn default() -> Self {
        Roll {
            shelves: Vec::new(),
        }
    }
}

impl<T, const BLOCK: usize, const SHELF: usize> Roll<T, BLOCK, SHELF> {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        let blocks = self.shelves.iter().flat_map(|shelf| shelf.iter());
        blocks.flat_map(|block| block.iter())
    }

    pub fn len(&self) -> usize {
        let (Some(shelf), shelves) = (self.shelves.last(), self.shelves.len()) else {
            return 0;
        };
        let blocks = (shelves - 1) * SHELF + shelf.len() - 1;
        blocks * BLOCK + shelf.last().map_or(0, |last| last.len())
    }

    pub fn is_empty(&self) -> bool {
        self.shelves.is_empty()
    }

    pub fn first(&self) -> Option<&T> {
        self.get(0)
    }

    pub fn last(&self) -> Option<&T> {
        self.shelves.last()?.last()?.last()
    }

    /// The entries from a place on; none before it is looked at.
    pub fn since(&self, at: usize) -> impl Iterator<Item = &T> + Clone {
        let (block, within) = (at / BLOCK, at % BLOCK);
        let shelves = self.shelves.get(block / SHELF..).unwrap_or_default();
        let blocks = shelves.iter().enumerate().flat_map(move |(n, shelf)| {
            let first = if n == 0 { block % SHELF } else { 0 };
            shelf.get(first..).unwrap_or_default()
        });
        blocks.enumerate().flat_map(move |(n, block)| {
            let first = if n == 0 { within } else { 0 };
            block.get(first..).unwrap_or_default()
        })
    }

    /// How many entries at the beginning are `before` something, where all others follow them.
    pub fn partition_point(&self, before: impl Fn(&T) -> bool) -> usize {
        let (mut least, mut most) = (0, self.len());
        while least < most {
            let middle = least + (most - least) / 2;
            match self.get(middle).is_some_and(&before) {
                true => least = middle + 1,
                false => most = middle,
            }
        }
        least
    }

    /// The entry at a place, counted from 0.
    pub fn get(&self, at: usize) -> Option<&T> {
        let block = at / BLOCK;
        let shelf = self.shelves.get(block / SHELF)?;
        shelf.get(block % SHELF)?.get(at % BLOCK)
    }
}

impl<T: Clone, const BLOCK: usize, const SHELF: usize> Roll<T, BLOCK, SHELF> {
    pub fn push(&mut self, entry: T) {
        let room = |shelf: &Shelf<T>| {
            shelf.len() < SHELF || shelf.last().is_some_and(|last| last.len() < BLOCK)
        };
        if !self.shelves.last().is_some_and(|shelf| room(shelf)) {
            self.shelves.push(Arc::default());
        }
        let Some(shelf) = self.shelves.last_mut().map(Arc::make_mut) else {
            return;
        };
        match shelf.last_mut() {
            Some(last) if last.len() < BLOCK => match Arc::get_mut(last) {
                Some(last) => last.push(entry),
                // What is shared is copied with room for the entry, not first and then once more to grow.
                None => {
                    let mut copy = Vec::with_capacity(last.len() + 1);
                    copy.extend_from_slice(last);
                    copy.push(entry);
                    *last = Arc::new(copy);
                }
            },
            // Most streams never fill a block, so it has no room in advance.
            _ => shelf.push(Arc::new(vec![entry])),
        }
    }

    /// The entry at a place, to be changed: its block is copied where others share it.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let block = at / BLOCK;
        let shelf = Arc::make_mut(self.shelves.get_mut(block / SHELF)?);
        let block = Arc::make_mut(shelf.get_mut(block % SHELF)?);
        block.get_mut(at % BLOCK)
    }

    /// Puts an entry at a place, before what is there; the whole list is made anew unless that is its end.
    pub fn insert(&mut self, at: usize, entry: T) {
        if at >= self.len() {
            return self.push(entry);
        }
        let mut entries: Vec<T> = self.iter().cloned().collect();
        entries.insert(at, entry);
        *self = entries.into_iter().collect();
    }

    /// Keeps what `keep` says; the whole list is made anew if anything goes.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        if self.iter().all(&keep) {
            return;
        }
        *self = self.iter().filter(|entry| keep(entry)).cloned().collect();
    }
}

impl<T: Clone, const BLOCK: usize, const SHELF: usize> Extend<T> for Roll<T, BLOCK, SHELF> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, entries: I) {
        for entry in entries {
            self.push(entry);
        }
    }
}

impl<T: Clone, const BLOCK: usize, const SHELF: usize> FromIterator<T> for Roll<T, BLOCK, SHELF> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut roll = Roll::default();
        roll.extend(entries);
        roll
    }
}

impl<T: Clone, const BLOCK: usize, const SHELF: usize> From<Vec<T>> for Roll<T, BLOCK, SHELF> {
    fn from(entries: Vec<T>) -> Self {
        entries.into_iter().collect()
    }
}

impl<'a, T, const BLOCK: usize, const SHELF: usize> IntoIterator for &'a Roll<T, BLOCK, SHELF> {
    type Item = &'a T;
    type IntoIter = Box<dyn Iterator<Item = &'a T> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl<T: Clone, const BLOCK: usize, const SHELF: usize> IntoIterator for Roll<T, BLOCK, SHELF> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        let entries: Vec<T> = self.iter().cloned().collect();
        entries.into_iter()
    }
}

impl<T: PartialEq, const BLOCK: usize, const SHELF: usize, const N: usize> PartialEq<[T; N]>
    for Roll<T, BLOCK, SHELF>
{
    fn eq(&self, other: &[T; N]) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: fmt::Debug, const BLOCK: usize, const SHELF: usize> fmt::Debug for Roll<T, BLOCK, SHELF> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Serialize, const BLOCK: usize, const SHELF: usize> Serialize for Roll<T, BLOCK, SHELF> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for entry in self.iter() {
            list.serialize_element(entry)?;
        }
        list.end()
    }
}

impl<'de, T: Deserialize<'de> + Clone, const BLOCK: usize, const SHELF: usize> Deserialize<'de>
    for Roll<T, BLOCK, SHELF>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const BLOCK: usize, const SHELF: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Clone, const BLOCK: usize, const SHELF: usize> Visitor<'de>
            for List<T, BLOCK, SHELF>
        {
            type Value = Roll<T, BLOCK, SHELF>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut roll = Roll::default();
                while let Some(entry) = list.next_element()? {
                    roll.push(entry);
                }
                Ok(roll)
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::{Roll, ShortRoll};

    #[test]
    fn a_roll_is_the_list_that_was_pushed_and_a_copy_keeps_what_it_had() {
        for n in [0, 1, 31, 32, 33, 64, 100, 2_047, 2_048, 2_049, 5_000] {
            let mut roll: Roll<usize> = (0..n).collect();
            let copy = roll.clone();
            roll.push(n);
            let whole: Vec<usize> = (0..=n).collect();
            assert_eq!(roll.iter().copied().collect::<Vec<_>>(), whole);
            assert_eq!(copy.iter().copied().collect::<Vec<_>>(), whole[..n]);
            assert_eq!((roll.len(), copy.len()), (n + 1, n));
            assert_eq!((roll.get(n), roll.last()), (Some(&n), Some(&n)));
            assert_eq!(copy.is_empty(), n == 0);
            for at in [0, 1, n / 2, n.saturating_sub(1), n, n + 1, n + 100] {
                let rest = whole.get(at..).unwrap_or_default();
                assert_eq!(roll.since(at).copied().collect::<Vec<_>>(), rest);
                assert_eq!(roll.partition_point(|entry| *entry < at), at.min(n + 1));
            }
        }
    }

    #[test]
    fn an_entry_is_changed_and_put_in_its_place_and_a_copy_keeps_what_it_had() {
        for n in [1, 7, 8, 9, 100, 511, 512, 513] {
            let mut roll: ShortRoll<usize> = (0..n).collect();
            let mut plain: Vec<usize> = (0..n).collect();
            let copy = roll.clone();
            for at in [0, n / 2, n - 1, n, n + 2] {
                roll.insert(at, 7_000 + at);
                plain.insert(at.min(plain.len()), 7_000 + at);
                if let Some(entry) = roll.get_mut(at / 2) {
                    *entry += 1;
                    plain[at / 2] += 1;
                }
            }
            assert_eq!(roll.iter().copied().collect::<Vec<_>>(), plain);
            assert_eq!(roll.get_mut(plain.len()), None);
            assert_eq!(
                copy.iter().copied().collect::<Vec<_>>(),
                (0..n).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn what_is_not_kept_leaves_no_hole() {
        let mut roll: Roll<usize> = (0..100).collect();
        roll.retain(|n| n % 3 == 0);
        roll.push(1);
        let kept: Vec<usize> = (0..100).step_by(3).chain([1]).collect();
        assert_eq!(roll.iter().copied().collect::<Vec<_>>(), kept);
        let same: Roll<usize> = kept.into();
        assert_eq!(roll, same);
    }
}
