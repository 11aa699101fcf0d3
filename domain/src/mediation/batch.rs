//! One batch of usage as it was received, and what became of each of its records.
//!
//! - received = accepted + duplicates + conflicts + unreadable, and accepted = rated + pending + rejected + superseded,
//!   per batch and at every moment (policy 14). When a later batch corrects a record, the record moves from rated,
//!   pending or rejected to superseded in the batch it came with, so the sums over all batches hold too.
//! - A batch id is taken once: sent again with other content it is refused.

use super::{Key, UsageRecord};
use crate::command::UsageCounts;
use crate::events;
use crate::kernel::{Decider, Id, Rejection};
use crate::usage::chunks;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub source: String,
    pub format: String,
    pub name: String,
    pub digest: [u8; 32],
    /// As they are now.
    pub counts: UsageCounts,
    /// Records waiting for a subscription.
    pub pending: Vec<Held>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unreadable {
    pub line: u64,
    pub code: String,
    pub reason: String,
}

/// A record with a known key and other content, where the format allows no correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    pub line: u64,
    pub key: Key,
    /// The batch that brought the record that stands.
    pub batch: Id,
}

/// A record that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub record: UsageRecord,
    pub reason: Rejection,
}

/// A record that cannot be rated; nothing of it stays in meters and wallets (policy 17).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    pub record: UsageRecord,
    pub reason: Rejection,
}

/// A record that a later line of the same batch corrects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replaced {
    pub line: u64,
    pub key: Key,
    /// The line that holds in its place.
    pub by: u64,
}

/// Every line that is not simply rated, with its reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    pub unreadable: Vec<Unreadable>,
    /// Lines.
    pub duplicates: Vec<u64>,
    pub conflicts: Vec<Conflict>,
    pub pending: Vec<Held>,
    pub rejected: Vec<Refused>,
    pub superseded: Vec<Replaced>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    pub source: String,
    pub format: String,
    /// File name or caller.
    pub name: String,
    pub digest: [u8; 32],
    pub counts: UsageCounts,
    pub listed: Listed,
}

/// More of the same list: one event has a largest size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Continued {
    pub listed: Listed,
}

/// Records that waited were rated, or cannot be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    pub rated: Vec<Key>,
    pub rejected: Vec<Refused>,
}

/// Records of this batch were corrected by a later one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Superseded {
    pub by: Id,
    pub rated: Vec<Key>,
    pub pending: Vec<Key>,
    pub rejected: Vec<Key>,
}

/// Records of this batch that were superseded count again: what took their place was undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    pub by: Id,
    pub rated: Vec<Key>,
}

