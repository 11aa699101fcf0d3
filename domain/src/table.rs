//! The aggregates of one kind, by id: found by hash, listed in the order of their ids.
//!
//! A look-up is what nearly every command does several times, and an ordered tree of a million names costs twenty
//! comparisons of text for it, each somewhere else in memory. The order is needed for lists and pages only, so it is kept
//! beside, and touched only when an id comes or goes.
//!
//! Rows lie side by side and keep their place: who comes back to an aggregate again and again remembers the [`Place`] and
//! needs no name.

mod by_id;
mod near;
mod ordered;

use crate::kernel::Id;
use crate::world::Entry;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use ordered::Ordered;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Borrow;
use std::collections::{BTreeSet, btree_set};
use std::fmt;
use std::hash::BuildHasher;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, LazyLock};

pub use by_id::ById;

/// Keyed at random once per process: who chooses ids cannot choose ones that meet, and nothing that is stored depends on it.
static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// An id, shared by rows and order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Name(Arc<Id>);

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Where an aggregate lies in its table, as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(u32);

/// The place of a row, and enough of its id's hash to pass over nearly all others.
#[derive(Clone, Copy)]
struct Spot {
    tag: u32,
    place: u32,
}

impl Spot {
    /// A hash of the tag alone, so that a table grows without looking at its rows.
    fn hash(tag: u32) -> u64 {
        u64::from(tag) << 32 | u64::from(tag)
    }
}

fn tag(id: &str) -> u32 {
    let hash = KEYED.hash_one(id);
    u32::try_from(hash >> 32 ^ hash & u64::from(u32::MAX)).unwrap_or_default()
}

#[derive(Clone)]
struct Row<S> {
    name: Name,
    entry: Arc<Entry<S>>,
}

/// Aggregates by id.
#[derive(Clone)]
pub struct Table<S> {
    spots: HashTable<Spot>,
    /// None: free.
    rows: Vec<Option<Row<S>>>,
    free: Vec<u32>,
    /// Every id; none where the order is made when it is asked for.
    order: Option<BTreeSet<Ordered>>,
}

impl<S> Default for Table<S> {
    fn default() -> Self {
        Table {
            order: Some(BTreeSet::new()),
            ..Table::unordered()
        }
    }
}

impl<S> Table<S> {
    /// An empty table that sorts its ids when it is asked for their order: for what one command stages.
    pub(crate) fn unordered() -> Self {
        Table {
            spots: HashTable::new(),
            rows: Vec::new(),
            free: Vec::new(),
            order: None,
        }
    }

    fn row(&self, place: u32) -> Option<&Row<S>> {
        self.rows.get(place as usize)?.as_ref()
    }

    fn is_at(&self, spot: Spot, tag: u32, id: &str) -> bool {
        spot.tag == tag && self.row(spot.place).is_some_and(|row| *row.name.0 == *id)
    }

    /// Where the aggregate with this id lies.
    pub fn place(&self, id: &str) -> Option<Place> {
        if self.spots.is_empty() {
            return None;
        }
        let tag = tag(id);
        let is_it = |spot: &Spot| self.is_at(*spot, tag, id);
        let spot = self.spots.find(Spot::hash(tag), is_it)?;
        Some(Place(spot.place))
    }

    /// The aggregate at a place.
    pub fn at(&self, place: Place) -> Option<(&Id, &Arc<Entry<S>>)> {
        let row = self.row(place.0)?;
        Some((&*row.name.0, &row.entry))
    }

