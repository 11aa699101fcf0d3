//! `indelible bill`: one bill run over everything that is due.

use clap::Args;
use indelible_domain::kernel::Date;
use indelible_domain::kernel::calendar::parse_date;
use indelible_domain::{Command, Rejection, invoices};
use indelible_store::Request;
use indelible_store::ledger::BillRunRequest;
use serde_json::json;

use super::{Data, Failure, Snapshots, progress};
use crate::clock::Clock;
use crate::office::Office;
use crate::request_id::RequestId;

pub const EXAMPLE: &str = "Example:\n  indelible bill --as-of 2027-01-01\n  indelible bill --as-of 2027-01-01 --dry-run --json\n\n\
    Running it again bills nothing twice; after a crash, the same run id goes on where it stopped.";

/// Refused accounts shown in words.
const SHOWN: usize = 20;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    snapshots: Snapshots,
    /// Bills what is due on or before this day. Default: today in each account's zone.
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<Date>,
    /// Id of the run. Default: made from the day.
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Only these accounts.
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<String>,
    #[arg(long, default_value = "default", env = "INDELIBLE_TENANT")]
    tenant: String,
    /// Drafts only: nothing is numbered.
    #[arg(long)]
    draft: bool,
    /// Bills only the accounts that the run named by --run was refused for.
    #[arg(long, requires = "run", conflicts_with_all = ["draft", "dry_run", "accounts"])]
    retry: bool,
    /// Cancels the run named by --run: nobody else is billed and its drafts become no invoices.
    #[arg(long, value_name = "REASON", requires = "run", conflicts_with_all = ["draft", "dry_run", "accounts", "retry"])]
    cancel: Option<String>,
    /// Says which accounts would be billed, and writes nothing.
    #[arg(long, conflicts_with = "draft")]
    dry_run: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

fn date(text: &str) -> Result<Date, String> {
    parse_date(text).map_err(|r: Rejection| r.message)
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    // Opening would make a new ledger; billing one that is not there is a mistake.
    if !arguments.data.dir.is_dir() {
        return Err(Failure::refused(format!(
            "there is no data directory {}",
            arguments.data.dir.display()
        )));
    }
    let office = Office::begin(
        &arguments.data.dir,
        Clock::Machine,
        arguments.snapshots.begin(),
    )
    .map_err(Failure::store)?;
    let now = office.clock.now();
    let day = arguments
        .as_of
        .map_or_else(|| now.to_string(), |d| d.to_string());
    let id = arguments
        .run
        .clone()
        .unwrap_or_else(|| format!("cli:{}", day.replace(['T', '+'], ":")));
    if arguments.dry_run {
        return dry_run(&office, &arguments, id);
    }
    if let Some(reason) = &arguments.cancel {
        return cancel(&office, &arguments.tenant, &id, reason);
    }
    if arguments.retry {
        let command = Command::RetryBillRun {
            run: id.clone(),
            accounts: vec![],
        };
        let request = Request::new(&arguments.tenant, "cli", now, command);
        let asked = office.ledger.execute(request);
        asked.map_err(|refused| Failure::refused(refused.message()))?;
    }
    let ask = BillRunRequest {
        tenant: arguments.tenant.clone(),
        run: id.clone(),
        as_of: arguments.as_of,
        accounts: arguments.accounts.clone(),
        draft: arguments.draft,
        command_id: None,
        input_hash: [0; 32],
        actor: "cli".into(),
        correlation: RequestId::default().to_string(),
        now,
    };
    let bar = progress::bar("accounts");
    let report = office.ledger.run_bill(&ask, &mut |done, left| {
        progress::show(&bar, done, done + left)
    });
    bar.finish_and_clear();
    let report = report.map_err(|refused| Failure::refused(refused.message()))?;
    let billed: Vec<_> = office.ledger.read(&arguments.tenant, |tenant| {
        let states = report
            .run
            .billed
            .iter()
            .filter_map(|(_, id)| Some((id, tenant.tables.invoices.get(id)?)));
        states
            .map(|(id, i)| {
                (
                    id.clone(),
                    i.state.document.account.clone(),
                    i.state.number.clone(),
                    i.state.document.total,
                )
            })
            .collect()
    });
    if arguments.json {
        let rows: Vec<_> = billed
            .iter()
            .map(|(id, account, number, total)| json!({ "invoice": id, "account": account, "number": number, "total": total }))
            .collect();
        let refused: Vec<_> = report
            .run
            .failed
            .iter()
            .map(|(a, code, why)| json!({ "account": a, "code": code, "reason": why }))
            .collect();
        println!(
            "{:#}",
            json!({ "run": id, "invoices": rows, "refused": refused, "carried": report.run.carried.len() })
        );
    } else {
        for (_, account, number, total) in &billed {
            println!("{number:<24} {account:<24} {total:>16}");
        }
        println!(
            "{} documents, {} accounts refused, {} carried forward (run {id})",
            billed.len(),
            report.run.failed.len(),
            report.run.carried.len()
        );
    }
    for (account, code, why) in report.run.failed.iter().take(SHOWN) {
        eprintln!("indelible: account {account}: {code}: {why}");
    }
    if report.run.failed.len() > SHOWN {
        let more = report.run.failed.len() - SHOWN;
        eprintln!("indelible: {more} more accounts were refused; --json names them all");
    }
    if report.run.failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::refused("some accounts could not be billed"))
    }
}

