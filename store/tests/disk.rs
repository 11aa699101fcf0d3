//! What only the log on disk can do: be opened again, be in use, be somebody else's directory.

mod common;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{append_some, commit, ids, tree};
use indelible_store::{EventStore, MAX_PAYLOAD_BYTES, Options, SledStore, StreamKey};

/// A directory as the last program of format 1 left it: per file its name, its length and its stretches that are not
/// zero, all in one LZ4 block behind its length.
const FORMAT_1: &[u8] = include_bytes!("golden/format-1.dir.lz4");

#[test]
fn a_log_opened_again_is_the_log_that_was_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    append_some(&store, 0, 50);
    let events = store.read(0, usize::MAX).unwrap();
    let verified = store.verify(&mut |_, _| {}).unwrap();
    let receipt = store.receipt("t1", "command-7").unwrap();
    let stats = store.stats();
    assert!(receipt.is_some());
    drop(store);

    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.head(), 100);
    assert_eq!(store.read(0, usize::MAX).unwrap(), events);
    assert_eq!(store.verify(&mut |_, _| {}).unwrap(), verified);
    assert_eq!(store.receipt("t1", "command-7").unwrap(), receipt);
    assert_eq!(
        store
            .stream_version(&StreamKey::new("t1", "account", "a"))
            .unwrap(),
        50
    );
    assert_eq!(store.stats().bytes, stats.bytes);
    let again = store.append(commit(7, 50));
    assert_eq!(again.unwrap_err().code(), "DUPLICATE_COMMAND");
    append_some(&store, 50, 51);
    assert_eq!(store.head(), 102);
    store.verify(&mut |_, _| {}).unwrap();
}

#[test]
fn what_was_queued_when_the_log_was_dropped_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    let tickets: Vec<_> = (0..20)
        .map(|n| store.submit(commit(n, n)).unwrap())
        .collect();
    drop(store);
    let answers = tickets.into_iter().map(|ticket| ticket.wait().unwrap());
    assert_eq!(answers.last().unwrap().last_position, 40);
    assert_eq!(SledStore::open(dir.path()).unwrap().head(), 40);
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    append_some(&store, 0, 1);
    let second = SledStore::open(dir.path()).unwrap_err();
    assert_eq!(second.code(), "LOCKED");
    append_some(&store, 1, 2);
    drop(store);
    assert_eq!(SledStore::open(dir.path()).unwrap().head(), 4);
}

#[test]
fn a_directory_of_something_else_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let before = tree(dir.path());
    let refused = SledStore::open(dir.path()).unwrap_err();
    assert_eq!(refused.code(), "NOT_A_LEDGER");
    assert!(refused.to_string().contains("thesis.txt"), "{refused}");
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_directory_of_a_later_format_is_refused_and_its_log_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    drop(SledStore::open(dir.path()).unwrap());
    let marker = dir.path().join("INDELIBLE");
    let written = fs::read_to_string(&marker).unwrap();
    assert_eq!(written, "Indelible ledger, format 2\n");
    fs::write(&marker, "Indelible ledger, format 3\n").unwrap();
    let before = tree(dir.path());
    let refused = SledStore::open(dir.path()).unwrap_err();
    assert_eq!(refused.code(), "UNSUPPORTED_VERSION");
    assert_eq!(tree(dir.path()), before);
    fs::write(&marker, "something").unwrap();
    let refused = SledStore::open(dir.path()).unwrap_err();
    assert_eq!(refused.code(), "NOT_A_LEDGER");
}

#[test]
fn a_first_start_that_died_before_its_mark_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("lock"), "").unwrap();
    fs::write(dir.path().join("INDELIBLE.tmp"), "Indel").unwrap();
    append_some(&SledStore::open(dir.path()).unwrap(), 0, 1);
}

#[test]
fn large_commits_never_reach_a_blob_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open_with(dir.path(), rolling_at(40 << 20)).unwrap();
    let mut tickets = Vec::new();
    for n in 0..24 {
        let mut large = commit(n, n);
        // Sizes around the parts' 16 KiB, and up to the largest commit.
        let bytes = [
            100,
            16_384,
            40_000,
            300_000,
            2 << 20,
            MAX_PAYLOAD_BYTES - 200,
        ][n as usize % 6];
        large.events[0].payload = noise(bytes, n);
        tickets.push(store.submit(large).unwrap());
    }
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    store.verify(&mut |_, _| {}).unwrap();
    drop(store);
    let volumes = volumes(dir.path());
    assert!(volumes.len() > 1, "{volumes:?}");
    for volume in volumes {
        let blobs = dir.path().join("log").join(volume).join("blobs");
        assert!(blobs.is_dir(), "where the engine would put them");
        assert_eq!(tree(&blobs), Vec::<String>::new());
    }
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.verify(&mut |_, _| {}).unwrap().blocks, 24);
}

