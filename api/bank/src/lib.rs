//! The bank side: files that go to a bank, and statements that come from one.
//!
//! - Out: SEPA direct debits (pain.008) and credit transfers (pain.001), as the ISO 20022 schemas and the guidelines of the
//!   European Payments Council have them. The same order gives the same bytes, so a file can be written again.
//! - In: camt.053, camt.054, camt.052 and MT940, all as one [`Statement`], and pain.002 as a [`status::Report`]. What does not
//!   add up is refused.
//! - What is of ISO 20022 is checked against the schema of its message, on its way in and on its way out ([`schema`]).
//! - Nothing here knows the ledger, opens a connection or asks the time.

pub mod camt;
pub mod debit;
mod fault;
pub mod ident;
mod message;
pub mod mt940;
pub mod reason;
pub mod schema;
mod statement;
pub mod status;
pub mod transfer;
mod xml;

pub use fault::Fault;
pub use message::{Agent, Remittance};
pub use statement::{Balance, Detail, Entry, Incoming, Kind, Returned, Statement, incoming, read};

/// Largest statement file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most transactions written to one file: what banks commonly take.
pub const ITEMS_MAX: usize = 50_000;
