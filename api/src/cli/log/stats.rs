//! `indelible log stats`: what the log holds, in numbers.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write as _};

use clap::Args;
use comfy_table::{Table, presets};
use indelible_domain::kernel::Instant;
use indelible_store::EventRef;
use indelible_store::block::{BlockRef, HEADER_BYTES};
use indelible_store::segments::Follower;
use serde::Serialize;

use super::super::backup::{Where, failed, hex};
use super::super::{Failure, progress};
use super::{hung_up, measured};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    log: Where,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// Facts and the bytes of their data.
#[derive(Default, Serialize)]
struct Share {
    events: u64,
    payload_bytes: u64,
}

/// What the log holds.
#[derive(Default, Serialize)]
struct Counts {
    events: u64,
    commits: u64,
    /// Bytes of all blocks.
    bytes: u64,
    disk_bytes: u64,
    volumes: u64,
    streams: usize,
    first_recorded: Option<String>,
    last_recorded: Option<String>,
    head: u64,
    head_hash: String,
    tenants: BTreeMap<String, Share>,
    types: BTreeMap<String, Share>,
    /// A hash of each stream's name: exact names would be several times as large, and 128 bits do not collide.
    #[serde(skip)]
    seen: HashSet<u128>,
}

impl Counts {
    fn block(&mut self, block: &BlockRef<'_>) {
        let at = Some(Instant(block.header.recorded_at).to_string());
        if self.first_recorded.is_none() {
            self.first_recorded.clone_from(&at);
        }
        self.last_recorded = at;
        self.commits += 1;
        self.bytes += HEADER_BYTES as u64 + u64::from(block.header.body_len);
    }

    fn event(&mut self, event: &EventRef<'_>) {
        self.events += 1;
        for (table, name) in [
            (&mut self.tenants, event.tenant),
            (&mut self.types, event.event_type),
        ] {
            let share = match table.get_mut(name) {
                Some(share) => share,
                None => table.entry(name.to_owned()).or_default(),
            };
            share.events += 1;
            share.payload_bytes += event.payload.len() as u64;
        }
        let mut hasher = blake3::Hasher::new();
        for part in [event.tenant, event.kind, event.id] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut short = [0; 16];
        hasher.finalize_xof().fill(&mut short);
        self.seen.insert(u128::from_le_bytes(short));
    }
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut found = arguments.log.find()?;
    let (head, disk_bytes, volumes) = measured(&mut found).map_err(failed)?;
    let mut counts = Counts {
        disk_bytes,
        volumes,
        head: head.position,
        head_hash: hex(&head.hash),
        ..Counts::default()
    };
    let bar = progress::bar("events");
    let counted = found.read(|source| {
        Follower::after(source, 0).up_to(&head, &mut |block| {
            counts.block(block);
            for event in block.events() {
                counts.event(&event?);
            }
            progress::show(&bar, block.header.last_position(), head.position);
            Ok(())
        })
    });
    bar.finish_and_clear();
    counted.map_err(failed)?;
    counts.streams = counts.seen.len();
    let mut out = io::stdout().lock();
    let printed = if arguments.json {
        let report = serde_json::to_string(&counts).map_err(Failure::store)?;
        writeln!(out, "{report}")
    } else {
        print(&mut out, &counts)
    };
    match printed {
        Err(error) if hung_up(&error) => Ok(()),
        other => other.map_err(Failure::store),
    }
}

fn print(out: &mut impl io::Write, counts: &Counts) -> io::Result<()> {
    writeln!(
        out,
        "{} facts of {} streams in {} commits",
        counts.events, counts.streams, counts.commits
    )?;
    writeln!(
        out,
        "{} bytes of blocks, {} bytes on disk in {} volumes",
        counts.bytes, counts.disk_bytes, counts.volumes
    )?;
    if let (Some(first), Some(last)) = (&counts.first_recorded, &counts.last_recorded) {
        writeln!(out, "recorded from {first} to {last}")?;
    }
    writeln!(out, "head {} {}", counts.head, counts.head_hash)?;
    for (what, shares) in [("tenant", &counts.tenants), ("type", &counts.types)] {
        let mut table = Table::new();
        table
            .load_style(presets::ASCII_MARKDOWN)
            .set_header([what, "facts", "bytes of data"]);
        for (name, share) in shares {
            table.add_row([
                name.clone(),
                share.events.to_string(),
                share.payload_bytes.to_string(),
            ]);
        }
        writeln!(out, "\n{table}")?;
    }
    Ok(())
}
