//! The head of the log, kept in a file of our own: an engine may answer damage by silently dropping its end, and a chain
//! cannot show by itself that its end is missing.
//!
//! Two slots, a page apart. One is written after each synced group; every second at most it is synced, off the way to the
//! answer, and then the other slot has its turn. So a power cut tears at most the slot in use, and the head it leaves is
//! at most that much older than the log's.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::StoreError;
use crate::block::take;
use crate::data_dir::write_whole;

pub(super) const NAME: &str = "head";
const MAGIC: [u8; 4] = *b"INDH";
const VERSION: u16 = 1;
/// Magic, version, two zeros, turn, position, hash, CRC.
pub(super) const SLOT_BYTES: usize = 60;
/// Distance of the slots: two pages are never torn by one write.
pub(super) const SLOT_STEP: usize = 4096;
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Position and hash of the last block of a synced group.
pub(super) type Kept = (u64, [u8; 32]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    /// Counts the writes: the higher one is the newer slot.
    turn: u64,
    kept: Kept,
}

struct State {
    last: Slot,
    /// Index of the slot in use.
    slot: usize,
    unsynced: bool,
    closing: bool,
}

struct Shared {
    file: File,
    state: Mutex<State>,
    changed: Condvar,
    failed: OnceLock<String>,
}

/// The opened file and the thread that syncs it.
pub(super) struct Head {
    shared: Arc<Shared>,
    syncing: Option<JoinHandle<()>>,
}

impl Head {
    /// Opens the file, or makes it. CORRUPT if neither slot can be read: no crash leaves that.
    pub fn open(data: &Path) -> Result<Head, StoreError> {
        let path = data.join(NAME);
        let failed = |e| StoreError::io(format!("opening {}", path.display()), e);
        let none = Slot {
            turn: 0,
            kept: (0, [0; 32]),
        };
        let (last, slot) = match fs::read(&path) {
            Ok(bytes) => newest(&bytes).ok_or_else(|| {
                StoreError::corrupt(
                    0,
                    format!(
                        "both slots of {} are unreadable; without the file the log opens, but an end that was lost \
                         would not be seen",
                        path.display()
                    ),
                )
            })?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let mut bytes = vec![0; 2 * SLOT_STEP];
                for slot in bytes.chunks_mut(SLOT_STEP) {
                    slot.split_at_mut(SLOT_BYTES).0.copy_from_slice(&encode(none));
                }
                write_whole(data, NAME, &bytes).map_err(failed)?;
                (none, 0)
            }
            Err(e) => return Err(failed(e)),
        };
        let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        let shared = Arc::new(Shared {
            file,
            state: Mutex::new(State {
                last,
                // The newest stays as it is until another is safe.
                slot: 1 - slot,
                unsynced: false,
                closing: false,
            }),
            changed: Condvar::new(),
            failed: OnceLock::new(),
        });
        let syncing = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("indelible-head".into())
                .spawn(move || shared.sync_now_and_then())
                .map_err(failed)?
        };
        Ok(Head {
            shared,
            syncing: Some(syncing),
        })
    }

    /// The last head that was kept; none if there was never one.
    pub fn kept(&self) -> Option<Kept> {
        Some(self.shared.lock().last.kept).filter(|(position, _)| *position > 0)
    }

    /// Keeps the head of a group that was just synced.
    pub fn keep(&self, kept: Kept) -> io::Result<()> {
        if let Some(why) = self.shared.failed.get() {
            return Err(io::Error::other(why.clone()));
        }
        let mut state = self.shared.lock();
        let slot = Slot {
            turn: state.last.turn + 1,
            kept,
        };
        let mut file = &self.shared.file;
        file.seek(SeekFrom::Start((state.slot * SLOT_STEP) as u64))?;
        file.write_all(&encode(slot))?;
        state.last = slot;
        if !state.unsynced {
            state.unsynced = true;
            self.shared.changed.notify_one();
        }
        Ok(())
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_one();
        if let Some(syncing) = self.syncing.take() {
            let _ = syncing.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync_now_and_then(&self) {
        let mut state = self.lock();
        loop {
            state = self
                .changed
                .wait_while(state, |state| !state.unsynced && !state.closing)
                .unwrap_or_else(PoisonError::into_inner);
            state = self
                .changed
                .wait_timeout_while(state, SYNC_EVERY, |state| !state.closing)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if !state.unsynced {
                return;
            }
            state.unsynced = false;
            drop(state);
            let synced = self.file.sync_data();
            state = self.lock();
            match synced {
                Ok(()) => state.slot = 1 - state.slot,
                Err(e) => {
                    // As with the log itself: a failed sync is never repeated, and the next group is told.
                    let _ = self
                        .failed
                        .set(format!("syncing the kept head failed: {e}"));
                    return;
                }
            }
        }
    }
}

fn encode(slot: Slot) -> [u8; SLOT_BYTES] {
    let (position, hash) = slot.kept;
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&slot.turn.to_le_bytes());
    bytes.extend_from_slice(&position.to_le_bytes());
    bytes.extend_from_slice(&hash);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes.try_into().expect("4 + 2 + 2 + 8 + 8 + 32 + 4 bytes")
}

fn decode(mut bytes: &[u8]) -> Option<Slot> {
    let checked = bytes.get(..SLOT_BYTES - 4)?;
    let magic: [u8; 4] = take(&mut bytes)?;
    let version = u16::from_le_bytes(take(&mut bytes)?);
    let _zeros: [u8; 2] = take(&mut bytes)?;
    let turn = u64::from_le_bytes(take(&mut bytes)?);
    let position = u64::from_le_bytes(take(&mut bytes)?);
    let hash = take(&mut bytes)?;
    let crc = u32::from_le_bytes(take(&mut bytes)?);
    (magic == MAGIC && version == VERSION && crc == crc32fast::hash(checked)).then_some(Slot {
        turn,
        kept: (position, hash),
    })
}

/// The newer readable slot, and which one it is.
fn newest(bytes: &[u8]) -> Option<(Slot, usize)> {
    let slots = [0, 1].map(|n| Some((decode(bytes.get(n * SLOT_STEP..)?)?, n)));
    slots
        .into_iter()
        .flatten()
        .max_by_key(|(slot, _)| slot.turn)
}
