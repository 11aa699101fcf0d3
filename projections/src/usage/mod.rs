//! Read models about usage.

pub mod completeness;
