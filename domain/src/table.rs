//! The aggregates of one kind, by id: found by hash, listed in the order of their ids.
//!
//! A look-up is what nearly every command does several times, and an ordered tree of a million names costs twenty
//! comparisons of text for it, each somewhere else in memory. The order is needed for lists and pages only, so it is kept
//! beside, and touched only when an id comes or goes.
//!
//! Rows lie side by side and keep their place: who comes back to an aggregate again and again remembers the [`Place`] and
//! needs no name.

mod by_id;
mod families;
mod near;
mod ordered;

use crate::kernel::Id;
use crate::world::Entry;
use families::Families;
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
    order: Order,
}

/// How a table comes to the order of its ids.
#[derive(Clone)]
enum Order {
    /// Every id, kept in order.
    Kept(BTreeSet<Ordered>),
    /// Who is asked for the ids of one family looks at no others; their order is made when they are asked for.
    Families(Families),
    /// Made of all ids when it is asked for.
    Made,
}

/// How the ids of states of one kind come to their order.
pub trait Listed {
    /// The ids begin with that of something they belong to and a slash, are many, and are asked for by it: the order of all
    /// of them is made when it is asked for.
    const BY_FAMILY: bool = false;
}

impl<S: Listed> Default for Table<S> {
    fn default() -> Self {
        let order = match S::BY_FAMILY {
            true => Order::Families(Families::default()),
            false => Order::Kept(BTreeSet::new()),
        };
        Table {
            order,
            ..Table::unordered()
        }
    }
}

/// An id that is to be added, with what is known of it beforehand.
#[derive(Clone, Copy, Default)]
pub(crate) struct Newcomer {
    tag: u32,
    family: Option<u32>,
}

impl<S> Table<S> {
    /// An empty table that sorts its ids when it is asked for their order: for what one command stages.
    pub(crate) fn unordered() -> Self {
        Table {
            spots: HashTable::new(),
            rows: Vec::new(),
            free: Vec::new(),
            order: Order::Made,
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
        let newcomer = Newcomer {
            tag: tag(&name.0),
            family: self.family(&name.0),
        };
        self.admit(newcomer, name, entry)
    }

    fn family(&self, id: &str) -> Option<u32> {
        match &self.order {
            Order::Families(_) => Some(tag_of_family(id)),
            Order::Kept(_) | Order::Made => None,
        }
    }

    fn admit(
        &mut self,
        Newcomer { tag, family }: Newcomer,
        name: Name,
        entry: Arc<Entry<S>>,
    ) -> Place {
        if let Order::Kept(order) = &mut self.order {
            order.insert(Ordered::of(name.clone()));
        }
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
        if let (Order::Families(families), Some(family)) = (&mut self.order, family) {
            families.put(family, place);
        }
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
        match &mut self.order {
            Order::Kept(order) => {
                order.remove(id);
            }
            Order::Families(families) => families.remove(tag_of_family(id), spot.place),
            Order::Made => {}
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
        let is_within = |name: &&Name| RangeBounds::<str>::contains(&within, name.0.as_str());
        let names = match &self.order {
            Order::Kept(order) => Names::Kept(order.range::<str, _>(within)),
            Order::Families(families) if let Some(family) = families::only(within) => {
                let places = families.places(tag(family));
                let rows = places.filter_map(|place| self.row(place));
                Names::sorted(rows.map(|row| &row.name).filter(is_within))
            }
            Order::Families(_) | Order::Made => {
                let rows = self.rows.iter().flatten();
                Names::sorted(rows.map(|row| &row.name).filter(is_within))
            }
        };
        Rows { names, table: self }
    }
}

fn tag_of_family(id: &str) -> u32 {
    tag(families::name(id))
}

impl<S: Default> Table<S> {
    /// Makes an aggregate of an id that is certainly not there.
    pub(crate) fn make(&mut self, id: Arc<Id>, newcomer: Newcomer) -> Place {
        debug_assert!(self.place(&id).is_none(), "{id} is there already");
        debug_assert!(newcomer.tag == tag(&id), "{id} was announced as another");
        self.admit(newcomer, Name(id), Arc::default())
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

impl<'a> Names<'a> {
    fn sorted(names: impl Iterator<Item = &'a Name>) -> Names<'a> {
        let mut names: Vec<(u128, &Name)> = names.map(|name| (ordered::head(name), name)).collect();
        names.sort_unstable();
        let names: Vec<&Name> = names.into_iter().map(|(_, name)| name).collect();
        Names::Sorted(names.into_iter())
    }
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

impl<S: Listed> FromIterator<(Id, Arc<Entry<S>>)> for Table<S> {
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

impl<'de, S: Deserialize<'de> + Listed> Deserialize<'de> for Table<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<S>(std::marker::PhantomData<S>);
        impl<'de, S: Deserialize<'de> + Listed> Visitor<'de> for Reader<S> {
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
        deserializer.deserialize_map(Reader(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Listed for u8 {}

    /// A state whose ids are listed by family.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Child(u8);

    impl Listed for Child {
        const BY_FAMILY: bool = true;
    }

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

    #[test]
    fn a_table_by_family_answers_what_an_ordered_one_does() {
        let (mut by_family, mut kept) = (Table::<Child>::default(), Table::<u8>::default());
        let mut random = 7_u64;
        let mut next = |most: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % most
        };
        for version in 0..3_000 {
            let id = match next(50) {
                0 => format!("s{}", next(20)),
                _ => format!("s{}/c{}/{}", next(20), next(3), next(9)),
            };
            if next(4) == 0 {
                let (a, b) = (by_family.remove(&id), kept.remove(&id));
                assert_eq!(a.map(|e| e.version), b.map(|e| e.version));
            } else {
                let child = Entry {
                    version,
                    state: Child(0),
                };
                by_family.insert(id.clone(), Arc::new(child));
                kept.insert(id, entry(version));
            }
            if version % 10 > 0 {
                continue;
            }
            let sub = format!("s{}", next(20));
            let asked = [
                (format!("{sub}/"), format!("{sub}0")),
                (format!("{sub}/c1/"), format!("{sub}/c10")),
                (format!("{sub}/c1/3"), format!("{sub}/c2/4")),
                (format!("{sub}/c1/3"), format!("{sub}0")),
                (sub.clone(), format!("{sub}0")),
                ("s1".to_string(), "s2/c1".to_string()),
                (String::new(), "t".to_string()),
            ];
            for (from, until) in asked {
                let family: Vec<_> = by_family.range(from.clone()..until.clone()).collect();
                let family = family.into_iter().map(|(id, e)| (id, e.version));
                let order = kept.range(from..until).map(|(id, e)| (id, e.version));
                assert!(family.eq(order));
            }
            let copy = by_family.clone();
            assert!(copy.keys().eq(kept.keys()));
        }
        assert!(kept.len() > 100);
    }
}
