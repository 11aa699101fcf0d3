//! Read models about dunning.

pub mod board;
