//! Dunning: policies and cases.

mod case;
pub mod policy;

pub use case::{Case, Command, Event};
pub use policy::Policy;
