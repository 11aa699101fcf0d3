//! The edge: GraphQL, HTTP, API keys and the command line.
//!
//! The only crate with async code, and the composition root. It holds no business rule: an `if` about
//! money belongs in the domain crate.

// The root types of the schema are merged pairwise, one level of futures for each noun.
#![recursion_limit = "256"]

pub mod auth;
pub mod bank;
pub mod bench;
pub mod bounces;
pub mod clerk;
pub mod cli;
pub mod clock;
pub mod collections;
pub mod console;
pub mod demo;
pub mod forget;
pub mod graphql;
pub mod ingest;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod office;
pub mod outbox;
pub mod providers;
pub mod remote;
pub mod request_id;
pub mod scenario;
pub mod server;
pub mod timers;
