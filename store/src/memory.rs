//! The log in memory, for tests, scenarios and dry runs: same blocks, same chain, no disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use crate::StoreError;
use crate::log::{Disk, Each, Log, Medium, SealedBlock, SyncHook};

/// An [`EventStore`](crate::EventStore) that forgets everything when it is dropped.
pub type MemoryStore = Log<Memory>;

impl MemoryStore {
    /// An empty log.
    pub fn new() -> MemoryStore {
        MemoryStore::with_sync(Box::new(|| Ok(())))
    }

    /// An empty log whose sync is the given function: it may wait, count or fail as a disk would.
    pub fn with_sync(sync: SyncHook) -> MemoryStore {
        Log::over(Memory {
            blocks: RwLock::new(BTreeMap::new()),
            sync,
        })
        .expect("an empty log has nothing to refuse, and a thread can be started")
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

/// Blocks by first position.
pub struct Memory {
    blocks: RwLock<BTreeMap<u64, Vec<u8>>>,
    sync: SyncHook,
}

impl Medium for Memory {
    fn write(&self, blocks: &[SealedBlock]) -> Result<(), StoreError> {
        self.blocks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(
                blocks
                    .iter()
                    .map(|block| (block.first_position, block.bytes.clone())),
            );
        (self.sync)().map_err(|e| StoreError::io("syncing the log", e))
    }

    fn load(&self, first_position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .blocks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&first_position)
            .cloned())
    }

    fn floor(&self, position: u64) -> Result<Option<u64>, StoreError> {
        Ok(self
            .blocks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .range(..=position)
            .next_back()
            .map(|(first, _)| *first))
    }

    fn scan(&self, from: u64, each: &mut Each<'_>) -> Result<(), StoreError> {
        let mut next = from;
        loop {
            // One block at a time, so that a long scan does not keep the writer waiting.
            let found = self
                .blocks
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .range(next..)
                .next()
                .map(|(first, bytes)| (*first, bytes.clone()));
            let Some((first, bytes)) = found else {
                return Ok(());
            };
            next = first + 1;
            if !each(first, &bytes)? {
                return Ok(());
            }
        }
    }

    fn disk(&self) -> Disk {
        Disk::default()
    }

    fn index_dir(&self) -> Option<PathBuf> {
        None
    }
}
