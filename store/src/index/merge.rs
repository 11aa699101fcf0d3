//! From tails and runs to runs.

use std::path::Path;
use std::sync::Arc;

use super::run::{Cursor, Run, RunWriter};
use super::{Broken, Entry, Frozen, IndexLimits, Key};

/// Entries of a merge between two looks at what else waits.
const LOOK_UP_AFTER: u64 = 1 << 16;

/// Writes a tail as a run of level 0.
pub(super) fn write(
    dir: &Path,
    number: u64,
    frozen: &Frozen,
    limits: IndexLimits,
) -> Result<Run, Broken> {
    let (base, keys) = (frozen.base, frozen.tail.keys());
    let mut run = RunWriter::begin(dir, (number, 0), base, keys, limits.page_bytes)?;
    for (key, entry) in frozen.tail.sorted() {
        run.put(key, entry)?;
    }
    run.finish()
}

/// Merges runs, given oldest first, into one of the next level. None if `go_on`, asked now and then, says false.
pub(super) fn merge(
    dir: &Path,
    number: u64,
    inputs: &[Arc<Run>],
    limits: IndexLimits,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Run>, Broken> {
    let level = inputs.iter().map(|run| run.level).max().unwrap_or(0);
    let base = inputs.iter().map(|run| run.base).min().unwrap_or(0);
    let keys = inputs.iter().map(|run| run.keys).sum();
    let place = (number, level.saturating_add(1));
    let mut out = RunWriter::begin(dir, place, base, keys, limits.page_bytes)?;
    let mut sources: Vec<(Cursor, Option<(Key, Entry)>)> = Vec::new();
    for run in inputs {
        let mut cursor = run.cursor();
        let first = cursor.next()?;
        sources.push((cursor, first));
    }
    let mut merged = 0u64;
    loop {
        // Of equal keys the oldest run's come first: min_by_key answers the first of equals.
        let next = sources
            .iter_mut()
            .filter(|(_, next)| next.is_some())
            .min_by_key(|(_, next)| next.map(|(key, _)| key));
        let Some((cursor, next)) = next else {
            break;
        };
        if let Some((key, entry)) = *next {
            out.put(key, entry)?;
        }
        *next = cursor.next()?;
        merged += 1;
        if merged.is_multiple_of(LOOK_UP_AFTER) && !go_on() {
            return Ok(None);
        }
    }
    out.finish().map(Some)
}
