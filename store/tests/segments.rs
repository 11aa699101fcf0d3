//! Backups, restores, exports and imports: the same log comes back, or the damage is named.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{append_some, commit};
use indelible_store::block::{self, GENESIS};
use indelible_store::segments::{
    self, Bounds, Follower, Head, Manifest, SegmentError, SegmentWriter, Segments, Source, Until,
};
use indelible_store::{Commit, EventStore, MemoryStore, SledStore, StoreError};

/// A log of `commits` commits of two events each: positions 1 to 2 × commits, commit n recorded at n.
fn log(commits: u64) -> MemoryStore {
    let store = MemoryStore::new();
    append_some(&store, 0, commits);
    store
}

fn copy(store: &dyn EventStore, dir: &Path) -> Result<Manifest, SegmentError> {
    copy_of(store, dir, Bounds::default())
}

fn copy_of(store: &dyn EventStore, dir: &Path, bounds: Bounds) -> Result<Manifest, SegmentError> {
    segments::copy(&mut { store }, dir, bounds, &mut |_, _| {})
}

fn restore(from: &Path, data: &Path, until: Until) -> Result<segments::Restored, SegmentError> {
    segments::restore(from, data, until, &mut |_, _| {})
}

fn import(from: &Path, data: &Path) -> Result<segments::Restored, SegmentError> {
    segments::import(from, data, &mut |_, _| {})
}

fn bytes_of(store: &dyn EventStore) -> Vec<u8> {
    let blocks = store.blocks(0, usize::MAX).unwrap();
    blocks.into_iter().flat_map(|block| block.bytes).collect()
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "seg"))
        .collect();
    found.sort();
    found
}

#[test]
fn segments_hold_the_blocks_of_the_log_byte_for_byte_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = log(5);
    let manifest = copy(&store, dir.path()).unwrap();
    let files = segment_files(dir.path());
    assert_eq!(files.len(), 1);
    assert_eq!(fs::read(&files[0]).unwrap(), bytes_of(&store));
    assert_eq!(
        files[0].file_name().unwrap().to_str().unwrap(),
        "00000000000000000001-00000000000000000010.seg"
    );
    let segment = &manifest.segments[0];
    assert_eq!((segment.blocks, segment.last_position), (5, 10));
    assert_eq!((segment.recorded_first, segment.recorded_last), (0, 4));
    assert_eq!(segment.hash_before.0, GENESIS);
    assert_eq!(Some(segment.hash_after.0), store.hash_at(10).unwrap());
    assert_eq!(Manifest::load(dir.path()).unwrap(), Some(manifest));
}

#[test]
fn a_second_backup_writes_only_what_follows() {
    let dir = tempfile::tempdir().unwrap();
    let store = log(3);
    copy(&store, dir.path()).unwrap();
    let first = fs::read(&segment_files(dir.path())[0]).unwrap();
    append_some(&store, 3, 7);
    let manifest = copy(&store, dir.path()).unwrap();
    assert_eq!(manifest.segments.len(), 2);
    assert_eq!(manifest.segments[1].first_position, 7);
    let files = segment_files(dir.path());
    assert_eq!(
        fs::read(&files[0]).unwrap(),
        first,
        "the first is untouched"
    );
    let again = copy(&store, dir.path()).unwrap();
    assert_eq!(again, manifest, "nothing follows, nothing is written");
}

#[test]
fn a_segment_is_closed_before_it_would_exceed_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let store = log(6);
    let blocks = store.blocks(0, usize::MAX).unwrap();
    let two = blocks[0].bytes.len() + blocks[1].bytes.len();
    let mut writer = SegmentWriter::open(dir.path())
        .unwrap()
        .with_segment_bytes(two as u64);
    for block in &blocks {
        assert!(writer.push(&block.bytes, Until::End).unwrap());
    }
    let manifest = writer.finish().unwrap();
    let counts: Vec<u64> = manifest.segments.iter().map(|s| s.blocks).collect();
    assert_eq!(counts, [2, 2, 2]);
    let end = Segments::open(dir.path())
        .unwrap()
        .verify(&mut |_, _| {})
        .unwrap();
    assert_eq!(Some(end.hash), store.hash_at(12).unwrap());
}

