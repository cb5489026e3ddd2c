//! `tessera rules`: the rule language's tools, which here can read a catalog and deal visitors into buckets.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use rulec::command::{Catalog, Host};
use tessera_control::source::{self, ForRules};
use tessera_engine_core::hash::{bucket, sticky_key};

/// Runs the tools with the arguments that follow `rules`.
pub(crate) fn run(arguments: Vec<OsString>) -> ExitCode {
    let bucket_of = |salt: &str, user: &str| bucket(salt, sticky_key(user));
    let host = Host { program: "tessera rules", catalog: Some(&catalog), bucket: Some(&bucket_of) };
    rulec::command::run(host, std::iter::once(OsString::from("rules")).chain(arguments))
}

fn catalog(path: &Path) -> Result<Catalog, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    let read = source::for_rules(&text).map_err(|problem| format!("`{}`: {problem}", path.display()))?;
    let ForRules { names, extras, segments } = read;
    Ok(Catalog { names, extras, segments })
}
