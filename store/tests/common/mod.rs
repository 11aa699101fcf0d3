//! Commits to write and ways to look at what was written.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use indelible_store::{CommandRecord, Commit, EventStore, NewEvent, StreamKey};

/// The commit of `command-<n>`: one event each on streams a and b, which must be at `version`.
pub fn commit(n: u64, version: u64) -> Commit {
    Commit {
        tenant: "t1".into(),
        recorded_at: i64::try_from(n).unwrap(),
        actor: "test".into(),
        correlation: "c".into(),
        causation: 0,
        command: Some(CommandRecord {
            command_id: format!("command-{n}"),
            input_hash: [9; 32],
            receipt: format!("receipt {n}").into_bytes(),
        }),
        events: ["a", "b"]
            .map(|id| NewEvent {
                stream: StreamKey::new("t1", "account", id),
                expected_version: version,
                event_type: "account.Noted".into(),
                schema: 1,
                payload: format!("{id} {n}").into_bytes(),
            })
            .to_vec(),
    }
}

/// Appends the commits `from..until`; the streams must be at version `from`.
pub fn append_some(store: &dyn EventStore, from: u64, until: u64) {
    for n in from..until {
        store.append(commit(n, n)).unwrap();
    }
}

/// The command ids in the log, in order, each once per commit.
pub fn ids(store: &dyn EventStore) -> Vec<String> {
    let mut ids: Vec<String> = store
        .read(0, usize::MAX)
        .unwrap()
        .into_iter()
        .filter_map(|event| event.command_id)
        .collect();
    ids.dedup();
    ids
}

/// Every file below a directory, with its size.
pub fn tree(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(tree(&entry.path()));
        } else {
            let bytes = entry.metadata().unwrap().len();
            found.push(format!("{} {bytes}", entry.path().display()));
        }
    }
    found.sort();
    found
}

/// Builds `examples/append.rs` and returns its path. `cargo test` builds it only when it tests the whole package.
pub fn append_example() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--offline",
            "--package",
            "indelible-store",
        ])
        .args(["--example", "append"])
        .status()
        .unwrap();
    assert!(built.success(), "examples/append.rs does not build");
    // The test itself lies in <target>/<profile>/deps.
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("append{}", std::env::consts::EXE_SUFFIX));
    path
}
