//! Commands that do one thing and end, and the ones that serve.

pub(crate) mod analytics;
pub(crate) mod build;
pub(crate) mod evaluate;
pub(crate) mod key;
pub(crate) mod keygen;
pub(crate) mod preview;
pub(crate) mod probe;
pub(crate) mod replay;
pub(crate) mod rules;
pub(crate) mod serve;
pub(crate) mod simulate;

use std::io::Write;

/// Prints a line to standard output. A closed pipe ends the output, not the program.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line to standard error.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
