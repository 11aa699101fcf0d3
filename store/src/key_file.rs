//! The file of wrapped keys: "INDK", format version (u16), then records of length (u32), CRC (u32) and body, all
//! little-endian. Appended to, and written anew when a key is destroyed.
//!
//! Version 2 says what each key is for. Version 1 is read for ever; its keys were made for the contact of an account, or
//! for the raw lines of a number, meter or resource, which its subjects tell by [`USAGE_V1`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bincode::Options;
use indelible_domain::kernel::Purpose;
use serde::{Deserialize, Serialize};

use crate::KeyringError;
use crate::data_dir::{private_file, write_whole};

const HEADER: [u8; 6] = *b"INDK\x02\x00";
const HEADER_V1: [u8; 6] = *b"INDK\x01\x00";
/// What the subjects of raw lines began with in version 1.
const USAGE_V1: &str = "usage:";
const FRAME_BYTES: usize = 8;
/// What a file system writes at once.
const PAGE_BYTES: u64 = 4 << 10;
/// Ids are at most 200 bytes; more is damage.
const MAX_RECORD_BYTES: u64 = 4 << 10;

/// A key on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub key_id: String,
    /// None: the key was destroyed. Whose it was and what for is forgotten with it.
    pub held: Option<Wrapped>,
}

/// A key encrypted with the master key, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wrapped {
    pub owner: Owner,
    pub nonce: [u8; 24],
    #[serde(with = "serde_bytes")]
    pub ciphertext: Vec<u8>,
}

/// Who and what a key is for: each owner has at most one living key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub tenant: String,
    pub purpose: Purpose,
    /// An account, or the keyed hash of a number, meter or resource.
    pub subject: String,
}

/// A file as it was read.
pub(crate) struct Loaded {
    pub records: Vec<Record>,
    /// Version 1: the keys are bound to their owners in another way, and the file is to be written anew.
    pub old: bool,
}

#[derive(Deserialize)]
struct RecordV1 {
    key_id: String,
    tenant: String,
    subject: String,
    wrapped: Option<WrappedV1>,
}

#[derive(Deserialize)]
struct WrappedV1 {
    nonce: [u8; 24],
    #[serde(with = "serde_bytes")]
    ciphertext: Vec<u8>,
}

impl From<RecordV1> for Record {
    fn from(old: RecordV1) -> Record {
        let RecordV1 {
            key_id,
            tenant,
            subject,
            wrapped,
        } = old;
        let (purpose, subject) = match subject.strip_prefix(USAGE_V1) {
            Some(access) => (Purpose::UsageRaw, access.to_string()),
            None => (Purpose::Contact, subject),
        };
        let owner = Owner {
            tenant,
            purpose,
            subject,
        };
        Record {
            key_id,
            held: wrapped.map(|WrappedV1 { nonce, ciphertext }| Wrapped {
                owner,
                nonce,
                ciphertext,
            }),
        }
    }
}

impl Owner {
    /// What binds a wrapped key to its owner, so that records cannot be swapped in the file.
    pub fn aad(&self, key_id: &str) -> Vec<u8> {
        let purpose = match self.purpose {
            Purpose::Contact => "contact",
            Purpose::LegalDocument => "legal-document",
            Purpose::UsageRaw => "usage-raw",
            Purpose::Payment => "payment",
        };
        joined(&[key_id, &self.tenant, purpose, &self.subject])
    }

    /// The same in version 1, which knew no purposes.
    pub fn aad_v1(&self, key_id: &str) -> Vec<u8> {
        match self.purpose {
            Purpose::UsageRaw => {
                let subject = format!("{USAGE_V1}{}", self.subject);
                joined(&[key_id, &self.tenant, &subject])
            }
            Purpose::Contact | Purpose::LegalDocument | Purpose::Payment => {
                joined(&[key_id, &self.tenant, &self.subject])
            }
        }
    }
}

