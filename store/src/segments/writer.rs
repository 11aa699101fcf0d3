//! Writes segments: the way out of a log.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::manifest::{FILE_NAME, Hash, Manifest, Segment, hex};
use super::{Chain, Head, PAGE_BYTES, SEGMENT_BYTES, SegmentError, Source, Tell, Until};
use crate::StoreError;
use crate::block::{self, Header};
use crate::data_dir::{private_file, sync_dir};

const LOCK: &str = "lock";
/// The segment that is being written; a left-over one is overwritten.
const UNFINISHED: &str = "unfinished.tmp";

/// What of a log is copied: commits after a position, up to an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Only commits after this position, which must be the last of a commit; 0 = from the beginning.
    pub after: u64,
    pub until: Until,
}

/// Copies what of a source is not yet in a directory of segments: the whole log the first time, then what follows.
/// A first copy begins after `bounds.after`; later ones go on where the directory ends.
///
/// Errors: BACKUP_OF_ANOTHER_LOG if what is in the directory is not what the source has there, NOT_A_BACKUP,
/// BACKUP_IN_USE, BACKUP_DAMAGED, CORRUPT with the block, IO.
pub fn copy(
    source: &mut dyn Source,
    dir: &Path,
    bounds: Bounds,
    tell: &mut Tell<'_>,
) -> Result<Manifest, SegmentError> {
    let target = Target::open(dir)?;
    // What is written while we copy is for the next copy: else a busy log would never be done.
    let head = source.head()?;
    let manifest = match Manifest::load(dir)? {
        Some(manifest) => {
            same_log(source, &head, dir, &manifest.end())?;
            manifest
        }
        None => {
            let manifest = Manifest::beginning(&chain_at(source, &head, bounds.after)?);
            manifest.store(dir)?;
            manifest
        }
    };
    let mut writer = SegmentWriter::over(target, manifest)?;
    let goal = match bounds.until {
        Until::Position(position) => head.position.min(position),
        Until::End | Until::Time(_) => head.position,
    };
    while writer.chain().position < goal {
        let at = writer.chain().position;
        let page = source.blocks(at, PAGE_BYTES)?;
        // A log that ends before its own head has lost something; it must not look complete.
        if page.is_empty() {
            return Err(StoreError::corrupt(at + 1, "missing").into());
        }
        for bytes in page {
            if !writer.push(&bytes, bounds.until)? || writer.chain().position >= head.position {
                return finish(writer, &head);
            }
        }
        tell(writer.chain().position, goal);
    }
    finish(writer, &head)
}

fn finish(writer: SegmentWriter, head: &Head) -> Result<Manifest, SegmentError> {
    let end = *writer.chain();
    if end.position == head.position && end.hash != head.hash {
        let what = "is another block than the one the log calls its head";
        return Err(StoreError::corrupt(end.position, what).into());
    }
    writer.finish()
}

/// The chain of a source after a position, which must be the last of a commit.
fn chain_at(source: &mut dyn Source, head: &Head, after: u64) -> Result<Chain, SegmentError> {
    let Some(before) = after.checked_sub(1) else {
        return Ok(Chain::EMPTY);
    };
    let found = if after <= head.position {
        source.blocks(before, 1)?.into_iter().next()
    } else {
        None
    };
    let Some(bytes) = found else {
        return Err(StoreError::InvalidCommit {
            what: format!(
                "position {after} is not in the log, whose head is {}",
                head.position
            ),
        }
        .into());
    };
    let header = first_header(&bytes, before)?;
    if header.last_position() != after {
        return Err(SegmentError::InsideCommit {
            asked: after.saturating_add(1),
            first: header.first_position,
        });
    }
    Ok(Chain::after(&header))
}

/// Header of a block that holds the event after a position, wherever the block begins.
fn first_header(bytes: &[u8], after: u64) -> Result<Header, StoreError> {
    let said = block::read_header(after.saturating_add(1), bytes)?;
    block::check(said.first_position, bytes)
}

/// Refuses to continue the segments of one log with blocks of another.
fn same_log(
    source: &mut dyn Source,
    head: &Head,
    dir: &Path,
    end: &Chain,
) -> Result<(), SegmentError> {
    let other = |found: String| SegmentError::AnotherLog {
        dir: dir.display().to_string(),
        position: end.position,
        hash: hex(&end.hash),
        found,
    };
    if head.position < end.position {
        return Err(other(format!(
            "this log ends at position {}",
            head.position
        )));
    }
    match chain_at(source, head, end.position) {
        Ok(chain) if chain.hash == end.hash => Ok(()),
        Ok(chain) => Err(other(format!("this log has {} there", hex(&chain.hash)))),
        Err(SegmentError::InsideCommit { first, .. }) => Err(other(format!(
            "this log has a commit from position {first} on across it"
        ))),
        Err(error) => Err(error),
    }
}

/// A directory for segments, locked against other writers.
struct Target {
    dir: PathBuf,
    /// Unlocks when it is closed.
    _lock: File,
}

