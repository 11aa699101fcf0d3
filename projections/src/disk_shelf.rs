//! Rows on disk, in pages (`pages.rs`), in a database of their own.
//!
//! Opened like the log, but never synced by us: after a power cut the engine goes back to an earlier whole batch, or does not
//! open at all, and then the rows are made again from the log.

use std::fs;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use indelible_store::engine::{Batch, Engine, EngineError, Purpose};

use crate::near::{Near, Page};
use crate::rows::behind;
use crate::shelf::{Change, Changes, Shelf, Visit};
use crate::{ViewError, pages};

/// Inside a directory of read models, so that nothing else is ever taken for one and removed.
const DATABASE: &str = "pages";
/// What it was called when each row was a value of its own.
const FORMER_DATABASE: &str = "rows";

/// A [`Shelf`] in a directory.
pub(crate) struct DiskShelf {
    engine: Engine,
    /// Held while pages are read, changed and written back in one step.
    writing: Mutex<()>,
    near: Near,
}

impl DiskShelf {
    /// Opens the rows below a directory. Rows that cannot be read are thrown away: the log has everything.
    pub fn open(dir: &Path) -> Result<DiskShelf, ViewError> {
        let path = dir.join(DATABASE);
        fs::create_dir_all(&path).map_err(|e| ViewError::engine("creating the read models", e))?;
        let former = dir.join(FORMER_DATABASE);
        if former.exists() {
            fs::remove_dir_all(&former)
                .map_err(|e| ViewError::engine("removing read models of an earlier shape", e))?;
        }
        let opened = match Engine::open(&path, Purpose::Writing) {
            Err(EngineError::Damaged(_)) => {
                fs::remove_dir_all(&path)
                    .map_err(|e| ViewError::engine("removing damaged read models", e))?;
                Engine::open(&path, Purpose::Writing)
            }
            other => other,
        };
        Ok(DiskShelf {
            engine: opened.map_err(|e| ViewError::engine("opening the read models", e))?,
            writing: Mutex::new(()),
            near: Near::default(),
        })
    }

    /// The page that a key belongs to, or would.
    fn page_of(&self, key: &[u8]) -> Result<Arc<Page>, ViewError> {
        let (set, _) = pages::split(key)?;
        let reading = |e| ViewError::engine("reading a row", e);
        self.near.page(key, || {
            let next = [key, &[0]].concat();
            let found = self.engine.before(&next).map_err(reading)?;
            let found = found.filter(|(key, _)| key.starts_with(set));
            let after = self.engine.after(key).map_err(reading)?;
            let end = match after {
                Some((key, _)) if key.starts_with(set) => key.to_vec(),
                _ => behind(set),
            };
            Page::new(found, end)
        })
    }

    /// Forgets the pages of the sets that were changed.
    fn forget(&self, changes: &[Change]) {
        let mut last: &[u8] = &[];
        for (key, _) in changes {
            let set = key.get(..pages::SET_BYTES).unwrap_or_default();
            if set != last {
                self.near.forget(key);
                last = set;
            }
        }
    }

    /// The pages that changes make, in order; each is handed out before the next page is read.
    fn changed(
        &self,
        changes: &[Change],
        hand: &mut dyn FnMut(Change) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let mut sorted: Vec<&Change> = changes.iter().collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut rest = sorted.as_slice();
        while let Some((first, _)) = rest.first() {
            let page = self.page_of(first)?;
            let these = rest.partition_point(|(key, _)| key.as_slice() < page.end());
            let (these, others) = rest.split_at(these);
            for page in pages::changed(page.key(), page.bytes(), these)? {
                hand(page)?;
            }
            rest = others;
        }
        Ok(())
    }
}

