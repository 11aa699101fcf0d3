//! Whole journeys over HTTP, against one server per test, with a clock that only the test moves.

mod backup;
mod bank;
mod billing;
mod bounces;
mod collections;
mod command_line;
mod custom_fields;
mod debits;
mod edge;
mod forgetting;
mod http;
mod log;
mod messages;
mod money;
mod proofs;
mod receivables;
mod reports;
mod reservations;
mod shop;
mod steering;
mod stripe;
mod stripe_stand_in;
mod tenants;
mod travelled;
mod usage;
mod wallets;
