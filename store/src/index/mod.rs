//! Where the blocks of a stream and of a command lie.
//!
//! What came last is in memory (the tail). When the tail is full it is written to disk as a run: a sorted, immutable file.
//! Runs of one size class are merged into one of the next, and the manifest says which runs count, and up to which block
//! of which chain. Nothing else may grow with the log: where a block begins is asked of the medium.
//!
//! The index is disposable. If it is missing, damaged or of another chain, it is made again from the log; nothing that is
//! acknowledged waits for its files, and no answer depends on whether they are there (`docs/decisions/0009-stream-index.md`).

use crate::StoreError;
use crate::block::{self, Header};
use crate::log::Medium;
pub use crate::runs::IndexLimits;
pub(crate) use crate::runs::key;
use crate::runs::key::Key;
pub(crate) use crate::runs::{Broken, Tip, Totals};
use crate::runs::{
    FANOUT, Keeper, PAGE_BYTES, Row, Runs, Shelf, Stack, Tail, WAITING_TAILS, put_varint, varint,
};

/// Entries of a tail at which it becomes a run. An entry is one stream or one command of one block.
const TAIL_ENTRIES: usize = 1 << 17;
/// Bytes of log behind a tail at which it becomes a run however few entries it has: a start reads what follows the runs.
const TAIL_LOG_BYTES: u64 = 128 << 20;

/// Most bytes of memory that the tails take: one that fills and those that wait.
pub const INDEX_TAIL_BYTES: usize =
    TAIL_ENTRIES * (1 + WAITING_TAILS) * Tail::<Entry>::BYTES_PER_ROW;
/// Most bytes of memory per million keys (streams and commands) on disk: the filter, and a fence of 32 bytes per page,
/// which holds 100 keys or more. A stream counts once for each run that has it.
pub const INDEX_BYTES_PER_MILLION_KEYS: usize =
    1_000_000 * Entry::FILTER_BITS as usize / 8 + 1_000_000 / 100 * 32;

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

impl Row for Entry {
    const RUN: [u8; 4] = *b"INDR";
    const MANIFEST: [u8; 4] = *b"INDX";
    const FILTER_BITS: u64 = 10;

    fn order(&self) -> u64 {
        self.version
    }

    /// Within one block, only the highest version counts.
    fn join(&mut self, newer: &Entry) -> bool {
        let same = self.block == newer.block;
        if same {
            self.version = newer.version;
        }
        same
    }

    fn write(&self, before: Option<&Entry>, base: u64, out: &mut Vec<u8>) {
        let (version, block) = before.map_or((0, base), |before| (before.version, before.block));
        put_varint(out, self.version.saturating_sub(version));
        put_varint(out, self.block.saturating_sub(block));
    }

    fn read(rest: &mut &[u8], before: Option<&Entry>, base: u64) -> Option<Entry> {
        let (version, block) = before.map_or((0, base), |before| (before.version, before.block));
        Some(Entry {
            version: version.checked_add(varint(rest)?)?,
            block: block.checked_add(varint(rest)?)?,
        })
    }
}

/// What the index keeps of a block that was just written.
pub(crate) struct Facts {
    pub header: Header,
    pub command: Option<Key>,
    /// Each stream of the block with the version it reached; a stream may come again, later and higher.
    pub streams: Vec<(Key, u64)>,
}

impl Runs<Entry> {
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
    stack: Stack<Entry>,
    totals: Totals,
    /// How often the index was made anew since it was opened.
    mends: u64,
}

impl Shelf for Index {
    type Row = Entry;
    const THREAD: &'static str = "indelible-index";

    fn stack(&self) -> &Stack<Entry> {
        &self.stack
    }

    fn stack_mut(&mut self) -> &mut Stack<Entry> {
        &mut self.stack
    }
}

