//! The tree over a log, kept as the hashes of its complete subtrees of 1,024 leaves.
//!
//! File `<data>/tree`: `INDT`, version u16 = 1, height of a subtree u16 = 10; then per subtree its hash (32 bytes) and
//! the CRC-32 (u32) of its number (u64) and hash, all little-endian. It only grows, and it is disposable: what is missing, damaged
//! or of another log is made again from the log. What is below a subtree is made from its 1,024 events when asked for.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::leaf;
use super::tree::{Hash, Levels, Place};
use crate::data_dir::private_file;
use crate::{EventStore, StoreError};

/// Height of the subtrees whose hashes are kept.
const HEIGHT: u16 = 10;
/// Leaves of such a subtree.
const LEAVES: u64 = 1 << HEIGHT;
const HEADER: [u8; 8] = [b'I', b'N', b'D', b'T', 1, 0, HEIGHT as u8, 0];
const RECORD_BYTES: usize = 36;
/// New subtrees are written to the file when there are so many.
const WRITE_AT: usize = 1_024;

/// What is known of the tree over one log. It lags behind the log until it is grown.
#[derive(Debug)]
pub struct KeptTree {
    /// Hashes of the complete subtrees.
    subtrees: Vec<Hash>,
    /// Leaf hashes after them, fewer than 1,024.
    rest: Vec<Hash>,
    /// How many subtrees the file holds.
    written: usize,
    file: Option<PathBuf>,
}

impl KeptTree {
    /// What the file holds of the tree over this log; nothing if it is not of this log. No file: kept in memory only.
    pub fn open(file: Option<PathBuf>, store: &dyn EventStore) -> Result<KeptTree, StoreError> {
        let mut subtrees = match &file {
            None => Vec::new(),
            Some(path) => load(path).map_err(|e| failed("reading", path, e))?,
        };
        if subtrees.len() as u64 * LEAVES > store.head() {
            subtrees.clear();
        }
        // The last subtree is made again: if it is that of this log, so is what came before it.
        if let Some(number) = subtrees.len().checked_sub(1) {
            let from = number as u64 * LEAVES;
            let made = Levels::over(leaf_hashes(store, from, from + LEAVES)?).root();
            if subtrees.last() != Some(&made) {
                subtrees.clear();
            }
        }
        Ok(KeptTree {
            written: subtrees.len(),
            subtrees,
            rest: Vec::new(),
            file,
        })
    }

    /// Number of leaves that are known: those of the events up to the position of the same number.
    pub fn size(&self) -> u64 {
        self.subtrees.len() as u64 * LEAVES + self.rest.len() as u64
    }

    /// Takes in the events up to a position.
    pub fn grow(
        &mut self,
        store: &dyn EventStore,
        until: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), StoreError> {
        let from = self.size();
        if from >= until {
            return Ok(());
        }
        let mut buffer = Vec::new();
        let mut failed = Ok(());
        store.replay(from, until, &mut |event| {
            self.rest.push(leaf::hash(event, &mut buffer));
            if self.rest.len() as u64 == LEAVES {
                let leaves = std::mem::take(&mut self.rest);
                self.subtrees.push(Levels::over(leaves).root());
                progress(event.position, until);
                if self.subtrees.len() - self.written >= WRITE_AT {
                    failed = self.write();
                }
            }
            Ok(failed.is_ok())
        })?;
        failed?;
        if self.size() != until {
            return Err(StoreError::corrupt(
                self.size() + 1,
                format!("missing, the tree needs the log up to {until}"),
            ));
        }
        self.write()
    }

    /// Writes new subtrees behind those in the file. No sync: what a power cut takes is made again.
    fn write(&mut self) -> Result<(), StoreError> {
        let new = self.subtrees.get(self.written..).unwrap_or_default();
        let (Some(path), false) = (&self.file, new.is_empty()) else {
            return Ok(());
        };
        append(path, self.written, new).map_err(|e| failed("writing", path, e))?;
        self.written = self.subtrees.len();
        Ok(())
    }