impl Target {
    /// Opens a directory of segments, or makes one of a new or empty directory.
    fn open(dir: &Path) -> Result<Target, SegmentError> {
        fs::create_dir_all(dir).map_err(|e| SegmentError::io("creating", dir, e))?;
        if !dir.join(FILE_NAME).exists() {
            let left_over = format!("{FILE_NAME}.tmp");
            let foreign = fs::read_dir(dir)
                .map_err(|e| SegmentError::io("reading", dir, e))?
                .filter_map(Result::ok)
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .find(|name| *name != LOCK && *name != left_over);
            if let Some(found) = foreign {
                return Err(SegmentError::NotSegments {
                    dir: dir.display().to_string(),
                    found: format!("{found} found, {FILE_NAME} missing"),
                });
            }
        }
        let path = dir.join(LOCK);
        let lock = private_file(OpenOptions::new().create(true).truncate(false), &path)
            .map_err(|e| SegmentError::io("opening", &path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SegmentError::InUse {
                    dir: dir.display().to_string(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(SegmentError::io("locking", &path, e)),
        }
        if let Some(parent) = dir.canonicalize().ok().as_deref().and_then(Path::parent) {
            sync_dir(parent).map_err(|e| SegmentError::io("syncing", parent, e))?;
        }
        Ok(Target {
            dir: dir.to_path_buf(),
            _lock: lock,
        })
    }
}

/// Appends blocks to a directory of segments.
pub struct SegmentWriter {
    target: Target,
    manifest: Manifest,
    chain: Chain,
    segment_bytes: u64,
    open: Option<Open>,
}

/// The segment that is being written.
struct Open {
    file: File,
    hasher: blake3::Hasher,
    before: Chain,
    first_position: u64,
    blocks: u64,
    bytes: u64,
    recorded_first: i64,
}

impl SegmentWriter {
    /// Goes on where the segments of a directory end; a new or empty directory begins at the start of a log.
    pub fn open(dir: &Path) -> Result<SegmentWriter, SegmentError> {
        let target = Target::open(dir)?;
        let manifest = match Manifest::load(dir)? {
            Some(manifest) => manifest,
            None => {
                let manifest = Manifest::beginning(&Chain::EMPTY);
                manifest.store(dir)?;
                manifest
            }
        };
        SegmentWriter::over(target, manifest)
    }

    fn over(target: Target, manifest: Manifest) -> Result<SegmentWriter, SegmentError> {
        for segment in &manifest.segments {
            let path = target.dir.join(&segment.file);
            let found = fs::metadata(&path).map_err(|e| SegmentError::io("reading", &path, e))?;
            if found.len() != segment.bytes {
                let what = format!("{} bytes, the manifest says {}", found.len(), segment.bytes);
                return Err(SegmentError::damaged(&path, what));
            }
        }
        let chain = manifest.end();
        Ok(SegmentWriter {
            target,
            manifest,
            chain,
            segment_bytes: SEGMENT_BYTES,
            open: None,
        })
    }

    /// Closes segments earlier than usual; for tests.
    pub fn with_segment_bytes(mut self, bytes: u64) -> SegmentWriter {
        self.segment_bytes = bytes.min(SEGMENT_BYTES);
        self
    }

    /// The end of what was taken so far.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Takes the next block after all checks; false if it lies beyond the end, and was not taken.
    pub fn push(&mut self, bytes: &[u8], until: Until) -> Result<bool, SegmentError> {
        let before = self.chain;
        let mut after = before;
        let header = after.admit(bytes)?;
        if !until.takes(&header) {
            return Ok(false);
        }
        let length = bytes.len() as u64;
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.bytes.saturating_add(length) > self.segment_bytes)
        {
            self.close()?;
        }
        let path = self.target.dir.join(UNFINISHED);
        let failed = |e| SegmentError::io("writing", &path, e);
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open {
                file: private_file(OpenOptions::new().create(true).truncate(true), &path)
                    .map_err(failed)?,
                hasher: blake3::Hasher::new(),
                before,
                first_position: header.first_position,
                blocks: 0,
                bytes: 0,
                recorded_first: header.recorded_at,
            }),
        };
        open.file.write_all(bytes).map_err(failed)?;
        open.hasher.update(bytes);
        open.blocks += 1;
        open.bytes += length;
        self.chain = after;
        Ok(true)
    }

    /// Makes the open segment durable, then known.
    fn close(&mut self) -> Result<(), SegmentError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let dir = &self.target.dir;
        let name = Segment::name(open.first_position, self.chain.position);
        let (unfinished, path) = (dir.join(UNFINISHED), dir.join(&name));
        open.file
            .sync_all()
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| sync_dir(dir))
            .map_err(|e| SegmentError::io("writing", &path, e))?;
        self.manifest.segments.push(Segment {
            file: name,
            first_position: open.first_position,
            last_position: self.chain.position,
            blocks: open.blocks,
            bytes: open.bytes,
            blake3: Hash(*open.hasher.finalize().as_bytes()),
            hash_before: Hash(open.before.hash),
            hash_after: Hash(self.chain.hash),
            recorded_first: open.recorded_first,
            recorded_last: self.chain.recorded_at,
            made_by: concat!("indelible ", env!("CARGO_PKG_VERSION")).to_owned(),
        });
        self.manifest.store(dir)
    }

    /// Closes the last segment and answers what the directory holds now.
    pub fn finish(mut self) -> Result<Manifest, SegmentError> {
        self.close()?;
        Ok(self.manifest)
    }
}
