//! The trait every log keeps, and the values that go in and come out.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use indelible_domain::Staged;

use crate::{StoreError, codec};

/// Most events in one commit. A batch of usage is one, and each of its records may move a meter and counters of its own.
pub const MAX_EVENTS: usize = 40_000;
const _: () = assert!(MAX_EVENTS >= 4 * indelible_domain::mediation::LINES_MAX);
/// Most bytes of payloads and receipt together in one commit (8 MiB).
pub const MAX_PAYLOAD_BYTES: usize = 8 << 20;
/// Longest tenant, stream kind, stream id, event type, actor, correlation and command id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 200;

/// Names a stream. There is no stream without a tenant, so no reader can forget to ask for one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamKey {
    pub tenant: String,
    pub kind: String,
    pub id: String,
}

impl StreamKey {
    /// The stream `id` of the given kind, of one tenant.
    pub fn new(
        tenant: impl Into<String>,
        kind: impl Into<String>,
        id: impl Into<String>,
    ) -> StreamKey {
        StreamKey {
            tenant: tenant.into(),
            kind: kind.into(),
            id: id.into(),
        }
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.kind, self.id)
    }
}

/// An event on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub stream: StreamKey,
    /// The version the stream must have before this event; 0 = the stream is empty.
    pub expected_version: u64,
    pub event_type: String,
    /// The version of the payload's shape.
    pub schema: u16,
    pub payload: Vec<u8>,
}

/// The command that caused a commit, remembered for ever, so that a repeated command gets its first answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    pub command_id: String,
    pub input_hash: [u8; 32],
    #[serde(with = "serde_bytes")]
    pub receipt: Vec<u8>,
}

/// The unit of durability and of atomicity: all of it is in the log, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// All streams of the commit are of this tenant.
    pub tenant: String,
    /// Microseconds since 1970 UTC. Raised to that of the commit before, if lower: the log's time never decreases.
    pub recorded_at: i64,
    pub actor: String,
    pub correlation: String,
    /// Position of the event that caused this commit; 0 = none.
    pub causation: u64,
    pub command: Option<CommandRecord>,
    pub events: Vec<NewEvent>,
}

/// An event as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// 1-based and gapless over the log.
    pub position: u64,
    pub stream: StreamKey,
    /// 1-based and gapless per stream.
    pub version: u64,
    pub event_type: String,
    pub schema: u16,
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
    /// Microseconds since 1970 UTC; never decreases with the position.
    pub recorded_at: i64,
    pub actor: String,
    pub command_id: Option<String>,
    pub correlation: String,
    /// Position of the causing event; 0 = none.
    pub causation: u64,
}

/// A [`StoredEvent`] that lies where it was read: the fast road for whoever folds the whole log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// 1-based and gapless over the log.
    pub position: u64,
    pub tenant: &'a str,
    /// Kind of the stream.
    pub kind: &'a str,
    /// Id of the stream.
    pub id: &'a str,
    /// 1-based and gapless per stream.
    pub version: u64,
    pub event_type: &'a str,
    pub schema: u16,
    pub payload: &'a [u8],
    /// Microseconds since 1970 UTC; never decreases with the position.
    pub recorded_at: i64,
    pub actor: &'a str,
    pub command_id: Option<&'a str>,
    pub correlation: &'a str,
    /// Position of the causing event; 0 = none.
    pub causation: u64,
}

impl EventRef<'_> {
    /// A copy that outlives the block.
    pub fn to_stored(&self) -> StoredEvent {
        StoredEvent {
            position: self.position,
            stream: StreamKey::new(self.tenant, self.kind, self.id),
            version: self.version,
            event_type: self.event_type.into(),
            schema: self.schema,
            payload: self.payload.into(),
            recorded_at: self.recorded_at,
            actor: self.actor.into(),
            command_id: self.command_id.map(Into::into),
            correlation: self.correlation.into(),
            causation: self.causation,
        }
    }
}

/// A durable block as it is stored (`docs/log-format.md`), checked by itself: CRC and hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBlock {
    pub first_position: u64,
    pub last_position: u64,
    /// Microseconds since 1970 UTC.
    pub recorded_at: i64,
    /// The block's place in the chain: it stands for every byte up to its end.
    pub hash: [u8; 32],
    /// Header and body.
    pub bytes: Vec<u8>,
}

