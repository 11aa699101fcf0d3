//! A medium for this crate's own tests: it survives its log, can be tampered with, and counts what is read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use crate::log::{Disk, Each, Medium, SealedBlock};
use crate::{CommandRecord, Commit, NewEvent, StoreError, StreamKey};

#[derive(Clone, Default)]
pub(crate) struct Blocks {
    pub blocks: Arc<RwLock<BTreeMap<u64, Vec<u8>>>>,
    pub index_dir: Option<PathBuf>,
    /// Blocks handed out by scans.
    pub scanned: Arc<AtomicU64>,
}

impl Medium for Blocks {
    fn write(&self, blocks: &[SealedBlock]) -> Result<(), StoreError> {
        let mut map = self.blocks.write().unwrap();
        map.extend(blocks.iter().map(|b| (b.first_position, b.bytes.clone())));
        Ok(())
    }

    fn load(&self, first_position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.blocks.read().unwrap().get(&first_position).cloned())
    }

    fn floor(&self, position: u64) -> Result<Option<u64>, StoreError> {
        let map = self.blocks.read().unwrap();
        Ok(map.range(..=position).next_back().map(|(first, _)| *first))
    }

    fn scan(&self, from: u64, each: &mut Each<'_>) -> Result<(), StoreError> {
        let blocks = self.blocks.read().unwrap().clone();
        for (first, bytes) in blocks.range(from..) {
            self.scanned.fetch_add(1, Ordering::SeqCst);
            if !each(*first, bytes)? {
                break;
            }
        }
        Ok(())
    }

    fn disk(&self) -> Disk {
        Disk::default()
    }

    fn index_dir(&self) -> Option<PathBuf> {
        self.index_dir.clone()
    }
}

/// A commit of tenant `t` with one event per (stream, expected version).
pub(crate) fn commit(command: Option<&str>, events: &[(&str, u64)]) -> Commit {
    let event = |(id, expected_version): &(&str, u64)| NewEvent {
        stream: StreamKey::new("t", "s", *id),
        expected_version: *expected_version,
        event_type: "s.Happened".into(),
        schema: 1,
        payload: id.as_bytes().to_vec(),
    };
    Commit {
        tenant: "t".into(),
        recorded_at: 0,
        actor: "test".into(),
        correlation: String::new(),
        causation: 0,
        command: command.map(|id| CommandRecord {
            command_id: id.into(),
            input_hash: [0; 32],
            receipt: id.as_bytes().to_vec(),
        }),
        events: events.iter().map(event).collect(),
    }
}

/// A sequence that looks random and is the same each time (the finaliser of SplitMix64).
pub(crate) struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

/// A medium whose writes never come back.
#[derive(Clone, Default)]
pub(crate) struct Stuck(Blocks);

impl Medium for Stuck {
    fn write(&self, _: &[SealedBlock]) -> Result<(), StoreError> {
        loop {
            std::thread::park();
        }
    }

    fn load(&self, first_position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.load(first_position)
    }

    fn floor(&self, position: u64) -> Result<Option<u64>, StoreError> {
        self.0.floor(position)
    }

    fn scan(&self, from: u64, each: &mut Each<'_>) -> Result<(), StoreError> {
        self.0.scan(from, each)
    }

    fn disk(&self) -> Disk {
        self.0.disk()
    }

    fn index_dir(&self) -> Option<PathBuf> {
        None
    }
}
