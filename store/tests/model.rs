//! Operations drawn by lot, on a log and on a plain list beside it: they must agree after each, and after each crash.
//!
//! A crash is a log that is dropped without an answer to what was queued, and a directory that is opened again: with its index,
//! without it, or with a broken one. Runs are so small that a few hundred commits make several levels of them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use indelible_store::{
    CommandRecord, Commit, EventStore, IndexLimits, MemoryStore, NewEvent, Options, SledStore,
    StoredEvent, StreamKey,
};

/// The same sequence for the same seed (the finaliser of SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What a log is: a list of events, and the answers of commands.
#[derive(Default)]
struct Model {
    events: Vec<StoredEvent>,
    /// Last position of each commit.
    ends: Vec<u64>,
    versions: HashMap<StreamKey, u64>,
    /// Receipt and last position by tenant and id.
    commands: BTreeMap<(String, String), (Vec<u8>, u64)>,
    clock: i64,
}

impl Model {
    fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// The rules of a commit, in the order in which they refuse.
    fn append(&mut self, commit: &Commit) -> Result<u64, &'static str> {
        if commit.causation > self.head() {
            return Err("INVALID_COMMIT");
        }
        let id = |c: &CommandRecord| (commit.tenant.clone(), c.command_id.clone());
        let command = commit.command.as_ref();
        if command.is_some_and(|c| self.commands.contains_key(&id(c))) {
            return Err("DUPLICATE_COMMAND");
        }
        let mut versions: HashMap<&StreamKey, u64> = HashMap::new();
        for event in &commit.events {
            let known = self.versions.get(&event.stream).copied().unwrap_or(0);
            let version = versions.entry(&event.stream).or_insert(known);
            if *version != event.expected_version {
                return Err("WRONG_VERSION");
            }
            *version += 1;
        }
        let reached = versions.into_iter().map(|(key, v)| (key.clone(), v));
        self.versions.extend(reached);
        self.clock = self.clock.max(commit.recorded_at);
        for event in &commit.events {
            self.events.push(StoredEvent {
                position: self.head() + 1,
                stream: event.stream.clone(),
                version: event.expected_version + 1,
                event_type: event.event_type.clone(),
                schema: event.schema,
                payload: event.payload.clone(),
                recorded_at: self.clock,
                actor: commit.actor.clone(),
                command_id: command.map(|c| c.command_id.clone()),
                correlation: commit.correlation.clone(),
                causation: commit.causation,
            });
        }
        let head = self.head();
        self.ends.push(head);
        if let Some(c) = command {
            self.commands.insert(id(c), (c.receipt.clone(), head));
        }
        Ok(head)
    }

    fn of_stream(&self, key: &StreamKey, after: u64, max: usize) -> Vec<StoredEvent> {
        let of = self
            .events
            .iter()
            .filter(|e| e.stream == *key && e.version > after);
        of.take(max).cloned().collect()
    }
}

fn stream(dice: &mut Dice) -> StreamKey {
    let tenant = format!("t{}", dice.below(2));
    let id = match dice.below(3) {
        0 => format!("often-{}", dice.below(3)),
        _ => format!("seldom-{}", dice.below(400)),
    };
    StreamKey::new(tenant, "s", id)
}

fn commit(model: &Model, dice: &mut Dice) -> Commit {
    let first = stream(dice);
    let tenant = first.tenant.clone();
    let mut next: HashMap<StreamKey, u64> = HashMap::new();
    let count = if dice.one_in(20) {
        60
    } else {
        1 + dice.below(4)
    };
    let events = (0..count).map(|_| {
        let mut key = stream(dice);
        key.tenant.clone_from(&tenant);
        let known = model.versions.get(&key).copied().unwrap_or(0);
        let version = next.entry(key.clone()).or_insert(known);
        let wrong = if dice.one_in(60) {
            1 + dice.below(3)
        } else {
            0
        };
        let expected_version = *version + wrong;
        *version += 1;
        NewEvent {
            payload: vec![dice.below(256) as u8; dice.below(200) as usize],
            event_type: "s.Happened".into(),
            schema: dice.below(3) as u16,
            stream: key,
            expected_version,
        }
    });
    let events = events.collect();
    Commit {
        recorded_at: dice.below(1_000_000) as i64,
        actor: format!("actor {}", dice.below(3)),
        correlation: String::new(),
        causation: match dice.below(12) {
            0 => model.head() + dice.below(3),
            n => model.head() / n,
        },
        // Few enough ids that some come again.
        command: (!dice.one_in(3)).then(|| CommandRecord {
            command_id: format!("c{}", dice.below(600)),
            input_hash: [9; 32],
            receipt: vec![dice.below(256) as u8; 3],
        }),
        events,
        tenant,
    }
}

