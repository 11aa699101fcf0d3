//! Checkpoints: what they say, that they last, and that a log that was changed does not fit them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use indelible_store::proof::tree::{Edge, Levels, consistency_places, consistent};
use indelible_store::proof::{Notary, PublicKey, Signed, leaf};
use indelible_store::{Commit, EventStore, MemoryStore, NewEvent, SledStore, StreamKey};

/// Appends blocks of some events each, from `first` on.
fn append(store: &dyn EventStore, first: u64, blocks: u64, events: u64) {
    for n in first..first + blocks {
        let event = |k| NewEvent {
            stream: StreamKey::new("t1", "account", "a"),
            expected_version: n * events + k,
            event_type: "account.Noted".into(),
            schema: 1,
            payload: format!("{n} {k}").into_bytes(),
        };
        let commit = Commit {
            tenant: "t1".into(),
            recorded_at: i64::try_from(n).expect("small"),
            actor: "test".into(),
            correlation: String::new(),
            causation: 0,
            command: None,
            events: (0..events).map(event).collect(),
        };
        store.append(commit).expect("appended");
    }
}

fn leaves(store: &dyn EventStore) -> Vec<[u8; 32]> {
    let (mut found, mut buffer) = (Vec::new(), Vec::new());
    store
        .replay(0, u64::MAX, &mut |event| {
            found.push(leaf::hash(event, &mut buffer));
            Ok(true)
        })
        .expect("readable");
    found
}

fn memory() -> Arc<dyn EventStore> {
    Arc::new(MemoryStore::new())
}

fn disk(data: &Path) -> Arc<dyn EventStore> {
    Arc::new(SledStore::open(data).expect("opens"))
}

#[test]
fn a_checkpoint_says_size_root_chain_and_time_and_is_signed() {
    let store = memory();
    append(store.as_ref(), 0, 3, 700);
    let notary = Notary::in_memory(Arc::clone(&store), Some([1; 32]));
    let signed = notary.checkpoint().expect("signed");
    let said = &signed.checkpoint;
    assert_eq!((said.size, said.recorded_at), (2_100, 2));
    assert_eq!(said.root, Levels::over(leaves(store.as_ref())).root());
    assert_eq!(Some(said.chain), store.hash_at(2_100).expect("readable"));
    let key = notary.public_key().expect("a key");
    assert_eq!(said.origin, key.name());
    assert_eq!(Signed::open(&signed.note, &key).expect("it holds"), signed);
    let text: PublicKey = key.to_string().parse().expect("reads back");
    assert_eq!(text, key);
    assert_eq!(
        notary.checkpoint().expect("signed"),
        signed,
        "nothing new, nothing signed"
    );
}

#[test]
fn any_changed_byte_of_a_checkpoint_is_refused() {
    let store = memory();
    append(store.as_ref(), 0, 1, 5);
    let notary = Notary::in_memory(store, Some([1; 32]));
    let (note, key) = (
        notary.checkpoint().expect("signed").note,
        notary.public_key().expect("a key"),
    );
    for at in 0..note.len() {
        for bit in 0..8 {
            let mut bad = note.clone().into_bytes();
            bad[at] ^= 1 << bit;
            if let Ok(bad) = String::from_utf8(bad) {
                assert!(
                    Signed::open(&bad, &key).is_err(),
                    "byte {at}, bit {bit}: {bad}"
                );
            }
        }
    }
}

#[test]
fn later_checkpoints_continue_earlier_ones() {
    let store = memory();
    let notary = Notary::in_memory(Arc::clone(&store), Some([1; 32]));
    let mut before: Vec<Signed> = Vec::new();
    for n in 0..12 {
        append(store.as_ref(), n, 1, 307);
        let now = notary.checkpoint().expect("signed");
        let levels = Levels::over(leaves(store.as_ref()));
        for old in &before {
            let (old, new) = (&old.checkpoint, &now.checkpoint);
            let path: Vec<_> = consistency_places(old.size, new.size)
                .into_iter()
                .map(|place| levels.node(place).expect("a place of the tree"))
                .collect();
            assert!(consistent(
                (old.size, old.root),
                (new.size, new.root),
                &path
            ));
        }
        before.push(now);
    }
    assert_eq!(notary.list().expect("kept"), before);
    assert_eq!(notary.verify(&mut |_, _| {}).expect("they hold"), 12);
}

