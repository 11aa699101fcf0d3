//! The event that the benches of the log write: as long and as compressible as a record of usage.

use indelible_store::{Commit, NewEvent, StreamKey};

/// Bytes of an event's payload: about what one rated record of usage takes.
pub const PAYLOAD_BYTES: usize = 120;
const SUBSCRIPTIONS: u64 = 10_000;

/// A payload: sixteen random bytes (an id), then small numbers in wide fields, as usage has them.
pub fn payload(number: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PAYLOAD_BYTES);
    bytes.extend_from_slice(&scramble(number).to_le_bytes());
    bytes.extend_from_slice(&scramble(!number).to_le_bytes());
    bytes.extend_from_slice(&(scramble(number ^ 7) % SUBSCRIPTIONS).to_le_bytes());
    bytes.extend_from_slice(&(1_767_268_800_000_000 + number * 1_000_003).to_le_bytes());
    bytes.extend_from_slice(&(1 + scramble(number ^ 11) % 600).to_le_bytes());
    for amount in 0..3_u64 {
        let micros = scramble(number ^ (13 + amount)) % 50_000;
        bytes.extend_from_slice(&u128::from(micros).to_le_bytes());
        bytes.extend_from_slice(&6_u32.to_le_bytes());
    }
    bytes.resize(PAYLOAD_BYTES, 0);
    bytes
}

/// A commit of `count` events of one stream that has `before` events, numbered from `number` on.
pub fn commit(stream: &StreamKey, before: u64, number: u64, count: u64) -> Commit {
    let events = (0..count)
        .map(|i| NewEvent {
            stream: stream.clone(),
            expected_version: before + i,
            event_type: "bench.appended".to_string(),
            schema: 1,
            payload: payload(number + i),
        })
        .collect();
    Commit {
        tenant: "bench".to_string(),
        recorded_at: 0,
        actor: "bench".to_string(),
        correlation: String::new(),
        causation: 0,
        command: None,
        events,
    }
}

/// A sum over payloads that any order of them gives: the independent check of what was read back.
pub fn checksum(payload: &[u8]) -> u64 {
    payload
        .first_chunk::<8>()
        .map_or(0, |id| u64::from_le_bytes(*id))
}

/// The checksum of events `0..count`, made without the log.
pub fn expected(count: u64) -> u64 {
    (0..count).fold(0, |sum, n| sum.wrapping_add(scramble(n)))
}

/// Spreads a number over all bits (the finaliser of SplitMix64).
fn scramble(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
