//! Rating: from a quantity to an exact amount, and from a usage record to a charge.

pub mod price;
pub mod record;
pub mod tally;

pub use record::{Place, place};
pub use tally::Tally;
