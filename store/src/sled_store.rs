//! The log on disk, in one sled tree. The only file that knows sled.
//!
//! What sled 0.34.7 needs to be told (docs/decisions/0002-sled-and-bincode.md):
//! - its `flush` issues no fsync on Linux, so we sync the database file ourselves through our own handle;
//! - a leaf node above a quarter of the segment size goes to a blob file that is never synced, so values are at most
//!   16 KiB (a leaf holds up to 17) and segments 16 MiB;
//! - `flush_async` can hang, so one thread writes, with the blocking `flush`;
//! - its own flusher stays on, because nothing else frees its space.

use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::StoreError;
use crate::data_dir::{DataDir, sync_dir};
use crate::log::{Disk, Each, Log, Medium, SealedBlock, SyncHook};

/// Largest value: 17 of them are 272 KiB, far below the 4 MiB at which sled would use a blob file.
const PART_BYTES: usize = 16 << 10;
const SEGMENT_BYTES: usize = 16 << 20;
/// sled's default is 1 GiB.
const CACHE_BYTES: u64 = 128 << 20;
const FLUSH_EVERY_MS: u64 = 500;
/// How long, and how often, to wait for sled to let go of a database that was just closed.
const LOCK_WAIT: Duration = Duration::from_millis(20);
const LOCK_TRIES: u32 = 250;
/// First position (u64) and part (u16), big-endian, so that keys sort as the log does.
const KEY_BYTES: usize = 10;

/// An [`EventStore`](crate::EventStore) in a data directory.
pub type SledStore = Log<SledTree>;

impl SledStore {
    /// Opens the ledger of a data directory (`<data>/log`), or makes a new one if the directory is new or empty.
    /// Reads and checks every block before it answers.
    ///
    /// Errors: NOT_A_LEDGER, LOCKED, UNSUPPORTED_VERSION, CORRUPT with the damaged block, IO.
    pub fn open(data: &Path) -> Result<SledStore, StoreError> {
        SledStore::open_with_sync(data, Box::new(|| Ok(())))
    }

    /// As [`open`](SledStore::open), and runs the hook before each sync of the log; an error is a failed sync.
    pub fn open_with_sync(data: &Path, before_sync: SyncHook) -> Result<SledStore, StoreError> {
        Log::over(SledTree::open(data, before_sync)?)
    }
}

/// Blocks in parts, in one tree.
pub struct SledTree {
    tree: sled::Db,
    /// Our own handle of sled's file, to sync it.
    file: File,
    before_sync: SyncHook,
    /// Last, so that the directory is unlocked after sled has let go of it.
    data: DataDir,
}

impl SledTree {
    pub(crate) fn open(data: &Path, before_sync: SyncHook) -> Result<SledTree, StoreError> {
        let data = DataDir::open(data)?;
        let path = data.path.join("log");
        let config = sled::Config::new()
            .path(&path)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MS));
        let tree = open_tree(&config).map_err(|e| engine("opening the log's database", 0, e))?;
        let file = make_durable(&data.path, &path)
            .map_err(|e| StoreError::io("syncing the log's directory", e))?;
        Ok(SledTree {
            tree,
            file,
            before_sync,
            data,
        })
    }
}

/// Opens the database. `lock` is ours, so a database that is still locked is one that this process just closed: sled's
/// threads let go of its file a moment after the last handle is dropped.
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

/// Syncs what sled creates once and never syncs: its configuration and the names of its files.
fn make_durable(data: &Path, log: &Path) -> io::Result<File> {
    File::open(log.join("conf"))?.sync_all()?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(log.join("db"))?;
    file.sync_all()?;
    sync_dir(log)?;
    sync_dir(data)?;
    Ok(file)
}

