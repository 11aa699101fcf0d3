//! What is about to be written to pages, written down first, so that all of it is there after a crash or nothing.
//!
//! The engine has batches for that, and each keeps everybody else out of every database of the process until it is done: a
//! thousand pages of a read model would keep the log waiting for a tenth of a second, again and again during a bill run. What
//! the engine finds after a crash is what was put up to some moment, in that order. So the changes are put as they are, then
//! how many values they take, then they go to their pages one by one, and at last the number is taken away. Where it is still
//! there when the database is opened, the changes are made again: they set rows, so twice is as good as once.

use indelible_store::engine::{Engine, EngineError};

use crate::ViewError;
use crate::shelf::{Change, Changes};

/// Behind the number of every set.
const PREFIX: [u8; 4] = [u8::MAX; 4];
/// The key of the number of values.
const COUNT: u32 = u32::MAX;
/// Bytes at which a value ends. A row with its key has fewer.
const VALUE_BYTES: usize = 48 << 10;
/// Instead of the length of a value: the row is removed.
const REMOVED: u32 = u32::MAX;

fn key(number: u32) -> [u8; 8] {
    let mut key = [0; 8];
    let (prefix, rest) = key.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(&PREFIX);
    rest.copy_from_slice(&number.to_be_bytes());
    key
}

/// Writes changes down.
pub(crate) fn begin(engine: &Engine, changes: &[Change]) -> Result<(), ViewError> {
    let failed = |e| ViewError::engine("writing rows down", e);
    let mut values = 0_u32;
    let mut value = Vec::with_capacity(VALUE_BYTES);
    for (name, to) in changes {
        let more = name.len() + to.as_ref().map_or(0, Vec::len);
        if !value.is_empty() && value.len() + more > VALUE_BYTES {
            engine.put(&key(values), &value).map_err(failed)?;
            values += 1;
            value.clear();
        }
        write(&mut value, name, to.as_deref())?;
    }
    if !value.is_empty() {
        engine.put(&key(values), &value).map_err(failed)?;
        values += 1;
    }
    let count = engine.put(&key(COUNT), &values.to_be_bytes());
    count.map_err(failed)
}

/// They are where they belong.
pub(crate) fn end(engine: &Engine) -> Result<(), ViewError> {
    let removed = engine.remove(&key(COUNT));
    removed.map_err(|e| ViewError::engine("writing rows", e))
}

/// Changes that were written down and may not be where they belong; none: there are none.
///
/// Errors: what is not as it was written, so that the rows have to be made again.
pub(crate) fn unfinished(engine: &Engine) -> Result<Option<Changes>, EngineError> {
    let damaged = || EngineError::Damaged("what was to be written to pages is cut short".into());
    let Some(count) = engine.get(&key(COUNT))? else {
        return Ok(None);
    };
    let count = <[u8; 4]>::try_from(&*count).map_err(|_| damaged())?;
    let mut changes = Changes::new();
    for number in 0..u32::from_be_bytes(count) {
        let value = engine.get(&key(number))?.ok_or_else(damaged)?;
        let mut rest = &*value;
        while !rest.is_empty() {
            changes.push(read(&mut rest).ok_or_else(damaged)?);
        }
    }
    Ok(Some(changes))
}

fn write(out: &mut Vec<u8>, name: &[u8], to: Option<&[u8]>) -> Result<(), ViewError> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).ok().filter(|n| *n != REMOVED);
    let long = || ViewError::row("journal", "its key or its value is too long");
    let named = length(name).ok_or_else(long)?;
    let valued = to.map_or(Some(REMOVED), length).ok_or_else(long)?;
    out.extend_from_slice(&named.to_le_bytes());
    out.extend_from_slice(&valued.to_le_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(to.unwrap_or_default());
    Ok(())
}

fn read(rest: &mut &[u8]) -> Option<Change> {
    let take = |rest: &mut &[u8], bytes: u32| {
        let (taken, left) = rest.split_at_checked(usize::try_from(bytes).ok()?)?;
        *rest = left;
        Some(taken.to_vec())
    };
    let (named, left) = rest.split_first_chunk::<4>()?;
    let (valued, left) = left.split_first_chunk::<4>()?;
    *rest = left;
    let name = take(rest, u32::from_le_bytes(*named))?;
    Some(match u32::from_le_bytes(*valued) {
        REMOVED => (name, None),
        bytes => (name, Some(take(rest, bytes)?)),
    })
}
