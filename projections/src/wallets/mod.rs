//! Read models about wallets.

pub mod list;
pub mod spends;
