//! Rows on disk, in one sled tree. The only file here that knows sled.
//!
//! Opened like the log, for the same reasons (docs/decisions/0002-sled-and-bincode.md): 16 MiB segments, small values,
//! bounded cache. Unlike the log it is never synced by us: after a power cut sled goes back to an earlier whole batch,
//! or does not open at all, and then the rows are made again from the log.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::ViewError;
use crate::shelf::{Change, Changes, Shelf, Visit};

const SEGMENT_BYTES: usize = 16 << 20;
const CACHE_BYTES: u64 = 128 << 20;
const FLUSH_EVERY_MS: u64 = 500;
/// How long, and how often, to wait for sled to let go of rows that were just closed.
const LOCK_WAIT: Duration = Duration::from_millis(20);
const LOCK_TRIES: u32 = 250;
/// Inside a directory of read models, so that nothing else is ever taken for one and removed.
const DATABASE: &str = "rows";

/// A [`Shelf`] in a directory.
pub(crate) struct SledShelf {
    tree: sled::Db,
}

impl SledShelf {
    /// Opens the rows below a directory. Rows that cannot be read are thrown away: the log has everything.
    pub fn open(dir: &Path) -> Result<SledShelf, ViewError> {
        let path = dir.join(DATABASE);
        fs::create_dir_all(&path).map_err(|e| ViewError::engine("creating the read models", e))?;
        match open(&path) {
            Ok(tree) => Ok(SledShelf { tree }),
            Err(sled::Error::Corruption { .. } | sled::Error::Unsupported(_)) => {
                fs::remove_dir_all(&path)
                    .map_err(|e| ViewError::engine("removing damaged read models", e))?;
                let tree =
                    open(&path).map_err(|e| ViewError::engine("opening the read models", e))?;
                Ok(SledShelf { tree })
            }
            Err(e) => Err(ViewError::engine("opening the read models", e)),
        }
    }
}

fn open(path: &Path) -> Result<sled::Db, sled::Error> {
    let config = sled::Config::new()
        .path(path)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(Some(FLUSH_EVERY_MS));
    let mut tries = 0;
    loop {
        // sled answers some damage with a panic.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()))
            .unwrap_or(Err(sled::Error::Corruption { at: None, bt: () }));
        match opened {
            // The data directory is locked by the log, so this process just closed these rows: sled's threads let go
            // of its file a moment after the last handle is dropped.
            Err(sled::Error::Io(e))
                if tries < LOCK_TRIES && e.to_string().contains("acquire lock") =>
            {
                tries += 1;
                thread::sleep(LOCK_WAIT);
            }
            other => return other,
        }
    }
}

impl Shelf for SledShelf {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let value = self.tree.get(key);
        value
            .map(|found| found.map(|bytes| bytes.to_vec()))
            .map_err(|e| ViewError::engine("reading a row", e))
    }

    fn range(&self, from: &[u8], until: &[u8], visit: &mut Visit<'_>) -> Result<(), ViewError> {
        if from >= until {
            return Ok(());
        }
        for entry in self.tree.range(from..until) {
            let (key, value) = entry.map_err(|e| ViewError::engine("reading rows", e))?;
            if !visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, changes: &[Change]) -> Result<(), ViewError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        self.tree
            .apply_batch(batch)
            .map_err(|e| ViewError::engine("writing rows", e))
    }

    /// One by one: a batch of sled's keeps everybody else out of every database of the process, the log's too, until
    /// it is done, and takes its keys in no order.
    fn pour(&self, changes: Changes) -> Result<(), ViewError> {
        for (key, value) in changes {
            match value {
                Some(value) => self.tree.insert(key, value),
                None => self.tree.remove(key),
            }
            .map_err(|e| ViewError::engine("writing rows", e))?;
        }
        Ok(())
    }
}

impl Drop for SledShelf {
    fn drop(&mut self) {
        // What is lost here is folded again at the next start.
        let _ = self.tree.flush();
    }
}
