//! From segments back into a ledger: a new one, or one that ends where they begin or within them.

use std::fs;
use std::path::Path;

use super::manifest::hex;
use super::{Chain, Head, SegmentError, Segments, Source, Tell, Until};
use crate::data_dir::{MARKER, sync_dir};
use crate::disk::{OnDisk, Options};
use crate::log::{Medium, SealedBlock};
use crate::{EventStore, SledStore, StoreError};

/// Bytes of blocks written with one sync (4 MiB).
const GROUP_BYTES: usize = 4 << 20;
/// Where a restored ledger is made before it is moved to its place.
const WORKSHOP: &str = "restoring";

/// What a restore or an import made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Commits that were written.
    pub blocks: u64,
    /// Last position of the log now.
    pub head: u64,
    /// Hash of its last block; zeros if it is empty.
    pub hash: [u8; 32],
    /// When its last commit was recorded, in microseconds since 1970 UTC; none if it is empty.
    pub recorded_at: Option<i64>,
}

/// Makes a new ledger of segments, up to an end, and checks all of it once more as it lies on disk.
///
/// The ledger's mark is set last: what an interrupted restore leaves is refused as a ledger.
///
/// Errors: TARGET_NOT_EMPTY, BACKUP_INCOMPLETE if the segments do not begin at position 1, BACKUP_DAMAGED, NOT_A_BACKUP,
/// and what opening a ledger answers.
pub fn restore(
    from: &Path,
    data: &Path,
    until: Until,
    tell: &mut Tell<'_>,
) -> Result<Restored, SegmentError> {
    let segments = Segments::open(from)?;
    let start = segments.manifest().start();
    if start.position != 0 {
        return Err(SegmentError::Incomplete {
            dir: from.display().to_string(),
            after: start.position,
        });
    }
    let failed = |e| SegmentError::io("making", data, e);
    fs::create_dir_all(data).map_err(failed)?;
    if let Some(entry) = fs::read_dir(data).map_err(failed)?.next() {
        return Err(SegmentError::TargetNotEmpty {
            dir: data.display().to_string(),
            found: entry
                .map_err(failed)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        });
    }
    let workshop = data.join(WORKSHOP);
    let restored = continue_log(&segments, &workshop, Chain::EMPTY, until, tell)?;
    move_in(&workshop, data).map_err(failed)?;
    Ok(restored)
}

/// Continues a log with segments that begin at its end or hold it. A directory that is new or empty is restored.
///
/// Each group of blocks is durable before the next, so an interrupted import can be repeated.
///
/// Errors: DOES_NOT_CONTINUE, BACKUP_DAMAGED, NOT_A_BACKUP, and what opening a ledger answers.
pub fn import(from: &Path, data: &Path, tell: &mut Tell<'_>) -> Result<Restored, SegmentError> {
    let empty = fs::read_dir(data).map_or(true, |mut entries| entries.next().is_none());
    if empty {
        return restore(from, data, Until::End, tell);
    }
    let segments = Segments::open(from)?;
    let tip = {
        let store = SledStore::open(data)?;
        end_of(&store)?
    };
    continue_log(&segments, data, tip, Until::End, tell)
}

/// Writes what follows the chain's end, then opens the ledger as any start would and compares its end.
fn continue_log(
    segments: &Segments,
    data: &Path,
    tip: Chain,
    until: Until,
    tell: &mut Tell<'_>,
) -> Result<Restored, SegmentError> {
    let refused = |found: String| SegmentError::DoesNotContinue {
        dir: segments.dir().display().to_string(),
        head: tip.position,
        hash: hex(&tip.hash),
        found,
    };
    let (start, end) = (segments.manifest().start(), segments.manifest().end());
    if tip.position < start.position || tip.position > end.position {
        return Err(refused(format!(
            "they go from position {} to {}",
            start.position.saturating_add(1),
            end.position
        )));
    }
    let mut met = tip.position == start.position && tip.hash == start.hash;
    let mut medium = Import::open(data, tip)?;
    let mut blocks = 0_u64;
    segments.read(until, &mut |header, bytes| {
        if met {
            medium.push(bytes)?;
            blocks += 1;
            tell(header.last_position(), end.position);
        } else if header.last_position() >= tip.position {
            met = header.last_position() == tip.position && header.hash == tip.hash;
            if !met {
                return Err(refused("they hold another commit there".into()));
            }
        }
        Ok(true)
    })?;
    if !met {
        return Err(refused("they hold another log".into()));
    }
    let expected = medium.finish()?;
    // The new log is read and checked as any start would: streams, versions and commands too.
    let store = SledStore::open(data)?;
    let found = end_of(&store)?;
    if (found.position, found.hash) != (expected.position, expected.hash) {
        let what = format!(
            "written with hash {}, read back with another",
            hex(&expected.hash)
        );
        return Err(StoreError::corrupt(expected.position, what).into());
    }
    store.verify(tell)?;
    Ok(Restored {
        blocks,
        head: found.position,
        hash: found.hash,
        recorded_at: (found.position > 0).then_some(found.recorded_at),
    })
}

fn end_of(mut store: &dyn EventStore) -> Result<Chain, SegmentError> {
    let Head { position, hash } = Source::head(&mut store)?;
    let recorded_at = match position.checked_sub(1) {
        None => i64::MIN,
        Some(before) => EventStore::blocks(store, before, 1)?
            .first()
            .map_or(i64::MIN, |block| block.recorded_at),
    };
    Ok(Chain {
        position,
        hash,
        recorded_at,
    })
}

/// Moves a finished ledger out of the workshop, its mark last.
fn move_in(workshop: &Path, data: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(workshop)? {
        let name = entry?.file_name();
        if name != MARKER && name != "lock" {
            fs::rename(workshop.join(&name), data.join(&name))?;
        }
    }
    sync_dir(data)?;
    fs::rename(workshop.join(MARKER), data.join(MARKER))?;
    sync_dir(data)?;
    fs::remove_dir_all(workshop)?;
    sync_dir(data)
}

/// Writes whole blocks verbatim behind the end of a log that nobody else has open: same bytes, same hashes.
pub(crate) struct Import<M: Medium> {
    medium: M,
    chain: Chain,
    group: Vec<SealedBlock>,
    bytes: usize,
}

impl Import<OnDisk> {
    fn open(data: &Path, tip: Chain) -> Result<Import<OnDisk>, StoreError> {
        Ok(Import::after(OnDisk::open(data, Options::default())?, tip))
    }
}

impl<M: Medium> Import<M> {
    fn after(medium: M, tip: Chain) -> Import<M> {
        Import {
            medium,
            chain: tip,
            group: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes the next block after all checks. It is durable when a later push or [`finish`](Import::finish) says so.
    fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let header = self.chain.admit(bytes)?;
        if self.bytes.saturating_add(bytes.len()) > GROUP_BYTES {
            self.write()?;
        }
        self.bytes += bytes.len();
        self.group.push(SealedBlock {
            first_position: header.first_position,
            last_position: header.last_position(),
            hash: header.hash,
            bytes: bytes.to_vec(),
        });
        Ok(())
    }

    fn write(&mut self) -> Result<(), StoreError> {
        if !self.group.is_empty() {
            self.medium.write(&self.group)?;
            self.group.clear();
            self.bytes = 0;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Chain, StoreError> {
        self.write()?;
        Ok(self.chain)
    }
}
