//! Appends commits to a log, for tests that watch or kill it and for a first look at its speed.
//!
//! `append acks DIR COMMITS` appends one by one and prints `acked POSITION` after each answer.
//! `append bench DIR COMMITS SUBMITTERS PAYLOAD_BYTES [EVENTS]` appends from several threads, so many events per commit
//! (1 if it is not said), and prints one JSON object.
//! `append read DIR` opens a log, replays it and verifies it, and prints how long each took.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use indelible_store::{CommandRecord, Commit, EventStore, NewEvent, SledStore, StreamKey};

const USAGE: &str = "append acks DIR COMMITS | append bench DIR COMMITS SUBMITTERS PAYLOAD_BYTES [EVENTS] | append read DIR";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["acks", dir, commits] => acks(Path::new(dir), commits.parse()?),
        ["bench", dir, commits, submitters, bytes, events @ ..] if events.len() < 2 => bench(
            Path::new(dir),
            commits.parse()?,
            submitters.parse()?,
            bytes.parse()?,
            events.first().map_or(Ok(1), |events| events.parse())?,
        ),
        ["read", dir] => read(Path::new(dir)),
        _ => Err(USAGE.into()),
    }
}

fn acks(dir: &Path, commits: u64) -> Result<(), Box<dyn Error>> {
    let store = SledStore::open(dir)?;
    let mut out = std::io::stdout().lock();
    let first = store.stream_version(&stream(0))?;
    for version in first..first.saturating_add(commits) {
        let appended = store.append(commit(0, version, 200, 1))?;
        writeln!(out, "acked {}", appended.last_position)?;
        out.flush()?;
    }
    Ok(())
}

fn bench(
    dir: &Path,
    commits: u64,
    submitters: u64,
    bytes: usize,
    events: u64,
) -> Result<(), Box<dyn Error>> {
    let store = SledStore::open(dir)?;
    let each = commits / submitters.max(1);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=submitters)
            .map(|n| {
                let store = &store;
                scope.spawn(move || {
                    let version = store.stream_version(&stream(n))?;
                    (0..each)
                        .map(|commit| version + commit * events)
                        .try_for_each(|v| store.append(commit(n, v, bytes, events)).map(|_| ()))
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
        "{{\"commits\":{},\"submitters\":{submitters},\"payload_bytes\":{bytes},\"events_per_commit\":{events},\"syncs\":{},\"micros\":{micros}}}",
        each * submitters,
        stats.syncs
    );
    Ok(())
}

fn read(dir: &Path) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let store = SledStore::open(dir)?;
    let open = start.elapsed().as_micros();
    let start = Instant::now();
    let (mut events, mut bytes) = (0u64, 0);
    store.replay(0, u64::MAX, &mut |event| {
        events += 1;
        bytes += event.payload.len();
        Ok(true)
    })?;
    let replay = start.elapsed().as_micros();
    let start = Instant::now();
    store.verify(&mut |_, _| {})?;
    let verify = start.elapsed().as_micros();
    println!(
        "{{\"events\":{events},\"payload_bytes\":{bytes},\"open_micros\":{open},\"replay_micros\":{replay},\"verify_micros\":{verify}}}"
    );
    Ok(())
}

fn stream(submitter: u64) -> StreamKey {
    StreamKey::new("t1", "account", format!("acc-{submitter}"))
}

/// About as compressible as a record of usage: a random id, then small numbers in wide fields.
fn payload(number: u64, bytes: usize) -> Vec<u8> {
    let mut payload = Vec::with_capacity(bytes + 16);
    payload.extend_from_slice(&scramble(number).to_le_bytes());
    payload.extend_from_slice(&scramble(!number).to_le_bytes());
    for field in 0u64.. {
        if payload.len() >= bytes {
            break;
        }
        payload.extend_from_slice(&u128::from(scramble(number ^ field) % 50_000).to_le_bytes());
    }
    payload.truncate(bytes);
    payload
}

/// Spreads a number over all bits (the finaliser of SplitMix64).
fn scramble(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn commit(submitter: u64, version: u64, bytes: usize, events: u64) -> Commit {
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
        events: (version..version + events)
            .map(|expected_version| NewEvent {
                stream: stream(submitter),
                expected_version,
                event_type: "account.Noted".into(),
                schema: 1,
                payload: payload(submitter << 40 | expected_version, bytes),
            })
            .collect(),
    }
}
