//! What the index looks up by: 128 bits that stand for a stream or a command.
//!
//! The first half of a BLAKE3 hash, so nobody can choose names that meet. By chance two of ten thousand million keys meet
//! with a probability below 10⁻¹⁸; whoever reads a block after a look-up still compares the real names.

use std::hash::{BuildHasherDefault, Hasher};

/// Tag, three names of at most 200 bytes, and their lengths.
const USUAL_BYTES: usize = 640;

/// The hashed name of a stream or of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub u64, pub u64);

impl Key {
    pub fn stream(tenant: &str, kind: &str, id: &str) -> Key {
        Key::of(b's', &[tenant, kind, id])
    }

    pub fn command(tenant: &str, command_id: &str) -> Key {
        Key::of(b'c', &[tenant, command_id])
    }

    fn of(tag: u8, names: &[&str]) -> Key {
        let bytes: usize = names.iter().map(|name| name.len() + 8).sum();
        let mut usual = [0; USUAL_BYTES];
        let mut long = Vec::new();
        let buffer = match usual.get_mut(..=bytes) {
            Some(buffer) => buffer,
            None => {
                long.resize(bytes + 1, 0);
                long.as_mut_slice()
            }
        };
        let mut rest = &mut *buffer;
        put(&mut rest, &[tag]);
        for name in names {
            // With its length, so that no two lists of names are the same bytes.
            put(&mut rest, &(name.len() as u64).to_le_bytes());
            put(&mut rest, name.as_bytes());
        }
        let mut first = [0; 16];
        let hash = blake3::hash(buffer);
        for (to, from) in first.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
        Key::from_bytes(first)
    }

    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.0) << 64) | u128::from(self.1)).to_be_bytes()
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Key {
        let both = u128::from_be_bytes(bytes);
        Key((both >> 64) as u64, both as u64)
    }
}

/// Writes into the front of a buffer that was measured to fit.
fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let (front, back) = std::mem::take(rest).split_at_mut(bytes.len());
    front.copy_from_slice(bytes);
    *rest = back;
}

/// A key is a hash already.
#[derive(Clone, Copy, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, half: u64) {
        self.0 ^= half;
    }
}

pub(crate) type ByKey = BuildHasherDefault<AsItIs>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_run_into_each_other_have_other_keys() {
        let keys = [
            Key::stream("ab", "c", "d"),
            Key::stream("a", "bc", "d"),
            Key::stream("a", "b", "cd"),
            Key::command("ab", "cd"),
            Key::command("a", "bcd"),
        ];
        for (n, key) in keys.iter().enumerate() {
            assert!(!keys[n + 1..].contains(key), "{n}");
            assert_eq!(Key::from_bytes(key.to_bytes()), *key);
        }
    }

    #[test]
    fn a_name_longer_than_any_commit_takes_has_a_key_too() {
        let long = "x".repeat(5_000);
        assert_ne!(Key::command("t", &long), Key::command("t", &long[1..]));
    }
}