#[test]
fn the_backup_of_one_log_does_not_take_another() {
    let dir = tempfile::tempdir().unwrap();
    copy(&log(4), dir.path()).unwrap();
    let before = fs::read(dir.path().join("manifest.json")).unwrap();

    let other = MemoryStore::new();
    for n in 0..6 {
        let mut commit = commit(n, n);
        commit.actor = "somebody else".into();
        other.append(commit).unwrap();
    }
    let longer = MemoryStore::new();
    let mut first = commit(0, 0);
    first.events.extend(commit(0, 1).events);
    first.events.extend(commit(0, 2).events);
    first.events.extend(commit(0, 3).events);
    first.events.extend(commit(0, 4).events);
    longer.append(first).unwrap();
    for (what, store) in [
        ("same length", other),
        ("shorter", log(3)),
        ("a commit across the border", longer),
    ] {
        let refused = copy(&store, dir.path()).unwrap_err();
        assert_eq!(refused.code(), "BACKUP_OF_ANOTHER_LOG", "{what}: {refused}");
    }
    assert_eq!(fs::read(dir.path().join("manifest.json")).unwrap(), before);
}

#[test]
fn a_directory_with_other_things_in_it_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    assert_eq!(
        copy(&log(1), dir.path()).unwrap_err().code(),
        "NOT_A_BACKUP"
    );
    let refused = Segments::open(dir.path()).unwrap_err();
    assert_eq!(refused.code(), "NOT_A_BACKUP");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn segments_whose_manifest_is_gone_are_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    copy(&log(2), dir.path()).unwrap();
    fs::remove_file(dir.path().join("manifest.json")).unwrap();
    assert_eq!(
        copy(&log(2), dir.path()).unwrap_err().code(),
        "NOT_A_BACKUP"
    );
    assert_eq!(segment_files(dir.path()).len(), 1);
}

#[test]
fn two_processes_do_not_write_one_backup() {
    let dir = tempfile::tempdir().unwrap();
    let writer = SegmentWriter::open(dir.path()).unwrap();
    assert_eq!(
        copy(&log(1), dir.path()).unwrap_err().code(),
        "BACKUP_IN_USE"
    );
    drop(writer);
    copy(&log(1), dir.path()).unwrap();
}

/// A log that breaks off, as a server does that is killed: blocks one at a time, then an error.
struct BreaksOff<'a> {
    store: &'a dyn EventStore,
    left: u32,
}

impl Source for BreaksOff<'_> {
    fn head(&mut self) -> Result<Head, SegmentError> {
        Source::head(&mut self.store)
    }

    fn blocks(&mut self, after: u64, _: usize) -> Result<Vec<Vec<u8>>, SegmentError> {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return Err(SegmentError::Source("gone".into())),
        }
        Source::blocks(&mut self.store, after, 1)
    }
}

#[test]
fn an_interrupted_backup_is_harmless_and_the_next_one_completes_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = log(3);
    copy(&store, dir.path()).unwrap();
    append_some(&store, 3, 9);
    let mut source = BreaksOff {
        store: &store,
        left: 4,
    };
    let broken = segments::copy(&mut source, dir.path(), Bounds::default(), &mut |_, _| {});
    assert_eq!(broken.unwrap_err().code(), "SOURCE_UNREADABLE");
    assert!(dir.path().join("unfinished.tmp").exists());
    // As after a crash in the middle of the next write, and between a segment and the manifest.
    fs::write(dir.path().join("manifest.json.tmp"), "{").unwrap();
    fs::write(
        dir.path()
            .join("00000000000000000007-00000000000000000008.seg"),
        "half",
    )
    .unwrap();

    let segments = Segments::open(dir.path()).unwrap();
    let end = segments.verify(&mut |_, _| {}).unwrap();
    assert_eq!(end.position, 6, "what was there before is whole");
    copy(&store, dir.path()).unwrap();
    let target = tempfile::tempdir().unwrap();
    let restored = restore(dir.path(), target.path(), Until::End).unwrap();
    assert_eq!(Some(restored.hash), store.hash_at(18).unwrap());
}

