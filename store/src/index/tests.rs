use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::runs::Run;
use crate::testing::{Blocks, Dice, commit};
use crate::{EventStore, Log, StreamKey};

const SMALL: IndexLimits = IndexLimits {
    tail_entries: 40,
    tail_log_bytes: u64::MAX,
    page_bytes: 128,
    fanout: 3,
};

/// What the index must know: the positions of each stream's events, and the last position of each command's commit.
#[derive(Default)]
struct Expected {
    streams: HashMap<String, Vec<u64>>,
    commands: HashMap<String, u64>,
}

impl Expected {
    /// Appends commits over few long streams and many short ones.
    fn append(&mut self, log: &Log<Blocks>, commits: u64, dice: &mut Dice) {
        for _ in 0..commits {
            let mut names = Vec::new();
            for _ in 0..=dice.below(4) {
                names.push(match dice.below(3) {
                    0 => format!("long-{}", dice.below(3)),
                    _ => format!("short-{}", dice.below(300)),
                });
            }
            let head = log.head();
            let mut events = Vec::new();
            for (name, position) in names.iter().zip(head + 1..) {
                let positions = self.streams.entry(name.clone()).or_default();
                events.push((name.as_str(), positions.len() as u64));
                positions.push(position);
            }
            let id = format!("c{head}");
            let command = (dice.below(2) == 0).then_some(id.as_str());
            let appended = log.append(commit(command, &events)).unwrap();
            if command.is_some() {
                self.commands.insert(id, appended.last_position);
            }
        }
    }

    fn check(&self, log: &Log<Blocks>) {
        for (name, positions) in &self.streams {
            let key = StreamKey::new("t", "s", name.as_str());
            let version = log.stream_version(&key).unwrap();
            assert_eq!(version, positions.len() as u64, "{name}");
            let from = positions.len() / 2;
            for (after, max) in [(0, usize::MAX), (from, 3), (positions.len(), 9)] {
                let read = log.read_stream(&key, after as u64, max).unwrap();
                let read: Vec<u64> = read.iter().map(|event| event.position).collect();
                let end = positions.len().min(after.saturating_add(max));
                assert_eq!(read, positions[after..end], "{name} after {after}");
            }
        }
        for (n, (id, last_position)) in self.commands.iter().enumerate() {
            let receipt = log.receipt("t", id).unwrap().expect("a known command");
            assert_eq!(receipt.last_position, *last_position);
            if n % 10 > 0 {
                continue;
            }
            let again = log.append(commit(Some(id.as_str()), &[("new", 0)]));
            assert_eq!(again.unwrap_err().code(), "DUPLICATE_COMMAND");
        }
        assert_eq!(log.receipt("t", "nobody's").unwrap(), None);
        assert_eq!(
            log.stream_version(&StreamKey::new("t", "s", "none"))
                .unwrap(),
            0
        );
        assert!(log.append(commit(None, &[("none", 1)])).is_err());
    }
}

fn open(medium: &Blocks) -> Log<Blocks> {
    Log::over_with(medium.clone(), SMALL).unwrap()
}

fn medium(dir: &Path) -> Blocks {
    Blocks {
        index_dir: Some(dir.join("index")),
        ..Blocks::default()
    }
}

fn runs(log: &Log<Blocks>) -> Vec<u8> {
    let levels = |run: &std::sync::Arc<Run<Entry>>| run.level;
    log.index().read().runs().0.iter().map(levels).collect()
}

/// Waits, by the index's own signal, until no tail waits and nothing is left to merge.
fn settle(log: &Log<Blocks>) {
    log.index().wake();
    let idle = log.index().idle_within(Duration::from_secs(60));
    assert!(idle, "the index did not come to rest");
}

/// A log of some hundred blocks with runs of several levels.
fn some_runs(dir: &Path) -> (Blocks, Expected) {
    let (medium, mut expected) = (medium(dir), Expected::default());
    let log = open(&medium);
    expected.append(&log, 400, &mut Dice(1));
    settle(&log);
    (medium, expected)
}

#[test]
fn runs_and_tail_together_know_every_stream_and_command() {
    let dir = tempfile::tempdir().unwrap();
    let (medium, mut expected) = (medium(dir.path()), Expected::default());
    let mut dice = Dice(7);
    for round in 0..6 {
        let log = open(&medium);
        expected.append(&log, 150, &mut dice);
        if round % 2 == 0 {
            settle(&log);
            let levels = runs(&log);
            assert!(levels.is_sorted_by(|a, b| a >= b), "{levels:?}");
            assert!(levels.len() < 2 * SMALL.fanout * 3, "{levels:?}");
        }
        expected.check(&log);
        log.verify(&mut |_, _| {}).unwrap();
    }
    let log = open(&medium);
    assert!(
        runs(&log).iter().any(|level| *level >= 2),
        "merges of merges"
    );
    expected.check(&log);
}

