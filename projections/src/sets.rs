//! Sets of rows: each read model has one that answers, and while it is made again a second one beside it.

use std::collections::BTreeMap;

use indelible_store::EventStore;
use serde::{Deserialize, Serialize};

use crate::projection::Registered;
use crate::reading::{self, Batch, Interest};
use crate::rows::{self, Folding, behind, set_prefix};
use crate::shelf::{Changes, Shelf};
use crate::{ViewError, parts};

/// Set number 0 holds the list of sets.
const LIST: u32 = 0;
/// Rows removed, or compared, at a time.
const CHUNK_ROWS: usize = 4_096;

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
        parts::write(changes, &list_key(self.id), Some(&row), 1)?;
        Ok(())
    }

    /// Takes over what it has not folded yet.
    pub fn fold(&mut self, rows: &mut Folding<'_>, batch: &Batch) -> Result<(), ViewError> {
        let at = self.checkpoint.position;
        if at >= batch.position {
            return Ok(());
        }
        for event in batch.events.iter().filter(|e| e.position > at) {
            let taken = self.projection.kinds.contains(&event.event.kind());
            if taken || cfg!(debug_assertions) {
                (self.projection.fold)(&mut rows.of(&event.tenant, !taken), event)?;
            }
        }
        self.checkpoint.position = batch.position;
        self.checkpoint.mark = batch.mark;
        Ok(())
    }

    /// True if its position is in the log and the same event is there.
    pub fn fits(&self, store: &dyn EventStore) -> Result<bool, ViewError> {
        let at = self.checkpoint.position;
        if at == 0 || at > store.head() {
            return Ok(at == 0);
        }
        let mut same = false;
        store.replay(at - 1, at, &mut |event| {
            same = reading::mark(event) == self.checkpoint.mark;
            Ok(false)
        })?;
        Ok(same)
    }
}

fn list_key(id: u32) -> Vec<u8> {
    let mut key = set_prefix(LIST);
    // Hexadecimal, because keys hold no zero bytes.
    key.extend_from_slice(format!("{id:08x}").as_bytes());
    key
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
            changes.push((key.to_vec(), None));
            Ok(changes.len() < CHUNK_ROWS)
        })?;
        if changes.is_empty() {
            return Ok(());
        }
        shelf.pour(changes)?;
    }
}

/// True if two sets have the same rows, byte for byte.
pub(crate) fn same(shelf: &dyn Shelf, one: u32, other: u32) -> Result<bool, ViewError> {
    let mut after = Vec::new();
    loop {
        let chunk = rows_after(shelf, one, &after)?;
        if chunk != rows_after(shelf, other, &after)? {
            return Ok(false);
        }
        match chunk.into_iter().next_back() {
            Some((last, _)) => after = last,
            None => return Ok(true),
        }
    }
}

/// The part of a row's key that all sets share, and its value.
type Row = (Vec<u8>, Vec<u8>);

/// Rows with the part of their keys that all sets share, after such a part; none when there are no more.
fn rows_after(shelf: &dyn Shelf, set: u32, after: &[u8]) -> Result<Vec<Row>, ViewError> {
    let prefix = set_prefix(set);
    let mut from = [prefix.as_slice(), after].concat();
    if !after.is_empty() {
        // The first key behind it.
        from.push(0);
    }
    let mut chunk = Vec::new();
    shelf.range(&from, &behind(&prefix), &mut |key, value| {
        let key = key.get(prefix.len()..).unwrap_or_default();
        chunk.push((key.to_vec(), value.to_vec()));
        Ok(chunk.len() < CHUNK_ROWS)
    })?;
    Ok(chunk)
}

/// Folds the next commits, not beyond `until`, into sets. Nothing is written: the answer is one batch of changes with
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
    let Some(batch) = reading::next(store, &Interest::of(sets), after, until)? else {
        return Ok(None);
    };
    let mut changes = Changes::new();
    let mut advanced = sets.to_vec();
    for set in &mut advanced {
        let mut rows = Folding::new(shelf, set.id, set.projection.name);
        set.fold(&mut rows, &batch)?;
        rows.write_to(&mut changes)?;
        set.list(&mut changes)?;
    }
    Ok(Some((changes, advanced)))
}
