//! What the tests of the whole product share.

pub mod conformance;
pub mod faults;
pub mod samples;
