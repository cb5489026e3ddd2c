//! `rulec sql`: a segment as the condition of a statement.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{Host, Output, Segment, say, sources};
use crate::hir::Signal;
use crate::sql::{Columns, Consent, Dialect, Identifier, Parameter, Query, where_clause};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rule files, or directories that hold some
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The segment
    #[arg(long)]
    segment: String,
    /// Whose SQL
    #[arg(long, value_enum)]
    dialect: DialectName,
    /// Name or alias of the table in the statement
    #[arg(long, default_value = "profiles")]
    table: String,
    /// Where an attribute is found, such as device.type=device; else its name with `_` for dots
    #[arg(long, value_name = "ATTRIBUTE=COLUMN")]
    column: Vec<String>,
    /// Column with the bits of granted consent; else the table has only values that may be used
    #[arg(long, value_name = "COLUMN")]
    consent_column: Option<String>,
    /// Catalog whose names the rules may use; else the names they use are taken for granted
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// How the condition is written
    #[arg(long, value_enum, default_value = "text")]
    format: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DialectName {
    Sqlite,
    Postgres,
}

pub(super) fn run(host: Host<'_>, args: &Args) -> Result<ExitCode, String> {
    let files = sources::read(&args.paths)?;
    let catalog = sources::catalog(host, args.catalog.as_deref(), &files)?;
    let segment = match Segment::find(&files, &catalog.names, &args.segment)? {
        Ok(segment) => segment,
        Err(code) => return Ok(code),
    };
    let compiled = match segment.criteria.compile(&args.segment) {
        Ok(compiled) => compiled,
        Err(findings) => return Ok(super::refuse(&findings)),
    };
    let columns = columns(args, &compiled.signals)?;
    let dialect = match args.dialect {
        DialectName::Sqlite => Dialect::Sqlite,
        DialectName::Postgres => Dialect::Postgres,
    };
    let query = where_clause(dialect, &columns, &compiled.signals, &compiled.condition);
    let query = query.map_err(|error| error.to_string())?;
    match args.format {
        Output::Text => say_text(&query, dialect),
        Output::Json => say(&format!("{:#}", json_of(&query))),
    }
    Ok(ExitCode::SUCCESS)
}

fn columns(args: &Args, signals: &[Signal]) -> Result<Columns, String> {
    let identifier = |name: &str| Identifier::new(name).map_err(|error| error.to_string());
    let consent = match &args.consent_column {
        Some(column) => Consent::Column(identifier(column)?),
        None => Consent::LeftOut,
    };
    let mut columns = Columns::new(identifier(&args.table)?, consent);
    let mut given = Vec::new();
    for pair in &args.column {
        let (attribute, column) =
            pair.split_once('=').ok_or_else(|| format!("`{pair}` is not ATTRIBUTE=COLUMN"))?;
        given.push((attribute, identifier(column)?));
    }
    for signal in signals {
        let name = signal.attribute.name.as_str();
        let known = given.iter().find(|(attribute, _)| *attribute == name).map(|(_, column)| column.clone());
        // What has no plain name, such as a count, needs a column of its own: the statement says which is missing.
        let column = known.or_else(|| Identifier::new(&name.replace('.', "_")).ok());
        if let Some(column) = column {
            columns = columns.with(name, column);
        }
    }
    Ok(columns)
}

fn say_text(query: &Query, dialect: Dialect) {
    say(&query.text);
    let sign = if dialect == Dialect::Sqlite { '?' } else { '$' };
    for (parameter, number) in query.parameters.iter().zip(1..) {
        say(&format!("-- {sign}{number} = {}", parameter_text(parameter)));
    }
}

/// As SQL writes it, in one line.
fn parameter_text(parameter: &Parameter) -> String {
    let one_line = |text: &str| Value::from(text).to_string();
    match parameter {
        Parameter::Integer(value) => value.to_string(),
        Parameter::Text(text) => one_line(text),
        Parameter::Bytes(bytes) => format!("x'{}'", hex(bytes)),
        Parameter::Texts(texts) => json!(texts).to_string(),
        Parameter::Now { minus_ms: 0 } => "now in unix milliseconds".to_owned(),
        Parameter::Now { minus_ms } => format!("now in unix milliseconds, minus {minus_ms}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn json_of(query: &Query) -> Value {
    let parameters = query.parameters.iter().map(|parameter| match parameter {
        Parameter::Integer(value) => json!({ "integer": value }),
        Parameter::Text(text) => json!({ "text": text }),
        Parameter::Bytes(bytes) => json!({ "bytes": hex(bytes) }),
        Parameter::Texts(texts) => json!({ "texts": texts }),
        Parameter::Now { minus_ms } => json!({ "now_minus_ms": minus_ms }),
    });
    json!({ "where": query.text, "parameters": parameters.collect::<Vec<Value>>() })
}
