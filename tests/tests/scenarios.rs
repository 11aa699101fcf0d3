//! Every file under `tests/scenarios/` is read, named after its case, and run.

use std::fs;
use std::path::{Path, PathBuf};

use indelible_api::scenario;
use indelible_api::scenario::run::{Difference, Verdict};
use indelible_tests::conformance;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("tests/scenarios is there");
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

#[test]
fn every_scenario_comes_out_as_it_says() {
    let outcomes: Vec<_> = files()
        .iter()
        .map(|path| scenario::run_file(path))
        .collect();
    let failed: Vec<String> = outcomes
        .iter()
        .filter(|o| !o.passed())
        .map(ToString::to_string)
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} scenarios differ\n\n{}",
        failed.len(),
        outcomes.len(),
        failed.join("\n\n")
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let made = conformance::page(&root, &outcomes).unwrap_or_else(|why| panic!("{why}"));
    let page = root.join("docs/conformance.md");
    if std::env::var_os("INDELIBLE_WRITE_GOLDEN").is_some() {
        fs::write(&page, &made).expect("docs/conformance.md can be written");
    }
    let kept = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        kept == made,
        "docs/conformance.md is not what this run found; INDELIBLE_WRITE_GOLDEN=1 makes it again"
    );
}

#[test]
fn the_example_of_the_documentation_is_one_of_the_scenarios() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page =
        fs::read_to_string(root.join("../docs/scenarios.md")).expect("docs/scenarios.md is there");
    let file = fs::read_to_string(root.join("scenarios/demo-1.scn")).expect("the example is there");
    assert!(
        page.contains(&format!("```\n{file}```\n")),
        "docs/scenarios.md does not show tests/scenarios/demo-1.scn as it is"
    );
}

/// Runs a text as if it lay in `tests/scenarios/`, and draws its differences.
fn drawn(text: &str) -> String {
    let scenario = scenario::parse(text).expect("the text of the test is well formed");
    match scenario::run::run(&scenario, &folder()) {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Unreadable(why) => why,
        Verdict::Differs(differences) => {
            let draw = |d: &Difference| format!("{}: {}\n{}", d.line, d.step, d.drawn);
            differences.iter().map(draw).collect::<Vec<_>>().join("\n")
        }
    }
}

const MONTHLY: &str = "scenario T a test
catalog catalogs/plain.toml
on 2024-01-01
account alice billing-day 1
subscribe s1 alice monthly
bill
";

#[test]
fn a_wrong_figure_is_drawn_beside_the_right_one_with_its_arithmetic() {
    let drawn = drawn(&format!(
        "{MONTHLY}expect invoice alice total 100.00\n line [2024-01-01, 2024-02-01) 99.00\n line 2024-01-01 1.00"
    ));
    let table = "7: expect invoice alice total 100.00
                         │ expected │  actual
─────────────────────────┼──────────┼──────────
total                    │   100.00 │  100.00
[2024-01-01, 2024-02-01) │    99.00 │  100.00 ≠
                         └ 31 of 31 days";
    assert!(drawn.starts_with(table), "{drawn}");
    assert!(
        drawn.ends_with("2024-01-01               │     1.00 │ no line ≠\n"),
        "{drawn}"
    );
}

#[test]
fn every_wrong_expectation_is_reported_but_a_refused_step_ends_the_run() {
    let both = drawn(&format!(
        "{MONTHLY}expect balance alice 1.00\nexpect subscription s1 paused"
    ));
    assert!(
        both.contains("7: expect balance") && both.contains("8: expect subscription"),
        "{both}"
    );
    let refused = drawn(&format!(
        "{MONTHLY}void alice invoice 2\nexpect balance alice 1.00"
    ));
    assert_eq!(
        refused,
        "7: void alice invoice 2\nrefused with NOT_FOUND: account alice has 1 documents, not 2"
    );
}

#[test]
fn a_refusal_that_is_expected_must_come_with_its_code() {
    let ask = |code: &str, step: &str| drawn(&format!("{MONTHLY}refused {code}: {step}"));
    assert_eq!(ask("OFFER_UNKNOWN", "subscribe s2 alice nothing"), "passed");
    assert!(ask("OFFER_GONE", "subscribe s2 alice nothing").contains("it was OFFER_UNKNOWN"));
    assert!(ask("OFFER_UNKNOWN", "subscribe s2 alice annual").contains("but it was accepted"));
}

#[test]
fn the_clock_never_goes_back() {
    let back = drawn(&format!("{MONTHLY}on 2023-12-31"));
    assert!(
        back.contains("the clock is at 2024-01-01T00:00 and only moves forward"),
        "{back}"
    );
}

#[test]
fn a_price_list_that_cannot_be_read_is_named_with_its_line() {
    let missing = drawn("scenario T a test\ncatalog catalogs/none.toml");
    assert!(
        missing.starts_with("line 2: the price list cannot be used: catalogs/none.toml:"),
        "{missing}"
    );
    let wrong = drawn("scenario T a test\ncatalog:\n[[offer]]\ncode = 1\nend");
    assert!(
        wrong.starts_with("line 2: the price list cannot be used: TOML parse error at line 2"),
        "{wrong}"
    );
}
