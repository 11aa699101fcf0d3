//! The log on disk: extents of blocks in volumes, and the head beside them.
//!
//! - [`extent`]: blocks packed together; [`volume`]: one volume, a database of its own.
//! - [`layout`]: directories and how they change; [`volumes`]: which of them are open.
//! - [`head`]: the end of the log, kept outside the engine; [`space`]: refusing before the disk is full.
//!
//! docs/decisions/0008-volumes-and-extents.md says why.

mod cache;
mod extent;
mod head;
mod layout;
mod space;
#[cfg(test)]
mod tests;
mod volume;
mod volumes;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use layout::StepHook;
pub use space::SpaceProbe;
pub(crate) use space::{RESERVE_BYTES, free_bytes};

use self::cache::Cache;
use self::extent::Extent;
use self::head::Head;
use self::layout::Layout;
use self::volume::Volume;
use self::volumes::Volumes;
use crate::data_dir::DataDir;
use crate::log::{Disk, Each, Log, Medium, SealedBlock, SyncHook};
use crate::{IndexLimits, StoreError, Writing, block};

/// Length of a volume's file above which the next group begins a new volume. After a crash the engine reads one volume
/// whole, about 0.7 GB a second.
pub const ROLL_BYTES: u64 = 2 << 30;

/// What a test or a drill may want otherwise.
pub struct Options {
    /// Length of a volume's file above which the next group begins a new volume.
    pub roll_bytes: u64,
    /// Sizes of the index of streams and commands.
    pub index: IndexLimits,
    /// Runs before each sync of the log; an error is a failed sync.
    pub before_sync: SyncHook,
    /// Tells the bytes that are free.
    pub free_space: SpaceProbe,
    /// Runs before each step of making and moving volumes; an error stops there, as a crash would.
    pub before_step: StepHook,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            roll_bytes: ROLL_BYTES,
            index: IndexLimits::default(),
            before_sync: Box::new(|| Ok(())),
            free_space: Box::new(space::free_bytes),
            before_step: Box::new(|_| Ok(())),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("roll_bytes", &self.roll_bytes)
            .finish_non_exhaustive()
    }
}

/// An [`EventStore`](crate::EventStore) in a data directory.
pub type SledStore = Log<OnDisk>;

impl SledStore {
    /// Opens the ledger of a data directory, or makes a new one if the directory is new or empty. A directory of format 1
    /// is moved to format 2.
    ///
    /// Errors: NOT_A_LEDGER, LOCKED, UNSUPPORTED_VERSION, CORRUPT with the damaged block or the lost end, IO.
    pub fn open(data: &Path) -> Result<SledStore, StoreError> {
        SledStore::open_with(data, Options::default())
    }

    /// As [`open`](SledStore::open), and runs the hook before each sync of the log; an error is a failed sync.
    pub fn open_with_sync(data: &Path, before_sync: SyncHook) -> Result<SledStore, StoreError> {
        SledStore::open_with(
            data,
            Options {
                before_sync,
                ..Options::default()
            },
        )
    }

    /// As [`open`](SledStore::open), with other limits and hooks.
    pub fn open_with(data: &Path, options: Options) -> Result<SledStore, StoreError> {
        let index = options.index;
        Log::over_with(OnDisk::open(data, options)?, index)
    }
}

/// The medium of a [`SledStore`].
pub struct OnDisk {
    volumes: Volumes,
    head: Head,
    cache: Cache,
    /// Last position that was synced. Readers stop there: what comes after may be half written.
    synced: AtomicU64,
    roll_bytes: u64,
    before_sync: SyncHook,
    free_space: SpaceProbe,
    clocks: Clocks,
    /// Last, so that the directory is unlocked after the engine has let go of it.
    data: DataDir,
}

/// Nanoseconds that the writer spent in each stage.
#[derive(Default)]
struct Clocks {
    packing: AtomicU64,
    engine: AtomicU64,
    sync: AtomicU64,
}

impl Clocks {
    fn read(&self) -> Writing {
        let of = |clock: &AtomicU64| Duration::from_nanos(clock.load(Ordering::Relaxed));
        Writing {
            packing: of(&self.packing),
            engine: of(&self.engine),
            sync: of(&self.sync),
        }
    }
}

fn timed<T>(clock: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    clock.fetch_add(nanos, Ordering::Relaxed);
    done
}

impl OnDisk {
    pub(crate) fn open(data: &Path, options: Options) -> Result<OnDisk, StoreError> {
        let data = DataDir::open(data)?;
        let (layout, firsts) = Layout::settle(&data.path, options.before_step)?;
        let volumes = Volumes::open(layout, firsts)?;
        let head = Head::open(&data.path)?;
        let medium = OnDisk {
            volumes,
            head,
            cache: Cache::default(),
            synced: AtomicU64::new(u64::MAX),
            roll_bytes: options.roll_bytes,
            before_sync: options.before_sync,
            free_space: options.free_space,
            clocks: Clocks::default(),
            data,
        };
        let end = medium.end()?;
        medium.synced.store(end, Ordering::Release);
        medium.check_kept_head(end)?;
        Ok(medium)
    }

