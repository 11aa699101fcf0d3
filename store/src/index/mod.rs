//! Where the blocks of a stream and of a command lie.
//!
//! What came last is in memory (the tail). When the tail is full it is written to disk as a run: a sorted, immutable file.
//! Runs of one size class are merged into one of the next, and the manifest says which runs count, and up to which block
//! of which chain. Nothing else may grow with the log: where a block begins is asked of the medium.
//!
//! The index is disposable. If it is missing, damaged or of another chain, it is made again from the log; nothing that is
//! acknowledged waits for its files, and no answer depends on whether they are there (`docs/decisions/0009-stream-index.md`).

mod bloom;
mod keeper;
pub(crate) mod key;
mod manifest;
mod merge;
mod run;
mod tail;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::StoreError;
use crate::block::{self, GENESIS, HEADER_BYTES, Header};
use crate::log::Medium;
pub(crate) use keeper::Keeper;
use key::Key;
use manifest::{Listed, Manifest};
use run::Run;
use tail::Tail;

/// Entries of a tail at which it becomes a run. An entry is one stream or one command of one block.
const TAIL_ENTRIES: usize = 1 << 17;
/// Bytes of log behind a tail at which it becomes a run however few entries it has: a start reads what follows the runs.
const TAIL_LOG_BYTES: u64 = 128 << 20;
/// Tails that may wait to be written before the log's writer waits for them.
const WAITING_TAILS: usize = 4;
/// Bytes at which a page of a run is full.
const PAGE_BYTES: usize = 4 << 10;
/// Runs of one level that are merged into one of the next.
const FANOUT: usize = 4;

/// Most bytes of memory that the tails take: one that fills and those that wait.
pub const INDEX_TAIL_BYTES: usize = TAIL_ENTRIES * (1 + WAITING_TAILS) * tail::BYTES_PER_ENTRY;
/// Most bytes of memory per million keys (streams and commands) on disk: the filter, and a fence of 32 bytes per page,
/// which holds 100 keys or more. A stream counts once for each run that has it.
pub const INDEX_BYTES_PER_MILLION_KEYS: usize =
    1_000_000 * bloom::BITS_PER_KEY as usize / 8 + 1_000_000 / 100 * 32;

/// Sizes of the index, smaller in tests so that little data makes many runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexLimits {
    /// Entries of a tail at which it becomes a run.
    pub tail_entries: usize,
    /// Bytes of log behind a tail at which it becomes a run, whatever its entries.
    pub tail_log_bytes: u64,
    /// Bytes at which a page of a run is full.
    pub page_bytes: usize,
    /// Runs of one level that are merged; at least 2.
    pub fanout: usize,
}

impl Default for IndexLimits {
    fn default() -> IndexLimits {
        IndexLimits {
            tail_entries: TAIL_ENTRIES,
            tail_log_bytes: TAIL_LOG_BYTES,
            page_bytes: PAGE_BYTES,
            fanout: FANOUT,
        }
    }
}

/// The version a key reached in a block (0 for a command), and where that block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub version: u64,
    pub block: u64,
}

/// The end of the chain: what the next block must connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tip {
    pub head: u64,
    pub hash: [u8; 32],
    pub recorded_at: i64,
}

impl Tip {
    pub const BEFORE_ALL: Tip = Tip {
        head: 0,
        hash: GENESIS,
        recorded_at: i64::MIN,
    };

    /// Moves on to the next block, or says why it is not the next.
    pub fn follow(&mut self, header: &Header) -> Result<(), StoreError> {
        let at = header.first_position;
        let expected = self.head + 1;
        if at != expected {
            return Err(StoreError::corrupt(
                expected,
                format!("missing, the next block begins at position {at}"),
            ));
        }
        if header.prev_hash != self.hash {
            return Err(StoreError::corrupt(
                at,
                "does not follow the block before: the chain is broken",
            ));
        }
        if header.recorded_at < self.recorded_at {
            return Err(StoreError::corrupt(
                at,
                format!(
                    "recorded at {} us, the block before at {} us",
                    header.recorded_at, self.recorded_at
                ),
            ));
        }
        *self = Tip {
            head: header.last_position(),
            hash: header.hash,
            recorded_at: header.recorded_at,
        };
        Ok(())
    }
}

/// The log up to a block, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub tip: Tip,
    pub blocks: u64,
    /// Headers included.
    pub bytes: u64,
}