/// Where a commit landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    pub first_position: u64,
    pub last_position: u64,
}

/// The remembered answer of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredReceipt {
    pub input_hash: [u8; 32],
    #[serde(with = "serde_bytes")]
    pub receipt: Vec<u8>,
    /// Last position of the command's commit.
    pub last_position: u64,
}

/// What a check of the whole chain found in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    pub blocks: u64,
    pub events: u64,
    /// Last position checked.
    pub head: u64,
    /// Hash of the last block: it stands for every byte before it. Kept elsewhere, it also shows a lost end.
    pub head_hash: [u8; 32],
}

/// Counters since the log was opened (`syncs`), and sizes of all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStats {
    pub events: u64,
    pub blocks: u64,
    /// Bytes of all blocks, headers included, before the storage engine adds its own.
    pub bytes: u64,
    /// Real syncs of the log since it was opened: one per group of commits.
    pub syncs: u64,
    /// Bytes the log takes on disk, as far as the medium counts them; 0 in memory.
    pub disk_bytes: u64,
    /// Directories the log is spread over; 0 in memory.
    pub volumes: u64,
    /// Where the time of writing went since the log was opened; of this process, so not part of what is printed.
    #[serde(skip)]
    pub writing: Writing,
}

/// Time that the writer spent on groups of commits, by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writing {
    /// Compressing and checksumming blocks.
    pub packing: Duration,
    /// In the storage engine, its flush included.
    pub engine: Duration,
    /// Our own sync.
    pub sync: Duration,
}

/// A commit that is queued; [`wait`](Ticket::wait) tells when it is durable.
#[derive(Debug)]
#[must_use = "a commit is durable only when its ticket says so"]
pub struct Ticket(Arc<Mutex<Outcome>>);

/// The other end of a [`Ticket`]. Dropped without an answer, it answers POISONED.
#[derive(Debug)]
pub struct Answer(Arc<Mutex<Outcome>>);

#[derive(Debug)]
enum Outcome {
    Open,
    /// Somebody sleeps until it is known.
    Awaited(Thread),
    Known(Result<Appended, StoreError>),
}

impl Ticket {
    /// A ticket and the end that answers it, for implementations of [`EventStore`].
    pub fn pair() -> (Answer, Ticket) {
        let outcome = Arc::new(Mutex::new(Outcome::Open));
        (Answer(Arc::clone(&outcome)), Ticket(outcome))
    }

    /// Waits until the commit is on disk after a real sync, or refused. A refused commit left nothing.
    pub fn wait(self) -> Result<Appended, StoreError> {
        loop {
            {
                let mut outcome = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                match &*outcome {
                    Outcome::Known(answer) => return answer.clone(),
                    Outcome::Open => *outcome = Outcome::Awaited(thread::current()),
                    Outcome::Awaited(_) => {}
                }
            }
            thread::park();
        }
    }
}

impl Answer {
    /// Tells the outcome, and wakes who waits for it.
    pub fn send(self, answer: Result<Appended, StoreError>) {
        self.tell(answer);
    }

    /// Another end of the same ticket: the first to answer is heard.
    pub(crate) fn twin(&self) -> Answer {
        Answer(Arc::clone(&self.0))
    }

    fn tell(&self, answer: Result<Appended, StoreError>) {
        let before = {
            let mut outcome = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &*outcome {
                Outcome::Known(_) => return,
                _ => std::mem::replace(&mut *outcome, Outcome::Known(answer)),
            }
        };
        if let Outcome::Awaited(thread) = before {
            thread.unpark();
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.tell(Err(StoreError::Poisoned {
            why: "the writer stopped before it answered".into(),
        }));
    }
}

/// What [`EventStore::replay`] calls with each event; false ends the replay.
pub type EachEvent<'a> = dyn FnMut(&EventRef<'_>) -> Result<bool, StoreError> + 'a;

/// An append-only log of events: one total order, one writer, many readers.
pub trait EventStore: Send + Sync {
    /// Queues the commit and returns at once with a ticket. The queue is bounded: when it is full this blocks,
    /// which is the back-pressure.
    ///
    /// Errors known at once: TOO_LARGE, INVALID_COMMIT, POISONED. The rest comes with the ticket.
    fn submit(&self, commit: Commit) -> Result<Ticket, StoreError>;

