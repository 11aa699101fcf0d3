//! Payment providers: one port, and the providers behind it.
//!
//! A gateway moves money when it is told to, and says what became of it. It decides nothing: what is collected, when, and
//! what follows from the answer is decided by the domain, and the intent is in the log before a gateway is called.

pub mod collector;
pub mod direct_debit;
mod port;
pub mod stripe;
pub mod test_gateway;

pub use collector::{Books, Collector, Turn};
pub use direct_debit::DirectDebit;
pub use port::{Answer, Ask, Decline, Gateway, Gateways, Known, Return, key};
pub use test_gateway::TestGateway;
