//! `indelible bank`: statements in, files out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use indelible_domain::bank::{Statement, Terms};
use indelible_domain::command::Outcome;
use indelible_domain::kernel::{Date, calendar::parse_date};
use indelible_domain::world::Noun as _;
use indelible_domain::{Command as Ask, Rejection};
use indelible_store::Request;
use serde_json::json;

use super::{Data, Failure, Snapshots};
use crate::bank;
use crate::clock::Clock;
use crate::office::Office;
use crate::request_id::RequestId;

pub const EXAMPLE: &str = "Example:\n  indelible bank import camt053.xml\n  indelible bank debit --bank main --file debit-7 --out debit-7.xml";
const OPEN_EXAMPLE: &str = "Example:\n  indelible bank open main --entity acme --holder \"ACME GmbH\" --iban DE89370400440532013000 --creditor-id DE98ZZZ09999999999";
const IMPORT_EXAMPLE: &str = "Example:\n  indelible bank import camt053.xml\n  indelible bank import statement.sta --json\n\n\
    Formats: camt.053, camt.054, MT940, told by their content. The same statement again changes nothing.";
const DEBIT_EXAMPLE: &str = "Example:\n  indelible bank debit --bank main --file debit-7 --out debit-7.xml\n\n\
    A file that is drawn already is written again, byte for byte.";
const TRANSFER_EXAMPLE: &str =
    "Example:\n  indelible bank transfer --bank main --file refund-7 --out refund-7.xml";

#[derive(Subcommand)]
pub enum Command {
    /// Open an account of a legal entity at a bank.
    #[command(after_help = OPEN_EXAMPLE)]
    Open(OpenArguments),
    /// Take a statement file.
    #[command(after_help = IMPORT_EXAMPLE)]
    Import(ImportArguments),
    /// Draw what is to be collected into one file of direct debits (pain.008), and write it.
    #[command(after_help = DEBIT_EXAMPLE)]
    Debit(FileArguments),
    /// Draw what goes back by transfer into one file (pain.001), and write it.
    #[command(after_help = TRANSFER_EXAMPLE)]
    Transfer(FileArguments),
}

#[derive(Args)]
pub struct Where {
    #[arg(long, default_value = "default", env = "INDELIBLE_TENANT")]
    tenant: String,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    snapshots: Snapshots,
}

#[derive(Args)]
pub struct OpenArguments {
    /// Id of the bank account.
    bank: String,
    #[arg(long)]
    entity: String,
    /// ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// Its holder, as files and statements name it.
    #[arg(long)]
    holder: String,
    #[arg(long)]
    iban: String,
    #[arg(long)]
    bic: Option<String>,
    /// What else the bank calls it in statements.
    #[arg(long = "known-as", value_name = "NUMBER")]
    known_as: Vec<String>,
    /// SEPA creditor identifier; without one it cannot collect.
    #[arg(long)]
    creditor_id: Option<String>,
    /// Days on which banks settle, between a file and its money.
    #[arg(long, default_value_t = 1)]
    lead_days: u32,
    #[command(flatten)]
    at: Where,
}

#[derive(Args)]
pub struct ImportArguments {
    /// The file.
    file: PathBuf,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

#[derive(Args)]
pub struct FileArguments {
    /// Id of the bank account.
    #[arg(long)]
    bank: String,
    /// Id of the file: the message id in it.
    #[arg(long)]
    file: String,
    /// The day the money moves. Default: as early as can be.
    #[arg(long, value_name = "DATE", value_parser = date)]
    on: Option<Date>,
    /// Which edition of its messages the bank takes.
    #[arg(long, value_enum, default_value = "2019")]
    edition: Edition,
    /// Where to write it. Default: standard output.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    #[command(flatten)]
    at: Where,
}

#[derive(Clone, Copy, ValueEnum)]
enum Edition {
    /// pain.008.001.02, pain.001.001.03
    #[value(name = "2009")]
    Of2009,
    /// pain.008.001.08, pain.001.001.09
    #[value(name = "2019")]
    Of2019,
}

fn date(text: &str) -> Result<Date, String> {
    parse_date(text).map_err(|r: Rejection| r.message)
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Open(arguments) => open(arguments),
        Command::Import(arguments) => import(&arguments),
        Command::Debit(arguments) => {
            let draw = Ask::DrawDebits {
                file: arguments.file.clone(),
                bank: arguments.bank.clone(),
                on: arguments.on,
            };
            file(&arguments, draw)
        }
        Command::Transfer(arguments) => {
            let draw = Ask::DrawTransfers {
                file: arguments.file.clone(),
                bank: arguments.bank.clone(),
                on: arguments.on,
            };
            file(&arguments, draw)
        }
    }
}

