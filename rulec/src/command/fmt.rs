//! `rulec fmt`: rule files in the one layout.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{FINDINGS, complain, say, sources};
use crate::fmt::format;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rule files, or directories that hold some
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Change nothing; name the files that would change and fail if there are any
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let mut code = ExitCode::SUCCESS;
    for file in sources::read(&args.paths)? {
        match format(&file) {
            Ok(text) if text == file.text => {}
            Ok(_) if args.check => {
                say(&format!("{} is not formatted", file.path));
                code = ExitCode::from(FINDINGS);
            }
            Ok(text) => {
                let written = std::fs::write(&file.path, text);
                written.map_err(|error| format!("cannot write `{}`: {error}", file.path))?;
            }
            Err(diagnostics) => {
                let rendered = diagnostics.iter().map(|one| one.render(std::slice::from_ref(&file)));
                complain(&rendered.collect::<String>());
                code = ExitCode::from(FINDINGS);
            }
        }
    }
    Ok(code)
}
