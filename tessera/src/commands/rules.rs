//! `tessera rules`: the rule language's tools, which here can read a catalog.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use tessera_control::source;

/// Runs the tools with the arguments that follow `rules`.
pub(crate) fn run(arguments: Vec<OsString>) -> ExitCode {
    let host = rulec::command::Host { program: "tessera rules", catalog: Some(&names) };
    rulec::command::run(host, std::iter::once(OsString::from("rules")).chain(arguments))
}

fn names(catalog: &Path) -> Result<rulec::Names, String> {
    let text = std::fs::read_to_string(catalog)
        .map_err(|error| format!("cannot read `{}`: {error}", catalog.display()))?;
    source::rule_names(&text).map_err(|problem| format!("`{}`: {problem}", catalog.display()))
}
