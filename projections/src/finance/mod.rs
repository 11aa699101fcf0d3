//! Read models about the books.

pub mod trial_balance;
