//! The `rulec` command, which is also `tessera rules`: the one part of this crate that reads files and talks.
//!
//! Exit codes: 0 when all is well, 1 when there is something to look at (errors, failing tests, files to format, warnings
//! under `--deny warnings`), 2 when the command itself could not be understood or a file not be read.

mod check;
mod fmt;
mod lsp;
mod sources;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::Names;
use crate::report::Format;

/// Reads the names of a catalog; the error is for people.
pub type CatalogReader<'a> = &'a dyn Fn(&Path) -> Result<Names, String>;

/// Who runs the command.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// How the command is called.
    pub program: &'static str,
    /// How `--catalog` files are read; `None` where that is not known.
    pub catalog: Option<CatalogReader<'a>>,
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
    /// Tell what a diagnostic code means
    Explain {
        /// The code, such as E020
        code: String,
    },
    /// Speak the language server protocol on standard input and output
    Lsp {
        /// Catalog whose names the rules may use; else the names they use are taken for granted
        #[arg(long)]
        catalog: Option<PathBuf>,
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
        Command::Explain { code } => explain_code(&code),
        Command::Lsp { catalog } => lsp::run(host, catalog.as_deref()),
    };
    match outcome {
        Ok(code) => code,
        Err(message) => {
            complain(&format!("error: {message}"));
            ExitCode::from(USAGE)
        }
    }
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

/// Prints a line. A reader who has gone away is no error of ours.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints text as it is.
fn print(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
