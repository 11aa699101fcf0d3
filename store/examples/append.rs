//! Appends commits to a log, for tests that watch or kill it and for a first look at its speed.
//!
//! `append acks DIR COMMITS` appends one by one and prints `acked POSITION` after each answer.
//! `append bench DIR COMMITS SUBMITTERS PAYLOAD_BYTES` appends from several threads and prints one JSON object.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use indelible_store::{CommandRecord, Commit, EventStore, NewEvent, SledStore, StreamKey};

const USAGE: &str = "append acks DIR COMMITS | append bench DIR COMMITS SUBMITTERS PAYLOAD_BYTES";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["acks", dir, commits] => acks(Path::new(dir), commits.parse()?),
        ["bench", dir, commits, submitters, bytes] => bench(
            Path::new(dir),
            commits.parse()?,
            submitters.parse()?,
            bytes.parse()?,
        ),
        _ => Err(USAGE.into()),
    }
}

fn acks(dir: &Path, commits: u64) -> Result<(), Box<dyn Error>> {
    let store = SledStore::open(dir)?;
    let mut out = std::io::stdout().lock();
    let first = store.stream_version(&stream(0))?;
    for version in first..first.saturating_add(commits) {
        let appended = store.append(commit(0, version, 200))?;
        writeln!(out, "acked {}", appended.last_position)?;
        out.flush()?;
    }
    Ok(())
}

fn bench(dir: &Path, commits: u64, submitters: u64, bytes: usize) -> Result<(), Box<dyn Error>> {
    let store = SledStore::open(dir)?;
    let each = commits / submitters.max(1);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=submitters)
            .map(|n| {
                let store = &store;
                scope.spawn(move || {
                    let version = store.stream_version(&stream(n))?;
                    (version..version + each)
                        .try_for_each(|v| store.append(commit(n, v, bytes)).map(|_| ()))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .map_err(|_| "a submitter panicked")?
                .map_err(|e| Box::new(e) as Box<dyn Error>)
        })
    })?;
    let micros = start.elapsed().as_micros();
    let stats = store.stats();
    println!(
        "{{\"commits\":{},\"submitters\":{submitters},\"payload_bytes\":{bytes},\"syncs\":{},\"micros\":{micros}}}",
        each * submitters,
        stats.syncs
    );
    Ok(())
}

fn stream(submitter: u64) -> StreamKey {
    StreamKey::new("t1", "account", format!("acc-{submitter}"))
}

fn commit(submitter: u64, version: u64, bytes: usize) -> Commit {
    Commit {
        tenant: "t1".into(),
        recorded_at: 0,
        actor: "append".into(),
        correlation: String::new(),
        causation: 0,
        command: Some(CommandRecord {
            command_id: format!("{submitter}-{version}"),
            input_hash: [0; 32],
            receipt: Vec::new(),
        }),
        events: vec![NewEvent {
            stream: stream(submitter),
            expected_version: version,
            event_type: "account.Noted".into(),
            schema: 1,
            payload: vec![0x5A; bytes],
        }],
    }
}
