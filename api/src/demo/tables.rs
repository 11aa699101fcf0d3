//! tmp
pub fn print() {}
