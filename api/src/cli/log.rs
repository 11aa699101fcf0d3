//! `indelible log`: look at the log itself, fact by fact or in numbers.

use std::io::{self, Write as _};

use clap::{Args, Subcommand};
use indelible_domain::kernel::Instant;
use indelible_store::segments::{Follower, Head, SegmentError, Source as _};
use indelible_store::{EventRef, EventStore as _, StoreError, StoredEvent, StreamKey};
use serde_json::{Value, json};

use super::Failure;
use super::backup::{Found, Where, failed};
use crate::graphql::log::{data, sealed};

mod stats;

pub const EXAMPLE: &str = "Examples:\n  indelible log tail --last 5\n  indelible log stats --json";

const TAIL_EXAMPLE: &str = "Examples:\n  indelible log tail --data ./indelible-data --last 5\n  \
    indelible log tail --from http://127.0.0.1:4000 --follow --json\n\n\
    One line a fact: position, time, tenant, stream and its version, type and its version, data. Personal data stays \
    sealed. Every block is checked, and nothing is skipped. To follow, ask a server: a data directory is open to one \
    process.";

const STATS_EXAMPLE: &str = "Example:\n  indelible log stats --data ./indelible-data --json\n\n\
    Reads and checks every block. Memory: about 50 bytes for each stream.";

/// Most bytes shown of a payload that this program cannot read.
const UNKNOWN_BYTES: usize = 256;

#[derive(Subcommand)]
pub enum Command {
    /// Print facts in the order of the log.
    #[command(after_help = TAIL_EXAMPLE)]
    Tail(Tail),
    /// Count what the log holds: facts, commits, bytes, streams, by tenant and by type.
    #[command(after_help = STATS_EXAMPLE)]
    Stats(stats::Arguments),
}

#[derive(Args)]
pub struct Tail {
    #[command(flatten)]
    log: Where,
    /// Begin after this position.
    #[arg(long, value_name = "POSITION", conflicts_with = "last")]
    after: Option<u64>,
    /// Begin this many facts before the end.
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: u64,
    /// Go on with what is written from now on, until interrupted; with --from only.
    #[arg(long, requires = "from")]
    follow: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Tail(arguments) => tail(arguments),
        Command::Stats(arguments) => stats::run(arguments),
    }
}

fn tail(arguments: Tail) -> Result<(), Failure> {
    let mut found = arguments.log.find()?;
    let head = found.read(|source| source.head()).map_err(failed)?;
    let after = arguments
        .after
        .unwrap_or_else(|| head.position.saturating_sub(arguments.last));
    if arguments.follow
        && let Found::There(remote) = found
    {
        found = Found::There(remote.waiting());
    }
    let shown = found.read(|source| {
        let mut out = io::stdout().lock();
        let mut follower = Follower::after(source, after);
        let mut show = |block: &indelible_store::block::BlockRef<'_>| {
            for event in block.events() {
                let event = event?;
                if event.position > after {
                    line(&mut out, &event, arguments.json).map_err(unprinted)?;
                }
            }
            out.flush().map_err(unprinted)
        };
        follower.up_to(&head, &mut show)?;
        if arguments.follow {
            // An error ends it: the server's, or that nobody reads our lines any more.
            loop {
                follower.page(&mut show)?;
            }
        }
        Ok(())
    });
    match shown {
        Err(SegmentError::Source(error)) if hung_up(error.as_ref()) => Ok(()),
        other => other.map_err(failed),
    }
}

/// What could not be printed ends the reading.
fn unprinted(error: io::Error) -> SegmentError {
    SegmentError::Source(Box::new(error))
}

/// Whoever reads our lines has read enough, such as `head`.
fn hung_up(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn line(out: &mut impl io::Write, event: &EventRef<'_>, json: bool) -> io::Result<()> {
    let at = Instant(event.recorded_at).to_string();
    let stored = owned(event);
    let shown = shown(stored);
    if json {
        let line = json!({
            "position": event.position,
            "recorded_at": at,
            "tenant": event.tenant,
            "kind": event.kind,
            "id": event.id,
            "version": event.version,
            "type": event.event_type,
            "schema": event.schema,
            "actor": event.actor,
            "command": event.command_id,
            "correlation": event.correlation,
            "causation": event.causation,
            "data": shown,
        });
        return writeln!(out, "{line}");
    }
    writeln!(
        out,
        "{} {at} {} {}/{}@{} {}.v{} {shown}",
        event.position,
        event.tenant,
        event.kind,
        event.id,
        event.version,
        event.event_type,
        event.schema
    )
}

/// The data of a fact; of one that this program does not know, its first bytes.
fn shown(stored: StoredEvent) -> Value {
    let payload = stored.payload.clone();
    let known = indelible_store::decode(stored)
        .ok()
        .and_then(|recorded| data(&recorded.event).ok());
    match known {
        Some(mut value) => {
            name_seals(&mut value);
            value
        }
        None => {
            let bytes = payload.iter().take(UNKNOWN_BYTES);
            let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
            json!({ "unknown": hex, "bytes": payload.len() })
        }
    }
}

/// Shows that something is sealed, and under which key, instead of its bytes.
fn name_seals(value: &mut Value) {
    if let Some(sealed) = sealed(value) {
        *value = json!({ "sealed": sealed.key_id });
        return;
    }
    match value {
        Value::Object(map) => map.values_mut().for_each(name_seals),
        Value::Array(list) => list.iter_mut().for_each(name_seals),
        _ => {}
    }
}

fn owned(event: &EventRef<'_>) -> StoredEvent {
    StoredEvent {
        position: event.position,
        stream: StreamKey::new(event.tenant, event.kind, event.id),
        version: event.version,
        event_type: event.event_type.to_owned(),
        schema: event.schema,
        payload: event.payload.to_vec(),
        recorded_at: event.recorded_at,
        actor: event.actor.to_owned(),
        command_id: event.command_id.map(str::to_owned),
        correlation: event.correlation.to_owned(),
        causation: event.causation,
    }
}

/// Head of a log, and what it takes of the disk: bytes and directories.
fn measured(found: &mut Found) -> Result<(Head, u64, u64), SegmentError> {
    match found {
        Found::Here(store) => {
            let stats = store.stats();
            let position = store.head();
            let hash = store
                .hash_at(position)?
                .ok_or_else(|| StoreError::Corrupt {
                    block: position,
                    what: "missing".into(),
                })?;
            Ok((Head { position, hash }, stats.disk_bytes, stats.volumes))
        }
        Found::There(remote) => {
            let head = remote.head()?;
            let look = remote.look()?;
            Ok((head, look.disk_bytes, look.volumes))
        }
    }
}
