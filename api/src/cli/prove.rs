//! `indelible prove`: proofs of documents, made from a log and checked without one.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use indelible_domain::lineage;
use indelible_store::proof::{self, MAX_BUNDLE_BYTES, PublicKey};
use indelible_store::{Ledger, Notary, SledStore};
use serde_json::json;

use super::checkpoint::failed;
use super::{Data, Failure};

pub const EXAMPLE: &str = "Example:\n  indelible prove invoice INV-2026-000001 --tenant acme --out invoice.proof\n  \
    indelible prove --check invoice.proof --checkpoint published.txt --key \"$(cat indelible.key)\"\n\n\
    The check needs no data directory and no network. docs/audit.md says what it proves and what not.";

const MAKE: &str =
    "Example:\n  indelible prove invoice INV-2026-000001 --tenant acme --out invoice.proof";

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    make: Option<Make>,
    #[command(flatten)]
    check: Option<Check>,
}

#[derive(Subcommand)]
enum Make {
    /// Write the proof of an invoice or credit note.
    #[command(after_help = MAKE)]
    Invoice {
        /// Its number, or its id.
        #[arg(value_name = "NUMBER-OR-ID")]
        invoice: String,
        #[command(flatten)]
        data: Data,
        #[arg(long, default_value = "default", env = "INDELIBLE_TENANT")]
        tenant: String,
        /// File to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Args)]
struct Check {
    /// Checks this proof.
    #[arg(long = "check", value_name = "FILE", requires_all = ["checkpoint", "key"])]
    file: PathBuf,
    /// The published checkpoint, or a file of several.
    #[arg(long, value_name = "FILE", required = false)]
    checkpoint: PathBuf,
    /// The published public key, or a file that holds it.
    #[arg(long, value_name = "PUBKEY", required = false)]
    key: String,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match (arguments.make, arguments.check) {
        (
            Some(Make::Invoice {
                invoice,
                data,
                tenant,
                out,
            }),
            _,
        ) => make(&invoice, &data.dir, &tenant, &out),
        (None, Some(ask)) => check(&ask),
        (None, None) => Err(Failure {
            exit: super::Exit::Usage,
            error: "say what to prove: `indelible prove invoice NUMBER`, or `--check FILE`".into(),
        }),
    }
}

fn make(invoice: &str, data: &Path, tenant: &str, out: &Path) -> Result<(), Failure> {
    if !data.is_dir() {
        return Err(Failure::refused(format!(
            "there is no data directory {}",
            data.display()
        )));
    }
    let store = Arc::new(SledStore::open(data).map_err(Failure::store)?);
    let ledger = Ledger::open(store.clone()).map_err(Failure::store)?;
    let id = ledger.read(tenant, |tenant| {
        lineage::document_named(&tenant.tables, invoice).cloned()
    });
    let Some(id) = id else {
        return Err(Failure::refused(format!(
            "tenant {tenant} has no document {invoice}"
        )));
    };
    let bundle = Notary::at(store, data).prove(tenant, &id).map_err(failed)?;
    let text = bundle.to_text();
    fs::write(out, &text).map_err(|e| unusable("write", out, &e))?;
    println!(
        "{}: {} events, {} nodes, {} bytes",
        out.display(),
        bundle.events.len(),
        bundle.nodes.len(),
        text.len()
    );
    println!("It rests on this checkpoint, which must be published for others to check it:\n");
    print!("{}", bundle.checkpoint);
    Ok(())
}

fn check(ask: &Check) -> Result<(), Failure> {
    let key = key(&ask.key)?;
    let file = read(&ask.file)?;
    let published = read(&ask.checkpoint)?;
    let checked = proof::check(&file, &published, &key).map_err(failed)?;
    let sentences = checked.proven.sentences();
    if ask.json {
        println!(
            "{}",
            json!({
                "tenant": checked.tenant,
                "invoice": checked.invoice,
                "number": checked.proven.number,
                "total": checked.proven.total,
                "events": checked.events,
                "checkpoint_size": checked.checkpoint.size,
                "proven": sentences,
            })
        );
        return Ok(());
    }
    println!(
        "Proven for tenant {}: these {} events are in the log of {}, as it was at position {}, unaltered.",
        checked.tenant, checked.events, checked.checkpoint.origin, checked.checkpoint.size
    );
    for sentence in sentences {
        println!("- {sentence}");
    }
    Ok(())
}

/// The key itself, or a file with it.
fn key(text: &str) -> Result<PublicKey, Failure> {
    let path = Path::new(text);
    if path.is_file() {
        return read(path)?.parse().map_err(failed);
    }
    text.parse().map_err(failed)
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| unusable("read", path, &e))?;
    file.take(MAX_BUNDLE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|e| unusable("read", path, &e))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::refused(format!("{} is not UTF-8 text", path.display())))
}

fn unusable(doing: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::store(format!("cannot {doing} {}: {error}", path.display()))
}
