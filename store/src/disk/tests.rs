//! What is done to a volume behind the log's back must be found, and found where it was done.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::volume::Volume;
use super::*;
use crate::{Commit, EventStore, NewEvent, StreamKey};

/// Bytes that no codec makes smaller, the same in every run.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn append(store: &SledStore, versions: std::ops::Range<u64>, bytes: usize) {
    let events = versions.map(|expected_version| NewEvent {
        stream: StreamKey::new("t1", "account", "a"),
        expected_version,
        event_type: "account.Noted".into(),
        schema: 1,
        payload: noise(bytes, expected_version),
    });
    let commit = Commit {
        tenant: "t1".into(),
        recorded_at: 0,
        actor: "test".into(),
        correlation: "c".into(),
        causation: 0,
        command: None,
        events: events.collect(),
    };
    store.append(commit).unwrap();
}

/// Three blocks at positions 1, 2 and 4; the middle one of several parts.
fn three_blocks(data: &Path) -> SledStore {
    let store = SledStore::open(data).unwrap();
    append(&store, 0..1, 100);
    append(&store, 1..3, 80_000);
    append(&store, 3..4, 100);
    store
}

fn volume(store: &SledStore) -> Arc<Volume> {
    store.medium().volumes.active()
}

fn where_damaged(error: StoreError) -> u64 {
    match error {
        StoreError::Corrupt { block, .. } => block,
        other => panic!("not found to be damaged: {other}"),
    }
}

#[test]
fn a_flipped_byte_in_any_part_is_found_and_located_by_verify() {
    let dir = tempfile::tempdir().unwrap();
    let store = three_blocks(dir.path());
    let volume = volume(&store);
    let keys = volume.keys();
    assert_eq!(keys.len(), 5, "the middle block has three parts");
    for key in keys {
        let good = volume.value(key);
        // Every byte of the headers and of the small blocks' bodies, then samples.
        for at in (0..good.len()).filter(|at| *at < 330 || at % 977 == 0) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            volume.set(key, &bad);
            let found = store.verify(&mut |_, _| {}).unwrap_err();
            assert_eq!(where_damaged(found), key.0, "byte {at} of {key:?}");
        }
        volume.set(key, &good);
    }
    store.verify(&mut |_, _| {}).unwrap();
}

#[test]
fn a_lost_part_is_found_and_located() {
    let dir = tempfile::tempdir().unwrap();
    let store = three_blocks(dir.path());
    let volume = volume(&store);
    for key in volume.keys() {
        let lost = volume.value(key);
        volume.lose(key);
        let found = store.verify(&mut |_, _| {}).unwrap_err();
        assert_eq!(where_damaged(found), key.0, "{key:?}");
        let read = store
            .read(0, usize::MAX)
            .map(|events| events.len())
            .unwrap_err();
        assert_eq!(where_damaged(read), key.0, "{key:?}");
        volume.set(key, &lost);
    }
    store.verify(&mut |_, _| {}).unwrap();
}

#[test]
fn a_damaged_log_does_not_open_and_says_which_block() {
    let dir = tempfile::tempdir().unwrap();
    let store = three_blocks(dir.path());
    let volume = volume(&store);
    let mut bad = volume.value((2, 1));
    bad[5] ^= 0x80;
    volume.set((2, 1), &bad);
    drop(volume);
    drop(store);
    let refused = SledStore::open(dir.path()).unwrap_err();
    assert_eq!(where_damaged(refused), 2);
}

#[test]
fn a_block_of_another_log_breaks_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let store = three_blocks(dir.path());
    // Whole in itself and in the right place, but with another first block behind it; stored as format 1 did.
    let body = crate::block::encode_body(Commit {
        tenant: "t1".into(),
        recorded_at: 0,
        actor: "somebody else".into(),
        correlation: "c".into(),
        causation: 0,
        command: None,
        events: vec![NewEvent {
            stream: StreamKey::new("t1", "account", "a"),
            expected_version: 0,
            event_type: "account.Noted".into(),
            schema: 1,
            payload: Vec::new(),
        }],
    })
    .unwrap();
    let (forged, _) = crate::block::seal(1, 1, 0, &crate::block::GENESIS, &body);
    volume(&store).set((1, 0), &forged);
    let found = store.verify(&mut |_, _| {}).unwrap_err();
    assert_eq!(where_damaged(found), 2, "the block after the forged one");
}

