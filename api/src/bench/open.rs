//! How long a log takes to open after its process was killed, with the system's cache warm and cold.

use super::event::commit;
use super::resources::{bytes_on_disk, peak_memory_kib};
use super::{Place, conditions, since};
use crate::cli::Failure;
use clap::Args;
use indelible_store::{EventStore, SledStore, StreamKey};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Events per commit of the log that is opened.
const BATCH: u64 = 1_000;
/// Streams that the commits go to in turn.
const STREAMS: u64 = 1_000;
/// What a child process says when its log is written.
const READY: &str = "ready";

#[derive(Args)]
pub struct Options {
    /// Events of the log.
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// Opens of each kind, each after a kill of its own; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// What a child process of the bench is to do.
    #[arg(long, hide = true)]
    child: Option<Child>,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Child {
    /// Write the log, say so, wait to be killed.
    Fill,
    /// Open the log, say how long it took, wait to be killed.
    Open,
}

pub fn run(options: &Options) -> Result<Value, Failure> {
    match options.child {
        Some(child) => be(child, options),
        None => measure(options),
    }
}

fn measure(options: &Options) -> Result<Value, Failure> {
    let scratch = options.place.make("open")?;
    let data = scratch.path().join("data");
    let filled = until_killed(options, Child::Fill, &data)?;
    let (mut warm, mut cold) = (Vec::new(), Vec::new());
    let mut memory = 0;
    // The first open also finishes what the kill left undone; its figure is kept apart.
    let first = until_killed(options, Child::Open, &data)?;
    for _ in 0..options.rounds {
        let opened = until_killed(options, Child::Open, &data)?;
        memory = memory.max(number(&opened, "peak_memory_kib"));
        warm.push(number(&opened, "open_ms"));
        if drop_caches() {
            cold.push(number(
                &until_killed(options, Child::Open, &data)?,
                "open_ms",
            ));
        }
    }
    let store = SledStore::open(&data).map_err(Failure::store)?;
    let verified = store.verify(&mut |_, _| {}).map_err(Failure::store)?;
    if verified.events != filled_events(options) {
        return Err(Failure::refused(format!(
            "the log holds {} events, {} were written",
            verified.events,
            filled_events(options)
        )));
    }
    let logical = store.stats().bytes;
    drop(store);
    Ok(json!({
        "bench": "open",
        "conditions": conditions(),
        "events": verified.events,
        "events_per_commit": BATCH,
        "streams": STREAMS,
        "logical_bytes": logical,
        "disk_bytes": bytes_on_disk(&data),
        "filled": filled,
        "first_open_after_kill_ms": number(&first, "open_ms"),
        "warm_open_ms": median(warm),
        "cold_open_ms": median(cold).map_or_else(|| json!("not run: the system's cache cannot be dropped without root"), Value::from),
        "peak_memory_of_open_kib": memory,
        "verified": true,
    }))
}

fn filled_events(options: &Options) -> u64 {
    options.events.div_ceil(BATCH) * BATCH
}

/// Starts this program again as a child, waits for its answer, kills it.
fn until_killed(options: &Options, child: Child, data: &Path) -> Result<Value, Failure> {
    let program = std::env::current_exe().map_err(Failure::store)?;
    let mut running = Command::new(program)
        .args(["bench", "open", "--child"])
        .arg(match child {
            Child::Fill => "fill",
            Child::Open => "open",
        })
        .args(["--events", &options.events.to_string(), "--dir"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Failure::store)?;
    let answer = running
        .stdout
        .take()
        .map(BufReader::new)
        .and_then(|mut out| {
            let mut line = String::new();
            out.read_line(&mut line).ok()?;
            serde_json::from_str::<Value>(line.strip_prefix(READY)?).ok()
        });
    // On Unix this is SIGKILL: the child gets no chance to close anything.
    running.kill().map_err(Failure::store)?;
    running.wait().map_err(Failure::store)?;
    answer.ok_or_else(|| Failure::refused("a child process of the bench ended without an answer"))
}

fn be(child: Child, options: &Options) -> Result<Value, Failure> {
    let data: PathBuf = options
        .place
        .dir
        .clone()
        .ok_or_else(|| Failure::refused("--child needs --dir"))?;
    let start = Instant::now();
    let store = SledStore::open(&data).map_err(Failure::store)?;
    let took = since(start);
    let answer = match child {
        Child::Fill => {
            fill(&store, options.events)?;
            json!({ "peak_memory_kib": peak_memory_kib(), "milliseconds": since(start).as_millis() as u64 })
        }
        Child::Open => {
            json!({ "open_ms": took.as_millis() as u64, "head": store.head(), "peak_memory_kib": peak_memory_kib() })
        }
    };
    let mut out = std::io::stdout();
    writeln!(out, "{READY}{answer}")
        .and_then(|()| out.flush())
        .map_err(Failure::store)?;
    // The parent never writes: this ends with the kill, or when the parent is gone.
    let _ = std::io::stdin().lines().next();
    Ok(answer)
}

/// Commits of a thousand events, several in flight, so that one sync serves many.
pub(super) fn fill(store: &SledStore, events: u64) -> Result<(), Failure> {
    const IN_FLIGHT: usize = 8;
    let mut tickets = std::collections::VecDeque::new();
    for number in 0..events.div_ceil(BATCH) {
        let stream = StreamKey::new("bench", "bench", format!("s{}", number % STREAMS));
        let before = number / STREAMS * BATCH;
        let ticket = store
            .submit(commit(&stream, before, number * BATCH, BATCH))
            .map_err(Failure::store)?;
        tickets.push_back(ticket);
        if tickets.len() > IN_FLIGHT
            && let Some(first) = tickets.pop_front()
        {
            first.wait().map_err(Failure::store)?;
        }
    }
    for ticket in tickets {
        ticket.wait().map_err(Failure::store)?;
    }
    Ok(())
}

/// Writes what is dirty and forgets what is cached; false where the system does not let us.
fn drop_caches() -> bool {
    let synced = Command::new("sync").status().is_ok_and(|s| s.success());
    synced && std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

fn number(answer: &Value, name: &str) -> u64 {
    answer[name].as_u64().unwrap_or(0)
}

fn median(mut each: Vec<u64>) -> Option<u64> {
    each.sort_unstable();
    each.get(each.len() / 2).copied()
}
