//! The log over any medium: everything but where the bytes lie.
//!
//! [`SledStore`](crate::SledStore) and [`MemoryStore`](crate::MemoryStore) are this type over their medium, so the tests
//! of one speak for the other: same blocks, same chain, same writer, same refusals.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indelible_domain::Staged;

use crate::block::{self, BlockRef, Header};
use crate::event_store::{MAX_EVENTS, MAX_ID_BYTES, MAX_PAYLOAD_BYTES};
use crate::index::key::Key;
use crate::index::{Index, IndexLimits};
use crate::queue::Queue;
use crate::recent::Recent;
use crate::runs::Keeper;
use crate::stall::{self, Watch};
use crate::verify;
use crate::writer::{self, Pending, Queued};
use crate::{
    Commit, EachEvent, EventRef, EventStore, RawBlock, StoreError, StoreStats, StoredEvent,
    StoredReceipt, StreamKey, Ticket, Verified, Writing,
};

/// Runs before each real sync; an error is a failed sync. For tests and drills of what the disk may do.
pub type SyncHook = Box<dyn Fn() -> io::Result<()> + Send + Sync>;

/// A block ready to be written, under its first position.
pub struct SealedBlock {
    pub first_position: u64,
    pub last_position: u64,
    /// Hash of the block: the end of the chain once it is written.
    pub hash: [u8; 32],
    pub bytes: Vec<u8>,
}

/// What a medium takes of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Bytes on disk, as far as the medium counts them; 0 in memory.
    pub bytes: u64,
    /// Directories the log is spread over; 0 in memory.
    pub volumes: u64,
    /// Where the time of writing went.
    pub writing: Writing,
}

