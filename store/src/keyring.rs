//! The keys of personal data: one per tenant, subject and purpose, kept outside the log and outside its backups.
//!
//! The log never forgets, a person may ask to be forgotten: names, addresses and numbers stand in the log as ciphertext
//! only, and destroying a key makes every copy of what it sealed unreadable while the chain of hashes stays whole.
//!
//! - `<data>/master.key` wraps the keys in `<data>/keys`; both are readable by their owner only.
//! - A key is on disk before anything that is sealed with it is kept.
//! - A key that was destroyed is remembered as destroyed: a lost key file is an error, not an erasure.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use indelible_domain::kernel::Purpose;
use serde::{Deserialize, Serialize};

use crate::data_dir::write_whole;
use crate::key_file::{KeyFile, Owner, Record, Wrapped, frame};

const MASTER: &str = "master.key";
const KEYS: &str = "keys";
/// Purpose strings of derived keys; changing one makes what was derived with it unfindable.
const LOOKUP: &str = "indelible 2026-11 keyed look-up of personal data";
const SEEDED: &str = "indelible 2026-11 keyring in memory";

/// Personal data as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sealed {
    pub key_id: String,
    pub nonce: [u8; 24],
    #[serde(with = "serde_bytes")]
    pub ciphertext: Vec<u8>,
}

/// Why the keyring could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// Neither live nor destroyed: the key file is not the one this was sealed with.
    #[error("key {key_id} is not in this keyring")]
    UnknownKey { key_id: String },
    /// The ciphertext is not what was sealed.
    #[error("ciphertext of key {key_id} was changed")]
    Tampered { key_id: String },
    /// The master key does not open the keys.
    #[error("{file} does not open key {key_id}")]
    WrongMaster { file: String, key_id: String },
    /// Keys without the master key: a new one would make them unreadable for ever.
    #[error("{keys} exists, {master} is missing")]
    MasterMissing { keys: String, master: String },
    /// The key file is damaged.
    #[error("{file} is damaged at byte {at}: {what}")]
    Corrupt { file: String, at: u64, what: String },
    /// The operating system refused.
    #[error("{doing} failed")]
    Io {
        doing: String,
        #[source]
        source: Arc<io::Error>,
    },
}

impl KeyringError {
    /// The stable name of this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            KeyringError::UnknownKey { .. } => "KEY_UNKNOWN",
            KeyringError::Tampered { .. } => "KEY_TAMPERED",
            KeyringError::WrongMaster { .. } => "KEY_WRONG_MASTER",
            KeyringError::MasterMissing { .. } => "KEY_MASTER_MISSING",
            KeyringError::Corrupt { .. } => "KEY_FILE_CORRUPT",
            KeyringError::Io { .. } => "KEY_IO",
        }
    }

    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> KeyringError {
        KeyringError::Io {
            doing: doing.into(),
            source: Arc::new(source),
        }
    }
}

/// A tenant's keyed hash ([`Keyring::lookup_hash`]).
#[derive(Clone, Copy)]
pub struct Lookup([u8; 32]);

impl Lookup {
    /// The hash by which equal data is found.
    pub fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.0, bytes).as_bytes()
    }
}

impl fmt::Debug for Lookup {
    /// Says nothing about the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}

/// Seals and opens personal data, and hashes it for look-ups.
pub struct Keyring {
    master: [u8; 32],
    /// Where keys are kept; none in memory. Taken before the state, and held over a sync, which the state is not.
    file: Option<Mutex<KeyFile>>,
    state: Mutex<State>,
}

struct State {
    /// Id of the living key of each owner.
    owners: HashMap<Owner, String>,
    keys: HashMap<String, KeyState>,
    /// How many of the keys that were made since it was opened are on disk.
    kept: u64,
    /// The others as the file will have them, in the order in which they were made.
    unkept: Vec<Vec<u8>>,
    random: Random,
}

enum KeyState {
    Live {
        owner: Owner,
        key: [u8; 32],
        /// As which of the keys since the keyring was opened it was made; 0: before.
        made: u64,
    },
    Destroyed,
}

enum Random {
    System,
    /// Counts the values drawn so far.
    Counted(u64),
}

impl Keyring {
    /// Opens the keyring of a data directory, and creates `master.key` and `keys` if both are missing. Open the log
    /// first: it refuses a directory that is not its own, and its lock also guards these files.
    pub fn open(data: &Path) -> Result<Keyring, KeyringError> {
        let path = data.join(KEYS);
        let master = read_or_create_master(data, &path)?;
        let (file, loaded) = KeyFile::open(data, &path)?;
        let mut state = State {
            owners: HashMap::new(),
            keys: HashMap::new(),
            kept: 0,
            unkept: Vec::new(),
            random: Random::System,
        };
        for record in loaded.records {
            state.remember(&master, record, data, loaded.old)?;
        }
        let mut file = file;
        if loaded.old {
            file.replace(&state.records(&master)?)?;
        }
        Ok(Keyring {
            master,
            file: Some(Mutex::new(file)),
            state: Mutex::new(state),
        })
    }

