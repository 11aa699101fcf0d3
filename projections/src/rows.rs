//! The rows of one read model while it folds: changes are merged in memory and written once per batch.

use std::collections::BTreeMap;
use std::ops::Bound;

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::shelf::{Changes, Shelf};
use crate::{ViewError, parts};

/// Bytes of the set number and of the tenant's length before a row's own key.
const SET_BYTES: usize = 4;

pub(crate) fn encode<T: Serialize>(name: &str, row: &T) -> Result<Vec<u8>, ViewError> {
    options()
        .serialize(row)
        .map_err(|e| ViewError::row(name, e))
}

pub(crate) fn decode<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, ViewError> {
    options()
        .deserialize(bytes)
        .map_err(|e| ViewError::row(name, e))
}

fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .reject_trailing_bytes()
}

/// Where the rows of a set begin.
pub(crate) fn set_prefix(set: u32) -> Vec<u8> {
    set.to_be_bytes().to_vec()
}

/// Where the rows of a tenant begin in a set. The length comes first, so that no tenant's name is another's beginning.
pub(crate) fn tenant_prefix(set: u32, tenant: &str) -> Vec<u8> {
    let mut prefix = set_prefix(set);
    let length = u16::try_from(tenant.len()).unwrap_or(u16::MAX);
    prefix.extend_from_slice(&length.to_be_bytes());
    prefix.extend_from_slice(tenant.as_bytes());
    prefix
}

/// The first key behind everything that begins with a prefix.
pub(crate) fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // Set numbers never reach the end of the key space.
    vec![u8::MAX; SET_BYTES + 1]
}

#[derive(Debug)]
struct Cell {
    value: Option<Vec<u8>>,
    changed: bool,
    /// In how many parts the shelf has it.
    stored: u16,
}

/// What a batch of events makes of one set of rows.
pub(crate) struct Folding<'s> {
    shelf: &'s dyn Shelf,
    set: u32,
    name: &'static str,
    cells: BTreeMap<Vec<u8>, Cell>,
}

impl<'s> Folding<'s> {
    pub fn new(shelf: &'s dyn Shelf, set: u32, name: &'static str) -> Folding<'s> {
        Folding {
            shelf,
            set,
            name,
            cells: BTreeMap::new(),
        }
    }

    pub fn of(&mut self, tenant: &str) -> Rows<'_> {
        Rows {
            prefix: tenant_prefix(self.set, tenant),
            shelf: self.shelf,
            name: self.name,
            cells: &mut self.cells,
        }
    }

    pub fn write_to(self, changes: &mut Changes) -> Result<(), ViewError> {
        for (base, cell) in self.cells.iter().filter(|(_, cell)| cell.changed) {
            parts::write(changes, base, cell.value.as_deref(), cell.stored)?;
        }
        Ok(())
    }
}

/// The rows of one read model and one tenant, for its fold. Keys are text without zero bytes.
pub struct Rows<'a> {
    prefix: Vec<u8>,
    shelf: &'a dyn Shelf,
    name: &'static str,
    cells: &'a mut BTreeMap<Vec<u8>, Cell>,
}

impl Rows<'_> {
    fn base(&self, key: &str) -> Vec<u8> {
        let mut base = self.prefix.clone();
        base.extend_from_slice(key.as_bytes());
        base
    }

    fn cell(&mut self, base: Vec<u8>) -> Result<&mut Cell, ViewError> {
        if !self.cells.contains_key(&base) {
            let found = parts::read(self.shelf, &base)?;
            let stored = found.as_ref().map_or(0, |(_, parts)| *parts);
            let cell = Cell {
                value: found.map(|(value, _)| value),
                changed: false,
                stored,
            };
            self.cells.insert(base.clone(), cell);
        }
        Ok(self
            .cells
            .get_mut(&base)
            .expect("the cell was just put there"))
    }

    /// The row of a key.
    pub fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, ViewError> {
        let (name, base) = (self.name, self.base(key));
        let cell = self.cell(base)?;
        cell.value.as_deref().map(|v| decode(name, v)).transpose()
    }

    /// Writes the row of a key.
    pub fn put<T: Serialize>(&mut self, key: &str, row: &T) -> Result<(), ViewError> {
        let bytes = encode(self.name, row)?;
        self.set(key, Some(bytes))
    }

    pub fn remove(&mut self, key: &str) -> Result<(), ViewError> {
        self.set(key, None)
    }

    fn set(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), ViewError> {
        let base = self.base(key);
        let cell = self.cell(base)?;
        cell.changed |= cell.value != value;
        cell.value = value;
        Ok(())
    }

    /// Changes the row of a key, or nothing if it has none.
    pub fn change<T: Serialize + DeserializeOwned>(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut T),
    ) -> Result<(), ViewError> {
        if let Some(mut row) = self.get::<T>(key)? {
            change(&mut row);
            self.put(key, &row)?;
        }
        Ok(())
    }

    /// Changes the row of a key, beginning with an empty one.
    pub fn update<T: Serialize + DeserializeOwned + Default>(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut T),
    ) -> Result<(), ViewError> {
        let mut row = self.get::<T>(key)?.unwrap_or_default();
        change(&mut row);
        self.put(key, &row)
    }

    /// Every row whose key begins with a prefix, in the order of keys.
    pub fn scan<T: DeserializeOwned>(
        &mut self,
        prefix: &str,
    ) -> Result<Vec<(String, T)>, ViewError> {
        let from = self.base(prefix);
        let until = behind(&from);
        let cells = &mut *self.cells;
        parts::scan(self.shelf, &from, &until, &mut |base, value, stored| {
            cells.entry(base.to_vec()).or_insert_with(|| Cell {
                value: Some(value.to_vec()),
                changed: false,
                stored,
            });
            Ok(true)
        })?;
        let range = (Bound::Included(from), Bound::Excluded(until));
        let mut found = Vec::new();
        for (base, cell) in cells.range::<Vec<u8>, _>(range) {
            if let Some(value) = &cell.value {
                let key = base.get(self.prefix.len()..).unwrap_or_default();
                let key = String::from_utf8_lossy(key).into_owned();
                found.push((key, decode(self.name, value)?));
            }
        }
        Ok(found)
    }
}
