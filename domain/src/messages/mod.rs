//! Messages to customers: what is to be said to whom, and what became of it.

mod channel;

pub use channel::Channel;
