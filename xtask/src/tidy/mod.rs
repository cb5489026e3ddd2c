//! House rules that a machine can check: shape of sources, manifests, documents.
//!
//! [`check`] reads the repository and returns every broken rule with its place, sorted, so that one run shows all there is
//! to do. It is also a test (`xtask/tests/tidy.rs`), so `cargo test --workspace` covers it.
//!
//! Cost: reads and tokenises every source once; well under a second. Not here: edges between crates (`crate::layers`),
//! licences of dependencies (`crate::licences`), formatting and lints (rustfmt, clippy).

pub mod documents;
pub mod files;
pub mod manifests;
pub mod ratchet;
pub mod scan;
pub mod sources;

use std::fmt;
use std::path::Path;

use anyhow::Context as _;

use self::ratchet::Ratchet;

/// Where known exceptions are listed.
pub const RATCHET_FILE: &str = "xtask/ratchet.toml";

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, relative to the repository.
    pub path: String,
    /// The line; 0 when the whole file is meant.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem of a line, or of a whole file when `line` is 0.
    pub fn new(path: &str, line: usize, message: impl Into<String>) -> Problem {
        Problem { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.path, self.message),
            line => write!(formatter, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Checks the repository at `root`.
///
/// # Errors
/// When the repository cannot be read; broken rules are the value, not an error.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let files = files::read(root)?;
    let text = std::fs::read_to_string(root.join(RATCHET_FILE))
        .with_context(|| format!("cannot read {RATCHET_FILE}"))?;
    let ratchet = Ratchet::parse(&text).with_context(|| format!("cannot understand {RATCHET_FILE}"))?;
    let mut problems = Vec::new();
    let sizes = sources::check(&files, &mut problems);
    ratchet.check(&sizes, &mut problems);
    let members = manifests::check(&files, &mut problems);
    documents::check(root, &files, &members, &mut problems);
    problems.sort();
    Ok(problems)
}
