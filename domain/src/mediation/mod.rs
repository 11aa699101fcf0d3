//! From raw lines to usage records: reading formats, identity, duplicates, intake.

mod batch;
pub mod formats;
mod intake;

pub use batch::{Batch, Command, Event};
pub use intake::{Intake, Received, UsageRecord};
