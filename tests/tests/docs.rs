//! The documents name files, functions and rules; all of them are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use indelible_domain::catalog::{self, Catalog};
use indelible_domain::kernel::Decider;

/// Where a path in a document may begin.
const TOP: [&str; 7] = [
    "domain/",
    "store/",
    "projections/",
    "api/",
    "tests/",
    "docs/",
    "xtask/",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files under a folder whose names end so.
fn files(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            files(&path, end, found);
        } else if name.ends_with(end) {
            found.push(path);
        }
    }
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut found = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    files(&root().join("docs"), ".md", &mut found);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("the document is readable");
        (path, text)
    };
    found.into_iter().map(read).collect()
}

/// What stands between backquotes on a line, outside of blocks.
fn quoted(text: &str) -> Vec<&str> {
    let mut block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if !block {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for name in quoted(&text) {
            let (file, item) = name
                .split_once(": ")
                .map_or((name, None), |(f, i)| (f, Some(i)));
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            if !TOP.iter().any(|top| file.starts_with(top)) || !file.chars().all(plain) {
                continue;
            }
            match fs::read_to_string(root().join(file)) {
                Err(_) if !root().join(file).exists() => {
                    wrong.push(format!("{}: no file {file}", path.display()));
                }
                Ok(source) => wrong.extend(
                    item.filter(|item| !source.contains(&format!("fn {item}")))
                        .map(|item| format!("{}: no function {item} in {file}", path.display())),
                ),
                Err(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|t| !t.starts_with("http") && !t.starts_with('#')) {
            let file = target.split('#').next().unwrap_or(target);
            if !path
                .parent()
                .is_some_and(|folder| folder.join(file).exists())
            {
                wrong.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_document_and_policy_that_the_source_cites_is_there() {
    let policy = fs::read_to_string(root().join("docs/policy.md")).expect("the policy is readable");
    let rules: BTreeSet<String> = policy
        .lines()
        .filter_map(|line| line.split_once(". ").map(|(n, _)| n.to_string()))
        .filter(|n| n.chars().all(|c| c.is_ascii_digit()))
        .collect();
    let mut sources = Vec::new();
    for folder in ["domain", "store", "projections", "api", "tests", "xtask"] {
        files(&root().join(folder), ".rs", &mut sources);
    }
    let mut wrong = Vec::new();
    for path in sources {
        let text = fs::read_to_string(&path).expect("the source is readable");
        for rest in text.split("(policy ").skip(1) {
            let cited = rest.split([')', ':']).next().unwrap_or_default();
            let numbers = cited
                .split(", ")
                .map(str::trim)
                .filter(|n| n.parse::<u8>().is_ok());
            for n in numbers.filter(|n| !rules.contains(*n)) {
                wrong.push(format!("{}: policy {n}", path.display()));
            }
        }
        for rest in text.split("docs/").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c));
            let file = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
            if file.ends_with(".md") && !root().join("docs").join(file).exists() {
                wrong.push(format!("{}: docs/{file}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_catalog_in_the_documents_is_one_that_can_be_applied() {
    let text = fs::read_to_string(root().join("docs/catalog.md")).expect("it is readable");
    let block = text
        .split("```toml\n")
        .nth(1)
        .and_then(|t| t.split("```").next());
    let sample = block.expect("it shows a catalog");
    let priced = |price: &str| {
        format!(
            "[[offer]]\ncode = \"x\"\nname = \"X\"\ncurrency = \"EUR\"\n[[offer.usage]]\ncode = \"u\"\nname = \"U\"\n\
             metric = \"m\"\nunit = \"u\"\nevery = \"1 month\"\nprice = {price}\n"
        )
    };
    let models = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("`{ "));
    let mut catalogs: Vec<String> = models
        .filter_map(|line| line.split('`').nth(1).map(priced))
        .collect();
    assert_eq!(catalogs.len(), 8, "one row for each price model");
    catalogs.push(sample.to_string());
    for text in catalogs {
        let offers = catalog::parse(&text).unwrap_or_else(|no| panic!("{no} in\n{text}"));
        let applied = Catalog::decide(
            &Catalog::default(),
            catalog::Command::Apply {
                file: offers.into(),
                found: vec![],
            },
        );
        applied.unwrap_or_else(|no| panic!("{no} in\n{text}"));
    }
}

#[test]
fn one_file_of_the_source_knows_the_storage_engine() {
    let mut sources = vec![];
    for folder in ["domain", "store", "projections", "api", "tests", "xtask"] {
        files(&root().join(folder), ".rs", &mut sources);
    }
    // Put together here, so that this file does not hold it.
    let path = ["sled", "::"].concat();
    let knowing: Vec<String> = sources
        .into_iter()
        .filter(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(&path)))
        .map(|file| {
            file.strip_prefix(root())
                .map_or_else(|_| String::new(), |f| f.display().to_string())
        })
        .collect();
    assert_eq!(knowing, ["store/src/engine.rs"]);
}