impl Totals {
    const NOTHING: Totals = Totals {
        tip: Tip::BEFORE_ALL,
        blocks: 0,
        bytes: 0,
    };

    fn add(&mut self, header: &Header) -> Result<(), StoreError> {
        self.tip.follow(header)?;
        self.blocks += 1;
        self.bytes += HEADER_BYTES as u64 + u64::from(header.body_len);
        Ok(())
    }
}

/// A file of the index is not what was written. The log itself may be whole.
#[derive(Debug)]
pub(crate) struct Broken(io::Error);

impl Broken {
    fn new(what: &str) -> Broken {
        Broken(io::Error::new(io::ErrorKind::InvalidData, what))
    }

    pub fn into_error(self) -> StoreError {
        StoreError::io("reading the index of the log", self.0)
    }
}

impl From<io::Error> for Broken {
    fn from(e: io::Error) -> Broken {
        Broken(e)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the index keeps of a block that was just written.
pub(crate) struct Facts {
    pub header: Header,
    pub command: Option<Key>,
    /// Each stream of the block with the version it reached; a stream may come again, later and higher.
    pub streams: Vec<(Key, u64)>,
}

/// A full tail on its way to disk.
pub(crate) struct Frozen {
    tail: Tail,
    /// Position of its first block.
    base: u64,
    /// The log up to its last block.
    upto: Totals,
}

/// The runs of one moment, oldest first.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<Vec<Arc<Run>>>);

impl Runs {
    /// The key's last entry.
    pub fn last(&self, key: Key) -> Result<Option<Entry>, Broken> {
        for run in self.0.iter().rev() {
            if let Some(entry) = run.last(key)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn above(&self, key: Key, version: u64, max: usize) -> Result<Vec<Entry>, Broken> {
        let mut found = Vec::new();
        for run in self.0.iter() {
            run.above(key, version, max, &mut found)?;
        }
        Ok(found)
    }
}

pub(crate) struct Index {
    limits: IndexLimits,
    /// None = all stays in memory.
    dir: Option<PathBuf>,
    totals: Totals,
    tail: Tail,
    /// Where the tail begins.
    base: u64,
    /// Full tails that are not on disk yet, oldest first.
    frozen: Vec<Arc<Frozen>>,
    runs: Runs,
    /// What the runs hold.
    on_disk: Totals,
    /// No run has this number or a higher one.
    next_run: u64,
}

impl Index {
    fn empty(dir: Option<PathBuf>, limits: IndexLimits) -> Index {
        Index {
            limits,
            dir,
            totals: Totals::NOTHING,
            tail: Tail::default(),
            base: 1,
            frozen: Vec::new(),
            runs: Runs::default(),
            on_disk: Totals::NOTHING,
            next_run: 1,
        }
    }

    /// The index of a log: what is on disk and belongs to this chain, and all blocks that follow it, checked.
    ///
    /// CORRUPT names the first damaged block among those that were read.
    pub fn open<M: Medium>(medium: &M, limits: IndexLimits) -> Result<Index, StoreError> {
        if let Some(mut index) = Index::load(medium, limits)
            && index.read_on(medium, u64::MAX)?.is_ok()
        {
            return Ok(index);
        }
        Index::rebuild(medium, limits, u64::MAX, 1)
    }

    /// The index of a log up to a position, from its blocks alone. No run gets a number below `next_run`.
    pub fn rebuild<M: Medium>(
        medium: &M,
        limits: IndexLimits,
        until: u64,
        next_run: u64,
    ) -> Result<Index, StoreError> {
        let dir = medium.index_dir();
        if let Some(dir) = &dir {
            Manifest::remove(dir);
            keeper::sweep(dir, &[]);
        }
        let mut index = Index::empty(dir, limits);
        index.next_run = next_run;
        index
            .read_on(medium, until)?
            .map_err(Broken::into_error)
            .map(|()| index)
    }

    /// What the manifest lists, if all of it is whole and the log has the block where it ends.
    fn load<M: Medium>(medium: &M, limits: IndexLimits) -> Option<Index> {
        let dir = medium.index_dir()?;
        let manifest = Manifest::read(&dir)?;
        let tip = manifest.totals.tip;
        let first = medium.floor(tip.head).ok()??;
        let header = block::check(first, &medium.load(first).ok()??).ok()?;
        if header.hash != tip.hash || header.last_position() != tip.head {
            return None;
        }
        let open = |listed: &Listed| Run::open(&dir, listed.number, listed.level).map(Arc::new);
        let runs: Vec<_> = manifest
            .runs
            .iter()
            .map(open)
            .collect::<Result<_, _>>()
            .ok()?;
        keeper::sweep(&dir, &manifest.runs);
        Some(Index {
            limits,
            dir: Some(dir),
            totals: manifest.totals,
            tail: Tail::default(),
            base: tip.head + 1,
            frozen: Vec::new(),
            runs: Runs(Arc::new(runs)),
            on_disk: manifest.totals,
            next_run: manifest.next_run,
        })
    }

    /// Takes the blocks that follow, up to a position. The inner error is one of the index's own files.
    fn read_on<M: Medium>(
        &mut self,
        medium: &M,
        until: u64,
    ) -> Result<Result<(), Broken>, StoreError> {
        let mut broken = None;
        medium.scan(self.totals.tip.head + 1, &mut |at, bytes| {
            if at > until {
                return Ok(false);
            }
            if let Err(e) = self.admit(at, bytes)? {
                broken = Some(e);
                return Ok(false);
            }
            if self.freeze_if_full() {
                // What cannot be written stays in memory; the next full tail tries again.
                let _ = self.write_out();
            }
            Ok(true)
        })?;
        Ok(broken.map_or(Ok(()), Err))
    }

    /// Takes the next block of the chain, or says what is wrong with it. On error the index is not to be used further.
    fn admit(&mut self, at: u64, bytes: &[u8]) -> Result<Result<(), Broken>, StoreError> {
        let block = block::borrow(at, bytes)?;
        let header = block.header;
        self.totals.add(&header)?;
        let mut stream = None;
        for event in block.events() {
            let event = event?;
            let (key, before) = match stream {
                Some((kind, id, key, version)) if kind == event.kind && id == event.id => {
                    (key, version)
                }
                _ => {
                    let key = Key::stream(event.tenant, event.kind, event.id);
                    match self.last(key) {
                        Ok(last) => (key, last.map_or(0, |entry| entry.version)),
                        Err(broken) => return Ok(Err(broken)),
                    }
                }
            };
            let version = event.version;
            if before.checked_add(1) != Some(version) {
                return Err(StoreError::corrupt(
                    at,
                    format!(
                        "version {version} of stream {}/{}/{} follows version {before}",
                        event.tenant, event.kind, event.id
                    ),
                ));
            }
            self.tail.put(key, Entry { version, block: at });
            stream = Some((event.kind, event.id, key, version));
        }
        if let Some(command) = block.command {
            let key = Key::command(block.tenant, command.command_id);
            match self.last(key) {
                Ok(None) => self.tail.put(
                    key,
                    Entry {
                        version: 0,
                        block: at,
                    },
                ),
                Ok(Some(first)) => {
                    return Err(StoreError::corrupt(
                        at,
                        format!(
                            "repeats command {} of block {}",
                            command.command_id, first.block
                        ),
                    ));
                }
                Err(broken) => return Ok(Err(broken)),
            }
        }
        Ok(Ok(()))
    }

    /// Takes a block that the writer has placed, and so checked, itself.
    pub fn take(&mut self, facts: Facts) -> Result<(), StoreError> {
        let block = facts.header.first_position;
        self.totals.add(&facts.header)?;
        for (key, version) in facts.streams {
            self.tail.put(key, Entry { version, block });
        }
        if let Some(key) = facts.command {
            self.tail.put(key, Entry { version: 0, block });
        }
        Ok(())
    }

    pub fn tip(&self) -> Tip {
        self.totals.tip
    }

    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The key's last entry, if it is in memory.
    pub fn in_memory(&self, key: Key) -> Option<Entry> {
        self.tail.last(key).or_else(|| {
            let mut waiting = self.frozen.iter().rev();
            waiting.find_map(|frozen| frozen.tail.last(key))
        })
    }

    /// What is on disk; to be searched without a lock.
    pub fn runs(&self) -> Runs {
        self.runs.clone()
    }

    fn last(&self, key: Key) -> Result<Option<Entry>, Broken> {
        match self.in_memory(key) {
            Some(entry) => Ok(Some(entry)),
            None => self.runs.last(key),
        }
    }

    /// The key's entries above a version that are in memory, ascending, and the runs that hold those before.
    fn above_in_memory(&self, key: Key, version: u64) -> (Vec<Entry>, Runs) {
        let mut found = Vec::new();
        for frozen in &self.frozen {
            found.extend(frozen.tail.above(key, version));
        }
        found.extend(self.tail.above(key, version));
        (found, self.runs())
    }

    /// Puts a full tail aside, to be written. True if there is something to write.
    pub fn freeze_if_full(&mut self) -> bool {
        let begins = self
            .frozen
            .last()
            .map_or(self.on_disk.bytes, |before| before.upto.bytes);
        let full = self.tail.len() >= self.limits.tail_entries.max(1)
            || self.totals.bytes.saturating_sub(begins) >= self.limits.tail_log_bytes;
        if self.dir.is_none() || !full || self.tail.len() == 0 {
            return false;
        }
        self.frozen.push(Arc::new(Frozen {
            tail: std::mem::take(&mut self.tail),
            base: self.base,
            upto: self.totals,
        }));
        self.base = self.totals.tip.head + 1;
        true
    }

    /// Writes what waits, and merges, on this thread. Only while nobody else has the index.
    fn write_out(&mut self) -> Result<(), Broken> {
        let Some(dir) = self.dir.clone() else {
            return Ok(());
        };
        while let Some((number, frozen)) = self.next_frozen() {
            let run = merge::write(&dir, number, &frozen, self.limits)?;
            self.install(&frozen, run);
            self.manifest().write(&dir)?;
        }
        while let Some((number, inputs)) = self.next_merge() {
            if let Some(run) = merge::merge(&dir, number, &inputs, self.limits, &mut || true)? {
                self.install_merged(&inputs, run);
                self.manifest().write(&dir)?;
                inputs.iter().for_each(|input| input.remove());
            }
        }
        Ok(())
    }

    fn number(&mut self) -> u64 {
        self.next_run += 1;
        self.next_run - 1
    }

    /// The oldest tail that waits, and a number for its run.
    fn next_frozen(&mut self) -> Option<(u64, Arc<Frozen>)> {
        let frozen = Arc::clone(self.frozen.first()?);
        Some((self.number(), frozen))
    }

    /// Replaces a tail by its run. False if the index has been made anew meanwhile.
    fn install(&mut self, frozen: &Arc<Frozen>, run: Run) -> bool {
        if !self
            .frozen
            .first()
            .is_some_and(|first| Arc::ptr_eq(first, frozen))
        {
            return false;
        }
        self.frozen.remove(0);
        self.on_disk = frozen.upto;
        Arc::make_mut(&mut self.runs.0).push(Arc::new(run));
        true
    }

    /// Runs of one level, side by side, that are to become one.
    fn next_merge(&mut self) -> Option<(u64, Vec<Arc<Run>>)> {
        let fanout = self.limits.fanout.max(2);
        let same = |window: &&[Arc<Run>]| {
            let level = window.first().map(|run| run.level);
            window.iter().all(|run| Some(run.level) == level)
        };
        // The oldest of the lowest level, so that levels never rise from old to new.
        let windows = self.runs.0.windows(fanout).filter(same);
        let inputs = windows.min_by_key(|window| window.first().map(|run| run.level))?;
        let inputs = inputs.to_vec();
        Some((self.number(), inputs))
    }

    /// Replaces runs by their merge. False if the index has been made anew meanwhile.
    fn install_merged(&mut self, inputs: &[Arc<Run>], merged: Run) -> bool {
        let runs = Arc::make_mut(&mut self.runs.0);
        let same = |window: &[Arc<Run>]| {
            let mut pairs = window.iter().zip(inputs);
            pairs.all(|(a, b)| Arc::ptr_eq(a, b))
        };
        let Some(from) = runs.windows(inputs.len()).position(same) else {
            return false;
        };
        runs.splice(from..from + inputs.len(), [Arc::new(merged)]);
        true
    }

    fn manifest(&self) -> Manifest {
        let listed = |run: &Arc<Run>| Listed {
            number: run.number,
            level: run.level,
        };
        Manifest {
            totals: self.on_disk,
            next_run: self.next_run,
            runs: self.runs.0.iter().map(listed).collect(),
        }
    }

    fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }
}

#[cfg(test)]
mod tests;
