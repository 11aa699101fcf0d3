//! What only the log on disk can do: be opened again, be in use, be somebody else's directory.

mod common;

use std::fs;
use std::io;

use common::{append_some, commit, ids, tree};
use indelible_store::{EventStore, MAX_PAYLOAD_BYTES, SledStore, StreamKey};

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
        store.stream_version(&StreamKey::new("t1", "account", "a")),
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
    assert_eq!(written, "Indelible ledger, format 1\n");
    fs::write(&marker, "Indelible ledger, format 2\n").unwrap();
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
    let store = SledStore::open(dir.path()).unwrap();
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
        large.events[0].payload = (0..bytes).map(|i| (i % 251) as u8).collect();
        tickets.push(store.submit(large).unwrap());
    }
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    store.verify(&mut |_, _| {}).unwrap();
    drop(store);
    let blobs = dir.path().join("log/blobs");
    assert!(blobs.is_dir(), "where the engine would put them");
    assert_eq!(tree(&blobs), Vec::<String>::new());
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
