//! From raw lines to usage records: reading formats, identity, duplicates, intake.

mod batch;
mod intake;
pub mod formats;

pub use batch::{Batch, Command, Event};
pub use intake::{Intake, Received, UsageRecord};
