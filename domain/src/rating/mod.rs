//! Rating: from a quantity to an exact amount, and from a usage record to a charge.

pub mod price;
