//! The stored bytes of every event type are frozen: a log written today is read for as long as there are ledgers.
//!
//! `golden/events/<type>.v<n>.bin` is what lies in the log, `.json` the same fact for a reviewer's eyes.
//! `INDELIBLE_WRITE_GOLDEN=1` writes what is missing and the JSON anew; it never touches bytes that are there
//! (docs/recipes/add-an-event.md, docs/recipes/change-an-event.md).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use indelible_domain::Event;
use indelible_tests::samples;

#[path = "golden_events/state.rs"]
mod state;

const WRITE: &str = "INDELIBLE_WRITE_GOLDEN";

#[test]
fn every_event_type_has_a_sample_and_its_golden_bytes() {
    write_missing();
    let samples = samples();
    let types = Event::types();
    let without: Vec<_> = types.iter().filter(|t| !samples.contains_key(t)).collect();
    assert!(
        without.is_empty(),
        "these event types have no sample in tests/src/samples: {without:?}"
    );
    let missing: Vec<_> = samples
        .keys()
        .filter(|(name, schema)| !file(name, *schema).exists())
        .collect();
    assert!(
        missing.is_empty(),
        "no golden bytes for {missing:?}; write them with {WRITE}=1 and commit them"
    );
    for ((name, schema), event) in &samples {
        let golden = fs::read(file(name, *schema)).expect("the golden is readable");
        assert!(
            event.encode().expect("a sample can be stored") == golden,
            "{name} version {schema} is no longer written as it was. A log may hold the old form: give the event a \
             new version (docs/recipes/change-an-event.md). If it never left your machine, delete the golden and \
             write it again with {WRITE}=1"
        );
    }
}

#[test]
fn every_golden_ever_written_is_read_as_the_fact_it_was() {
    write_missing();
    let current: BTreeMap<_, _> = Event::types().into_iter().collect();
    for (path, name, schema) in goldens() {
        let bytes = fs::read(&path).expect("the golden is readable");
        let event = Event::decode(&name, schema, &bytes)
            .unwrap_or_else(|e| panic!("{} cannot be read: {e}", path.display()));
        if current.get(name.as_str()) == Some(&schema) {
            assert!(
                event.encode().expect("it can be stored") == bytes,
                "{} changes when it is read and written",
                path.display()
            );
        }
        let read = serde_json::to_string_pretty(&event).expect("an event has a JSON form") + "\n";
        let beside = path.with_extension("json");
        if std::env::var_os(WRITE).is_some() {
            fs::write(&beside, &read).expect("the golden folder is writable");
        }
        let known = fs::read_to_string(&beside).unwrap_or_default();
        assert!(
            read == known,
            "{} is read as another fact than {} says; if that is meant, write it with {WRITE}=1.\nread:\n{read}",
            path.display(),
            beside.display()
        );
    }
}

#[test]
fn an_event_is_the_same_after_its_trip_through_json() {
    for event in samples::all() {
        let json = serde_json::to_string(&event).expect("an event has a JSON form");
        let back: Event = serde_json::from_str(&json)
            .unwrap_or_else(|e| panic!("{:?} from {json}: {e}", event.event_type()));
        assert_eq!(event, back);
    }
}

#[test]
fn damaged_bytes_are_refused_and_never_panic() {
    for event in samples::all() {
        let (name, schema) = event.event_type();
        let bytes = event.encode().expect("a sample can be stored");
        for cut in 0..bytes.len() {
            assert!(
                Event::decode(name, schema, &bytes[..cut]).is_err(),
                "{name} read from {cut} of {} bytes",
                bytes.len()
            );
        }
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 0xFF;
            // Some bent bytes are another valid fact; that is the block's hash to notice. Here: no panic.
            let _ = Event::decode(name, schema, &bent);
        }
        let mut long = bytes;
        long.push(0);
        assert!(
            Event::decode(name, schema, &long).is_err(),
            "{name} read with a byte too many"
        );
    }
}

fn samples() -> BTreeMap<(&'static str, u16), Event> {
    samples::all()
        .into_iter()
        .map(|event| (event.event_type(), event))
        .collect()
}

/// Writes the bytes of every sample that has none yet, if asked to; once, whichever test comes first.
fn write_missing() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        if std::env::var_os(WRITE).is_none() {
            return;
        }
        for ((name, schema), event) in samples() {
            let path = file(name, schema);
            if !path.exists() {
                fs::write(&path, event.encode().expect("a sample can be stored"))
                    .expect("the golden folder is writable");
            }
        }
    });
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/events")
}

fn file(name: &str, schema: u16) -> PathBuf {
    folder().join(format!("{name}.v{schema}.bin"))
}

/// Every golden with its event type and schema version.
fn goldens() -> Vec<(PathBuf, String, u16)> {
    let mut found: Vec<_> = fs::read_dir(folder())
        .expect("the golden folder is there")
        .map(|entry| entry.expect("the golden folder is readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "bin"))
        .map(|path| {
            let stem = path
                .file_stem()
                .and_then(|s| s.to_str())
                .unwrap_or_default();
            let (name, schema) = stem.rsplit_once(".v").expect("<type>.v<n>.bin");
            let (name, schema) = (name.to_string(), schema.parse().expect("<type>.v<n>.bin"));
            (path, name, schema)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no golden was found");
    found
}