/// A log that leaves out one block.
struct Skips<'a>(&'a dyn EventStore, u64);

impl Source for Skips<'_> {
    fn head(&mut self) -> Result<Head, SegmentError> {
        Source::head(&mut self.0)
    }

    fn blocks(&mut self, after: u64, max: usize) -> Result<Vec<Vec<u8>>, SegmentError> {
        let blocks = EventStore::blocks(self.0, after, max)?;
        let kept = blocks.into_iter().filter(|b| b.first_position != self.1);
        Ok(kept.map(|block| block.bytes).collect())
    }
}

#[test]
fn a_backup_never_skips_what_a_log_does_not_give() {
    let store = log(5);
    for missing in [1, 3, 9] {
        let dir = tempfile::tempdir().unwrap();
        let mut source = Skips(&store, missing);
        let found = segments::copy(&mut source, dir.path(), Bounds::default(), &mut |_, _| {});
        match found.unwrap_err() {
            SegmentError::Store(StoreError::Corrupt { block, .. }) => assert_eq!(block, missing),
            other => panic!("without the block at {missing}: {other}"),
        }
    }
}

#[test]
fn a_restored_log_is_the_same_log_and_goes_on() {
    let (dir, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = log(8);
    copy(&store, dir.path()).unwrap();
    let restored = restore(dir.path(), target.path(), Until::End).unwrap();
    assert_eq!((restored.blocks, restored.head), (8, 16));
    assert_eq!(Some(restored.hash), store.hash_at(16).unwrap());
    let reopened = SledStore::open(target.path()).unwrap();
    assert_eq!(bytes_of(&reopened), bytes_of(&store));
    assert_eq!(
        reopened.receipt("t1", "command-3").unwrap(),
        store.receipt("t1", "command-3").unwrap()
    );
    append_some(&reopened, 8, 9);
    append_some(&store, 8, 9);
    assert_eq!(bytes_of(&reopened), bytes_of(&store));
}

#[test]
fn a_point_in_time_is_cut_at_a_whole_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = log(6);
    copy(&store, dir.path()).unwrap();
    // Commit n has the positions 2n+1 and 2n+2 and was recorded at n.
    for (until, head) in [
        (Until::Position(0), 0),
        (Until::Position(1), 0),
        (Until::Position(2), 2),
        (Until::Position(7), 6),
        (Until::Position(99), 12),
        (Until::Time(-1), 0),
        (Until::Time(0), 2),
        (Until::Time(3), 8),
        (Until::Time(99), 12),
    ] {
        let target = tempfile::tempdir().unwrap();
        let restored = restore(dir.path(), target.path(), until).unwrap();
        assert_eq!(restored.head, head, "{until:?}");
        assert_eq!(Some(restored.hash), store.hash_at(head).unwrap());
        let reopened = SledStore::open(target.path()).unwrap();
        assert_eq!(reopened.head(), head);
        let again = restore(dir.path(), target.path(), until).unwrap_err();
        assert_eq!(again.code(), "TARGET_NOT_EMPTY");
    }
}