fn joined(parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

impl Record {
    /// What is left of a destroyed key: that it was.
    pub fn destroyed(key_id: String) -> Record {
        Record { key_id, held: None }
    }
}

pub(crate) struct KeyFile {
    dir: PathBuf,
    path: PathBuf,
    file: File,
    /// Bytes of the file, as far as they were synced.
    length: u64,
    /// After a failed append the end of the file is unknown: no more keys until it is opened again.
    broken: bool,
}

impl KeyFile {
    /// Opens the file, or creates it, and reads all records.
    ///
    /// A last record that is incomplete was cut off by a crash before its key was used: the file is kept aside as
    /// `keys.torn` and goes on without it. Any other damage is an error.
    pub fn open(dir: &Path, path: &Path) -> Result<(KeyFile, Loaded), KeyringError> {
        let failed = |e| KeyringError::io(format!("opening {}", path.display()), e);
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                write_whole(dir, &name(path), &HEADER).map_err(failed)?;
                HEADER.to_vec()
            }
            Err(e) => return Err(failed(e)),
        };
        let (loaded, whole) = parse(path, &bytes)?;
        if let Some(kept) = bytes.get(..whole)
            && whole < bytes.len()
        {
            write_whole(dir, &torn(path), &bytes).map_err(failed)?;
            write_whole(dir, &name(path), kept).map_err(failed)?;
        }
        let file = private_file(OpenOptions::new().append(true), path).map_err(failed)?;
        Ok((
            KeyFile {
                dir: dir.to_path_buf(),
                path: path.to_path_buf(),
                file,
                length: whole as u64,
                broken: false,
            },
            loaded,
        ))
    }

    /// Adds records, each as [`frame`] makes it, and syncs them; the answer is how many are synced, and why not all. As many are
    /// synced together as lie on one page of the file: of several pages a crash may leave the last one and not the first, and
    /// then more than the end of the file would be damaged.
    pub fn append(&mut self, frames: &[Vec<u8>]) -> (usize, Result<(), KeyringError>) {
        let mut done = 0;
        while let Some(first) = frames.get(done) {
            let room = PAGE_BYTES - self.length % PAGE_BYTES;
            let mut together = first.clone();
            let mut count = 1;
            for frame in frames.iter().skip(done + 1) {
                if (together.len() + frame.len()) as u64 > room {
                    break;
                }
                together.extend_from_slice(frame);
                count += 1;
            }
            if let Err(e) = self.write(&together) {
                return (done, Err(e));
            }
            done += count;
        }
        (done, Ok(()))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), KeyringError> {
        let failed = |e| KeyringError::io(format!("adding a key to {}", self.path.display()), e);
        if self.broken {
            return Err(failed(io::Error::other("an earlier write failed")));
        }
        let written = self.file.write_all(bytes);
        if let Err(e) = written.and_then(|()| self.file.sync_data()) {
            self.broken = true;
            return Err(failed(e));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Writes the file anew with these records, and syncs it.
    pub fn replace(&mut self, records: &[Record]) -> Result<(), KeyringError> {
        let failed = |e| KeyringError::io(format!("rewriting {}", self.path.display()), e);
        let mut bytes = HEADER.to_vec();
        for record in records {
            bytes.extend_from_slice(&frame(record)?);
        }
        // From here until the new handle, an append could go to the old file.
        self.broken = true;
        write_whole(&self.dir, &name(&self.path), &bytes).map_err(failed)?;
        // What was kept aside after a crash still holds keys that may be destroyed now.
        match fs::remove_file(self.dir.join(torn(&self.path))) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        self.file = private_file(OpenOptions::new().append(true), &self.path).map_err(failed)?;
        self.length = bytes.len() as u64;
        self.broken = false;
        Ok(())
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Where a file whose end was cut off is kept aside.
fn torn(path: &Path) -> String {
    format!("{}.torn", name(path))
}

fn codec() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .reject_trailing_bytes()
        .with_limit(MAX_RECORD_BYTES)
}

/// A record as it lies in the file.
pub(crate) fn frame(record: &Record) -> Result<Vec<u8>, KeyringError> {
    let body = codec().serialize(record).map_err(|e| {
        KeyringError::io(
            format!("encoding key {}", record.key_id),
            io::Error::new(io::ErrorKind::InvalidInput, e.to_string()),
        )
    })?;
    let length = u32::try_from(body.len()).expect("a record is at most 4 KiB");
    let mut frame = Vec::with_capacity(FRAME_BYTES + body.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// The records, and the length of the file up to the last whole one.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Loaded, usize), KeyringError> {
    let damaged = |at: usize, what: &str| KeyringError::Corrupt {
        file: path.display().to_string(),
        at: at as u64,
        what: what.into(),
    };
    let old = bytes.starts_with(&HEADER_V1);
    let mut rest = match old {
        true => bytes.strip_prefix(&HEADER_V1),
        false => bytes.strip_prefix(&HEADER),
    }
    .ok_or_else(|| damaged(0, "does not begin as a key file of version 1 or 2"))?;
    let mut records = Vec::new();
    let mut at = HEADER.len();
    while !rest.is_empty() {
        // A crash may leave the file longer than what was written, filled with zeros.
        if rest.iter().all(|byte| *byte == 0) {
            break;
        }
        let Some((length, after)) = rest.split_first_chunk::<4>() else {
            break;
        };
        let Some((crc, after)) = after.split_first_chunk::<4>() else {
            break;
        };
        let length = u32::from_le_bytes(*length);
        if u64::from(length) > MAX_RECORD_BYTES {
            return Err(damaged(at, "a record of impossible length"));
        }
        let Some((body, after)) = after.split_at_checked(length as usize) else {
            break;
        };
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return Err(damaged(at, "CRC of a record does not match"));
        }
        let record = match old {
            true => codec().deserialize(body).map(RecordV1::into),
            false => codec().deserialize(body),
        };
        records.push(record.map_err(|_| damaged(at, "a record that cannot be read"))?);
        at += FRAME_BYTES + body.len();
        rest = after;
    }
    Ok((Loaded { records, old }, at))
}
