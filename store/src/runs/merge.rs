//! From tails and runs to runs.

use std::path::Path;
use std::sync::Arc;

use super::run::{Cursor, Run, RunWriter};
use super::{Broken, Frozen, IndexLimits, Key, Row};

/// Entries of a merge between two looks at what else waits.
const LOOK_UP_AFTER: u64 = 1 << 16;

/// Writes a tail as a run of level 0; one of nothing makes none.
pub(super) fn write<R: Row>(
    dir: &Path,
    number: u64,
    frozen: &Frozen<R>,
    limits: IndexLimits,
) -> Result<Option<Run<R>>, Broken> {
    if frozen.tail.len() == 0 {
        return Ok(None);
    }
    let (base, keys) = (frozen.base, frozen.tail.keys());
    let mut run = RunWriter::begin(dir, (number, 0), base, keys, limits.page_bytes)?;
    run.note(frozen.tail.notes())?;
    frozen.tail.each_sorted(&mut |key, row| run.put(key, row))?;
    run.finish().map(Some)
}

/// Merges runs, given oldest first, into one of the next level. None if `go_on`, asked now and then, says false.
pub(super) fn merge<R: Row>(
    dir: &Path,
    number: u64,
    inputs: &[Arc<Run<R>>],
    limits: IndexLimits,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Run<R>>, Broken> {
    let level = inputs.iter().map(|run| run.level).max().unwrap_or(0);
    let base = inputs.iter().map(|run| run.base).min().unwrap_or(0);
    let keys = inputs.iter().map(|run| run.keys).sum();
    let place = (number, level.saturating_add(1));
    let mut out = RunWriter::begin(dir, place, base, keys, limits.page_bytes)?;
    let mut sources: Vec<Source<R>> = Vec::new();
    let mut notes = 0;
    for run in inputs {
        run.copy_notes(&mut out)?;
        let mut source = Source {
            cursor: run.cursor(),
            next: None,
            notes,
        };
        source.move_on()?;
        sources.push(source);
        notes += run.notes_bytes();
    }
    let mut merged = 0u64;
    // What is put next, unless a newer row of its key takes its place.
    let mut open: Option<(Key, R)> = None;
    loop {
        // Of equal keys the oldest run's come first: min_by_key answers the first of equals.
        let next = sources
            .iter_mut()
            .filter(|source| source.next.is_some())
            .min_by_key(|source| source.next.map(|(key, _)| key));
        let Some(source) = next else {
            break;
        };
        if let Some((key, row)) = source.next {
            let joined = match &mut open {
                Some((before, older)) => *before == key && older.join(&row),
                None => false,
            };
            if !joined && let Some((before, older)) = open.replace((key, row)) {
                out.put(before, older)?;
            }
        }
        source.move_on()?;
        merged += 1;
        if merged.is_multiple_of(LOOK_UP_AFTER) && !go_on() {
            return Ok(None);
        }
    }
    if let Some((key, row)) = open {
        out.put(key, row)?;
    }
    out.finish().map(Some)
}

/// One run of a merge.
struct Source<R> {
    cursor: Cursor<R>,
    next: Option<(Key, R)>,
    /// Where its notes begin among those of all.
    notes: u64,
}

impl<R: Row> Source<R> {
    fn move_on(&mut self) -> Result<(), Broken> {
        self.next = self.cursor.next()?;
        if let Some((_, row)) = &mut self.next {
            row.shift_notes(self.notes);
        }
        Ok(())
    }
}
