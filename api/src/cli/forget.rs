//! `indelible forget`: destroys the keys of an account's personal data.

use std::collections::BTreeSet;

use clap::Args;
use indelible_domain::Command;
use indelible_domain::accounts::Account;
use indelible_domain::kernel::{Date, Purpose};
use indelible_domain::operations;
use indelible_domain::session::Session;
use indelible_domain::world::Noun;
use indelible_store::Request;
use serde_json::json;

use super::{Data, Failure};
use crate::clock::Clock;
use crate::forget;
use crate::office::Office;
use crate::request_id::RequestId;

pub const EXAMPLE: &str = "Examples:\n  indelible forget alice --tenant acme\n  indelible forget alice --tenant acme --legal\n  \
    indelible forget alice --tenant acme --dry-run --json\n\n\
    Names, addresses and raw usage lines can never be read again; amounts, numbers and dates stay, and the log still\n\
    verifies. Invoices show their buyer until --legal, which is refused until their retention ends. While the directory\n\
    is served, use the mutation forgetAccount. Backups of the key files hold the keys until you destroy them too.";

#[derive(Args)]
pub struct Arguments {
    /// The account.
    account: String,
    /// Also the buyer on invoices and credit notes; refused until their retention ends.
    #[arg(long)]
    legal: bool,
    /// Says what is held and until when it must be kept, and destroys nothing.
    #[arg(long)]
    dry_run: bool,
    #[arg(long, default_value = "default", env = "INDELIBLE_TENANT")]
    tenant: String,
    #[command(flatten)]
    data: Data,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// What is held for one purpose.
struct Held {
    purpose: Purpose,
    keys: usize,
    forgettable_from: Option<Date>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    // Opening would make a new ledger; forgetting somebody in one that is not there is a mistake.
    if !arguments.data.dir.is_dir() {
        return Err(Failure::refused(format!(
            "there is no data directory {}",
            arguments.data.dir.display()
        )));
    }
    let office = Office::open(&arguments.data.dir, Clock::Machine).map_err(Failure::store)?;
    let known = office.ledger.read(&arguments.tenant, |books| {
        Account::table(&books.tables).contains_key(&arguments.account)
    });
    if !known {
        return Err(Failure::refused(format!(
            "there is no account {:?} of tenant {:?}",
            arguments.account, arguments.tenant
        )));
    }
    let mut destroyed = 0;
    if !arguments.dry_run {
        destroyed = carry_out(&office, &arguments)?;
    }
    report(&arguments, &held(&office, &arguments), destroyed);
    Ok(())
}

fn carry_out(office: &Office, arguments: &Arguments) -> Result<usize, Failure> {
    let mut purposes = BTreeSet::from(forget::USUAL);
    if arguments.legal {
        purposes.insert(Purpose::LegalDocument);
    }
    let (tenant, account) = (&arguments.tenant, &arguments.account);
    let command = office
        .ledger
        .read(tenant, |books| {
            forget::command(&office.keyring, tenant, books, account, purposes, "cli")
        })
        .map_err(Failure::store)?;
    let command = Command::ForgetAccount(Box::new(command));
    let request = Request {
        correlation: RequestId::default().to_string(),
        ..Request::new(tenant, "cli", office.clock.now(), command)
    };
    let done = office.ledger.execute(request);
    done.map_err(|refused| Failure::refused(refused.message()))?;
    forget::destroy(&office.keyring, &office.ledger, tenant, account).map_err(Failure::store)
}

fn held(office: &Office, arguments: &Arguments) -> Vec<Held> {
    let (tenant, account, now) = (&arguments.tenant, &arguments.account, office.clock.now());
    office.ledger.read(tenant, |books| {
        let until = operations::forget::kept_until(&Session::new(books, now), account);
        let row = |purpose| Held {
            purpose,
            keys: forget::keys(&office.keyring, tenant, books, account, purpose).len(),
            forgettable_from: until.filter(|_| purpose == Purpose::LegalDocument),
        };
        Purpose::ALL.map(row).into()
    })
}

fn report(arguments: &Arguments, held: &[Held], destroyed: usize) {
    if arguments.json {
        let rows: Vec<_> = held
            .iter()
            .map(|row| {
                json!({
                    "purpose": row.purpose,
                    "keys": row.keys,
                    "forgettable_from": row.forgettable_from.map(|day| day.to_string()),
                })
            })
            .collect();
        let account = &arguments.account;
        println!(
            "{:#}",
            json!({ "account": account, "dry_run": arguments.dry_run, "keys_destroyed": destroyed, "held": rows })
        );
        return;
    }
    if !arguments.dry_run {
        println!(
            "{destroyed} keys of account {} were destroyed",
            arguments.account
        );
    }
    for row in held {
        let says = match (row.keys, row.forgettable_from) {
            (0, _) => "nothing is held".to_owned(),
            (_, Some(day)) => format!("held; can be forgotten from {day} on"),
            (_, None) => "held; can be forgotten".to_owned(),
        };
        println!("{:<16} {says}", row.purpose.name());
    }
}
