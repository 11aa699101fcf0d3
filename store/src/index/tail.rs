//! The part of the index that no run on disk holds yet: a hash map and the entries it leads to.

use std::collections::HashMap;

use super::Entry;
use super::key::{ByKey, Key};

/// Most bytes of memory per entry of a tail, when every entry has a key of its own and both map and list have
/// just grown.
pub(crate) const BYTES_PER_ENTRY: usize = 106;

/// No entry before this one.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Node {
    entry: Entry,
    /// The key's entry before this one.
    before: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// Key → its last entry.
    last: HashMap<Key, u32, ByKey>,
    nodes: Vec<Node>,
}

impl Tail {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Number of keys.
    pub fn keys(&self) -> u64 {
        self.last.len() as u64
    }

    fn node(&self, number: u32) -> Option<&Node> {
        self.nodes.get(number as usize)
    }

    /// The key's last entry.
    pub fn last(&self, key: Key) -> Option<Entry> {
        Some(self.node(*self.last.get(&key)?)?.entry)
    }

    /// Takes the version a key reached in a block.
    pub fn put(&mut self, key: Key, entry: Entry) {
        let number = u32::try_from(self.nodes.len()).expect("a tail has fewer than 2^32 entries");
        let last = self.last.entry(key).or_insert(NONE);
        let before = *last;
        if let Some(node) = self.nodes.get_mut(before as usize)
            && node.entry.block == entry.block
        {
            node.entry.version = entry.version;
            return;
        }
        *last = number;
        self.nodes.push(Node { entry, before });
    }

    /// The key's entries above a version, ascending.
    pub fn above(&self, key: Key, version: u64) -> Vec<Entry> {
        let mut found = Vec::new();
        let mut next = self.last.get(&key).copied().unwrap_or(NONE);
        while let Some(node) = self.node(next)
            && node.entry.version > version
        {
            found.push(node.entry);
            next = node.before;
        }
        found.reverse();
        found
    }

    /// All entries by key, then in their order.
    pub fn sorted(&self) -> impl Iterator<Item = (Key, Entry)> {
        let mut keys: Vec<(Key, u32)> = self.last.iter().map(|(k, last)| (*k, *last)).collect();
        keys.sort_unstable();
        keys.into_iter().flat_map(move |(key, last)| {
            let mut entries = Vec::new();
            let mut next = last;
            while let Some(node) = self.node(next) {
                entries.push((key, node.entry));
                next = node.before;
            }
            entries.into_iter().rev()
        })
    }
}
