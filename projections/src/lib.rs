//! Read models: answers that are folded from the log, kept ready, and can be thrown away and made again.
//!
//! - One file per question (`<noun>/<question>.rs`) and one line in `registry.rs`: `docs/recipes/add-a-read-model.md`.
//! - Rows and the position they are folded to are written in one atomic batch: after a crash a read model goes on
//!   exactly where its rows are. Batches gather in memory before they go to disk (`late_shelf.rs`): the log has everything.
//! - A [`Snapshot`] belongs to one tenant and one position: everything read through it fits together.

pub mod accounts;
pub mod billing;
pub mod dunning;
pub mod finance;
pub mod invoices;
pub mod payments;
pub mod receivables;
pub mod subscriptions;
pub mod usage;
pub mod wallets;

mod disk_shelf;
mod error;
mod journal;
mod late_shelf;
mod making;
mod near;
mod pages;
mod parts;
mod projection;
mod reading;
mod registry;
mod rows;
mod runner;
mod sets;
mod shelf;
mod snapshot;
mod views;

pub use error::ViewError;
pub use making::{Share, Spent};
pub use projection::{Page, Projection};
pub use registry::names;
pub use rows::{Row, Rows};
pub use shelf::{Change, Changes, MemoryShelf, Shelf, Visit};
pub use snapshot::{Dump, Snapshot};
pub use views::{Progress, Views};
