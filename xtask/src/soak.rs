//! The drills of `tests/src/faults` in large numbers, and their report in `docs/reliability.md`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{prepare, say};

const REPORT: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- written by cargo xtask soak: begin -->";
const END: &str = "<!-- written by cargo xtask soak: end -->";

/// Runs them, prints each line as it comes, and writes the report. An error if one failed.
pub fn soak(root: &Path) -> Result<(), String> {
    prepare::prepare()?;
    say("cargo run --release --package indelible-tests --bin indelible-faults -- run");
    let mut child = Command::new("cargo")
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "indelible-tests",
        ])
        .args(["--bin", "indelible-faults", "--", "run"])
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    let out = child.stdout.take().ok_or("no pipe to the drills")?;
    let mut lines = Vec::new();
    for line in BufReader::new(out).lines() {
        let line = line.map_err(|error| format!("reading the drills' report: {error}"))?;
        println!("{line}");
        lines.push(line);
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if lines.is_empty() {
        return Err(format!("the drills said nothing ({status})"));
    }
    write_report(root, &lines)?;
    if !status.success() {
        return Err(format!("a drill failed; see {REPORT}"));
    }
    long_tests(root)
}

/// Tests that take too long for every run.
fn long_tests(root: &Path) -> Result<(), String> {
    say("cargo test --release --package indelible-store --test rerating -- --ignored");
    let status = Command::new("cargo")
        .args(["test", "--release", "--package", "indelible-store"])
        .args(["--test", "rerating", "--", "--ignored"])
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err("a long test failed".into()),
    }
}

fn write_report(root: &Path, lines: &[String]) -> Result<(), String> {
    let path = root.join(REPORT);
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("cannot read {REPORT}: {error}"))?;
    let new = between_markers(&text, &report(root, lines))
        .ok_or_else(|| format!("{REPORT} has lost the markers of its report"))?;
    std::fs::write(&path, new).map_err(|error| format!("cannot write {REPORT}: {error}"))
}

fn between_markers(text: &str, report: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{report}\n{END}{after}"))
}

fn report(root: &Path, lines: &[String]) -> String {
    let commit = Command::new("git")
        .args(["log", "-1", "--format=%h of %cs"])
        .current_dir(root)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut report = format!(
        "Commit {commit}, {cores} cores, Linux {}, release build.\n\n| drill | result |\n|---|---|\n",
        kernel.trim()
    );
    for line in lines {
        let (drill, result) = line.split_once(": ").unwrap_or(("", line));
        report.push_str(&format!("| {drill} | {} |\n", result.replace('|', "\\|")));
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_the_one_before_and_nothing_else() {
        let text = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        let once = between_markers(&text, "new").expect("both markers are there");
        assert_eq!(once, format!("above\n{BEGIN}\n\nnew\n{END}\nbelow\n"));
        assert_eq!(between_markers(&once, "new"), Some(once.clone()));
        assert_eq!(between_markers("no markers", "new"), None);
    }
}
