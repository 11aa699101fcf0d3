//! `indelible demo`: three businesses, six months, one command (docs/contexts/demo.md).
//!
//! The supplied files are ingested untouched and checked; then their records, shifted and repeated, are rated, billed,
//! paid and dunned day by day through the same commands as everything else. Same seed, same figures.

mod businesses;
mod check;
mod desk;
mod figures;
pub mod generator;
mod invariants;
mod payers;
mod random;
mod sample;
mod sheet;
mod story;
mod tables;

use chrono::NaiveDate;
use indelible_domain::kernel::Rejection;
use indelible_projections::ViewError;
use indelible_store::{Refused, StoreError};

pub use check::Agreed;

pub use figures::Figures;
pub use invariants::hold;
pub use story::{Plan, Watch, play};
pub use tables::text;

/// Tenant of the three businesses.
pub const TENANT: &str = "default";

/// Queries to try on the demo's books, each with what it shows.
pub const QUERIES: [(&str, &str); 3] = [
    (
        "an invoice, down to the raw lines behind each amount",
        r#"{ invoice(id: "invoice:2026-11.energy-1") { number total explain lines(first: 5) { nodes { text net explain charges(first: 2) { nodes { explain record { raw } } } } } } }"#,
    ),
    (
        "what a late payer owed in December, and what was done about it",
        r#"{ balance(account: "account:mobile-11", asOf: { known: "2026-12-05T00:00:00Z" }) { open openItems { due open } } events(stream: "dunning:mobile-11", first: 20) { nodes { recordedAt summary } } }"#,
    ),
    (
        "a file of calls: what was repeated, contradictory, unreadable or of nobody",
        r#"{ usageBatch(id: "batch:switch-2026-10-05.csv") { name counts { received rated duplicates conflicts unreadable pending } problems(first: 5) { nodes { line outcome reason } } } }"#,
    ),
];

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Pattern(#[from] generator::PatternError),
    #[error(transparent)]
    Ingest(#[from] crate::ingest::IngestError),
    #[error("the price list cannot be used: {0}")]
    Catalog(Rejection),
    #[error("{what} was refused on {on}: {refused}")]
    Refused {
        on: NaiveDate,
        what: String,
        refused: Refused,
    },
    /// A figure of the untouched files is not what it must be.
    #[error("{what}: {found} was found, {expected} is expected")]
    Figure {
        what: String,
        found: String,
        expected: String,
    },
    #[error("{0}")]
    Unexpected(String),
    #[error("the demo is broken: {0}")]
    Broken(String),
    #[error("the log could not be used")]
    Store(#[from] StoreError),
    #[error("a read model could not be used")]
    View(#[from] ViewError),
}

impl DemoError {
    fn arithmetic(rejection: Rejection) -> DemoError {
        DemoError::Broken(rejection.to_string())
    }
}

fn next_day(date: NaiveDate) -> NaiveDate {
    date.succ_opt().unwrap_or(date)
}
