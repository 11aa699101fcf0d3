//! What the read models can answer instead of rows.

use indelible_store::StoreError;

/// Why a read model did not answer. Each kind has a stable [`code`](ViewError::code).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// They did not reach the asked position in time.
    #[error("the read models are at position {at}, asked for {asked}")]
    Behind { at: u64, asked: u64 },
    /// Folding stopped; the rows stay readable at the last good position.
    #[error("the read models stopped at position {at}: {why}")]
    Stopped { at: u64, why: String },
    /// No read model has this name.
    #[error("there is no read model {name:?}; there are {known}")]
    Unknown { name: String, known: String },
    /// A stored row is not what its read model writes.
    #[error("a row of {name} cannot be read: {why}")]
    Row { name: String, why: String },
    /// The database of the read models failed.
    #[error("{doing} failed: {why}")]
    Engine { doing: String, why: String },
    /// A figure that does not fit the numbers of the ledger.
    #[error("a figure of {name} cannot be computed: {why}")]
    Figure { name: String, why: String },
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ViewError {
    /// The stable name of this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            ViewError::Behind { .. } => "VIEWS_BEHIND",
            ViewError::Stopped { .. } => "VIEWS_STOPPED",
            ViewError::Unknown { .. } => "VIEW_UNKNOWN",
            ViewError::Row { .. } => "VIEW_DAMAGED",
            ViewError::Engine { .. } => "VIEWS_FAILED",
            ViewError::Figure { .. } => "FIGURE_TOO_LARGE",
            ViewError::Store(e) => e.code(),
        }
    }

    pub(crate) fn row(name: &str, why: impl ToString) -> ViewError {
        ViewError::Row {
            name: name.to_string(),
            why: why.to_string(),
        }
    }

    pub(crate) fn figure(name: &str, why: impl ToString) -> ViewError {
        ViewError::Figure {
            name: name.to_string(),
            why: why.to_string(),
        }
    }

    pub(crate) fn engine(doing: &str, why: impl ToString) -> ViewError {
        ViewError::Engine {
            doing: doing.to_string(),
            why: why.to_string(),
        }
    }
}