#[test]
fn an_interrupted_restore_is_not_taken_for_a_ledger() {
    let (dir, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy(&log(4), dir.path()).unwrap();
    let file = &segment_files(dir.path())[0];
    let mut bytes = fs::read(file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(file, bytes).unwrap();
    let data = target.path().join("data");
    assert_eq!(
        restore(dir.path(), &data, Until::End).unwrap_err().code(),
        "BACKUP_DAMAGED"
    );
    assert_eq!(
        SledStore::open(&data).unwrap_err().code(),
        "NOT_A_LEDGER",
        "the mark is set last"
    );
}

#[test]
fn a_flipped_byte_in_a_segment_is_found_and_its_block_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = log(4);
    copy(&store, dir.path()).unwrap();
    let file = segment_files(dir.path()).remove(0);
    let good = fs::read(&file).unwrap();
    let mut ends = Vec::new();
    for block in store.blocks(0, usize::MAX).unwrap() {
        ends.push((
            ends.last().map_or(0, |(end, _)| *end) + block.bytes.len(),
            block.first_position,
        ));
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&file, bad).unwrap();
        let found = Segments::open(dir.path())
            .unwrap()
            .verify(&mut |_, _| {})
            .unwrap_err();
        let block = ends.iter().find(|(end, _)| at < *end).unwrap().1;
        let sentence = found.to_string();
        assert_eq!(found.code(), "BACKUP_DAMAGED");
        assert!(
            sentence.contains(&format!("block at position {block} is damaged"))
                && sentence.contains("00000000000000000001-00000000000000000008.seg"),
            "byte {at} of block {block}: {sentence}"
        );
    }
}

#[test]
fn a_flipped_byte_in_the_manifest_is_found_or_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = log(4);
    copy(&store, dir.path()).unwrap();
    let path = dir.path().join("manifest.json");
    let good = fs::read(&path).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x01;
        fs::write(&path, bad).unwrap();
        let mut read = Vec::new();
        let end = Segments::open(dir.path()).and_then(|segments| {
            segments.read(Until::End, &mut |_, bytes| {
                read.extend_from_slice(bytes);
                Ok(true)
            })
        });
        match end {
            Ok(_) => {
                assert_eq!(read, bytes_of(&store), "byte {at}");
                harmless += 1;
            }
            Err(_) => found += 1,
        }
    }
    assert!(found > 10 * harmless, "{found} found, {harmless} harmless");
}

#[test]
fn a_segment_that_is_cut_short_or_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    copy(&log(4), dir.path()).unwrap();
    let file = segment_files(dir.path()).remove(0);
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    let short = Segments::open(dir.path()).unwrap();
    assert_eq!(
        short.verify(&mut |_, _| {}).unwrap_err().code(),
        "BACKUP_DAMAGED"
    );
    assert_eq!(
        copy(&log(5), dir.path()).unwrap_err().code(),
        "BACKUP_DAMAGED"
    );
    fs::remove_file(&file).unwrap();
    let missing = short.verify(&mut |_, _| {}).unwrap_err();
    assert!(missing.to_string().contains(".seg"), "{missing}");
}

#[test]
fn a_manifest_cannot_name_a_file_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    copy(&log(1), dir.path()).unwrap();
    let path = dir.path().join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    let bad = text.replace(
        "00000000000000000001-00000000000000000002.seg",
        "../00000000000000000001-00000000000000000002.seg",
    );
    fs::write(&path, bad).unwrap();
    let refused = Segments::open(dir.path()).unwrap_err();
    assert_eq!(refused.code(), "BACKUP_DAMAGED");
}

#[test]
fn a_newer_manifest_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    copy(&log(1), dir.path()).unwrap();
    let path = dir.path().join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let refused = Segments::open(dir.path()).unwrap_err();
    assert_eq!(refused.code(), "UNSUPPORTED_VERSION");
}

