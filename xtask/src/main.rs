//! Chores of the project: `cargo xtask test` is everything the CI runs.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

mod deny;
mod fuzz;
mod peers;
mod prepare;
mod python;
mod soak;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test     everything the CI runs: prepare the machine, format, licences and advisories, clippy, tests
  prepare  only the first step of it: installs what the tests need beyond Rust, where it may
  soak     1,000 kills, 100 kills of bill runs, 200 power cuts and the other drills of docs/reliability.md, and writes their report there
  fuzz [N] the fuzz targets of tests/fuzz with the stable compiler, N seconds each (60)
  peers    the log beside a raw file, PostgreSQL and UmaDB in one run; installs the two where it may; prints JSON
  deny     only the check of licences and known advisories (offline)
  sdl      write api/schema.graphql anew after a change of the GraphQL schema";

fn main() -> ExitCode {
    let chore = std::env::args().nth(1).unwrap_or_default();
    let root = root();
    let done = match chore.as_str() {
        "test" => test(&root),
        "prepare" => prepare::prepare(),
        "soak" => soak::soak(&root),
        "fuzz" => fuzz::fuzz(&root, std::env::args().nth(2).as_deref()),
        "peers" => peers::run(&root),
        "deny" => deny::check(&root),
        "sdl" => sdl(&root),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Cheap checks first, the tests last, so that the output ends with their summary.
fn test(root: &Path) -> Result<(), String> {
    prepare::prepare()?;
    say_room(root);
    let tested = checks(root);
    if tested.is_err() {
        say_room(root);
    }
    tested
}

fn checks(root: &Path) -> Result<(), String> {
    cargo(
        root,
        &["fmt", "--all", "--check"],
        "the format differs; run: cargo fmt --all",
    )?;
    deny::check(root)?;
    cargo(
        root,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
        "clippy found something",
    )?;
    cargo(root, &["test", "--workspace", "--locked"], "a test failed")
}

fn sdl(root: &Path) -> Result<(), String> {
    let output = Command::new("cargo")
        .args([
            "run",
            "--quiet",
            "--package",
            "indelible-api",
            "--",
            "schema",
        ])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    std::fs::write(root.join("api/schema.graphql"), output.stdout)
        .map_err(|error| format!("cannot write api/schema.graphql: {error}"))
}

fn cargo(root: &Path, arguments: &[&str], otherwise: &str) -> Result<(), String> {
    say(&format!("cargo {}", arguments.join(" ")));
    // What lets the next build begin where this one ended is more than half of what a build writes.
    let status = Command::new("cargo")
        .args(arguments)
        .current_dir(root)
        .env("CARGO_INCREMENTAL", "0")
        .status()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}

/// How much room the disks of the build and of the tests have: a full one looks like a failed test.
fn say_room(root: &Path) {
    let temporary = std::env::temp_dir();
    let df = Command::new("df")
        .arg("-Ph")
        .args([root, &temporary])
        .output();
    if let Ok(df) = df {
        for line in String::from_utf8_lossy(&df.stdout).lines() {
            say(line);
        }
    }
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn say(sentence: &str) {
    eprintln!("xtask: {sentence}");
}

/// The workspace root: the folder above this package.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
