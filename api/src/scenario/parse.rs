//! Reads a scenario file. Says in one sentence what is wrong with it, and where.

use std::fmt;

use super::ast::{Catalog, Scenario, Step};
use super::words::{Words, without_comment};
use super::{expect, setting, steps};

/// Why a file is not a scenario: the line (from 1) and a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub line: usize,
    pub sentence: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.sentence)
    }
}

impl std::error::Error for Mistake {}

/// The lines of the file that are still to be read, numbered from 1.
pub(super) struct Lines<'a> {
    lines: std::iter::Peekable<std::iter::Enumerate<std::str::Lines<'a>>>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Lines {
            lines: text.lines().enumerate().peekable(),
        }
    }

    pub(super) fn take(&mut self) -> Option<(usize, &'a str)> {
        self.lines.next().map(|(at, text)| (at + 1, text))
    }

    /// The next line that says something, if it begins with this word; comments and empty lines before it are dropped.
    pub(super) fn take_if_verb(&mut self, verb: &str) -> Option<(usize, &'a str)> {
        while self
            .lines
            .next_if(|(_, text)| without_comment(text).is_empty())
            .is_some()
        {}
        let begins = |text: &str| text.split_whitespace().next() == Some(verb);
        self.lines
            .next_if(|(_, text)| begins(text))
            .map(|(at, text)| (at + 1, text))
    }
}

/// Reads one scenario.
///
/// # Errors
/// The first [`Mistake`] from the top of the file.
pub fn parse(text: &str) -> Result<Scenario, Mistake> {
    let mut lines = Lines::of(text);
    let mut scenario = header(&mut lines)?;
    while let Some((line, text)) = lines.take() {
        read(&mut scenario, &mut lines, line, text)?;
    }
    Ok(scenario)
}

fn header(lines: &mut Lines<'_>) -> Result<Scenario, Mistake> {
    let sentence = "a scenario begins with `scenario ID title`".to_owned();
    let Some((line, text)) = lines.take_if_verb("scenario") else {
        let line = lines.take().map_or(1, |(line, _)| line);
        return Err(Mistake { line, sentence });
    };
    let mut words = text.split_whitespace().skip(1);
    let id = words.next().ok_or(Mistake { line, sentence })?.to_owned();
    Ok(Scenario {
        id,
        title: words.collect::<Vec<_>>().join(" "),
        source: None,
        notes: Vec::new(),
        adapted: Vec::new(),
        catalogs: Vec::new(),
        entities: Vec::new(),
        taxes: Vec::new(),
        dunning: Vec::new(),
        steps: Vec::new(),
    })
}

fn read(
    scenario: &mut Scenario,
    lines: &mut Lines<'_>,
    line: usize,
    text: &str,
) -> Result<(), Mistake> {
    // Free text is taken as it stands: it may hold quotes and `#`.
    match text.trim().split_once(char::is_whitespace) {
        Some(("source", rest)) => {
            scenario.source = Some(rest.trim().to_owned());
            return Ok(());
        }
        Some(("note", rest)) => {
            scenario.notes.push(rest.trim().to_owned());
            return Ok(());
        }
        Some(("adapted", rest)) => {
            scenario.adapted.push(rest.trim().to_owned());
            return Ok(());
        }
        _ => {}
    }
    let Some(mut words) = Words::cut(line, text)? else {
        return Ok(());
    };
    match words.verb() {
        "scenario" => return Err(words.mistake("stands twice: one file holds one scenario")),
        "catalog" => {
            let path = words.need("the path of a TOML file")?;
            words.end()?;
            scenario.catalogs.push(Catalog::File { line, path });
        }
        "catalog:" => {
            words.end()?;
            scenario.catalogs.push(Catalog::Inline {
                line,
                text: inline(lines, line)?,
            });
        }
        "entity" => scenario.entities.push(setting::entity(&mut words)?),
        "tax" => scenario.taxes.push(setting::tax(&mut words)?),
        "dunning" => scenario.dunning.push(setting::dunning(&mut words, lines)?),
        "level" => return Err(words.mistake("stands inside `dunning policy … end`")),
        "line" => return Err(words.mistake("stands below an `expect invoice`")),
        "end" => return Err(words.mistake("closes a `catalog:` or `dunning`, and none is open")),
        _ => {
            let kind = match words.verb() {
                "expect" => expect::expect(&mut words, lines)?,
                _ => steps::step(&mut words)?,
            };
            scenario.steps.push(Step {
                line,
                text: without_comment(text).to_owned(),
                kind,
            });
        }
    }
    Ok(())
}

/// The TOML between `catalog:` and `end`. Line breaks are kept, so that its own errors point to the right line.
fn inline(lines: &mut Lines<'_>, opened: usize) -> Result<String, Mistake> {
    let mut toml = String::new();
    while let Some((_, text)) = lines.take() {
        if text.trim() == "end" {
            return Ok(toml);
        }
        toml.push_str(text);
        toml.push('\n');
    }
    Err(Mistake {
        line: opened,
        sentence: "`catalog:` is not closed by `end`".to_owned(),
    })
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
