//! Read models over logs that commands made.

mod figures;
mod machinery;
mod revenue;
mod script;