#[test]
fn a_lost_tail_is_found_by_the_head_kept_outside_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let store = three_blocks(dir.path());
    volume(&store).lose((4, 0));
    drop(store);
    let refused = SledStore::open(dir.path()).unwrap_err();
    assert!(refused.to_string().contains("tail is lost"), "{refused}");
    assert_eq!(where_damaged(refused), 4);

    // Nobody can go on writing over the hole: only a person can, by taking the head away.
    fs::remove_file(dir.path().join(head::NAME)).unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.head(), 3);
}

#[test]
fn a_tail_that_was_lost_and_written_anew_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join(head::NAME);
    let store = three_blocks(dir.path());
    drop(store);
    let true_head = fs::read(&kept).unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    volume(&store).lose((4, 0));
    drop(store);
    fs::remove_file(&kept).unwrap();
    append(&SledStore::open(dir.path()).unwrap(), 3..4, 50);
    fs::write(&kept, true_head).unwrap();
    let refused = SledStore::open(dir.path()).unwrap_err();
    assert!(refused.to_string().contains("tail is lost"), "{refused}");
    assert_eq!(where_damaged(refused), 4);
}

#[test]
fn a_head_older_than_the_log_is_fine_and_a_torn_slot_leaves_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join(head::NAME);
    let store = three_blocks(dir.path());
    drop(store);
    let older = fs::read(&kept).unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    append(&store, 4..5, 10);
    drop(store);
    let newer = fs::read(&kept).unwrap();
    assert_eq!(newer.len(), 2 * head::SLOT_STEP);

    fs::write(&kept, &older).unwrap();
    assert_eq!(SledStore::open(dir.path()).unwrap().head(), 5);

    // The two slots hold positions 4 and 5; whichever is torn, the log opens with the other.
    let mut positions = Vec::new();
    for slot in [0, 1] {
        for byte in [0, 9, 17, 30, head::SLOT_BYTES - 1] {
            let mut torn = newer.clone();
            torn[slot * head::SLOT_STEP + byte] ^= 0x55;
            fs::write(&kept, &torn).unwrap();
            let store = SledStore::open(dir.path()).unwrap();
            assert_eq!(store.head(), 5);
            positions.extend(store.medium().head.kept().map(|(at, _)| at));
        }
    }
    positions.sort_unstable();
    assert_eq!(positions, [4, 4, 4, 4, 4, 5, 5, 5, 5, 5]);

    let mut both = newer;
    both[0] ^= 1;
    both[head::SLOT_STEP] ^= 1;
    fs::write(&kept, both).unwrap();
    let refused = SledStore::open(dir.path()).unwrap_err();
    assert_eq!(refused.code(), "CORRUPT");
    assert!(refused.to_string().contains("head"), "{refused}");
}

#[test]
fn floor_load_and_scan_agree_over_extents_and_volumes() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        roll_bytes: 100_000,
        ..Options::default()
    };
    let store = SledStore::open_with(dir.path(), options).unwrap();
    let mut version = 0;
    let mut firsts = Vec::new();
    for n in 0..30u64 {
        let events = 1 + n % 3;
        firsts.push(version + 1);
        append(&store, version..version + events, 3_000);
        version += events;
    }
    let medium = store.medium();
    assert!(medium.disk().volumes > 1);
    assert_eq!(medium.floor(0).unwrap(), None);
    for position in 1..=version + 2 {
        let floor = firsts.iter().rev().find(|first| **first <= position);
        assert_eq!(medium.floor(position).unwrap().as_ref(), floor);
        let loaded = medium.load(position).unwrap();
        assert_eq!(loaded.is_some(), firsts.contains(&position), "{position}");
        let mut scanned = Vec::new();
        medium
            .scan(position, &mut |first, bytes| {
                if scanned.is_empty() {
                    assert_eq!(medium.load(first)?.as_deref(), Some(bytes));
                }
                scanned.push(first);
                // Far enough to come into the next volume now and then.
                Ok(scanned.len() < 3)
            })
            .unwrap();
        let from = firsts.partition_point(|first| *first < position);
        let until = firsts.len().min(from + 3);
        assert_eq!(scanned, firsts[from..until], "from {position}");
    }
}