/// Where blocks lie.
pub trait Medium: Send + Sync + 'static {
    /// Writes blocks in their order, each whole or not at all, and returns after a real sync. After a crash a later start may
    /// see some of them: the first ones.
    ///
    /// STORAGE_FULL was refused before anything was written: the log answers it and goes on. After any other error nobody
    /// can say what is on disk, so the log stops.
    fn write(&self, blocks: &[SealedBlock]) -> Result<(), StoreError>;

    /// The bytes of the block that begins at a position.
    fn load(&self, first_position: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// First position of the last block that begins at or before a position.
    fn floor(&self, position: u64) -> Result<Option<u64>, StoreError>;

    /// Hands out the stored blocks in order, from the first that begins at or after a position on, until `each` answers
    /// false.
    fn scan(&self, from: u64, each: &mut Each<'_>) -> Result<(), StoreError>;

    /// What the medium takes of the disk.
    fn disk(&self) -> Disk;

    /// Where the disposable index of this log belongs; None if it has no place on disk.
    fn index_dir(&self) -> Option<PathBuf>;
}

/// What [`Medium::scan`] calls with first position and bytes of each block.
pub type Each<'a> = dyn FnMut(u64, &[u8]) -> Result<bool, StoreError> + 'a;

/// Called with the header and the bytes of each block of a walk; false ends it.
type EachBlock<'a> = dyn FnMut(Header, &[u8]) -> Result<bool, StoreError> + 'a;

/// Called with the new head after each durable group.
type Listener = Box<dyn Fn(u64) + Send + Sync>;

/// What the writer and the readers share.
pub(crate) struct Shared<M> {
    pub medium: M,
    pub queue: Queue<Queued>,
    pub index: Arc<Keeper<Index>>,
    /// The durable head; moves after the index.
    head: Mutex<u64>,
    head_moved: Condvar,
    pub syncs: AtomicU64,
    /// What became durable a moment ago.
    pub recent: Recent,
    pub poison: OnceLock<String>,
    pub watch: Watch,
    listeners: RwLock<Vec<Listener>>,
}

impl<M> Shared<M> {
    pub fn poisoned(&self) -> Option<StoreError> {
        self.poison
            .get()
            .map(|why| StoreError::Poisoned { why: why.clone() })
    }

    pub fn publish(&self, head: u64) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
        self.head_moved.notify_all();
    }

    pub fn tell(&self, head: u64) {
        let listeners = self
            .listeners
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter() {
            listener(head);
        }
    }

    fn head(&self) -> u64 {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An [`EventStore`] over a medium. Dropping it writes what is queued, then stops.
pub struct Log<M: Medium> {
    shared: Arc<Shared<M>>,
    threads: Vec<JoinHandle<()>>,
}

impl<M: Medium> Log<M> {
    /// Finds or makes the index, checks every block that is not in it yet, then starts the writer.
    ///
    /// CORRUPT names the first damaged block. Nothing is cut off or repaired: a person decides.
    pub(crate) fn over(medium: M) -> Result<Log<M>, StoreError> {
        Log::over_with(medium, IndexLimits::default())
    }

    /// As [`over`](Log::over), with an index of other sizes.
    pub(crate) fn over_with(medium: M, limits: IndexLimits) -> Result<Log<M>, StoreError> {
        Log::over_patiently(medium, limits, stall::PATIENCE)
    }

    /// As [`over_with`](Log::over_with), and gives a write up that takes longer than this.
    pub(crate) fn over_patiently(
        medium: M,
        limits: IndexLimits,
        patience: Duration,
    ) -> Result<Log<M>, StoreError> {
        let index = Index::open(&medium, limits)?;
        let shared = Arc::new(Shared {
            medium,
            queue: Queue::new(),
            head: Mutex::new(index.tip().head),
            index: Arc::new(Keeper::new(index)),
            head_moved: Condvar::new(),
            syncs: AtomicU64::new(0),
            recent: Recent::default(),
            poison: OnceLock::new(),
            watch: Watch::default(),
            listeners: RwLock::new(Vec::new()),
        });
        let failed = |e| StoreError::io("starting the threads of the log", e);
        let keeper = shared.index.start().map_err(failed)?;
        let started = writer::watch(Arc::clone(&shared), patience)
            .and_then(|watcher| Ok((watcher, writer::start(Arc::clone(&shared))?)));
        let (watcher, writer) = started.map_err(|e| {
            shared.watch.writer_ends();
            shared.index.stop();
            failed(e)
        })?;
        Ok(Log {
            shared,
            threads: vec![writer, keeper, watcher],
        })
    }

    #[cfg(test)]
    pub(crate) fn medium(&self) -> &M {
        &self.shared.medium
    }

    #[cfg(test)]
    pub(crate) fn index(&self) -> &Keeper<Index> {
        &self.shared.index
    }

    /// Hands out the durable blocks, checked by themselves and linked to each other, beginning with the one that holds the
    /// first event after a position, until `each` answers false.
    fn walk(&self, after: u64, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        let head = self.shared.head();
        if after >= head {
            return Ok(());
        }
        let first = self
            .shared
            .medium
            .floor(after + 1)?
            .ok_or_else(|| StoreError::corrupt(1, "missing"))?;
        let (mut expected, mut before, mut ended) = (first, None, false);
        self.shared.medium.scan(first, &mut |at, bytes| {
            // Past the head lies what is written but not yet synced: not a fact yet.
            if at > head {
                return Ok(false);
            }
            if at != expected {
                return Err(StoreError::corrupt(expected, "missing"));
            }
            let header = block::check(at, bytes)?;
            if before.is_some_and(|hash| hash != header.prev_hash) {
                return Err(StoreError::corrupt(
                    at,
                    "does not follow the block before: the chain is broken",
                ));
            }
            before = Some(header.hash);
            expected = header.last_position() + 1;
            ended = !each(header, bytes)?;
            Ok(!ended && expected <= head)
        })?;
        // Fewer than asked for is right only at the head: an end that is lost must not look like the end.
        if expected <= head && !ended {
            return Err(StoreError::corrupt(expected, "missing"));
        }
        Ok(())
    }

    fn queue(&self, pending: Queued, ticket: Ticket) -> Result<Ticket, StoreError> {
        match self.shared.queue.push(pending) {
            Ok(()) => Ok(ticket),
            Err(_) => Err(self.shared.poisoned().unwrap_or(StoreError::Poisoned {
                why: "the log is closed".into(),
            })),
        }
    }

    fn load(&self, first_position: u64) -> Result<Vec<u8>, StoreError> {
        self.shared
            .medium
            .load(first_position)?
            .ok_or_else(|| StoreError::corrupt(first_position, "missing"))
    }
}

impl<M: Medium> Drop for Log<M> {
    fn drop(&mut self) {
        self.shared.queue.close();
        // A listener may hold the last reference; a thread cannot wait for itself.
        let on_writer = (self.threads.first())
            .is_some_and(|writer| writer.thread().id() == std::thread::current().id());
        let writer_ends = !on_writer && self.shared.watch.wait_for_writer();
        for (number, thread) in self.threads.drain(..).enumerate() {
            if (number == 0 && writer_ends) || (number > 0 && !on_writer) {
                // A panic of the writer was answered with POISONED to those who waited.
                let _ = thread.join();
            }
            // The writer ends first, as it may wait for the keeper of the index.
            self.shared.index.stop();
        }
    }
}

impl<M: Medium> fmt::Debug for Log<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("head", &self.shared.head())
            .finish_non_exhaustive()
    }
}

