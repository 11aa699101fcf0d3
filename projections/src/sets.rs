//! Sets of rows: each read model has one that answers, and while it is made again a second one beside it.

use std::collections::BTreeMap;

use indelible_domain::{Event, Recorded};
use indelible_store::{EventStore, StoredEvent};
use serde::{Deserialize, Serialize};

use crate::projection::Registered;
use crate::rows::{self, Folding, behind, set_prefix};
use crate::shelf::{Changes, Shelf};
use crate::{ViewError, parts};

/// Set number 0 holds the list of sets.
const LIST: u32 = 0;
/// Events folded before rows are written.
const BATCH_EVENTS: usize = 2_048;
/// Rows removed at a time.
const REMOVE_ROWS: usize = 4_096;

/// What is stored about a set of rows, in the same batch as the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    pub name: String,
    pub version: u32,
    /// Everything up to this position is folded.
    pub position: u64,
    /// Fingerprint of the event there: rows of another log are noticed.
    pub mark: [u8; 32],
    /// Queries read it.
    pub live: bool,
}

/// A set of rows with the read model that folds it.
#[derive(Clone)]
pub(crate) struct Set {
    pub id: u32,
    pub projection: Registered,
    pub checkpoint: Checkpoint,
}

impl Set {
    pub fn new(id: u32, projection: Registered) -> Set {
        let checkpoint = Checkpoint {
            name: projection.name.to_string(),
            version: projection.version,
            position: 0,
            mark: [0; 32],
            live: false,
        };
        Set {
            id,
            projection,
            checkpoint,
        }
    }

    pub fn list(&self, changes: &mut Changes) -> Result<(), ViewError> {
        let row = rows::encode("sets", &self.checkpoint)?;
        // Its length does not change, so it always is one part.
        parts::write(changes, &list_key(self.id), Some(&row), 1)
    }

    /// True if its position is in the log and the same event is there.
    pub fn fits(&self, store: &dyn EventStore) -> Result<bool, ViewError> {
        let at = self.checkpoint.position;
        if at == 0 || at > store.head() {
            return Ok(at == 0);
        }
        let events = store.read(at - 1, 1)?;
        Ok(events
            .first()
            .is_some_and(|e| mark(e) == self.checkpoint.mark))
    }
}

fn list_key(id: u32) -> Vec<u8> {
    let mut key = set_prefix(LIST);
    // Hexadecimal, because keys hold no zero bytes.
    key.extend_from_slice(format!("{id:08x}").as_bytes());
    key
}

fn mark(event: &StoredEvent) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    hash.update(&event.position.to_be_bytes());
    hash.update(&event.recorded_at.to_be_bytes());
    hash.update(event.stream.to_string().as_bytes());
    hash.update(event.event_type.as_bytes());
    hash.update(&event.payload);
    *hash.finalize().as_bytes()
}

/// Every set in a shelf.
pub(crate) fn listed(shelf: &dyn Shelf) -> Result<BTreeMap<u32, Checkpoint>, ViewError> {
    let from = set_prefix(LIST);
    let mut found = BTreeMap::new();
    parts::scan(shelf, &from, &behind(&from), &mut |key, row, _| {
        let id = key
            .get(from.len()..)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .ok_or_else(|| ViewError::row("sets", "its key is not a number"))?;
        found.insert(id, rows::decode("sets", row)?);
        Ok(true)
    })?;
    Ok(found)
}

/// Removes the rows of a set that answers nobody, then its listing: after a crash in between it is removed again.
pub(crate) fn remove(shelf: &dyn Shelf, id: u32) -> Result<(), ViewError> {
    sweep(shelf, id)?;
    let mut changes = Changes::new();
    parts::write(&mut changes, &list_key(id), None, 1)?;
    shelf.write(&changes)
}

/// Removes whatever rows a set number has.
pub(crate) fn sweep(shelf: &dyn Shelf, id: u32) -> Result<(), ViewError> {
    let from = set_prefix(id);
    loop {
        let mut changes = Changes::new();
        shelf.range(&from, &behind(&from), &mut |key, _| {
            changes.insert(key.to_vec(), None);
            Ok(changes.len() < REMOVE_ROWS)
        })?;
        if changes.is_empty() {
            return Ok(());
        }
        shelf.write(&changes)?;
    }
}

/// Folds the next events, not beyond `until`, into sets. Nothing is written: the answer is one batch of changes with
/// the sets as they are after it; none when there is nothing to fold.
pub(crate) fn advance(
    store: &dyn EventStore,
    shelf: &dyn Shelf,
    sets: &[Set],
    until: u64,
) -> Result<Option<(Changes, Vec<Set>)>, ViewError> {
    let after = sets.iter().map(|s| s.checkpoint.position).min();
    let Some(after) = after.filter(|after| *after < until) else {
        return Ok(None);
    };
    let mut events = store.read(after, BATCH_EVENTS)?;
    events.retain(|e| e.position <= until);
    let Some(last) = events.last() else {
        return Ok(None);
    };
    let (position, mark) = (last.position, mark(last));
    let recorded: Vec<Recorded<Event>> = events
        .into_iter()
        .map(indelible_store::decode)
        .collect::<Result<_, _>>()?;
    let mut changes = Changes::new();
    let mut advanced = sets.to_vec();
    for set in advanced
        .iter_mut()
        .filter(|s| s.checkpoint.position < position)
    {
        let mut folding = Folding::new(shelf, set.id, set.projection.name);
        for event in recorded
            .iter()
            .filter(|e| e.position > set.checkpoint.position)
        {
            (set.projection.fold)(&mut folding.of(&event.tenant), event)?;
        }
        folding.write_to(&mut changes)?;
        set.checkpoint.position = position;
        set.checkpoint.mark = mark;
        set.list(&mut changes)?;
    }
    Ok(Some((changes, advanced)))
}
