//! The rows of one read model while it folds: changes are merged in memory and written once per batch.
//!
//! A row that a fold read stays decoded until it is written; one that it only wrote is encoded at once, and no lookup
//! is made for it.

use std::any::Any;
use std::collections::HashMap;

use bincode::Options;
use foldhash::fast::RandomState;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::shelf::{Changes, Shelf};
use crate::{ViewError, parts};

/// Bytes of the set number and of the tenant's length before a row's own key.
const SET_BYTES: usize = 4;
/// What a row takes in memory besides its key and its bytes, roughly.
const CELL_BYTES: usize = 160;
/// How much more a decoded row takes than its bytes, and how much a change may add to it, roughly.
const DECODED: usize = 3;
const GROWTH_BYTES: usize = 64;
/// Bytes that most rows have at most.
const USUAL_BYTES: usize = 256;
/// Rows written at a time.
const WRITE_ROWS: usize = 4_096;

pub(crate) fn encode<T: Serialize>(name: &str, row: &T) -> Result<Vec<u8>, ViewError> {
    // `serialize` would go over the row twice, first to count its bytes.
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    let written = options().serialize_into(&mut bytes, row);
    written.map_err(|e| ViewError::row(name, e))?;
    Ok(bytes)
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

/// Anything that can be a row: `#[derive(Clone, Serialize, Deserialize)]` is all it takes.
pub trait Row: Serialize + DeserializeOwned + Clone + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + 'static> Row for T {}

/// A decoded row without its type.
trait Held: Any + Send {
    fn bytes(&self, name: &str) -> Result<Vec<u8>, ViewError>;
}

impl<T: Row> Held for T {
    fn bytes(&self, name: &str) -> Result<Vec<u8>, ViewError> {
        encode(name, self)
    }
}

enum Value {
    Nothing,
    Bytes(Vec<u8>),
    Decoded(Box<dyn Held>),
}

struct Cell {
    value: Value,
    changed: bool,
    /// In how many parts the shelf has it; none if nobody looked.
    stored: Option<u16>,
}

impl Cell {
    /// The row, decoded from now on.
    fn row<T: Row>(&mut self, name: &str) -> Result<Option<&mut T>, ViewError> {
        let decoded = match &self.value {
            Value::Nothing => return Ok(None),
            Value::Bytes(bytes) => Some(decode::<T>(name, bytes)?),
            Value::Decoded(held) if (&**held as &dyn Any).is::<T>() => None,
            // Two types for one key: it is what its bytes say.
            Value::Decoded(held) => Some(decode::<T>(name, &held.bytes(name)?)?),
        };
        if let Some(row) = decoded {
            self.value = Value::Decoded(Box::new(row));
        }
        match &mut self.value {
            Value::Decoded(held) => Ok((&mut **held as &mut dyn Any).downcast_mut()),
            _ => Ok(None),
        }
    }
}

/// The rows of one tenant that were touched.
struct Touched {
    prefix: Vec<u8>,
    cells: Cells,
}

/// What is known of rows, by key. Keyed at random: who chooses ids cannot choose ones that meet.
type Cells = HashMap<Box<str>, Cell, RandomState>;

/// What events make of one set of rows, until it is written.
pub(crate) struct Folding<'s> {
    shelf: &'s dyn Shelf,
    set: u32,
    name: &'static str,
    tenants: HashMap<String, Touched>,
    /// Bytes of memory it takes, roughly.
    weight: usize,
    /// The shelf has nothing of this set: what is not here is nowhere.
    whole: bool,
    /// The most parts that any row of this set has in the shelf; none if that is not known.
    longest: Option<u16>,
}

impl<'s> Folding<'s> {
    /// Over rows that the shelf may have.
    pub fn new(shelf: &'s dyn Shelf, set: u32, name: &'static str) -> Folding<'s> {
        Folding {
            shelf,
            set,
            name,
            tenants: HashMap::new(),
            weight: 0,
            whole: false,
            longest: None,
        }
    }

    /// Over a set of which the shelf has nothing yet.
    pub fn of_nothing(shelf: &'s dyn Shelf, set: u32, name: &'static str) -> Folding<'s> {
        Folding {
            whole: true,
            longest: Some(0),
            ..Folding::new(shelf, set, name)
        }
    }

    pub fn weight(&self) -> usize {
        self.weight
    }

    /// The rows of a tenant. A closed one refuses to be written.
    pub fn of(&mut self, tenant: &str, closed: bool) -> Rows<'_> {
        if !self.tenants.contains_key(tenant) {
            let touched = Touched {
                prefix: tenant_prefix(self.set, tenant),
                cells: Cells::default(),
            };
            self.tenants.insert(tenant.to_string(), touched);
        }
        Rows {
            shelf: self.shelf,
            name: self.name,
            touched: self
                .tenants
                .get_mut(tenant)
                .expect("the tenant was just put there"),
            weight: &mut self.weight,
            whole: self.whole,
            closed,
        }
    }

    /// The changes, to be written in one step.
    pub fn write_to(&mut self, changes: &mut Changes) -> Result<(), ViewError> {
        self.drain(usize::MAX, &mut |more| {
            changes.extend(more);
            Ok(())
        })
    }

    /// Writes the changes of a set that nobody reads yet, and begins again with nothing in memory.
    pub fn pour(&mut self) -> Result<(), ViewError> {
        let shelf = self.shelf;
        self.drain(WRITE_ROWS, &mut |more| shelf.pour(more))
    }

    /// Hands out the changes in the order of keys, about `rows` at a time.
    fn drain(
        &mut self,
        rows: usize,
        hand: &mut dyn FnMut(Changes) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let mut tenants: Vec<Touched> = std::mem::take(&mut self.tenants).into_values().collect();
        tenants.sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix));
        let mut changes = Changes::new();
        for Touched { prefix, cells } in tenants {
            let mut changed: Vec<(Box<str>, Cell)> =
                cells.into_iter().filter(|(_, cell)| cell.changed).collect();
            changed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            for (key, cell) in changed {
                let base = [prefix.as_slice(), key.as_bytes()].concat();
                let stored = match (cell.stored, self.longest) {
                    (Some(parts), _) => parts,
                    (None, Some(longest @ 0..=1)) => longest,
                    (None, _) => parts::count(self.shelf, &base)?,
                };
                let held;
                let value = match &cell.value {
                    Value::Nothing => None,
                    Value::Bytes(bytes) => Some(bytes.as_slice()),
                    Value::Decoded(row) => {
                        held = row.bytes(self.name)?;
                        Some(held.as_slice())
                    }
                };
                let parts = parts::write(&mut changes, &base, value, stored)?;
                self.longest = self.longest.map(|longest| longest.max(parts));
                if changes.len() >= rows {
                    hand(std::mem::take(&mut changes))?;
                }
            }
        }
        self.whole = false;
        self.weight = 0;
        hand(changes)
    }
}

