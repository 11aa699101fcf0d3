//! Ordered keys and values in a directory, under the log's volumes and the read models' pages. The only file that knows
//! sled.
//!
//! What sled 0.34.7 needs to be told (docs/decisions/0002-sled-and-bincode.md):
//! - its `flush` issues no fsync on Linux, so who needs durability syncs the file of pages through a handle of its own;
//! - a leaf node above a quarter of the segment size goes to a blob file that is never synced, so values are at most
//!   [`MAX_VALUE_BYTES`] (a leaf holds up to 17) and segments 16 MiB;
//! - `flush_async` can hang, so writes use the blocking `flush`;
//! - its own flusher stays on where it writes, because nothing else frees its space; where it only reads there is none;
//! - a batch keeps everybody else out of every database of the process until it is done;
//! - it answers some damage with a panic, and takes a snapshot that it could not finish for a whole one.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::{Bound, Deref};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::data_dir::sync_dir;

/// Largest value that is safe: 17 of them are far below the 4 MiB at which sled would use a blob file.
pub const MAX_VALUE_BYTES: usize = 64 << 10;
const SEGMENT_BYTES: usize = 16 << 20;
/// sled's default is 1 GiB.
const WRITE_CACHE_BYTES: u64 = 128 << 20;
const READ_CACHE_BYTES: u64 = 16 << 20;
const FLUSH_EVERY_MS: u64 = 500;
/// How long, and how often, to wait for sled to let go of a database that was just closed.
const LOCK_WAIT: Duration = Duration::from_millis(20);
const LOCK_TRIES: u32 = 250;
/// sled's file of pages, and its settings.
const PAGES: &str = "db";
const SETTINGS: &str = "conf";
/// How the name of a snapshot ends while sled writes it.
const UNFINISHED: &str = ".generating";

/// What a database is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Writing,
    Reading,
}

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The operating system refused, or the engine has stopped.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What lies in the directory is not what the engine wrote.
    #[error("{0}")]
    Damaged(String),
}

impl From<sled::Error> for EngineError {
    fn from(e: sled::Error) -> EngineError {
        match e {
            sled::Error::Io(e) => EngineError::Io(e),
            sled::Error::Corruption { .. } | sled::Error::Unsupported(_) => {
                EngineError::Damaged(e.to_string())
            }
            e => EngineError::Io(io::Error::other(e)),
        }
    }
}

/// Bytes of a key or value, shared with the engine.
#[derive(Clone, Debug)]
pub struct Bytes(sled::IVec);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A key and its value.
pub type Entry = (Bytes, Bytes);

fn entry((key, value): (sled::IVec, sled::IVec)) -> Entry {
    (Bytes(key), Bytes(value))
}

/// Changes that are there together or not at all.
#[derive(Debug, Default)]
pub struct Batch(sled::Batch);

impl Batch {
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key, value);
    }

    pub fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }
}

/// An open database. Dropping it closes it.
pub struct Engine {
    /// There until the engine is dropped.
    tree: Option<sled::Db>,
    path: PathBuf,
}

impl Engine {
    /// Opens the database of a directory, or makes one where there is nothing.
    ///
    /// The data directory is locked by this process, so a database that is still locked is one that it just closed: sled's
    /// threads let go of its file a moment after the last handle is dropped.
    pub fn open(path: &Path, purpose: Purpose) -> Result<Engine, EngineError> {
        let config = sled::Config::new()
            .path(path)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(match purpose {
                Purpose::Writing => WRITE_CACHE_BYTES,
                Purpose::Reading => READ_CACHE_BYTES,
            })
            .flush_every_ms((purpose == Purpose::Writing).then_some(FLUSH_EVERY_MS));
        drop_half_snapshots(path)?;
        let mut tries = 0;
        let tree = loop {
            let opened = catch_unwind(AssertUnwindSafe(|| config.open()))
                .map_err(|_| EngineError::Damaged("the engine panicked while it opened".into()))?;
            match opened {
                Err(sled::Error::Io(e))
                    if tries < LOCK_TRIES && e.to_string().contains("acquire lock") =>
                {
                    tries += 1;
                    thread::sleep(LOCK_WAIT);
                }
                other => break other?,
            }
        };
        Ok(Engine {
            tree: Some(tree),
            path: path.to_path_buf(),
        })
    }

    /// Whether a directory holds a database, whole or begun.
    pub fn is_in(path: &Path) -> bool {
        path.join(PAGES).is_file() || path.join(SETTINGS).is_file()
    }

    /// Makes durable what sled creates and never syncs, its settings and the names of its files. Answers with a handle of
    /// the file of pages: what was flushed is safe after a sync of it.
    pub fn make_durable(&self) -> io::Result<File> {
        File::open(self.path.join(SETTINGS))?.sync_all()?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path.join(PAGES))?;
        file.sync_all()?;
        sync_dir(&self.path)?;
        Ok(file)
    }

    fn tree(&self) -> &sled::Db {
        self.tree
            .as_ref()
            .expect("taken only when the engine is dropped")
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.tree().get(key)?.map(Bytes))
    }

    /// The last entry below a key.
    pub fn before(&self, key: &[u8]) -> Result<Option<Entry>, EngineError> {
        Ok(self.tree().get_lt(key)?.map(entry))
    }

    /// The first entry above a key.
    pub fn after(&self, key: &[u8]) -> Result<Option<Entry>, EngineError> {
        Ok(self.tree().get_gt(key)?.map(entry))
    }

    /// The entries between two keys, in order.
    pub fn range<'a>(
        &self,
        from: Bound<&'a [u8]>,
        until: Bound<&'a [u8]>,
    ) -> impl Iterator<Item = Result<Entry, EngineError>> + use<> {
        let entries = self.tree().range::<&[u8], _>((from, until));
        entries.map(|found| Ok(entry(found?)))
    }

    /// Makes all changes of a batch, or none.
    pub fn apply(&self, batch: Batch) -> Result<(), EngineError> {
        Ok(self.tree().apply_batch(batch.0)?)
    }

    /// Sets a value, apart from any other.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.tree().insert(key, value)?;
        Ok(())
    }

    /// Removes a key, apart from any other.
    pub fn remove(&self, key: &[u8]) -> Result<(), EngineError> {
        self.tree().remove(key)?;
        Ok(())
    }

    /// Hands all changes to the operating system. They are not safe yet: see [`make_durable`](Engine::make_durable).
    pub fn flush(&self) -> Result<(), EngineError> {
        self.tree().flush()?;
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let tree = self.tree.take();
        // sled panics if its last sync fails. What had to be safe was synced before, through a handle of its own.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(tree)));
    }
}

/// Removes what sled left of a snapshot that it could not finish because it died or the disk was full: it would take it for
/// a whole one at the next start, and refuse. A finished snapshot has another name, and the one before is kept until then.
fn drop_half_snapshots(path: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
