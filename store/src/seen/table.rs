//! The memory up to a position, and how the log's blocks become part of it.

use std::path::PathBuf;

use indelible_domain::Event;
use indelible_domain::past::{self, Learnt};

use super::sight::Sight;
use crate::block::BlockRef;
use crate::runs::key::Key;
use crate::runs::{Broken, IndexLimits, Runs, Shelf, Stack, Tip, Totals};
use crate::{EventRef, EventStore, StoreError};

/// Bytes of log that are read at a time.
const READ_BYTES: usize = 4 << 20;

/// What tells the keys of one tenant from those of another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Salt(Key);

impl Salt {
    pub fn of(tenant: &str) -> Salt {
        let hash = blake3::hash(tenant.as_bytes());
        let mut first = [0; 16];
        for (to, from) in first.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
        Salt(Key::from_bytes(first))
    }

    /// The key in the table. A key is a keyed hash, so nobody can choose two that meet.
    pub fn key(self, key: &[u8; 16]) -> Key {
        let Key(high, low) = Key::from_bytes(*key);
        Key(high ^ self.0.0, low ^ self.0.1)
    }
}

pub(crate) struct Table {
    stack: Stack<Sight>,
    /// Facts behind a tail at which it becomes a run, whatever its rows: a start reads what follows the runs.
    tail_facts: u64,
    /// Everything up to this position was taken.
    pub position: u64,
    /// How often the table was made anew since it was opened.
    pub mends: u64,
}

impl Shelf for Table {
    type Row = Sight;
    const THREAD: &'static str = "indelible-keys";

    fn stack(&self) -> &Stack<Sight> {
        &self.stack
    }

    fn stack_mut(&mut self) -> &mut Stack<Sight> {
        &mut self.stack
    }
}

impl Table {
    /// What a directory holds of this log, or an empty one.
    pub fn open(
        store: &dyn EventStore,
        dir: Option<PathBuf>,
        limits: IndexLimits,
        tail_facts: u64,
    ) -> Table {
        let is_ours = |tip: &Tip| {
            let known = tip.head <= store.head();
            known && store.hash_at(tip.head).is_ok_and(|at| at == Some(tip.hash))
        };
        let loaded = dir
            .clone()
            .and_then(|dir| Stack::load(dir, limits, is_ours));
        let stack = loaded.unwrap_or_else(|| Stack::empty(dir, limits, 1));
        Table {
            position: stack.on_disk().tip.head,
            stack,
            tail_facts,
            mends: 0,
        }
    }

    /// An empty one in its place, of which no run has a number that was used.
    pub fn emptied(&self) -> Table {
        let dir = self.stack.dir().map(Into::into);
        Table {
            stack: Stack::empty(dir, self.stack.limits, self.stack.next_run()),
            tail_facts: self.tail_facts,
            position: 0,
            mends: self.mends + 1,
        }
    }

