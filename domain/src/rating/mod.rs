//! Rating: from a quantity to an exact amount, and from a usage record to a charge.

pub mod groups;
pub mod levels;
pub mod measured;
pub mod names;
pub mod parts;
pub mod price;
pub mod quote;
pub mod record;
pub mod tally;

pub use groups::{Period, carried_in};
pub use levels::{Carried, CarriedIn, Over, Steps, Stretch};
pub use measured::measured;
pub use quote::{Quote, quote};
pub use record::{Place, place};
pub use tally::Tally;
