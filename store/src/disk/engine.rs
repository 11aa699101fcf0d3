//! One volume: a sled database with one tree of extents in parts. The only file that knows sled.
//!
//! What sled 0.34.7 needs to be told (docs/decisions/0002-sled-and-bincode.md):
//! - its `flush` issues no fsync on Linux, so we sync the database file ourselves through our own handle;
//! - a leaf node above a quarter of the segment size goes to a blob file that is never synced, so values are at most
//!   16 KiB (a leaf holds up to 17) and segments 16 MiB;
//! - `flush_async` can hang, so one thread writes, with the blocking `flush`;
//! - its own flusher stays on where it writes, because nothing else frees its space; where it only reads there is none.

use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::extent::{Extent, Packed};
use crate::StoreError;
use crate::data_dir::sync_dir;

/// Largest value: 17 of them are 272 KiB, far below the 4 MiB at which sled would use a blob file.
const PART_BYTES: usize = 16 << 10;
const SEGMENT_BYTES: usize = 16 << 20;
/// sled's default is 1 GiB.
const WRITE_CACHE_BYTES: u64 = 128 << 20;
const READ_CACHE_BYTES: u64 = 16 << 20;
const FLUSH_EVERY_MS: u64 = 500;
/// How long, and how often, to wait for sled to let go of a database that was just closed.
const LOCK_WAIT: Duration = Duration::from_millis(20);
const LOCK_TRIES: u32 = 250;
/// First position (u64) and part (u16), big-endian, so that keys sort as the log does.
const KEY_BYTES: usize = 10;
/// sled's file of pages, and its settings.
const PAGES: &str = "db";
const SETTINGS: &str = "conf";
/// How the name of a snapshot ends while the engine writes it.
const UNFINISHED: &str = ".generating";

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Writing,
    Reading,
}

/// An open volume. Dropping it closes the database.
pub(super) struct Volume {
    /// First position that belongs into the volume.
    pub first: u64,
    path: PathBuf,
    /// There until the volume is dropped.
    tree: Option<sled::Db>,
    /// Our own handle of sled's file, to sync it.
    file: File,
}

impl Volume {
    /// Opens a volume, or makes one where there is nothing, and makes durable what sled creates and never syncs: its
    /// settings and the names of its files.
    pub fn open(path: &Path, first: u64, purpose: Purpose) -> Result<Volume, StoreError> {
        let config = sled::Config::new()
            .path(path)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(match purpose {
                Purpose::Writing => WRITE_CACHE_BYTES,
                Purpose::Reading => READ_CACHE_BYTES,
            })
            .flush_every_ms((purpose == Purpose::Writing).then_some(FLUSH_EVERY_MS));
        drop_half_snapshots(path)
            .map_err(|e| StoreError::io(format!("looking at {}", path.display()), e))?;
        let tree =
            open_tree(&config).map_err(|e| engine("opening a volume of the log", first, e))?;
        let file = make_durable(path)
            .map_err(|e| StoreError::io(format!("syncing {}", path.display()), e))?;
        Ok(Volume {
            first,
            path: path.to_path_buf(),
            tree: Some(tree),
            file,
        })
    }

    /// Whether a directory holds a database of the engine, whole or begun.
    pub fn is_in(path: &Path) -> bool {
        path.join(PAGES).is_file() || path.join(SETTINGS).is_file()
    }

    fn tree(&self) -> &sled::Db {
        self.tree
            .as_ref()
            .expect("taken only when the volume is dropped")
    }

    /// Hands the extents to the engine, all or none of them. They are safe after [`sync`](Volume::sync).
    pub fn put(&self, extents: &[Packed]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for extent in extents {
            for (part, bytes) in (0u16..).zip(extent.bytes.chunks(PART_BYTES)) {
                batch.insert(&key(extent.first_position, part), bytes);
            }
        }
        self.tree()
            .apply_batch(batch)
            .map_err(|e| engine("writing to the log", self.first, e))?;
        self.tree()
            .flush()
            .map(|_| ())
            .map_err(|e| engine("flushing the log", self.first, e))
    }

    /// Syncs what was put.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Length of the file of pages, which is what the engine reads after a crash.
    pub fn file_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// First position of the last extent that begins at or before a position.
    pub fn floor(&self, position: u64) -> Result<Option<u64>, StoreError> {
        match self.tree().range(..=key(position, u16::MAX)).next_back() {
            None => Ok(None),
            Some(entry) => {
                let (key, _) = entry.map_err(|e| engine("reading the log", position, e))?;
                Ok(Some(place(self.first, &key)?.0))
            }
        }
    }

