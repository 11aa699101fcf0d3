//! Read models about wallets.

pub mod list;
