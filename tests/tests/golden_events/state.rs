//! The stored state of a sample world: a snapshot of before must never be taken for a state of now.
//!
//! `golden/state/v<STATE_VERSION>.txt` holds the hash of its bytes. `INDELIBLE_WRITE_GOLDEN=1` writes it if it is missing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use indelible_domain::World;
use indelible_domain::world::STATE_VERSION;
use indelible_tests::samples;

use super::WRITE;

/// Every sample event, in as many aggregates as its kind has samples: one that has seen the first event, one that has
/// seen two, and so on, so that no later event hides what an earlier one has left.
fn world() -> World {
    let mut world = World::default();
    let mut of_kind: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for event in samples::all() {
        of_kind.entry(event.kind()).or_default().push(event);
    }
    for (kind, events) in &of_kind {
        for seen in 1..=events.len() {
            // The first of them has the id that the other samples name.
            let id = match (seen, *kind) {
                (1, "account" | "receivable" | "dunning") => "alice".to_string(),
                (1, "subscription") => "alice-mobile".to_string(),
                _ => format!("{kind}-{seen}"),
            };
            for (version, event) in (1..).zip(&events[..seen]) {
                world.fold("t", &id, version, event);
            }
        }
    }
    world
}

#[test]
fn the_stored_state_changes_only_with_its_version() {
    let bytes = bincode::serialize(&world()).expect("it can be stored");
    let found = format!("{}\n", blake3::hash(&bytes).to_hex());
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden/state")
        .join(format!("v{STATE_VERSION}.txt"));
    if !path.exists() && std::env::var_os(WRITE).is_some() {
        fs::write(&path, &found).expect("the golden folder is writable");
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == known,
        "the sample world is stored in another form than golden/state/v{STATE_VERSION}.txt says, so a snapshot of before \
         would be taken for a state of now: raise STATE_VERSION in domain/src/world.rs and write the new golden with \
         {WRITE}=1. If the version never left your machine, delete its golden and write it again; if only samples were \
         added, too"
    );
}

#[test]
fn the_sample_world_is_read_back_as_it_was() {
    let world = world();
    let bytes = bincode::serialize(&world).expect("it can be stored");
    let back: World = bincode::deserialize(&bytes).expect("it can be read");
    assert!(back == world);
    let tables = &world.tenant("t").tables;
    assert!(
        tables.len() >= samples::all().len(),
        "a kind has no aggregate"
    );
}