#[test]
fn after_a_failed_sync_a_new_start_finds_all_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let syncs = std::sync::atomic::AtomicU64::new(0);
    let hook = Box::new(
        move || match syncs.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..=2 => Ok(()),
            _ => Err(io::Error::other("the disk is gone")),
        },
    );
    let store = SledStore::open_with_sync(dir.path(), hook).unwrap();
    append_some(&store, 0, 3);
    let acknowledged = store.read(0, usize::MAX).unwrap();
    assert_eq!(store.append(commit(3, 3)).unwrap_err().code(), "POISONED");
    drop(store);

    let store = SledStore::open(dir.path()).unwrap();
    store.verify(&mut |_, _| {}).unwrap();
    // What was not acknowledged may be there or not, but whole.
    assert!(matches!(store.head(), 6 | 8), "head {}", store.head());
    assert_eq!(ids(&store)[..3], ids_of(&acknowledged));
}

fn ids_of(events: &[indelible_store::StoredEvent]) -> Vec<String> {
    let mut ids: Vec<String> = events.iter().filter_map(|e| e.command_id.clone()).collect();
    ids.dedup();
    ids
}

fn rolling_at(roll_bytes: u64) -> Options {
    Options {
        roll_bytes,
        ..Options::default()
    }
}

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

/// Names of what lies in `log`, in order.
fn volumes(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data.join("log")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_log_of_several_volumes_is_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open_with(dir.path(), rolling_at(0)).unwrap();
    append_some(&store, 0, 8);
    let events = store.read(0, usize::MAX).unwrap();
    let verified = store.verify(&mut |_, _| {}).unwrap();
    drop(store);
    let names: Vec<String> = (0..8).map(|n| format!("{:020}", 1 + 2 * n)).collect();
    assert_eq!(volumes(dir.path()), names, "one for each group");

    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.head(), 16);
    assert_eq!(store.read(0, usize::MAX).unwrap(), events);
    assert_eq!(store.read(5, 4).unwrap(), events[5..10]);
    assert_eq!(store.verify(&mut |_, _| {}).unwrap(), verified);
    let stream = StreamKey::new("t1", "account", "a");
    assert_eq!(store.read_stream(&stream, 0, 99).unwrap().len(), 8);
    assert!(store.receipt("t1", "command-2").unwrap().is_some());
    append_some(&store, 8, 10);
    assert_eq!(store.head(), 20);
    assert_eq!(volumes(dir.path()), names, "the last is not full");
}

#[test]
fn a_lost_volume_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open_with(dir.path(), rolling_at(0)).unwrap();
    append_some(&store, 0, 4);
    drop(store);
    for (first, missing) in [(1, 1), (3, 3), (7, 7)] {
        let volume = dir.path().join(format!("log/{first:020}"));
        let elsewhere = dir.path().join("elsewhere");
        fs::rename(&volume, &elsewhere).unwrap();
        let lost = SledStore::open(dir.path())
            .and_then(|store| store.verify(&mut |_, _| {}))
            .unwrap_err();
        assert_eq!(lost.code(), "CORRUPT");
        let said = lost.to_string();
        assert!(said.contains(&format!("position {missing} ")), "{said}");
        fs::rename(&elsewhere, &volume).unwrap();
    }
    SledStore::open(dir.path()).unwrap();
}

/// Options that stop before the n-th step, as a crash would, and the count of steps that came.
fn stopping_before(step: u64) -> (Options, Arc<AtomicU64>) {
    let steps = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&steps);
    let options = Options {
        roll_bytes: 0,
        before_step: Box::new(move |name| match seen.fetch_add(1, Ordering::SeqCst) {
            n if n == step => Err(io::Error::other(format!("stopped before {name}"))),
            _ => Ok(()),
        }),
        ..Options::default()
    };
    (options, steps)
}

