//! The part of a table that no run on disk holds yet: a hash map and the rows it leads to.

use std::collections::HashMap;

use super::Row;
use super::key::{ByKey, Key};

/// No row before this one.
const NONE: u32 = u32::MAX;
/// Longest note: its length is 16 bits.
const MAX_NOTE: usize = u16::MAX as usize;

#[derive(Debug)]
struct Node<R> {
    row: R,
    /// The key's row before this one.
    before: u32,
}

#[derive(Debug)]
pub(crate) struct Tail<R> {
    /// Key → its last row.
    last: HashMap<Key, u32, ByKey>,
    nodes: Vec<Node<R>>,
    /// Texts that rows refer to by where they begin: each with its length before and its CRC behind it.
    notes: Vec<u8>,
    /// Where the last note begins: what follows often says the same.
    last_note: usize,
}

impl<R> Default for Tail<R> {
    fn default() -> Self {
        Tail {
            last: HashMap::default(),
            nodes: Vec::new(),
            notes: Vec::new(),
            last_note: 0,
        }
    }
}

impl<R: Row> Tail<R> {
    /// Most bytes of memory per row, when every row has a key of its own and both map and list have just grown.
    pub const BYTES_PER_ROW: usize = 58 + 2 * size_of::<Node<R>>();

    /// An empty tail with room for as many rows as this one took, so that it need not grow under whoever fills it.
    pub fn successor(&self) -> Tail<R> {
        Tail {
            last: HashMap::with_capacity_and_hasher(self.last.len(), ByKey::default()),
            nodes: Vec::with_capacity(self.nodes.len()),
            ..Tail::default()
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Number of keys.
    pub fn keys(&self) -> u64 {
        self.last.len() as u64
    }

    fn node(&self, number: u32) -> Option<&Node<R>> {
        self.nodes.get(number as usize)
    }

    /// The key's last row.
    pub fn last(&self, key: Key) -> Option<R> {
        Some(self.node(*self.last.get(&key)?)?.row)
    }

    /// Whether the key has any row.
    pub fn holds(&self, key: Key) -> bool {
        self.last.contains_key(&key)
    }

    /// Takes the key's next row.
    pub fn put(&mut self, key: Key, row: R) {
        let number = u32::try_from(self.nodes.len()).expect("a tail has fewer than 2^32 entries");
        let last = self.last.entry(key).or_insert(NONE);
        let before = *last;
        if let Some(node) = self.nodes.get_mut(before as usize)
            && node.row.join(&row)
        {
            return;
        }
        *last = number;
        self.nodes.push(Node { row, before });
    }

    /// The key's rows above an order, ascending.
    pub fn above(&self, key: Key, order: u64) -> Vec<R> {
        let mut found = Vec::new();
        let mut next = self.last.get(&key).copied().unwrap_or(NONE);
        while let Some(node) = self.node(next)
            && node.row.order() > order
        {
            found.push(node.row);
            next = node.before;
        }
        found.reverse();
        found
    }

    /// Hands out all rows by key, then in their order.
    pub fn each_sorted<E>(&self, each: &mut impl FnMut(Key, R) -> Result<(), E>) -> Result<(), E> {
        let mut keys: Vec<(Key, u32)> = self.last.iter().map(|(k, last)| (*k, *last)).collect();
        keys.sort_unstable();
        let mut rows = Vec::new();
        for (key, last) in keys {
            let mut next = last;
            while let Some(node) = self.node(next) {
                rows.push(node.row);
                next = node.before;
            }
            while let Some(row) = rows.pop() {
                each(key, row)?;
            }
        }
        Ok(())
    }

    /// Where a note begins that rows may refer to; the one that was noted last is not noted again.
    pub fn note(&mut self, text: &str) -> u64 {
        let text = text.as_bytes();
        let text = text.get(..MAX_NOTE).unwrap_or(text);
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        let last = self.notes.get(self.last_note..).unwrap_or_default();
        if let Some((known, rest)) = last.split_first_chunk::<2>()
            && *known == length.to_le_bytes()
            && rest.starts_with(text)
        {
            return self.last_note as u64;
        }
        self.last_note = self.notes.len();
        self.notes.extend_from_slice(&length.to_le_bytes());
        self.notes.extend_from_slice(text);
        self.notes
            .extend_from_slice(&crc32fast::hash(text).to_le_bytes());
        self.last_note as u64
    }

    /// The note that begins there.
    pub fn noted(&self, at: u64) -> Option<&[u8]> {
        read_note(self.notes.get(usize::try_from(at).ok()?..))
    }

    pub fn notes(&self) -> &[u8] {
        &self.notes
    }
}

/// A note at the front of some bytes, if it is whole.
pub(super) fn read_note(bytes: Option<&[u8]>) -> Option<&[u8]> {
    let (length, rest) = bytes?.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let crc = u32::from_le_bytes(*rest.first_chunk::<4>()?);
    (crc32fast::hash(text) == crc).then_some(text)
}

/// Most bytes of a note in a file.
pub(super) const NOTE_BYTES: usize = 2 + MAX_NOTE + 4;