    /// A keyring that is forgotten when it is dropped. The same seed and the same calls give the same bytes, so it is
    /// for tests and scenarios only.
    pub fn in_memory(seed: u64) -> Keyring {
        Keyring {
            master: blake3::derive_key(SEEDED, &seed.to_le_bytes()),
            file: None,
            state: Mutex::new(State {
                owners: HashMap::new(),
                keys: HashMap::new(),
                kept: 0,
                unkept: Vec::new(),
                random: Random::Counted(0),
            }),
        }
    }

    /// Encrypts with the subject's key for a purpose. The first call makes that key and syncs it to disk before it
    /// answers.
    pub fn seal(
        &self,
        tenant: &str,
        subject: &str,
        purpose: Purpose,
        plaintext: &[u8],
    ) -> Result<Sealed, KeyringError> {
        let sealed = self.seal_ahead(tenant, subject, purpose, plaintext)?;
        if !self.is_kept(&sealed.key_id) {
            self.keep()?;
        }
        Ok(sealed)
    }

    /// Encrypts likewise and does not wait for the disk: nothing that was sealed may be kept before [`keep`](Keyring::keep) has
    /// answered, so that many keys share a sync.
    pub fn seal_ahead(
        &self,
        tenant: &str,
        subject: &str,
        purpose: Purpose,
        plaintext: &[u8],
    ) -> Result<Sealed, KeyringError> {
        let owner = owner(tenant, subject, purpose);
        let (key_id, key, nonce) = {
            let mut state = self.lock();
            let (key_id, key) = match state.live(&owner) {
                Some(live) => live,
                None => state.create(&self.master, owner, self.file.is_some())?,
            };
            (key_id, key, state.random(&self.master)?)
        };
        let ciphertext = encrypt(&key, &nonce, plaintext, key_id.as_bytes());
        Ok(Sealed {
            key_id,
            nonce,
            ciphertext,
        })
    }

    /// Answers when every key that was made so far is on disk.
    ///
    /// Errors: KEY_IO. What was sealed with a key that is not kept ([`is_kept`](Keyring::is_kept)) is not to be kept either; no
    /// further key is until the keyring is opened again.
    pub fn keep(&self) -> Result<(), KeyringError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        // Also while another's keys are written, which may be those that matter here.
        if self.lock().unkept.is_empty() {
            return Ok(());
        }
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = self.lock().unkept.clone();
        let (done, written) = file.append(&frames);
        // What was made meanwhile comes after these.
        self.lock().keep(done);
        written
    }

    /// Whether a key is on disk, or is destroyed; false for one that is not known.
    pub fn is_kept(&self, key_id: &str) -> bool {
        let state = self.lock();
        match state.keys.get(key_id) {
            Some(KeyState::Live { made, .. }) => *made <= state.kept,
            Some(KeyState::Destroyed) => true,
            None => false,
        }
    }

    /// Decrypts. None if the key was destroyed.
    ///
    /// Errors: KEY_UNKNOWN, KEY_TAMPERED.
    pub fn unseal(&self, sealed: &Sealed) -> Result<Option<Vec<u8>>, KeyringError> {
        let key = match self.lock().keys.get(&sealed.key_id) {
            Some(KeyState::Live { key, .. }) => *key,
            Some(KeyState::Destroyed) => return Ok(None),
            None => {
                return Err(KeyringError::UnknownKey {
                    key_id: sealed.key_id.clone(),
                });
            }
        };
        let id = sealed.key_id.as_bytes();
        decrypt(&key, &sealed.nonce, &sealed.ciphertext, id)
            .map(Some)
            .ok_or_else(|| KeyringError::Tampered {
                key_id: sealed.key_id.clone(),
            })
    }

