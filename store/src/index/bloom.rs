//! A Bloom filter over the keys of one run: says for certain what is not in it, without touching the disk.

use super::key::Key;

/// Bits per key: with [`PROBES`] about one look-up of a missing key in 120 goes to the disk in vain.
pub(crate) const BITS_PER_KEY: u64 = 10;
const PROBES: u64 = 7;

#[derive(Debug)]
pub(crate) struct Bloom {
    words: Vec<u64>,
}

impl Bloom {
    /// Empty, sized for so many keys.
    pub fn sized(keys: u64) -> Bloom {
        let words = keys.saturating_mul(BITS_PER_KEY).div_ceil(64).max(1);
        Bloom {
            words: vec![0; usize::try_from(words).unwrap_or(usize::MAX)],
        }
    }

    pub fn from_words(words: Vec<u64>) -> Bloom {
        Bloom { words }
    }

    pub fn words(&self) -> &[u64] {
        &self.words
    }

    pub fn put(&mut self, key: Key) {
        let bits = self.words.len() as u64 * 64;
        for (word, mask) in probes(key, bits) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= mask;
            }
        }
    }

    /// False = certainly not put.
    pub fn may_hold(&self, key: Key) -> bool {
        let bits = self.words.len() as u64 * 64;
        probes(key, bits).all(|(word, mask)| self.words.get(word).is_some_and(|w| w & mask != 0))
    }
}

/// Word and mask of each bit of a key. A key is a hash, so its two halves are two hashes.
fn probes(key: Key, bits: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..PROBES).map(move |n| {
        let hash = key.0.wrapping_add(n.wrapping_mul(key.1 | 1));
        let bit = ((u128::from(hash) * u128::from(bits)) >> 64) as u64;
        ((bit / 64) as usize, 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_and_little_else() {
        let key = |n: u32| Key::command("t", &n.to_string());
        let mut bloom = Bloom::sized(10_000);
        (0..10_000).for_each(|n| bloom.put(key(n)));
        assert!((0..10_000).all(|n| bloom.may_hold(key(n))));
        let wrong = (10_000..20_000).filter(|n| bloom.may_hold(key(*n))).count();
        assert!(wrong < 200, "{wrong} of 10,000");
    }
}
