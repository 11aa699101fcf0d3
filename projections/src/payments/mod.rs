//! Read models about payments.

pub mod list;
