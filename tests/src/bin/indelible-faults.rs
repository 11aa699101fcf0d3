//! Injects faults into the log and compares what is left with what was acknowledged (`docs/reliability.md`).
//!
//! `indelible-faults run [NAME]` runs the drills (or those whose name contains NAME) with the counts of a soak, or those
//! of INDELIBLE_KILLS, INDELIBLE_RUN_KILLS, INDELIBLE_CUTS and INDELIBLE_FLIPS. The other words are for the processes the drills start.

use std::path::Path;
use std::process::ExitCode;

use indelible_tests::faults::mounts::NOT_RUN;
use indelible_tests::faults::{
    Outcome, Setting, bill_runs, flips, full, power, run, summary, writer,
};

const USAGE: &str = "run [NAME] | write DIR RUN COMMITS | bill DIR MONTH ahead|stepwise|two|rerate-N|undo-N | flips DIR COPY PLAN FROM | power SEED CUTS | full tmpfs|ext4";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["run"] => soak(""),
        ["run", name] => soak(name),
        ["write", dir, run, commits] => match (run.parse(), commits.parse()) {
            (Ok(run), Ok(commits)) => write(Path::new(dir), run, commits),
            _ => usage(),
        },
        ["bill", dir, month, how] => match month.parse() {
            Ok(month) => told(
                bill_runs::bill(Path::new(dir), month, how)
                    .map(|()| Outcome::Passed(String::new())),
            ),
            _ => usage(),
        },
        ["flips", dir, copy, plan, from] => match from.parse() {
            Ok(from) => told(
                flips::answer(Path::new(dir), Path::new(copy), Path::new(plan), from)
                    .map(|()| Outcome::Passed(String::new())),
            ),
            _ => usage(),
        },
        ["power", seed, cuts] => match (std::env::current_exe(), seed.parse(), cuts.parse()) {
            (Ok(exe), Ok(seed), Ok(cuts)) => told(power::cut(&exe, seed, cuts)),
            _ => usage(),
        },
        ["full", which] => told(full::fill(which)),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: indelible-faults {USAGE}");
    ExitCode::from(2)
}

fn write(dir: &Path, run: u64, commits: u64) -> ExitCode {
    match writer::write(dir, run, commits) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            println!("refused {} {e}", e.code());
            ExitCode::FAILURE
        }
    }
}

/// The end of a drill that runs in a process of its own.
fn told(result: Result<Outcome, String>) -> ExitCode {
    match result {
        Ok(Outcome::Passed(said)) if said.is_empty() => ExitCode::SUCCESS,
        Ok(Outcome::Passed(said)) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Ok(Outcome::NotRun(why)) => {
            println!("{why}");
            ExitCode::from(NOT_RUN)
        }
        Err(what) => {
            println!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn soak(name: &str) -> ExitCode {
    let exe = match std::env::current_exe() {
        Ok(exe) => exe,
        Err(e) => {
            eprintln!("indelible-faults: where am I? {e}");
            return ExitCode::FAILURE;
        }
    };
    let count = |name: &str, otherwise: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let setting = Setting {
        exe,
        seed: count("INDELIBLE_SEED", 1),
        kills: count("INDELIBLE_KILLS", 1_000),
        run_kills: count("INDELIBLE_RUN_KILLS", 100),
        cuts: count("INDELIBLE_CUTS", 200),
        flips: count("INDELIBLE_FLIPS", 1_000),
        // Of a larger log the engine keeps every payload in several copies, and nobody can say which the log rests on.
        // Of a larger log, and after some numbers of commits, the engine keeps every payload in several copies, and nobody can say
        // which the log rests on.
        flip_commits: 40,
        torn: (40, 25),
        failing_syncs: vec![1, 2, 3, 5, 8, 13, 21, 34],
    };
    let lines = run(&setting, name, &mut |line| println!("{}", line.text()));
    println!("{}", summary(&lines));
    if lines.iter().any(|line| line.result.is_err()) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
