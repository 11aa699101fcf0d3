//! Reads segments: the way back.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::{FILE_NAME, Manifest, Segment};
use super::{Chain, SegmentError, Tell, Until, split};
use crate::block::Header;

/// A directory of segments, opened for reading. Whoever writes to it meanwhile is not in the way: what the manifest
/// named is never changed.
#[derive(Debug)]
pub struct Segments {
    dir: PathBuf,
    manifest: Manifest,
}

/// Takes a block, header and bytes; false ends the reading.
pub type EachBlock<'a> = dyn FnMut(&Header, &[u8]) -> Result<bool, SegmentError> + 'a;

impl Segments {
    /// Opens a directory of segments. NOT_A_BACKUP if it has no manifest.
    pub fn open(dir: &Path) -> Result<Segments, SegmentError> {
        let Some(manifest) = Manifest::load(dir)? else {
            return Err(SegmentError::NotSegments {
                dir: dir.display().to_string(),
                found: format!("{FILE_NAME} missing"),
            });
        };
        Ok(Segments {
            dir: dir.to_path_buf(),
            manifest,
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Hands out every block in order, up to an end, and answers the chain after the last one. Each file is checked
    /// whole before its first block is handed out: size, every block, and what the manifest says about it.
    ///
    /// Errors: BACKUP_DAMAGED with the file and the block, IO, and those of `each`.
    pub fn read(&self, until: Until, each: &mut EachBlock<'_>) -> Result<Chain, SegmentError> {
        let mut chain = self.manifest.start();
        for segment in &self.manifest.segments {
            let bytes = self.load(segment)?;
            let after = self.check(segment, &bytes, chain)?;
            for block in split(chain.position, &bytes) {
                let (before, block) = (chain, block?);
                let header = chain.admit(block)?;
                if !until.takes(&header) || !each(&header, block)? {
                    return Ok(before);
                }
            }
            chain = after;
        }
        Ok(chain)
    }

    /// Checks every file and every block, and answers the end of the chain.
    pub fn verify(&self, tell: &mut Tell<'_>) -> Result<Chain, SegmentError> {
        let mut chain = self.manifest.start();
        let end = self.manifest.end().position;
        for segment in &self.manifest.segments {
            chain = self.check(segment, &self.load(segment)?, chain)?;
            tell(chain.position, end);
        }
        Ok(chain)
    }

    fn load(&self, segment: &Segment) -> Result<Vec<u8>, SegmentError> {
        let path = self.dir.join(&segment.file);
        let failed = |e| SegmentError::io("reading", &path, e);
        // Before it is read: the manifest's number is bounded, the file's is not.
        let found = fs::metadata(&path).map_err(failed)?.len();
        if found != segment.bytes {
            let what = format!("{found} bytes, the manifest says {}", segment.bytes);
            return Err(SegmentError::damaged(&path, what));
        }
        fs::read(&path).map_err(failed)
    }

    /// A whole file against its blocks, then against the manifest. The blocks come first, because they say where.
    fn check(&self, segment: &Segment, bytes: &[u8], before: Chain) -> Result<Chain, SegmentError> {
        let path = self.dir.join(&segment.file);
        let damaged = |what: &dyn ToString| SegmentError::damaged(&path, what.to_string());
        let mut chain = before;
        let mut blocks = 0_u64;
        let mut recorded_first = None;
        for block in split(before.position, bytes) {
            let header = block
                .and_then(|block| chain.admit(block))
                .map_err(|e| damaged(&e))?;
            recorded_first.get_or_insert(header.recorded_at);
            blocks += 1;
        }
        if blake3::hash(bytes) != blake3::Hash::from_bytes(segment.blake3.0) {
            return Err(damaged(&"BLAKE3 of the file does not match the manifest"));
        }
        let said = (
            segment.last_position,
            segment.hash_after.0,
            segment.recorded_last,
        );
        if (chain.position, chain.hash, chain.recorded_at) != said
            || blocks != segment.blocks
            || recorded_first != Some(segment.recorded_first)
        {
            return Err(damaged(
                &"its blocks are whole, but not those that the manifest describes",
            ));
        }
        Ok(chain)
    }
}
