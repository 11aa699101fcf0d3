//! `indelible bench`: figures that anybody can repeat, as JSON with the conditions they were taken under.
//!
//! A figure counts only with its check: every bench that writes then verifies the log it wrote, and compares its
//! totals with a sum made independently. Data lies in a directory that is removed at the end.

mod append;
mod entitlements;
mod event;
mod ingest;
mod invoice;
mod open;
mod raw_file;
mod rebuild;
mod replay;
mod resources;
mod usage;
mod wallet;

use crate::cli::Failure;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub const EXAMPLE: &str = "Example:\n  indelible bench append --clients 64 --events 20000\n  indelible bench ingest --records 200000";

#[derive(Subcommand)]
pub enum Command {
    /// Durable appends to the log beside a raw file: waiting clients, events per commit.
    #[command(
        after_help = "Example:\n  indelible bench append\n  indelible bench append --clients 64 --batch 1 --events 20000"
    )]
    Append(append::Options),
    /// Reading a log from its beginning: checked, decoded, decoded to the product's facts.
    #[command(after_help = "Example:\n  indelible bench replay --events 10000000")]
    Replay(replay::Options),
    /// Opening a log whose process was killed.
    #[command(after_help = "Example:\n  indelible bench open --events 10000000")]
    Open(open::Options),
    /// Usage from bytes to durable charges.
    #[command(
        after_help = "Example:\n  indelible bench ingest --records 200000 --subscriptions 1000"
    )]
    Ingest(ingest::Options),
    /// Usage from bytes to visible charges: a mix of price models over many subscriptions, against an oracle.
    #[command(
        after_help = "Example:\n  indelible bench usage\n  indelible bench usage --format ndjson --records 10000000\n  indelible bench usage --singles 20000 --clients 64"
    )]
    Usage(usage::Options),
    /// A bill run over accounts that are due among many that are not, with questions beside it, and previews.
    #[command(
        after_help = "Example:\n  indelible bench invoice\n  indelible bench invoice --accounts 1000000 --due 100000\n  indelible bench invoice --accounts 1000 --due 1000 --records 2 --months 120"
    )]
    Invoice(invoice::Options),
    /// All read models made again, over a log of usage, bills and payments.
    #[command(
        after_help = "Example:\n  indelible bench rebuild --records 2000000 --subscriptions 10000"
    )]
    Rebuild(ingest::Options),
    /// Checks of what may be used, one behind the other on each thread, while usage is rated beside them.
    #[command(
        after_help = "Example:\n  indelible bench entitlements\n  indelible bench entitlements --threads 2 --checks 1000000 --subscriptions 100000"
    )]
    Entitlements(entitlements::Options),
    /// Reservations on one wallet and on many, by clients that wait.
    #[command(
        after_help = "Example:\n  indelible bench wallet\n  indelible bench wallet --clients 64 --sessions 20000 --wallets 10000"
    )]
    Wallet(wallet::Options),
}

/// Where to write while measuring.
#[derive(Args, Clone)]
pub struct Place {
    /// Directory for the bench's own data; made, and removed at the end. Default: beside the system's temporary files.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// A directory that is gone when the bench is over.
pub struct Scratch(PathBuf);

impl Place {
    fn make(&self, name: &str) -> Result<Scratch, Failure> {
        let root = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let dir = root.join(format!("indelible-bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(Failure::store)?;
        Ok(Scratch(dir))
    }
}

impl Scratch {
    fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing to tell the user if the system already took it away.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn run(command: Command) -> Result<(), Failure> {
    let report = match command {
        Command::Append(options) => append::run(&options)?,
        Command::Replay(options) => replay::run(&options)?,
        Command::Open(options) => open::run(&options)?,
        Command::Ingest(options) => ingest::run(&options)?,
        Command::Usage(options) => usage::run(&options)?,
        Command::Invoice(options) => invoice::run(&options)?,
        Command::Rebuild(options) => rebuild::run(&options)?,
        Command::Entitlements(options) => entitlements::run(&options)?,
        Command::Wallet(options) => wallet::run(&options)?,
    };
    println!("{report:#}");
    Ok(())
}

/// What the machine and the program were.
fn conditions() -> Value {
    json!({
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "version": env!("CARGO_PKG_VERSION"),
        "optimised": !cfg!(debug_assertions),
        "os": std::env::consts::OS,
    })
}

/// Events (or records) per second, whole.
fn per_second(count: u64, took: Duration) -> u64 {
    let micros = took.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// Percentiles of single waits, in microseconds.
fn waits(mut each: Vec<Duration>) -> Value {
    each.sort();
    let at = |per_mille: usize| {
        each.get((each.len().saturating_sub(1)) * per_mille / 1000)
            .map_or(0, Duration::as_micros)
    };
    json!({ "p50_us": at(500), "p99_us": at(990), "max_us": at(1000) })
}

fn since(start: Instant) -> Duration {
    start.elapsed()
}
