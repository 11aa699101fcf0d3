//! `indelible ingest`: a file of usage, read, sealed, judged and rated.

use std::path::PathBuf;

use clap::Args;
use indelible_domain::Command;
use indelible_domain::command::UsageCounts;
use indelible_domain::mediation::formats::Format;
use indelible_store::Request;
use serde_json::json;

use super::{Data, Failure, Snapshots, progress};
use crate::clock::Clock;
use crate::ingest::{self, Origin};
use crate::office::Office;
use crate::request_id::RequestId;

pub const EXAMPLE: &str = "Example:\n  indelible ingest calls.csv --format calls --source switch-1\n  \
    indelible ingest bill.csv --format focus --json\n\n\
    Formats: calls, focus, nem12, records (docs/contexts/mediation.md). The same file again brings only duplicates:\n\
    a record is known by its source and key.";

#[derive(Args)]
pub struct Arguments {
    /// The file.
    file: PathBuf,
    /// How it is written.
    #[arg(long, value_parser = format)]
    format: Format,
    /// Who sent it: records are told apart within their source.
    #[arg(long, default_value = "cli")]
    source: String,
    /// Id of the batch; a file of many records adds -2, -3 and so on. Default: made from the file's content.
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    #[arg(long, default_value = "default", env = "INDELIBLE_TENANT")]
    tenant: String,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    snapshots: Snapshots,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

fn format(name: &str) -> Result<Format, String> {
    Format::parse(name).ok_or_else(|| {
        let known: Vec<&str> = Format::ALL.iter().map(Format::name).collect();
        format!("known formats are {}", known.join(", "))
    })
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let path = arguments.file.display().to_string();
    let bytes = std::fs::read(&arguments.file)
        .map_err(|e| Failure::store(format!("{path} cannot be read: {e}")))?;
    let office = Office::begin(
        &arguments.data.dir,
        Clock::Machine,
        arguments.snapshots.begin(),
    )
    .map_err(Failure::store)?;
    let name = arguments
        .file
        .file_name()
        .map_or(path, |n| n.to_string_lossy().into_owned());
    let origin = Origin {
        tenant: &arguments.tenant,
        source: &arguments.source,
        format: arguments.format,
        name: &name,
        batch: &arguments
            .batch
            .clone()
            .unwrap_or_else(|| content_id(&bytes)),
    };
    let intakes = ingest::intakes(&office.keyring, &origin, &bytes).map_err(Failure::refused)?;
    let bar = progress::bar("records");
    let all: u64 = intakes.iter().map(|i| i.lines.len() as u64).sum();
    let (mut done, mut sum, mut ids) = (0, UsageCounts::default(), Vec::new());
    let correlation = RequestId::default().to_string();
    for intake in intakes {
        let (id, records) = (intake.batch.clone(), intake.lines.len() as u64);
        let command = Command::IngestUsage(Box::new(intake));
        let request = Request {
            correlation: correlation.clone(),
            ..Request::new(&arguments.tenant, "cli", office.clock.now(), command)
        };
        let receipt = office
            .ledger
            .execute(request)
            .map_err(|r| Failure::refused(r.message()))?;
        sum = added(&sum, &receipt.outcome.usage.unwrap_or_default());
        ids.push(id);
        done += records;
        progress::show(&bar, done, all);
    }
    bar.finish_and_clear();
    report(&office, &arguments, &ids, &sum);
    Ok(())
}

/// A file is its own name: given again, it is the same batch.
fn content_id(bytes: &[u8]) -> String {
    let hash = blake3::hash(bytes).to_hex();
    format!("file-{}", hash.get(..16).unwrap_or_default())
}

fn report(office: &Office, arguments: &Arguments, ids: &[String], sum: &UsageCounts) {
    let c = sum;
    if arguments.json {
        let counts = json!({
            "accepted": c.accepted, "conflicts": c.conflicts, "duplicates": c.duplicates, "pending": c.pending,
            "rated": c.rated, "received": c.received, "rejected": c.rejected, "superseded": c.superseded,
            "unreadable": c.unreadable,
        });
        println!(
            "{:#}",
            json!({ "batches": ids, "position": office.store().head(), "usage": counts })
        );
        return;
    }
    println!(
        "received {} = accepted {} + duplicates {} + conflicts {} + unreadable {}\naccepted {} = rated {} + pending {} + rejected {} + superseded {}",
        c.received,
        c.accepted,
        c.duplicates,
        c.conflicts,
        c.unreadable,
        c.accepted,
        c.rated,
        c.pending,
        c.rejected,
        c.superseded
    );
    println!("batches: {}", ids.join(", "));
}

fn added(a: &UsageCounts, b: &UsageCounts) -> UsageCounts {
    UsageCounts {
        received: a.received + b.received,
        accepted: a.accepted + b.accepted,
        duplicates: a.duplicates + b.duplicates,
        conflicts: a.conflicts + b.conflicts,
        unreadable: a.unreadable + b.unreadable,
        rated: a.rated + b.rated,
        pending: a.pending + b.pending,
        rejected: a.rejected + b.rejected,
        superseded: a.superseded + b.superseded,
    }
}
