//! The `rulec` command, which is also `tessera rules`: the one part of this crate that reads files and talks.
//!
//! Exit codes: 0 when all is well, 1 when there is something to look at (errors, failing tests, files to format, warnings
//! under `--deny warnings`), 2 when the command itself could not be understood or a file not be read.

mod build;
mod check;
mod explain;
mod fmt;
mod json;
mod lsp;
mod sources;
mod sql;
mod test;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::explain::BucketOf;
use crate::json::{Criteria, Declarations, Finding};
use crate::report::Format;
use crate::{Extra, Names};

/// What a catalog means to rules.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Names that rules may use.
    pub names: Names,
    /// Attributes and words that its models look at.
    pub extras: Vec<Extra>,
    /// Segments that its models look at: they are in use, whatever the rules say.
    pub segments: Vec<String>,
}

/// Reads a catalog; the error is for people.
pub type CatalogReader<'a> = &'a dyn Fn(&Path) -> Result<Catalog, String>;

/// Who runs the command.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// How the command is called.
    pub program: &'static str,
    /// How `--catalog` files are read; `None` where that is not known.
    pub catalog: Option<CatalogReader<'a>>,
    /// How visitors are dealt into buckets; `None` where that is not known.
    pub bucket: Option<BucketOf<'a>>,
}

/// The rule language's tools.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Report everything that is wrong with rule files
    Check(check::Args),
    /// Bring rule files into the one layout
    Fmt(fmt::Args),
    /// Run the test blocks, and tell what they cover
    Test(test::Args),
    /// Tell what a diagnostic code means, or why a rule applies to a visitor or does not
    Explain(explain::Args),
    /// Write a segment as SQL
    Sql(sql::Args),
    /// Write a segment as JSON criteria, or criteria as text
    Json(json::Args),
    /// Compile rule files to a program file (`tessera build` makes whole bundles)
    Build(build::Args),
    /// Speak the language server protocol on standard input and output
    Lsp {
        /// Catalog whose names the rules may use; else the names they use are taken for granted
        #[arg(long)]
        catalog: Option<PathBuf>,
        /// Visitors, one JSON object a line (docs/CRITERIA.md); hovering tells what share of them a segment or rule matches
        #[arg(long)]
        sample: Option<PathBuf>,
    },
}

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Text,
    Json,
    Sarif,
    Github,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Format {
        match name {
            FormatName::Text => Format::Text,
            FormatName::Json => Format::Json,
            FormatName::Sarif => Format::Sarif,
            FormatName::Github => Format::Github,
        }
    }
}

/// What is to be looked at.
const FINDINGS: u8 = 1;
/// The command could not do its work.
const USAGE: u8 = 2;

/// Runs the command with these arguments, the first being the program's name.
pub fn run(host: Host<'_>, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(first) = arguments.first_mut() {
        *first = host.program.into();
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap knows where each is written.
            let is_error = error.use_stderr();
            let _ = error.print();
            return if is_error { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = match cli.command {
        Command::Check(args) => check::run(host, &args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Test(args) => test::run(host, &args),
        Command::Explain(args) => explain::run(host, &args),
        Command::Sql(args) => sql::run(host, &args),
        Command::Json(args) => json::run(host, &args),
        Command::Build(args) => build::run(host, &args),
        Command::Lsp { catalog, sample } => lsp::run(host, catalog.as_deref(), sample.as_deref()),
    };
    match outcome {
        Ok(code) => code,
        Err(message) => {
            complain(&format!("error: {message}"));
            ExitCode::from(USAGE)
        }
    }
}

/// A segment as a condition of its own.
struct Segment {
    criteria: Criteria,
}

impl Segment {
    /// The segment of this name; when its files are wrong, that is told and the exit code comes back.
    fn find(
        files: &[crate::SourceFile],
        names: &Names,
        name: &str,
    ) -> Result<Result<Segment, ExitCode>, String> {
        // The files are checked whole, so that mistakes are shown where they are.
        if let Err(diagnostics) = crate::typed(files, names, &[]) {
            complain(crate::report::render(&diagnostics, files, Format::Text).trim_end());
            return Ok(Err(ExitCode::from(FINDINGS)));
        }
        let segments = crate::editor::segments(files);
        let Some((_, text)) = segments.iter().find(|(known, _)| known == name) else {
            let near = crate::nearest(name, segments.iter().map(|(known, _)| known.as_str()));
            let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            return Err(format!("there is no segment `{name}`{hint}"));
        };
        let declarations = Declarations { files, names };
        Ok(Criteria::from_text(text, declarations)
            .map(|criteria| Segment { criteria })
            .map_err(|findings| refuse(&findings)))
    }
}

/// Tells what is wrong with criteria.
fn refuse(findings: &[Finding]) -> ExitCode {
    findings.iter().for_each(|finding| complain(finding.rendered.trim_end()));
    ExitCode::from(FINDINGS)
}

/// Prints a line. A reader who has gone away is no error of ours.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints text as it is.
fn print(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}

fn complain(text: &str) {
    if text.is_empty() {
        return;
    }
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Unix milliseconds.
fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    now.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}
