//! Many rows in one value of the database: a lookup there costs about as much for eight kilobytes as for a hundred
//! bytes, and a row of a read model is small.
//!
//! A page's key is at or before the first of its rows and behind the last row of the page before. A page is of one set,
//! so that sets can be written side by side. Within it each row is: length of the rest of its key (u16), length of its
//! value (u32), both little-endian, the rest of its key behind the set's number, its value.

use crate::ViewError;
use crate::shelf::Change;

/// Bytes of the set's number, with which every key begins.
pub(crate) const SET_BYTES: usize = 4;
/// A page is cut when it would grow beyond.
const PAGE_BYTES: usize = 8 << 10;
/// To guess how many rows a page has.
const USUAL_ROW_BYTES: usize = 128;
const NAME: &str = "pages";

fn damaged() -> ViewError {
    ViewError::row(NAME, "it is cut short")
}

/// A key as the number of its set and the rest.
pub(crate) fn split(key: &[u8]) -> Result<(&[u8], &[u8]), ViewError> {
    key.split_at_checked(SET_BYTES)
        .ok_or_else(|| ViewError::row(NAME, "its key has no set"))
}

/// The rows of a page in order: the rest of the key, the value.
pub(crate) struct PageRows<'p> {
    rest: &'p [u8],
}

pub(crate) fn rows(page: &[u8]) -> PageRows<'_> {
    PageRows { rest: page }
}

impl<'p> PageRows<'p> {
    fn read(&mut self) -> Option<(&'p [u8], &'p [u8])> {
        let (key_bytes, rest) = self.rest.split_first_chunk::<2>()?;
        let (value_bytes, rest) = rest.split_first_chunk::<4>()?;
        let value_bytes = usize::try_from(u32::from_le_bytes(*value_bytes)).ok()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_bytes)))?;
        let (value, rest) = rest.split_at_checked(value_bytes)?;
        self.rest = rest;
        Some((key, value))
    }
}

/// Where each row of a page begins.
pub(crate) fn begins(page: &[u8]) -> Result<Vec<u32>, ViewError> {
    let mut rest = rows(page);
    let mut begins = Vec::with_capacity(page.len() / USUAL_ROW_BYTES);
    loop {
        let at = page.len() - rest.rest.len();
        match rest.next() {
            None => return Ok(begins),
            Some(row) => {
                row?;
                begins.push(u32::try_from(at).map_err(|_| damaged())?);
            }
        }
    }
}

/// The row that begins at a place of a page.
pub(crate) fn row_at(page: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    rows(page.get(at..)?).read()
}

impl<'p> Iterator for PageRows<'p> {
    type Item = Result<(&'p [u8], &'p [u8]), ViewError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let row = self.read().ok_or_else(damaged);
        if row.is_err() {
            self.rest = &[];
        }
        Some(row)
    }
}

/// What a page becomes by changes of its rows, which ascend: no page, one, or several, each with its key.
pub(crate) fn changed(
    key: Option<&[u8]>,
    page: &[u8],
    changes: &[&Change],
) -> Result<Vec<Change>, ViewError> {
    let first = match (key, changes.first()) {
        (Some(key), _) => key,
        (None, Some((first, _))) => first.as_slice(),
        (None, None) => return Ok(Vec::new()),
    };
    let mut filling = Filling {
        set: split(first)?.0,
        key: first.to_vec(),
        bytes: Vec::with_capacity(PAGE_BYTES),
        full: Vec::new(),
    };
    let mut changes = changes.iter().peekable();
    for row in rows(page) {
        let (rest, value) = row?;
        while let Some((new, to)) = changes.next_if(|(k, _)| tail(k) < rest) {
            filling.change(tail(new), to.as_deref())?;
        }
        match changes.next_if(|(k, _)| tail(k) == rest) {
            Some((_, to)) => filling.change(rest, to.as_deref())?,
            None => filling.push(rest, value)?,
        }
    }
    for (new, to) in changes {
        filling.change(tail(new), to.as_deref())?;
    }
    Ok(filling.end(key))
}

/// What stands behind the set's number.
fn tail(key: &[u8]) -> &[u8] {
    key.get(SET_BYTES..).unwrap_or_default()
}

struct Filling<'k> {
    set: &'k [u8],
    key: Vec<u8>,
    bytes: Vec<u8>,
    full: Vec<Change>,
}

impl Filling<'_> {
    fn change(&mut self, rest: &[u8], to: Option<&[u8]>) -> Result<(), ViewError> {
        match to {
            Some(value) => self.push(rest, value),
            None => Ok(()),
        }
    }

    fn push(&mut self, rest: &[u8], value: &[u8]) -> Result<(), ViewError> {
        let long = || ViewError::row(NAME, "its key or its value is too long");
        let key_bytes = u16::try_from(rest.len()).map_err(|_| long())?;
        let value_bytes = u32::try_from(value.len()).map_err(|_| long())?;
        let more = rest.len() + value.len();
        if !self.bytes.is_empty() && self.bytes.len() + more > PAGE_BYTES {
            let next = [self.set, rest].concat();
            let key = std::mem::replace(&mut self.key, next);
            let bytes = std::mem::take(&mut self.bytes);
            self.full.push((key, Some(bytes)));
        }
        self.bytes.extend_from_slice(&key_bytes.to_le_bytes());
        self.bytes.extend_from_slice(&value_bytes.to_le_bytes());
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    fn end(mut self, stored: Option<&[u8]>) -> Vec<Change> {
        if !self.bytes.is_empty() {
            self.full.push((self.key, Some(self.bytes)));
        } else if let Some(key) = stored {
            self.full.push((key.to_vec(), None));
        }
        self.full
    }
}
