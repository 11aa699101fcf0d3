//! `docs/conformance.md`: what became of every known case, as the run that writes it found.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use indelible_api::scenario::{self, run::Outcome};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    set: Vec<Set>,
    /// By id: cases without a scenario file.
    #[serde(default)]
    case: BTreeMap<String, Elsewhere>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    prefix: String,
    title: String,
    cases: Vec<String>,
}

/// What stands for a case that has no scenario file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    title: String,
    /// `file::function`, from the root of the project: a test that holds the case's figures.
    test: Option<String>,
    /// Why a figure is not that of the source.
    adapted: Option<String>,
    /// Why it says nothing about this product.
    not_applicable: Option<String>,
    /// What is missing.
    open: Option<String>,
}

/// One row of the table.
struct Row {
    id: String,
    title: String,
    source: String,
    result: &'static str,
    remark: String,
}

const ADAPTED: &str = "adapted";
const PASSED: &str = "passed";

/// The page, made from the outcomes of every scenario file and the list of cases. `root` is the project's folder.
///
/// Errors: a case that is neither a file nor listed, listed as two things, or held by a test that is not there.
pub fn page(root: &Path, outcomes: &[Outcome]) -> Result<String, String> {
    let list = root.join("tests/scenarios/cases.toml");
    let text = fs::read_to_string(&list).map_err(|why| format!("{}: {why}", list.display()))?;
    let cases: Cases = toml::from_str(&text).map_err(|why| why.to_string())?;
    let mut sections = String::new();
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut elsewhere = cases.case;
    for set in &cases.set {
        let _ = write!(
            sections,
            "\n## {}-: {}\n\n| case | what | source | result | remark |\n|---|---|---|---|---|\n",
            set.prefix, set.title
        );
        for case in &set.cases {
            let id = format!("{}-{case}", set.prefix);
            let row = row(root, &id, outcomes, elsewhere.remove(&id))?;
            *counts.entry(row.result).or_default() += 1;
            let cells = [row.title, row.source, row.result.to_string(), row.remark];
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(sections, "| {} | {} |", row.id, cells.join(" | "));
        }
    }
    if let Some(id) = elsewhere.keys().next() {
        return Err(format!("{id} is listed and belongs to no set"));
    }
    let sums: Vec<String> = counts
        .iter()
        .map(|(what, n)| format!("{n} {what}"))
        .collect();
    Ok(format!(
        "# Conformance\n\n\
         Numeric cases that others published or that follow from a rule, and what became of them here. The sources are named; the\n\
         figures are facts, the files are ours. This page is made by the run itself:\n\
         `INDELIBLE_WRITE_GOLDEN=1 cargo test -p indelible-tests --test scenarios` writes it, and the same test without it fails when a\n\
         result changes.\n\n\
         - **passed**: a scenario under `tests/scenarios/` comes to the figures of the source in this run; or a test that is named does, of\n\
         \x20   which this run only sees that it is there: `cargo xtask test` runs it.\n\
         - **adapted**: the rule of [policy.md](policy.md) is another one, or the story is told another way; the remark says how.\n\
         - **not applicable**: the case is about something this product does not do, and says so.\n\
         - **open**: not done yet.\n\n\
         {}.\n{sections}",
        sums.join(", ")
    ))
}

fn row(
    root: &Path,
    id: &str,
    outcomes: &[Outcome],
    elsewhere: Option<Elsewhere>,
) -> Result<Row, String> {
    match (outcomes.iter().find(|o| o.id == id), elsewhere) {
        (Some(_), Some(_)) => Err(format!("{id} has a scenario file and is listed too")),
        (None, None) => Err(format!("{id} has no scenario file and is not listed")),
        (Some(outcome), None) => of_file(id, outcome),
        (None, Some(listed)) => of_list(root, id, listed),
    }
}

fn of_file(id: &str, outcome: &Outcome) -> Result<Row, String> {
    if !outcome.passed() {
        return Err(format!("{id} does not come out as it says"));
    }
    let path = &outcome.path;
    let text = fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let told = scenario::parse(&text).map_err(|why| why.to_string())?;
    let remark = told.adapted.join(" ");
    Ok(Row {
        id: id.to_string(),
        title: told.title,
        source: told.source.unwrap_or_default(),
        result: if remark.is_empty() { PASSED } else { ADAPTED },
        remark,
    })
}

fn of_list(root: &Path, id: &str, listed: Elsewhere) -> Result<Row, String> {
    let (result, remark) = match (listed.test, listed.not_applicable, listed.open) {
        (Some(test), None, None) => {
            let found = test.split_once("::").and_then(|(file, function)| {
                let text = fs::read_to_string(root.join(file)).ok()?;
                text.contains(&format!("fn {function}(")).then_some(())
            });
            found.ok_or_else(|| format!("{id} is held by {test}, and there is no such test"))?;
            match listed.adapted {
                Some(adapted) => (ADAPTED, format!("`{test}`. {adapted}")),
                None => (PASSED, format!("`{test}`")),
            }
        }
        (None, Some(why), None) => ("not applicable", why),
        (None, None, Some(what)) => ("open", what),
        _ => return Err(format!("{id} says several things, or nothing")),
    };
    Ok(Row {
        id: id.to_string(),
        title: listed.title,
        source: String::new(),
        result,
        remark,
    })
}
