//! What the whole process does when something breaks: it is killed, fed junk, given damaged files, a full disk or a taken
//! port. Each test runs the real binary as a child process with directories and ports of its own, and speaks HTTP to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod support;

mod access;
mod auctions;
mod bad_files;
mod bad_requests;
mod bundles;
mod eligibility;
mod full_disk;
mod http2;
mod kill;
mod learning;
mod metrics;
mod overload;
mod rude_clients;
mod segment;
mod start;
mod store;
mod visitors;
mod weather;
