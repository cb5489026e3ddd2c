//! `rulec check`: everything that is wrong, and an exit code for CI.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{FINDINGS, FormatName, Host, complain, print, sources};
use crate::diagnostic::Severity;
use crate::{compile_and_analyse, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rule files, or directories that hold some
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Catalog whose names the rules may use; else the names they use are taken for granted
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// Fail on these too
    #[arg(long, value_parser = ["warnings"])]
    deny: Option<String>,
    /// How diagnostics are written
    #[arg(long, value_enum, default_value = "text")]
    format: FormatName,
}

pub(super) fn run(host: Host<'_>, args: &Args) -> Result<ExitCode, String> {
    let files = sources::read(&args.paths)?;
    let catalog = sources::catalog(host, args.catalog.as_deref(), &files)?;
    let diagnostics = match compile_and_analyse(&files, &catalog.names, &catalog.extras) {
        Ok(mut compiled) => {
            catalog.segments.iter().for_each(|segment| compiled.mark_segment_used(segment));
            compiled.warnings
        }
        Err(diagnostics) => diagnostics,
    };
    print(&report::render(&diagnostics, &files, args.format.into()));
    let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    if !diagnostics.is_empty() {
        complain(&format!("{errors} errors, {warnings} warnings"));
    }
    let fails = errors > 0 || (warnings > 0 && args.deny.is_some());
    Ok(if fails { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
}
