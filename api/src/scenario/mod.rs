//! Scenarios: a text file says what happens to an account day by day and what must come of it.
//!
//! It is how a price list is tried before it goes live, and how the engine is held to its numeric cases: the steps run
//! through the same commands as the API, on an in-memory log with a movable clock. The format is described in
//! `docs/scenarios.md`; [`ast`] is that page as types, [`parse`] reads it.

mod allowances;
pub mod ast;
mod expect;
mod folios;
mod invoicing;
mod life;
pub mod parse;
mod prepaid;
mod reductions;
mod reratings;
pub mod run;
mod setting;
mod steps;
mod structure;
mod words;

pub use ast::Scenario;
pub use parse::{Mistake, parse};
pub use run::{Outcome, run_file};