    /// Fetches where the keys of some facts will lie together, before the first of them is taken, so that the waits for
    /// memory overlap.
    pub fn fetch<'e>(&self, salt: Salt, facts: impl Iterator<Item = (&'e str, &'e Event)>) {
        let mut known = 0_u32;
        for (stream, event) in facts {
            past::learn(stream, event, &mut |learnt: Learnt| {
                known += u32::from(self.stack.tail.holds(salt.key(&learnt.key)));
            });
        }
        std::hint::black_box(known);
    }

    /// Takes the fact at a position.
    pub fn learn(&mut self, salt: Salt, stream: &str, position: u64, event: &Event) {
        let tail = &mut self.stack.tail;
        past::learn(stream, event, &mut |learnt: Learnt| {
            let sight = Sight {
                content: learnt.content,
                position,
                batch: tail.note(learnt.batch),
                counted: learnt.counted,
            };
            tail.put(salt.key(&learnt.key), sight);
        });
        self.position = position;
    }

    /// Takes a durable block, and hands out its facts that follow a position.
    pub fn take(
        &mut self,
        block: &BlockRef<'_>,
        after: u64,
        each: &mut dyn FnMut(&EventRef<'_>, &Event),
    ) -> Result<(), StoreError> {
        let salt = Salt::of(block.tenant);
        for stored in block.events() {
            let stored = stored?;
            let at = stored.position;
            let ours = at > self.position && matches!(stored.kind, "usage" | "batch");
            if ours || at > after {
                let event = Event::decode(stored.event_type, stored.schema, stored.payload)
                    .map_err(|e| StoreError::corrupt(at, e.to_string()))?;
                if ours {
                    self.learn(salt, stored.id, at, &event);
                }
                if at > after {
                    each(&stored, &event);
                }
            }
            self.position = self.position.max(at);
        }
        Ok(())
    }

    /// Takes the log up to a position or its end, and hands out the facts after `after`. Only while nobody else has the
    /// table.
    pub fn read_on(
        &mut self,
        store: &dyn EventStore,
        after: u64,
        until: u64,
        each: &mut dyn FnMut(&EventRef<'_>, &Event),
    ) -> Result<(), StoreError> {
        let mut at = after.min(self.position);
        while at < until {
            let blocks = store.blocks(at, READ_BYTES)?;
            if blocks.is_empty() {
                return Ok(());
            }
            for raw in blocks {
                if raw.first_position > until {
                    return Ok(());
                }
                let block = crate::block::borrow(raw.first_position, &raw.bytes)?;
                self.take(&block, after, each)?;
                at = raw.last_position;
                if self.is_full() && self.position == at {
                    self.stack.freeze(end(at, raw.hash));
                    // What cannot be written stays in memory; the next full tail tries again.
                    let _ = self.stack.write_out();
                }
            }
        }
        Ok(())
    }

    /// Whether the tail is to become a run.
    fn is_full(&self) -> bool {
        let facts = (self.position + 1).saturating_sub(self.stack.base);
        let rows = self.stack.tail.len();
        self.stack.dir().is_some()
            && (rows >= self.stack.limits.tail_entries.max(1) || facts >= self.tail_facts)
    }

    /// Puts a full tail aside, to be written; between two commits. True if there is something to write.
    pub fn freeze_if_full(&mut self) -> bool {
        let full = self.is_full();
        if full {
            self.stack.freeze(end(self.position, [0; 32]));
        }
        full
    }

    /// Writes what is in memory if so much of a tail is worth it, on this thread, at the end. What is not durable stays out.
    pub fn close(&mut self, settle: &dyn Fn(Totals) -> Option<Totals>) -> Result<(), Broken> {
        let (facts, rows) = (self.tail_facts / 4, self.stack.limits.tail_entries / 4);
        let behind = (self.position + 1).saturating_sub(self.stack.base);
        if self.stack.dir().is_some() && (behind >= facts || self.stack.tail.len() >= rows.max(1)) {
            self.stack.freeze(end(self.position, [0; 32]));
        }
        self.stack.write_tails(settle)
    }

    /// What holds a key, as far as memory knows: the newest that counts, or else the oldest.
    pub fn in_memory(&self, key: Key) -> Option<Sight> {
        let mut found = self.stack.tail.last(key);
        for frozen in self.stack.frozen().iter().rev() {
            if found.is_some_and(|f| f.counted) {
                break;
            }
            found = frozen.tail.last(key).or(found);
        }
        found
    }

    /// What holds a key, as far as memory knows, and the name of its batch.
    pub fn named_in_memory(&self, key: Key) -> Option<(Sight, Vec<u8>)> {
        let tails = self.stack.frozen().iter().map(|f| &f.tail);
        let mut found: Option<(Sight, Vec<u8>)> = None;
        for tail in tails.chain([&self.stack.tail]).rev() {
            if found.as_ref().is_some_and(|(f, _)| f.counted) {
                break;
            }
            if let Some(sight) = tail.last(key) {
                let name = tail.noted(sight.batch).unwrap_or_default();
                found = Some((sight, name.to_vec()));
            }
        }
        found
    }

    /// Keys that no run holds yet.
    pub fn keys_in_memory(&self) -> u64 {
        let frozen = self.stack.frozen().iter();
        self.stack.tail.keys() + frozen.map(|f| f.tail.keys()).sum::<u64>()
    }

    /// What is on disk; to be searched without a lock.
    pub fn runs(&self) -> Runs<Sight> {
        self.stack.runs()
    }
}

/// The log up to a position: the rest of its numbers is not this table's concern.
pub(super) fn end(head: u64, hash: [u8; 32]) -> Totals {
    Totals {
        tip: Tip {
            head,
            hash,
            recorded_at: 0,
        },
        ..Totals::NOTHING
    }
}