    /// The same, to be changed.
    pub(crate) fn at_mut(&mut self, place: Place) -> Option<&mut Arc<Entry<S>>> {
        let row = self.rows.get_mut(place.0 as usize)?.as_mut()?;
        Some(&mut row.entry)
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Entry<S>>> {
        self.at(self.place(id)?).map(|(_, entry)| entry)
    }

    /// The same, with the id as the table holds it.
    pub fn get_key_value(&self, id: &str) -> Option<(&Id, &Arc<Entry<S>>)> {
        self.at(self.place(id)?)
    }

    pub fn contains_key(&self, id: &str) -> bool {
        self.place(id).is_some()
    }

    pub fn len(&self) -> usize {
        self.spots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spots.is_empty()
    }

    /// The id at a place, to be held by others too.
    pub(crate) fn name(&self, place: Place) -> Option<&Arc<Id>> {
        Some(&self.row(place.0)?.name.0)
    }

    /// An aggregate and its id, both to be held by others too.
    pub(crate) fn share(&self, id: &str) -> Option<(Arc<Id>, Arc<Entry<S>>)> {
        let row = self.row(self.place(id)?.0)?;
        Some((Arc::clone(&row.name.0), Arc::clone(&row.entry)))
    }

    /// Puts an aggregate in place; the answer is what was there.
    pub fn insert(&mut self, id: Id, entry: Arc<Entry<S>>) -> Option<Arc<Entry<S>>> {
        self.put(Arc::new(id), entry)
    }

    /// The same, with an id that others hold too.
    pub(crate) fn put(&mut self, id: Arc<Id>, entry: Arc<Entry<S>>) -> Option<Arc<Entry<S>>> {
        match self.place(&id).and_then(|place| self.at_mut(place)) {
            Some(row) => Some(std::mem::replace(row, entry)),
            None => {
                self.add(Name(id), entry);
                None
            }
        }
    }

    /// Adds an id that is not there.
    fn add(&mut self, name: Name, entry: Arc<Entry<S>>) -> Place {
        if let Some(order) = &mut self.order {
            order.insert(Ordered::of(name.clone()));
        }
        let tag = tag(&name.0);
        let row = Some(Row { name, entry });
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(free) = self.rows.get_mut(place as usize) {
                    *free = row;
                }
                place
            }
            None => {
                let place = u32::try_from(self.rows.len());
                self.rows.push(row);
                place.expect("a table has fewer than 2^32 rows")
            }
        };
        let rehash = |spot: &Spot| Spot::hash(spot.tag);
        let spot = Spot { tag, place };
        self.spots.insert_unique(Spot::hash(tag), spot, rehash);
        Place(place)
    }

    /// Takes over every aggregate of another table.
    pub(crate) fn absorb(&mut self, newer: Table<S>) {
        for Row { name, entry } in newer.rows.into_iter().flatten() {
            match self.place(&name.0).and_then(|place| self.at_mut(place)) {
                Some(row) => *row = entry,
                None => {
                    self.add(name, entry);
                }
            }
        }
    }

    pub fn remove(&mut self, id: &str) -> Option<Arc<Entry<S>>> {
        self.take(id).map(|(_, entry)| entry)
    }

    /// Takes an aggregate out, with its id.
    pub(crate) fn take(&mut self, id: &str) -> Option<(Arc<Id>, Arc<Entry<S>>)> {
        if self.spots.is_empty() {
            return None;
        }
        let tag = tag(id);
        let rows = &self.rows;
        let is_it = |spot: &Spot| {
            let row = rows.get(spot.place as usize).and_then(Option::as_ref);
            spot.tag == tag && row.is_some_and(|row| *row.name.0 == *id)
        };
        let found = self.spots.find_entry(Spot::hash(tag), is_it).ok()?;
        let (spot, _) = found.remove();
        if let Some(order) = &mut self.order {
            order.remove(id);
        }
        self.free.push(spot.place);
        let row = self.rows.get_mut(spot.place as usize)?.take()?;
        Some((row.name.0, row.entry))
    }

    /// In the order of the ids.
    pub fn iter(&self) -> Rows<'_, S> {
        self.range::<str, _>((Bound::Unbounded, Bound::Unbounded))
    }

    /// In order.
    pub fn keys(&self) -> impl Iterator<Item = &Id> {
        self.iter().map(|(id, _)| id)
    }

    /// In the order of the ids.
    pub fn values(&self) -> impl Iterator<Item = &Arc<Entry<S>>> {
        self.iter().map(|(_, entry)| entry)
    }

    /// Those whose ids are within bounds, in their order.
    pub fn range<T, R>(&self, bounds: R) -> Rows<'_, S>
    where
        T: AsRef<str> + ?Sized,
        R: RangeBounds<T>,
    {
        let within = (
            bounds.start_bound().map(AsRef::as_ref),
            bounds.end_bound().map(AsRef::as_ref),
        );
        let names = match &self.order {
            Some(order) => Names::Kept(order.range::<str, _>(within)),
            None => {
                let within = |name: &&Name| RangeBounds::<str>::contains(&within, name.0.as_str());
                let rows = self.rows.iter().flatten();
                let mut names: Vec<&Name> = rows.map(|row| &row.name).filter(within).collect();
                names.sort_unstable();
                Names::Sorted(names.into_iter())
            }
        };
        Rows { names, table: self }
    }
}

impl<S: Default> Table<S> {
    /// Makes an aggregate of an id that is certainly not there.
    pub(crate) fn make(&mut self, id: Arc<Id>) -> Place {
        debug_assert!(self.place(&id).is_none(), "{id} is there already");
        self.add(Name(id), Arc::default())
    }

    /// The aggregate with this id, made if there is none.
    pub(crate) fn entry(&mut self, id: &str) -> &mut Arc<Entry<S>> {
        let place = match self.place(id) {
            Some(place) => place,
            None => self.add(Name(Arc::new(id.to_string())), Arc::default()),
        };
        self.at_mut(place)
            .expect("the row is there or was just made")
    }
}

