//! The command line. Every subcommand runs on the same code path as GraphQL.
//!
//! Results go to standard output, progress and logs to standard error. Exit codes: 0 done; 1 refused or an
//! expectation failed; 2 wrong usage; 3 the log or a file could not be used.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::office::Begin;

mod backup;
mod bank;
mod bill;
mod catalog;
mod checkpoint;
mod demo;
mod forget;
mod ingest;
mod keys;
mod log;
mod progress;
mod prove;
pub mod rebuild;
mod restore;
mod scenario;
mod serve;
mod verify;

const EXIT_CODES: &str = "Exit codes:\n  0  done\n  1  refused, or an expectation failed\n  2  wrong usage\n  3  the log or a file could not be used";

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Refused = 1,
    Usage = 2,
    Store = 3,
}

/// A command that did not end well: what to say, and the exit code.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub error: Box<dyn std::error::Error + Send + Sync>,
}

impl Failure {
    pub fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        Failure {
            exit: Exit::Refused,
            error: error.into(),
        }
    }

    pub fn store(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        Failure {
            exit: Exit::Store,
            error: error.into(),
        }
    }
}

/// Event-sourced billing ledger: usage in, invoices out, every cent explained.
#[derive(Parser)]
#[command(name = "indelible", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play three businesses for six months, show what came of it, and serve it.
    #[command(after_help = demo::EXAMPLE)]
    Demo(demo::Arguments),
    /// Serve GraphQL, its console, health and metrics.
    #[command(after_help = serve::EXAMPLE)]
    Serve(serve::Arguments),
    /// Ingest a file of usage.
    #[command(after_help = ingest::EXAMPLE)]
    Ingest(ingest::Arguments),
    /// Bill everything that is due.
    #[command(after_help = bill::EXAMPLE)]
    Bill(bill::Arguments),
    /// Check, compare and publish a catalog file.
    #[command(subcommand, after_help = catalog::EXAMPLE)]
    Catalog(catalog::Command),
    /// Destroy the keys of an account's personal data, for good.
    #[command(after_help = forget::EXAMPLE)]
    Forget(forget::Arguments),
    /// Make read models again from the log.
    #[command(after_help = rebuild::EXAMPLE)]
    Rebuild(rebuild::Arguments),
    /// Run scenario files on a ledger in memory.
    #[command(after_help = scenario::EXAMPLE)]
    Scenario(scenario::Arguments),
    /// Measure, with conditions and checks.
    #[command(subcommand, after_help = crate::bench::EXAMPLE)]
    Bench(crate::bench::Command),
    /// Check the whole log: checksums, hashes, order.
    #[command(after_help = verify::EXAMPLE)]
    Verify(verify::Arguments),
    /// Copy the log to plain segment files, also while it is served; again: only what follows.
    #[command(after_help = backup::BACKUP_EXAMPLE)]
    Backup(backup::BackupArguments),
    /// Make a new ledger of a backup, of all of it or up to a position or a moment.
    #[command(after_help = restore::RESTORE_EXAMPLE)]
    Restore(restore::RestoreArguments),
    /// Take statements of banks, and draw files for them.
    #[command(subcommand, after_help = bank::EXAMPLE)]
    Bank(bank::Command),
    /// Copy a part of the log to plain segment files.
    #[command(after_help = backup::EXPORT_EXAMPLE)]
    Export(backup::ExportArguments),
    /// Continue a log with exported segment files.
    #[command(after_help = restore::IMPORT_EXAMPLE)]
    Import(restore::ImportArguments),
    /// Look at the log itself.
    #[command(subcommand, after_help = log::EXAMPLE)]
    Log(log::Command),
    /// Sign what the log is now, for others to keep.
    #[command(after_help = checkpoint::EXAMPLE)]
    Checkpoint(checkpoint::Arguments),
    /// Prove that an invoice and all that lies under it is in the log, or check such a proof.
    #[command(after_help = prove::EXAMPLE, args_conflicts_with_subcommands = true)]
    Prove(prove::Arguments),
    /// Print the GraphQL schema definition.
    #[command(after_help = "Example:\n  indelible schema > schema.graphql")]
    Schema,
    /// Make, list and revoke API keys.
    #[command(subcommand, after_help = keys::EXAMPLE)]
    Keys(keys::Command),
}

/// The data directory, shared by most subcommands.
#[derive(Args, Clone)]
pub struct Data {
    /// Data directory.
    #[arg(
        long = "data",
        value_name = "DIR",
        default_value = "./indelible-data",
        env = "INDELIBLE_DATA"
    )]
    pub dir: PathBuf,
}

/// What a ledger begins with, shared by the subcommands that work with one.
#[derive(Args, Clone, Copy)]
pub struct Snapshots {
    /// Fold the whole log at the start; neither use nor take snapshots of the state.
    #[arg(long)]
    no_snapshots: bool,
}

impl Snapshots {
    pub fn begin(self) -> Begin {
        match self.no_snapshots {
            true => Begin::Log,
            false => Begin::Snapshot,
        }
    }
}

/// Parses the arguments, runs the command and reports.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Schema => {
            print!("{}", crate::graphql::sdl());
            Ok(())
        }
        Command::Keys(command) => keys::run(command),
        Command::Backup(arguments) => backup::backup(arguments),
        Command::Restore(arguments) => restore::restore(arguments),
        Command::Export(arguments) => backup::export(arguments),
        Command::Import(arguments) => restore::import(arguments),
        Command::Log(command) => log::run(command),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Ingest(arguments) => ingest::run(arguments),
        Command::Bank(command) => bank::run(command),
        Command::Bill(arguments) => bill::run(arguments),
        Command::Catalog(command) => catalog::run(command),
        Command::Forget(arguments) => forget::run(arguments),
        Command::Rebuild(arguments) => rebuild::run(arguments),
        Command::Scenario(arguments) => scenario::run(arguments),
        Command::Bench(command) => crate::bench::run(command),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Checkpoint(arguments) => checkpoint::run(arguments),
        Command::Prove(arguments) => prove::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::from(Exit::Done as u8),
        Err(failure) => {
            eprintln!("indelible: {}", chain(failure.error.as_ref()));
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// An error with its causes, outermost first.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_subcommand_shows_an_example() {
        fn check(command: &clap::Command, path: &str) {
            for sub in command
                .get_subcommands()
                .filter(|sub| sub.get_name() != "help")
            {
                let path = format!("{path} {}", sub.get_name());
                let help = sub
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    help.contains("Example") && help.contains("indelible "),
                    "{path} has no example"
                );
                check(sub, &path);
            }
        }
        let cli = Cli::command();
        cli.clone().debug_assert();
        check(&cli, "indelible");
    }
}
