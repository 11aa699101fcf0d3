//! How fast the log takes commits that wait for the disk.

use super::{Place, conditions, per_second, since, waits};
use crate::cli::Failure;
use clap::Args;
use indelible_store::{Commit, EventStore, NewEvent, SledStore, StoreError, StreamKey};
use serde_json::{Value, json};
use std::time::Instant;

#[derive(Args)]
pub struct Options {
    /// Clients that append and wait, each on its own stream.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1024))]
    clients: u64,
    /// Events per commit.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batch: u64,
    /// Events in all.
    #[arg(long, default_value_t = 20_000)]
    events: u64,
    /// Bytes of each event's payload.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    bytes: u64,
    #[command(flatten)]
    place: Place,
}

pub fn run(options: &Options) -> Result<Value, Failure> {
    let scratch = options.place.make("append")?;
    let store = SledStore::open(scratch.path()).map_err(Failure::store)?;
    let per_client = (options.events / options.clients / options.batch).max(1);
    let start = Instant::now();
    let results: Vec<Result<Vec<_>, StoreError>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..options.clients)
            .map(|c| {
                scope.spawn({
                    let store = &store;
                    move || client(store, c, per_client, options)
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|c| c.join().unwrap_or_else(|_| Ok(vec![])))
            .collect()
    });
    let took = since(start);
    let mut each = Vec::new();
    for result in results {
        each.extend(result.map_err(Failure::store)?);
    }
    let events = options.clients * per_client * options.batch;
    let stats = store.stats();
    let verified = store.verify(&mut |_, _| {}).map_err(Failure::store)?;
    if verified.events != events {
        return Err(Failure::refused(format!(
            "the log holds {} events, {events} were acknowledged",
            verified.events
        )));
    }
    Ok(json!({
        "bench": "append",
        "conditions": conditions(),
        "clients": options.clients,
        "events_per_commit": options.batch,
        "payload_bytes": options.bytes,
        "events": events,
        "events_per_second": per_second(events, took),
        "commits_per_second": per_second(events / options.batch, took),
        "syncs": stats.syncs,
        "wait": waits(each),
        "verified": { "events": verified.events, "blocks": verified.blocks },
    }))
}

fn client(
    store: &SledStore,
    number: u64,
    commits: u64,
    options: &Options,
) -> Result<Vec<std::time::Duration>, StoreError> {
    let stream = StreamKey::new("bench", "bench", format!("client-{number}"));
    let payload = vec![
        u8::try_from(number % 251).unwrap_or(0);
        usize::try_from(options.bytes).unwrap_or(120)
    ];
    let mut waits = Vec::new();
    for commit in 0..commits {
        let events = (0..options.batch)
            .map(|i| NewEvent {
                stream: stream.clone(),
                expected_version: commit * options.batch + i,
                event_type: "bench.appended".to_string(),
                schema: 1,
                payload: payload.clone(),
            })
            .collect();
        let start = Instant::now();
        store.append(Commit {
            tenant: "bench".to_string(),
            recorded_at: 0,
            actor: "bench".to_string(),
            correlation: String::new(),
            causation: 0,
            command: None,
            events,
        })?;
        waits.push(start.elapsed());
    }
    Ok(waits)
}
