//! The Merkle tree of RFC 9162 2.1 over SHA-256, without a log: hashes, places, proofs.
//!
//! A node is named by its [`Place`]: level 0 holds the leaves, and the node (level, index) covers the leaves from
//! index × 2^level on. At the right edge, where the other half is missing, a node is its only child (2.1.1 splits at
//! the largest power of two below the size, which is the same).

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Where a node stands in the tree of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// 0 = the leaves.
    pub level: u32,
    /// Counted from 0 within the level.
    pub index: u64,
}

/// Hash of a leaf (RFC 9162 2.1.1: behind the byte 0x00).
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(bytes);
    hasher.finalize().into()
}

/// Hash of an inner node (RFC 9162 2.1.1: behind the byte 0x01).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// Root of the tree without leaves: the hash of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Number of nodes of a level.
fn width(size: u64, level: u32) -> u64 {
    match level {
        0..64 => (size >> level) + u64::from(size & ((1 << level) - 1) != 0),
        _ => u64::from(size > 0),
    }
}

/// All levels over some leaf hashes, the leaves first, the root last.
#[derive(Clone, Debug)]
pub struct Levels(Vec<Vec<Hash>>);

impl Levels {
    pub fn over(leaves: Vec<Hash>) -> Levels {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let above = below.chunks(2).map(|pair| match pair {
                [left, right] => node_hash(left, right),
                [alone, ..] => *alone,
                [] => empty_root(),
            });
            let above = above.collect();
            levels.push(above);
        }
        Levels(levels)
    }

    /// The root; that of the empty tree if there is no leaf.
    pub fn root(&self) -> Hash {
        let top = self.0.last().and_then(|top| top.first());
        top.copied().unwrap_or_else(empty_root)
    }

    /// A node; none if the tree has no such place. Above the root there is the root again.
    pub fn node(&self, place: Place) -> Option<Hash> {
        let level = usize::try_from(place.level).ok()?;
        let nodes = self.0.get(level).or_else(|| self.0.last())?;
        nodes.get(usize::try_from(place.index).ok()?).copied()
    }
}

/// The right edge of a tree that grows leaf by leaf: gives every root on the way at the cost of a few hashes.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    /// Complete subtrees, the largest first: one for each bit that is set in the size.
    peaks: Vec<Hash>,
}

impl Edge {
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return empty_root();
        };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The places whose hashes prove that some leaves are in a tree, in order: no more than are needed.
///
/// For one leaf they are its audit path (RFC 9162 2.1.3.1), from the leaf upwards.
pub fn inclusion_places(size: u64, leaves: &BTreeSet<u64>) -> Vec<Place> {
    let mut needed = Vec::new();
    let mut known: BTreeSet<u64> = leaves.range(..size).copied().collect();
    let mut level = 0;
    while width(size, level) > 1 {
        for index in &known {
            let sibling = index ^ 1;
            if sibling < width(size, level) && !known.contains(&sibling) {
                needed.push(Place {
                    level,
                    index: sibling,
                });
            }
        }
        known = known.iter().map(|index| index >> 1).collect();
        level += 1;
    }
    needed
}

