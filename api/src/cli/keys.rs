//! `indelible keys`: API keys of a data directory.

use clap::Subcommand;
use comfy_table::{Table, presets};
use indelible_store::SledStore;

use super::{Data, Failure};
use crate::auth::{ALL_TENANTS, KeyFileError, Keys, Scope};

pub const EXAMPLE: &str = "Example:\n  indelible keys add --tenant acme --scope operate --name till\n  indelible keys add --scope backup --name vault";

#[derive(Subcommand)]
pub enum Command {
    /// Make a key and print it, once: only its hash is kept.
    #[command(after_help = EXAMPLE)]
    Add {
        #[command(flatten)]
        data: Data,
        /// Tenant the key belongs to; it sees nothing of other tenants. A key for backups has none.
        #[arg(long, required_if_eq_any([("scope", "read"), ("scope", "operate"), ("scope", "admin")]))]
        tenant: Option<String>,
        /// What the key may do: backup reads the raw log of all tenants and nothing else; operate includes read, admin both.
        #[arg(long, value_enum)]
        scope: Scope,
        /// Recorded as the actor of every fact the key makes.
        #[arg(long, default_value = "unnamed")]
        name: String,
        /// Print a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List the keys: ids, tenants, scopes and names.
    #[command(after_help = "Example:\n  indelible keys list --json")]
    List {
        #[command(flatten)]
        data: Data,
        /// Print a JSON list.
        #[arg(long)]
        json: bool,
    },
    /// Remove a key; restart the server to shut it out.
    #[command(after_help = "Example:\n  indelible keys revoke 0f3a5c7e9b1d")]
    Revoke {
        #[command(flatten)]
        data: Data,
        /// Id of the key, as `keys list` shows it.
        id: String,
    },
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Add {
            data,
            tenant,
            scope,
            name,
            json,
        } => {
            let tenant = tenant.unwrap_or_else(|| ALL_TENANTS.to_owned());
            mark(&data)?;
            let key = Keys::load(&data.dir)
                .and_then(|mut keys| keys.add(&tenant, scope, &name))
                .map_err(failed)?;
            if json {
                println!(
                    "{}",
                    serde_json::json!({ "key": key, "tenant": tenant, "scope": scope, "name": name })
                );
            } else {
                println!("{key}");
                let whose = match scope {
                    Scope::Backup => "reads the raw log of all tenants".to_owned(),
                    _ => format!("may {scope} for tenant {tenant}"),
                };
                eprintln!("This is the only time the key is shown. It {whose}.");
            }
            Ok(())
        }
        Command::List { data, json } => {
            let keys = Keys::load(&data.dir).map_err(failed)?;
            if json {
                let rows: Vec<_> = keys
                    .rows()
                    .iter()
                    .map(|key| {
                        serde_json::json!({ "id": key.id, "tenant": key.tenant, "scope": key.scope, "name": key.name })
                    })
                    .collect();
                println!("{}", serde_json::Value::from(rows));
                return Ok(());
            }
            let mut table = Table::new();
            table
                .load_style(presets::ASCII_MARKDOWN)
                .set_header(["id", "tenant", "scope", "name"]);
            for key in keys.rows() {
                table.add_row([
                    key.id.as_str(),
                    key.tenant.as_str(),
                    &key.scope.to_string(),
                    key.name.as_str(),
                ]);
            }
            println!("{table}");
            Ok(())
        }
        Command::Revoke { data, id } => {
            Keys::load(&data.dir)
                .and_then(|mut keys| keys.revoke(&id))
                .map_err(failed)?;
            println!("revoked {id}");
            Ok(())
        }
    }
}

/// Makes a new directory a ledger's before anything lies in it: a ledger refuses a directory that is not its own.
fn mark(data: &Data) -> Result<(), Failure> {
    let fresh = std::fs::read_dir(&data.dir).map_or(true, |mut entries| entries.next().is_none());
    if fresh {
        drop(SledStore::open(&data.dir).map_err(Failure::store)?);
    }
    Ok(())
}

fn failed(error: KeyFileError) -> Failure {
    match error {
        KeyFileError::Tenant(_) | KeyFileError::NoSuchKey { .. } => Failure::refused(error),
        _ => Failure::store(error),
    }
}
