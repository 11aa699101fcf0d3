//! Whatever can be done over GraphQL is done by a journey.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names of the fields of the root of mutations, from the schema definition.
fn mutations() -> BTreeSet<String> {
    let sdl = indelible_api::graphql::sdl();
    let (_, rest) = sdl.split_once("\ntype Mutation {\n").expect("the root");
    let (body, _) = rest.split_once("\n}").expect("its end");
    let field = |line: &str| {
        // Descriptions and arguments are indented further or do not open with a name.
        let name = line.strip_prefix('\t')?.split(['(', ':']).next()?;
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
        (plain && line.contains('(')).then(|| name.to_owned())
    };
    body.lines().filter_map(field).collect()
}

/// Whether the text calls it: the name stands alone, with arguments.
fn asks_for(text: &str, mutation: &str) -> bool {
    text.match_indices(&format!("{mutation}(")).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn every_mutation_is_asked_for_by_a_journey() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journeys");
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("the journeys") {
        let path = entry.expect("an entry").path();
        text += &fs::read_to_string(path).expect("a file of text");
    }
    let mutations = mutations();
    assert!(
        mutations.contains("recordPayment") && mutations.len() > 80,
        "the schema was not read right: {mutations:?}"
    );
    let missing: Vec<_> = mutations.iter().filter(|m| !asks_for(&text, m)).collect();
    assert!(missing.is_empty(), "no journey asks for {missing:?}");
}
