//! The file of wrapped keys: "INDK", format version (u16), then records of length (u32), CRC (u32) and body, all
//! little-endian. Appended to, and written anew when a key is destroyed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bincode::Options;
use serde::{Deserialize, Serialize};

use crate::KeyringError;
use crate::data_dir::{private_file, write_whole};

const HEADER: [u8; 6] = *b"INDK\x01\x00";
const FRAME_BYTES: usize = 8;
/// Ids are at most 200 bytes; more is damage.
const MAX_RECORD_BYTES: u64 = 4 << 10;

/// A key on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub key_id: String,
    pub tenant: String,
    pub subject: String,
    /// None: the key was destroyed.
    pub wrapped: Option<Wrapped>,
}

/// A key encrypted with the master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wrapped {
    pub nonce: [u8; 24],
    #[serde(with = "serde_bytes")]
    pub ciphertext: Vec<u8>,
}

impl Record {
    /// What is left of a destroyed key: that it was. Its subject is forgotten with it.
    pub fn destroyed(key_id: String) -> Record {
        Record {
            key_id,
            tenant: String::new(),
            subject: String::new(),
            wrapped: None,
        }
    }
}

pub(crate) struct KeyFile {
    dir: PathBuf,
    path: PathBuf,
    file: File,
    /// After a failed append the end of the file is unknown: no more keys until it is opened again.
    broken: bool,
}

impl KeyFile {
    /// Opens the file, or creates it, and reads all records.
    ///
    /// A last record that is incomplete was cut off by a crash before its key was used: the file is kept aside as
    /// `keys.torn` and goes on without it. Any other damage is an error.
    pub fn open(dir: &Path, path: &Path) -> Result<(KeyFile, Vec<Record>), KeyringError> {
        let failed = |e| KeyringError::io(format!("opening {}", path.display()), e);
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                write_whole(dir, &name(path), &HEADER).map_err(failed)?;
                HEADER.to_vec()
            }
            Err(e) => return Err(failed(e)),
        };
        let (records, whole) = parse(path, &bytes)?;
        if let Some(kept) = bytes.get(..whole)
            && whole < bytes.len()
        {
            write_whole(dir, &format!("{}.torn", name(path)), &bytes).map_err(failed)?;
            write_whole(dir, &name(path), kept).map_err(failed)?;
        }
        let file = private_file(OpenOptions::new().append(true), path).map_err(failed)?;
        Ok((
            KeyFile {
                dir: dir.to_path_buf(),
                path: path.to_path_buf(),
                file,
                broken: false,
            },
            records,
        ))
    }

    /// Adds a record and syncs it.
    pub fn append(&mut self, record: &Record) -> Result<(), KeyringError> {
        let failed = |e| KeyringError::io(format!("adding a key to {}", self.path.display()), e);
        if self.broken {
            return Err(failed(io::Error::other("an earlier write failed")));
        }
        let frame = frame(record)?;
        if let Err(e) = self
            .file
            .write_all(&frame)
            .and_then(|()| self.file.sync_data())
        {
            self.broken = true;
            return Err(failed(e));
        }
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
        self.file = private_file(OpenOptions::new().append(true), &self.path).map_err(failed)?;
        self.broken = false;
        Ok(())
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn codec() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .reject_trailing_bytes()
        .with_limit(MAX_RECORD_BYTES)
}

fn frame(record: &Record) -> Result<Vec<u8>, KeyringError> {
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
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Record>, usize), KeyringError> {
    let damaged = |at: usize, what: &str| KeyringError::Corrupt {
        file: path.display().to_string(),
        at: at as u64,
        what: what.into(),
    };
    let mut rest = bytes
        .strip_prefix(&HEADER)
        .ok_or_else(|| damaged(0, "does not begin as a key file of version 1"))?;
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
        records.push(
            codec()
                .deserialize(body)
                .map_err(|_| damaged(at, "a record that cannot be read"))?,
        );
        at += FRAME_BYTES + body.len();
        rest = after;
    }
    Ok((records, at))
}