/// The root that follows from leaf hashes by index (from 0) and the nodes of a proof (RFC 9162 2.1.3.2, for many
/// leaves at once).
///
/// The error names a leaf outside of the tree, a node that is missing, or one that is not needed.
pub fn root_from(
    size: u64,
    leaves: &BTreeMap<u64, Hash>,
    nodes: &BTreeMap<Place, Hash>,
) -> Result<Hash, String> {
    if let Some(beyond) = leaves.keys().next_back().filter(|last| **last >= size) {
        return Err(format!("leaf {beyond} is not in a tree of {size} leaves"));
    }
    if leaves.is_empty() {
        return Err("there is no leaf to prove".into());
    }
    let mut known = leaves.clone();
    let mut used = 0;
    let mut level = 0;
    while width(size, level) > 1 {
        let mut above = BTreeMap::new();
        for (index, hash) in &known {
            if above.contains_key(&(index >> 1)) {
                continue;
            }
            let place = Place {
                level,
                index: index ^ 1,
            };
            let sibling = match known.get(&place.index) {
                Some(known) => Some(*known),
                None if place.index >= width(size, level) => None,
                None => {
                    used += 1;
                    let node = nodes.get(&place).ok_or_else(|| {
                        format!(
                            "the node at level {level}, index {} is missing",
                            place.index
                        )
                    })?;
                    Some(*node)
                }
            };
            let parent = match sibling {
                None => *hash,
                Some(right) if index & 1 == 0 => node_hash(hash, &right),
                Some(left) => node_hash(&left, hash),
            };
            above.insert(index >> 1, parent);
        }
        known = above;
        level += 1;
    }
    if used != nodes.len() {
        return Err(format!(
            "{} nodes are given, {used} are needed: one does not belong to these events",
            nodes.len()
        ));
    }
    known
        .into_values()
        .next()
        .ok_or_else(|| "there is no leaf to prove".into())
}

/// The places whose hashes prove that the tree of the larger size begins with that of the smaller one, in the order of
/// RFC 9162 2.1.4.1. Empty when there is nothing to prove: equal sizes, or nothing before.
pub fn consistency_places(smaller: u64, larger: u64) -> Vec<Place> {
    let mut path = Vec::new();
    if 0 < smaller && smaller < larger {
        subproof(smaller, 0, larger, true, &mut path);
    }
    path
}

/// SUBPROOF of RFC 9162 2.1.4.1 over the leaves `from..until`; `m` counts from `from`.
fn subproof(m: u64, from: u64, until: u64, whole: bool, path: &mut Vec<Place>) {
    let count = until - from;
    if m == count {
        if !whole {
            path.push(place_of(from, until));
        }
        return;
    }
    let half = split(count);
    if m <= half {
        subproof(m, from, from + half, whole, path);
        path.push(place_of(from + half, until));
    } else {
        subproof(m - half, from + half, until, false, path);
        path.push(place_of(from, from + half));
    }
}

/// Largest power of two below a count above 1.
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// The node that covers exactly these leaves.
fn place_of(from: u64, until: u64) -> Place {
    let count = until - from;
    let level = match count {
        0 | 1 => 0,
        _ => 64 - (count - 1).leading_zeros(),
    };
    Place {
        level,
        index: from >> level,
    }
}

/// Whether a path proves that the tree (`larger`, `larger_root`) begins with the tree (`smaller`, `smaller_root`), by
/// RFC 9162 2.1.4.2.
pub fn consistent(
    (smaller, smaller_root): (u64, Hash),
    (larger, larger_root): (u64, Hash),
    path: &[Hash],
) -> bool {
    if smaller == larger {
        return path.is_empty() && smaller_root == larger_root;
    }
    if smaller == 0 {
        return path.is_empty() && smaller_root == empty_root();
    }
    if smaller > larger {
        return false;
    }
    let mut path = path.iter();
    let first = if smaller.is_power_of_two() {
        Some(&smaller_root)
    } else {
        path.next()
    };
    let Some(first) = first else { return false };
    let (mut small, mut large) = (smaller - 1, larger - 1);
    let ones = small.trailing_ones();
    (small, large) = (small >> ones, large >> ones);
    let (mut from_small, mut from_large) = (*first, *first);
    for node in path {
        if large == 0 {
            return false;
        }
        if small & 1 == 1 || small == large {
            from_small = node_hash(node, &from_small);
            from_large = node_hash(node, &from_large);
            while small & 1 == 0 && small != 0 {
                (small, large) = (small >> 1, large >> 1);
            }
        } else {
            from_large = node_hash(&from_large, node);
        }
        (small, large) = (small >> 1, large >> 1);
    }
    large == 0 && from_small == smaller_root && from_large == larger_root
}

#[cfg(test)]
mod tests;
