//! Why a backup, an export, a restore or an import did not happen.

use std::error::Error;
use std::path::Path;

use crate::StoreError;

/// Why segments were not written or not taken. Each kind has a stable [`code`](SegmentError::code).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The directory already holds the segments of a log that is not this one, or of a later state of it.
    #[error(
        "{dir} is a backup of another log: it ends at position {position} with hash {hash}, {found}"
    )]
    AnotherLog {
        dir: String,
        position: u64,
        hash: String,
        found: String,
    },
    /// The directory holds something else than segments.
    #[error("{dir} holds no segments: {found}")]
    NotSegments { dir: String, found: String },
    /// The bytes of a segment or of the manifest are not those that were written.
    #[error("{file} is damaged: {what}")]
    Damaged { file: String, what: String },
    /// Another process writes into the directory.
    #[error("{dir} is being written by another process")]
    InUse { dir: String },
    /// A restore makes a new ledger and never touches an old one.
    #[error("{dir} is not empty ({found} found), a restore needs a new or empty directory")]
    TargetNotEmpty { dir: String, found: String },
    /// A ledger begins at position 1.
    #[error("{dir} begins after position {after}, a ledger is restored from position 1 on")]
    Incomplete { dir: String, after: u64 },
    /// The log does not end where the segments begin or within them, so they do not continue it.
    #[error(
        "{dir} does not continue the log, which ends at position {head} with hash {hash}: {found}"
    )]
    DoesNotContinue {
        dir: String,
        head: u64,
        hash: String,
        found: String,
    },
    /// The first block asked for begins elsewhere than at the border of a commit.
    #[error("position {asked} is inside a commit, the commit begins at position {first}")]
    InsideCommit { asked: u64, first: u64 },
    /// The log, where the blocks come from or go to.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Where the blocks come from is not a log of this process, and it did not answer as it should.
    #[error("the log could not be read")]
    Source(#[source] Box<dyn Error + Send + Sync>),
}

impl SegmentError {
    /// The stable name of this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            SegmentError::AnotherLog { .. } => "BACKUP_OF_ANOTHER_LOG",
            SegmentError::NotSegments { .. } => "NOT_A_BACKUP",
            SegmentError::Damaged { .. } => "BACKUP_DAMAGED",
            SegmentError::InUse { .. } => "BACKUP_IN_USE",
            SegmentError::TargetNotEmpty { .. } => "TARGET_NOT_EMPTY",
            SegmentError::Incomplete { .. } => "BACKUP_INCOMPLETE",
            SegmentError::DoesNotContinue { .. } => "DOES_NOT_CONTINUE",
            SegmentError::InsideCommit { .. } => "INSIDE_COMMIT",
            SegmentError::Store(error) => error.code(),
            SegmentError::Source(_) => "SOURCE_UNREADABLE",
        }
    }

    /// True where a rule said no, false where a file, a log or a server could not be used.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            SegmentError::AnotherLog { .. }
                | SegmentError::NotSegments { .. }
                | SegmentError::InUse { .. }
                | SegmentError::TargetNotEmpty { .. }
                | SegmentError::Incomplete { .. }
                | SegmentError::DoesNotContinue { .. }
                | SegmentError::InsideCommit { .. }
        )
    }

    pub(crate) fn io(doing: &str, path: &Path, source: std::io::Error) -> SegmentError {
        SegmentError::Store(StoreError::io(
            format!("{doing} {}", path.display()),
            source,
        ))
    }

    pub(crate) fn damaged(file: &Path, what: impl ToString) -> SegmentError {
        SegmentError::Damaged {
            file: file.display().to_string(),
            what: what.to_string(),
        }
    }
}
