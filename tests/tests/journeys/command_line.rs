//! What an operator does by hand on a directory that nobody serves.

use serde_json::Value;

use crate::proofs::{done, furnish, refused};

const CALLS: &str = "key,metric,access,at,quantity\nc1,voice,+49 170 1,2026-03-02T10:00:00Z,600\n";

#[test]
fn a_customer_is_forgotten_by_hand_and_the_books_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    furnish(&here.join("data"));
    std::fs::write(here.join("calls.csv"), CALLS).expect("written");
    let data = ["--data", "data"];
    let with_data = |arguments: &[&str]| done(here, &[arguments, &data].concat());
    with_data(&["ingest", "calls.csv", "--format", "records"]);
    with_data(&["bill", "--as-of", "2026-04-01"]);

    let head = |verified: &str| -> Value {
        let verified: Value = serde_json::from_str(verified).expect("JSON");
        verified["head"].clone()
    };
    let before = head(&with_data(&["verify", "--snapshots", "--json"]));
    let forget = |more: &[&str]| -> Value {
        let asked = [&["forget", "alice", "--json"], more].concat();
        serde_json::from_str(&with_data(&asked)).expect("JSON")
    };
    assert_eq!(forget(&["--dry-run"])["keys_destroyed"], 0);
    assert_eq!(
        head(&with_data(&["verify", "--json"])),
        before,
        "a dry run writes nothing"
    );
    assert_eq!(forget(&[])["keys_destroyed"], 1, "that of the raw lines");
    let after = head(&with_data(&["verify", "--snapshots", "--json"]));
    assert_ne!(after, before, "that it was asked is a fact");
    assert_eq!(forget(&[])["keys_destroyed"], 0, "there is none left");

    let nobody = [&["forget", "nobody"][..], &data].concat();
    assert!(refused(here, &nobody).contains("nobody"));
}
