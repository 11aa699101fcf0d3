//! Rows on disk, in pages (`pages.rs`), in a database of their own.
//!
//! Opened like the log, but never synced by us: after a power cut the engine goes back to an earlier whole batch, or does not
//! open at all, and then the rows are made again from the log.

use std::fs;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use indelible_store::engine::{Engine, EngineError, Purpose};

use crate::near::{Near, Page};
use crate::rows::behind;
use crate::shelf::{Change, Changes, Shelf, Visit};
use crate::{ViewError, journal, pages};

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
        let open = || {
            let engine = Engine::open(&path, Purpose::Writing)?;
            let unfinished = journal::unfinished(&engine)?;
            Ok((engine, unfinished))
        };
        let opened = match open() {
            Err(EngineError::Damaged(_)) => {
                fs::remove_dir_all(&path)
                    .map_err(|e| ViewError::engine("removing damaged read models", e))?;
                open()
            }
            other => other,
        };
        let (engine, unfinished) =
            opened.map_err(|e| ViewError::engine("opening the read models", e))?;
        let shelf = DiskShelf {
            engine,
            writing: Mutex::new(()),
            near: Near::default(),
        };
        if let Some(changes) = unfinished {
            shelf.pour(changes)?;
            journal::end(&shelf.engine)?;
        }
        Ok(shelf)
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

    /// Page by page: a batch of the engine keeps everybody else out of every database of the process, the log's too, until it
    /// is done, and takes its keys in no order.
    fn set(&self, changes: &[Change]) -> Result<(), ViewError> {
        let set = self.changed(changes, &mut |(key, page)| {
            match page {
                Some(page) => self.engine.put(&key, &page),
                None => self.engine.remove(&key),
            }
            .map_err(|e| ViewError::engine("writing rows", e))
        });
        self.forget(changes);
        set
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

    /// The pages that changes make, those of one page from the last to the first, so that no row is missing for who reads
    /// meanwhile; they are handed out before the next page is read.
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
            let pages = pages::changed(page.key(), page.bytes(), these)?;
            for page in pages.into_iter().rev() {
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
        let (mut key, mut last) = (Vec::new(), Vec::new());
        let pages = self
            .engine
            .range(Bound::Included(&first), Bound::Excluded(until));
        for entry in pages {
            let (page, bytes) = entry.map_err(|e| ViewError::engine("reading rows", e))?;
            let (set, _) = pages::split(&page)?;
            for row in pages::rows(&bytes) {
                let (rest, value) = row?;
                std::mem::swap(&mut key, &mut last);
                key.clear();
                key.extend_from_slice(set);
                key.extend_from_slice(rest);
                if key.as_slice() >= until {
                    return Ok(());
                }
                // The page before was cut just now, and had it still.
                if key <= last {
                    std::mem::swap(&mut key, &mut last);
                    continue;
                }
                if key.as_slice() >= from && !visit(&key, value)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Page by page behind a journal; who reads meanwhile may find some of the changes.
    fn write(&self, changes: &[Change]) -> Result<(), ViewError> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        journal::begin(&self.engine, changes)?;
        self.set(changes)?;
        journal::end(&self.engine)
    }

    fn pour(&self, changes: Changes) -> Result<(), ViewError> {
        self.set(&changes)
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

    /// Rows that fill several pages, and changes of half of them that make the pages grow.
    fn rows_and_changes() -> (Changes, Changes) {
        let key = |n: u32| [&[0, 0, 0, 1][..], format!("k{n:03}").as_bytes()].concat();
        let rows = (0..300).map(|n| (key(n), Some(vec![1; 100])));
        let changes = (0..300).step_by(2).map(|n| {
            let to = (n % 3 > 0).then(|| vec![2; 400]);
            (key(n), to)
        });
        (rows.collect(), changes.collect())
    }

    const EVERYTHING: ([u8; 4], [u8; 4]) = ([0; 4], [0, 0, 0, 9]);

    #[test]
    fn what_was_written_down_is_there_after_a_crash_and_what_was_not_is_not() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (rows, changes) = rows_and_changes();
        let plain = MemoryShelf::default();
        plain.write(&rows).expect("memory takes all");
        let (from, until) = EVERYTHING;
        let open = || DiskShelf::open(dir.path()).expect("opens");
        {
            let paged = open();
            paged.write(&rows).expect("written");
            // What is written down is nothing before its number is.
            let begun = paged
                .engine
                .put(&[u8::MAX, u8::MAX, u8::MAX, u8::MAX, 0, 0, 0, 0], b"x");
            begun.expect("written");
        }
        assert!(all(&open(), &from, &until) == all(&plain, &from, &until));
        plain.write(&changes).expect("memory takes all");
        let paged = open();
        journal::begin(&paged.engine, &changes).expect("written down");
        let mut left = 3;
        let stopped = paged.changed(&changes, &mut |(key, page)| {
            if left == 0 {
                return Err(ViewError::row("test", "the process died"));
            }
            left -= 1;
            let put = match page {
                Some(page) => paged.engine.put(&key, &page),
                None => paged.engine.remove(&key),
            };
            put.map_err(|e| ViewError::engine("writing", e))
        });
        assert!(stopped.is_err());
        assert!(all(&paged, &from, &until) != all(&plain, &from, &until));
        drop(paged);
        assert!(all(&open(), &from, &until) == all(&plain, &from, &until));
    }

    #[test]
    fn rows_that_were_written_down_and_are_damaged_are_made_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (rows, changes) = rows_and_changes();
        {
            let paged = DiskShelf::open(dir.path()).expect("opens");
            paged.write(&rows).expect("written");
            journal::begin(&paged.engine, &changes).expect("written down");
            let first = [u8::MAX, u8::MAX, u8::MAX, u8::MAX, 0, 0, 0, 0];
            paged.engine.put(&first, &[9; 30]).expect("damaged");
        }
        let paged = DiskShelf::open(dir.path()).expect("opens");
        let (from, until) = EVERYTHING;
        assert!(all(&paged, &from, &until).is_empty());
    }

    #[test]
    fn who_reads_while_pages_are_cut_finds_each_row_once() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let paged = DiskShelf::open(dir.path()).expect("opens");
        let (rows, changes) = rows_and_changes();
        paged.write(&rows).expect("written");
        let (from, until) = EVERYTHING;
        let stays = |key: &Vec<u8>| changes.iter().all(|(changed, _)| changed != key);
        let kept: Vec<_> = rows.iter().filter(|(key, _)| stays(key)).cloned().collect();
        let mut cut = 0;
        let set = paged.changed(&changes, &mut |(key, page)| {
            let put = match page {
                Some(page) => paged.engine.put(&key, &page),
                None => paged.engine.remove(&key),
            };
            put.map_err(|e| ViewError::engine("writing", e))?;
            let found = all(&paged, &from, &until);
            assert!(found.is_sorted_by(|(a, _), (b, _)| a < b));
            let unchanged = found.into_iter().filter(|(key, _)| stays(key));
            let unchanged: Vec<_> = unchanged.map(|(key, to)| (key, Some(to))).collect();
            assert!(unchanged == kept);
            cut += 1;
            Ok(())
        });
        set.expect("written");
        assert!(cut > 8, "{cut} pages");
    }
}
