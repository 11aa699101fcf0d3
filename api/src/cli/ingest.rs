//! `indelible ingest`: a file of usage, read, sealed, judged and rated.

use std::path::PathBuf;

use clap::Args;
use indelible_domain::Command;
use indelible_domain::command::UsageCounts;
use indelible_domain::mediation::Intake;
use indelible_domain::mediation::formats::Format;
use indelible_store::{Receipt, Request};
use serde_json::json;

use super::{Data, Failure, Snapshots, progress};
use crate::clock::Clock;
use crate::ingest::{self, Origin, Raw};
use crate::office::Office;
use crate::request_id::RequestId;

pub const EXAMPLE: &str = "Example:\n  indelible ingest calls.csv --format calls --source switch-1\n  \
    indelible ingest bill.csv --format focus --json\n\n\
    Formats: calls, focus, ndjson, nem12, records (docs/contexts/mediation.md). The same file again brings only duplicates:\n\
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
    /// Do not keep the text of the lines: they hold nothing of a person, and their records say all that they say.
    #[arg(long)]
    without_raw_lines: bool,
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
    let bar = progress::bar("records");
    // Lines, near enough: a header, and records that hold several readings, are seen on the way.
    let all = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let (mut done, mut sum, mut ids) = (0, UsageCounts::default(), Vec::new());
    let correlation = RequestId::default().to_string();
    let request = |intake: Intake| Request {
        tenant: arguments.tenant.clone(),
        command_id: None,
        input_hash: intake.digest(),
        actor: "cli".to_string(),
        correlation: correlation.clone(),
        causation: 0,
        now: office.clock.now(),
        command: Command::IngestUsage(Box::new(intake)),
    };
    let raw = match arguments.without_raw_lines {
        true => Raw::Dropped,
        false => Raw::Sealed,
    };
    let told = &mut |receipt: Receipt| {
        let counts = receipt.outcome.usage.unwrap_or_default();
        sum = ingest::added(&sum, &counts);
        ids.extend(receipt.outcome.touched.into_iter().map(|(_, id)| id));
        done += counts.received;
        progress::show(&bar, done, all.max(done));
    };
    ingest::take_in(
        &office.ledger,
        &office.keyring,
        &origin,
        raw,
        &bytes,
        &request,
        told,
    )
    .map_err(Failure::refused)?;
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
