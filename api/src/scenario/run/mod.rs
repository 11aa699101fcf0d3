//! Runs a scenario on an empty ledger in memory, through the same commands as everything else.
//!
//! The first step that is refused against the file's word ends the run: what follows would only repeat the same mistake.
//! Expectations are all looked at, so that one report shows everything that differs.

mod allowances;
mod books;
mod check;
mod draw;
mod reratings;
mod setting;
mod steps;
mod story;
mod structure;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::ast::{Kind, Scenario};
use super::parse::parse;
use story::Story;

/// What came of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub path: PathBuf,
    /// Empty when the file could not be read.
    pub id: String,
    pub title: String,
    /// How many expectations (refusals included) were looked at.
    pub expectations: usize,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// Something came out differently.
    Differs(Vec<Difference>),
    /// The file, or a price list it names, is not what it should be.
    Unreadable(String),
}

/// One expectation that does not hold, or one step that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub line: usize,
    /// The step as written.
    pub step: String,
    /// What is and what was expected, drawn over one or more lines.
    pub drawn: String,
}

impl Outcome {
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }
}

/// Reads and runs one file.
pub fn run_file(path: &Path) -> Outcome {
    let mut outcome = Outcome {
        path: path.to_owned(),
        id: String::new(),
        title: String::new(),
        expectations: 0,
        verdict: Verdict::Passed,
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            outcome.verdict = Verdict::Unreadable(format!("cannot be read: {error}"));
            return outcome;
        }
    };
    match parse(&text) {
        Err(mistake) => outcome.verdict = Verdict::Unreadable(mistake.to_string()),
        Ok(scenario) => {
            outcome.expectations = expectations(&scenario);
            outcome.verdict = run(&scenario, path.parent().unwrap_or(Path::new(".")));
            outcome.id = scenario.id;
            outcome.title = scenario.title;
        }
    }
    outcome
}

/// Runs a scenario; the paths of its price lists start at `folder`.
pub fn run(scenario: &Scenario, folder: &Path) -> Verdict {
    let mut story = match Story::open(scenario, folder) {
        Ok(story) => story,
        Err(mistake) => return Verdict::Unreadable(mistake.to_string()),
    };
    let mut differences = Vec::new();
    for step in &scenario.steps {
        let difference = |drawn: String| Difference {
            line: step.line,
            step: step.text.clone(),
            drawn,
        };
        match &step.kind {
            Kind::Expect(expect) => {
                differences.extend(check::check(&mut story, expect).err().map(difference))
            }
            kind => {
                if let Err(drawn) = story.perform(kind) {
                    differences.push(difference(drawn));
                    break;
                }
            }
        }
    }
    if differences.is_empty() {
        let whole = |drawn| Difference {
            line: scenario.steps.last().map_or(1, |step| step.line),
            step: "the books at the end".to_owned(),
            drawn,
        };
        differences.extend(story.books.faults().into_iter().map(whole));
    }
    if differences.is_empty() {
        Verdict::Passed
    } else {
        Verdict::Differs(differences)
    }
}

fn expectations(scenario: &Scenario) -> usize {
    scenario
        .steps
        .iter()
        .filter(|step| matches!(step.kind, Kind::Expect(_) | Kind::Refused { .. }))
        .count()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Passed => write!(
                f,
                "✓ {} {} ({} expectations)",
                self.id, self.title, self.expectations
            ),
            Verdict::Unreadable(why) => write!(f, "✗ {}: {why}", self.path.display()),
            Verdict::Differs(differences) => {
                write!(f, "✗ {} {}", self.id, self.title)?;
                for difference in differences {
                    write!(
                        f,
                        "\n{}:{}: {}",
                        self.path.display(),
                        difference.line,
                        difference.step
                    )?;
                    for line in difference.drawn.lines() {
                        write!(f, "\n    {line}")?;
                    }
                }
                Ok(())
            }
        }
    }
}
