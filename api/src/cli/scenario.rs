//! `indelible scenario`: tries catalogs and stories in memory, and says what differs.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Failure;
use crate::scenario::run::{Outcome, Verdict, run_file};

pub const EXAMPLE: &str = "Example:\n  indelible scenario tests/scenarios/*.scn\n\n\
    The format is described in docs/scenarios.md. Nothing is read from or written to a data directory.";

#[derive(Args)]
pub struct Arguments {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let outcomes: Vec<Outcome> = arguments.files.iter().map(|file| run_file(file)).collect();
    let failed = outcomes.iter().filter(|o| !o.passed()).count();
    if arguments.json {
        let rows: Vec<_> = outcomes.iter().map(row).collect();
        println!(
            "{:#}",
            json!({ "passed": outcomes.len() - failed, "failed": failed, "scenarios": rows })
        );
    } else {
        outcomes.iter().for_each(show);
        println!("{} passed, {failed} failed", outcomes.len() - failed);
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::refused(format!(
            "{failed} of {} scenarios failed",
            outcomes.len()
        )))
    }
}

fn row(outcome: &Outcome) -> serde_json::Value {
    let differences = match &outcome.verdict {
        Verdict::Passed => vec![],
        Verdict::Unreadable(why) => vec![json!({ "drawn": why })],
        Verdict::Differs(all) => all
            .iter()
            .map(|d| json!({ "line": d.line, "step": d.step, "drawn": d.drawn }))
            .collect(),
    };
    json!({
        "file": outcome.path.display().to_string(),
        "id": outcome.id,
        "title": outcome.title,
        "passed": outcome.passed(),
        "expectations": outcome.expectations,
        "differences": differences,
    })
}

fn show(outcome: &Outcome) {
    let file = outcome.path.display();
    match &outcome.verdict {
        Verdict::Passed => println!(
            "ok      {} {} ({} expectations)",
            outcome.id, outcome.title, outcome.expectations
        ),
        Verdict::Unreadable(why) => println!("FAILED  {file}\n        {why}"),
        Verdict::Differs(all) => {
            println!("FAILED  {} {} ({file})", outcome.id, outcome.title);
            for difference in all {
                println!("  line {}: {}", difference.line, difference.step);
                for line in difference.drawn.lines() {
                    println!("    {line}");
                }
            }
        }
    }
}
