//! Read models about the books.

pub mod shares;
pub mod trial_balance;
