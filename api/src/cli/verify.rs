//! `indelible verify`: the whole chain of the log, and the state that is made of it.

use clap::Args;
use std::sync::Arc;

use indelible_domain::audit::audit;
use indelible_projections::Views;
use indelible_store::snapshots::{self, Finding, SnapshotCheck};
use indelible_store::{EventStore, Ledger, Notary, SledStore};

use super::{Data, Failure, progress};

pub const EXAMPLE: &str = "Example:\n  indelible verify --data ./indelible-data --json\n\n\
    Reads every block: checksums, the chain of hashes, positions and versions without gaps. Then folds all facts and \
    audits every tenant: sums of documents, numbers without gaps, no day billed twice, journal and open items; and \
    compares every read model with a rebuild; with --snapshots, every snapshot too. Keep the head hash elsewhere to notice a log that was cut short.";

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: Data,
    /// Also compare each snapshot of the state with what the log makes at its position.
    #[arg(long)]
    snapshots: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let dir = &arguments.data.dir;
    // Opening would make a new ledger; checking one that is not there is a mistake.
    if !dir.is_dir() {
        return Err(Failure::refused(format!(
            "there is no data directory {}",
            dir.display()
        )));
    }
    let store = Arc::new(SledStore::open(dir).map_err(Failure::store)?);
    let bar = progress::bar("events");
    let verified = store.verify(&mut |position, head| progress::show(&bar, position, head));
    bar.finish_and_clear();
    let verified = verified.map_err(Failure::store)?;
    let ledger = Ledger::open(store.clone()).map_err(Failure::store)?;
    let tenants = ledger.tenants();
    let mut broken: Vec<String> = tenants
        .iter()
        .flat_map(|name| {
            let found = ledger.read(name, audit);
            found
                .into_iter()
                .map(move |what| format!("tenant {name}: {what}"))
        })
        .collect();
    let views = Views::open(store.clone(), dir, &mut |_| {}).map_err(Failure::store)?;
    let differing = views.verify(&mut |p| progress::show(&bar, p.done, p.of));
    for name in differing.map_err(Failure::store)? {
        broken.push(format!("read model {name} differs from a rebuild"));
    }
    let notary = Notary::at(store.clone(), dir);
    let checkpoints =
        match notary.verify(&mut |position, head| progress::show(&bar, position, head)) {
            Ok(checkpoints) => checkpoints,
            Err(error) if error.is_refusal() => {
                broken.push(error.to_string());
                0
            }
            Err(error) => return Err(Failure::store(error)),
        };
    let mut kept = Vec::new();
    if arguments.snapshots {
        let folder = dir.join(snapshots::FOLDER);
        let mut tell = |position, last| progress::show(&bar, position, last);
        kept = snapshots::check(store.as_ref(), &folder, &mut tell).map_err(Failure::store)?;
        broken.extend(kept.iter().filter_map(difference));
    }
    let hash: String = verified
        .head_hash
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if arguments.json {
        let report = serde_json::json!({
            "blocks": verified.blocks,
            "events": verified.events,
            "head": verified.head,
            "head_hash": hash,
            "tenants": tenants.len(),
            "checkpoints": checkpoints,
            "snapshots": kept.iter().map(json).collect::<Vec<_>>(),
            "broken": broken,
        });
        println!("{report}");
    } else {
        println!(
            "{} events in {} blocks are whole and in order.",
            verified.events, verified.blocks
        );
        println!("head {} {hash}", verified.head);
        println!("{checkpoints} checkpoints hold");
        kept.iter()
            .for_each(|check| println!("{}", sentence(check)));
        println!(
            "{} tenants audited, {} broken invariants",
            tenants.len(),
            broken.len()
        );
    }
    for what in &broken {
        eprintln!("indelible: {what}");
    }
    if broken.is_empty() {
        Ok(())
    } else {
        Err(Failure::refused(
            "the log is whole, but what it says does not hold together",
        ))
    }
}

fn sentence(check: &SnapshotCheck) -> String {
    let file = check.file.display();
    match &check.finding {
        Finding::Equal { position } => {
            format!("snapshot {file} is what the log makes up to position {position}")
        }
        Finding::Ignored(why) => format!("snapshot {file} would be ignored: {why}"),
        Finding::Differs { position, what } => format!(
            "snapshot {file} is not what the log makes up to position {position}, first in {what}; the log is right: \
             remove the file"
        ),
    }
}

/// What is broken by a snapshot that would be used and is wrong.
fn difference(check: &SnapshotCheck) -> Option<String> {
    matches!(check.finding, Finding::Differs { .. }).then(|| sentence(check))
}

fn json(check: &SnapshotCheck) -> serde_json::Value {
    let (finding, position, why) = match &check.finding {
        Finding::Equal { position } => ("equal", Some(position), None),
        Finding::Ignored(why) => ("ignored", None, Some(why)),
        Finding::Differs { position, what } => ("differs", Some(position), Some(what)),
    };
    let file = check.file.display().to_string();
    serde_json::json!({ "file": file, "finding": finding, "position": position, "why": why })
}