impl Medium for SledTree {
    fn write(&self, blocks: &[SealedBlock]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for block in blocks {
            for (part, bytes) in (0u16..).zip(block.bytes.chunks(PART_BYTES)) {
                batch.insert(&key(block.first_position, part), bytes);
            }
        }
        self.tree
            .apply_batch(batch)
            .map_err(|e| engine("writing to the log", 0, e))?;
        self.tree
            .flush()
            .map_err(|e| engine("flushing the log", 0, e))?;
        (self.before_sync)()
            .and_then(|()| self.file.sync_data())
            .map_err(|e| StoreError::io("syncing the log", e))
    }

    fn load(&self, first_position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = None;
        self.scan(first_position, &mut |at, bytes| {
            found = (at == first_position).then(|| bytes.to_vec());
            Ok(false)
        })?;
        Ok(found)
    }

    fn floor(&self, position: u64) -> Result<Option<u64>, StoreError> {
        let Some(last) = self.tree.range(..=key(position, u16::MAX)).next_back() else {
            return Ok(None);
        };
        let (key, _) = last.map_err(|e| engine("reading the log", position, e))?;
        match parse_key(&key) {
            Some((first, _)) => Ok(Some(first)),
            None => Err(StoreError::corrupt(position, "a key is not a block's")),
        }
    }

    fn scan(&self, from: u64, each: &mut Each<'_>) -> Result<(), StoreError> {
        let mut block: Option<(u64, u16, Vec<u8>)> = None;
        for entry in self.tree.range(key(from, 0)..) {
            let at = block.as_ref().map_or(from, |(at, _, _)| *at);
            let (key, value) = entry.map_err(|e| engine("reading the log", at, e))?;
            let (first, part) = parse_key(&key).ok_or_else(|| {
                StoreError::corrupt(at, "followed by a key that is not a block's")
            })?;
            block = match block {
                Some((at, last, mut bytes)) if at == first && part == last + 1 => {
                    bytes.extend_from_slice(&value);
                    Some((at, part, bytes))
                }
                previous => {
                    if let Some((at, _, bytes)) = previous
                        && !each(at, &bytes)?
                    {
                        return Ok(());
                    }
                    if part != 0 {
                        return Err(StoreError::corrupt(
                            first,
                            format!("part {part} follows no part {}", part - 1),
                        ));
                    }
                    Some((first, 0, value.to_vec()))
                }
            };
        }
        if let Some((at, _, bytes)) = block {
            each(at, &bytes)?;
        }
        Ok(())
    }

    fn kept_head(&self) -> Result<Option<(u64, [u8; 32])>, StoreError> {
        Ok(None)
    }

    fn disk(&self) -> Disk {
        Disk {
            bytes: self.tree.size_on_disk().unwrap_or(0),
            volumes: 1,
        }
    }

    fn index_dir(&self) -> Option<PathBuf> {
        Some(self.data.path.join("index"))
    }
}

fn key(first_position: u64, part: u16) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    let (position, rest) = key.split_at_mut(8);
    position.copy_from_slice(&first_position.to_be_bytes());
    rest.copy_from_slice(&part.to_be_bytes());
    key
}