#[test]
fn a_process_that_dies_while_it_begins_a_volume_loses_nothing() {
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        append_some(&SledStore::open(dir.path()).unwrap(), 0, 3);
        let (options, steps) = stopping_before(step);
        let store = SledStore::open_with(dir.path(), options).unwrap();
        let appended = store.append(commit(3, 3));
        drop(store);
        let done = steps.load(Ordering::SeqCst) <= step;
        assert_eq!(appended.is_ok(), done, "step {step}");

        let store = SledStore::open_with(dir.path(), rolling_at(0)).unwrap();
        let next = if done { 4 } else { 3 };
        assert_eq!(store.head(), 2 * next, "step {step}");
        append_some(&store, next, next + 2);
        store.verify(&mut |_, _| {}).unwrap();
        drop(store);
        let unfinished = volumes(dir.path()).into_iter().find(|n| n.len() != 20);
        assert_eq!(unfinished, None, "step {step}");
        if done {
            assert!(step >= 3, "only {step} steps");
            return;
        }
    }
}

#[test]
fn a_process_that_dies_while_it_makes_its_first_volume_leaves_an_empty_log() {
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let (options, steps) = stopping_before(step);
        let opened = SledStore::open_with(dir.path(), options).is_ok();
        assert_eq!(opened, steps.load(Ordering::SeqCst) <= step);
        append_some(&SledStore::open(dir.path()).unwrap(), 0, 1);
        if opened {
            assert!(step >= 3, "only {step} steps");
            return;
        }
    }
}

fn unpack_format_1(into: &Path) {
    fn take<'a>(rest: &mut &'a [u8], n: usize) -> &'a [u8] {
        let (taken, left) = rest.split_at(n);
        *rest = left;
        taken
    }
    fn number(rest: &mut &[u8], n: usize) -> usize {
        let bytes = take(rest, n).iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    }
    let (length, packed) = FORMAT_1.split_first_chunk::<4>().unwrap();
    let length = u32::from_le_bytes(*length) as usize;
    let raw = lz4_flex::block::decompress(packed, length).unwrap();
    let mut rest = raw.as_slice();
    for _ in 0..number(&mut rest, 4) {
        let name_length = number(&mut rest, 4);
        let name = String::from_utf8(take(&mut rest, name_length).to_vec()).unwrap();
        let mut bytes = vec![0; number(&mut rest, 8)];
        for _ in 0..number(&mut rest, 4) {
            let at = number(&mut rest, 8);
            let length = number(&mut rest, 4);
            bytes[at..at + length].copy_from_slice(take(&mut rest, length));
        }
        let path = into.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    assert!(rest.is_empty());
}

fn assert_is_the_log_of_format_1(store: &SledStore) {
    let verified = store.verify(&mut |_, _| {}).unwrap();
    assert_eq!((verified.blocks, verified.events), (48, 120));
    let hash: String = verified
        .head_hash
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hash,
        "4b3af2b915966f7be659a36738813a1f4fe7bdbf0817fedd1b7ad9063ce0edd1"
    );
    let events = store.read(0, usize::MAX).unwrap();
    assert_eq!(events.len(), 120);
    let large = events.iter().find(|event| event.payload.len() > 16_384);
    let large = large.expect("one block is larger than a part");
    assert!(large.payload.starts_with(b"row 0; row 1; "));
    assert!(large.payload.ends_with(b"row 3999; "));
    assert_eq!(events[119].stream.tenant, "west");
    assert_eq!(events[119].payload, b"47.3");
    let receipt = store.receipt("north", "cmd-42").unwrap().unwrap();
    assert_eq!(receipt.receipt, b"done 42");
}

#[test]
fn a_directory_of_format_1_is_moved_and_is_the_same_log() {
    let dir = tempfile::tempdir().unwrap();
    unpack_format_1(dir.path());
    let marker = dir.path().join("INDELIBLE");
    assert_eq!(
        fs::read_to_string(&marker).unwrap(),
        "Indelible ledger, format 1\n"
    );
    let store = SledStore::open(dir.path()).unwrap();
    assert_is_the_log_of_format_1(&store);
    append_some(&store, 0, 2);
    drop(store);
    assert_eq!(
        fs::read_to_string(&marker).unwrap(),
        "Indelible ledger, format 2\n"
    );
    assert_eq!(volumes(dir.path()), ["00000000000000000001"]);
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.head(), 124);
    store.verify(&mut |_, _| {}).unwrap();
}

