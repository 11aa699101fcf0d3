//! Personal data is readable as long as its key is there, and no longer.

use std::fs;
use std::path::Path;

use indelible_domain::kernel::Purpose::{self, Contact, LegalDocument, UsageRaw};
use indelible_store::{Keyring, KeyringError, Sealed, SledStore};

#[test]
fn what_was_sealed_is_unsealed_also_by_a_later_start() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    let name = keyring
        .seal("t1", "acc-1", Contact, b"Ada Lovelace")
        .unwrap();
    let phone = keyring
        .seal("t1", "acc-1", Contact, b"+44 20 7946 0000")
        .unwrap();
    assert_eq!(name.key_id, phone.key_id);
    assert_ne!(name.nonce, phone.nonce);
    assert!(!contains(&name.ciphertext, b"Ada"));
    for keyring in [keyring, Keyring::open(dir.path()).unwrap()] {
        assert_eq!(keyring.unseal(&name).unwrap().unwrap(), b"Ada Lovelace");
        let again = keyring.seal("t1", "acc-1", Contact, b"").unwrap();
        assert_eq!(again.key_id, name.key_id);
        assert_eq!(keyring.unseal(&again).unwrap().unwrap(), b"");
    }
}

#[test]
fn each_tenant_subject_and_purpose_has_a_key_of_its_own() {
    let keyring = Keyring::in_memory(1);
    let mut ids: Vec<String> = [
        ("t1", "a", Contact),
        ("t1", "a", LegalDocument),
        ("t1", "a", UsageRaw),
        ("t1", "b", Contact),
        ("t2", "a", Contact),
    ]
    .map(|(tenant, subject, purpose)| keyring.seal(tenant, subject, purpose, b"x").unwrap().key_id)
    .to_vec();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[test]
fn a_destroyed_key_stays_destroyed_and_its_neighbours_stay() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    let gone = keyring.seal("t1", "gone", Contact, b"secret").unwrap();
    let stays = keyring.seal("t1", "stays", Contact, b"kept").unwrap();
    let legal = keyring
        .seal("t1", "gone", LegalDocument, b"on paper")
        .unwrap();
    assert_eq!(keyring.key_id("t1", "gone", Contact).unwrap(), gone.key_id);
    assert_eq!(keyring.destroy([gone.key_id.as_str()]).unwrap(), 1);
    assert_eq!(keyring.destroy([gone.key_id.as_str()]).unwrap(), 0);
    assert_eq!(keyring.destroy(["key_of_nobody"]).unwrap(), 0);
    assert_eq!(keyring.key_id("t1", "gone", Contact), None);
    assert_eq!(keyring.purpose(&gone.key_id), None);
    assert_eq!(keyring.purpose(&legal.key_id), Some(LegalDocument));
    assert_eq!(keyring.destroy([legal.key_id.as_str()]).unwrap(), 1);
    let file = fs::read(dir.path().join("keys")).unwrap();
    assert!(!contains(&file, b"gone"), "its subject is forgotten too");
    assert!(contains(&file, b"stays"));
    let later = keyring.seal("t1", "later", Contact, b"new").unwrap();
    let back = keyring.seal("t1", "gone", Contact, b"came back").unwrap();
    assert_ne!(back.key_id, gone.key_id);
    for keyring in [keyring, Keyring::open(dir.path()).unwrap()] {
        assert_eq!(keyring.unseal(&gone).unwrap(), None);
        assert_eq!(keyring.unseal(&legal).unwrap(), None);
        assert_eq!(keyring.unseal(&stays).unwrap().unwrap(), b"kept");
        assert_eq!(keyring.unseal(&later).unwrap().unwrap(), b"new");
        assert_eq!(keyring.unseal(&back).unwrap().unwrap(), b"came back");
    }
}

#[test]
fn a_key_that_was_never_there_is_not_taken_for_a_destroyed_one() {
    let sealed = Keyring::in_memory(1)
        .seal("t1", "a", Contact, b"x")
        .unwrap();
    let error = Keyring::in_memory(2).unseal(&sealed).unwrap_err();
    assert_eq!(error.code(), "KEY_UNKNOWN");
}

