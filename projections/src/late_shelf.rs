//! Rows that are kept in memory for a while before they go to the shelf below.
//!
//! The rows of a batch are few, and each of them costs the shelf below a whole page. What is done soon after mostly touches
//! the same pages: a bill run takes accounts in their order, and the sums of a day change with every document. So rows
//! gather here first. Nothing is lost by it: rows are written together with the positions they show, so after a crash the
//! shelf below is as it was a while ago, and what is missing is folded again from the log.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use crate::ViewError;
use crate::shelf::{Change, Changes, Shelf, Visit};

/// Rows, and bytes of keys and values, from which on they are written below in one step.
const ROWS_MAX: usize = 8_192;
const BYTES_MAX: usize = 4 << 20;

/// Rows by key; none: removed.
type Rows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// See the module.
pub(crate) struct LateShelf<S: Shelf> {
    below: S,
    late: RwLock<Rows>,
    /// Bytes in `late`. Held while rows come or go, so that what goes below is all there is.
    writing: Mutex<usize>,
}

impl<S: Shelf> LateShelf<S> {
    pub fn over(below: S) -> LateShelf<S> {
        LateShelf {
            below,
            late: RwLock::default(),
            writing: Mutex::new(0),
        }
    }

    fn late(&self) -> RwLockReadGuard<'_, Rows> {
        self.late.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> MutexGuard<'_, usize> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes everything below in one step. It is readable here until it is readable there.
    fn pass_on(&self, bytes: &mut usize) -> Result<(), ViewError> {
        let all: Changes = {
            let late = self.late();
            let copied = late.iter().map(|(key, to)| (key.clone(), to.clone()));
            copied.collect()
        };
        if !all.is_empty() {
            self.below.write(&all)?;
            let mut late = self.late.write().unwrap_or_else(PoisonError::into_inner);
            late.clear();
            *bytes = 0;
        }
        Ok(())
    }
}

fn weight(key: &[u8], to: Option<&[u8]>) -> usize {
    key.len() + to.map_or(0, <[u8]>::len)
}

impl<S: Shelf> Shelf for LateShelf<S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let late = self.late();
        match late.get(key) {
            Some(to) => Ok(to.clone()),
            None => self.below.get(key),
        }
    }

    fn range(&self, from: &[u8], until: &[u8], visit: &mut Visit<'_>) -> Result<(), ViewError> {
        if from >= until {
            return Ok(());
        }
        let late = self.late();
        let within = (Bound::Included(from), Bound::Excluded(until));
        let mut late = late.range::<[u8], _>(within).peekable();
        let mut goes_on = true;
        self.below.range(from, until, &mut |key, value| {
            goes_on = before(&mut late, Some(key), visit)?;
            if goes_on {
                goes_on = match late.next_if(|(k, _)| k.as_slice() == key) {
                    Some((_, Some(to))) => visit(key, to)?,
                    Some((_, None)) => true,
                    None => visit(key, value)?,
                };
            }
            Ok(goes_on)
        })?;
        if goes_on {
            before(&mut late, None, visit)?;
        }
        Ok(())
    }

    fn write(&self, changes: &[Change]) -> Result<(), ViewError> {
        self.take(changes.to_vec())?;
        self.relieve()
    }

    fn take(&self, changes: Changes) -> Result<(), ViewError> {
        let mut bytes = self.writing();
        let mut late = self.late.write().unwrap_or_else(PoisonError::into_inner);
        for (key, to) in changes {
            let bytes_of_key = key.len();
            *bytes += weight(&key, to.as_deref());
            if let Some(was) = late.insert(key, to) {
                *bytes -= bytes_of_key + was.map_or(0, |was| was.len());
            }
        }
        Ok(())
    }

    fn relieve(&self) -> Result<(), ViewError> {
        let mut bytes = self.writing();
        let rows = self.late().len();
        match rows > ROWS_MAX || *bytes > BYTES_MAX {
            true => self.pass_on(&mut bytes),
            false => Ok(()),
        }
    }

    /// Rows that nobody reads go below at once, behind what waits of the same sets.
    fn pour(&self, changes: Changes) -> Result<(), ViewError> {
        let first = changes.iter().map(|(key, _)| key).min();
        let last = changes.iter().map(|(key, _)| key).max();
        if let (Some(first), Some(last)) = (first, last) {
            let mut bytes = self.writing();
            let waits = self
                .late()
                .range(first.clone()..=last.clone())
                .next()
                .is_some();
            if waits {
                self.pass_on(&mut bytes)?;
            }
        }
        self.below.pour(changes)
    }

    fn settle(&self) -> Result<(), ViewError> {
        self.pass_on(&mut self.writing())?;
        self.below.settle()
    }
}

