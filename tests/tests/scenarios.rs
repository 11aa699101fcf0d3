//! Every file under `tests/scenarios/` is read and named after its case.

use std::fs;
use std::path::{Path, PathBuf};

use indelible_api::scenario;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(&folder).expect("tests/scenarios is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "scn"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_scenario_is_well_formed_and_named_after_its_case() {
    let mut mistakes = Vec::new();
    for path in files() {
        let text = fs::read_to_string(&path).expect("a readable file");
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
            .to_owned();
        match scenario::parse(&text) {
            Ok(scenario) if scenario.id.to_lowercase() == stem => {}
            Ok(scenario) => mistakes.push(format!("{stem}: the id says {}", scenario.id)),
            Err(mistake) => mistakes.push(format!("{stem}: {mistake}")),
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn the_cases_cover_what_the_engine_promises() {
    let named = |prefixes: &[&str]| {
        let begins = |path: &PathBuf| {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            prefixes.iter().any(|prefix| stem.starts_with(prefix))
        };
        files().iter().filter(|path| begins(path)).count()
    };
    assert!(named(&["s-", "p-", "r-"]) >= 40, "cases in all");
    assert!(
        named(&["s-a", "s-b", "p-d", "p-e", "r-"]) >= 10,
        "proration"
    );
    assert!(named(&["s-g", "p-a"]) >= 10, "tiers and usage");
    assert!(named(&["s-h", "s-d"]) >= 5, "credits");
    assert!(named(&["s-i"]) >= 3, "dunning");
}