#[test]
fn a_changed_byte_is_noticed() {
    let keyring = Keyring::in_memory(1);
    let sealed = keyring.seal("t1", "a", Contact, b"Ada").unwrap();
    for at in 0..sealed.ciphertext.len() {
        let mut bad = sealed.clone();
        bad.ciphertext[at] ^= 1;
        assert_eq!(keyring.unseal(&bad).unwrap_err().code(), "KEY_TAMPERED");
    }
    let mut bad = sealed;
    bad.nonce[0] ^= 1;
    assert_eq!(keyring.unseal(&bad).unwrap_err().code(), "KEY_TAMPERED");
}

#[test]
fn a_look_up_hash_is_the_same_after_a_restart_and_differs_by_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let hash = |tenant, bytes: &[u8]| {
        Keyring::open(dir.path())
            .unwrap()
            .lookup_hash(tenant, bytes)
    };
    let ada = hash("t1", b"ada@example.org");
    assert_eq!(hash("t1", b"ada@example.org"), ada);
    assert_ne!(hash("t2", b"ada@example.org"), ada);
    assert_ne!(hash("t1", b"bob@example.org"), ada);
    assert_ne!(ada, *blake3::hash(b"ada@example.org").as_bytes());
}

#[test]
fn a_keyring_in_memory_repeats_itself_by_its_seed() {
    let seal = |seed| {
        Keyring::in_memory(seed)
            .seal("t1", "a", Contact, b"x")
            .unwrap()
    };
    assert_eq!(seal(7), seal(7));
    assert_ne!(seal(7).ciphertext, seal(8).ciphertext);
}

#[test]
fn keys_without_their_master_key_are_an_error_and_not_a_new_start() {
    let dir = tempfile::tempdir().unwrap();
    Keyring::open(dir.path())
        .unwrap()
        .seal("t1", "a", Contact, b"x")
        .unwrap();
    let master = dir.path().join("master.key");
    let text = fs::read_to_string(&master).unwrap();
    fs::remove_file(&master).unwrap();
    assert_eq!(refusal(dir.path()).code(), "KEY_MASTER_MISSING");
    fs::write(&master, text.replace(|c: char| c.is_ascii_digit(), "a")).unwrap();
    assert_eq!(refusal(dir.path()).code(), "KEY_WRONG_MASTER");
    fs::write(&master, "short").unwrap();
    assert_eq!(refusal(dir.path()).code(), "KEY_FILE_CORRUPT");
    fs::write(&master, text).unwrap();
    Keyring::open(dir.path()).unwrap();
}

#[test]
fn a_last_record_cut_by_a_crash_is_left_out_and_kept_aside() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    let first = keyring.seal("t1", "a", Contact, b"first").unwrap();
    let path = dir.path().join("keys");
    let one = fs::read(&path).unwrap();
    let second = keyring.seal("t1", "b", Contact, b"second").unwrap();
    drop(keyring);
    let two = fs::read(&path).unwrap();
    let mut zeros = one.clone();
    zeros.extend([0; 100]);
    let cuts: Vec<Vec<u8>> = (one.len() + 1..two.len())
        .map(|length| two[..length].to_vec())
        .chain([zeros])
        .collect();
    for cut in cuts {
        fs::write(&path, &cut).unwrap();
        let keyring = Keyring::open(dir.path()).unwrap();
        assert_eq!(keyring.unseal(&first).unwrap().unwrap(), b"first");
        assert_eq!(keyring.unseal(&second).unwrap_err().code(), "KEY_UNKNOWN");
        assert_eq!(fs::read(&path).unwrap(), one);
        assert_eq!(fs::read(dir.path().join("keys.torn")).unwrap(), cut);
        let next = keyring.seal("t1", "b", Contact, b"next").unwrap();
        let keyring = Keyring::open(dir.path()).unwrap();
        assert_eq!(keyring.unseal(&next).unwrap().unwrap(), b"next");
    }
}

