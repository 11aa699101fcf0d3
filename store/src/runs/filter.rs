//! A filter over the keys of one run: says for certain what is not in it, without touching the disk.
//!
//! A Bloom filter in blocks of 32 bytes: a key has one bit in each of the eight words of one block, so a look-up touches
//! one line of the processor's cache, and those of many keys overlap. Blocks follow each other in the order of the keys.

use super::key::Key;

const LANES: usize = 8;
/// Odd numbers without a pattern, one per word of a block (the fractional digits of π).
const SALTS: [u32; LANES] = [
    0x243F_6A89,
    0x85A3_08D3,
    0x1319_8A2F,
    0x0370_7345,
    0xA409_3823,
    0x299F_31D1,
    0x082E_FA99,
    0xEC4E_6C89,
];

/// Keys whose blocks are fetched together: they stay in the nearest cache.
const TOGETHER: usize = 32;

/// Bytes of a block in a file.
pub(crate) const BLOCK_BYTES: usize = 4 * LANES;

/// Never across two lines of the cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
struct Block([u32; LANES]);

#[derive(Debug)]
pub(crate) struct Filter {
    blocks: Vec<Block>,
}

impl Filter {
    /// Empty, sized for so many keys.
    pub fn sized(keys: u64, bits_per_key: u64) -> Filter {
        let bits = keys.saturating_mul(bits_per_key);
        let blocks = bits.div_ceil(BLOCK_BYTES as u64 * 8).max(1);
        Filter {
            blocks: vec![Block::default(); usize::try_from(blocks).unwrap_or(usize::MAX)],
        }
    }

    /// Of what [`bytes`](Filter::bytes) gave.
    pub fn read(bytes: &[u8]) -> Filter {
        let blocks = bytes.chunks_exact(BLOCK_BYTES).map(|bytes| {
            let mut block = Block::default();
            let (words, _) = bytes.as_chunks::<4>();
            for (lane, word) in block.0.iter_mut().zip(words) {
                *lane = u32::from_le_bytes(*word);
            }
            block
        });
        Filter {
            blocks: blocks.collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    pub fn bytes(&self) -> impl Iterator<Item = [u8; 4]> {
        let words = self.blocks.iter().flat_map(|block| block.0);
        words.map(u32::to_le_bytes)
    }

    pub fn put(&mut self, key: Key) {
        let place = place(key, self.blocks.len());
        if let Some(block) = self.blocks.get_mut(place) {
            for (lane, mask) in block.0.iter_mut().zip(masks(key)) {
                *lane |= mask;
            }
        }
    }

    /// Adds those keys, each with a number of its asker's, that may have been put.
    pub fn candidates(&self, keys: &[(usize, Key)], maybe: &mut Vec<(usize, Key)>) {
        for some in keys.chunks(TOGETHER) {
            // Asks for the memory of all before it looks at any: so little work that the waits overlap.
            let mut touched = 0;
            for (_, key) in some {
                let block = self.blocks.get(place(*key, self.blocks.len()));
                touched ^= block.map_or(0, |Block([first, ..])| *first);
            }
            std::hint::black_box(touched);
            maybe.extend(some.iter().filter(|(_, key)| self.may_hold(*key)));
        }
    }

    /// False = certainly not put.
    #[inline]
    pub fn may_hold(&self, key: Key) -> bool {
        let Some(block) = self.blocks.get(place(key, self.blocks.len())) else {
            return false;
        };
        let mut missing = 0;
        for (lane, mask) in block.0.iter().zip(masks(key)) {
            missing |= mask & !lane;
        }
        missing == 0
    }
}

/// The block of a key: a key is a hash, so its first half spreads over all of them.
#[inline]
fn place(key: Key, blocks: usize) -> usize {
    ((u128::from(key.0) * blocks as u128) >> 64) as usize
}

/// The bit of a key in each word, from its other half.
#[inline]
fn masks(key: Key) -> [u32; LANES] {
    let hash = (key.1 ^ (key.1 >> 32)) as u32;
    SALTS.map(|salt| 1 << (hash.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_and_little_else() {
        let key = |n: u32| Key::command("t", &n.to_string());
        for (bits, most) in [(10, 1_000), (16, 150)] {
            let mut filter = Filter::sized(10_000, bits);
            (0..10_000).for_each(|n| filter.put(key(n)));
            assert!((0..10_000).all(|n| filter.may_hold(key(n))));
            let wrong = |f: &Filter| (10_000..60_000).filter(|n| f.may_hold(key(*n))).count();
            assert!(wrong(&filter) < most, "{} of 50,000", wrong(&filter));
            let bytes: Vec<u8> = filter.bytes().flatten().collect();
            let read = Filter::read(&bytes);
            assert!((0..10_000).all(|n| read.may_hold(key(n))));
            let asked: Vec<_> = (0..60_000u32).map(|n| (n as usize, key(n))).collect();
            let (one_by_one, mut together) =
                (asked.iter().filter(|a| read.may_hold(a.1)), Vec::new());
            read.candidates(&asked, &mut together);
            assert!(together.iter().eq(one_by_one));
            assert_eq!(wrong(&read), wrong(&filter));
        }
    }
}