    /// Id of the subject's living key for a purpose; none if nothing was sealed, or the key was destroyed.
    pub fn key_id(&self, tenant: &str, subject: &str, purpose: Purpose) -> Option<String> {
        let state = self.lock();
        state.owners.get(&owner(tenant, subject, purpose)).cloned()
    }

    /// What a living key is for; none if it is not in this keyring or was destroyed.
    pub fn purpose(&self, key_id: &str) -> Option<Purpose> {
        match self.lock().keys.get(key_id)? {
            KeyState::Live { owner, .. } => Some(owner.purpose),
            KeyState::Destroyed => None,
        }
    }

    /// Destroys keys for good: what was sealed with them opens as None from now on. Answers how many were living. The
    /// key file is written anew without them and synced before this answers; what the disk or its backups keep of freed
    /// blocks is outside our reach.
    pub fn destroy<'a>(
        &self,
        key_ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<usize, KeyringError> {
        let mut file =
            (self.file.as_ref()).map(|file| file.lock().unwrap_or_else(PoisonError::into_inner));
        let mut state = self.lock();
        let living = |id: &&str| matches!(state.keys.get(*id), Some(KeyState::Live { .. }));
        let ids: BTreeSet<&str> = key_ids.into_iter().filter(living).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut before = Vec::with_capacity(ids.len());
        for id in &ids {
            let key = state.keys.insert((*id).to_string(), KeyState::Destroyed);
            before.extend(key.map(|key| ((*id).to_string(), key)));
        }
        let written = match file.as_mut() {
            Some(file) => {
                let records = state.records(&self.master);
                records.and_then(|records| file.replace(&records))
            }
            None => Ok(()),
        };
        if let Err(e) = written {
            state.keys.extend(before);
            return Err(e);
        }
        // The file has all living ones now.
        let all = state.unkept.len();
        state.keep(all);
        state.owners.retain(|_, id| !ids.contains(id.as_str()));
        Ok(ids.len())
    }

    /// A hash by which equal personal data of one tenant is found without reading it. Of no use to who has not the
    /// master key, and different for each tenant.
    pub fn lookup_hash(&self, tenant: &str, bytes: &[u8]) -> [u8; 32] {
        self.lookup(tenant).hash(bytes)
    }