/// Ends a run; what it finalised stays.
fn cancel(office: &Office, tenant: &str, run: &str, reason: &str) -> Result<(), Failure> {
    loop {
        let command = Command::CancelBillRun {
            run: run.to_owned(),
            reason: reason.to_owned(),
        };
        let request = Request::new(tenant, "cli", office.clock.now(), command);
        let done = office.ledger.execute(request);
        let done = done.map_err(|refused| Failure::refused(refused.message()))?;
        if done.outcome.left == 0 {
            println!("run {run} is cancelled");
            return Ok(());
        }
    }
}

/// Which accounts have something due; the documents themselves are tried one by one.
fn dry_run(office: &Office, arguments: &Arguments, run: String) -> Result<(), Failure> {
    let start = Command::StartBillRun {
        run,
        as_of: arguments.as_of,
        accounts: arguments.accounts.clone(),
        draft: true,
    };
    let request = Request::new(&arguments.tenant, "cli", office.clock.now(), start);
    let tried = office
        .ledger
        .dry_run(request)
        .map_err(|refused| Failure::refused(refused.message()))?;
    let mut rows = Vec::new();
    let started: Vec<_> = tried.aggregates.runs.values().collect();
    if let Some(run) = started.iter().find(|run| run.state.listing()) {
        eprintln!(
            "indelible: {} accounts more than one commit takes are not looked at; name them with --account",
            run.state.unlisted
        );
    }
    let covered = started
        .iter()
        .flat_map(|run| run.state.accounts.iter().map(|a| (a, run.state.as_of)));
    for (account, as_of) in covered {
        let draft = Command::DraftInvoice {
            invoice: "dry-run".into(),
            account: account.clone(),
            as_of,
        };
        let request = Request::new(&arguments.tenant, "cli", office.clock.now(), draft);
        let tried = match office.ledger.dry_run(request) {
            Ok(tried) => tried,
            // It was on the agenda and has nothing due after all.
            Err(refused) if refused.code() == "NOTHING_DUE" => continue,
            Err(refused) => return Err(Failure::refused(refused.message())),
        };
        rows.extend(
            tried
                .events
                .into_iter()
                .filter_map(|staged| match staged.event {
                    indelible_domain::Event::Invoice(invoices::Event::Drafted(e)) => {
                        Some((account.clone(), e.document.total))
                    }
                    _ => None,
                }),
        );
    }
    if arguments.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(account, total)| json!({ "account": account, "total": total }))
            .collect();
        println!("{:#}", json!({ "dry_run": true, "documents": rows }));
    } else {
        for (account, total) in &rows {
            println!("{account:<24} {total:>16}");
        }
        println!(
            "{} documents would be made; nothing was written",
            rows.len()
        );
    }
    Ok(())
}
