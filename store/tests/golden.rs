//! The bytes of a block are frozen: logs written today are read for as long as there are ledgers.

use indelible_store::block::{self, GENESIS, HEADER_BYTES};
use indelible_store::{CommandRecord, Commit, NewEvent, StreamKey};

const GOLDEN: &str = include_str!("golden/block-v1.hex");

/// A commit with every field in use.
fn commit() -> Commit {
    let stream = |id| StreamKey::new("tenant-1", "invoice", id);
    Commit {
        tenant: "tenant-1".into(),
        recorded_at: 1_767_225_600_123_456,
        actor: "clerk".into(),
        correlation: "run-2026-01".into(),
        causation: 41,
        command: Some(CommandRecord {
            command_id: "cmd-1".into(),
            input_hash: [0xAB; 32],
            receipt: b"done".to_vec(),
        }),
        events: vec![
            NewEvent {
                stream: stream("inv-7"),
                expected_version: 0,
                event_type: "invoice.Drafted".into(),
                schema: 1,
                payload: vec![1, 2, 3],
            },
            NewEvent {
                stream: stream("inv-8"),
                expected_version: 258,
                event_type: "invoice.Finalised".into(),
                schema: 513,
                payload: Vec::new(),
            },
        ],
    }
}

#[test]
fn a_block_is_written_byte_for_byte_as_it_always_was() {
    let body = block::encode_body(commit()).unwrap();
    let (bytes, header) = block::seal(42, 2, 1_767_225_600_123_456, &GENESIS, &body);
    let written = hex(&bytes);
    assert_eq!(
        written,
        GOLDEN.trim_end(),
        "logs exist in the golden format; a new format needs a new version beside it.\nwritten:\n{written}"
    );
    assert_eq!(header.last_position(), 43);
}

#[test]
fn a_block_written_long_ago_is_read() {
    let bytes = unhex(GOLDEN);
    let block = block::decode(42, &bytes).unwrap();
    assert_eq!(block.header.first_position, 42);
    assert_eq!(block.header.prev_hash, GENESIS);
    assert_eq!(block.header.body_len as usize, bytes.len() - HEADER_BYTES);
    assert_eq!(block.body.command, commit().command);
    let events: Vec<_> = block.into_events().collect();
    assert_eq!(events.len(), 2);
    for ((event, new), position) in events.iter().zip(commit().events).zip(42..) {
        assert_eq!(event.position, position);
        assert_eq!(event.stream, new.stream);
        assert_eq!(event.version, new.expected_version + 1);
        assert_eq!(event.event_type, new.event_type);
        assert_eq!(event.schema, new.schema);
        assert_eq!(event.payload, new.payload);
        assert_eq!(event.recorded_at, 1_767_225_600_123_456);
        assert_eq!(event.actor, "clerk");
        assert_eq!(event.correlation, "run-2026-01");
        assert_eq!(event.causation, 41);
        assert_eq!(event.command_id.as_deref(), Some("cmd-1"));
    }
}

#[test]
fn no_byte_of_a_block_can_change_unseen() {
    let good = unhex(GOLDEN);
    block::decode(42, &good).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let error = block::decode(42, &bad).unwrap_err();
        assert_eq!(error.code(), "CORRUPT", "byte {at}: {error}");
    }
    for length in 0..good.len() {
        assert_eq!(
            block::decode(42, &good[..length]).unwrap_err().code(),
            "CORRUPT"
        );
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(block::decode(42, &longer).unwrap_err().code(), "CORRUPT");
    assert_eq!(block::decode(43, &good).unwrap_err().code(), "CORRUPT");
}

/// 32 bytes a line.
fn hex(bytes: &[u8]) -> String {
    let lines: Vec<String> = bytes
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    lines.join("\n")
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}
