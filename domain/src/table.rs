//! The aggregates of one kind, by id: found by hash, listed in the order of their ids.
//!
//! A look-up is what nearly every command does several times, and an ordered tree of a million names costs twenty
//! comparisons of text for it, each somewhere else in memory. The order is needed for lists and pages only, so it is kept
//! beside, and touched only when an id comes or goes.

use crate::kernel::Id;
use crate::world::Entry;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, btree_set};
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// An id, shared by hash and order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Name(Arc<Id>);

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Aggregates by id.
#[derive(Clone)]
pub struct Table<S> {
    rows: HashMap<Name, Arc<Entry<S>>>,
    /// Every id; none where the order is made when it is asked for.
    order: Option<BTreeSet<Name>>,
}

impl<S> Default for Table<S> {
    fn default() -> Self {
        Table {
            rows: HashMap::new(),
            order: Some(BTreeSet::new()),
        }
    }
}

impl<S> Table<S> {
    /// An empty table that sorts its ids when it is asked for their order: for what one command stages.
    pub(crate) fn unordered() -> Self {
        Table {
            rows: HashMap::new(),
            order: None,
        }
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Entry<S>>> {
        self.rows.get(id)
    }

    /// The same, with the id as the table holds it.
    pub fn get_key_value(&self, id: &str) -> Option<(&Id, &Arc<Entry<S>>)> {
        let (name, entry) = self.rows.get_key_value(id)?;
        Some((&*name.0, entry))
    }

    pub fn contains_key(&self, id: &str) -> bool {
        self.rows.contains_key(id)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts an aggregate in place; the answer is what was there.
    pub fn insert(&mut self, id: Id, entry: Arc<Entry<S>>) -> Option<Arc<Entry<S>>> {
        match self.rows.get_mut(id.as_str()) {
            Some(row) => Some(std::mem::replace(row, entry)),
            None => {
                self.add(Name(Arc::new(id)), entry);
                None
            }
        }
    }

    fn add(&mut self, name: Name, entry: Arc<Entry<S>>) {
        if let Some(order) = &mut self.order {
            order.insert(name.clone());
        }
        self.rows.insert(name, entry);
    }

    /// Takes over every aggregate of another table.
    pub(crate) fn absorb(&mut self, newer: Table<S>) {
        for (name, entry) in newer.rows {
            match self.rows.get_mut(&name) {
                Some(row) => *row = entry,
                None => self.add(name, entry),
            }
        }
    }

    pub fn remove(&mut self, id: &str) -> Option<Arc<Entry<S>>> {
        if let Some(order) = &mut self.order {
            order.remove(id);
        }
        self.rows.remove(id)
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
                let mut names: Vec<&Name> = self.rows.keys().filter(within).collect();
                names.sort_unstable();
                Names::Sorted(names.into_iter())
            }
        };
        Rows {
            names,
            rows: &self.rows,
        }
    }
}

impl<S: Default> Table<S> {
    /// The aggregate with this id, made if there is none.
    pub(crate) fn entry(&mut self, id: &str) -> &mut Arc<Entry<S>> {
        if !self.rows.contains_key(id) {
            self.add(Name(Arc::new(id.to_string())), Arc::default());
        }
        self.rows
            .get_mut(id)
            .expect("the row is there or was just made")
    }
}

/// Rows of a table in the order of their ids.
pub struct Rows<'a, S> {
    names: Names<'a>,
    rows: &'a HashMap<Name, Arc<Entry<S>>>,
}

enum Names<'a> {
    Kept(btree_set::Range<'a, Name>),
    Sorted(std::vec::IntoIter<&'a Name>),
}

impl<'a, S> Rows<'a, S> {
    fn row(&self, name: Option<&'a Name>) -> Option<(&'a Id, &'a Arc<Entry<S>>)> {
        let name = name?;
        Some((&*name.0, self.rows.get(name)?))
    }
}

impl<'a, S> Iterator for Rows<'a, S> {
    type Item = (&'a Id, &'a Arc<Entry<S>>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = match &mut self.names {
            Names::Kept(names) => names.next(),
            Names::Sorted(names) => names.next(),
        };
        self.row(name)
    }
}

impl<S> DoubleEndedIterator for Rows<'_, S> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let name = match &mut self.names {
            Names::Kept(names) => names.next_back(),
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
        self.rows == other.rows
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

/// Anything by id that is only ever looked up: found by hash, shown and stored in the order of the ids.
#[derive(Clone, Debug, PartialEq)]
pub struct ById<V>(HashMap<Id, V>);

impl<V> Default for ById<V> {
    fn default() -> Self {
        ById(HashMap::new())
    }
}

impl<V> std::ops::Deref for ById<V> {
    type Target = HashMap<Id, V>;

    fn deref(&self) -> &HashMap<Id, V> {
        &self.0
    }
}

impl<V> std::ops::DerefMut for ById<V> {
    fn deref_mut(&mut self) -> &mut HashMap<Id, V> {
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
