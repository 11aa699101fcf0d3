//! Personal data is readable as long as its key is there, and no longer.

use std::fs;
use std::path::Path;

use indelible_store::{Keyring, KeyringError, SledStore};

#[test]
fn what_was_sealed_is_unsealed_also_by_a_later_start() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    let name = keyring.seal("t1", "acc-1", b"Ada Lovelace").unwrap();
    let phone = keyring.seal("t1", "acc-1", b"+44 20 7946 0000").unwrap();
    assert_eq!(name.key_id, phone.key_id);
    assert_ne!(name.nonce, phone.nonce);
    assert!(!contains(&name.ciphertext, b"Ada"));
    for keyring in [keyring, Keyring::open(dir.path()).unwrap()] {
        assert_eq!(keyring.unseal(&name).unwrap().unwrap(), b"Ada Lovelace");
        let again = keyring.seal("t1", "acc-1", b"").unwrap();
        assert_eq!(again.key_id, name.key_id);
        assert_eq!(keyring.unseal(&again).unwrap().unwrap(), b"");
    }
}

#[test]
fn each_tenant_and_subject_has_a_key_of_its_own() {
    let keyring = Keyring::in_memory(1);
    let mut ids: Vec<String> = [("t1", "a"), ("t1", "b"), ("t2", "a")]
        .map(|(tenant, subject)| keyring.seal(tenant, subject, b"x").unwrap().key_id)
        .to_vec();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_destroyed_key_stays_destroyed_and_its_neighbours_stay() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    let gone = keyring.seal("t1", "gone", b"secret").unwrap();
    let stays = keyring.seal("t1", "stays", b"kept").unwrap();
    assert!(keyring.destroy("t1", "gone").unwrap());
    assert!(!keyring.destroy("t1", "gone").unwrap());
    assert!(!keyring.destroy("t1", "nobody").unwrap());
    let file = fs::read(dir.path().join("keys")).unwrap();
    assert!(!contains(&file, b"gone"), "its subject is forgotten too");
    let later = keyring.seal("t1", "later", b"new").unwrap();
    let back = keyring.seal("t1", "gone", b"came back").unwrap();
    assert_ne!(back.key_id, gone.key_id);
    for keyring in [keyring, Keyring::open(dir.path()).unwrap()] {
        assert_eq!(keyring.unseal(&gone).unwrap(), None);
        assert_eq!(keyring.unseal(&stays).unwrap().unwrap(), b"kept");
        assert_eq!(keyring.unseal(&later).unwrap().unwrap(), b"new");
        assert_eq!(keyring.unseal(&back).unwrap().unwrap(), b"came back");
    }
}

#[test]
fn a_key_that_was_never_there_is_not_taken_for_a_destroyed_one() {
    let sealed = Keyring::in_memory(1).seal("t1", "a", b"x").unwrap();
    let error = Keyring::in_memory(2).unseal(&sealed).unwrap_err();
    assert_eq!(error.code(), "KEY_UNKNOWN");
}

#[test]
fn a_changed_byte_is_noticed() {
    let keyring = Keyring::in_memory(1);
    let sealed = keyring.seal("t1", "a", b"Ada").unwrap();
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
    let seal = |seed| Keyring::in_memory(seed).seal("t1", "a", b"x").unwrap();
    assert_eq!(seal(7), seal(7));
    assert_ne!(seal(7).ciphertext, seal(8).ciphertext);
}

#[test]
fn keys_without_their_master_key_are_an_error_and_not_a_new_start() {
    let dir = tempfile::tempdir().unwrap();
    Keyring::open(dir.path())
        .unwrap()
        .seal("t1", "a", b"x")
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
    let first = keyring.seal("t1", "a", b"first").unwrap();
    let path = dir.path().join("keys");
    let one = fs::read(&path).unwrap();
    let second = keyring.seal("t1", "b", b"second").unwrap();
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
        let next = keyring.seal("t1", "b", b"next").unwrap();
        let keyring = Keyring::open(dir.path()).unwrap();
        assert_eq!(keyring.unseal(&next).unwrap().unwrap(), b"next");
    }
}

#[test]
fn a_damaged_record_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(dir.path()).unwrap();
    keyring.seal("t1", "a", b"x").unwrap();
    keyring.seal("t1", "b", b"x").unwrap();
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
    keyring.seal("t1", "a", b"x").unwrap();
    keyring.destroy("t1", "a").unwrap();
    for name in ["keys", "master.key"] {
        let mode = fs::metadata(dir.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn the_keyring_lives_beside_the_log() {
    let dir = tempfile::tempdir().unwrap();
    drop(SledStore::open(dir.path()).unwrap());
    drop(Keyring::open(dir.path()).unwrap());
    drop(SledStore::open(dir.path()).unwrap());
}

fn refusal(dir: &Path) -> KeyringError {
    Keyring::open(dir).unwrap_err()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