    /// As [`submit`](EventStore::submit), of a commit whose events are these facts of its tenant; its own list of events is
    /// empty. The log and the answer are the same; a store may write the facts where they will lie, without a copy of each.
    fn submit_staged(
        &self,
        commit: Commit,
        staged: Arc<Vec<Staged>>,
    ) -> Result<Ticket, StoreError> {
        let tenant = commit.tenant.as_str();
        let events = staged.iter().map(|fact| codec::encode(tenant, fact));
        let events = events.collect::<Result<_, _>>()?;
        self.submit(Commit { events, ..commit })
    }

    /// Calls `submit`, which submits commits and waits for none of them. A store may take what it submitted as one group, with
    /// one sync; commits that others submit meanwhile may wait for it.
    fn together(&self, submit: &mut dyn FnMut()) {
        submit();
    }

    /// Submits and waits until the commit is durable.
    fn append(&self, commit: Commit) -> Result<Appended, StoreError> {
        self.submit(commit)?.wait()
    }

    /// Last durable position; 0 = the log is empty.
    fn head(&self) -> u64;

    /// Durable events after a position, in order: whole blocks until `max_events` is reached, so it may give more,
    /// and at least one block if there is one. Of a block that `after` cuts, the events up to it are left out.
    fn read(&self, after: u64, max_events: usize) -> Result<Vec<StoredEvent>, StoreError>;

    /// Calls `each` with every durable event after a position up to and including `until` (or the head of this moment, if
    /// that is lower) in order, until it answers false. The events are borrowed from their block: this is the fast road for
    /// replay. `each` runs while a block is held, so it must not wait for a commit.
    ///
    /// CORRUPT names the first damaged or missing block; what `each` was given before it is good.
    fn replay(&self, after: u64, until: u64, each: &mut EachEvent<'_>) -> Result<(), StoreError>;

    /// Whole durable blocks in order, beginning with the one that holds the first event after a position: at least one if
    /// there is one, then as many as stay within `max_bytes`.
    fn blocks(&self, after: u64, max_bytes: usize) -> Result<Vec<RawBlock>, StoreError>;

    /// As [`blocks`](EventStore::blocks), and what became durable a moment ago may be given as it was written, without being
    /// read from the disk again: for who follows the log. Perhaps fewer of them.
    fn fresh_blocks(&self, after: u64, max_bytes: usize) -> Result<Vec<RawBlock>, StoreError> {
        self.blocks(after, max_bytes)
    }

    /// Hash of the durable block that ends at a position: it stands for every byte of the log up to there. None if no
    /// block ends there. At position 0 it is [`GENESIS`](crate::block::GENESIS).
    fn hash_at(&self, position: u64) -> Result<Option<[u8; 32]>, StoreError>;

    /// At most `max` durable events of one stream after a version, in order.
    fn read_stream(
        &self,
        key: &StreamKey,
        after_version: u64,
        max: usize,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Version of the stream's last durable event; 0 = the stream is empty.
    fn stream_version(&self, key: &StreamKey) -> Result<u64, StoreError>;

    /// The remembered answer of a command, if its commit is durable.
    fn receipt(&self, tenant: &str, command_id: &str) -> Result<Option<StoredReceipt>, StoreError>;

    /// Blocks until the head is past `after` or the timeout is over; returns the head.
    fn wait_past(&self, after: u64, timeout: Duration) -> u64;

    /// Calls `f` with the new head after each durable group of commits, on the writer's thread after it has
    /// answered: `f` must be short and must not append.
    fn on_commit(&self, f: Box<dyn Fn(u64) + Send + Sync>);

    /// Checks the whole durable chain: magic, version, CRC, hashes and their chain, gapless positions and stream
    /// versions, no repeated command, `recorded_at` never decreasing. Calls `progress(position, head)` on the way.
    ///
    /// Damage answers CORRUPT with the first position of the first damaged block.
    fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified, StoreError>;

    /// Counters and sizes.
    fn stats(&self) -> StoreStats;

    /// Where the memory of usage keys of this log may keep its disposable files; none if it has no place on disk.
    fn keys_dir(&self) -> Option<PathBuf> {
        None
    }
}