impl Shelf for DiskShelf {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let (_, wanted) = pages::split(key)?;
        let page = self.page_of(key)?;
        Ok(page.find(wanted).map(<[u8]>::to_vec))
    }

    fn range(&self, from: &[u8], until: &[u8], visit: &mut Visit<'_>) -> Result<(), ViewError> {
        if from >= until {
            return Ok(());
        }
        let page = self.page_of(from)?;
        let first = page.key().unwrap_or(from).to_vec();
        let mut key = Vec::new();
        let pages = self
            .engine
            .range(Bound::Included(&first), Bound::Excluded(until));
        for entry in pages {
            let (page, bytes) = entry.map_err(|e| ViewError::engine("reading rows", e))?;
            let (set, _) = pages::split(&page)?;
            for row in pages::rows(&bytes) {
                let (rest, value) = row?;
                key.clear();
                key.extend_from_slice(set);
                key.extend_from_slice(rest);
                if key.as_slice() >= until {
                    return Ok(());
                }
                if key.as_slice() >= from && !visit(&key, value)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn write(&self, changes: &[Change]) -> Result<(), ViewError> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::default();
        self.changed(changes, &mut |(key, page)| {
            match page {
                Some(page) => batch.put(&key, &page),
                None => batch.remove(&key),
            }
            Ok(())
        })?;
        let applied = self.engine.apply(batch);
        self.forget(changes);
        applied.map_err(|e| ViewError::engine("writing rows", e))
    }

    /// Page by page: a batch keeps everybody else out of every database of the process, the log's too, until it is done, and
    /// takes its keys in no order.
    fn pour(&self, changes: Changes) -> Result<(), ViewError> {
        let poured = self.changed(&changes, &mut |(key, page)| {
            match page {
                Some(page) => self.engine.put(&key, &page),
                None => self.engine.remove(&key),
            }
            .map_err(|e| ViewError::engine("writing rows", e))
        });
        self.forget(&changes);
        poured
    }
}

impl Drop for DiskShelf {
    fn drop(&mut self) {
        // What is lost here is folded again at the next start.
        let _ = self.engine.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryShelf;

    /// Numbers that look random and are the same each time.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005) + 1;
            (self.0 >> 33) % end
        }
    }

    fn all(shelf: &dyn Shelf, from: &[u8], until: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = vec![];
        let visit = &mut |key: &[u8], value: &[u8]| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(true)
        };
        shelf.range(from, until, visit).expect("readable");
        found
    }

    #[test]
    fn rows_in_pages_read_as_rows_in_memory_whatever_is_written_and_removed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (paged, plain) = (
            DiskShelf::open(dir.path()).expect("opens"),
            MemoryShelf::default(),
        );
        let mut numbers = Numbers(7);
        let key = |numbers: &mut Numbers| {
            let (set, row) = (numbers.below(3) as u32, numbers.below(600));
            [&set.to_be_bytes()[..], format!("k{row:03}").as_bytes()].concat()
        };
        for round in 0..300 {
            let mut changes = std::collections::BTreeMap::new();
            for _ in 0..numbers.below(40) {
                let bytes = match numbers.below(20) {
                    0 => 20_000,
                    n => n * 15,
                };
                // Now and then almost everything goes, so that pages become empty.
                let value = (numbers.below(if round % 50 > 40 { 20 } else { 3 }) == 0)
                    .then(|| vec![round as u8; bytes as usize]);
                changes.insert(key(&mut numbers), value);
            }
            let changes: Changes = changes.into_iter().collect();
            plain.write(&changes).expect("memory takes all");
            match round % 2 {
                0 => paged.write(&changes).expect("written"),
                _ => paged.pour(changes).expect("written"),
            }
            let (one, other) = (key(&mut numbers), key(&mut numbers));
            assert_eq!(
                paged.get(&one).expect("read"),
                plain.get(&one).expect("read")
            );
            assert_eq!(all(&paged, &one, &other), all(&plain, &one, &other));
            let (first, last) = ([0, 0, 0, 0], [0, 0, 0, 9]);
            assert_eq!(all(&paged, &first, &last), all(&plain, &first, &last));
        }
    }
}