    /// Position of the last event that lies in the volumes; 0 = none.
    fn end(&self) -> Result<u64, StoreError> {
        // The last volume is empty if the process died after it had begun it.
        let mut volume = self.volumes.active();
        loop {
            if let Some(first) = volume.floor(u64::MAX)? {
                let last = read_extent(&volume, first)?.positions();
                return last
                    .map(|(_, last)| last)
                    .ok_or_else(|| StoreError::corrupt(first, "its extent holds no block"));
            }
            match self.volumes.before(volume.first) {
                Some(before) => volume = self.volumes.volume(before)?,
                None => return Ok(0),
            }
        }
    }

    /// A log that ends before a commit that was once durable, or that has another commit there, has lost its end.
    fn check_kept_head(&self, end: u64) -> Result<(), StoreError> {
        let Some((kept, hash)) = self.head.kept() else {
            return Ok(());
        };
        if end < kept {
            return Err(StoreError::corrupt(
                end + 1,
                format!("missing: the log's tail is lost, {kept} was its last position once"),
            ));
        }
        let missing = || StoreError::corrupt(kept, "missing, though it was durable once");
        let extent = self.extent_of(kept)?.ok_or_else(missing)?;
        let first = extent.floor(kept).ok_or_else(missing)?;
        let header = block::read_header(first, extent.block(first).ok_or_else(missing)?)?;
        if header.last_position() != kept || header.hash != hash {
            return Err(StoreError::corrupt(
                first,
                format!(
                    "not the block that was durable once: the log's tail is lost from before position {kept} on, and \
                     another was written"
                ),
            ));
        }
        Ok(())
    }

    /// The extent that begins last at or before a position.
    fn extent_of(&self, position: u64) -> Result<Option<Arc<Extent>>, StoreError> {
        let position = position.min(self.synced.load(Ordering::Acquire));
        if let Some(extent) = self.cache.find(position) {
            return Ok(Some(extent));
        }
        let (mut volume, _) = self.volumes.around(position);
        loop {
            let open = self.volumes.volume(volume)?;
            if let Some(first) = open.floor(position)? {
                let extent = Arc::new(read_extent(&open, first)?);
                self.cache.keep(&extent);
                return Ok(Some(extent));
            }
            match self.volumes.before(volume) {
                Some(before) => volume = before,
                None => return Ok(None),
            }
        }
    }

    fn roll_if_full(&self, first_position: u64) -> Result<Arc<Volume>, StoreError> {
        let active = self.volumes.active();
        let bytes = active
            .file_bytes()
            .map_err(|e| StoreError::io("asking for the size of the log's volume", e))?;
        // A volume that holds nothing yet would be its own successor.
        if bytes <= self.roll_bytes || active.first == first_position {
            return Ok(active);
        }
        drop(active);
        self.volumes.roll(first_position)
    }
}

fn read_extent(volume: &Volume, first: u64) -> Result<Extent, StoreError> {
    let mut found = Extent::default();
    volume.extents(first, first, &mut |extent| {
        found.clone_from(extent);
        Ok(false)
    })?;
    Ok(found)
}

impl Medium for OnDisk {
    fn write(&self, blocks: &[SealedBlock]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
            return Ok(());
        };
        let bytes = blocks.iter().map(|block| block.bytes.len()).sum();
        space::check(&self.data.path, &self.free_space, bytes)?;
        let volume = self.roll_if_full(first.first_position)?;
        let packed = timed(&self.clocks.packing, || extent::pack(blocks));
        timed(&self.clocks.engine, || volume.put(&packed))?;
        timed(&self.clocks.sync, || {
            (self.before_sync)().and_then(|()| volume.sync())
        })
        .map_err(|e| StoreError::io("syncing the log", e))?;
        self.synced.store(last.last_position, Ordering::Release);
        self.head
            .keep((last.last_position, last.hash))
            .map_err(|e| StoreError::io("keeping the head of the log", e))
    }

    fn load(&self, first_position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .extent_of(first_position)?
            .and_then(|extent| extent.block(first_position).map(<[u8]>::to_vec)))
    }

    fn floor(&self, position: u64) -> Result<Option<u64>, StoreError> {
        Ok(self
            .extent_of(position)?
            .and_then(|extent| extent.floor(position)))
    }

    fn scan(&self, from: u64, each: &mut Each<'_>) -> Result<(), StoreError> {
        let mut next = from;
        loop {
            // All up to here was written before this round began, so no extent is seen half.
            let synced = self.synced.load(Ordering::Acquire);
            if next > synced {
                return Ok(());
            }
            let (volume, after) = self.volumes.around(next);
            let volume = self.volumes.volume(volume)?;
            let until = after.map_or(synced, |after| synced.min(after - 1));
            let begin = next;
            let start = volume.floor(begin)?.unwrap_or(begin);
            let wants_more = volume.extents(start, until, &mut |extent| {
                for (first, block) in extent.blocks() {
                    if first >= begin && !each(first, block)? {
                        return Ok(false);
                    }
                }
                if let Some((_, last)) = extent.positions() {
                    next = next.max(last.saturating_add(1));
                }
                Ok(true)
            })?;
            if !wants_more {
                return Ok(());
            }
            match after {
                Some(after) => next = next.max(after),
                // The end of the last volume: what is missing, the log knows.
                None if next <= synced => return Ok(()),
                None => {}
            }
        }
    }

    fn disk(&self) -> Disk {
        let (volumes, bytes) = self.volumes.size();
        Disk {
            bytes,
            volumes,
            writing: self.clocks.read(),
        }
    }

    fn index_dir(&self) -> Option<PathBuf> {
        Some(self.data.path.join("index"))
    }
}
