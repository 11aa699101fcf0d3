//! `indelible restore` and `indelible import`: a ledger of segment files.

use std::path::PathBuf;

use clap::Args;
use indelible_domain::kernel::Instant;
use indelible_store::segments::{self, Restored, Segments};
use serde_json::json;

use super::backup::{End, failed, hex};
use super::{Data, Failure, progress};

pub const RESTORE_EXAMPLE: &str = "Examples:\n  indelible restore --from /backup/ledger --data ./restored\n  \
    indelible restore --from /backup/ledger --data ./as-of-march --until-time 2026-03-31T22:00:00Z\n  \
    indelible restore --from /backup/ledger --check\n\n\
    Every file and block is checked on the way, then the new ledger once more. Put `keys` and `master.key` of the \
    original into the new directory before it is served, and compare the head with one kept elsewhere.";

pub const IMPORT_EXAMPLE: &str = "Example:\n  indelible import --from march --data ./indelible-data\n\n\
    Continues the log if it ends where the segments begin, or within them; anything else is refused. A new or empty \
    directory becomes a new ledger.";

#[derive(Args)]
pub struct RestoreArguments {
    /// Directory of the backup.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    end: End,
    /// Check every file and block of the backup, and write nothing.
    #[arg(long)]
    check: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct ImportArguments {
    /// Directory of the export.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    #[command(flatten)]
    data: Data,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub fn restore(arguments: RestoreArguments) -> Result<(), Failure> {
    if arguments.check {
        return check(&arguments);
    }
    let bar = progress::bar("events");
    let done = segments::restore(
        &arguments.from,
        &arguments.data.dir,
        arguments.end.until(),
        &mut |position, end| progress::show(&bar, position, end),
    );
    bar.finish_and_clear();
    report(done.map_err(failed)?, arguments.json);
    eprintln!(
        "Without the `keys` and `master.key` of the original in {}, names, addresses and raw lines cannot be read, and \
         usage finds no subscription: put them there before it is served.",
        arguments.data.dir.display()
    );
    Ok(())
}

pub fn import(arguments: ImportArguments) -> Result<(), Failure> {
    let bar = progress::bar("events");
    let done = segments::import(
        &arguments.from,
        &arguments.data.dir,
        &mut |position, end| progress::show(&bar, position, end),
    );
    bar.finish_and_clear();
    report(done.map_err(failed)?, arguments.json);
    Ok(())
}

fn check(arguments: &RestoreArguments) -> Result<(), Failure> {
    let segments = Segments::open(&arguments.from).map_err(failed)?;
    let bar = progress::bar("events");
    let end = segments.verify(&mut |position, end| progress::show(&bar, position, end));
    bar.finish_and_clear();
    let end = end.map_err(failed)?;
    let manifest = segments.manifest();
    if arguments.json {
        let report = json!({
            "after": manifest.before.position,
            "head": end.position,
            "head_hash": hex(&end.hash),
            "commits": manifest.blocks(),
            "segments": manifest.segments.len(),
            "bytes": manifest.bytes(),
        });
        println!("{report}");
    } else {
        println!(
            "{} commits in {} segments are whole and in order.",
            manifest.blocks(),
            manifest.segments.len()
        );
        println!("head {} {}", end.position, hex(&end.hash));
    }
    Ok(())
}

fn report(done: Restored, json: bool) {
    let recorded = done.recorded_at.map(|at| Instant(at).to_string());
    if json {
        let report = json!({
            "commits": done.blocks,
            "head": done.head,
            "head_hash": hex(&done.hash),
            "recorded_at": recorded,
        });
        println!("{report}");
        return;
    }
    match recorded {
        Some(at) => println!(
            "{} commits written and checked, the last recorded at {at}",
            done.blocks
        ),
        None => println!("an empty ledger"),
    }
    println!("head {} {}", done.head, hex(&done.hash));
}
