//! Where rows lie: ordered keys and values, written in atomic batches.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use crate::ViewError;

/// A key with its new value; none removes.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Changes that belong together; no key twice.
pub type Changes = Vec<Change>;

/// Called with key and value; answers whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool, ViewError> + 'a;

/// An ordered map of bytes that survives what its kind survives.
pub trait Shelf: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;

    /// Visits the keys in `[from, until)` in order.
    fn range(&self, from: &[u8], until: &[u8], visit: &mut Visit<'_>) -> Result<(), ViewError>;

    /// Writes all changes or none. After a crash, the latest of them may be gone: all or none of each call.
    fn write(&self, changes: &[Change]) -> Result<(), ViewError>;

    /// As [`write`](Shelf::write), of changes that the shelf may keep. Short: readers wait meanwhile.
    fn take(&self, changes: Changes) -> Result<(), ViewError> {
        self.write(&changes)
    }

    /// Whoever [takes](Shelf::take) calls this afterwards, when no reader has to wait for it.
    fn relieve(&self) -> Result<(), ViewError> {
        Ok(())
    }

    /// Writes rows that nobody reads yet, or any more: a crash may leave some of the changes, and others read and write
    /// meanwhile, other sets of rows. Fast when the keys ascend.
    fn pour(&self, changes: Changes) -> Result<(), ViewError> {
        self.write(&changes)
    }

    /// What was written so far is not behind what is poured from now on, also after a crash.
    fn settle(&self) -> Result<(), ViewError> {
        Ok(())
    }
}

/// Rows that end with the process, for scenarios and tests.
#[derive(Debug, Default)]
pub struct MemoryShelf {
    rows: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Shelf for MemoryShelf {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        Ok(rows.get(key).cloned())
    }

    fn range(&self, from: &[u8], until: &[u8], visit: &mut Visit<'_>) -> Result<(), ViewError> {
        if from >= until {
            return Ok(());
        }
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let within = (Bound::Included(from), Bound::Excluded(until));
        for (key, value) in rows.range::<[u8], _>(within) {
            if !visit(key, value)? {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, changes: &[Change]) -> Result<(), ViewError> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(())
    }
}
