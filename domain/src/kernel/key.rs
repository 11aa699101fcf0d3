//! Sixteen bytes that identify something, stored as they are.
//!
//! For `#[serde(with = "key")]`: the same bytes as an array of bytes has, read as one number instead of sixteen, because a
//! replay reads millions of them. A reader for humans gets the array.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
