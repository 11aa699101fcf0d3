//! Chores of the project: `cargo xtask test` is everything the CI runs.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

mod deny;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test   everything the CI runs: prepare the machine, format, licences and advisories, clippy, tests
  deny   only the check of licences and known advisories (offline)
  sdl    write api/schema.graphql anew after a change of the GraphQL schema";

fn main() -> ExitCode {
    let chore = std::env::args().nth(1).unwrap_or_default();
    let root = root();
    let done = match chore.as_str() {
        "test" => test(&root),
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
    prepare()?;
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

/// Installs what the tests need beyond Rust itself, or says how to.
fn prepare() -> Result<(), String> {
    for (component, probe) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !succeeds("cargo", &[probe, "--version"]) {
            say(&format!(
                "the Rust component {component} is missing: installing it with rustup"
            ));
            if !succeeds("rustup", &["component", "add", component]) {
                return Err(format!(
                    "cannot install {component}; by hand: rustup component add {component}"
                ));
            }
        }
    }
    // The durability tests count fsync calls of the process under test.
    if succeeds("strace", &["--version"]) {
        return Ok(());
    }
    if !cfg!(target_os = "linux") {
        say("strace exists on Linux only: the tests that count fsync calls say so and pass over");
        return Ok(());
    }
    let by_hand =
        "by hand: sudo apt-get install strace (Debian, Ubuntu) or sudo dnf install strace (Fedora)";
    say(
        "strace is missing, the durability tests count fsync calls with it: installing it with apt-get",
    );
    let installed = succeeds(
        "apt-get",
        &["install", "--yes", "--no-install-recommends", "strace"],
    ) || (succeeds("apt-get", &["update"])
        && succeeds(
            "apt-get",
            &["install", "--yes", "--no-install-recommends", "strace"],
        ));
    if installed {
        Ok(())
    } else {
        Err(format!("cannot install strace (it needs root); {by_hand}"))
    }
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
    let status = Command::new("cargo")
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(otherwise.to_owned())
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
