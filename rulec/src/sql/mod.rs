//! Conditions as SQL, for segments over a table of profiles that somebody else keeps.
//!
//! [`where_clause`] turns a typed condition into an expression with numbered parameters, for SQLite or PostgreSQL. A row is
//! selected exactly when the condition is true in Kleene's logic, which is SQL's own: a missing value is `NULL`, and
//! whatever SQL would turn into *false* by itself (`EXISTS`, an empty list) stands behind a guard that keeps it `NULL`.
//!
//! Guarantees: values are parameters, never text; identifiers come from [`Columns`] and are checked and quoted; a signal
//! whose consent a row does not have is `NULL` in it; the expression is at most as deep as the condition, however long its
//! lists are. Time enters as a parameter ([`Parameter::Now`]), so a prepared statement stays right.
//!
//! What the columns hold:
//!
//! | kind of attribute | SQLite | PostgreSQL |
//! | --- | --- | --- |
//! | bool | `INTEGER` 0 or 1 | `boolean`, or an integer 0 or 1 |
//! | number, percent, money | `INTEGER`, scaled by 1,000,000 | `bigint`, the same |
//! | time, duration | `INTEGER`, (unix) milliseconds | `bigint`, the same |
//! | version | `INTEGER`, see [`tessera_wire::signal::version`] | `bigint`, the same |
//! | text | `TEXT` in the form of [`tessera_rulevm::canonical`] | `text` with a deterministic collation, the same |
//! | set | `TEXT` with a JSON array of such texts | `text[]` |
//! | consent | `INTEGER`, the bits of [`tessera_wire::signal::Gates`] | `bigint`, the same |
//!
//! SQLite databases must be encoded in UTF-8, which is the default. Cost: linear in the condition. Not here: running it.

mod render;

use std::collections::BTreeMap;

use crate::hir::{Condition, Signal};

/// Whose SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.38 or newer, with its JSON functions. Parameters are `?1`, `?2`, …
    Sqlite,
    /// PostgreSQL 12 or newer. Parameters are `$1`, `$2`, …
    Postgres,
}

/// A name of a table or column that may stand in SQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier(String);

impl Identifier {
    /// Bytes that both dialects keep of an identifier.
    const BYTES_MAX: usize = 63;

    /// Checks a name: letters, digits and `_`, not starting with a digit.
    ///
    /// # Errors
    /// [`SqlError::BadIdentifier`] for anything else.
    pub fn new(name: &str) -> Result<Identifier, SqlError> {
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let starts_right = name.bytes().next().is_some_and(is_letter);
        let is_right = name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit());
        if starts_right && is_right && name.len() <= Identifier::BYTES_MAX {
            Ok(Identifier(name.to_owned()))
        } else {
            Err(SqlError::BadIdentifier { name: name.to_owned() })
        }
    }
}

/// How the table knows what may be used of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// Whoever fills the table leaves out what may not be used.
    LeftOut,
    /// This column holds the open gates; `NULL` stands for none.
    Column(Identifier),
}

/// Where the signals of a condition are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    table: Identifier,
    consent: Consent,
    by_signal: BTreeMap<String, Identifier>,
}

impl Columns {
    /// No columns yet. `table` is the table's name or alias in the statement: every column is written with it, so that a
    /// column that does not exist is an error and never a text.
    pub fn new(table: Identifier, consent: Consent) -> Columns {
        Columns { table, consent, by_signal: BTreeMap::new() }
    }

    /// The signal of this name, such as `device.type`, is in this column.
    #[must_use]
    pub fn with(mut self, signal: &str, column: Identifier) -> Columns {
        self.by_signal.insert(signal.to_owned(), column);
        self
    }
}

/// A value to be bound.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// A 64-bit integer.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes (SQLite only).
    Bytes(Vec<u8>),
    /// An array of texts (PostgreSQL only).
    Texts(Vec<String>),
    /// The time of the question minus this many milliseconds, as a 64-bit integer: see [`Parameter::at`].
    Now {
        /// How far back.
        minus_ms: i64,
    },
}

impl Parameter {
    /// The parameter as it is bound at `now_ms`: [`Parameter::Now`] becomes an integer.
    #[must_use]
    pub fn at(&self, now_ms: i64) -> Parameter {
        match self {
            Parameter::Now { minus_ms } => Parameter::Integer(now_ms.saturating_sub(*minus_ms)),
            other => other.clone(),
        }
    }
}

/// An expression for `WHERE`, and what its parameters are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The expression.
    pub text: String,
    /// The first stands for `?1` or `$1`.
    pub parameters: Vec<Parameter>,
}

/// The condition cannot be asked for in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlError {
    /// Not a plain name.
    BadIdentifier {
        /// What was given.
        name: String,
    },
    /// The condition reads a signal that no column holds.
    NoColumn {
        /// Name of the signal.
        signal: String,
    },
    /// A text has a character that databases cannot hold or compare.
    NulInText {
        /// Name of the signal it is compared with.
        signal: String,
    },
    /// More parameters than a statement can have.
    TooManyParameters {
        /// How many may be.
        max: usize,
    },
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SqlError::BadIdentifier { name } => {
                write!(
                    formatter,
                    "`{}` is not a plain name: letters, digits and `_`, at most 63",
                    name.escape_debug()
                )
            }
            SqlError::NoColumn { signal } => write!(formatter, "no column holds `{signal}`"),
            SqlError::NulInText { signal } => {
                write!(formatter, "a text compared with `{signal}` contains a NUL character")
            }
            SqlError::TooManyParameters { max } => {
                write!(formatter, "the condition needs more than {max} parameters")
            }
        }
    }
}

impl std::error::Error for SqlError {}

/// The expression that is true exactly for the rows that satisfy `condition`. `signals` are those it was typed with.
///
/// # Errors
/// When a signal has no column, a text cannot be held, or a statement cannot have as many parameters.
pub fn where_clause(
    dialect: Dialect,
    columns: &Columns,
    signals: &[Signal],
    condition: &Condition,
) -> Result<Query, SqlError> {
    render::query(dialect, columns, signals, condition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_identifiers() {
        for good in ["a", "_a9", "Profile", "x".repeat(63).as_str()] {
            assert!(Identifier::new(good).is_ok(), "{good}");
        }
        for bad in ["", "9a", "a b", "a\"b", "a.b", "a;--", "ä", "a\0", "x".repeat(64).as_str()] {
            assert!(matches!(Identifier::new(bad), Err(SqlError::BadIdentifier { .. })), "{bad:?}");
        }
    }

    #[test]
    fn the_time_is_resolved_when_it_is_bound() {
        assert_eq!(Parameter::Now { minus_ms: 5 }.at(12), Parameter::Integer(7));
        assert_eq!(Parameter::Now { minus_ms: i64::MAX }.at(-9), Parameter::Integer(i64::MIN));
        assert_eq!(Parameter::Text("a".into()).at(1), Parameter::Text("a".into()));
    }
}