#[test]
fn a_damaged_record_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    keyring.seal("t1", "a", Contact, b"x").unwrap();
    keyring.seal("t1", "b", Contact, b"x").unwrap();
    drop(keyring);
    let path = dir.path().join("keys");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(refusal(dir.path()).code(), "KEY_FILE_CORRUPT");
}

#[test]
#[cfg(unix)]
fn only_the_owner_may_read_the_keys() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    let sealed = keyring.seal("t1", "a", Contact, b"x").unwrap();
    assert_eq!(keyring.destroy([sealed.key_id.as_str()]).unwrap(), 1);
    for name in ["keys", "master.key"] {
        let mode = fs::metadata(dir.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn keys_that_were_made_ahead_are_on_disk_once_they_are_kept_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    let early = keyring.seal("t1", "early", UsageRaw, b"0").unwrap();
    assert!(keyring.is_kept(&early.key_id));
    let seal = |n: usize| {
        let sealed = keyring.seal_ahead("t1", &format!("line-{n}"), UsageRaw, b"x");
        sealed.unwrap()
    };
    // More than lie on a page of the file.
    let ahead: Vec<Sealed> = (0..100).map(seal).collect();
    assert!(ahead.iter().all(|sealed| !keyring.is_kept(&sealed.key_id)));
    assert_eq!(seal(7).key_id, ahead[7].key_id);
    let before = Keyring::open(dir.path()).unwrap();
    assert!(before.unseal(&early).is_ok());
    let unknown = before.unseal(&ahead[0]).unwrap_err();
    assert_eq!(unknown.code(), "KEY_UNKNOWN");
    keyring.keep().unwrap();
    assert!(ahead.iter().all(|sealed| keyring.is_kept(&sealed.key_id)));
    let after = Keyring::open(dir.path()).unwrap();
    for sealed in &ahead {
        assert_eq!(after.unseal(sealed).unwrap().unwrap(), b"x");
    }
    // Who seals for one of them waits for the disk where that is still to be done.
    let later = seal(100);
    let same = keyring.seal("t1", "line-100", UsageRaw, b"y").unwrap();
    assert_eq!(same.key_id, later.key_id);
    assert!(keyring.is_kept(&later.key_id));
    // Keys that nobody waited for are among those that are written when one is destroyed.
    let last = seal(101);
    assert_eq!(keyring.destroy([early.key_id.as_str()]).unwrap(), 1);
    assert!(keyring.is_kept(&last.key_id) && keyring.keep().is_ok());
    let again = Keyring::open(dir.path()).unwrap();
    assert_eq!(again.unseal(&last).unwrap().unwrap(), b"x");
    assert_eq!(again.unseal(&early).unwrap(), None);
}

#[test]
fn the_keyring_lives_beside_the_log() {
    let dir = tempfile::tempdir().unwrap();
    drop(SledStore::open(dir.path()).unwrap());
    drop(Keyring::open(dir.path()).unwrap());
    drop(SledStore::open(dir.path()).unwrap());
}

/// A key file of version 1, with the keys of alice (tenants t1 and t2) and of a number, and the destroyed one of bob.
const KEYS_V1: &str = include_str!("golden/keys-v1.hex");
const MASTER_V1: &str = "21a57065f9b6714da7df52cdc3ad70621917f7ce9db1f190009a3b2f4c4fb9e3\n";

#[test]
fn a_key_file_of_version_1_is_read_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    fs::write(&path, bytes(KEYS_V1)).unwrap();
    fs::write(dir.path().join("master.key"), MASTER_V1).unwrap();
    let contact = sealed(
        "key_a008176feca6b15cfbfe1dbbb2754f19",
        "ff024ef8793005a529bfaacd0be7217110b735fedad20c99",
        "5de1faf3bfa61d7e4df1865d03906fd91a8d20514bce4814d8b9f689",
    );
    let raw = sealed(
        "key_7fd08a4a8126468eacfb1809946ba012",
        "1936b6ccf568892c3e0ceb15afc8e4340dbab842bb63adc9",
        "3b11c267b0eedc0b3b5902ab2708922d7565fd196f172192aa17ce66b8f1763dd09b",
    );
    let gone = sealed(
        "key_4505f7c6763a446f0ab18a83a537b568",
        "7b90f4bbd32b2248bde83c42b407946f2d8597961f9387cc",
        "eb8eaa80425566161d77783d12b359d21726f1",
    );
    let later = sealed(
        "key_454c6f4ec46ae5cded3357a941543192",
        "cbf26c1735aa481c3d998aa879e902196d4bf411560bd2be",
        "fb570522bc3a2bd2aab00978675cbadbe500541f3407a3d91f00f8",
    );
    // The first start writes it anew, the second one reads that.
    for version in [1, 2] {
        assert_eq!(fs::read(&path).unwrap()[4], version);
        let keyring = Keyring::open(dir.path()).unwrap();
        let read = |sealed: &Sealed| keyring.unseal(sealed).unwrap();
        assert_eq!(read(&contact).unwrap(), b"Ada Lovelace");
        assert_eq!(read(&raw).unwrap(), b"r1;491700000001;60");
        assert_eq!(read(&gone), None);
        assert_eq!(read(&later).unwrap(), b"Alice of t2");
        let owned = |tenant, subject, purpose: Purpose| keyring.key_id(tenant, subject, purpose);
        assert_eq!(owned("t1", "alice", Contact), Some(contact.key_id.clone()));
        assert_eq!(owned("t1", "4f2a", UsageRaw), Some(raw.key_id.clone()));
        assert_eq!(owned("t1", "bob", Contact), None);
        assert_eq!(owned("t2", "alice", Contact), Some(later.key_id.clone()));
        assert_eq!(
            keyring.lookup_hash("t1", b"+49 170 1").as_slice(),
            bytes("c9a752ee905ee5a883f85455a149a1aeed2e5cf7befc5a34b0c3ae7f0d33548b")
        );
    }
}