#[test]
fn an_export_of_a_part_continues_the_log_that_ends_where_it_begins() {
    let (dir, part, target) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let store = log(4);
    copy(&store, dir.path()).unwrap();
    import(dir.path(), target.path()).unwrap();
    append_some(&store, 4, 9);
    let bounds = Bounds {
        after: 8,
        until: Until::Position(14),
    };
    let manifest = copy_of(&store, part.path(), bounds).unwrap();
    assert_eq!((manifest.before.position, manifest.end().position), (8, 14));
    assert_eq!(
        restore(part.path(), &target.path().join("new"), Until::End)
            .unwrap_err()
            .code(),
        "BACKUP_INCOMPLETE"
    );
    let imported = import(part.path(), target.path()).unwrap();
    assert_eq!((imported.blocks, imported.head), (3, 14));
    // Again, as after an interruption: what is there is recognised.
    let again = import(part.path(), target.path()).unwrap();
    assert_eq!((again.blocks, again.head), (0, 14));
    assert_eq!(Some(again.hash), store.hash_at(14).unwrap());
}

#[test]
fn an_export_begins_at_the_border_of_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = |after| Bounds {
        after,
        until: Until::End,
    };
    let inside = copy_of(&log(4), dir.path(), bounds(3)).unwrap_err();
    assert_eq!(inside.code(), "INSIDE_COMMIT");
    let beyond = copy_of(&log(4), dir.path(), bounds(9)).unwrap_err();
    assert_eq!(beyond.code(), "INVALID_COMMIT");
    assert!(segment_files(dir.path()).is_empty());
}

#[test]
fn an_import_refuses_what_does_not_continue_the_log() {
    let part = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        after: 4,
        until: Until::Position(8),
    };
    copy_of(&log(6), part.path(), bounds).unwrap();
    let other = |n: u64| Commit {
        actor: "somebody else".into(),
        ..commit(n, n)
    };
    for (what, commits) in [
        ("too short", 1_u64),
        ("too long", 6),
        ("other", 2),
        ("other", 3),
    ] {
        let target = tempfile::tempdir().unwrap();
        let store = SledStore::open(target.path()).unwrap();
        for n in 0..commits {
            let next = if what == "other" {
                other(n)
            } else {
                commit(n, n)
            };
            store.append(next).unwrap();
        }
        let before = bytes_of(&store);
        drop(store);
        let refused = import(part.path(), target.path()).unwrap_err();
        assert_eq!(refused.code(), "DOES_NOT_CONTINUE", "{what}: {refused}");
        assert_eq!(bytes_of(&SledStore::open(target.path()).unwrap()), before);
    }
}

#[test]
fn blocks_that_lie_one_after_the_other_are_cut_apart() {
    let store = log(3);
    let blocks = store.blocks(0, usize::MAX).unwrap();
    let whole = bytes_of(&store);
    let cut: Vec<&[u8]> = segments::split(0, &whole).map(Result::unwrap).collect();
    assert_eq!(cut, blocks.iter().map(|b| &b.bytes[..]).collect::<Vec<_>>());
    for short in [
        1,
        block::HEADER_BYTES - 1,
        block::HEADER_BYTES,
        whole.len() - 1,
    ] {
        let last = segments::split(0, &whole[..short]).last();
        assert!(
            matches!(last, Some(Err(StoreError::Corrupt { .. }))),
            "{short} bytes"
        );
    }
    assert_eq!(segments::split(0, &[]).count(), 0);
}

#[test]
fn a_follower_of_a_busy_log_sees_every_position_once_and_waits_without_asking() {
    const COMMITS: u64 = 200;
    let store = Arc::new(MemoryStore::new());
    let busy = Arc::clone(&store);
    let writing = thread::spawn(move || append_some(&*busy, 0, COMMITS));
    let mut source: &dyn EventStore = &*store;
    let mut follower = Follower::after(&mut source, 0);
    let mut seen = Vec::new();
    while seen.len() < 2 * COMMITS as usize {
        store.wait_past(follower.position(), Duration::from_secs(60));
        let news = follower.page(&mut |block| {
            for event in block.events() {
                seen.push(event?.position);
            }
            Ok(())
        });
        assert!(news.unwrap(), "woken for nothing at {:?}", seen.last());
    }
    writing.join().unwrap();
    assert_eq!(seen, (1..=2 * COMMITS).collect::<Vec<_>>());
}
