//! The one thread that writes.
//!
//! It takes what waits, places it in the chain, writes it as one group with one real sync, and only then answers. While
//! it syncs, the next group gathers: under load one sync serves many commits, and no timer is needed.
//!
//! Encoding, the CRC and the keys of the index are the submitters' work; what is left to this thread is what needs the order:
//! versions, positions and the hash.

mod versions;

use std::collections::{HashMap, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use indelible_domain::Staged;

use crate::block::{self, Encoder};
use crate::event_store::{Answer, MAX_PAYLOAD_BYTES};
use crate::index::key::{ByKey, Key};
use crate::index::{Facts, Tip};
use crate::log::{Medium, SealedBlock, Shared, check_payload};
use crate::queue::Weighed;
use crate::{Appended, Commit, StoreError, StreamKey};
use versions::Versions;

/// Most commits of one group.
const GROUP_COMMITS: usize = 256;
/// Bytes at which a group is closed: 2 MiB keep the answer within a few milliseconds of a slow disk.
const GROUP_BYTES: usize = 2 << 20;
/// Facts from which on the writer encodes them.
const MANY_FACTS: usize = 100;
/// Bytes of payload that certainly fit a commit: half of what one may have.
const CERTAIN_BYTES: usize = MAX_PAYLOAD_BYTES / 2 + MAX_PAYLOAD_BYTES / 4;

/// Bytes of one event of usage, names included, roughly; of one among a few, which may be a document.
const USUAL_EVENT: usize = 256;
const LARGE_EVENT: usize = 1_024;

/// Facts that are fetched together before they are written.
const TOGETHER: usize = 32;

/// Events of one stream, one after the other.
struct Span {
    stream: Key,
    /// The version that the stream must have before the first of them.
    expected: u64,
    count: u32,
    /// Index of the first of them in the commit.
    event: u32,
}

/// A queued commit: encoded by its submitter, so that the writer only places it.
pub(crate) struct Pending {
    recorded_at: i64,
    causation: u64,
    command: Option<Key>,
    spans: Vec<Span>,
    /// Number of events.
    count: u32,
    /// The block, its header still to be filled in.
    block: Vec<u8>,
    body_crc: u32,
    answer: Answer,
}

/// What a submitter queues.
pub(crate) enum Queued {
    Encoded(Pending),
    /// Facts that certainly fit, to be encoded by the writer: who decided them decides the next ones meanwhile.
    Facts {
        commit: Box<Commit>,
        staged: Arc<Vec<Staged>>,
        /// More than their payloads take.
        bytes: usize,
        answer: Answer,
    },
}

impl Weighed for Queued {
    fn bytes(&self) -> usize {
        match self {
            Queued::Encoded(pending) => pending.block.len(),
            Queued::Facts { bytes, .. } => *bytes,
        }
    }
}

impl Queued {
    fn answer(self) -> Answer {
        match self {
            Queued::Encoded(pending) => pending.answer,
            Queued::Facts { answer, .. } => answer,
        }
    }

    /// Encoded, or who is to be told why not.
    fn encoded(self) -> Result<Pending, (Answer, StoreError)> {
        match self {
            Queued::Encoded(pending) => Ok(pending),
            Queued::Facts {
                commit,
                staged,
                answer,
                ..
            } => match encode_facts(&commit, &staged) {
                Ok(encoded) => Ok(Pending::of(&commit, encoded, answer)),
                Err(refusal) => Err((answer, refusal)),
            },
        }
    }
}

/// More bytes than the payloads of these facts take, where it is worth it that the writer encodes them: they are many, and
/// certainly fit a commit, so that nothing is left to be refused.
pub(crate) fn certain_bytes(staged: &[Staged]) -> Option<usize> {
    if staged.len() < MANY_FACTS {
        return None;
    }
    let mut bytes = 0_usize;
    for fact in staged {
        bytes = bytes.saturating_add(fact.size_bound()?);
    }
    (bytes <= CERTAIN_BYTES).then_some(bytes)
}

impl Pending {
    pub fn encode(commit: &Commit, answer: Answer) -> Result<Pending, StoreError> {
        let block = block::encode(commit)?;
        let mut spans = Spans::of(&commit.tenant, commit.events.len());
        for event in &commit.events {
            let StreamKey { kind, id, .. } = &event.stream;
            spans.add((kind, id), event.expected_version);
        }
        let encoded = Encoded {
            block,
            spans: spans.all,
            count: commit.events.len(),
        };
        Ok(Pending::of(commit, encoded, answer))
    }

    /// The names, for a refusal: they lie in the encoded body.
    fn stream(&self, event: u32) -> StreamKey {
        let event = block::unsealed(&self.block, self.count)
            .and_then(|block| block.events().nth(event as usize))
            .and_then(Result::ok);
        match event {
            Some(event) => StreamKey::new(event.tenant, event.kind, event.id),
            None => StreamKey::new("", "", ""),
        }
    }

    fn repeated(&self) -> StoreError {
        let block = block::unsealed(&self.block, self.count);
        let command = block.and_then(|block| block.command);
        StoreError::DuplicateCommand {
            tenant: block.map_or_else(String::new, |block| block.tenant.into()),
            command_id: command.map_or_else(String::new, |command| command.command_id.into()),
        }
    }
}

impl Pending {
    /// As [`encode`](Pending::encode), of a commit whose events are these facts: each is written where it will lie.
    pub fn encode_staged(
        commit: &Commit,
        staged: &[Staged],
        answer: Answer,
    ) -> Result<Pending, StoreError> {
        let encoded = encode_facts(commit, staged)?;
        Ok(Pending::of(commit, encoded, answer))
    }

    fn of(commit: &Commit, encoded: Encoded, answer: Answer) -> Pending {
        let Encoded {
            block,
            spans,
            count,
        } = encoded;
        let command = commit.command.as_ref();
        Pending {
            recorded_at: commit.recorded_at,
            causation: commit.causation,
            command: command.map(|c| Key::command(&commit.tenant, &c.command_id)),
            spans,
            count: u32::try_from(count).expect("a commit's events are counted by `check`"),
            body_crc: block::body_crc(&block),
            block,
            answer,
        }
    }
}

/// A commit as bytes, and where the events of each stream lie in it.
struct Encoded {
    block: Vec<u8>,
    spans: Vec<Span>,
    count: usize,
}

/// The block of a commit whose events are these facts: each is written where it will lie.
fn encode_facts(commit: &Commit, staged: &[Staged]) -> Result<Encoded, StoreError> {
    let usual = match staged.len() < MANY_FACTS {
        true => LARGE_EVENT,
        false => USUAL_EVENT,
    };
    let mut encoder = Encoder::begin(commit, staged.len(), staged.len() * usual);
    let mut spans = Spans::of(&commit.tenant, staged.len());
    for some in staged.chunks(TOGETHER) {
        Staged::fetch(some);
        for fact in some {
            let expected = fact.version.saturating_sub(1);
            let names = (fact.kind, fact.id.as_str());
            spans.add(names, expected);
            encoder.event(names, expected, fact.event.event_type(), |out| {
                let written = fact.event.encode_into(out);
                written.map_err(|e| StoreError::InvalidCommit {
                    what: e.to_string(),
                })
            })?;
        }
    }
    check_payload(encoder.payload)?;
    Ok(Encoded {
        block: encoder.finish()?,
        spans: spans.all,
        count: staged.len(),
    })
}

/// Where consecutive events of one stream lie.
struct Spans<'a> {
    tenant: &'a str,
    all: Vec<Span>,
    last: Option<(&'a str, &'a str)>,
    events: u32,
}

