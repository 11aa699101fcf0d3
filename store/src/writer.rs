//! The one thread that writes.
//!
//! It takes what waits, places it in the chain, writes it as one group with one real sync, and only then answers. While
//! it syncs, the next group gathers: under load one sync serves many commits, and no timer is needed.

use std::collections::{HashMap, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use crate::block;
use crate::event_store::Answer;
use crate::index::{Index, Placed, Tip};
use crate::log::{Medium, SealedBlock, Shared};
use crate::queue::Weighed;
use crate::{Appended, Commit, StoreError, StreamKey};

/// Most commits of one group.
const GROUP_COMMITS: usize = 256;
/// Bytes at which a group is closed: 2 MiB keep the answer within a few milliseconds of a slow disk.
const GROUP_BYTES: usize = 2 << 20;

/// A queued commit: encoded by its submitter, so that the writer only places it.
pub(crate) struct Pending {
    tenant: String,
    recorded_at: i64,
    command_id: Option<String>,
    /// Stream and expected version of each event.
    expected: Vec<(StreamKey, u64)>,
    body: Vec<u8>,
    answer: Answer,
}

impl Pending {
    pub fn encode(commit: Commit, answer: Answer) -> Result<Pending, StoreError> {
        Ok(Pending {
            tenant: commit.tenant.clone(),
            recorded_at: commit.recorded_at,
            command_id: commit.command.as_ref().map(|c| c.command_id.clone()),
            expected: commit
                .events
                .iter()
                .map(|event| (event.stream.clone(), event.expected_version))
                .collect(),
            body: block::encode_body(commit)?,
            answer,
        })
    }
}

impl Weighed for Pending {
    fn bytes(&self) -> usize {
        self.body.len() + block::HEADER_BYTES
    }
}

pub(crate) fn start<M: Medium>(shared: Arc<Shared<M>>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("indelible-log".into())
        .spawn(move || {
            // Also when this thread dies by a panic: nobody may wait for a writer that is gone.
            let _stop = CloseOnDrop(Arc::clone(&shared));
            while let Some(group) = shared.queue.take(GROUP_COMMITS, GROUP_BYTES) {
                commit(&shared, group);
            }
        })
}

struct CloseOnDrop<M: Medium>(Arc<Shared<M>>);

impl<M: Medium> Drop for CloseOnDrop<M> {
    fn drop(&mut self) {
        self.0.queue.close();
        // Dropping what waits answers it: its ticket sees that the writer is gone.
        while self.0.queue.take(GROUP_COMMITS, usize::MAX).is_some() {}
    }
}

fn commit<M: Medium>(shared: &Shared<M>, group: Vec<Pending>) {
    if let Some(poisoned) = shared.poisoned() {
        for pending in group {
            // A submitter that no longer waits for its answer has no use for it.
            let _ = pending.answer.send(Err(poisoned.clone()));
        }
        return;
    }
    let mut blocks = Vec::with_capacity(group.len());
    let mut placed = Vec::with_capacity(group.len());
    let mut answers = Vec::with_capacity(group.len());
    {
        let index = shared.index();
        let mut plan = Plan::after(&index);
        for pending in group {
            let (waiting, answer) = plan.place(pending);
            let answer = answer.map(|(sealed, facts)| {
                let appended = Appended {
                    first_position: facts.header.first_position,
                    last_position: facts.header.last_position(),
                };
                blocks.push(sealed);
                placed.push(facts);
                appended
            });
            answers.push((waiting, answer));
        }
    }
    let durable = if blocks.is_empty() {
        Ok(None)
    } else {
        write(shared, &blocks, placed).map(Some)
    };
    // Refusals wait for the sync too: they may rest on a commit of the same group.
    for (waiting, answer) in answers {
        let _ = waiting.send(match &durable {
            Ok(_) => answer,
            Err(failure) => Err(failure.clone()),
        });
    }
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
    placed: Vec<Placed>,
) -> Result<u64, StoreError> {
    let written = catch_unwind(AssertUnwindSafe(|| shared.medium.write(blocks)));
    let failure = match written {
        Ok(Ok(())) => None,
        Ok(Err(full @ StoreError::Full { .. })) => return Err(full),
        Ok(Err(e)) => Some(with_causes(&e)),
        Err(_) => Some("the storage engine panicked while it wrote".to_string()),
    };
    let known = match failure {
        Some(why) => Err(why),
        None => {
            shared.syncs.fetch_add(1, Ordering::AcqRel);
            let mut index = shared.index.write().unwrap_or_else(PoisonError::into_inner);
            placed
                .into_iter()
                .try_for_each(|block| index.admit(block))
                .map(|()| index.tip().head)
                .map_err(|e| with_causes(&e))
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
struct Plan<'a> {
    index: &'a Index,
    tip: Tip,
    versions: HashMap<StreamKey, u64>,
    commands: HashSet<(String, String)>,
}

impl<'a> Plan<'a> {
    fn after(index: &'a Index) -> Plan<'a> {
        Plan {
            index,
            tip: index.tip(),
            versions: HashMap::new(),
            commands: HashSet::new(),
        }
    }

    /// Gives the commit its place, or refuses it and leaves the plan as it was.
    fn place(&mut self, pending: Pending) -> (Answer, Result<(SealedBlock, Placed), StoreError>) {
        let checked = self
            .check_command(&pending)
            .and_then(|command| Ok((command, self.check_versions(&pending)?)));
        let (command, versions) = match checked {
            Ok(checked) => checked,
            Err(refusal) => return (pending.answer, Err(refusal)),
        };
        let first_position = self.tip.head + 1;
        let count =
            u32::try_from(pending.expected.len()).expect("a commit has at most 10,000 events");
        let recorded_at = pending.recorded_at.max(self.tip.recorded_at);
        let (bytes, header) = block::seal(
            first_position,
            count,
            recorded_at,
            &self.tip.hash,
            &pending.body,
        );
        self.commands.extend(command);
        self.versions.extend(versions);
        self.tip = Tip {
            head: header.last_position(),
            hash: header.hash,
            recorded_at,
        };
        let sealed = SealedBlock {
            first_position,
            last_position: header.last_position(),
            hash: header.hash,
            bytes,
        };
        let placed = Placed {
            header,
            tenant: pending.tenant,
            command_id: pending.command_id,
            events: pending
                .expected
                .into_iter()
                .map(|(stream, expected)| (stream, expected + 1))
                .collect(),
        };
        (pending.answer, Ok((sealed, placed)))
    }

    fn check_command(&self, pending: &Pending) -> Result<Option<(String, String)>, StoreError> {
        let Some(command_id) = &pending.command_id else {
            return Ok(None);
        };
        let key = (pending.tenant.clone(), command_id.clone());
        let known = self.index.command(&pending.tenant, command_id);
        if known.is_some() || self.commands.contains(&key) {
            return Err(StoreError::DuplicateCommand {
                tenant: key.0,
                command_id: key.1,
            });
        }
        Ok(Some(key))
    }

    fn check_versions(&self, pending: &Pending) -> Result<HashMap<StreamKey, u64>, StoreError> {
        let mut versions: HashMap<StreamKey, u64> = HashMap::new();
        for (stream, expected) in &pending.expected {
            let actual = versions
                .get(stream)
                .or_else(|| self.versions.get(stream))
                .copied()
                .unwrap_or_else(|| self.index.version(stream));
            if actual != *expected {
                return Err(StoreError::WrongVersion {
                    stream: stream.clone(),
                    expected: *expected,
                    actual,
                });
            }
            versions.insert(stream.clone(), actual + 1);
        }
        Ok(versions)
    }
}
