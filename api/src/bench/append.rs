//! How fast the log takes commits that wait for the disk, beside a raw file in the same run.

use super::event::{commit, payload};
use super::raw_file::RawFile;
use super::resources::{bytes_on_disk, peak_memory_kib};
use super::{Place, conditions, per_second, since, waits};
use crate::cli::Failure;
use clap::Args;
use indelible_store::{EventStore, SledStore, StreamKey, Writing};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// Clients, events per commit, events in all: what is measured when no shape is asked for.
const SHAPES: [Shape; 5] = [
    Shape::new(1, 1, 20_000),
    Shape::new(64, 1, 200_000),
    Shape::new(8, 100, 1_000_000),
    Shape::new(8, 1_000, 2_000_000),
    Shape::new(8, 10_000, 4_000_000),
];

#[derive(Args)]
pub struct Options {
    /// Clients that append and wait, each on its own stream. With it or --batch one shape is measured, else five.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    clients: Option<u64>,
    /// Events per commit.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batch: Option<u64>,
    /// Events in all, per round.
    #[arg(long)]
    events: Option<u64>,
    /// Rounds of each shape, log and raw file in turn; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy)]
struct Shape {
    clients: u64,
    batch: u64,
    commits_per_client: u64,
}

/// What one round gave.
struct Round {
    took: Duration,
    waits: Vec<Duration>,
    /// Of the log only.
    log: Option<LogRound>,
}

struct LogRound {
    syncs: u64,
    logical_bytes: u64,
    disk_bytes: u64,
    writing: Writing,
}

impl LogRound {
    /// What the writer spent on each stage of a group, on average, in microseconds.
    fn stages(&self) -> Value {
        let each = |took: Duration| took.as_micros() / u128::from(self.syncs.max(1));
        json!({
            "packing": each(self.writing.packing),
            "engine": each(self.writing.engine),
            "sync": each(self.writing.sync),
        })
    }
}

impl Shape {
    const fn new(clients: u64, batch: u64, events: u64) -> Shape {
        let commits = events / clients / batch;
        Shape {
            clients,
            batch,
            commits_per_client: if commits == 0 { 1 } else { commits },
        }
    }

    fn events(&self) -> u64 {
        self.clients * self.commits_per_client * self.batch
    }

    /// Runs every client on a thread of its own; `append(client, commit)` returns when that commit is durable.
    fn run(
        &self,
        append: impl Fn(u64, u64) -> Result<(), Failure> + Sync,
    ) -> Result<(Duration, Vec<Duration>), Failure> {
        let start = Instant::now();
        let results: Vec<Result<Vec<Duration>, Failure>> = std::thread::scope(|scope| {
            let append = &append;
            let clients: Vec<_> = (0..self.clients)
                .map(|client| {
                    scope.spawn(move || {
                        let mut waits = Vec::new();
                        for commit in 0..self.commits_per_client {
                            let begun = Instant::now();
                            append(client, commit)?;
                            waits.push(begun.elapsed());
                        }
                        Ok(waits)
                    })
                })
                .collect();
            clients
                .into_iter()
                .map(|c| {
                    c.join()
                        .unwrap_or_else(|_| Err(Failure::refused("a client panicked")))
                })
                .collect()
        });
        let took = since(start);
        let mut waits = Vec::new();
        for result in results {
            waits.extend(result?);
        }
        Ok((took, waits))
    }

    /// Number of a commit's first event.
    fn number(&self, client: u64, commit: u64) -> u64 {
        (client * self.commits_per_client + commit) * self.batch
    }
}

pub fn run(options: &Options) -> Result<Value, Failure> {
    let shapes = match (options.clients, options.batch) {
        (None, None) => SHAPES.to_vec(),
        (clients, batch) => vec![Shape::new(
            clients.unwrap_or(64),
            batch.unwrap_or(1),
            options.events.unwrap_or(20_000),
        )],
    };
    let mut results = Vec::new();
    for shape in shapes {
        results.push(measure(&shape, options)?);
    }
    Ok(json!({
        "bench": "append",
        "conditions": conditions(),
        "payload_bytes": super::event::PAYLOAD_BYTES,
        "rounds": options.rounds,
        "shapes": results,
        "peak_memory_kib": peak_memory_kib(),
    }))
}

fn measure(shape: &Shape, options: &Options) -> Result<Value, Failure> {
    let (mut raw, mut log) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let scratch = options.place.make("append")?;
        raw.push(raw_round(shape, scratch.path())?);
        log.push(log_round(shape, scratch.path())?);
    }
    let (raw, log) = (median(raw)?, median(log)?);
    let rate = |round: &Round| per_second(shape.events(), round.took);
    let (raw_rate, log_rate) = (rate(&raw), rate(&log));
    let taken = log.log.as_ref();
    let logical = taken.map_or(0, |l| l.logical_bytes).max(1);
    Ok(json!({
        "clients": shape.clients,
        "events_per_commit": shape.batch,
        "events": shape.events(),
        "events_per_second": log_rate,
        "commits_per_second": per_second(shape.events() / shape.batch, log.took),
        "wait": waits(log.waits),
        "syncs": taken.map(|l| l.syncs),
        "micros_per_group": taken.map(LogRound::stages),
        "raw_file_events_per_second": raw_rate,
        "raw_file_wait": waits(raw.waits),
        "of_raw_file_percent": log_rate * 100 / raw_rate.max(1),
        "logical_bytes_per_event": logical / shape.events().max(1),
        "disk_bytes_per_event": taken.map(|l| l.disk_bytes / shape.events().max(1)),
        "disk_percent_of_logical": taken.map(|l| l.disk_bytes * 100 / logical),
        "verified": true,
    }))
}

fn raw_round(shape: &Shape, dir: &Path) -> Result<Round, Failure> {
    let file = RawFile::create(&dir.join("raw")).map_err(Failure::store)?;
    let (took, waits) = shape.run(|client, commit| {
        let first = shape.number(client, commit);
        let bytes = (first..first + shape.batch).flat_map(payload).collect();
        file.append(bytes).map_err(Failure::store)
    })?;
    Ok(Round {
        took,
        waits,
        log: None,
    })
}

fn log_round(shape: &Shape, dir: &Path) -> Result<Round, Failure> {
    let data = dir.join("data");
    let store = SledStore::open(&data).map_err(Failure::store)?;
    let (took, waits) = shape.run(|client, number| {
        let stream = StreamKey::new("bench", "bench", format!("client-{client}"));
        let before = number * shape.batch;
        let appended = commit(&stream, before, shape.number(client, number), shape.batch);
        store.append(appended).map(drop).map_err(Failure::store)
    })?;
    let verified = store.verify(&mut |_, _| {}).map_err(Failure::store)?;
    if verified.events != shape.events() {
        return Err(Failure::refused(format!(
            "the log holds {} events, {} were acknowledged",
            verified.events,
            shape.events()
        )));
    }
    let stats = store.stats();
    drop(store);
    Ok(Round {
        took,
        waits,
        log: Some(LogRound {
            syncs: stats.syncs,
            logical_bytes: stats.bytes,
            writing: stats.writing,
            disk_bytes: bytes_on_disk(&data),
        }),
    })
}

fn median(mut rounds: Vec<Round>) -> Result<Round, Failure> {
    rounds.sort_by_key(|round| round.took);
    let middle = rounds.len() / 2;
    rounds
        .into_iter()
        .nth(middle)
        .ok_or_else(|| Failure::refused("no round was asked for"))
}