    /// The tree as it was with `size` leaves, to ask for its nodes. The tree must have grown to it.
    pub fn at(&self, store: &dyn EventStore, size: u64) -> Result<View, StoreError> {
        let complete = usize::try_from(size / LEAVES).unwrap_or(usize::MAX);
        let mut tops = self.subtrees.get(..complete).unwrap_or_default().to_vec();
        let from = tops.len() as u64 * LEAVES;
        let mut lower = HashMap::new();
        if from < size {
            let rest = match self
                .rest
                .get(..usize::try_from(size - from).unwrap_or(usize::MAX))
            {
                Some(rest) if tops.len() == self.subtrees.len() => rest.to_vec(),
                _ => leaf_hashes(store, from, size)?,
            };
            let levels = Levels::over(rest);
            tops.push(levels.root());
            lower.insert(from / LEAVES, levels);
        }
        Ok(View {
            size,
            upper: Levels::over(tops),
            lower,
        })
    }
}

/// A tree of one size, ready to answer for its nodes.
#[derive(Debug)]
pub struct View {
    size: u64,
    /// Everything above the subtrees, their roots as its leaves.
    upper: Levels,
    /// Subtrees that were asked for, by number.
    lower: HashMap<u64, Levels>,
}

impl View {
    pub fn root(&self) -> Hash {
        self.upper.root()
    }

    /// The hashes at some places of the tree.
    pub fn nodes(
        &mut self,
        store: &dyn EventStore,
        places: &[Place],
    ) -> Result<BTreeMap<Place, Hash>, StoreError> {
        let mut found = BTreeMap::new();
        for place in places {
            if let Some(hash) = self.node(store, *place)? {
                found.insert(*place, hash);
            }
        }
        Ok(found)
    }

    fn node(&mut self, store: &dyn EventStore, place: Place) -> Result<Option<Hash>, StoreError> {
        let height = u32::from(HEIGHT);
        if let Some(level) = place.level.checked_sub(height) {
            return Ok(self.upper.node(Place { level, ..place }));
        }
        let below = height - place.level;
        let (number, index) = (place.index >> below, place.index & ((1 << below) - 1));
        if !self.lower.contains_key(&number) {
            let from = number.saturating_mul(LEAVES);
            let leaves = leaf_hashes(store, from, self.size.min(from.saturating_add(LEAVES)))?;
            self.lower.insert(number, Levels::over(leaves));
        }
        let levels = self.lower.get(&number);
        Ok(levels.and_then(|levels| levels.node(Place { index, ..place })))
    }
}

/// Leaf hashes of the events at the positions `from + 1 ..= until`.
fn leaf_hashes(store: &dyn EventStore, from: u64, until: u64) -> Result<Vec<Hash>, StoreError> {
    let mut hashes = Vec::new();
    let mut buffer = Vec::new();
    if from < until {
        store.replay(from, until, &mut |event| {
            hashes.push(leaf::hash(event, &mut buffer));
            Ok(true)
        })?;
    }
    Ok(hashes)
}

/// The records of a file up to the first that is not whole.
fn load(path: &Path) -> io::Result<Vec<Hash>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let Some(records) = bytes.strip_prefix(&HEADER) else {
        return Ok(Vec::new());
    };
    let whole = (0u64..)
        .zip(records.chunks_exact(RECORD_BYTES))
        .map_while(|(number, record)| {
            let (hash, crc) = record.split_first_chunk::<32>()?;
            (crc == check(number, hash)).then_some(*hash)
        });
    Ok(whole.collect())
}

fn append(path: &Path, written: usize, new: &[Hash]) -> io::Result<()> {
    let mut file = private_file(OpenOptions::new().create(true).truncate(false), path)?;
    // What follows the good records, or is not of this log, goes.
    let end = HEADER.len() as u64 + written as u64 * RECORD_BYTES as u64;
    let mut bytes = Vec::new();
    if written == 0 {
        bytes.extend_from_slice(&HEADER);
        file.set_len(0)?;
    } else {
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
    }
    for (number, hash) in (written as u64..).zip(new) {
        bytes.extend_from_slice(hash);
        bytes.extend_from_slice(&check(number, hash));
    }
    file.write_all(&bytes)
}

fn check(number: u64, hash: &Hash) -> [u8; 4] {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&number.to_le_bytes());
    crc.update(hash);
    crc.finalize().to_le_bytes()
}

fn failed(doing: &str, path: &Path, e: io::Error) -> StoreError {
    StoreError::io(format!("{doing} {}", path.display()), e)
}
