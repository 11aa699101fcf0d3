//! `indelible demo`.

pub mod generator;
mod random;
mod sample;
