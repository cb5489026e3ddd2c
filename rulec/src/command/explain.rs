//! `rulec explain`: what a code means, or what a rule says of a visitor.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{FINDINGS, Host, Output, complain, now_ms, print, say, sources};
use crate::explain::{Case, Refusal, Visitor, json, text};
use crate::limits::CRITERIA_BYTES_MAX;
use crate::report;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A diagnostic code such as E020; with --rule: rule files, or directories that hold some
    #[arg(required = true)]
    subjects: Vec<PathBuf>,
    /// The rule to explain
    #[arg(long, requires = "event")]
    rule: Option<String>,
    /// The visitor, as JSON: attributes and their values, consent, now, counts, buckets (docs/CRITERIA.md)
    #[arg(long, requires = "rule")]
    event: Option<PathBuf>,
    /// Catalog whose names the rules may use; else the names they use are taken for granted
    #[arg(long, requires = "rule")]
    catalog: Option<PathBuf>,
    /// Show values that need consent too
    #[arg(long, requires = "rule")]
    show_values: bool,
    /// How the explanation is written
    #[arg(long, value_enum, default_value = "text", requires = "rule")]
    format: Output,
}

pub(super) fn run(host: Host<'_>, args: &Args) -> Result<ExitCode, String> {
    match (&args.rule, &args.event) {
        (Some(rule), Some(event)) => explain_rule(host, args, rule, event),
        _ => match args.subjects.as_slice() {
            [code] => explain_code(&code.to_string_lossy()),
            _ => Err("one code at a time; to explain a rule, say --rule and --event".to_owned()),
        },
    }
}

fn explain_rule(host: Host<'_>, args: &Args, rule: &str, event: &Path) -> Result<ExitCode, String> {
    let files = sources::read(&args.subjects)?;
    let catalog = sources::catalog(host, args.catalog.as_deref(), &files)?;
    let json_text = sources::read_text(event, CRITERIA_BYTES_MAX)?;
    let visitor = Visitor { json: &json_text, now_ms: now_ms(), bucket: host.bucket };
    let case = match Case::read(&files, &catalog.names, visitor) {
        Ok(case) => case,
        Err(Refusal::Rules(diagnostics)) => {
            complain(&report::render(&diagnostics, &files, report::Format::Text));
            return Ok(ExitCode::from(FINDINGS));
        }
        Err(Refusal::Visitor(findings)) => {
            findings.iter().for_each(|finding| complain(finding.rendered.trim_end()));
            return Ok(ExitCode::from(FINDINGS));
        }
    };
    let explanation = case.explain(rule).map_err(|error| error.to_string())?;
    match args.format {
        Output::Text => print(&text(&explanation, args.show_values)),
        Output::Json => say(&format!("{:#}", json(&explanation, args.show_values))),
    }
    Ok(ExitCode::SUCCESS)
}

fn explain_code(text: &str) -> Result<ExitCode, String> {
    let wanted = text.to_uppercase();
    let Some(entry) = crate::REGISTRY.iter().find(|entry| entry.code.to_string() == wanted) else {
        let codes: Vec<String> = crate::REGISTRY.iter().map(|entry| entry.code.to_string()).collect();
        let near = crate::nearest(&wanted, codes.iter().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        return Err(format!("there is no diagnostic code `{text}`{hint}"));
    };
    say(&format!(
        "{}: {}\n\n{}\n\nExample:\n    {}",
        entry.code, entry.title, entry.explanation, entry.example
    ));
    Ok(ExitCode::SUCCESS)
}
