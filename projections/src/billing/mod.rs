//! Read models about bill runs.

pub mod runs;