impl Index {
    fn over(stack: Stack<Entry>) -> Index {
        Index {
            totals: stack.on_disk(),
            stack,
            mends: 0,
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
        let mut index = Index::over(Stack::empty(medium.index_dir(), limits, next_run));
        index
            .read_on(medium, until)?
            .map_err(Broken::into_error)
            .map(|()| index)
    }

    /// What the manifest lists, if all of it is whole and the log has the block where it ends.
    fn load<M: Medium>(medium: &M, limits: IndexLimits) -> Option<Index> {
        let is_ours = |tip: &Tip| {
            let block = || {
                let first = medium.floor(tip.head).ok()??;
                block::check(first, &medium.load(first).ok()??).ok()
            };
            block().is_some_and(|h| h.hash == tip.hash && h.last_position() == tip.head)
        };
        Stack::load(medium.index_dir()?, limits, is_ours).map(Index::over)
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
                let _ = self.stack.write_out();
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
            self.stack.tail.put(key, Entry { version, block: at });
            stream = Some((event.kind, event.id, key, version));
        }
        if let Some(command) = block.command {
            let key = Key::command(block.tenant, command.command_id);
            match self.last(key) {
                Ok(None) => self.stack.tail.put(
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
            self.stack.tail.put(key, Entry { version, block });
        }
        if let Some(key) = facts.command {
            self.stack.tail.put(key, Entry { version: 0, block });
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
        self.stack.tail.last(key).or_else(|| {
            let mut waiting = self.stack.frozen().iter().rev();
            waiting.find_map(|frozen| frozen.tail.last(key))
        })
    }

    /// What is on disk; to be searched without a lock.
    pub fn runs(&self) -> Runs<Entry> {
        self.stack.runs()
    }

    fn last(&self, key: Key) -> Result<Option<Entry>, Broken> {
        match self.in_memory(key) {
            Some(entry) => Ok(Some(entry)),
            None => self.stack.runs().last(key),
        }
    }

    /// The key's entries above a version that are in memory, ascending, and the runs that hold those before.
    fn above_in_memory(&self, key: Key, version: u64) -> (Vec<Entry>, Runs<Entry>) {
        let mut found = Vec::new();
        for frozen in self.stack.frozen() {
            found.extend(frozen.tail.above(key, version));
        }
        found.extend(self.stack.tail.above(key, version));
        (found, self.runs())
    }

    /// Puts a full tail aside, to be written. True if there is something to write.
    pub fn freeze_if_full(&mut self) -> bool {
        let stack = &self.stack;
        let begins = match stack.frozen().last() {
            Some(before) => before.upto.bytes,
            None => stack.on_disk().bytes,
        };
        let full = stack.tail.len() >= stack.limits.tail_entries.max(1)
            || self.totals.bytes.saturating_sub(begins) >= stack.limits.tail_log_bytes;
        let freezes = stack.dir().is_some() && full && stack.tail.len() > 0;
        if freezes {
            self.stack.freeze(self.totals);
        }
        freezes
    }
}

impl Keeper<Index> {
    /// The key's last entry. Files are read without a lock.
    pub fn last<M: Medium>(&self, medium: &M, key: Key) -> Result<Option<Entry>, StoreError> {
        self.mended(medium, || {
            let runs = {
                let index = self.read();
                match index.in_memory(key) {
                    Some(entry) => return Ok(Some(entry)),
                    None => index.runs(),
                }
            };
            runs.last(key)
        })
    }

    /// The last versions of some keys, each with the number of its place; one that there is nothing of is left as it is.
    pub fn versions<M: Medium>(
        &self,
        medium: &M,
        keys: &[(usize, Key)],
        versions: &mut [u64],
    ) -> Result<(), StoreError> {
        let found = self.mended(medium, || {
            let mut found = Vec::with_capacity(keys.len());
            let mut open = Vec::new();
            let runs = {
                let index = self.read();
                for (place, key) in keys {
                    match index.in_memory(*key) {
                        Some(entry) => found.push((*place, entry.version)),
                        None => open.push((*place, *key)),
                    }
                }
                index.runs()
            };
            // Most are new, and each run's filter is asked for all of them at once: the waits for memory overlap.
            let mut maybe = Vec::new();
            for run in runs.0.iter().rev() {
                maybe.clear();
                run.candidates(&open, &mut maybe);
                for (place, key) in &maybe {
                    if let Some(entry) = run.look_up(*key)? {
                        found.push((*place, entry.version));
                        open.retain(|(other, _)| other != place);
                    }
                }
            }
            Ok(found)
        })?;
        for (place, version) in found {
            if let Some(slot) = versions.get_mut(place) {
                *slot = version;
            }
        }
        Ok(())
    }

    /// At most `max` of the key's entries above a version, ascending.
    pub fn above<M: Medium>(
        &self,
        medium: &M,
        key: Key,
        version: u64,
        max: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.mended(medium, || {
            let (in_memory, runs) = self.read().above_in_memory(key, version);
            let mut found = runs.above(key, version, max)?;
            found.extend(in_memory.into_iter().take(max.saturating_sub(found.len())));
            Ok(found)
        })
    }

    /// Asks the index; if a file of it is broken, makes the index anew from the log and asks once more.
    fn mended<M: Medium, T>(
        &self,
        medium: &M,
        ask: impl Fn() -> Result<T, Broken>,
    ) -> Result<T, StoreError> {
        let seen = self.read().mends;
        match ask() {
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.mend(medium, seen)?;
                ask().map_err(Broken::into_error)
            }
        }
    }

    /// Makes the index anew, unless somebody has since it was seen. Everybody waits meanwhile.
    fn mend<M: Medium>(&self, medium: &M, seen: u64) -> Result<(), StoreError> {
        let mut index = self.write();
        if index.mends == seen {
            let (until, next_run) = (index.tip().head, index.stack.next_run());
            *index = Index::rebuild(medium, index.stack.limits, until, next_run)?;
            index.mends = seen + 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
