//! Sixteen bytes that identify something, stored as they are.
//!
//! For `#[serde(with = "key")]`: the same bytes as an array of bytes has, read as one number instead of sixteen, because a
//! replay reads millions of them. A reader for humans gets the array.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::hash::{BuildHasherDefault, Hasher};

/// Finds by a key that is a keyed hash already: nobody outside can choose keys that meet.
pub type ByKey = BuildHasherDefault<AsItIs>;

/// The hasher of [`ByKey`].
#[derive(Clone, Copy, Debug, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        match bytes.split_first_chunk() {
            Some((first, _)) => self.0 ^= u64::from_le_bytes(*first),
            None => {
                for byte in bytes {
                    self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
                }
            }
        }
    }

    // The length of a key says nothing.
    fn write_usize(&mut self, _: usize) {}
}

pub fn serialize<S: Serializer>(key: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        key.serialize(serializer)
    } else {
        u128::from_le_bytes(*key).serialize(serializer)
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
    if deserializer.is_human_readable() {
        <[u8; 16]>::deserialize(deserializer)
    } else {
        u128::deserialize(deserializer).map(u128::to_le_bytes)
    }
}
