//! Tamper evidence that an auditor can check offline (docs/audit.md).
//!
//! - The events of the log are the leaves of one Merkle tree (RFC 9162 2.1): leaf i, from 0, is the event at position i + 1.
//! - A checkpoint is a signed statement of the tree's root. Published, it cannot be taken back: a log that was changed
//!   before it does not fit it any more.
//! - A bundle holds the events behind one document, the nodes that lead from them to the root, and the checkpoint. It is
//!   checked without the log.
//! - All of it is made off the road that commits take.

mod bundle;
mod checkpoint;
mod kept;
pub mod leaf;
mod notary;
mod note;
pub mod tree;

pub use bundle::{Bundle, BundleEvent, BundleNode, Checked, MAX_BUNDLE_BYTES, check};
pub use checkpoint::{Checkpoint, Signed};
pub use notary::{CHECKPOINT_BLOCKS, Follower, Notary, Told};
pub use note::{PublicKey, Signer};

use crate::StoreError;
use indelible_domain::Rejection;

/// Why there is no checkpoint or proof, or why one is not believed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing to make a checkpoint of.
    #[error("the log is empty: there is nothing to make a checkpoint of")]
    Empty,
    /// A key that cannot be used.
    #[error("{what}")]
    Key { what: String },
    /// A checkpoint that is damaged, or that does not fit the log.
    #[error("the checkpoint does not hold: {what}")]
    Checkpoint { what: String },
    /// A bundle in which something does not fit.
    #[error("the proof does not hold: {what}")]
    Misfit { what: String },
    /// The thing to prove is not there, or is not final.
    #[error("{}", .0.message)]
    Subject(Rejection),
}

impl ProofError {
    /// The stable name of this kind of error, for clients.
    pub fn code(&self) -> &str {
        match self {
            ProofError::Store(e) => e.code(),
            ProofError::Empty => "LOG_EMPTY",
            ProofError::Key { .. } => "CHECKPOINT_KEY_INVALID",
            ProofError::Checkpoint { .. } => "CHECKPOINT_MISFIT",
            ProofError::Misfit { .. } => "PROOF_MISFIT",
            ProofError::Subject(rejection) => &rejection.code,
        }
    }

    /// Whether the answer is a "no" that says something about the question, not a failure of disk or log.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, ProofError::Store(_))
    }
}