events! {
    /// What happens to a batch.
    pub enum Event in "batch" {
        Received = "received" 1,
        Continued = "continued" 1,
        Settled = "settled" 1,
        Superseded = "superseded" 1,
        Restored = "restored" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Receive(Box<Received>),
    Settle {
        rated: Vec<Key>,
        rejected: Vec<Refused>,
    },
    /// `rated` were in meters; `unrated` were waiting or rejected.
    Supersede {
        by: Id,
        rated: Vec<Key>,
        unrated: Vec<Key>,
    },
    /// They are on meters again.
    Restore {
        by: Id,
        rated: Vec<Key>,
    },
}

impl Decider for Batch {
    type State = Batch;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Batch, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Receive(received) => Ok(receive(*received)),
            Command::Settle { rated, rejected } if rated.is_empty() && rejected.is_empty() => {
                Ok(vec![])
            }
            Command::Settle { rated, rejected } => Ok(vec![Settled { rated, rejected }.into()]),
            Command::Restore { rated, .. } if rated.is_empty() => Ok(vec![]),
            Command::Restore { by, rated } => Ok(vec![Restored { by, rated }.into()]),
            Command::Supersede { by, rated, unrated } => {
                let waiting: BTreeSet<Key> = state.pending.iter().map(|h| h.record.key).collect();
                let (pending, rejected) =
                    unrated.into_iter().partition(|key| waiting.contains(key));
                Ok(vec![
                    Superseded {
                        by,
                        rated,
                        pending,
                        rejected,
                    }
                    .into(),
                ])
            }
        }
    }

    fn evolve(state: &mut Batch, event: &Event) {
        let counts = &mut state.counts;
        match event {
            Event::Received(e) => {
                *counts = e.counts;
                state.source.clone_from(&e.source);
                state.format.clone_from(&e.format);
                state.name.clone_from(&e.name);
                state.digest = e.digest;
                state.pending = e.listed.pending.clone();
            }
            Event::Continued(e) => state.pending.extend(e.listed.pending.iter().cloned()),
            Event::Settled(e) => {
                let done: BTreeSet<Key> = e
                    .rated
                    .iter()
                    .copied()
                    .chain(e.rejected.iter().map(|r| r.record.key))
                    .collect();
                state.pending.retain(|h| !done.contains(&h.record.key));
                counts.pending = counts
                    .pending
                    .saturating_sub((e.rated.len() + e.rejected.len()) as u64);
                counts.rated += e.rated.len() as u64;
                counts.rejected += e.rejected.len() as u64;
            }
            Event::Superseded(e) => {
                state.pending.retain(|h| !e.pending.contains(&h.record.key));
                counts.rated = counts.rated.saturating_sub(e.rated.len() as u64);
                counts.pending = counts.pending.saturating_sub(e.pending.len() as u64);
                counts.rejected = counts.rejected.saturating_sub(e.rejected.len() as u64);
                counts.superseded += (e.rated.len() + e.pending.len() + e.rejected.len()) as u64;
            }
            Event::Restored(e) => {
                counts.rated += e.rated.len() as u64;
                counts.superseded = counts.superseded.saturating_sub(e.rated.len() as u64);
            }
        }
    }
}

/// One list entry of any kind, for packing lists into events.
enum Entry {
    Unreadable(Unreadable),
    Conflict(Conflict),
    Pending(Held),
    Rejected(Refused),
    Superseded(Replaced),
}

fn size(entry: &Entry) -> usize {
    match entry {
        Entry::Unreadable(u) => 24 + u.code.len() + u.reason.len(),
        Entry::Conflict(c) => 40 + c.batch.len(),
        Entry::Pending(Held { record, reason }) | Entry::Rejected(Refused { record, reason }) => {
            record.size() + reason.code.len() + reason.message.len()
        }
        Entry::Superseded(_) => 32,
    }
}

/// The first event holds the counts and what fits; the rest follows in as many as it takes.
fn receive(received: Received) -> Vec<Event> {
    let Received {
        source,
        format,
        name,
        digest,
        counts,
        listed,
    } = received;
    let mut entries: Vec<Entry> = listed
        .unreadable
        .into_iter()
        .map(Entry::Unreadable)
        .collect();
    entries.extend(listed.conflicts.into_iter().map(Entry::Conflict));
    entries.extend(listed.pending.into_iter().map(Entry::Pending));
    entries.extend(listed.rejected.into_iter().map(Entry::Rejected));
    entries.extend(listed.superseded.into_iter().map(Entry::Superseded));
    let mut parts = chunks(entries, size).into_iter().map(list);
    // Line numbers of duplicates are small: even a batch of nothing else fits beside the first part.
    let first = Listed {
        duplicates: listed.duplicates,
        ..parts.next().unwrap_or_default()
    };
    let mut events: Vec<Event> = vec![
        Received {
            source,
            format,
            name,
            digest,
            counts,
            listed: first,
        }
        .into(),
    ];
    events.extend(parts.map(|listed| Continued { listed }.into()));
    events
}

fn list(entries: Vec<Entry>) -> Listed {
    let mut listed = Listed::default();
    for entry in entries {
        match entry {
            Entry::Unreadable(e) => listed.unreadable.push(e),
            Entry::Conflict(e) => listed.conflicts.push(e),
            Entry::Pending(e) => listed.pending.push(e),
            Entry::Rejected(e) => listed.rejected.push(e),
            Entry::Superseded(e) => listed.superseded.push(e),
        }
    }
    listed
}