fn parse_key(key: &[u8]) -> Option<(u64, u16)> {
    let (position, part) = key.split_first_chunk::<8>()?;
    Some((
        u64::from_be_bytes(*position),
        u16::from_be_bytes(part.try_into().ok()?),
    ))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Commit, EventStore, NewEvent, StreamKey};

    /// Three blocks at positions 1, 2 and 4; the middle one of several parts.
    fn three_blocks(data: &Path) -> SledStore {
        let store = SledStore::open(data).unwrap();
        for (from, until, bytes) in [(0, 1, 100), (1, 3, 20_000), (3, 4, 100)] {
            let events = (from..until).map(|expected_version| NewEvent {
                stream: StreamKey::new("t1", "account", "a"),
                expected_version,
                event_type: "account.Noted".into(),
                schema: 1,
                payload: vec![0x5A; bytes],
            });
            let commit = Commit {
                tenant: "t1".into(),
                recorded_at: 0,
                actor: "test".into(),
                correlation: "c".into(),
                causation: 0,
                command: None,
                events: events.collect(),
            };
            store.append(commit).unwrap();
        }
        store
    }

    fn where_damaged(error: StoreError) -> u64 {
        match error {
            StoreError::Corrupt { block, .. } => block,
            other => panic!("not found to be damaged: {other}"),
        }
    }

    fn keys(tree: &sled::Db) -> Vec<sled::IVec> {
        tree.iter().keys().map(Result::unwrap).collect()
    }

    #[test]
    fn a_flipped_byte_in_any_part_is_found_and_located_by_verify() {
        let dir = tempfile::tempdir().unwrap();
        let store = three_blocks(dir.path());
        let tree = &store.medium().tree;
        let keys = keys(tree);
        assert_eq!(keys.len(), 5, "the middle block has three parts");
        for key in keys {
            let good = tree.get(&key).unwrap().unwrap();
            // Every byte of a header and of the small blocks' bodies, then samples.
            for at in (0..good.len()).filter(|at| *at < 300 || at % 977 == 0) {
                let mut bad = good.to_vec();
                bad[at] ^= 1;
                tree.insert(&key, bad).unwrap();
                let found = store.verify(&mut |_, _| {}).unwrap_err();
                let (block, _) = parse_key(&key).unwrap();
                assert_eq!(where_damaged(found), block, "byte {at} of {key:?}");
            }
            tree.insert(&key, good).unwrap();
        }
        store.verify(&mut |_, _| {}).unwrap();
    }

    #[test]
    fn a_lost_part_is_found_and_located() {
        let dir = tempfile::tempdir().unwrap();
        let store = three_blocks(dir.path());
        let tree = &store.medium().tree;
        for key in keys(tree) {
            let lost = tree.remove(&key).unwrap().unwrap();
            let found = store.verify(&mut |_, _| {}).unwrap_err();
            assert_eq!(where_damaged(found), parse_key(&key).unwrap().0, "{key:?}");
            let read = store
                .read(0, usize::MAX)
                .map(|events| events.len())
                .unwrap_err();
            assert_eq!(where_damaged(read), parse_key(&key).unwrap().0, "{key:?}");
            tree.insert(&key, lost).unwrap();
        }
        store.verify(&mut |_, _| {}).unwrap();
    }

    #[test]
    fn a_damaged_log_does_not_open_and_says_which_block() {
        let dir = tempfile::tempdir().unwrap();
        let store = three_blocks(dir.path());
        let tree = &store.medium().tree;
        let mut bad = tree.get(key(2, 1)).unwrap().unwrap().to_vec();
        bad[5] ^= 0x80;
        tree.insert(key(2, 1), bad).unwrap();
        drop(store);
        let refused = SledStore::open(dir.path()).unwrap_err();
        assert_eq!(where_damaged(refused), 2);
    }

    #[test]
    fn a_block_of_another_log_breaks_the_chain() {
        let dir = tempfile::tempdir().unwrap();
        let store = three_blocks(dir.path());
        let tree = &store.medium().tree;
        // Whole in itself and in the right place, but with another first block behind it.
        let body = crate::block::encode_body(Commit {
            tenant: "t1".into(),
            recorded_at: 0,
            actor: "somebody else".into(),
            correlation: "c".into(),
            causation: 0,
            command: None,
            events: vec![NewEvent {
                stream: StreamKey::new("t1", "account", "a"),
                expected_version: 0,
                event_type: "account.Noted".into(),
                schema: 1,
                payload: Vec::new(),
            }],
        })
        .unwrap();
        let (forged, _) = crate::block::seal(1, 1, 0, &crate::block::GENESIS, &body);
        tree.insert(key(1, 0), forged).unwrap();
        let found = store.verify(&mut |_, _| {}).unwrap_err();
        assert_eq!(where_damaged(found), 2, "the block after the forged one");
    }
}
