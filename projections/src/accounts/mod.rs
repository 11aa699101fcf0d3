//! Read models about accounts.

pub mod balances;
