//! Sorted runs: a table of rows by key that is larger than memory, written once and never changed.
//!
//! What came last is in memory (the [`Tail`]). When it is full it is written to disk as a run: a sorted, immutable file.
//! Runs of one size class are merged into one of the next, and the manifest says which runs count, and up to which block
//! of which chain. In memory lie a filter per run and the first key of each page, so a key that is nowhere costs no read.
//!
//! A table is disposable: it is made from the log, and made again if it is missing, damaged or of another chain. The index
//! of the log is one ([`crate::index`]), the memory of usage records another ([`crate::seen`]).

mod filter;
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
use crate::block::{GENESIS, HEADER_BYTES, Header};
pub(crate) use keeper::{Keeper, Shelf, sweep};
use key::Key;
pub(crate) use manifest::{Listed, Manifest};
pub(crate) use run::{Run, put_varint, take, varint};
pub(crate) use tail::Tail;

/// Bytes at which a page of a run is full.
pub(crate) const PAGE_BYTES: usize = 4 << 10;
/// Runs of one level that are merged into one of the next.
pub(crate) const FANOUT: usize = 4;
/// Tails that may wait to be written before whoever fills the next one waits for them.
pub(crate) const WAITING_TAILS: usize = 4;

/// What a table holds under a key.
pub(crate) trait Row: Copy + fmt::Debug + Send + Sync + 'static {
    /// First and last bytes of a run's file.
    const RUN: [u8; 4];
    /// First bytes of the manifest.
    const MANIFEST: [u8; 4];
    /// Bits of a run's filter per key: 10 let about one key in 80 through that is not there, 16 about one in 700.
    const FILTER_BITS: u64;

    /// Rises with the log, within a key.
    fn order(&self) -> u64;

    /// Takes over what a newer row of the same key says. False: both rows are kept.
    fn join(&mut self, newer: &Self) -> bool;

    /// Writes the row after the one before it of the same key; positions are counted from `base`.
    fn write(&self, before: Option<&Self>, base: u64, out: &mut Vec<u8>);

    /// Reads what [`write`](Row::write) wrote, and moves on.
    fn read(rest: &mut &[u8], before: Option<&Self>, base: u64) -> Option<Self>;

    /// The notes that the row refers to begin so many bytes later now.
    fn shift_notes(&mut self, _by: u64) {}
}

/// Sizes of a table, smaller in tests so that little data makes many runs.
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
    pub const NOTHING: Totals = Totals {
        tip: Tip::BEFORE_ALL,
        blocks: 0,
        bytes: 0,
    };

    pub fn add(&mut self, header: &Header) -> Result<(), StoreError> {
        self.tip.follow(header)?;
        self.blocks += 1;
        self.bytes += HEADER_BYTES as u64 + u64::from(header.body_len);
        Ok(())
    }
}

/// A file of a table is not what was written. The log itself may be whole.
#[derive(Debug)]
pub(crate) struct Broken(io::Error);

