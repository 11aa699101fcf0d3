//! `kill -9` of the writer at random moments: while it opens, while it waits for a sync, between sync and answer.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::Running;
use super::random::Random;
use super::truth::{Compared, Truth};
use super::{Outcome, Setting};

/// Runs on one directory before a new one is begun: long enough to recover from recoveries, short enough to be read
/// whole after each kill.
const RUNS_PER_DIRECTORY: u64 = 10;
/// Every so many runs the process dies while it opens or makes the directory.
const DIES_OPENING: u64 = 5;
const MOST_ACKNOWLEDGEMENTS: u64 = 40;
/// Beyond the last acknowledgement, in microseconds: about one sync.
const LONGEST_DELAY: u64 = 2_000;
/// How long opening may take before the process dies in it, in microseconds.
const LONGEST_OPENING: u64 = 40_000;

/// The writer as a process of its own.
pub fn writer(exe: &Path, data: &Path, run: u64, commits: u64) -> Command {
    let mut command = Command::new(exe);
    command
        .arg("write")
        .arg(data)
        .args([run.to_string(), commits.to_string()]);
    command
}

/// Lets the writer of a run work up to a random moment. The length of the wait is the moment; nothing is waited for.
pub fn until_a_random_moment(
    running: &mut Running,
    run: u64,
    random: &mut Random,
    truth: &mut Truth,
) -> Result<(), String> {
    let delay = if run.is_multiple_of(DIES_OPENING) {
        random.below(LONGEST_OPENING)
    } else {
        running.acknowledgements(1 + random.below(MOST_ACKNOWLEDGEMENTS), truth)?;
        random.below(LONGEST_DELAY)
    };
    std::thread::sleep(Duration::from_micros(delay));
    Ok(())
}

/// Sums of a drill.
#[derive(Default)]
pub struct Sums {
    pub opened: u64,
    pub acknowledged: u64,
    pub unanswered: u64,
    pub compared: u64,
    pub volumes: u64,
}

impl Sums {
    /// Adds one check.
    pub fn add(&mut self, compared: Compared) {
        self.opened += 1;
        self.compared += compared.commits;
    }

    /// Adds what one directory knew in the end, and removes it.
    pub fn close(&mut self, truth: &Truth, last: Compared, data: &Path) -> io::Result<()> {
        self.volumes += std::fs::read_dir(data.join("log"))?.count() as u64;
        std::fs::remove_dir_all(data)?;
        self.acknowledged += truth.len();
        self.unanswered += last.unanswered;
        Ok(())
    }
}

/// The drill.
pub fn drill(setting: &Setting) -> Result<Outcome, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut random = Random::seeded(setting.seed);
    let mut sums = Sums::default();
    let mut truth = Truth::default();
    for run in 0..setting.kills {
        let data = dir.path().join((run / RUNS_PER_DIRECTORY).to_string());
        let mut running = Running::start(writer(&setting.exe, &data, run, u64::MAX))?;
        let told = until_a_random_moment(&mut running, run, &mut random, &mut truth)
            .and_then(|()| {
                running.kill();
                running.rest(&mut truth)
            })
            .and_then(|_| truth.check_directory(&data));
        let compared = told.map_err(|e| format!("kill {run}: {e}"))?;
        sums.add(compared);
        if run % RUNS_PER_DIRECTORY == RUNS_PER_DIRECTORY - 1 || run + 1 == setting.kills {
            sums.close(&truth, compared, &data)
                .map_err(|e| e.to_string())?;
            truth = Truth::default();
        }
    }
    if sums.acknowledged < setting.kills {
        return Err(format!(
            "only {} commits were acknowledged: the drill did not drill",
            sums.acknowledged
        ));
    }
    Ok(Outcome::Passed(format!(
        "{} kills, {} acknowledged commits all there, {} more were under way and are whole, {} volumes, opened {} times, {} commits compared",
        setting.kills, sums.acknowledged, sums.unanswered, sums.volumes, sums.opened, sums.compared
    )))
}