#[test]
fn a_process_that_dies_while_it_moves_a_directory_of_format_1_can_begin_again() {
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        unpack_format_1(dir.path());
        let (options, steps) = stopping_before(step);
        let opened = SledStore::open_with(dir.path(), options).is_ok();
        assert_eq!(opened, steps.load(Ordering::SeqCst) <= step);
        assert_is_the_log_of_format_1(&SledStore::open(dir.path()).unwrap());
        assert_eq!(volumes(dir.path()), ["00000000000000000001"]);
        if opened {
            assert!(step >= 4, "only {step} steps");
            return;
        }
    }
}

#[test]
fn a_full_disk_refuses_commits_and_takes_them_when_there_is_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(1 << 40));
    let seen = Arc::clone(&free);
    let options = Options {
        free_space: Box::new(move |_| Ok(seen.load(Ordering::SeqCst))),
        ..Options::default()
    };
    let store = SledStore::open_with(dir.path(), options).unwrap();
    append_some(&store, 0, 2);
    let before = tree(&dir.path().join("log"));
    free.store(64 << 20, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = store.append(commit(2, 2)).unwrap_err();
        assert_eq!(refused.code(), "STORAGE_FULL");
        let said = refused.to_string();
        assert!(said.contains("67108864 bytes are free"), "{said}");
    }
    assert_eq!(store.head(), 4);
    assert_eq!(
        store.read(0, usize::MAX).unwrap().len(),
        4,
        "reading goes on"
    );
    assert_eq!(tree(&dir.path().join("log")), before, "nothing was written");
    free.store((64 << 20) + 100_000, Ordering::SeqCst);
    append_some(&store, 2, 3);
    drop(store);
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.head(), 6);
    store.verify(&mut |_, _| {}).unwrap();
}

#[test]
fn whichever_sync_fails_first_no_later_commit_is_acknowledged() {
    for failing in [0, 1, 4] {
        let dir = tempfile::tempdir().unwrap();
        let syncs = AtomicU64::new(0);
        let hook = Box::new(move || match syncs.fetch_add(1, Ordering::SeqCst) {
            // Errno 5 on Linux: the disk could not write. Only this one fails; a second try would succeed.
            n if n == failing => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(()),
        });
        let store = SledStore::open_with_sync(dir.path(), hook).unwrap();
        append_some(&store, 0, failing);
        for n in failing..failing + 3 {
            let refused = store.append(commit(n, n)).unwrap_err();
            assert_eq!(refused.code(), "POISONED");
            assert!(refused.to_string().contains("syncing"), "{refused}");
        }
        assert_eq!(store.head(), 2 * failing);
        drop(store);
        let store = SledStore::open(dir.path()).unwrap();
        let head = store.head() / 2;
        assert!(head == failing || head == failing + 1, "{head} commits");
    }
}

#[test]
fn what_the_engine_left_of_a_snapshot_when_it_died_does_not_keep_the_log_shut() {
    let dir = tempfile::tempdir().unwrap();
    append_some(&SledStore::open(dir.path()).unwrap(), 0, 3);
    let volume = dir.path().join("log/00000000000000000001");
    assert!(volume.is_dir(), "where the engine works");
    fs::write(volume.join("snap.FFFFFFFFFFFFFFFF.generating"), [0; 20]).unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(ids(&store).len(), 3);
}

#[test]
fn whoever_reads_a_volume_holds_up_nobody_who_writes_and_nobody_else_who_reads() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open_with(dir.path(), rolling_at(0)).unwrap();
    append_some(&store, 0, 7);
    let mut seen = Vec::new();
    store
        .replay(0, u64::MAX, &mut |event| {
            if event.position == 1 {
                // In the middle of the first volume: more volumes are begun, and more are read than are kept open.
                append_some(&store, 7, 9);
                for after in (0..16).step_by(2) {
                    let commit = store.read(after, 2)?;
                    assert_eq!(commit[0].position, after + 1);
                }
            }
            seen.push(event.position);
            Ok(true)
        })
        .unwrap();
    assert!(seen.len() >= 14, "{seen:?}");
    assert!(seen.iter().zip(1..).all(|(at, n)| *at == n), "{seen:?}");
    assert_eq!(volumes(dir.path()).len(), 9);
    store.verify(&mut |_, _| {}).unwrap();
}
