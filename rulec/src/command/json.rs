//! `rulec json`: a segment as criteria, and criteria as text.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Host, Segment, say, sources};
use crate::json::{Criteria, Declarations};
use crate::limits::CRITERIA_BYTES_MAX;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rule files, or directories that hold some: they declare the attributes
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Write this segment as JSON criteria
    #[arg(long, required_unless_present = "from", conflicts_with = "from")]
    segment: Option<String>,
    /// Write the criteria in this file as text
    #[arg(long)]
    from: Option<PathBuf>,
    /// Catalog whose names the rules may use; else the names they use are taken for granted
    #[arg(long)]
    catalog: Option<PathBuf>,
}

pub(super) fn run(host: Host<'_>, args: &Args) -> Result<ExitCode, String> {
    let files = sources::read(&args.paths)?;
    let catalog = sources::catalog(host, args.catalog.as_deref(), &files)?;
    if let Some(name) = &args.segment {
        return Ok(match Segment::find(&files, &catalog.names, name)? {
            Ok(segment) => {
                say(&segment.criteria.to_json());
                ExitCode::SUCCESS
            }
            Err(code) => code,
        });
    }
    let Some(from) = &args.from else { return Err("say --segment or --from".to_owned()) };
    let json = sources::read_text(from, CRITERIA_BYTES_MAX)?;
    let declarations = Declarations { files: &files, names: &catalog.names };
    Ok(match Criteria::from_json(&json, declarations) {
        Ok(criteria) => {
            say(&criteria.to_text());
            ExitCode::SUCCESS
        }
        Err(findings) => super::refuse(&findings),
    })
}
