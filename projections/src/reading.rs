//! From the log to the events that some read model takes.

use indelible_domain::{Event, Recorded};
use indelible_store::{EventRef, EventStore, StoreError, block};

use crate::ViewError;
use crate::sets::Set;

/// Events that are decoded for one batch, and bytes of their payloads. A batch ends with a commit where readers see it.
const BATCH_EVENTS: usize = 2_048;
const BATCH_BYTES: usize = 1 << 20;
/// Events passed over in one batch, so that progress is told.
const BATCH_SPAN: u64 = 65_536;

/// The kinds of events that some of these sets take.
pub(crate) struct Interest {
    kinds: Vec<&'static str>,
}

impl Interest {
    pub fn of(sets: &[Set]) -> Interest {
        let kinds = sets.iter().flat_map(|set| set.projection.kinds);
        let mut kinds: Vec<&'static str> = kinds.copied().collect();
        kinds.sort_unstable();
        kinds.dedup();
        Interest { kinds }
    }

    /// A debug build takes everything, so that a read model that names too few kinds is found.
    fn takes(&self, event_type: &str) -> bool {
        let kind = event_type.split_once('.').map_or(event_type, |(k, _)| k);
        cfg!(debug_assertions) || self.kinds.contains(&kind)
    }
}

/// A stretch of the log, and the events in it that somebody takes.
pub(crate) struct Batch {
    pub events: Vec<Recorded<Event>>,
    /// The position it ends with.
    pub position: u64,
    /// Fingerprint of the event there.
    pub mark: [u8; 32],
}

/// Fingerprint of an event: rows of another log are noticed by it.
pub(crate) fn mark(event: &EventRef<'_>) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    hash.update(&event.position.to_be_bytes());
    hash.update(&event.recorded_at.to_be_bytes());
    for part in [event.tenant, "/", event.kind, "/", event.id] {
        hash.update(part.as_bytes());
    }
    hash.update(event.event_type.as_bytes());
    hash.update(event.payload);
    *hash.finalize().as_bytes()
}

#[derive(Default)]
struct Filling {
    events: Vec<Recorded<Event>>,
    bytes: usize,
    span: u64,
}

impl Filling {
    fn take(&mut self, interest: &Interest, event: &EventRef<'_>) -> Result<(), StoreError> {
        self.span += 1;
        if interest.takes(event.event_type) {
            self.bytes += event.payload.len();
            self.events.push(indelible_store::decode_ref(event)?);
        }
        Ok(())
    }

    fn full(&self) -> bool {
        self.events.len() >= BATCH_EVENTS || self.bytes >= BATCH_BYTES || self.span >= BATCH_SPAN
    }

    fn end(&mut self, last: &EventRef<'_>) -> Batch {
        Batch {
            events: std::mem::take(self).events,
            position: last.position,
            mark: mark(last),
        }
    }
}

/// The next whole commits after a position, not beyond `until`, which ends a commit; none if there are none.
pub(crate) fn next(
    store: &dyn EventStore,
    interest: &Interest,
    after: u64,
    until: u64,
) -> Result<Option<Batch>, ViewError> {
    let (mut filling, mut last) = (Filling::default(), None);
    let blocks = store.fresh_blocks(after, BATCH_BYTES)?;
    for raw in &blocks {
        if filling.full() || raw.first_position > until {
            break;
        }
        // The store has checked it already.
        let header = block::read_header(raw.first_position, &raw.bytes)?;
        let block = block::borrow_checked(header, &raw.bytes)?;
        for event in block.events() {
            let event = event?;
            if event.position > after {
                filling.take(interest, &event)?;
            }
        }
        last = Some(raw);
    }
    let Some(last) = last else { return Ok(None) };
    let header = block::read_header(last.first_position, &last.bytes)?;
    let mut marked = None;
    for event in block::borrow_checked(header, &last.bytes)?.events() {
        let event = event?;
        if event.position == last.last_position {
            marked = Some(mark(&event));
        }
    }
    Ok(marked.map(|mark| Batch {
        events: filling.events,
        position: last.last_position,
        mark,
    }))
}

/// Everything after a position up to `until`, in batches that may end within a commit, until `send` answers false.
pub(crate) fn stream(
    store: &dyn EventStore,
    interest: &Interest,
    after: u64,
    until: u64,
    send: &mut dyn FnMut(Batch) -> bool,
) -> Result<(), ViewError> {
    let mut filling = Filling::default();
    store.replay(after, until, &mut |event| {
        filling.take(interest, event)?;
        let ends = event.position == until || filling.full();
        Ok(!ends || send(filling.end(event)))
    })?;
    Ok(())
}
