//! `rulec build`: rule files to a program file.

use std::path::PathBuf;
use std::process::ExitCode;

use tessera_wire::codec;

use super::{FINDINGS, Host, complain, print, say, sources};
use crate::{compile, report};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file holds the program and its source map, as bundles do, and nothing of the catalog. \
    `tessera build` makes whole bundles, which engines load."
)]
pub(super) struct Args {
    /// Rule files, or directories that hold some
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Catalog whose names the rules may use; else the names they use are taken for granted, and the program fits no catalog
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// The program file to write
    #[arg(short, long)]
    output: PathBuf,
}

pub(super) fn run(host: Host<'_>, args: &Args) -> Result<ExitCode, String> {
    let files = sources::read(&args.paths)?;
    let catalog = sources::catalog(host, args.catalog.as_deref(), &files)?;
    let mut compiled = match compile(&files, &catalog.names, &catalog.extras) {
        Ok(compiled) => compiled,
        Err(diagnostics) => {
            print(&report::render(&diagnostics, &files, report::Format::Text));
            complain(&format!("`{}` was not written", args.output.display()));
            return Ok(ExitCode::from(FINDINGS));
        }
    };
    catalog.segments.iter().for_each(|segment| compiled.mark_segment_used(segment));
    complain(report::render(&compiled.warnings, &files, report::Format::Text).trim_end());
    let bytes = codec::encode(&(&compiled.program, &compiled.source, &compiled.source.spans));
    sources::write(&args.output, &bytes)?;
    let rules = compiled.source.rules.len();
    say(&format!("{}: {} bytes, {rules} rules", args.output.display(), bytes.len()));
    Ok(ExitCode::SUCCESS)
}