/// One question to both.
fn ask(store: &dyn EventStore, model: &Model, dice: &mut Dice) {
    let head = model.head();
    assert_eq!(store.head(), head);
    let after = dice.below(head + 2);
    match dice.below(6) {
        0 => {
            let max = dice.below(20) as usize;
            let read = store.read(after, max).unwrap();
            let from = model.events.get(after as usize..).unwrap_or_default();
            assert_eq!(read, from[..read.len()]);
            let whole = read.last().is_none_or(|e| model.ends.contains(&e.position));
            assert!(whole && (read.len() >= max.max(1) || read.len() == from.len()));
        }
        1 => {
            let until = after + dice.below(50);
            let mut seen = Vec::new();
            let mut each = |event: &indelible_store::EventRef<'_>| {
                seen.push(event.to_stored());
                Ok(true)
            };
            store.replay(after, until, &mut each).unwrap();
            let within = |e: &&StoredEvent| e.position > after && e.position <= until;
            let expected: Vec<_> = model.events.iter().filter(within).cloned().collect();
            assert_eq!(seen, expected);
        }
        2 => {
            let key = stream(dice);
            let version = model.versions.get(&key).copied().unwrap_or(0);
            assert_eq!(store.stream_version(&key).unwrap(), version);
            let (after, max) = (dice.below(version + 2), dice.below(9) as usize);
            let read = store.read_stream(&key, after, max).unwrap();
            assert_eq!(
                read,
                model.of_stream(&key, after, max),
                "{key} after {after}"
            );
        }
        3 => {
            let (tenant, id) = (
                format!("t{}", dice.below(2)),
                format!("c{}", dice.below(600)),
            );
            let found = store.receipt(&tenant, &id).unwrap();
            let expected = model.commands.get(&(tenant, id)).cloned();
            assert_eq!(found.map(|r| (r.receipt, r.last_position)), expected);
        }
        4 => {
            let ends = after == 0 || model.ends.contains(&after);
            assert_eq!(store.hash_at(after).unwrap().is_some(), ends);
        }
        _ => {
            let blocks = store.blocks(after, 2_000).unwrap();
            let ends: Vec<u64> = blocks.iter().map(|block| block.last_position).collect();
            let later: Vec<u64> = model.ends.iter().copied().filter(|e| *e > after).collect();
            assert_eq!(ends, later[..ends.len()]);
            assert!(!ends.is_empty() || later.is_empty());
        }
    }
}

/// Every stream, every command, every event.
fn ask_everything(store: &dyn EventStore, model: &Model) {
    assert_eq!(store.read(0, usize::MAX).unwrap(), model.events);
    for (key, version) in &model.versions {
        assert_eq!(store.stream_version(key).unwrap(), *version, "{key}");
    }
    for id in 0..3 {
        let key = StreamKey::new("t0", "s", format!("often-{id}"));
        let read = store.read_stream(&key, 0, usize::MAX).unwrap();
        assert_eq!(read, model.of_stream(&key, 0, usize::MAX), "{key}");
    }
    for ((tenant, id), (receipt, last_position)) in &model.commands {
        let found = store.receipt(tenant, id).unwrap().expect("a known command");
        assert_eq!(
            (&found.receipt, found.last_position),
            (receipt, *last_position)
        );
    }
    let verified = store.verify(&mut |_, _| {}).unwrap();
    assert_eq!(
        (verified.blocks, verified.head),
        (model.ends.len() as u64, model.head())
    );
    assert_eq!(store.stats().blocks, model.ends.len() as u64);
}

fn step(store: &dyn EventStore, model: &mut Model, dice: &mut Dice) {
    if dice.one_in(3) {
        return ask(store, model, dice);
    }
    // Up to five commits that may share a group.
    let mut tickets = Vec::new();
    for _ in 0..=dice.below(5) {
        let commit = commit(model, dice);
        let expected = model.append(&commit);
        tickets.push((store.submit(commit).unwrap(), expected));
    }
    for (ticket, expected) in tickets {
        let answer = ticket.wait();
        let answer = answer.map(|at| at.last_position).map_err(|e| e.code());
        assert_eq!(answer, expected);
    }
}

fn open(data: &Path) -> SledStore {
    let options = Options {
        roll_bytes: 20 << 20,
        index: IndexLimits {
            tail_entries: 60,
            tail_log_bytes: u64::MAX,
            page_bytes: 200,
            fanout: 3,
        },
        ..Options::default()
    };
    SledStore::open_with(data, options).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    files.sort();
    files
}

/// Drops, breaks or keeps the index of a log that is not open.
fn disturb_index(data: &Path, dice: &mut Dice) {
    let files = files(&data.join("index"));
    match dice.below(4) {
        0 => fs::remove_dir_all(data.join("index")).unwrap_or_default(),
        1 if !files.is_empty() => {
            let file = &files[dice.below(files.len() as u64) as usize];
            let mut bytes = fs::read(file).unwrap();
            if !bytes.is_empty() {
                let at = dice.below(bytes.len() as u64) as usize;
                bytes[at] ^= 0x20;
                fs::write(file, bytes).unwrap();
            }
        }
        _ => {}
    }
}

#[test]
fn a_log_on_disk_agrees_with_a_list_through_crashes_and_lost_indexes() {
    for seed in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let (mut model, mut dice) = (Model::default(), Dice(seed));
        for _ in 0..5 {
            let store = open(dir.path());
            for _ in 0..25 {
                step(&store, &mut model, &mut dice);
            }
            ask_everything(&store, &model);
            // Nobody waits for its answer; it is written before the log is gone.
            let last = commit(&model, &mut dice);
            let _ = model.append(&last);
            drop(store.submit(last).unwrap());
            drop(store);
            disturb_index(dir.path(), &mut dice);
        }
        ask_everything(&open(dir.path()), &model);
        let is_run = |file: &PathBuf| file.to_string_lossy().contains("run-");
        let runs = files(&dir.path().join("index"))
            .iter()
            .filter(|f| is_run(f))
            .count();
        assert!(runs >= 2, "seed {seed}: {runs} runs");
    }
}

#[test]
fn a_log_in_memory_agrees_with_a_list() {
    for seed in [4, 5, 6] {
        let (store, mut model, mut dice) = (MemoryStore::new(), Model::default(), Dice(seed));
        for _ in 0..300 {
            step(&store, &mut model, &mut dice);
        }
        ask_everything(&store, &model);
    }
}
