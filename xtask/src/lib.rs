//! Project chores: what a machine can check and record about this repository.
//!
//! `cargo xtask ci` runs every check in order, `cargo xtask tidy` the house rules alone, `cargo xtask differential` compares
//! the back ends of the rule language, and `cargo xtask record` measures and writes a result to `benches/record/`. Checks
//! are also tests, so that `cargo test --workspace` misses none of them.
//!
//! Not here: anything that ships.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to a terminal")]

pub mod ci;
pub mod differential;
pub mod layers;
pub mod licences;
pub mod metadata;
pub mod record;
pub mod tidy;

use std::path::{Path, PathBuf};

/// The repository that this program was built in.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}
