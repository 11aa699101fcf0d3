//! One volume: a database with extents in parts.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::extent::{Extent, Packed};
use crate::StoreError;
use crate::data_dir::sync_dir;
use crate::engine::{Batch, Engine, EngineError, MAX_VALUE_BYTES, Purpose};

/// Largest part of an extent: what an extent usually packs to fits one.
const PART_BYTES: usize = MAX_VALUE_BYTES;
/// First position (u64) and part (u16), big-endian, so that keys sort as the log does.
const KEY_BYTES: usize = 10;

/// An open volume. Dropping it closes the database.
pub(super) struct Volume {
    /// First position that belongs into the volume.
    pub first: u64,
    path: PathBuf,
    /// There until the volume is dropped.
    engine: Option<Engine>,
    /// Our own handle of the engine's file, to sync it.
    file: File,
}

impl Volume {
    /// Opens a volume, or makes one where there is nothing, and makes it durable that it is there.
    pub fn open(path: &Path, first: u64, purpose: Purpose) -> Result<Volume, StoreError> {
        let engine = Engine::open(path, purpose)
            .map_err(|e| failed("opening a volume of the log", first, e))?;
        let file = engine
            .make_durable()
            .map_err(|e| StoreError::io(format!("syncing {}", path.display()), e))?;
        Ok(Volume {
            first,
            path: path.to_path_buf(),
            engine: Some(engine),
            file,
        })
    }

    fn engine(&self) -> &Engine {
        self.engine
            .as_ref()
            .expect("taken only when the volume is dropped")
    }

    /// Hands the extents to the engine, one after the other; each is there as a whole or not at all. They are safe after
    /// [`sync`](Volume::sync).
    pub fn put(&self, extents: &[Packed]) -> Result<(), StoreError> {
        let engine = self.engine();
        for Packed {
            first_position,
            bytes,
        } in extents
        {
            let put = match bytes.len() <= PART_BYTES {
                true => engine.put(&key(*first_position, 0), bytes),
                // A batch waits until nobody is at work in any database of the process, so it is for what needs it.
                false => {
                    let mut batch = Batch::default();
                    for (part, bytes) in (0u16..).zip(bytes.chunks(PART_BYTES)) {
                        batch.put(&key(*first_position, part), bytes);
                    }
                    engine.apply(batch)
                }
            };
            put.map_err(|e| failed("writing to the log", self.first, e))?;
        }
        engine
            .flush()
            .map_err(|e| failed("flushing the log", self.first, e))
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
        let found = match position.checked_add(1) {
            Some(next) => self.engine().before(&key(next, 0)),
            None => self.engine().before(&[u8::MAX; KEY_BYTES]),
        };
        match found.map_err(|e| failed("reading the log", position, e))? {
            None => Ok(None),
            Some((key, _)) => Ok(Some(place(self.first, &key)?.0)),
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
        let (first, last) = (key(from, 0), key(until, u16::MAX));
        let mut entries = self
            .engine()
            .range(Bound::Included(&first), Bound::Included(&last))
            .peekable();
        let mut at = from;
        while let Some(entry) = entries.next() {
            let (name, value) = entry.map_err(|e| failed("reading the log", at, e))?;
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
                let (_, more) = entry.map_err(|e| failed("reading the log", at, e))?;
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
        drop(self.engine.take());
        // All that was answered was synced before.
        let _ = self.file.sync_all().and_then(|()| sync_dir(&self.path));
    }
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

fn failed(doing: &str, block: u64, e: EngineError) -> StoreError {
    match e {
        EngineError::Io(e) => StoreError::io(doing, e),
        EngineError::Damaged(what) => {
            StoreError::corrupt(block, format!("{doing}, the engine found: {what}"))
        }
    }
}

/// What the tests do to a volume behind the log's back.
#[cfg(test)]
impl Volume {
    pub fn keys(&self) -> Vec<(u64, u16)> {
        let all = self.engine().range(Bound::Unbounded, Bound::Unbounded);
        all.map(|entry| place(0, &entry.unwrap().0).unwrap())
            .collect()
    }

    pub fn value(&self, (first, part): (u64, u16)) -> Vec<u8> {
        self.engine()
            .get(&key(first, part))
            .unwrap()
            .unwrap()
            .to_vec()
    }

    pub fn set(&self, (first, part): (u64, u16), value: &[u8]) {
        self.engine().put(&key(first, part), value).unwrap();
    }

    pub fn lose(&self, (first, part): (u64, u16)) {
        self.engine().remove(&key(first, part)).unwrap();
    }
}
