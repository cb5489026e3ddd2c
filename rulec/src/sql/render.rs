//! The expression itself.
//!
//! Every part is written so that it can stand under any operator: in parentheses, or as `CASE … END`. Lists of `AND` and
//! `OR` are split in halves, because databases limit the depth of expressions, not their length.

use std::collections::{BTreeSet, HashMap};

use tessera_wire::signal::{Gates, Kind};

use super::{Columns, Consent, Dialect, Parameter, Query, SqlError};
use crate::hir::{Check, Condition, Signal, Test};

/// Parameters that a statement can have in both dialects.
const PARAMETERS_MAX: usize = 32_766;

pub(super) fn query(
    dialect: Dialect,
    columns: &Columns,
    signals: &[Signal],
    condition: &Condition,
) -> Result<Query, SqlError> {
    let (parameters, numbers) = (Vec::new(), HashMap::new());
    let mut writer = Writer { dialect, columns, signals, text: String::new(), parameters, numbers };
    writer.condition(condition)?;
    Ok(Query { text: writer.text, parameters: writer.parameters })
}

struct Writer<'a> {
    dialect: Dialect,
    columns: &'a Columns,
    signals: &'a [Signal],
    text: String,
    parameters: Vec<Parameter>,
    /// Number of each parameter: equal values are bound once.
    numbers: HashMap<Parameter, usize>,
}

type Written = Result<(), SqlError>;