/// Rows of a table in the order of their ids.
pub struct Rows<'a, S> {
    names: Names<'a>,
    table: &'a Table<S>,
}

enum Names<'a> {
    Kept(btree_set::Range<'a, Ordered>),
    Sorted(std::vec::IntoIter<&'a Name>),
}

impl<'a, S> Rows<'a, S> {
    fn row(&self, name: Option<&'a Name>) -> Option<(&'a Id, &'a Arc<Entry<S>>)> {
        let name = name?;
        self.table.get_key_value(&name.0)
    }
}

impl<'a, S> Iterator for Rows<'a, S> {
    type Item = (&'a Id, &'a Arc<Entry<S>>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = match &mut self.names {
            Names::Kept(names) => names.next().map(|ordered| &ordered.name),
            Names::Sorted(names) => names.next(),
        };
        self.row(name)
    }
}

impl<S> DoubleEndedIterator for Rows<'_, S> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let name = match &mut self.names {
            Names::Kept(names) => names.next_back().map(|ordered| &ordered.name),
            Names::Sorted(names) => names.next_back(),
        };
        self.row(name)
    }
}

/// For an aggregate that is there for certain, as in a test.
///
/// # Panics
///
/// Where there is none.
impl<S> std::ops::Index<&str> for Table<S> {
    type Output = Arc<Entry<S>>;

    fn index(&self, id: &str) -> &Arc<Entry<S>> {
        self.get(id).expect("an aggregate of this id")
    }
}

impl<'a, S> IntoIterator for &'a Table<S> {
    type Item = (&'a Id, &'a Arc<Entry<S>>);
    type IntoIter = Rows<'a, S>;

    fn into_iter(self) -> Rows<'a, S> {
        self.iter()
    }
}

impl<S> FromIterator<(Id, Arc<Entry<S>>)> for Table<S> {
    fn from_iter<I: IntoIterator<Item = (Id, Arc<Entry<S>>)>>(rows: I) -> Self {
        let mut table = Table::default();
        table.extend(rows);
        table
    }
}

impl<S> Extend<(Id, Arc<Entry<S>>)> for Table<S> {
    fn extend<I: IntoIterator<Item = (Id, Arc<Entry<S>>)>>(&mut self, rows: I) {
        for (id, entry) in rows {
            self.insert(id, entry);
        }
    }
}

impl<S: PartialEq> PartialEq for Table<S> {
    fn eq(&self, other: &Self) -> bool {
        let same = |row: &Row<S>| other.get(&row.name.0) == Some(&row.entry);
        self.len() == other.len() && self.rows.iter().flatten().all(same)
    }
}

impl<S: fmt::Debug> fmt::Debug for Table<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<S: Serialize> Serialize for Table<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (id, entry) in self {
            map.serialize_entry(id, entry)?;
        }
        map.end()
    }
}

impl<'de, S: Deserialize<'de>> Deserialize<'de> for Table<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Listed<S>(std::marker::PhantomData<S>);
        impl<'de, S: Deserialize<'de>> Visitor<'de> for Listed<S> {
            type Value = Table<S>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("aggregates by id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<S>, A::Error> {
                let mut table = Table::default();
                while let Some((id, entry)) = map.next_entry::<Id, _>()? {
                    table.insert(id, entry);
                }
                Ok(table)
            }
        }
        deserializer.deserialize_map(Listed(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: u64) -> Arc<Entry<u8>> {
        Arc::new(Entry { version, state: 0 })
    }

    #[test]
    fn a_table_lists_its_ids_in_order_whether_it_keeps_the_order_or_makes_it() {
        let mut kept = Table::default();
        let mut made = Table::unordered();
        for (n, id) in ["m", "a", "z", "b", "m"].iter().enumerate() {
            kept.insert(id.to_string(), entry(n as u64));
            made.insert(id.to_string(), entry(n as u64));
        }
        for table in [&kept, &made] {
            let ids: Vec<_> = table.keys().map(String::as_str).collect();
            assert_eq!(ids, ["a", "b", "m", "z"]);
            let from_b = table.range("b".to_string()..).rev();
            let ids: Vec<_> = from_b.map(|(id, e)| (id.as_str(), e.version)).collect();
            assert_eq!(ids, [("z", 2), ("m", 4), ("b", 3)]);
        }
        assert!(kept == made);
        let mut both = kept.clone();
        both.absorb(made);
        assert!(both == kept && both.remove("a").is_some() && both.keys().count() == 3);
        let bytes = bincode::serialize(&kept).expect("it can be stored");
        assert_eq!(
            bincode::deserialize::<Table<u8>>(&bytes).expect("it can be read"),
            kept
        );
    }
}