impl Broken {
    pub fn new(what: &str) -> Broken {
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

/// A full tail on its way to disk.
pub(crate) struct Frozen<R> {
    pub tail: Tail<R>,
    /// Position of its first block.
    pub base: u64,
    /// The log up to its last block.
    pub upto: Totals,
}

/// The runs of one moment, oldest first.
pub(crate) struct Runs<R>(pub Arc<Vec<Arc<Run<R>>>>);

impl<R> Clone for Runs<R> {
    fn clone(&self) -> Self {
        Runs(Arc::clone(&self.0))
    }
}

impl<R> Default for Runs<R> {
    fn default() -> Self {
        Runs(Arc::default())
    }
}

/// The tails and runs of a table.
pub(crate) struct Stack<R> {
    pub limits: IndexLimits,
    /// None = all stays in memory.
    dir: Option<PathBuf>,
    pub tail: Tail<R>,
    /// Where the tail begins.
    pub base: u64,
    /// Full tails that are not on disk yet, oldest first.
    frozen: Vec<Arc<Frozen<R>>>,
    runs: Runs<R>,
    /// What the runs hold.
    on_disk: Totals,
    /// No run has this number or a higher one.
    next_run: u64,
}

impl<R: Row> Stack<R> {
    /// An empty one. What a directory holds of another is removed; no run gets a number below `next_run`.
    pub fn empty(dir: Option<PathBuf>, limits: IndexLimits, next_run: u64) -> Stack<R> {
        if let Some(dir) = &dir {
            Manifest::remove(dir);
            sweep(dir, &[]);
        }
        Stack {
            limits,
            dir,
            tail: Tail::default(),
            base: 1,
            frozen: Vec::new(),
            runs: Runs::default(),
            on_disk: Totals::NOTHING,
            next_run,
        }
    }

    /// What the manifest of a directory lists, if all of it is whole and `is_ours` says that its end is of this chain.
    pub fn load(
        dir: PathBuf,
        limits: IndexLimits,
        is_ours: impl FnOnce(&Tip) -> bool,
    ) -> Option<Stack<R>> {
        let manifest = Manifest::read::<R>(&dir)?;
        if !is_ours(&manifest.totals.tip) {
            return None;
        }
        let open = |listed: &Listed| Run::open(&dir, listed.number, listed.level).map(Arc::new);
        let runs: Result<Vec<_>, Broken> = manifest.runs.iter().map(open).collect();
        let runs = Runs(Arc::new(runs.ok()?));
        sweep(&dir, &manifest.runs);
        Some(Stack {
            limits,
            dir: Some(dir),
            tail: Tail::default(),
            base: manifest.totals.tip.head + 1,
            frozen: Vec::new(),
            runs,
            on_disk: manifest.totals,
            next_run: manifest.next_run,
        })
    }

    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// What the runs hold.
    pub fn on_disk(&self) -> Totals {
        self.on_disk
    }

    pub fn next_run(&self) -> u64 {
        self.next_run
    }

    /// Full tails that are not on disk yet, oldest first.
    pub fn frozen(&self) -> &[Arc<Frozen<R>>] {
        &self.frozen
    }

    /// What is on disk; to be searched without a lock.
    pub fn runs(&self) -> Runs<R> {
        self.runs.clone()
    }

    /// Puts the tail aside, to be written; the log up to its last block is `upto`.
    pub fn freeze(&mut self, upto: Totals) {
        let next = self.tail.successor();
        self.frozen.push(Arc::new(Frozen {
            tail: std::mem::replace(&mut self.tail, next),
            base: self.base,
            upto,
        }));
        self.base = upto.tip.head + 1;
    }

    /// Writes what waits, and merges, on this thread. Only while nobody else has the table.
    pub fn write_out(&mut self) -> Result<(), Broken> {
        let Some(dir) = self.dir.clone() else {
            return Ok(());
        };
        self.write_tails(&Some)?;
        while let Some((number, inputs)) = self.next_merge() {
            if let Some(run) = merge::merge(&dir, number, &inputs, self.limits, &mut || true)? {
                self.install_merged(&inputs, run);
                self.manifest().write::<R>(&dir)?;
                inputs.iter().for_each(|input| input.remove());
            }
        }
        Ok(())
    }

    /// Writes what waits, on this thread, as far as `settle` answers. Only while nobody else has the table.
    pub fn write_tails(&mut self, settle: &dyn Fn(Totals) -> Option<Totals>) -> Result<(), Broken> {
        let Some(dir) = self.dir.clone() else {
            return Ok(());
        };
        while let Some((number, frozen)) = self.next_frozen() {
            let Some(upto) = settle(frozen.upto) else {
                return Ok(());
            };
            let run = merge::write(&dir, number, &frozen, self.limits)?;
            self.install(&frozen, run, upto);
            self.manifest().write::<R>(&dir)?;
        }
        Ok(())
    }

    fn number(&mut self) -> u64 {
        self.next_run += 1;
        self.next_run - 1
    }

    /// The oldest tail that waits, and a number for its run.
    fn next_frozen(&mut self) -> Option<(u64, Arc<Frozen<R>>)> {
        let frozen = Arc::clone(self.frozen.first()?);
        Some((self.number(), frozen))
    }

    /// Replaces a tail by its run. False if the table has been made anew meanwhile.
    fn install(&mut self, frozen: &Arc<Frozen<R>>, run: Option<Run<R>>, upto: Totals) -> bool {
        if !self
            .frozen
            .first()
            .is_some_and(|first| Arc::ptr_eq(first, frozen))
        {
            return false;
        }
        self.frozen.remove(0);
        self.on_disk = upto;
        // Facts of nothing make no run: only the end moves on.
        if let Some(run) = run {
            let mut runs = self.runs.0.to_vec();
            runs.push(Arc::new(run));
            self.runs = Runs(Arc::new(runs));
        }
        true
    }

    /// Runs of one level, side by side, that are to become one.
    fn next_merge(&mut self) -> Option<(u64, Vec<Arc<Run<R>>>)> {
        let fanout = self.limits.fanout.max(2);
        let same = |window: &&[Arc<Run<R>>]| {
            let level = window.first().map(|run| run.level);
            window.iter().all(|run| Some(run.level) == level)
        };
        // The oldest of the lowest level, so that levels never rise from old to new.
        let windows = self.runs.0.windows(fanout).filter(same);
        let inputs = windows.min_by_key(|window| window.first().map(|run| run.level))?;
        let inputs = inputs.to_vec();
        Some((self.number(), inputs))
    }

    /// Replaces runs by their merge. False if the table has been made anew meanwhile.
    fn install_merged(&mut self, inputs: &[Arc<Run<R>>], merged: Run<R>) -> bool {
        let mut runs = self.runs.0.to_vec();
        let same = |window: &[Arc<Run<R>>]| {
            let mut pairs = window.iter().zip(inputs);
            pairs.all(|(a, b)| Arc::ptr_eq(a, b))
        };
        let Some(from) = runs.windows(inputs.len()).position(same) else {
            return false;
        };
        runs.splice(from..from + inputs.len(), [Arc::new(merged)]);
        self.runs = Runs(Arc::new(runs));
        true
    }

    fn manifest(&self) -> Manifest {
        let listed = |run: &Arc<Run<R>>| Listed {
            number: run.number,
            level: run.level,
        };
        Manifest {
            totals: self.on_disk,
            next_run: self.next_run,
            runs: self.runs.0.iter().map(listed).collect(),
        }
    }
}