#[test]
fn a_version_1_file_with_another_master_key_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    fs::write(&path, bytes(KEYS_V1)).unwrap();
    let other = MASTER_V1.replace('2', "3");
    fs::write(dir.path().join("master.key"), other).unwrap();
    assert_eq!(refusal(dir.path()).code(), "KEY_WRONG_MASTER");
    assert_eq!(fs::read(&path).unwrap(), bytes(KEYS_V1));
}

#[test]
fn a_record_swapped_to_another_owner_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    keyring.seal("t1", "victim", Contact, b"x").unwrap();
    drop(keyring);
    let path = dir.path().join("keys");
    let mut file = fs::read(&path).unwrap();
    let at = file.windows(6).position(|w| w == b"victim").unwrap();
    file[at..at + 6].copy_from_slice(b"thieve");
    let body = file.split_off(14);
    file.truncate(10);
    file.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    file.extend_from_slice(&body);
    fs::write(&path, file).unwrap();
    assert_eq!(refusal(dir.path()).code(), "KEY_WRONG_MASTER");
}

#[test]
fn nothing_kept_aside_after_a_crash_holds_a_destroyed_key() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    let gone = keyring.seal("t1", "a", Contact, b"x").unwrap();
    drop(keyring);
    let path = dir.path().join("keys");
    let mut torn = fs::read(&path).unwrap();
    torn.extend([9, 0]);
    fs::write(&path, torn).unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    assert!(dir.path().join("keys.torn").exists());
    assert_eq!(keyring.destroy([gone.key_id.as_str()]).unwrap(), 1);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let holds = path.file_name().is_some_and(|n| n != "master.key");
        let kept = fs::read(&path).unwrap();
        assert!(!holds || kept.len() < 80, "{} holds a key", path.display());
    }
}

fn sealed(key_id: &str, nonce: &str, ciphertext: &str) -> Sealed {
    Sealed {
        key_id: key_id.into(),
        nonce: bytes(nonce).try_into().unwrap(),
        ciphertext: bytes(ciphertext),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn refusal(dir: &Path) -> KeyringError {
    Keyring::open(dir).unwrap_err()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
