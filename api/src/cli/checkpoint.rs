//! `indelible checkpoint`: signed statements of what the log is.

use std::sync::Arc;

use clap::Args;
use indelible_store::{Notary, ProofError, SledStore};

use super::{Data, Failure};

pub const EXAMPLE: &str = "Example:\n  indelible checkpoint > 2026-03.checkpoint\n  indelible checkpoint --key\n\n\
    Publish checkpoints where nobody can take them back: a log that was changed afterwards does not fit them. Publish \
    the key once. docs/audit.md says how others check them.";

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: Data,
    /// Print the public key instead.
    #[arg(long, conflicts_with = "list")]
    key: bool,
    /// Print every checkpoint made so far instead.
    #[arg(long)]
    list: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let notary = open(&arguments.data)?;
    if arguments.key {
        println!("{}", notary.public_key().map_err(failed)?);
        return Ok(());
    }
    if arguments.list {
        for signed in notary.list().map_err(failed)? {
            print!("{}", signed.note);
        }
        return Ok(());
    }
    print!("{}", notary.checkpoint().map_err(failed)?.note);
    Ok(())
}

/// The notary of a data directory that is there.
fn open(data: &Data) -> Result<Notary, Failure> {
    let dir = &data.dir;
    // Opening would make a new ledger; signing one that is not there is a mistake.
    if !dir.is_dir() {
        return Err(Failure::refused(format!(
            "there is no data directory {}",
            dir.display()
        )));
    }
    let store = Arc::new(SledStore::open(dir).map_err(Failure::store)?);
    Ok(Notary::at(store, dir))
}

/// A "no" about the question is a refusal, the rest a failure of the log or a file.
pub fn failed(error: ProofError) -> Failure {
    if error.is_refusal() {
        Failure::refused(error)
    } else {
        Failure::store(error)
    }
}
