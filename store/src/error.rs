//! What a store can answer instead of doing what was asked.

use std::io;
use std::sync::Arc;

use crate::StreamKey;

/// Why the store did not do what was asked. Each kind has a stable [`code`](StoreError::code).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another commit came first: load the stream again and decide anew.
    #[error("stream {stream} is at version {actual}, the commit expects {expected}")]
    WrongVersion {
        stream: StreamKey,
        expected: u64,
        actual: u64,
    },
    /// The command is already in the log; ask [`receipt`](crate::EventStore::receipt) for its answer.
    #[error("command {command_id} of tenant {tenant} is already in the log")]
    DuplicateCommand { tenant: String, command_id: String },
    /// The commit exceeds a limit of the log.
    #[error("{what} is {actual}, the log takes at most {limit}")]
    TooLarge {
        what: String,
        actual: usize,
        limit: usize,
    },
    /// The commit makes no sense in any state of the log.
    #[error("commit refused: {what}")]
    InvalidCommit { what: String },
    /// A write or sync failed before. Nothing is acknowledged until the process starts again and reads what is on disk.
    #[error("the log stopped taking commits: {why}")]
    Poisoned { why: String },
    /// The file system has too little room left. Nothing was written; the same commit is taken when there is room again.
    #[error(
        "no room for the commit: {free} bytes are free in {dir}, {needed} are needed, reserve included"
    )]
    Full { dir: String, free: u64, needed: u64 },
    /// The bytes of a block are not those that were written. `block` is the first position of the damaged block.
    #[error("block at position {block} is damaged: {what}")]
    Corrupt { block: u64, what: String },
    /// Another process has the data directory open.
    #[error("data directory {dir} is in use by another process")]
    Locked { dir: String },
    /// The directory holds something else.
    #[error("{dir} is not empty and holds no ledger ({found} found, INDELIBLE missing)")]
    NotALedger { dir: String, found: String },
    /// Written by a version of the program that this one does not know.
    #[error("{what} has format version {found}, this program reads version {known}")]
    UnsupportedVersion {
        what: String,
        found: u32,
        known: u32,
    },
    /// The operating system refused.
    #[error("{doing} failed")]
    Io {
        doing: String,
        #[source]
        source: Arc<io::Error>,
    },
}

impl StoreError {
    /// The stable name of this kind of error, for clients and dashboards.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::WrongVersion { .. } => "WRONG_VERSION",
            StoreError::DuplicateCommand { .. } => "DUPLICATE_COMMAND",
            StoreError::TooLarge { .. } => "TOO_LARGE",
            StoreError::InvalidCommit { .. } => "INVALID_COMMIT",
            StoreError::Poisoned { .. } => "POISONED",
            StoreError::Full { .. } => "STORAGE_FULL",
            StoreError::Corrupt { .. } => "CORRUPT",
            StoreError::Locked { .. } => "LOCKED",
            StoreError::NotALedger { .. } => "NOT_A_LEDGER",
            StoreError::UnsupportedVersion { .. } => "UNSUPPORTED_VERSION",
            StoreError::Io { .. } => "IO",
        }
    }

    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> StoreError {
        StoreError::Io {
            doing: doing.into(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn corrupt(block: u64, what: impl Into<String>) -> StoreError {
        StoreError::Corrupt {
            block,
            what: what.into(),
        }
    }
}
