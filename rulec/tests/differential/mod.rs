//! Random programs on random rows through every back end: what `tests/backends.rs` does for a second and
//! `cargo xtask differential` for as long as it is told.
//!
//! Guarantees: everything is a function of the seed; the five answers come from code that shares only what they must
//! (the frame, the verified program); a difference is reduced to one condition and one row before it is told.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

pub mod compare;
pub mod random;
pub mod sqlite;
pub mod world;
