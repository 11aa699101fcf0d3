//! What a directory of segments says about itself: `manifest.json`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Chain, SEGMENT_BYTES, SegmentError};
use crate::StoreError;
use crate::data_dir::write_whole;

/// The version of the manifest that this program writes, and the only one it reads.
pub const FORMAT_VERSION: u32 = 1;
/// Name of the manifest.
pub const FILE_NAME: &str = "manifest.json";
/// Largest manifest that is read (256 MiB): about half a million segments, 32 TiB.
const MANIFEST_BYTES: u64 = 256 << 20;

/// A hash, written as 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hex(&hash.0)
    }
}

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(text: String) -> Result<Hash, String> {
        blake3::Hash::from_hex(&text)
            .map(|hash| Hash(*hash.as_bytes()))
            .map_err(|_| format!("{text:?} is not 64 hex digits"))
    }
}

/// A hash as text.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

/// Where the segments begin: position and hash of the block before the first; 0 and zeros at the beginning of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    pub position: u64,
    pub hash: Hash,
}

/// One file of blocks. Times are microseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    pub file: String,
    pub first_position: u64,
    pub last_position: u64,
    pub blocks: u64,
    pub bytes: u64,
    /// BLAKE3 of the file.
    pub blake3: Hash,
    /// Hash of the block before the first one.
    pub hash_before: Hash,
    /// Hash of the last block.
    pub hash_after: Hash,
    pub recorded_first: i64,
    pub recorded_last: i64,
    /// The program that wrote the file.
    pub made_by: String,
}

impl Segment {
    /// The name of a file with these positions.
    pub fn name(first_position: u64, last_position: u64) -> String {
        format!("{first_position:020}-{last_position:020}.seg")
    }
}

/// `manifest.json`: which files belong to it, in order, and what is in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    pub before: Before,
    pub segments: Vec<Segment>,
}

impl Manifest {
    /// No segments yet, after a place in the log.
    pub fn beginning(after: &Chain) -> Manifest {
        Manifest {
            format: FORMAT_VERSION,
            before: Before {
                position: after.position,
                hash: Hash(after.hash),
            },
            segments: Vec::new(),
        }
    }

    /// The chain at the end of the last segment, or where the segments would begin.
    pub fn end(&self) -> Chain {
        match self.segments.last() {
            Some(last) => Chain {
                position: last.last_position,
                hash: last.hash_after.0,
                recorded_at: last.recorded_last,
            },
            None => self.start(),
        }
    }

    /// The chain before the first segment.
    pub fn start(&self) -> Chain {
        Chain {
            position: self.before.position,
            hash: self.before.hash.0,
            recorded_at: i64::MIN,
        }
    }

    /// Number of blocks in all segments.
    pub fn blocks(&self) -> u64 {
        self.segments.iter().map(|segment| segment.blocks).sum()
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Reads the manifest of a directory, if it has one, and checks that its segments follow each other.
    ///
    /// Errors: BACKUP_DAMAGED, UNSUPPORTED_VERSION, IO.
    pub fn load(dir: &Path) -> Result<Option<Manifest>, SegmentError> {
        let path = dir.join(FILE_NAME);
        let failed = |e| SegmentError::io("reading", &path, e);
        let bytes = match fs::metadata(&path) {
            Ok(file) if file.len() > MANIFEST_BYTES => {
                let what = format!("{} bytes, at most {MANIFEST_BYTES} are read", file.len());
                return Err(SegmentError::damaged(&path, what));
            }
            Ok(_) => fs::read(&path).map_err(failed)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let version: Version =
            serde_json::from_slice(&bytes).map_err(|e| SegmentError::damaged(&path, e))?;
        if version.format != FORMAT_VERSION {
            return Err(SegmentError::Store(StoreError::UnsupportedVersion {
                what: path.display().to_string(),
                found: version.format,
                known: FORMAT_VERSION,
            }));
        }
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|e| SegmentError::damaged(&path, e))?;
        manifest
            .check()
            .map_err(|what| SegmentError::damaged(&path, what))?;
        Ok(Some(manifest))
    }

    /// Writes the manifest so that it is there whole or not at all.
    pub fn store(&self, dir: &Path) -> Result<(), SegmentError> {
        let mut text =
            serde_json::to_vec_pretty(self).expect("numbers and strings are always valid JSON");
        text.push(b'\n');
        write_whole(dir, FILE_NAME, &text)
            .map_err(|e| SegmentError::io("writing", &dir.join(FILE_NAME), e))
    }

    fn check(&self) -> Result<(), String> {
        let mut chain = self.start();
        for segment in &self.segments {
            let name = Segment::name(segment.first_position, segment.last_position);
            // Names of files come from positions, so that a manifest cannot name a file elsewhere.
            if segment.file != name {
                return Err(format!("{:?} should be {name}", segment.file));
            }
            if Some(segment.first_position) != chain.position.checked_add(1)
                || segment.last_position < segment.first_position
            {
                return Err(format!("{name} follows position {}", chain.position));
            }
            if segment.hash_before.0 != chain.hash {
                return Err(format!("{name} does not follow the hash before it"));
            }
            if segment.recorded_first < chain.recorded_at
                || segment.recorded_last < segment.recorded_first
            {
                return Err(format!("in {name} time goes back"));
            }
            if segment.bytes > SEGMENT_BYTES {
                return Err(format!(
                    "{name} has {} bytes, at most {SEGMENT_BYTES} are read",
                    segment.bytes
                ));
            }
            chain = Chain {
                position: segment.last_position,
                hash: segment.hash_after.0,
                recorded_at: segment.recorded_last,
            };
        }
        Ok(())
    }
}
