//! Faults, injected for real, and the list of what was acknowledged kept outside the store.
//!
//! Each drill breaks something (kills the writer, cuts the power of its file system, fails its syncs, fills its disk,
//! flips its bytes), opens the store again and compares the log with that list, byte for byte. The same drills run small
//! in the tests (`tests/tests/faults.rs`) and large in `cargo xtask soak`. What each proves, and what it cannot show:
//! `docs/reliability.md`.
//!
//! A drill that this machine cannot run says so with the reason ([`Outcome::NotRun`]) and is never counted as passed.

use std::path::PathBuf;
use std::time::Instant;

pub mod bill_runs;
pub mod business;
pub mod clock;
pub mod damage;
pub mod files;
pub mod flips;
pub mod full;
pub mod kills;
pub mod load;
pub mod mounts;
pub mod power;
pub mod process;
pub mod random;
pub mod reratings;
pub mod syncs;
pub mod torn;
pub mod truth;
pub mod writer;

/// How often, and with what, the drills run.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The `indelible-faults` binary: the process that is killed, traced or cut off.
    pub exe: PathBuf,
    /// Seed of every random choice.
    pub seed: u64,
    /// `kill -9` of the writer process.
    pub kills: u64,
    /// `kill -9` of the process that bills, and as many of the one that rates again.
    pub run_kills: u64,
    /// Power cuts, half of them on XFS and half on ext4.
    pub cuts: u64,
    /// Single flipped bytes.
    pub flips: u64,
    /// Commits in the log that is flipped.
    pub flip_commits: u64,
    /// Torn writes: commits cut short, and how many ways each.
    pub torn: (u64, u64),
    /// Which syncs fail, one run for each.
    pub failing_syncs: Vec<u64>,
}

/// What a drill found, unless it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With counts, in words.
    Passed(String),
    /// With the reason.
    NotRun(String),
}

/// A drill: its name and what it does; an error is what was found wrong.
pub type Drill = (&'static str, fn(&Setting) -> Result<Outcome, String>);

/// All drills, in the order of the report.
pub const DRILLS: [Drill; 13] = [
    ("kills", kills::drill),
    ("bill runs stopped at every step", bill_runs::every_step),
    ("bill runs killed", bill_runs::kills),
    ("reratings stopped at every step", reratings::every_step),
    ("reratings killed", reratings::kills),
    ("power cuts", power::drill),
    ("failed syncs", syncs::failed_by_hook),
    ("failed system calls", syncs::failed_by_kernel),
    ("full disk", full::drill),
    ("torn writes", torn::drill),
    ("clock going back", clock::drill),
    ("flipped bytes", flips::drill),
    ("lost tail", damage::lost_tail),
];

/// One line of the report.
#[derive(Clone, Debug)]
pub struct Line {
    pub drill: &'static str,
    pub result: Result<Outcome, String>,
    pub millis: u128,
}

impl Line {
    /// `kills: passed: ...`, as the tests and the soak print it.
    pub fn text(&self) -> String {
        let seconds = format!("{}.{} s", self.millis / 1000, self.millis % 1000 / 100);
        match &self.result {
            Ok(Outcome::Passed(what)) => format!("{}: passed: {what} ({seconds})", self.drill),
            Ok(Outcome::NotRun(why)) => format!("{}: NOT RUN: {why}", self.drill),
            Err(what) => format!("{}: FAILED: {what}", self.drill),
        }
    }
}

/// Runs the drills whose name contains the filter, and tells of each as it ends.
pub fn run(setting: &Setting, filter: &str, tell: &mut dyn FnMut(&Line)) -> Vec<Line> {
    let mut lines = Vec::new();
    for (drill, body) in DRILLS.iter().filter(|(name, _)| name.contains(filter)) {
        let start = Instant::now();
        let result = body(setting);
        let line = Line {
            drill,
            result,
            millis: start.elapsed().as_millis(),
        };
        tell(&line);
        lines.push(line);
    }
    lines
}

/// `faults: 7 passed, 1 NOT RUN, 1 FAILED`.
pub fn summary(lines: &[Line]) -> String {
    let count = |which: fn(&Line) -> bool| lines.iter().filter(|line| which(line)).count();
    format!(
        "faults: {} passed, {} NOT RUN, {} FAILED",
        count(|l| matches!(l.result, Ok(Outcome::Passed(_)))),
        count(|l| matches!(l.result, Ok(Outcome::NotRun(_)))),
        count(|l| l.result.is_err()),
    )
}
