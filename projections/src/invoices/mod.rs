//! Read models about documents.

pub mod list;
