//! Letters in a folder.

use indelible_channels::letters::Letters;
use indelible_channels::{Carrier, Undelivered};

use crate::parcel;

#[test]
fn a_letter_is_a_file_that_can_be_printed_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let letters = Letters::into(&folder.path().join("letters"));
    let name = letters.carry(&parcel()).expect("it is written");
    assert_eq!(name, format!("2026-03-15-{}.txt", parcel().identity()));
    let text = std::fs::read_to_string(folder.path().join("letters").join(&name));
    assert_eq!(
        text.expect("it is there"),
        "Acme GmbH\n\nZoë Müller\nUferweg 3\n20095 Hamburg\n\n15.03.2026\n\n\
         Zahlungserinnerung – 84,50 € überfällig\n\n\
         Guten Tag Zoë Müller,\n.\n..zwei Punkte\nFreundliche Grüße\n"
    );
}

#[test]
fn a_letter_written_twice_is_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let letters = Letters::into(folder.path());
    let first = letters.carry(&parcel()).expect("it is written");
    let second = letters.carry(&parcel()).expect("it is written");
    assert_eq!(first, second);
    let files = std::fs::read_dir(folder.path()).expect("the folder is there");
    assert_eq!(files.count(), 1, "and nothing begun is left over");
}

#[test]
fn a_folder_that_cannot_be_written_is_a_failure_for_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "").expect("a file");
    let failed = Letters::into(&taken).carry(&parcel());
    assert!(
        matches!(&failed, Err(Undelivered { kind, .. }) if format!("{kind:?}") == "Soft"),
        "{failed:?}"
    );
}