impl Writer<'_> {
    fn condition(&mut self, condition: &Condition) -> Written {
        match condition {
            Condition::Constant(value) => self.constant(*value),
            Condition::Test(test) => return self.test(test),
            Condition::Not(inner) => return self.around("(NOT ", inner, ")"),
            Condition::Definitely(inner) => return self.around("(", inner, " IS TRUE)"),
            Condition::Possibly(inner) => return self.around("(", inner, " IS NOT FALSE)"),
            Condition::And(parts) if parts.is_empty() => self.constant(true),
            Condition::Or(parts) if parts.is_empty() => self.constant(false),
            Condition::And(parts) => return self.halves(parts, " AND ", &mut Self::condition),
            Condition::Or(parts) => return self.halves(parts, " OR ", &mut Self::condition),
        }
        Ok(())
    }

    fn around(&mut self, before: &str, inner: &Condition, after: &str) -> Written {
        self.text.push_str(before);
        self.condition(inner)?;
        self.text.push_str(after);
        Ok(())
    }

    /// Not empty.
    fn halves<T>(
        &mut self,
        parts: &[T],
        join: &str,
        write: &mut impl FnMut(&mut Self, &T) -> Written,
    ) -> Written {
        if let [only] = parts {
            return write(self, only);
        }
        let (left, right) = parts.split_at(parts.len() / 2);
        self.text.push('(');
        self.halves(left, join, write)?;
        self.text.push_str(join);
        self.halves(right, join, write)?;
        self.text.push(')');
        Ok(())
    }

    fn constant(&mut self, value: bool) {
        self.text.push_str(if value { "TRUE" } else { "FALSE" });
    }

    fn test(&mut self, test: &Test) -> Written {
        let signal = self.signals.get(test.signal.0 as usize);
        let signal = signal.ok_or_else(|| SqlError::NoColumn { signal: format!("#{}", test.signal.0) })?;
        let value = self.value(signal)?;
        match &test.check {
            Check::Known => self.text.push_str(&format!("({value} IS NOT NULL)")),
            Check::InRanges(ranges) => {
                let bound = |bound: i64| Parameter::Integer(bound);
                return self.ranges(&value, ranges, bound);
            }
            Check::AgeInRanges(ages) => {
                // The older, the smaller; an end that is open stays open.
                let flip = |end: i64| match end {
                    i64::MAX => i64::MIN,
                    i64::MIN => i64::MAX,
                    end => end,
                };
                let values: Vec<(i64, i64)> =
                    ages.iter().rev().map(|(low, high)| (flip(*high), flip(*low))).collect();
                return self.ranges(&value, &values, |minus_ms| Parameter::Now { minus_ms });
            }
            Check::OneOf(words) => return self.one_of(signal, &value, words),
            Check::StartsWith(text) => return self.inside(signal, &value, text, Inside::Start),
            Check::EndsWith(text) => return self.inside(signal, &value, text, Inside::End),
            Check::Contains(text) => return self.inside(signal, &value, text, Inside::Anywhere),
            Check::AnyOf(words) => return self.set(signal, &value, words, Members::Any),
            Check::AllOf(words) => return self.set(signal, &value, words, Members::All),
            Check::OnlyOf(words) => return self.set(signal, &value, words, Members::Only),
        }
        Ok(())
    }

    /// The column, `NULL` where consent is missing, as a value of its kind.
    fn value(&mut self, signal: &Signal) -> Result<String, SqlError> {
        let attribute = &signal.attribute;
        let column = self.columns.by_signal.get(&attribute.name);
        let column = column.ok_or_else(|| SqlError::NoColumn { signal: attribute.name.clone() })?;
        let table = self.columns.table.0.clone();
        let mut value = format!("\"{table}\".\"{}\"", column.0);
        if attribute.kind == Kind::Bool && self.dialect == Dialect::Postgres {
            value = format!("CAST({value} AS int)");
        }
        if let (Consent::Column(gates), true) = (&self.columns.consent, attribute.gates != Gates::NONE) {
            let gates = format!("\"{table}\".\"{}\"", gates.0);
            let needed = self.parameter(Parameter::Integer(i64::from(attribute.gates.0)))?;
            value = format!("CASE WHEN ({gates} & {needed}) = {needed} THEN {value} END");
            value = format!("({value})");
        }
        Ok(value)
    }

    /// The value lies in one of the ranges, whose ends are `i64::MIN` and `i64::MAX` where they are open.
    fn ranges(&mut self, value: &str, ranges: &[(i64, i64)], bound: impl Fn(i64) -> Parameter) -> Written {
        if ranges.is_empty() {
            self.known_and(value, "FALSE");
            return Ok(());
        }
        self.halves(ranges, " OR ", &mut |writer: &mut Self, (low, high): &(i64, i64)| {
            let text = match (*low, *high) {
                (i64::MIN, i64::MAX) => {
                    writer.known_and(value, "TRUE");
                    return Ok(());
                }
                (i64::MIN, high) => format!("({value} <= {})", writer.parameter(bound(high))?),
                (low, i64::MAX) => format!("({value} >= {})", writer.parameter(bound(low))?),
                (low, high) if low == high => format!("({value} = {})", writer.parameter(bound(low))?),
                (low, high) => {
                    let (low, high) = (writer.parameter(bound(low))?, writer.parameter(bound(high))?);
                    format!("({value} BETWEEN {low} AND {high})")
                }
            };
            writer.text.push_str(&text);
            Ok(())
        })
    }

    /// `NULL` when the value is, else what the expression says.
    fn known_and(&mut self, value: &str, expression: &str) {
        self.text.push_str(&format!("(CASE WHEN {value} IS NOT NULL THEN {expression} END)"));
    }

    fn one_of(&mut self, signal: &Signal, value: &str, words: &[String]) -> Written {
        check_words(signal, words)?;
        let text = match (self.dialect, words) {
            (_, []) => {
                self.known_and(value, "FALSE");
                return Ok(());
            }
            (Dialect::Sqlite, [word]) => {
                format!("({value} COLLATE BINARY = {})", self.parameter(Parameter::Text(word.clone()))?)
            }
            (Dialect::Sqlite, _) => format!("({value} COLLATE BINARY IN {})", self.json_list(words)?),
            (Dialect::Postgres, [word]) => {
                format!("({value} = {})", self.parameter(Parameter::Text(word.clone()))?)
            }
            (Dialect::Postgres, _) => {
                format!("({value} = ANY ({}))", self.parameter(Parameter::Texts(words.to_vec()))?)
            }
        };
        self.text.push_str(&text);
        Ok(())
    }

    /// Prefix, suffix and substring without patterns, in which `%` and `_` would mean something else.
    fn inside(&mut self, signal: &Signal, value: &str, text: &str, place: Inside) -> Written {
        check_words(signal, std::slice::from_ref(&text.to_owned()))?;
        if text.is_empty() {
            self.known_and(value, "TRUE");
            return Ok(());
        }
        let written = match (self.dialect, place) {
            // Bytes, because SQLite counts the characters of texts up to the first NUL.
            (Dialect::Sqlite, Inside::Anywhere) => {
                let needle = self.parameter(Parameter::Bytes(text.as_bytes().to_vec()))?;
                format!("(instr(CAST({value} AS BLOB), {needle}) > 0)")
            }
            (Dialect::Sqlite, Inside::Start | Inside::End) => {
                let needle = self.parameter(Parameter::Bytes(text.as_bytes().to_vec()))?;
                let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
                let is_start = matches!(place, Inside::Start);
                let part = if is_start { format!("1, {length}") } else { format!("-{length}") };
                // A part of no bytes at all is NULL in SQLite, although the text is known.
                self.known_and(value, &format!("(substr(CAST({value} AS BLOB), {part}) = {needle}) IS TRUE"));
                return Ok(());
            }
            (Dialect::Postgres, Inside::Anywhere) => {
                format!("(strpos({value}, {}) > 0)", self.parameter(Parameter::Text(text.to_owned()))?)
            }
            (Dialect::Postgres, Inside::Start) => {
                format!("(starts_with({value}, {}))", self.parameter(Parameter::Text(text.to_owned()))?)
            }
            (Dialect::Postgres, Inside::End) => {
                let suffix = self.parameter(Parameter::Text(text.to_owned()))?;
                format!("(right({value}, {}) = {suffix})", text.chars().count())
            }
        };
        self.text.push_str(&written);
        Ok(())
    }

    fn set(&mut self, signal: &Signal, value: &str, words: &[String], members: Members) -> Written {
        check_words(signal, words)?;
        if self.dialect == Dialect::Postgres {
            let operator = match members {
                Members::Any => "&&",
                Members::All => "@>",
                Members::Only => "<@",
            };
            let list = self.parameter(Parameter::Texts(words.to_vec()))?;
            self.text.push_str(&format!("({value} {operator} {list})"));
            return Ok(());
        }
        let list = self.json_list(words)?;
        let distinct = words.iter().collect::<BTreeSet<_>>().len();
        let of_value = format!("FROM json_each({value}) AS member WHERE member.value");
        let expression = match members {
            Members::Any => format!("EXISTS (SELECT 1 {of_value} IN {list})"),
            Members::All => {
                format!("(SELECT count(DISTINCT member.value) {of_value} IN {list}) = {distinct}")
            }
            Members::Only => format!("NOT EXISTS (SELECT 1 {of_value} NOT IN {list})"),
        };
        self.known_and(value, &expression);
        Ok(())
    }

    /// A list of texts that can stand after `IN` in SQLite: one parameter, whatever its length.
    fn json_list(&mut self, words: &[String]) -> Result<String, SqlError> {
        let list = self.parameter(Parameter::Text(json_array(words)))?;
        Ok(format!("(SELECT word.value FROM json_each({list}) AS word)"))
    }

    /// The placeholder of a parameter, with its type where the dialect needs to be told.
    fn parameter(&mut self, parameter: Parameter) -> Result<String, SqlError> {
        let number = match self.numbers.get(&parameter) {
            Some(number) => *number,
            None if self.parameters.len() == PARAMETERS_MAX => {
                return Err(SqlError::TooManyParameters { max: PARAMETERS_MAX });
            }
            None => {
                self.parameters.push(parameter.clone());
                self.numbers.insert(parameter.clone(), self.parameters.len());
                self.parameters.len()
            }
        };
        let ty = match parameter {
            Parameter::Integer(_) | Parameter::Now { .. } => "bigint",
            Parameter::Text(_) => "text",
            Parameter::Bytes(_) => "bytea",
            Parameter::Texts(_) => "text[]",
        };
        Ok(match self.dialect {
            Dialect::Sqlite => format!("?{number}"),
            Dialect::Postgres => format!("${number}::{ty}"),
        })
    }
}

#[derive(Clone, Copy)]
enum Inside {
    Start,
    End,
    Anywhere,
}

#[derive(Clone, Copy)]
enum Members {
    Any,
    All,
    Only,
}

/// PostgreSQL cannot hold NUL, and SQLite's JSON ends there.
fn check_words(signal: &Signal, words: &[String]) -> Written {
    if words.iter().any(|word| word.contains('\0')) {
        return Err(SqlError::NulInText { signal: signal.attribute.name.clone() });
    }
    Ok(())
}

fn json_array(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| crate::json::quoted(word)).collect();
    format!("[{}]", words.join(","))
}
