//! The drills of `indelible_tests::faults`, small enough for every run of the tests.
//!
//! A test binary with a `main` of its own: the usual one knows "passed" and "failed" only, and a drill that this machine
//! cannot run must not be counted as passed. Takes a part of a name as its argument, as `cargo test -- NAME` gives it.

use std::process::ExitCode;

use indelible_tests::faults::{DRILLS, Setting, run, summary};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--list") {
        for (name, _) in DRILLS {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filter = args.iter().find(|arg| !arg.starts_with('-'));
    let filter = filter.map_or("", String::as_str);
    let setting = Setting {
        exe: env!("CARGO_BIN_EXE_indelible-faults").into(),
        seed: 1,
        kills: 10,
        run_kills: 5,
        cuts: 20,
        flips: 1_000,
        // Not a number after which the engine has just written all of them anew.
        flip_commits: 18,
        torn: (10, 6),
        failing_syncs: vec![1, 7, 20],
    };
    let lines = run(&setting, filter, &mut |line| println!("{}", line.text()));
    println!("{}", summary(&lines));
    if lines.iter().any(|line| line.result.is_err()) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
