//! Ids by what they belong to: the text before their first slash.
//!
//! Meters are by far the most numerous ids, nearly each record of a large tenant makes one, and they are only ever asked for by
//! their subscription. To keep all of them in order would compare twenty names, each somewhere else in memory, for each.

use super::Spot;
use hashbrown::HashTable;
use std::ops::Bound;

/// No row after this one.
const NONE: u32 = u32::MAX;

/// The rows of each family, the latest first. Families are told apart by a hash alone: whoever reads one looks at the ids.
#[derive(Clone, Default)]
pub(super) struct Families {
    first: HashTable<Spot>,
    /// By place of a row: the next one of its family.
    next: Vec<u32>,
}

/// The family of an id.
pub(super) fn name(id: &str) -> &str {
    id.split_once('/').map_or(id, |(family, _)| family)
}

/// The one family in which all ids with a slash between two bounds lie, if there is one.
pub(super) fn only<'a>(bounds: (Bound<&'a str>, Bound<&str>)) -> Option<&'a str> {
    let (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) =
        bounds
    else {
        return None;
    };
    let (family, _) = from.split_once('/')?;
    let rest = to.strip_prefix(family)?;
    // The character after the slash: no id of the family is beyond it.
    (rest.starts_with('/') || (rest == "0" && bounds.1 == Bound::Excluded(to))).then_some(family)
}

impl Families {
    /// Fetches what [`put`](Families::put) will change.
    pub fn near(&self, family: u32) -> u32 {
        self.head(family).map_or(NONE, |spot| spot.place)
    }

    fn head(&self, family: u32) -> Option<&Spot> {
        let is_it = |spot: &Spot| spot.tag == family;
        self.first.find(Spot::hash(family), is_it)
    }

    /// Adds a row.
    pub fn put(&mut self, family: u32, place: u32) {
        let is_it = |spot: &Spot| spot.tag == family;
        let next = match self.first.find_mut(Spot::hash(family), is_it) {
            Some(spot) => std::mem::replace(&mut spot.place, place),
            None => {
                let spot = Spot { tag: family, place };
                let rehash = |spot: &Spot| Spot::hash(spot.tag);
                self.first.insert_unique(Spot::hash(family), spot, rehash);
                NONE
            }
        };
        let row = place as usize;
        if self.next.len() <= row {
            self.next.resize(row + 1, NONE);
        }
        if let Some(after) = self.next.get_mut(row) {
            *after = next;
        }
    }

    /// The places of a family's rows, and perhaps those of another.
    pub fn places(&self, family: u32) -> impl Iterator<Item = u32> {
        let first = self.head(family).map(|spot| spot.place);
        let next = |place: &u32| self.next.get(*place as usize).copied();
        let is_one = |place: &u32| *place != NONE;
        std::iter::successors(first, move |place| next(place).filter(is_one))
    }

    /// Takes a row out.
    pub fn remove(&mut self, family: u32, place: u32) {
        let before = self.places(family).find(|before| {
            let next = self.next.get(*before as usize);
            next == Some(&place)
        });
        let after = self.next.get(place as usize).copied().unwrap_or(NONE);
        if let Some(slot) = before.and_then(|before| self.next.get_mut(before as usize)) {
            *slot = after;
            return;
        }
        let is_it = |spot: &Spot| spot.tag == family;
        if let Ok(mut head) = self.first.find_entry(Spot::hash(family), is_it) {
            match after {
                NONE => drop(head.remove()),
                _ => head.get_mut().place = after,
            }
        }
    }
}