impl<M: Medium> EventStore for Log<M> {
    fn keys_dir(&self) -> Option<PathBuf> {
        let index = self.shared.medium.index_dir()?;
        Some(index.with_file_name("usage-keys"))
    }

    fn submit(&self, commit: Commit) -> Result<Ticket, StoreError> {
        check(&commit)?;
        if let Some(poisoned) = self.shared.poisoned() {
            return Err(poisoned);
        }
        let (answer, ticket) = Ticket::pair();
        let pending = Pending::encode(&commit, answer)?;
        self.queue(Queued::Encoded(pending), ticket)
    }

    fn submit_staged(
        &self,
        commit: Commit,
        staged: Arc<Vec<Staged>>,
    ) -> Result<Ticket, StoreError> {
        check_staged(&commit, &staged)?;
        if let Some(poisoned) = self.shared.poisoned() {
            return Err(poisoned);
        }
        let (answer, ticket) = Ticket::pair();
        let queued = match writer::certain_bytes(&staged) {
            Some(bytes) => Queued::Facts {
                commit: Box::new(commit),
                staged,
                bytes,
                answer,
            },
            None => Queued::Encoded(Pending::encode_staged(&commit, &staged, answer)?),
        };
        self.queue(queued, ticket)
    }

    fn together(&self, submit: &mut dyn FnMut()) {
        let _held = self.shared.queue.hold();
        submit();
    }

    fn head(&self) -> u64 {
        self.shared.head()
    }

    fn read(&self, after: u64, max_events: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let mut events = Vec::new();
        self.walk(after, &mut |header, bytes| {
            for event in block::borrow_checked(header, bytes)?.events() {
                let event = event?;
                if event.position > after {
                    events.push(event.to_stored());
                }
            }
            Ok(events.len() < max_events)
        })?;
        Ok(events)
    }

    fn replay(&self, after: u64, until: u64, each: &mut EachEvent<'_>) -> Result<(), StoreError> {
        if after >= until {
            return Ok(());
        }
        self.walk(after, &mut |header, bytes| {
            for event in block::borrow_checked(header, bytes)?.events() {
                let event = event?;
                if event.position > until {
                    return Ok(false);
                }
                if event.position > after && !each(&event)? {
                    return Ok(false);
                }
            }
            Ok(header.last_position() < until)
        })
    }

    fn blocks(&self, after: u64, max_bytes: usize) -> Result<Vec<RawBlock>, StoreError> {
        let (mut blocks, mut left) = (Vec::new(), max_bytes);
        self.walk(after, &mut |header, bytes| {
            if !blocks.is_empty() && bytes.len() > left {
                return Ok(false);
            }
            left = left.saturating_sub(bytes.len());
            blocks.push(RawBlock {
                first_position: header.first_position,
                last_position: header.last_position(),
                recorded_at: header.recorded_at,
                hash: header.hash,
                bytes: bytes.to_vec(),
            });
            Ok(left > 0)
        })?;
        Ok(blocks)
    }

    fn fresh_blocks(&self, after: u64, max_bytes: usize) -> Result<Vec<RawBlock>, StoreError> {
        match self.shared.recent.after(after, max_bytes) {
            Some(blocks) => Ok(blocks),
            None => self.blocks(after, max_bytes),
        }
    }

    fn hash_at(&self, position: u64) -> Result<Option<[u8; 32]>, StoreError> {
        let Some(before) = position.checked_sub(1) else {
            return Ok(Some(block::GENESIS));
        };
        let mut hash = None;
        self.walk(before, &mut |header, _| {
            hash = (header.last_position() == position).then_some(header.hash);
            Ok(false)
        })?;
        Ok(hash)
    }

    fn read_stream(
        &self,
        key: &StreamKey,
        after_version: u64,
        max: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let shared = &self.shared;
        let stream = Key::stream(&key.tenant, &key.kind, &key.id);
        let entries = shared
            .index
            .above(&shared.medium, stream, after_version, max)?;
        let mut events = Vec::new();
        for entry in entries {
            let bytes = self.load(entry.block)?;
            for event in block::borrow(entry.block, &bytes)?.events() {
                let event = event?;
                if events.len() < max && event.version > after_version && is_of(&event, key) {
                    events.push(event.to_stored());
                }
            }
        }
        Ok(events)
    }

    fn stream_version(&self, key: &StreamKey) -> Result<u64, StoreError> {
        let shared = &self.shared;
        let stream = Key::stream(&key.tenant, &key.kind, &key.id);
        let last = shared.index.last(&shared.medium, stream)?;
        Ok(last.map_or(0, |entry| entry.version))
    }

