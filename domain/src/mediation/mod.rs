//! From raw lines to usage records: reading formats, identity, duplicates, intake.

pub mod batch;
pub mod formats;
mod intake;
mod sealing;

pub use batch::{
    Batch, Command, Conflict, Continued, Event, Held, Listed, Refused, Replaced, Settled,
    Superseded, Unreadable,
};
pub use intake::{
    BATCH_BYTES_MAX, IN_PARTS, Intake, Key, LINES_MAX, Received, UsageRecord, half, is_of,
};
pub use sealing::{Sealer, access_hash, record_from};