    /// Hands out the extents that begin within a range of positions, until `each` answers false. Tells whether it never
    /// did.
    pub fn extents(
        &self,
        from: u64,
        until: u64,
        each: &mut dyn FnMut(&Extent) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut extent = Extent::default();
        // Parts of an extent that has several; one that is whole in one part is not copied.
        let mut parts = Vec::new();
        let mut entries = self
            .tree()
            .range(key(from, 0)..=key(until, u16::MAX))
            .peekable();
        let mut at = from;
        while let Some(entry) = entries.next() {
            let (name, value) = entry.map_err(|e| engine("reading the log", at, e))?;
            let (first, part) = place(at, &name)?;
            at = first;
            if part != 0 {
                return Err(StoreError::corrupt(
                    first,
                    format!("part {part} follows no other"),
                ));
            }
            let mut next = 1;
            parts.clear();
            while let Some(Ok((name, _))) = entries.peek()
                && place(at, name)? == (first, next)
                && let Some(entry) = entries.next()
            {
                let (_, more) = entry.map_err(|e| engine("reading the log", at, e))?;
                if parts.is_empty() {
                    parts.extend_from_slice(&value);
                }
                parts.extend_from_slice(&more);
                next = next.saturating_add(1);
            }
            extent.read(first, if parts.is_empty() { &value } else { &parts })?;
            if !each(&extent)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let tree = self.tree.take();
        // sled panics if its last sync fails. All that was answered was synced before, through our own handle.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(tree)));
        let _ = self.file.sync_all().and_then(|()| sync_dir(&self.path));
    }
}

/// Opens the database. The data directory is locked by this process, so a database that is still locked is one that it
/// just closed: sled's threads let go of its file a moment after the last handle is dropped.
fn open_tree(config: &sled::Config) -> sled::Result<sled::Db> {
    let mut tries = 0;
    loop {
        // sled answers some damage with a panic.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()))
            .unwrap_or_else(|_| Err(sled::Error::Io(io::Error::other("the engine panicked"))));
        match opened {
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

/// Removes what the engine left of a snapshot that it could not finish because it died or the disk was full: it would
/// take it for a whole one at the next start, and refuse. A finished snapshot has another name, and the one before is kept
/// until then.
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

fn make_durable(path: &Path) -> io::Result<File> {
    File::open(path.join(SETTINGS))?.sync_all()?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path.join(PAGES))?;
    file.sync_all()?;
    sync_dir(path)?;
    Ok(file)
}

fn key(first_position: u64, part: u16) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    let (position, rest) = key.split_at_mut(8);
    position.copy_from_slice(&first_position.to_be_bytes());
    rest.copy_from_slice(&part.to_be_bytes());
    key
}

/// First position and part of a key; `at` is where the reader was.
fn place(at: u64, key: &[u8]) -> Result<(u64, u16), StoreError> {
    let parsed = key.split_first_chunk::<8>().and_then(|(position, part)| {
        Some((
            u64::from_be_bytes(*position),
            u16::from_be_bytes(part.try_into().ok()?),
        ))
    });
    parsed.ok_or_else(|| StoreError::corrupt(at, "followed by a key that is not an extent's"))
}

fn engine(doing: &str, block: u64, e: sled::Error) -> StoreError {
    match e {
        sled::Error::Io(e) => StoreError::io(doing, e),
        sled::Error::Corruption { .. } => {
            StoreError::corrupt(block, format!("{doing}, the engine found: {e}"))
        }
        e => StoreError::io(doing, io::Error::other(e)),
    }
}

/// What the tests do to a volume behind the log's back.
#[cfg(test)]
impl Volume {
    pub fn keys(&self) -> Vec<(u64, u16)> {
        let keys = self.tree().iter().keys();
        keys.map(|key| place(0, &key.unwrap()).unwrap()).collect()
    }

    pub fn value(&self, (first, part): (u64, u16)) -> Vec<u8> {
        self.tree().get(key(first, part)).unwrap().unwrap().to_vec()
    }

    pub fn set(&self, (first, part): (u64, u16), value: &[u8]) {
        self.tree().insert(key(first, part), value).unwrap();
    }

    pub fn lose(&self, (first, part): (u64, u16)) {
        self.tree().remove(key(first, part)).unwrap().unwrap();
    }
}
