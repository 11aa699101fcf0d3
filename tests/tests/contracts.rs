//! The contract of an event store: every rule here holds for every implementation of `EventStore`.
//!
//! A new store joins with one name in `stores!`. The rules use only the trait and a sync that the test controls.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use indelible_store::{
    Appended, CommandRecord, Commit, EventRef, EventStore, MAX_EVENTS, MAX_PAYLOAD_BYTES,
    MemoryStore, NewEvent, SledStore, StoreError, StreamKey, SyncHook, block,
};
use tempfile::TempDir;

/// An empty store with the given sync, and the directory it needs.
type Open = fn(SyncHook) -> (Arc<dyn EventStore>, Option<TempDir>);

fn memory(sync: SyncHook) -> (Arc<dyn EventStore>, Option<TempDir>) {
    (Arc::new(MemoryStore::with_sync(sync)), None)
}

fn sled(sync: SyncHook) -> (Arc<dyn EventStore>, Option<TempDir>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = SledStore::open_with_sync(dir.path(), sync).expect("a new ledger opens");
    (Arc::new(store), Some(dir))
}

macro_rules! rules {
    ($store:ident, [$($rule:ident),+ $(,)?]) => {
        mod $store {
            $( #[test] fn $rule() { super::$rule(super::$store); } )+
        }
    };
}

macro_rules! stores {
    ($($store:ident),+; $rules:tt) => { $( rules!($store, $rules); )+ };
}

stores!(memory, sled; [
    an_empty_log_has_head_zero_and_nothing_to_read,
    a_commit_over_several_streams_gets_gapless_positions_and_versions,
    what_was_committed_is_read_back_field_by_field,
    a_wrong_version_leaves_nothing_of_its_commit,
    streams_of_two_tenants_never_meet,
    a_command_is_taken_once_and_its_receipt_stays,
    a_commit_that_makes_no_sense_is_refused_before_it_is_queued,
    a_commit_above_a_limit_is_refused_and_one_at_the_limit_is_taken,
    read_gives_whole_blocks_and_at_least_one,
    a_stream_is_read_in_pages_by_version,
    recorded_time_never_goes_back,
    a_waiter_wakes_when_the_head_passes,
    a_wait_without_news_ends_with_its_timeout,
    commits_that_wait_share_one_sync,
    a_refusal_does_not_spoil_its_group,
    commits_of_one_group_see_each_other,
    nothing_is_known_before_its_sync,
    a_failed_sync_stops_the_log_for_good,
    a_sync_that_panics_stops_the_log_for_good,
    a_group_whose_sync_fails_is_refused_as_a_whole,
    listeners_hear_each_new_head,
    a_listener_that_panics_does_not_stop_the_log,
    verify_walks_the_whole_chain_and_tells_its_progress,
    replay_gives_what_read_gives_within_its_bounds,
    replay_ends_when_it_is_told_to,
    blocks_are_whole_linked_and_within_bounds,
    the_hash_at_a_position_is_that_of_the_block_that_ends_there,
    a_cause_that_is_not_in_the_log_is_refused,
    every_limit_is_exact_in_bytes,
    a_command_that_is_repeated_gets_its_first_answer_and_writes_nothing,
    a_follower_sees_every_event_once_while_others_write,
    the_log_may_be_read_from_a_replay,
    every_commit_is_answered_when_the_log_is_dropped,
]);

fn an_empty_log_has_head_zero_and_nothing_to_read(open: Open) {
    let (store, _dir) = open(ok());
    assert_eq!(store.head(), 0);
    assert_eq!(store.read(0, 10).unwrap(), []);
    assert_eq!(store.read_stream(&stream("a"), 0, 10).unwrap(), []);
    assert_eq!(store.stream_version(&stream("a")).unwrap(), 0);
    assert_eq!(store.receipt("t1", "c1").unwrap(), None);
    let verified = store.verify(&mut |_, _| {}).unwrap();
    assert_eq!((verified.blocks, verified.events, verified.head), (0, 0, 0));
}

fn a_commit_over_several_streams_gets_gapless_positions_and_versions(open: Open) {
    let (store, _dir) = open(ok());
    let first = store.append(commit(&[("a", 0), ("b", 0), ("a", 1)]));
    let second = store.append(commit(&[("b", 1), ("c", 0), ("b", 2)]));
    assert_eq!(first.unwrap(), appended(1, 3));
    assert_eq!(second.unwrap(), appended(4, 6));
    assert_eq!(
        drawn(&*store),
        ["1 a.1", "2 b.1", "3 a.2", "4 b.2", "5 c.1", "6 b.3"]
    );
    let versions = ["a", "b", "c", "d"].map(|id| store.stream_version(&stream(id)).unwrap());
    assert_eq!(versions, [2, 3, 1, 0]);
    assert_eq!(store.head(), 6);
}

fn what_was_committed_is_read_back_field_by_field(open: Open) {
    let (store, _dir) = open(ok());
    let mut given = commit(&[("a", 0), ("b", 0)]);
    given.command = Some(command("c1", b"done"));
    store.append(given.clone()).unwrap();
    let events = store.read(0, 10).unwrap();
    assert_eq!(events.len(), 2);
    for (stored, new) in events.iter().zip(&given.events) {
        assert_eq!(stored.stream, new.stream);
        assert_eq!(stored.version, new.expected_version + 1);
        assert_eq!(stored.event_type, new.event_type);
        assert_eq!(stored.schema, new.schema);
        assert_eq!(stored.payload, new.payload);
        assert_eq!(stored.recorded_at, given.recorded_at);
        assert_eq!(stored.actor, given.actor);
        assert_eq!(stored.command_id.as_deref(), Some("c1"));
        assert_eq!(stored.correlation, given.correlation);
        assert_eq!(stored.causation, 0);
    }
    let mut caused = commit(&[("a", 1)]);
    caused.causation = 2;
    store.append(caused).unwrap();
    let event = &store.read(2, 1).unwrap()[0];
    assert_eq!((event.causation, event.command_id.as_deref()), (2, None));
}

fn a_wrong_version_leaves_nothing_of_its_commit(open: Open) {
    let (store, _dir) = open(ok());
    store.append(commit(&[("a", 0), ("a", 1)])).unwrap();
    let mut late = commit(&[("b", 0), ("a", 1)]);
    late.command = Some(command("c1", b""));
    match store.append(late).unwrap_err() {
        StoreError::WrongVersion {
            stream: which,
            expected,
            actual,
        } => assert_eq!((which, expected, actual), (stream("a"), 1, 2)),
        other => panic!("not a wrong version: {other}"),
    }
    for wrong in [
        commit(&[("a", 3)]),
        commit(&[("a", 2), ("a", 2)]),
        commit(&[("a", u64::MAX)]),
    ] {
        assert_eq!(code(store.append(wrong)), "WRONG_VERSION");
    }
    assert_eq!(store.head(), 2);
    assert_eq!(store.stream_version(&stream("b")).unwrap(), 0);
    assert_eq!(store.receipt("t1", "c1").unwrap(), None);
    assert_eq!(store.append(commit(&[("b", 0)])).unwrap(), appended(3, 3));
}

fn streams_of_two_tenants_never_meet(open: Open) {
    let (store, _dir) = open(ok());
    store.append(commit_of("t1", &[("a", 0)])).unwrap();
    let two = commit_of("t2", &[("a", 0), ("a", 1)]);
    store.append(two).unwrap();
    let of = |tenant| StreamKey::new(tenant, "account", "a");
    assert_eq!(store.stream_version(&of("t1")).unwrap(), 1);
    assert_eq!(store.stream_version(&of("t2")).unwrap(), 2);
    let read = store.read_stream(&of("t1"), 0, 10).unwrap();
    assert_eq!(read.len(), 1);
    assert!(read.iter().all(|event| event.stream.tenant == "t1"));
}

fn a_command_is_taken_once_and_its_receipt_stays(open: Open) {
    let (store, _dir) = open(ok());
    let mut first = commit(&[("a", 0), ("b", 0)]);
    first.command = Some(command("c1", b"first answer"));
    store.append(first).unwrap();
    let mut again = commit(&[("c", 0)]);
    again.command = Some(command("c1", b"second answer"));
    assert_eq!(code(store.append(again.clone())), "DUPLICATE_COMMAND");
    assert_eq!(store.head(), 2);
    let receipt = store.receipt("t1", "c1").unwrap().unwrap();
    assert_eq!(receipt.receipt, b"first answer");
    assert_eq!(receipt.input_hash, [7; 32]);
    assert_eq!(receipt.last_position, 2);

    let mut of_another = commit_of("t2", &[("c", 0)]);
    of_another.command = again.command;
    store.append(of_another).unwrap();
    let other = store.receipt("t2", "c1").unwrap().unwrap();
    assert_eq!(other.receipt, b"second answer");
    assert_eq!(store.receipt("t1", "c1").unwrap(), Some(receipt));
    assert_eq!(store.receipt("t3", "c1").unwrap(), None);
}

fn a_commit_that_makes_no_sense_is_refused_before_it_is_queued(open: Open) {
    let (store, _dir) = open(ok());
    let mut no_events = commit(&[]);
    no_events.command = Some(command("c1", b""));
    let mut foreign = commit(&[("a", 0)]);
    foreign.tenant = "t2".into();
    let mut nameless = commit(&[("a", 0)]);
    nameless.events[0].event_type.clear();
    let no_tenant = commit_of("", &[("a", 0)]);
    for refused in [no_events, foreign, nameless, no_tenant] {
        let error = store.submit(refused).map(drop).unwrap_err();
        assert_eq!(error.code(), "INVALID_COMMIT", "{error}");
    }
    assert_eq!(store.head(), 0);
}

fn a_commit_above_a_limit_is_refused_and_one_at_the_limit_is_taken(open: Open) {
    let (store, _dir) = open(ok());
    let with_payload = |bytes| {
        let mut commit = commit(&[("large", 0)]);
        commit.events[0].payload = vec![0xA5; bytes];
        commit
    };
    let with_events = |count: usize| {
        let mut commit = commit(&[]);
        commit.events = (0..count as u64)
            .map(|version| event("t1", "many", version))
            .collect();
        commit
    };
    let with_id = |bytes| commit(&[("x".repeat(bytes).as_str(), 0)]);
    let mut with_receipt = with_payload(MAX_PAYLOAD_BYTES);
    with_receipt.command = Some(command("c1", b"x"));
    for refused in [
        with_payload(MAX_PAYLOAD_BYTES + 1),
        with_events(MAX_EVENTS + 1),
        with_id(201),
        with_receipt,
    ] {
        let error = store.submit(refused).map(drop).unwrap_err();
        assert_eq!(error.code(), "TOO_LARGE", "{error}");
    }
    assert_eq!(store.head(), 0);

    store.append(with_payload(MAX_PAYLOAD_BYTES)).unwrap();
    store.append(with_events(MAX_EVENTS)).unwrap();
    store.append(with_id(200)).unwrap();
    let large = store.read_stream(&stream("large"), 0, 1).unwrap();
    assert!(large[0].payload == vec![0xA5; MAX_PAYLOAD_BYTES]);
    assert_eq!(store.head(), 2 + MAX_EVENTS as u64);
    store.verify(&mut |_, _| {}).unwrap();
}

fn read_gives_whole_blocks_and_at_least_one(open: Open) {
    let (store, _dir) = open(ok());
    let three = commit(&[("a", 0), ("a", 1), ("a", 2)]);
    store.append(three).unwrap();
    store.append(commit(&[("b", 0), ("b", 1)])).unwrap();
    store.append(commit(&[("c", 0)])).unwrap();
    // after, max → positions
    let table: [(u64, usize, &[u64]); 9] = [
        (0, 0, &[1, 2, 3]),
        (0, 1, &[1, 2, 3]),
        (0, 3, &[1, 2, 3]),
        (0, 4, &[1, 2, 3, 4, 5]),
        (1, 2, &[2, 3]),
        (2, 2, &[3, 4, 5]),
        (3, 100, &[4, 5, 6]),
        (6, 100, &[]),
        (u64::MAX, 100, &[]),
    ];
    for (after, max, expected) in table {
        let events = store.read(after, max).unwrap();
        let positions: Vec<u64> = events.iter().map(|event| event.position).collect();
        assert_eq!(positions, expected, "after {after}, max {max}");
    }
}

fn a_stream_is_read_in_pages_by_version(open: Open) {
    let (store, _dir) = open(ok());
    let mixed = commit(&[("a", 0), ("x", 0), ("a", 1)]);
    store.append(mixed).unwrap();
    store.append(commit(&[("x", 1)])).unwrap();
    let three = commit(&[("a", 2), ("a", 3), ("a", 4)]);
    store.append(three).unwrap();
    let read = |after, max| -> Vec<(u64, u64)> {
        let events = store.read_stream(&stream("a"), after, max).unwrap();
        events.iter().map(|e| (e.version, e.position)).collect()
    };
    assert_eq!(read(0, 100), [(1, 1), (2, 3), (3, 5), (4, 6), (5, 7)]);
    assert_eq!(read(0, 1), [(1, 1)]);
    assert_eq!(read(1, 2), [(2, 3), (3, 5)]);
    assert_eq!(read(3, 100), [(4, 6), (5, 7)]);
    assert_eq!(read(5, 100), []);
    assert_eq!(read(0, 0), []);
}

fn recorded_time_never_goes_back(open: Open) {
    let (store, _dir) = open(ok());
    for (version, at) in [(0, 100), (1, 50), (2, 100), (3, 101), (4, -5)] {
        let mut commit = commit(&[("a", version)]);
        commit.recorded_at = at;
        store.append(commit).unwrap();
    }
    let events = store.read(0, 100).unwrap();
    let times: Vec<i64> = events.iter().map(|event| event.recorded_at).collect();
    assert_eq!(times, [100, 100, 100, 101, 101]);
}

fn a_waiter_wakes_when_the_head_passes(open: Open) {
    let (store, _dir) = open(ok());
    let waiter = {
        let store = Arc::clone(&store);
        thread::spawn(move || store.wait_past(1, LONG))
    };
    store.append(commit(&[("a", 0)])).unwrap();
    store.append(commit(&[("a", 1)])).unwrap();
    assert_eq!(waiter.join().unwrap(), 2);
    assert_eq!(store.wait_past(0, LONG), 2, "no wait for what is there");
}

fn a_wait_without_news_ends_with_its_timeout(open: Open) {
    let (store, _dir) = open(ok());
    store.append(commit(&[("a", 0)])).unwrap();
    assert_eq!(store.wait_past(1, Duration::ZERO), 1);
    assert_eq!(store.wait_past(9, Duration::from_millis(1)), 1);
}

fn commits_that_wait_share_one_sync(open: Open) {
    const SUBMITTERS: usize = 64;
    let (sync, gate) = gated();
    let (store, _dir) = open(sync);
    let opener = store.submit(commit(&[("opener", 0)])).unwrap();
    gate.wait_until_a_sync_began();
    let queued = Arc::new(Barrier::new(SUBMITTERS + 1));
    let submitters: Vec<_> = (0..SUBMITTERS)
        .map(|n| {
            let (store, queued) = (Arc::clone(&store), Arc::clone(&queued));
            thread::spawn(move || {
                let ticket = store.submit(commit(&[(&format!("s{n}"), 0)])).unwrap();
                queued.wait();
                ticket.wait().unwrap().last_position
            })
        })
        .collect();
    queued.wait();
    gate.let_syncs_pass();
    opener.wait().unwrap();
    let mut positions: Vec<u64> = submitters.into_iter().map(|s| s.join().unwrap()).collect();
    positions.sort_unstable();
    assert_eq!(positions, (2..=65).collect::<Vec<u64>>());
    assert_eq!(store.head(), 65);
    assert_eq!(
        store.stats().syncs,
        2,
        "one for the opener, one for all who waited meanwhile"
    );
    assert_eq!(store.verify(&mut |_, _| {}).unwrap().blocks, 65);
}

fn a_refusal_does_not_spoil_its_group(open: Open) {
    let (store, _dir, answers) = one_group(
        open,
        [
            commit(&[("a", 0)]),
            commit(&[("b", 0), ("a", 7)]),
            commit(&[("b", 0)]),
        ],
    );
    assert_eq!(answers[0].as_ref().unwrap(), &appended(2, 2));
    assert_eq!(answers[1].as_ref().unwrap_err().code(), "WRONG_VERSION");
    assert_eq!(answers[2].as_ref().unwrap(), &appended(3, 3));
    assert_eq!(drawn(&*store), ["1 opener.1", "2 a.1", "3 b.1"]);
}

fn commits_of_one_group_see_each_other(open: Open) {
    let with_command = |version, id| {
        let mut commit = commit(&[("a", version)]);
        commit.command = Some(command(id, b""));
        commit
    };
    let (store, _dir, answers) = one_group(
        open,
        [
            with_command(0, "c1"),
            with_command(1, "c2"),
            with_command(2, "c2"),
        ],
    );
    assert_eq!(answers[0].as_ref().unwrap(), &appended(2, 2));
    assert_eq!(answers[1].as_ref().unwrap(), &appended(3, 3));
    assert_eq!(answers[2].as_ref().unwrap_err().code(), "DUPLICATE_COMMAND");
    assert_eq!(drawn(&*store), ["1 opener.1", "2 a.1", "3 a.2"]);
}

fn nothing_is_known_before_its_sync(open: Open) {
    let (sync, gate) = gated();
    let (store, _dir) = open(sync);
    let mut unsynced = commit(&[("a", 0)]);
    unsynced.command = Some(command("c1", b""));
    let ticket = store.submit(unsynced).unwrap();
    gate.wait_until_a_sync_began();
    assert_eq!(store.head(), 0);
    assert_eq!(store.read(0, 10).unwrap(), []);
    assert_eq!(store.read_stream(&stream("a"), 0, 10).unwrap(), []);
    assert_eq!(store.stream_version(&stream("a")).unwrap(), 0);
    assert_eq!(store.receipt("t1", "c1").unwrap(), None);
    assert_eq!(store.verify(&mut |_, _| {}).unwrap().events, 0);
    gate.let_syncs_pass();
    ticket.wait().unwrap();
    assert_eq!(drawn(&*store), ["1 a.1"]);
}

fn a_failed_sync_stops_the_log_for_good(open: Open) {
    let (store, _dir) = open(only_second(|| Err(io::Error::other("the disk is gone"))));
    assert_stops_for_good(&*store);
}

fn a_sync_that_panics_stops_the_log_for_good(open: Open) {
    let (store, _dir) = open(only_second(|| panic!("expected by this test")));
    assert_stops_for_good(&*store);
}

fn a_group_whose_sync_fails_is_refused_as_a_whole(open: Open) {
    let (begin, began) = channel();
    let (pass, passed) = channel::<()>();
    let state = Mutex::new((begin, passed));
    let (store, _dir) = open(Box::new(move || {
        let state = state.lock().unwrap();
        state.0.send(()).unwrap();
        // One sync may pass; once the test has let go, all fail.
        state.1.recv().map_err(io::Error::other)
    }));
    let opener = store.submit(commit(&[("opener", 0)])).unwrap();
    began.recv().unwrap();
    let good = store.submit(commit(&[("a", 0)])).unwrap();
    // Its refusal would rest on a commit that never became durable.
    let wrong = store.submit(commit(&[("a", 0)])).unwrap();
    pass.send(()).unwrap();
    drop(pass);
    opener.wait().unwrap();
    assert_eq!(code(good.wait()), "POISONED");
    assert_eq!(code(wrong.wait()), "POISONED");
    assert_eq!(drawn(&*store), ["1 opener.1"]);
}

fn listeners_hear_each_new_head(open: Open) {
    let (store, _dir) = open(ok());
    let (sender, heads) = channel();
    let sender = Mutex::new(sender);
    store.on_commit(Box::new(move |head| {
        sender.lock().unwrap().send(head).unwrap();
    }));
    store.append(commit(&[("a", 0), ("a", 1)])).unwrap();
    assert_eq!(heads.recv().unwrap(), 2);
    assert_eq!(code(store.append(commit(&[("a", 0)]))), "WRONG_VERSION");
    store.append(commit(&[("a", 2)])).unwrap();
    assert_eq!(heads.recv().unwrap(), 3);
}

fn a_listener_that_panics_does_not_stop_the_log(open: Open) {
    let (store, _dir) = open(ok());
    store.on_commit(Box::new(|_| panic!("expected by this test")));
    store.append(commit(&[("a", 0)])).unwrap();
    store.append(commit(&[("a", 1)])).unwrap();
    assert_eq!(store.head(), 2);
}

fn verify_walks_the_whole_chain_and_tells_its_progress(open: Open) {
    let (store, _dir) = open(ok());
    store.append(commit(&[("a", 0), ("b", 0)])).unwrap();
    store.append(commit(&[("a", 1)])).unwrap();
    let mut told = Vec::new();
    let verified = store.verify(&mut |at, of| told.push((at, of))).unwrap();
    assert_eq!(told, [(2, 3), (3, 3)]);
    assert_eq!((verified.blocks, verified.events, verified.head), (2, 3, 3));
    let stats = store.stats();
    assert_eq!((stats.events, stats.blocks, stats.syncs), (3, 2, 2));

    // The chain depends on the commits alone, so that one store can be checked against another.
    let other = MemoryStore::new();
    other.append(commit(&[("a", 0), ("b", 0)])).unwrap();
    other.append(commit(&[("a", 1)])).unwrap();
    assert_eq!(other.verify(&mut |_, _| {}).unwrap(), verified);
    assert_eq!(other.stats().bytes, stats.bytes);
    other.append(commit(&[("a", 2)])).unwrap();
    let longer = other.verify(&mut |_, _| {}).unwrap();
    assert_ne!(longer.head_hash, verified.head_hash);
}

/// Three blocks of 2, 1 and 3 events.
fn three_blocks(store: &dyn EventStore) {
    let mut first = commit(&[("a", 0), ("b", 0)]);
    first.command = Some(command("c1", b"done"));
    store.append(first).unwrap();
    let mut second = commit(&[("a", 1)]);
    second.causation = 2;
    store.append(second).unwrap();
    store
        .append(commit_of("t2", &[("a", 0), ("c", 0), ("a", 1)]))
        .unwrap();
}

fn replay_gives_what_read_gives_within_its_bounds(open: Open) {
    let (store, _dir) = open(ok());
    three_blocks(&*store);
    let all = store.read(0, usize::MAX).unwrap();
    assert_eq!(all.len(), 6);
    let bounds = (0..8u64).flat_map(|after| (0..8).map(move |until| (after, until)));
    for (after, until) in bounds.chain([(0, u64::MAX), (u64::MAX, u64::MAX), (6, u64::MAX)]) {
        let mut seen = Vec::new();
        let replayed = store.replay(after, until, &mut |event| {
            seen.push(event.to_stored());
            Ok(true)
        });
        replayed.unwrap();
        let within = |p: u64| p > after && p <= until;
        let expected: Vec<_> = all.iter().filter(|e| within(e.position)).cloned().collect();
        assert_eq!(seen, expected, "after {after} until {until}");
    }
}

fn replay_ends_when_it_is_told_to(open: Open) {
    let (store, _dir) = open(ok());
    three_blocks(&*store);
    let mut seen = Vec::new();
    let ended = store.replay(0, u64::MAX, &mut |event| {
        seen.push(event.position);
        Ok(event.position < 4)
    });
    ended.unwrap();
    assert_eq!(seen, [1, 2, 3, 4]);
    let failed = store.replay(0, u64::MAX, &mut |_| {
        Err(StoreError::InvalidCommit {
            what: "expected by this test".into(),
        })
    });
    assert_eq!(failed.unwrap_err().code(), "INVALID_COMMIT");
}

fn blocks_are_whole_linked_and_within_bounds(open: Open) {
    let (store, _dir) = open(ok());
    assert_eq!(store.blocks(0, usize::MAX).unwrap(), []);
    three_blocks(&*store);
    let all = store.blocks(0, usize::MAX).unwrap();
    let places: Vec<_> = all
        .iter()
        .map(|block| (block.first_position, block.last_position))
        .collect();
    assert_eq!(places, [(1, 2), (3, 3), (4, 6)]);
    let mut before = block::GENESIS;
    for raw in &all {
        let header = block::decode(raw.first_position, &raw.bytes)
            .unwrap()
            .header;
        assert_eq!(header.prev_hash, before);
        assert_eq!(
            (header.hash, header.recorded_at),
            (raw.hash, raw.recorded_at)
        );
        before = raw.hash;
    }
    let bytes = |n: usize| {
        all[..n]
            .iter()
            .map(|block| block.bytes.len())
            .sum::<usize>()
    };
    for (after, max, expected) in [
        (0, 0, &all[..1]),
        (1, bytes(2) - 1, &all[..1]),
        (0, bytes(2), &all[..2]),
        (0, bytes(3) - 1, &all[..2]),
        (0, bytes(3), &all[..]),
        (2, usize::MAX, &all[1..]),
        (5, 0, &all[2..]),
        (6, usize::MAX, &[]),
        (u64::MAX, usize::MAX, &[]),
    ] {
        let found = store.blocks(after, max).unwrap();
        assert_eq!(found, expected, "after {after}, {max} bytes");
    }
}

fn the_hash_at_a_position_is_that_of_the_block_that_ends_there(open: Open) {
    let (store, _dir) = open(ok());
    assert_eq!(store.hash_at(0).unwrap(), Some(block::GENESIS));
    assert_eq!(store.hash_at(1).unwrap(), None);
    three_blocks(&*store);
    let blocks = store.blocks(0, usize::MAX).unwrap();
    for position in 1..9 {
        let ends = blocks.iter().find(|block| block.last_position == position);
        let expected = ends.map(|block| block.hash);
        assert_eq!(store.hash_at(position).unwrap(), expected, "{position}");
    }
    let head_hash = store.verify(&mut |_, _| {}).unwrap().head_hash;
    assert_eq!(store.hash_at(6).unwrap(), Some(head_hash));
    assert_eq!(store.hash_at(u64::MAX).unwrap(), None);
}

fn a_cause_that_is_not_in_the_log_is_refused(open: Open) {
    let (store, _dir) = open(ok());
    let caused_by = |version, causation| {
        let mut commit = commit(&[("a", version)]);
        commit.causation = causation;
        commit
    };
    for ahead in [1, 2, u64::MAX] {
        assert_eq!(code(store.append(caused_by(0, ahead))), "INVALID_COMMIT");
    }
    store.append(caused_by(0, 0)).unwrap();
    assert_eq!(code(store.append(caused_by(1, 2))), "INVALID_COMMIT");
    store.append(caused_by(1, 1)).unwrap();
    assert_eq!(drawn(&*store), ["1 a.1", "2 a.2"]);
    store.verify(&mut |_, _| {}).unwrap();
}

fn every_limit_is_exact_in_bytes(open: Open) {
    let (store, _dir) = open(ok());
    // 100 letters of two bytes are 200 bytes; one more byte is one too many.
    let (fits, over) = ("é".repeat(100), format!("{}x", "é".repeat(100)));
    type Put = fn(&mut Commit, String);
    let fields: [(&str, Put); 7] = [
        ("tenant", |c, name| {
            c.tenant.clone_from(&name);
            c.events[0].stream.tenant = name;
        }),
        ("actor", |c, name| c.actor = name),
        ("correlation", |c, name| c.correlation = name),
        ("command", |c, name| c.command = Some(command(&name, b""))),
        ("kind", |c, name| c.events[0].stream.kind = name),
        ("id", |c, name| c.events[0].stream.id = name),
        ("type", |c, name| c.events[0].event_type = name),
    ];
    for (field, put) in fields {
        let with = |name: &str| {
            let mut commit = commit(&[(&format!("stream of {field}"), 0)]);
            put(&mut commit, name.to_string());
            commit
        };
        let error = store.submit(with(&over)).map(drop).unwrap_err();
        assert_eq!(error.code(), "TOO_LARGE", "{field}");
        store.append(with(&fits)).unwrap();
    }
    assert_eq!(store.head(), 7);
}

fn a_command_that_is_repeated_gets_its_first_answer_and_writes_nothing(open: Open) {
    let (store, _dir) = open(ok());
    let mut first = commit(&[("a", 0), ("a", 1)]);
    first.command = Some(command("c1", b"first"));
    store.append(first.clone()).unwrap();
    let before = (store.stats().bytes, store.hash_at(2).unwrap());
    // The very same commit, and one that would fit: the command decides, not the versions.
    let mut fits = commit(&[("a", 2)]);
    fits.command = Some(command("c1", b"second"));
    for again in [first, fits] {
        match store.append(again).unwrap_err() {
            StoreError::DuplicateCommand { tenant, command_id } => {
                assert_eq!((tenant.as_str(), command_id.as_str()), ("t1", "c1"));
            }
            other => panic!("not a repeated command: {other}"),
        }
        let receipt = store.receipt("t1", "c1").unwrap().unwrap();
        assert_eq!(
            (receipt.receipt, receipt.last_position),
            (b"first".to_vec(), 2)
        );
    }
    assert_eq!((store.stats().bytes, store.hash_at(2).unwrap()), before);
    assert_eq!(store.head(), 2);
}

fn a_follower_sees_every_event_once_while_others_write(open: Open) {
    const WRITERS: u64 = 4;
    const COMMITS: u64 = 50;
    let (store, _dir) = open(ok());
    let all = WRITERS * COMMITS * 2;
    let follower = {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            let mut seen: Vec<(u64, String, u64)> = Vec::new();
            while (seen.len() as u64) < all {
                let after = seen.len() as u64;
                let head = store.wait_past(after, LONG);
                assert!(head > after);
                // By turns, on each of the roads there are.
                let take = |e: &EventRef<'_>| (e.position, e.id.to_string(), e.version);
                let until = if after.is_multiple_of(3) {
                    head
                } else {
                    u64::MAX
                };
                store
                    .replay(after, until, &mut |event| {
                        seen.push(take(event));
                        Ok(true)
                    })
                    .unwrap();
                for event in store.read(seen.len() as u64, 3).unwrap() {
                    seen.push((event.position, event.stream.id, event.version));
                }
            }
            seen
        })
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| {
            let store = Arc::clone(&store);
            let id = format!("w{n}");
            thread::spawn(move || {
                for version in 0..COMMITS {
                    let events = [(id.as_str(), 2 * version), (id.as_str(), 2 * version + 1)];
                    let at = store.append(commit(&events)).unwrap();
                    assert!(
                        store.head() >= at.last_position,
                        "what is answered is known"
                    );
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|w| w.join().unwrap());
    let seen = follower.join().unwrap();
    let mut versions = std::collections::HashMap::new();
    for ((position, id, version), expected) in seen.into_iter().zip(1..) {
        assert_eq!(position, expected);
        let before = versions.insert(id, version).unwrap_or(0);
        assert_eq!(version, before + 1);
    }
}

fn the_log_may_be_read_from_a_replay(open: Open) {
    let (store, _dir) = open(ok());
    three_blocks(&*store);
    let mut events = 0;
    let replayed = store.replay(0, u64::MAX, &mut |event| {
        let key = StreamKey::new(event.tenant, event.kind, event.id);
        let own = store.read_stream(&key, event.version - 1, 1)?;
        assert_eq!(own, [event.to_stored()]);
        events += own.len();
        Ok(true)
    });
    replayed.unwrap();
    assert_eq!(events, 6);
}

fn every_commit_is_answered_when_the_log_is_dropped(open: Open) {
    let (sync, gate) = gated();
    let (store, _dir) = open(sync);
    let opener = store.submit(commit(&[("opener", 0)])).unwrap();
    gate.wait_until_a_sync_began();
    let waits = store.submit(commit(&[("a", 0)])).unwrap();
    gate.let_syncs_pass();
    drop(store);
    assert_eq!(opener.wait().unwrap(), appended(1, 1));
    assert_eq!(
        waits.wait().unwrap(),
        appended(2, 2),
        "what is queued is written"
    );
}

/// Longer than any test may take: a wait that should end by news fails by hanging, not by luck.
const LONG: Duration = Duration::from_secs(3_600);

fn stream(id: &str) -> StreamKey {
    StreamKey::new("t1", "account", id)
}

fn event(tenant: &str, id: &str, expected_version: u64) -> NewEvent {
    NewEvent {
        stream: StreamKey::new(tenant, "account", id),
        expected_version,
        event_type: "account.Opened".into(),
        schema: 3,
        payload: format!("payload of {id} after {expected_version}").into_bytes(),
    }
}

/// A commit of tenant t1 with one event per (stream id, expected version).
fn commit(events: &[(&str, u64)]) -> Commit {
    commit_of("t1", events)
}

fn commit_of(tenant: &str, events: &[(&str, u64)]) -> Commit {
    Commit {
        tenant: tenant.into(),
        recorded_at: 1_767_225_600_000_000,
        actor: "clerk".into(),
        correlation: "corr-1".into(),
        causation: 0,
        command: None,
        events: events
            .iter()
            .map(|(id, version)| event(tenant, id, *version))
            .collect(),
    }
}

fn command(id: &str, receipt: &[u8]) -> CommandRecord {
    CommandRecord {
        command_id: id.into(),
        input_hash: [7; 32],
        receipt: receipt.to_vec(),
    }
}

fn appended(first_position: u64, last_position: u64) -> Appended {
    Appended {
        first_position,
        last_position,
    }
}

fn code(answer: Result<Appended, StoreError>) -> &'static str {
    answer.unwrap_err().code()
}

/// The log as text: position, stream id and version of each event.
fn drawn(store: &dyn EventStore) -> Vec<String> {
    let events = store.read(0, usize::MAX).unwrap();
    events
        .iter()
        .map(|e| format!("{} {}.{}", e.position, e.stream.id, e.version))
        .collect()
}

fn ok() -> SyncHook {
    Box::new(|| Ok(()))
}

/// Only the second sync does this: that the log stays stopped after it must be the log's doing.
fn only_second(then: fn() -> io::Result<()>) -> SyncHook {
    let syncs = AtomicU64::new(0);
    Box::new(move || match syncs.fetch_add(1, Ordering::SeqCst) {
        1 => then(),
        _ => Ok(()),
    })
}

fn assert_stops_for_good(store: &dyn EventStore) {
    store.append(commit(&[("a", 0)])).unwrap();
    let mut lost = commit(&[("a", 1)]);
    lost.command = Some(command("c1", b""));
    assert_eq!(code(store.append(lost)), "POISONED");
    assert_eq!(code(store.append(commit(&[("b", 0)]))), "POISONED");
    assert_eq!(code(store.append(commit(&[("b", 0)]))), "POISONED");
    assert_eq!(store.head(), 1);
    assert_eq!(drawn(store), ["1 a.1"]);
    assert_eq!(store.stream_version(&stream("a")).unwrap(), 1);
    assert_eq!(store.receipt("t1", "c1").unwrap(), None);
}

/// Holds each sync until the test lets them pass.
struct Gate {
    began: Receiver<()>,
    pass: Sender<()>,
}

impl Gate {
    fn wait_until_a_sync_began(&self) {
        self.began.recv().unwrap();
    }

    /// From now on no sync waits.
    fn let_syncs_pass(self) {
        drop(self.pass);
    }
}

fn gated() -> (SyncHook, Gate) {
    let (begin, began) = channel();
    let (pass, passed) = channel::<()>();
    let state = Mutex::new((begin, passed));
    let hook = Box::new(move || {
        let state = state.lock().unwrap();
        // Once the gate is open for good, nobody listens and nobody sends.
        let _ = state.0.send(());
        let _ = state.1.recv();
        Ok(())
    });
    (hook, Gate { began, pass })
}

type Group = (
    Arc<dyn EventStore>,
    Option<TempDir>,
    Vec<Result<Appended, StoreError>>,
);

/// Submits commits while the sync of an earlier one is held, so that they are one group; returns their answers.
fn one_group<const N: usize>(open: Open, commits: [Commit; N]) -> Group {
    let (sync, gate) = gated();
    let (store, dir) = open(sync);
    let opener = store.submit(commit(&[("opener", 0)])).unwrap();
    gate.wait_until_a_sync_began();
    let tickets = commits.map(|commit| store.submit(commit).unwrap());
    gate.let_syncs_pass();
    opener.wait().unwrap();
    let answers = tickets.into_iter().map(|ticket| ticket.wait()).collect();
    assert_eq!(store.stats().syncs, 2, "the commits were one group");
    (store, dir, answers)
}
