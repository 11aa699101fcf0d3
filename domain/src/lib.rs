//! The rules of billing, pure: commands and states in, facts or a refusal out.
//!
//! No async, no I/O, no clock, no randomness, no floats. Time, ids and prices come in with the command.
//! Start at `docs/tour.md`; every noun here has a folder of the same name in the other crates.

pub mod accounts;
pub mod advances;
pub mod audit;
pub mod bank;
mod berths;
pub mod cash;
pub mod catalog;
pub mod charges;
pub mod collections;
pub mod command;
pub mod commitments;
pub mod contracts;
pub mod counters;
pub mod discounts;
pub mod drafts;
pub mod dunning;
pub mod entities;
pub mod entitlements;
pub mod exchange;
pub mod expressions;
pub mod fields;
pub mod index;
pub mod invoices;
pub mod invoicing;
pub mod journal;
pub mod kernel;
pub mod lineage;
pub mod mediation;
pub mod messages;
pub mod methods;
pub mod milestones;
pub mod operations;
pub mod past;
pub mod payments;
pub mod processes;
pub mod rating;
pub mod receivables;
pub mod reratings;
pub mod reservations;
pub mod runs;
pub mod session;
pub mod shares;
pub mod subscriptions;
mod table;
pub mod taxes;
pub mod usage;
pub mod wallets;
pub mod world;

pub use command::{Command, Outcome};
pub use kernel::{Recorded, Rejection};
pub use session::{Session, Staged};
pub use world::{Event, World};

/// Version of the rules that turn usage into amounts; recorded with every rating result.
pub const ENGINE: &str = "rating-1";