fn office(at: &Where) -> Result<Arc<Office>, Failure> {
    Office::begin(&at.data.dir, Clock::Machine, at.snapshots.begin()).map_err(Failure::store)
}

fn ask(office: &Office, at: &Where, command: Ask) -> Result<Outcome, Failure> {
    let request = Request {
        correlation: RequestId::default().to_string(),
        ..Request::new(&at.tenant, "cli", office.clock.now(), command)
    };
    let receipt = office.ledger.execute(request);
    receipt
        .map(|receipt| receipt.outcome)
        .map_err(|refused| Failure::refused(refused.message()))
}

fn open(arguments: OpenArguments) -> Result<(), Failure> {
    use indelible_bank::ident;
    let OpenArguments {
        bank,
        entity,
        currency,
        holder,
        iban,
        bic,
        known_as,
        creditor_id,
        lead_days,
        at,
    } = arguments;
    let terms = Terms {
        entity,
        currency: currency
            .parse()
            .map_err(|r: Rejection| Failure::refused(r))?,
        holder,
        iban: ident::iban(&iban).map_err(Failure::refused)?,
        bic: bic
            .map(|bic| ident::bic(&bic))
            .transpose()
            .map_err(Failure::refused)?,
        known_as,
        creditor_id: creditor_id
            .map(|id| ident::creditor(&id))
            .transpose()
            .map_err(Failure::refused)?,
        lead_days,
    };
    let office = office(&at)?;
    let command = Ask::OpenBankAccount {
        bank: bank.clone(),
        terms: Box::new(terms),
    };
    ask(&office, &at, command)?;
    println!("opened bank account {bank}");
    Ok(())
}

fn import(arguments: &ImportArguments) -> Result<(), Failure> {
    let path = arguments.file.display();
    let bytes = std::fs::read(&arguments.file)
        .map_err(|e| Failure::store(format!("{path} cannot be read: {e}")))?;
    let at = &arguments.at;
    let office = office(at)?;
    let commands = bank::commands(&office.keyring, &at.tenant, &bytes).map_err(Failure::refused)?;
    let mut taken: Vec<String> = Vec::new();
    for command in commands {
        let outcome = ask(&office, at, command)?;
        for (kind, id) in outcome.touched {
            if kind == "bank-file" {
                eprintln!("took what the bank says of file {id}");
            } else if !taken.contains(&id) {
                taken.push(id);
            }
        }
    }
    report(&office, arguments, &taken);
    Ok(())
}

fn report(office: &Office, arguments: &ImportArguments, taken: &[String]) {
    let mut rows = Vec::new();
    let waiting = office.ledger.read(&arguments.at.tenant, |tenant| {
        let table = Statement::table(&tenant.tables);
        let found = taken.iter().filter_map(|id| table.get(id));
        rows.extend(found.map(|entry| entry.state.clone()));
        tenant.index.bank.open.len()
    });
    if arguments.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|s| json!({
                "bank": s.bank, "statement": s.name, "received": s.counts.received, "booked": s.counts.new,
                "known": s.counts.known, "left": s.counts.left, "gap": s.balances.gap.is_some(),
            }))
            .collect();
        println!(
            "{:#}",
            json!({ "open_entries": waiting, "statements": rows })
        );
        return;
    }
    for s in &rows {
        println!(
            "{} {}: received {} = booked {} + known {} + left {}",
            s.bank, s.name, s.counts.received, s.counts.new, s.counts.known, s.counts.left
        );
        if let Some(gap) = s.balances.gap {
            println!(
                "  it opens with {}, the one before closed with {}: one is missing",
                gap.found, gap.expected
            );
        }
    }
    println!("entries that wait for a person: {waiting}");
}

/// Draws the file unless it is there, and writes it.
fn file(arguments: &FileArguments, draw: Ask) -> Result<(), Failure> {
    use indelible_domain::bank::BankFile;
    let at = &arguments.at;
    let office = office(at)?;
    let there = office.ledger.read(&at.tenant, |tenant| {
        BankFile::table(&tenant.tables).contains_key(&arguments.file)
    });
    if !there {
        let outcome = ask(&office, at, draw)?;
        if outcome.left > 0 {
            eprintln!("{} payments wait for the next file", outcome.left);
        }
    }
    let edition = match arguments.edition {
        Edition::Of2009 => bank::Edition::Of2009,
        Edition::Of2019 => bank::Edition::Of2019,
    };
    let text = office.ledger.read(&at.tenant, |tenant| {
        bank::write(&office.keyring, tenant, &arguments.file, edition)
    });
    let text = text.map_err(Failure::refused)?;
    match &arguments.out {
        None => print!("{text}"),
        Some(path) => save(path, &text)?,
    }
    Ok(())
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|e| Failure::store(format!("{} cannot be written: {e}", path.display())))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
