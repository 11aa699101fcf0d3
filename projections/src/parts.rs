//! Rows of any length as small values: sled moves large ones to files that it never syncs.
//!
//! A row's first part begins with the number of its parts. Base keys hold no zero byte after their tenant, so parts
//! sort behind their row's key and before the next row.

use crate::ViewError;
use crate::shelf::{Changes, Shelf};

const PART_BYTES: usize = 32 << 10;
const NAME: &str = "rows";

/// Called with base key, value and number of parts; answers whether to go on.
pub type VisitRow<'a> = dyn FnMut(&[u8], &[u8], u16) -> Result<bool, ViewError> + 'a;

/// The key of one part of a row.
fn part_key(base: &[u8], part: u16) -> Vec<u8> {
    let mut key = Vec::with_capacity(base.len() + 3);
    key.extend_from_slice(base);
    key.push(0);
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// Writes a row that had `stored` parts before; no value removes it. Answers how many parts it has now.
pub fn write(
    changes: &mut Changes,
    base: &[u8],
    value: Option<&[u8]>,
    stored: u16,
) -> Result<u16, ViewError> {
    let mut count = 0u16;
    if let Some(value) = value {
        let chunks: Vec<&[u8]> = match value.is_empty() {
            true => vec![value],
            false => value.chunks(PART_BYTES).collect(),
        };
        let all =
            u16::try_from(chunks.len()).map_err(|_| ViewError::row(NAME, "it is too long"))?;
        for chunk in chunks {
            let mut bytes = Vec::with_capacity(chunk.len() + 2);
            if count == 0 {
                bytes.extend_from_slice(&all.to_be_bytes());
            }
            bytes.extend_from_slice(chunk);
            changes.push((part_key(base, count), Some(bytes)));
            count += 1;
        }
    }
    for surplus in count..stored {
        changes.push((part_key(base, surplus), None));
    }
    Ok(count)
}

/// In how many parts a row is stored; 0 if it is not.
pub fn count(shelf: &dyn Shelf, base: &[u8]) -> Result<u16, ViewError> {
    match shelf.get(&part_key(base, 0))? {
        Some(first) => Ok(split_first(&first)?.0),
        None => Ok(0),
    }
}

/// A row and in how many parts it is stored.
pub fn read(shelf: &dyn Shelf, base: &[u8]) -> Result<Option<(Vec<u8>, u16)>, ViewError> {
    let Some(first) = shelf.get(&part_key(base, 0))? else {
        return Ok(None);
    };
    let (count, bytes) = split_first(&first)?;
    let mut value = bytes.to_vec();
    for part in 1..count {
        let more = shelf
            .get(&part_key(base, part))?
            .ok_or_else(|| ViewError::row(NAME, "a part of it is missing"))?;
        value.extend_from_slice(&more);
    }
    Ok(Some((value, count)))
}

/// Visits whole rows with base keys in `[from, until)`, in order: base key, value, number of parts.
pub fn scan(
    shelf: &dyn Shelf,
    from: &[u8],
    until: &[u8],
    visit: &mut VisitRow<'_>,
) -> Result<(), ViewError> {
    let mut long: Option<(u16, u16, Vec<u8>)> = None;
    shelf.range(from, until, &mut |key, bytes| {
        let (base, part) = split_key(key)?;
        if part == 0 {
            let (count, bytes) = split_first(bytes)?;
            if count > 1 {
                long = Some((count, 1, bytes.to_vec()));
                return Ok(true);
            }
            return visit(base, bytes, count);
        }
        let Some((count, seen, mut value)) = long.take() else {
            return Err(ViewError::row(NAME, "a part of it follows no first part"));
        };
        value.extend_from_slice(bytes);
        if seen + 1 == count {
            return visit(base, &value, count);
        }
        long = Some((count, seen + 1, value));
        Ok(true)
    })
}

fn split_first(bytes: &[u8]) -> Result<(u16, &[u8]), ViewError> {
    bytes
        .split_first_chunk::<2>()
        .map(|(count, rest)| (u16::from_be_bytes(*count), rest))
        .ok_or_else(|| ViewError::row(NAME, "it has no number of parts"))
}

fn split_key(key: &[u8]) -> Result<(&[u8], u16), ViewError> {
    let damaged = || ViewError::row(NAME, "its key has no part");
    let (base, part) = key.split_last_chunk::<2>().ok_or_else(damaged)?;
    let (_, base) = base.split_last().ok_or_else(damaged)?;
    Ok((base, u16::from_be_bytes(*part)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryShelf;

    fn put(shelf: &MemoryShelf, base: &[u8], value: Option<&[u8]>) {
        let stored = read(shelf, base).expect("readable").map_or(0, |(_, n)| n);
        let mut changes = Changes::new();
        write(&mut changes, base, value, stored).expect("not too long");
        shelf.write(&changes).expect("memory takes all");
    }

    #[test]
    fn a_long_row_reads_back_whole_and_shrinks_without_leftovers() {
        let shelf = MemoryShelf::default();
        let long: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        put(&shelf, b"b", Some(&long));
        put(&shelf, b"a", Some(b"before"));
        put(&shelf, b"c", Some(b""));
        assert_eq!(
            read(&shelf, b"b").expect("readable"),
            Some((long.clone(), 4))
        );
        let mut seen = vec![];
        scan(&shelf, b"a", b"d", &mut |key, value, _| {
            seen.push((key.to_vec(), value.len()));
            Ok(true)
        })
        .expect("readable");
        assert_eq!(
            seen,
            [
                (b"a".to_vec(), 6),
                (b"b".to_vec(), 100_000),
                (b"c".to_vec(), 0)
            ]
        );
        put(&shelf, b"b", Some(b"short"));
        put(&shelf, b"a", None);
        let mut left = 0;
        shelf
            .range(b"a", b"d", &mut |_, _| {
                left += 1;
                Ok(true)
            })
            .expect("readable");
        assert_eq!(left, 2);
    }
}