#[test]
fn checkpoints_last_and_are_checked_against_the_log() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = {
        let store = disk(dir.path());
        append(store.as_ref(), 0, 4, 600);
        let notary = Notary::at(Arc::clone(&store), dir.path());
        assert_eq!(notary.verify(&mut |_, _| {}).expect("nothing to check"), 0);
        let first = notary.checkpoint().expect("signed");
        append(store.as_ref(), 4, 1, 600);
        notary.checkpoint().expect("signed");
        first
    };
    let store = disk(dir.path());
    let notary = Notary::at(Arc::clone(&store), dir.path());
    assert_eq!(notary.list().expect("kept")[0], first);
    assert_eq!(notary.verify(&mut |_, _| {}).expect("they hold"), 2);
    // Whatever byte of the file is changed, it is found.
    let path = dir.path().join("checkpoints");
    let good = fs::read(&path).expect("readable");
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).expect("written");
        let again = Notary::at(Arc::clone(&store), dir.path()).verify(&mut |_, _| {});
        assert!(!matches!(again, Ok(2)), "byte {at}");
    }
    // What a crash left of a third one is no checkpoint, and goes with the next.
    fs::write(&path, [good.as_slice(), &good[..100]].concat()).expect("written");
    let notary = Notary::at(Arc::clone(&store), dir.path());
    assert_eq!(notary.verify(&mut |_, _| {}).expect("they hold"), 2);
    append(store.as_ref(), 5, 1, 600);
    notary.checkpoint().expect("signed");
    assert_eq!(
        Notary::at(Arc::clone(&store), dir.path())
            .verify(&mut |_, _| {})
            .expect("they hold"),
        3
    );
    // The secret is its owner's, and is not replaced while something rests on it.
    let secret = dir.path().join("checkpoint.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&secret).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    fs::remove_file(&secret).expect("removed");
    let without = Notary::at(store, dir.path())
        .checkpoint()
        .expect_err("refused");
    assert_eq!(without.code(), "CHECKPOINT_KEY_INVALID");
}

#[test]
fn another_log_with_the_same_key_is_not_signed_and_does_not_verify() {
    let (one, two) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    {
        let store = disk(one.path());
        append(store.as_ref(), 0, 3, 500);
        Notary::at(store, one.path()).checkpoint().expect("signed");
    }
    let store = disk(two.path());
    for name in ["checkpoints", "checkpoint.key", "tree"] {
        fs::copy(one.path().join(name), two.path().join(name)).expect("copied");
    }
    append(store.as_ref(), 0, 1, 500);
    let notary = Notary::at(Arc::clone(&store), two.path());
    let shorter = notary.checkpoint().expect_err("refused").to_string();
    assert!(shorter.contains("the log ends at 500"), "{shorter}");
    // As long as the other one, with other events from position 501 on.
    append(store.as_ref(), 5, 11, 100);
    let other = notary.checkpoint().expect_err("refused").to_string();
    assert!(other.contains("of size 1500"), "{other}");
    let found = notary
        .verify(&mut |_, _| {})
        .expect_err("found")
        .to_string();
    assert!(found.contains("size 1500"), "{found}");
}

#[test]
fn the_kept_tree_is_disposable() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = disk(dir.path());
    append(store.as_ref(), 0, 5, 1_000);
    let root = Levels::over(leaves(store.as_ref())).root();
    let tree = dir.path().join("tree");
    let checkpoints = dir.path().join("checkpoints");
    let again = || {
        let _ = fs::remove_file(&checkpoints);
        let made = Notary::at(Arc::clone(&store), dir.path()).checkpoint();
        assert_eq!(made.expect("signed").checkpoint.root, root);
    };
    again();
    let good = fs::read(&tree).expect("kept");
    assert_eq!(good.len(), 8 + 4 * 36, "four complete subtrees");
    for at in (0..good.len()).step_by(3) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&tree, &bad).expect("written");
        again();
        assert_eq!(fs::read(&tree).expect("made again"), good, "byte {at}");
    }
    for cut in [0, 7, 8, 30, good.len() - 1] {
        fs::write(&tree, &good[..cut]).expect("written");
        again();
        assert_eq!(fs::read(&tree).expect("made again"), good, "cut at {cut}");
    }
}

#[test]
fn every_so_many_blocks_a_checkpoint_makes_itself() {
    let store = memory();
    let notary = Arc::new(Notary::in_memory(Arc::clone(&store), Some([1; 32])));
    let (told, hears) = sync_channel(100);
    let follower = notary
        .follow(
            10,
            Box::new(move |made| told.send(made).expect("somebody listens")),
        )
        .expect("a thread");
    append(store.as_ref(), 0, 10, 1);
    let first = hears
        .recv_timeout(Duration::from_secs(20))
        .expect("made")
        .expect("signed");
    assert_eq!(first.checkpoint.size, 10);
    append(store.as_ref(), 10, 10, 1);
    let second = hears
        .recv_timeout(Duration::from_secs(20))
        .expect("made")
        .expect("signed");
    assert_eq!(second.checkpoint.size, 20);
    drop(follower);
    assert_eq!(notary.list().expect("kept"), [first, second]);
}

#[test]
fn roots_on_the_way_are_those_of_the_trees_of_that_size() {
    let store = memory();
    append(store.as_ref(), 0, 2, 1_500);
    let leaves = leaves(store.as_ref());
    let mut edge = Edge::default();
    for (size, leaf) in (1..).zip(&leaves) {
        edge.push(*leaf);
        if size % 371 == 0 || size == leaves.len() {
            assert_eq!(edge.root(), Levels::over(leaves[..size].to_vec()).root());
        }
    }
}