impl<'a> Spans<'a> {
    fn of(tenant: &'a str, room: usize) -> Spans<'a> {
        Spans {
            tenant,
            all: Vec::with_capacity(room),
            last: None,
            events: 0,
        }
    }

    /// Adds an event of a stream, named by kind and id, with the version before it.
    fn add(&mut self, (kind, id): (&'a str, &'a str), expected_version: u64) {
        let same = self.last == Some((kind, id));
        match self.all.last_mut() {
            Some(span)
                if same
                    && span.expected.checked_add(u64::from(span.count))
                        == Some(expected_version) =>
            {
                span.count += 1;
            }
            before => {
                let stream = match before {
                    Some(span) if same => span.stream,
                    _ => Key::stream(self.tenant, kind, id),
                };
                self.all.push(Span {
                    stream,
                    expected: expected_version,
                    count: 1,
                    event: self.events,
                });
            }
        }
        self.last = Some((kind, id));
        self.events += 1;
    }
}

pub(crate) fn start<M: Medium>(shared: Arc<Shared<M>>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("indelible-log".into())
        .spawn(move || {
            // Also when this thread dies by a panic: nobody may wait for a writer that is gone.
            let stop = CloseOnDrop(shared);
            let mut plan = Plan::new(&stop.0);
            while let Some(group) = stop.0.queue.take(GROUP_COMMITS, GROUP_BYTES) {
                commit(&mut plan, group);
            }
        })
}

/// The thread that gives a write up when it takes longer than `patience`.
pub(crate) fn watch<M: Medium>(
    shared: Arc<Shared<M>>,
    patience: Duration,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("indelible-watch".into())
        .spawn(move || {
            let Some(waiting) = shared.watch.wait(patience) else {
                return;
            };
            let why = format!(
                "the storage engine has neither finished nor failed a write for {} s",
                patience.as_secs()
            );
            let why = shared.poison.get_or_init(|| why).clone();
            for answer in waiting {
                answer.send(Err(StoreError::Poisoned { why: why.clone() }));
            }
            shared.queue.close();
            // Dropping what waits answers it.
            while shared.queue.take(GROUP_COMMITS, usize::MAX).is_some() {}
        })
}

struct CloseOnDrop<M: Medium>(Arc<Shared<M>>);

impl<M: Medium> Drop for CloseOnDrop<M> {
    fn drop(&mut self) {
        self.0.queue.close();
        // Dropping what waits answers it: its ticket sees that the writer is gone.
        while self.0.queue.take(GROUP_COMMITS, usize::MAX).is_some() {}
        self.0.watch.writer_ends();
    }
}

fn commit<M: Medium>(plan: &mut Plan<'_, M>, group: Vec<Queued>) {
    let shared = plan.shared;
    if let Some(poisoned) = shared.poisoned() {
        for queued in group {
            queued.answer().send(Err(poisoned.clone()));
        }
        return;
    }
    shared.index.wait_for_room();
    plan.begin();
    let mut blocks = Vec::with_capacity(group.len());
    let mut facts = Vec::with_capacity(group.len());
    let mut answers = Vec::with_capacity(group.len());
    for queued in group {
        let pending = match queued.encoded() {
            Ok(pending) => pending,
            Err((answer, refusal)) => {
                answers.push((answer, Err(refusal)));
                continue;
            }
        };
        match plan.check(&pending) {
            Ok(()) => {
                let (sealed, placed, answer) = plan.place(pending);
                let appended = Appended {
                    first_position: sealed.first_position,
                    last_position: sealed.last_position,
                };
                blocks.push(sealed);
                facts.push(placed);
                answers.push((answer, Ok(appended)));
            }
            Err(refusal) => answers.push((pending.answer, Err(refusal))),
        }
    }
    let durable = if blocks.is_empty() {
        Ok(None)
    } else {
        let waiting = answers.iter().map(|(answer, _)| answer.twin()).collect();
        shared.watch.begin(waiting);
        write(shared, &blocks, facts).map(Some)
    };
    if durable.is_ok() {
        plan.remember();
        shared.recent.put(blocks);
    }
    // Refusals wait for the sync too: they may rest on a commit of the same group.
    for (waiting, answer) in answers {
        waiting.send(match &durable {
            Ok(_) => answer,
            Err(failure) => Err(failure.clone()),
        });
    }
    shared.watch.end();
    if let Ok(Some(head)) = durable {
        // A listener's panic is a bug of the listener; the log goes on.
        let _ = catch_unwind(AssertUnwindSafe(|| shared.tell(head)));
    }
}

/// Makes the blocks durable, then known. Any failure but STORAGE_FULL poisons the log: after a failed sync nobody can say
/// what is on disk, and to sync again would report success for lost pages.
fn write<M: Medium>(
    shared: &Shared<M>,
    blocks: &[SealedBlock],
    facts: Vec<Facts>,
) -> Result<u64, StoreError> {
    let written = catch_unwind(AssertUnwindSafe(|| shared.medium.write(blocks)));
    let failure = match written {
        Ok(Ok(())) => None,
        Ok(Err(full @ StoreError::Full { .. })) => return Err(full),
        Ok(Err(e)) => Some(with_causes(&e)),
        Err(_) => Some("the storage engine panicked while it wrote".to_string()),
    };
    // A write that came to its end after it was given up is read at the next start.
    if let Some(poisoned) = shared.poisoned() {
        return Err(poisoned);
    }
    let known = match failure {
        Some(why) => Err(why),
        None => {
            shared.syncs.fetch_add(1, Ordering::AcqRel);
            know(shared, facts).map_err(|e| with_causes(&e))
        }
    };
    match known {
        Ok(head) => {
            shared.publish(head);
            Ok(head)
        }
        Err(why) => {
            let why = shared.poison.get_or_init(|| why).clone();
            Err(StoreError::Poisoned { why })
        }
    }
}

fn know<M: Medium>(shared: &Shared<M>, facts: Vec<Facts>) -> Result<u64, StoreError> {
    let mut index = shared.index.write();
    let mut full = false;
    for block in facts {
        index.take(block)?;
        full |= index.freeze_if_full();
    }
    let head = index.tip().head;
    drop(index);
    if full {
        shared.index.wake();
    }
    Ok(head)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The log as it will be after the commits of this group that were placed so far.
struct Plan<'a, M: Medium> {
    shared: &'a Shared<M>,
    tip: Tip,
    versions: HashMap<Key, u64, ByKey>,
    commands: HashSet<Key, ByKey>,
    /// Versions of the commit that is being checked, in its order, and by key.
    checked: Vec<(Key, u64)>,
    of_commit: HashMap<Key, u64, ByKey>,
    /// Durable versions. Only this thread changes versions, so they are never old.
    recent: Versions,
    /// Durable versions of the streams of the commit that is being checked, in its order.
    durable: Vec<u64>,
}

impl<'a, M: Medium> Plan<'a, M> {
    fn new(shared: &'a Shared<M>) -> Plan<'a, M> {
        Plan {
            shared,
            tip: Tip::BEFORE_ALL,
            versions: HashMap::default(),
            commands: HashSet::default(),
            checked: Vec::new(),
            of_commit: HashMap::default(),
            recent: Versions::new(),
            durable: Vec::new(),
        }
    }

    /// Begins a group after what is durable.
    fn begin(&mut self) {
        self.tip = self.shared.index.read().tip();
        self.versions.clear();
        self.commands.clear();
    }

    /// Keeps the versions of a group that is durable.
    fn remember(&mut self) {
        for (key, version) in self.versions.drain() {
            self.recent.put(key, version);
        }
    }

    /// Refuses a commit that does not fit, and leaves the plan as it was.
    fn check(&mut self, pending: &Pending) -> Result<(), StoreError> {
        if pending.causation > self.tip.head {
            return Err(StoreError::InvalidCommit {
                what: format!(
                    "it names position {} as its cause, the log ends at {}",
                    pending.causation, self.tip.head
                ),
            });
        }
        if let Some(command) = pending.command {
            let index = &self.shared.index;
            if self.commands.contains(&command)
                || index.last(&self.shared.medium, command)?.is_some()
            {
                return Err(pending.repeated());
            }
        }
        self.checked.clear();
        self.of_commit.clear();
        self.ask(&pending.spans)?;
        for (number, span) in pending.spans.iter().enumerate() {
            let actual = self.version(span.stream, number);
            if actual != span.expected {
                return Err(StoreError::WrongVersion {
                    stream: pending.stream(span.event),
                    expected: span.expected,
                    actual,
                });
            }
            let reached = actual.saturating_add(u64::from(span.count));
            self.checked.push((span.stream, reached));
            self.of_commit.insert(span.stream, reached);
        }
        Ok(())
    }

    /// Finds the durable versions of the streams of a commit, of many together: the waits for memory overlap.
    fn ask(&mut self, spans: &[Span]) -> Result<(), StoreError> {
        let Plan {
            shared,
            recent,
            durable,
            ..
        } = self;
        durable.clear();
        durable.resize(spans.len(), 0);
        for (nth, some) in spans.chunks(TOGETHER).enumerate() {
            let touched = some.iter().fold(0, |t, span| t ^ recent.near(span.stream));
            std::hint::black_box(touched);
            let mut unknown = Vec::new();
            for (span, number) in some.iter().zip(nth * TOGETHER..) {
                match (recent.get(span.stream), durable.get_mut(number)) {
                    (Some(version), Some(slot)) => *slot = version,
                    _ => unknown.push((number, span.stream)),
                }
            }
            if !unknown.is_empty() {
                (shared.index).versions(&shared.medium, &unknown, durable)?;
            }
        }
        Ok(())
    }

    /// Version of a stream after what was placed, and after what was checked of the commit at hand.
    fn version(&self, stream: Key, number: usize) -> u64 {
        let planned = self.of_commit.get(&stream);
        let planned = planned.or_else(|| self.versions.get(&stream));
        planned
            .or_else(|| self.durable.get(number))
            .copied()
            .unwrap_or(0)
    }

    /// Gives a checked commit its place.
    fn place(&mut self, pending: Pending) -> (SealedBlock, Facts, Answer) {
        let Pending {
            command,
            count,
            mut block,
            body_crc,
            answer,
            ..
        } = pending;
        let first_position = self.tip.head + 1;
        let recorded_at = pending.recorded_at.max(self.tip.recorded_at);
        let header = block::seal_in_place(
            first_position,
            count,
            recorded_at,
            &self.tip.hash,
            body_crc,
            &mut block,
        );
        self.commands.extend(command);
        self.versions.extend(self.checked.iter().copied());
        self.tip = Tip {
            head: header.last_position(),
            hash: header.hash,
            recorded_at,
        };
        let sealed = SealedBlock {
            first_position,
            last_position: header.last_position(),
            hash: header.hash,
            bytes: block,
        };
        let facts = Facts {
            header,
            command,
            streams: self.checked.clone(),
        };
        (sealed, facts, answer)
    }
}