    /// The same hash for many: its key is made once.
    pub fn lookup(&self, tenant: &str) -> Lookup {
        let mut material = self.master.to_vec();
        material.extend_from_slice(tenant.as_bytes());
        Lookup(blake3::derive_key(LOOKUP, &material))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one insert or is undone on error.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keyring {
    /// Says nothing about the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl State {
    fn live(&self, owner: &Owner) -> Option<(String, [u8; 32])> {
        let key_id = self.owners.get(owner)?;
        match self.keys.get(key_id)? {
            KeyState::Live { key, .. } => Some((key_id.clone(), *key)),
            KeyState::Destroyed => None,
        }
    }

    fn create(
        &mut self,
        master: &[u8; 32],
        owner: Owner,
        is_kept: bool,
    ) -> Result<(String, [u8; 32]), KeyringError> {
        let id: [u8; 16] = self.random(master)?;
        let key_id = format!("key_{:032x}", u128::from_be_bytes(id));
        let key: [u8; 32] = self.random(master)?;
        let nonce = self.random(master)?;
        let mut made = 0;
        if is_kept {
            (self.unkept).push(frame(&wrap(master, nonce, &key_id, &owner, &key))?);
            made = self.kept + self.unkept.len() as u64;
        }
        self.insert(key_id.clone(), owner, key, made);
        Ok((key_id, key))
    }

    fn insert(&mut self, key_id: String, owner: Owner, key: [u8; 32], made: u64) {
        self.owners.insert(owner.clone(), key_id.clone());
        (self.keys).insert(key_id, KeyState::Live { owner, key, made });
    }

    /// Notes that so many more keys are on disk.
    fn keep(&mut self, keys: usize) {
        self.unkept.drain(..keys.min(self.unkept.len()));
        self.kept += keys as u64;
    }

    /// `old`: a record of version 1.
    fn remember(
        &mut self,
        master: &[u8; 32],
        record: Record,
        data: &Path,
        old: bool,
    ) -> Result<(), KeyringError> {
        let Record { key_id, held } = record;
        let Some(wrapped) = held else {
            self.keys.insert(key_id, KeyState::Destroyed);
            return Ok(());
        };
        let aad = match old {
            true => wrapped.owner.aad_v1(&key_id),
            false => wrapped.owner.aad(&key_id),
        };
        let key = decrypt(master, &wrapped.nonce, &wrapped.ciphertext, &aad)
            .and_then(|key| <[u8; 32]>::try_from(key).ok())
            .ok_or_else(|| KeyringError::WrongMaster {
                file: data.join(MASTER).display().to_string(),
                key_id: key_id.clone(),
            })?;
        self.insert(key_id, wrapped.owner, key, 0);
        Ok(())
    }

    /// All keys, as a file has them.
    fn records(&self, master: &[u8; 32]) -> Result<Vec<Record>, KeyringError> {
        let mut records = Vec::with_capacity(self.keys.len());
        for (key_id, state) in &self.keys {
            records.push(match state {
                KeyState::Live { owner, key, .. } => wrap(master, os_random()?, key_id, owner, key),
                KeyState::Destroyed => Record::destroyed(key_id.clone()),
            });
        }
        records.sort_by(|a, b| a.key_id.cmp(&b.key_id));
        Ok(records)
    }

    fn random<const N: usize>(&mut self, master: &[u8; 32]) -> Result<[u8; N], KeyringError> {
        match &mut self.random {
            Random::System => os_random(),
            Random::Counted(drawn) => {
                *drawn += 1;
                let mut bytes = [0; N];
                blake3::Hasher::new_keyed(master)
                    .update(&drawn.to_le_bytes())
                    .finalize_xof()
                    .fill(&mut bytes);
                Ok(bytes)
            }
        }
    }
}

fn os_random<const N: usize>() -> Result<[u8; N], KeyringError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| {
        KeyringError::io(
            "asking the operating system for random bytes",
            io::Error::other(e.to_string()),
        )
    })?;
    Ok(bytes)
}

fn owner(tenant: &str, subject: &str, purpose: Purpose) -> Owner {
    Owner {
        tenant: tenant.to_string(),
        purpose,
        subject: subject.to_string(),
    }
}

fn wrap(master: &[u8; 32], nonce: [u8; 24], key_id: &str, owner: &Owner, key: &[u8; 32]) -> Record {
    let ciphertext = encrypt(master, &nonce, key, &owner.aad(key_id));
    Record {
        key_id: key_id.to_string(),
        held: Some(Wrapped {
            owner: owner.clone(),
            nonce,
            ciphertext,
        }),
    }
}

fn encrypt(key: &[u8; 32], nonce: &[u8; 24], msg: &[u8], aad: &[u8]) -> Vec<u8> {
    XChaCha20Poly1305::new(&Key::from(*key))
        .encrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .expect("encryption into a vector fails only above 256 GiB")
}

fn decrypt(key: &[u8; 32], nonce: &[u8; 24], msg: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .ok()
}

fn read_or_create_master(data: &Path, keys: &Path) -> Result<[u8; 32], KeyringError> {
    let path: PathBuf = data.join(MASTER);
    match fs::read_to_string(&path) {
        Ok(text) => from_hex(text.trim_end()).ok_or_else(|| KeyringError::Corrupt {
            file: path.display().to_string(),
            at: 0,
            what: "not 64 hexadecimal digits".into(),
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if keys.exists() {
                return Err(KeyringError::MasterMissing {
                    keys: keys.display().to_string(),
                    master: path.display().to_string(),
                });
            }
            let master: [u8; 32] = os_random()?;
            let mut text: String = master.iter().map(|byte| format!("{byte:02x}")).collect();
            text.push('\n');
            write_whole(data, MASTER, text.as_bytes())
                .map_err(|e| KeyringError::io(format!("writing {}", path.display()), e))?;
            Ok(master)
        }
        Err(e) => Err(KeyringError::io(format!("reading {}", path.display()), e)),
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}
