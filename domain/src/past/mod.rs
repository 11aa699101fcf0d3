//! What the log remembers and the state does not: the key of every usage record there ever was, and the records of a
//! meter. Both grow with usage for ever, so they lie on disk, and a command asks for the few it needs.
//!
//! The log alone decides what the answers are; nothing here is a fact of its own. [`Memory`] is the plain implementation
//! over facts in memory, and says what any other one must answer.

mod memory;

use crate::kernel::{Id, Rejection};
use crate::mediation::{self, Key, Listed};
use crate::usage;
use crate::world::Event;

pub use memory::{Memory, Over};

/// The record that holds a key (policy 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub content: Key,
    /// Position of the fact that says so last.
    pub position: u64,
    /// It counts on a meter; otherwise it waits or was rejected.
    pub counted: bool,
}

/// One tenant's past, up to the state a command is decided on.
pub trait Past: Sync {
    /// What holds each of these keys, in their order; none where nothing does.
    fn sightings(&self, keys: &[Key]) -> Result<Vec<Option<Sighting>>, Rejection>;

    /// The batch that brought the record that holds a key.
    ///
    /// Errors: RECORD_GONE when nothing holds it.
    fn batch_of(&self, key: &Key) -> Result<Id, Rejection>;

    /// The fact at a position that a sighting names, with the id of its stream.
    fn fact(&self, position: u64) -> Result<(Id, Event), Rejection>;

    /// The facts of a meter, oldest first.
    fn meter(&self, id: &str) -> Result<Vec<usage::Event>, Rejection>;
}

/// What one fact says of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learnt<'a> {
    pub key: Key,
    pub content: Key,
    /// The batch that brought the record.
    pub batch: &'a str,
    /// It counts on a meter. One that does not holds its key only if nothing else does: a correction that cannot be rated
    /// leaves what it would replace.
    pub counted: bool,
}

/// Hands out what a fact says of keys, in its order.
pub fn learn<'e>(stream: &'e str, event: &'e Event, each: &mut impl FnMut(Learnt<'e>)) {
    match event {
        Event::Usage(usage::Event::Rated(e)) => e.records.iter().for_each(|r| {
            each(Learnt {
                key: r.key,
                content: r.content,
                batch: &e.provenance.batch,
                counted: true,
            });
        }),
        Event::Usage(usage::Event::Corrected(e)) => {
            let now = e.corrections.iter().filter_map(|c| c.now.as_ref());
            now.for_each(|r| {
                each(Learnt {
                    key: r.key,
                    content: r.content,
                    batch: &e.batch,
                    counted: true,
                });
            });
        }
        Event::Usage(usage::Event::Recounted(e)) => {
            let now = e.changes.iter().filter_map(|c| Some((c, c.now.as_ref()?)));
            now.for_each(|(change, r)| {
                each(Learnt {
                    key: r.key,
                    content: r.content,
                    batch: &change.batch,
                    counted: true,
                });
            });
        }
        Event::Batch(mediation::Event::Received(e)) => listed(stream, &e.listed, each),
        Event::Batch(mediation::Event::Continued(e)) => listed(stream, &e.listed, each),
        _ => {}
    }
}

/// Records that wait or were rejected.
fn listed<'e>(batch: &'e str, listed: &'e Listed, each: &mut impl FnMut(Learnt<'e>)) {
    let pending = listed.pending.iter().map(|h| &h.record);
    let rejected = listed.rejected.iter().map(|r| &r.record);
    pending.chain(rejected).for_each(|record| {
        each(Learnt {
            key: record.key,
            content: record.content,
            batch,
            counted: false,
        });
    });
}

/// A past that nobody was given: it answers only whoever asks for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unknown;

impl Unknown {
    fn refusal() -> Rejection {
        Rejection::new(
            "PAST_UNKNOWN",
            "this question was asked without the log, and needs it".to_string(),
        )
    }
}

impl Past for Unknown {
    fn sightings(&self, keys: &[Key]) -> Result<Vec<Option<Sighting>>, Rejection> {
        match keys {
            [] => Ok(vec![]),
            _ => Err(Unknown::refusal()),
        }
    }

    fn batch_of(&self, _: &Key) -> Result<Id, Rejection> {
        Err(Unknown::refusal())
    }

    fn fact(&self, _: u64) -> Result<(Id, Event), Rejection> {
        Err(Unknown::refusal())
    }

    fn meter(&self, _: &str) -> Result<Vec<usage::Event>, Rejection> {
        Err(Unknown::refusal())
    }
}

/// The refusal where nothing holds a key that something must hold.
pub fn gone() -> Rejection {
    Rejection::new(
        "RECORD_GONE",
        "the record to be corrected is no longer counted here".to_string(),
    )
}