/// The rows of one read model and one tenant, for its fold. Keys are text without zero bytes.
pub struct Rows<'a> {
    shelf: &'a dyn Shelf,
    name: &'static str,
    touched: &'a mut Touched,
    weight: &'a mut usize,
    whole: bool,
    closed: bool,
}

impl Rows<'_> {
    /// What is known of a key. `look` if it has to be known what the shelf has.
    fn cell(&mut self, key: &str, look: bool) -> Result<&mut Cell, ViewError> {
        let cells = &mut self.touched.cells;
        if !cells.contains_key(key) {
            let mut cell = Cell {
                value: Value::Nothing,
                changed: false,
                stored: self.whole.then_some(0),
            };
            let mut weight = CELL_BYTES + key.len();
            if look && !self.whole {
                let base = [self.touched.prefix.as_slice(), key.as_bytes()].concat();
                let found = parts::read(self.shelf, &base)?;
                cell.stored = Some(found.as_ref().map_or(0, |(_, parts)| *parts));
                if let Some((value, _)) = found {
                    weight += DECODED * value.len();
                    cell.value = Value::Bytes(value);
                }
            }
            *self.weight += weight;
            cells.insert(key.into(), cell);
        }
        Ok(cells.get_mut(key).expect("the cell was just put there"))
    }

    fn open(&self) -> Result<(), ViewError> {
        match self.closed {
            false => Ok(()),
            true => Err(ViewError::row(
                self.name,
                "it is written for a kind of event that its read model does not name in KINDS",
            )),
        }
    }

    /// The row of a key.
    pub fn get<T: Row>(&mut self, key: &str) -> Result<Option<T>, ViewError> {
        let name = self.name;
        Ok(self.cell(key, true)?.row::<T>(name)?.cloned())
    }

    /// What `look` makes of the row of a key, without a copy of it.
    pub fn look<T: Row, R>(
        &mut self,
        key: &str,
        look: impl FnOnce(Option<&T>) -> R,
    ) -> Result<R, ViewError> {
        let name = self.name;
        Ok(look(self.cell(key, true)?.row::<T>(name)?.as_deref()))
    }

    /// Writes the row of a key that never had one, as one with a position in it: nobody looks for what it had before.
    pub fn add<T: Row>(&mut self, key: &str, row: &T) -> Result<(), ViewError> {
        self.cell(key, false)?.stored.get_or_insert(0);
        self.put(key, row)
    }

    /// Writes the row of a key.
    pub fn put<T: Row>(&mut self, key: &str, row: &T) -> Result<(), ViewError> {
        self.open()?;
        let name = self.name;
        let cell = self.cell(key, false)?;
        cell.changed = true;
        if let Value::Decoded(held) = &mut cell.value
            && let Some(held) = (&mut **held as &mut dyn Any).downcast_mut::<T>()
        {
            held.clone_from(row);
            *self.weight += GROWTH_BYTES;
            return Ok(());
        }
        let bytes = encode(name, row)?;
        let weight = DECODED * bytes.len();
        cell.value = Value::Bytes(bytes);
        *self.weight += weight;
        Ok(())
    }

    pub fn remove(&mut self, key: &str) -> Result<(), ViewError> {
        self.open()?;
        let cell = self.cell(key, true)?;
        cell.changed |= !matches!(cell.value, Value::Nothing);
        cell.value = Value::Nothing;
        Ok(())
    }

    /// Changes the row of a key, or nothing if it has none.
    pub fn change<T: Row>(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut T),
    ) -> Result<(), ViewError> {
        self.open()?;
        let name = self.name;
        let cell = self.cell(key, true)?;
        if let Some(row) = cell.row::<T>(name)? {
            change(row);
            cell.changed = true;
            *self.weight += GROWTH_BYTES;
        }
        Ok(())
    }

    /// Changes the row of a key, beginning with an empty one.
    pub fn update<T: Row + Default>(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut T),
    ) -> Result<(), ViewError> {
        self.open()?;
        let cell = self.cell(key, true)?;
        if matches!(cell.value, Value::Nothing) {
            cell.value = Value::Decoded(Box::new(T::default()));
            cell.changed = true;
        }
        self.change(key, change)
    }
}