#[test]
fn large_blocks_of_few_streams_make_runs_too() {
    let dir = tempfile::tempdir().unwrap();
    let limits = IndexLimits {
        tail_entries: usize::MAX,
        tail_log_bytes: 4 << 10,
        ..SMALL
    };
    let (medium, mut expected) = (medium(dir.path()), Expected::default());
    {
        let log = Log::over_with(medium.clone(), limits).unwrap();
        expected.append(&log, 200, &mut Dice(11));
        settle(&log);
        assert!(!runs(&log).is_empty());
    }
    medium.scanned.store(0, Ordering::SeqCst);
    let log = Log::over_with(medium.clone(), limits).unwrap();
    let scanned = medium.scanned.load(Ordering::SeqCst);
    // No block of these is below a hundred bytes, and at most one tail was under way when the log closed.
    assert!(scanned <= 41, "{scanned} blocks read");
    expected.check(&log);
}

#[test]
fn a_start_reads_only_what_follows_the_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (medium, expected) = some_runs(dir.path());
    medium.scanned.store(0, Ordering::SeqCst);
    let log = open(&medium);
    let scanned = medium.scanned.load(Ordering::SeqCst);
    assert!(
        scanned <= SMALL.tail_entries as u64,
        "{scanned} blocks read"
    );
    let stats = log.stats();
    let bytes: usize = medium.blocks.read().unwrap().values().map(Vec::len).sum();
    assert_eq!((stats.blocks, stats.bytes), (400, bytes as u64));
    expected.check(&log);
}

#[test]
fn a_small_log_is_checked_whole_at_each_start() {
    let dir = tempfile::tempdir().unwrap();
    let (medium, mut expected) = (medium(dir.path()), Expected::default());
    expected.append(&open(&medium), 8, &mut Dice(3));
    medium.scanned.store(0, Ordering::SeqCst);
    expected.check(&open(&medium));
    assert!(medium.scanned.load(Ordering::SeqCst) >= 8);
}

#[test]
fn a_lost_index_is_made_again_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (medium, expected) = some_runs(dir.path());
    let index = dir.path().join("index");
    fs::remove_file(index.join("manifest")).unwrap();
    let log = open(&medium);
    assert!(!runs(&log).is_empty(), "made with runs, not in memory");
    expected.check(&log);
    drop(log);
    fs::remove_dir_all(&index).unwrap();
    expected.check(&open(&medium));
    // Left by a stop in the middle of something.
    fs::write(index.join("run-00000000deadbeef"), b"half a run").unwrap();
    fs::write(index.join("run-00000000deadbee0.tmp"), b"").unwrap();
    expected.check(&open(&medium));
    assert!(!index.join("run-00000000deadbeef").exists());
    assert!(!index.join("run-00000000deadbee0.tmp").exists());
}

#[test]
fn a_damaged_index_changes_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (medium, expected) = some_runs(dir.path());
    let mut dice = Dice(11);
    for round in 0..24 {
        let mut files: Vec<_> = fs::read_dir(dir.path().join("index"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let file = &files[dice.below(files.len() as u64) as usize];
        let mut bytes = fs::read(file).unwrap();
        let at = dice.below(bytes.len() as u64) as usize;
        match round % 3 {
            0 => bytes.truncate(at),
            _ => bytes[at] ^= 1 << dice.below(8),
        }
        // Every other time under a log that has it open already.
        let log = (round % 2 == 0).then(|| open(&medium));
        fs::write(file, &bytes).unwrap();
        let log = log.unwrap_or_else(|| open(&medium));
        expected.check(&log);
        settle(&log);
    }
}

#[test]
fn the_index_of_another_log_is_not_used() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, _) = some_runs(one.path());
    let (medium, mut expected) = (medium(two.path()), Expected::default());
    expected.append(&open(&medium), 500, &mut Dice(99));
    fs::remove_dir_all(two.path().join("index")).unwrap();
    fs::rename(one.path().join("index"), two.path().join("index")).unwrap();
    expected.check(&open(&medium));
}

#[test]
fn an_index_that_knows_more_than_the_log_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let (medium, _) = some_runs(dir.path());
    medium
        .blocks
        .write()
        .unwrap()
        .retain(|first, _| *first < 100);
    let log = open(&medium);
    assert!(log.head() < 110);
    let verified = log.verify(&mut |_, _| {}).unwrap();
    assert_eq!(verified.head, log.head());
    let long = StreamKey::new("t", "s", "long-0");
    let known = log.read_stream(&long, 0, usize::MAX).unwrap();
    assert_eq!(log.stream_version(&long).unwrap(), known.len() as u64);
}

#[test]
fn an_index_that_cannot_be_written_stays_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index"), b"a file, not a directory").unwrap();
    let (medium, mut expected) = (medium(dir.path()), Expected::default());
    let log = open(&medium);
    expected.append(&log, 300, &mut Dice(5));
    expected.check(&log);
    drop(log);
    expected.check(&open(&medium));
}
