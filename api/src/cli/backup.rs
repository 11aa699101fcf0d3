//! `indelible backup` and `indelible export`: the log as plain segment files.

use std::path::{Path, PathBuf};

use clap::Args;
use indelible_domain::kernel::Instant;
use indelible_store::segments::{self, Bounds, Manifest, SegmentError, Source, Until};
use indelible_store::{EventStore, SledStore};
use serde_json::json;

use super::{Data, Failure, progress};
use crate::remote::RemoteLog;

pub const BACKUP_EXAMPLE: &str = "Examples:\n  indelible backup --to /backup/ledger --data ./indelible-data\n  \
    indelible backup --to /backup/ledger --from http://127.0.0.1:4000\n\n\
    The first run copies the log, each further one into the same directory only what follows. --from asks a running \
    server (key of scope backup: indelible keys add --scope backup). The keys of personal data are not in a backup: \
    keep `keys` and `master.key` of the data directory apart from it. Restore with: indelible restore";

pub const EXPORT_EXAMPLE: &str = "Example:\n  indelible export --to march --after 1200 --until-position 5400\n\n\
    The same files as a backup, of a part of the log; `indelible import` takes them. Only whole commits are copied.";

/// A log to read: of a data directory that nobody serves, or of a server.
#[derive(Args)]
pub struct Where {
    #[command(flatten)]
    data: Data,
    /// Ask a running server instead of opening a data directory.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// API key of scope backup, where the server needs one.
    #[arg(long, env = "INDELIBLE_KEY", hide_env_values = true)]
    key: Option<String>,
}

/// A log that was found: what it can do beside being read depends on where it is.
pub enum Found {
    Here(Box<SledStore>),
    There(RemoteLog),
}

impl Where {
    /// Opens the log, or names the server. Nothing is asked of the server yet.
    pub fn find(&self) -> Result<Found, Failure> {
        match &self.from {
            Some(url) => RemoteLog::at(url, self.key.as_deref())
                .map(Found::There)
                .map_err(Failure::refused),
            None => open(&self.data.dir).map(|store| Found::Here(Box::new(store))),
        }
    }
}

impl Found {
    /// Gives the log to a reader.
    pub fn read<T>(&mut self, read: impl FnOnce(&mut dyn Source) -> T) -> T {
        match self {
            Found::Here(store) => {
                let mut store: &dyn EventStore = &**store;
                read(&mut store)
            }
            Found::There(remote) => read(remote),
        }
    }
}

/// Opens a data directory that is there: opening another one would make a new ledger.
fn open(dir: &Path) -> Result<SledStore, Failure> {
    if !dir.is_dir() {
        return Err(Failure::refused(format!(
            "there is no data directory {}",
            dir.display()
        )));
    }
    SledStore::open(dir).map_err(Failure::store)
}

/// How far to go.
#[derive(Args)]
pub struct End {
    /// The last whole commit that ends at or before this position.
    #[arg(long, value_name = "POSITION", conflicts_with = "until_time")]
    until_position: Option<u64>,
    /// The last commit recorded at or before this moment, such as 2026-10-01T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until_time: Option<Instant>,
}

impl End {
    pub fn until(&self) -> Until {
        match (self.until_position, self.until_time) {
            (Some(position), _) => Until::Position(position),
            (None, Some(moment)) => Until::Time(moment.0),
            (None, None) => Until::End,
        }
    }
}

fn instant(text: &str) -> Result<Instant, String> {
    text.parse()
        .map_err(|no: indelible_domain::kernel::Rejection| no.to_string())
}

#[derive(Args)]
pub struct BackupArguments {
    /// Directory of the backup; made if it is not there.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    log: Where,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct ExportArguments {
    /// Directory of the export; made if it is not there. One that holds an export is continued.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    log: Where,
    /// Only what follows this position, which must be the last of a commit.
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: u64,
    #[command(flatten)]
    end: End,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub fn backup(arguments: BackupArguments) -> Result<(), Failure> {
    copy(
        &arguments.log,
        &arguments.to,
        Bounds::default(),
        arguments.json,
    )
}

pub fn export(arguments: ExportArguments) -> Result<(), Failure> {
    let bounds = Bounds {
        after: arguments.after,
        until: arguments.end.until(),
    };
    copy(&arguments.log, &arguments.to, bounds, arguments.json)
}

/// One implementation for both: a backup is an export of everything.
fn copy(log: &Where, to: &Path, bounds: Bounds, json: bool) -> Result<(), Failure> {
    let before = Manifest::load(to)
        .map_err(failed)?
        .map_or(0, |manifest| manifest.blocks());
    let mut found = log.find()?;
    let bar = progress::bar("events");
    let copied = found.read(|source| {
        segments::copy(source, to, bounds, &mut |position, goal| {
            progress::show(&bar, position, goal);
        })
    });
    bar.finish_and_clear();
    let manifest = copied.map_err(failed)?;
    let (end, commits) = (manifest.end(), manifest.blocks().saturating_sub(before));
    if json {
        let report = json!({
            "after": manifest.before.position,
            "head": end.position,
            "head_hash": hex(&end.hash),
            "new_commits": commits,
            "commits": manifest.blocks(),
            "segments": manifest.segments.len(),
            "bytes": manifest.bytes(),
        });
        println!("{report}");
    } else {
        println!(
            "{commits} new commits; {} commits in {} segments of {} bytes",
            manifest.blocks(),
            manifest.segments.len(),
            manifest.bytes()
        );
        println!("head {} {}", end.position, hex(&end.hash));
    }
    eprintln!(
        "The keys of personal data are not in {}: keep `keys` and `master.key` of the data directory, apart from it.",
        to.display()
    );
    Ok(())
}

/// A hash as text.
pub fn hex(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

/// A failure with the exit code that its kind has.
pub fn failed(error: SegmentError) -> Failure {
    if error.is_refusal() {
        Failure::refused(error)
    } else {
        Failure::store(error)
    }
}