/// Visits the rows before a key, or all that are left; false: the visitor has had enough.
fn before(
    late: &mut Peekable<btree_map::Range<'_, Vec<u8>, Option<Vec<u8>>>>,
    key: Option<&[u8]>,
    visit: &mut Visit<'_>,
) -> Result<bool, ViewError> {
    while let Some((k, to)) = late.next_if(|(k, _)| key.is_none_or(|key| k.as_slice() < key)) {
        if let Some(to) = to
            && !visit(k, to)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

impl<S: Shelf> Drop for LateShelf<S> {
    fn drop(&mut self) {
        // What is lost here is folded again at the next start.
        let _ = self.pass_on(&mut self.writing());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryShelf;
    use crate::disk_shelf::DiskShelf;

    fn all(shelf: &dyn Shelf, from: &[u8], most: usize) -> Changes {
        let mut found = vec![];
        let visit = &mut |key: &[u8], value: &[u8]| {
            found.push((key.to_vec(), Some(value.to_vec())));
            Ok(found.len() < most)
        };
        shelf.range(from, &[0, 0, 0, 9], visit).expect("readable");
        found
    }

    #[test]
    fn rows_read_the_same_whether_they_wait_or_went_below() {
        let (late, plain) = (
            LateShelf::over(MemoryShelf::default()),
            MemoryShelf::default(),
        );
        let mut state = 7_u64;
        let mut below = |end: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
            (state >> 33) % end
        };
        let key = |set: u64, n: u64| {
            let set = u32::try_from(set).expect("small");
            [&set.to_be_bytes()[..], format!("k{n:03}").as_bytes()].concat()
        };
        for round in 0..400_u32 {
            let mut changes = BTreeMap::new();
            for _ in 0..below(30) {
                let value = (below(3) > 0).then(|| round.to_be_bytes().to_vec());
                changes.insert(key(below(3), below(200)), value);
            }
            let changes: Changes = changes.into_iter().collect();
            plain.write(&changes).expect("memory takes all");
            match below(4) {
                0 => late.pour(changes).expect("written"),
                _ => late.write(&changes).expect("written"),
            }
            if below(20) == 0 {
                late.settle().expect("written");
            }
            let (from, most) = (key(below(3), below(200)), below(80) as usize + 1);
            assert_eq!(all(&late, &from, most), all(&plain, &from, most));
            assert_eq!(
                late.get(&from).expect("readable"),
                plain.get(&from).expect("readable")
            );
        }
    }

    #[test]
    fn what_waits_goes_below_when_it_becomes_much_and_in_the_end() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let row = |n: usize| {
            let key = [&[0, 0, 0, 1][..], format!("{n:05}").as_bytes()].concat();
            (key, Some(vec![1]))
        };
        let open = || DiskShelf::open(dir.path()).expect("opens");
        {
            let late = LateShelf::over(open());
            for n in 0..=ROWS_MAX {
                assert!(all(&late.below, &[0; 4], usize::MAX).is_empty());
                late.write(&[row(n)]).expect("written");
            }
            assert_eq!(all(&late.below, &[0; 4], usize::MAX).len(), ROWS_MAX + 1);
            late.write(&[row(ROWS_MAX + 1)]).expect("written");
            assert_eq!(all(&late.below, &[0; 4], usize::MAX).len(), ROWS_MAX + 1);
        }
        assert_eq!(all(&open(), &[0; 4], usize::MAX).len(), ROWS_MAX + 2);
    }
}
