//! Tamper evidence: what was signed cannot be changed unseen, and a document is proven without the log.

mod bundles;
mod checkpoints;
mod story;