    fn receipt(&self, tenant: &str, command_id: &str) -> Result<Option<StoredReceipt>, StoreError> {
        let shared = &self.shared;
        let key = Key::command(tenant, command_id);
        let Some(entry) = shared.index.last(&shared.medium, key)? else {
            return Ok(None);
        };
        let bytes = self.load(entry.block)?;
        let BlockRef {
            header,
            tenant: of,
            command,
            ..
        } = block::borrow(entry.block, &bytes)?;
        match command {
            Some(command) if command.command_id == command_id && of == tenant => {
                Ok(Some(StoredReceipt {
                    input_hash: command.input_hash,
                    receipt: command.receipt.into(),
                    last_position: header.last_position(),
                }))
            }
            _ => Err(StoreError::corrupt(
                entry.block,
                format!("does not hold command {command_id}"),
            )),
        }
    }

    fn wait_past(&self, after: u64, timeout: Duration) -> u64 {
        let deadline = Instant::now().checked_add(timeout);
        let mut head = self
            .shared
            .head
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while *head <= after {
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => timeout,
            };
            if left.is_zero() {
                break;
            }
            head = self
                .shared
                .head_moved
                .wait_timeout(head, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *head
    }

    fn on_commit(&self, f: Box<dyn Fn(u64) + Send + Sync>) {
        self.shared
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(f);
    }

    fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified, StoreError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        verify::run(&self.shared.medium, self.shared.head(), threads, progress)
    }

    fn stats(&self) -> StoreStats {
        let disk = self.shared.medium.disk();
        let totals = self.shared.index.read().totals();
        StoreStats {
            events: totals.tip.head,
            blocks: totals.blocks,
            bytes: totals.bytes,
            syncs: self.shared.syncs.load(Ordering::Acquire),
            disk_bytes: disk.bytes,
            volumes: disk.volumes,
            writing: disk.writing,
        }
    }
}

fn is_of(event: &EventRef<'_>, key: &StreamKey) -> bool {
    event.id == key.id && event.kind == key.kind && event.tenant == key.tenant
}

/// Refuses what no state of the log could take.
fn check(commit: &Commit) -> Result<(), StoreError> {
    if commit.events.is_empty() {
        return Err(StoreError::InvalidCommit {
            what: "it holds no events".into(),
        });
    }
    at_most("events of a commit", commit.events.len(), MAX_EVENTS)?;
    name("tenant", &commit.tenant)?;
    id_length("actor", &commit.actor)?;
    id_length("correlation", &commit.correlation)?;
    let mut payload = 0usize;
    if let Some(command) = &commit.command {
        name("command id", &command.command_id)?;
        payload = command.receipt.len();
    }
    for event in &commit.events {
        if event.stream.tenant != commit.tenant {
            return Err(StoreError::InvalidCommit {
                what: format!("stream {} is not of tenant {}", event.stream, commit.tenant),
            });
        }
        name("stream kind", &event.stream.kind)?;
        name("stream id", &event.stream.id)?;
        name("event type", &event.event_type)?;
        payload = payload.saturating_add(event.payload.len());
    }
    check_payload(payload)
}

/// Refuses more payload than a commit may have.
pub(crate) fn check_payload(bytes: usize) -> Result<(), StoreError> {
    at_most(
        "payload and receipt of a commit in bytes",
        bytes,
        MAX_PAYLOAD_BYTES,
    )
}

/// [`check`] of a commit whose events are facts of its tenant.
fn check_staged(commit: &Commit, staged: &[Staged]) -> Result<(), StoreError> {
    if staged.is_empty() || !commit.events.is_empty() {
        return Err(StoreError::InvalidCommit {
            what: "it holds no facts, or other events beside them".into(),
        });
    }
    at_most("events of a commit", staged.len(), MAX_EVENTS)?;
    name("tenant", &commit.tenant)?;
    id_length("actor", &commit.actor)?;
    id_length("correlation", &commit.correlation)?;
    if let Some(command) = &commit.command {
        name("command id", &command.command_id)?;
    }
    staged
        .iter()
        .try_for_each(|fact| name("stream id", &fact.id))
}

fn name(what: &str, name: &str) -> Result<(), StoreError> {
    if name.is_empty() {
        return Err(StoreError::InvalidCommit {
            what: format!("its {what} is empty"),
        });
    }
    id_length(what, name)
}

fn id_length(what: &str, id: &str) -> Result<(), StoreError> {
    match id.len() > MAX_ID_BYTES {
        true => at_most(&format!("{what} in bytes"), id.len(), MAX_ID_BYTES),
        false => Ok(()),
    }
}

fn at_most(what: &str, actual: usize, limit: usize) -> Result<(), StoreError> {
    if actual > limit {
        return Err(StoreError::TooLarge {
            what: what.into(),
            actual,
            limit,
        });
    }
    Ok(())
}
