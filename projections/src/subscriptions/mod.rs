//! Read models about subscriptions and what they bring.

pub mod churn;
pub mod list;
pub mod mrr;
pub mod tcv;
