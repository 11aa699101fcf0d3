//! Writes a log of commits with many small events, and prints as one JSON object what it takes on disk and how long
//! writing, reading and opening took.
//!
//! `space DIR COMMITS EVENTS_PER_COMMIT SUBMITTERS noise|text ROLL_MIB`: payloads of 120 bytes, random or like usage records.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use indelible_store::{Commit, EventStore, NewEvent, Options, SledStore, StreamKey};

const USAGE: &str = "space DIR COMMITS EVENTS_PER_COMMIT SUBMITTERS noise|text ROLL_MIB";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [dir, commits, events, submitters, payload, roll_mib] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let dir = Path::new(dir);
    let (commits, events): (u64, u64) = (commits.parse()?, events.parse()?);
    let submitters: u64 = submitters.parse()?;
    let text = *payload == "text";
    let roll_bytes = roll_mib.parse::<u64>()? << 20;
    let open = || {
        SledStore::open_with(
            dir,
            Options {
                roll_bytes,
                ..Options::default()
            },
        )
    };
    let store = open()?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..submitters)
            .map(|submitter| {
                let store = &store;
                scope.spawn(move || {
                    (0..commits / submitters).try_for_each(|n| {
                        store.append(commit(submitter, n, events, text)).map(|_| ())
                    })
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
    let wrote = start.elapsed();
    let stats = store.stats();
    let start = Instant::now();
    drop(store);
    let closed = start.elapsed();
    let bytes = bytes_below(&dir.join("log"))?;
    let volumes = std::fs::read_dir(dir.join("log"))?.count();
    let start = Instant::now();
    let store = open()?;
    let opened = start.elapsed();
    let start = Instant::now();
    let mut read = 0u64;
    store.replay(0, u64::MAX, &mut |event| {
        read += u64::from(!event.payload.is_empty());
        Ok(true)
    })?;
    let replayed = start.elapsed();
    println!(
        "{{\"events\":{},\"syncs\":{},\"write_us\":{},\"close_us\":{},\"open_us\":{},\"replay_us\":{},\"replayed\":{read},\
         \"volumes\":{volumes},\"logical_bytes\":{},\"disk_bytes\":{bytes},\"disk_percent\":{}}}",
        stats.events,
        stats.syncs,
        wrote.as_micros(),
        closed.as_micros(),
        opened.as_micros(),
        replayed.as_micros(),
        stats.bytes,
        bytes * 100 / stats.bytes.max(1),
    );
    Ok(())
}

fn commit(submitter: u64, n: u64, events: u64, text: bool) -> Commit {
    let mut x = (submitter << 40 | n << 8 | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    let events = (0..events).map(|event| {
        let payload = if text {
            let (id, subscription, quantity) = (next(), next() % 10_000, next() % 1_000_000);
            format!(
                "{{\"id\":\"{id:016x}\",\"sub\":\"sub-{subscription:06}\",\"metric\":\"voice\",\"quantity\":{quantity:07},\
                 \"at\":\"2026-01-{:02}T{:02}:{:02}:00Z\"}}",
                1 + n % 28,
                event % 24,
                event % 60
            )
            .into_bytes()
        } else {
            (0..15).flat_map(|_| next().to_le_bytes()).collect()
        };
        NewEvent {
            stream: StreamKey::new("t1", "usage", format!("stream-{submitter}")),
            expected_version: n * events + event,
            event_type: "usage.Rated".into(),
            schema: 1,
            payload,
        }
    });
    Commit {
        tenant: "t1".into(),
        recorded_at: 0,
        actor: "space".into(),
        correlation: String::new(),
        causation: 0,
        command: None,
        events: events.collect(),
    }
}

fn bytes_below(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            bytes_below(&entry.path())?
        } else {
            allocated(&metadata)
        };
    }
    Ok(bytes)
}

#[cfg(unix)]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}
