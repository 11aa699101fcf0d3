//! The log as plain files: backups and exports, and the way back into a ledger.
//!
//! A directory of segments is a manifest and files of whole blocks, byte for byte as the log has them
//! (`docs/log-format.md`, "Segments"). A backup and an export are the same thing: a backup is an export of everything.
//! Nothing but the log is in it; the keys of personal data are not.
//!
//! - Every file is written beside its name, synced and renamed; the manifest is last. An interrupted run costs the
//!   segment it was at, nothing else.
//! - Every block is checked on its way, out and in: checksum, hash, link to the block before. Nothing is skipped: a
//!   reader answers with all blocks or with the damage.
//! - A second run into the same directory writes only what follows, and refuses another log.

mod chain;
mod error;
mod follower;
mod manifest;
mod reader;
mod restore;
mod source;
mod writer;

pub use chain::{Chain, split};
pub use error::SegmentError;
pub use follower::{EachBlockRef, Follower, pieces};
pub use manifest::{Manifest, Segment};
pub use reader::Segments;
pub use restore::{Restored, import, restore};
pub use source::{Head, Source};
pub use writer::{Bounds, SegmentWriter, copy};

/// A segment is closed before it would exceed this (64 MiB); a block is at most a quarter of it.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Bytes of blocks asked for at a time (4 MiB); one block may be more.
pub const PAGE_BYTES: usize = 4 << 20;

/// How far a copy or a restore goes: to the last whole commit that is not beyond it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// Everything there is.
    #[default]
    End,
    /// The last commit that ends at or before a position.
    Position(u64),
    /// The last commit recorded at or before a moment, in microseconds since 1970 UTC.
    Time(i64),
}

impl Until {
    /// Whether a block is still within.
    pub(crate) fn takes(self, header: &crate::block::Header) -> bool {
        match self {
            Until::End => true,
            Until::Position(position) => header.last_position() <= position,
            Until::Time(moment) => header.recorded_at <= moment,
        }
    }
}

/// Progress of a copy or a restore: position reached, and the position it goes to as far as that is known.
pub type Tell<'a> = dyn FnMut(u64, u64) + 'a;
