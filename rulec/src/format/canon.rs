//! Checks with one form for each meaning.

use super::types::Shape;
use crate::ast::{Check, Includes, Op, Value, ValueKind};

/// What a check amounts to.
#[derive(Debug)]
pub(crate) enum Canon<'a> {
    /// A bool is true, or false.
    Truth(bool),
    /// There is a value, or none.
    Known(bool),
    Is {
        is_negated: bool,
        value: &'a Value,
    },
    /// Not equality.
    Order(Op, &'a Value),
    Range {
        low: &'a Value,
        high: &'a Value,
        is_half_open: bool,
    },
    In {
        is_negated: bool,
        list: &'a [Value],
    },
    Includes(Includes, &'a [Value]),
    Within(i64),
    Before(i64),
    StartsWith(&'a str),
    EndsWith(&'a str),
    Contains(&'a str),
}

impl PartialEq<Canon<'_>> for Canon<'_> {
    /// Only of what has no parts.
    fn eq(&self, other: &Canon<'_>) -> bool {
        match (self, other) {
            (Canon::Truth(left), Canon::Truth(right)) | (Canon::Known(left), Canon::Known(right)) => {
                left == right
            }
            _ => false,
        }
    }
}

/// Whether a check is to be negated, and what it amounts to then.
pub(crate) fn canon<'a>(check: &'a Check, shape: &Shape) -> (bool, Canon<'a>) {
    let canon = match check {
        Check::Bare => Canon::Truth(true),
        Check::Compare(op @ (Op::Equal | Op::NotEqual), value) => equality(*op == Op::NotEqual, value, shape),
        Check::Compare(op, value) => Canon::Order(*op, value),
        Check::Known => Canon::Known(true),
        Check::Unknown => Canon::Known(false),
        Check::In { is_negated, list } => match list.as_slice() {
            [value] => equality(*is_negated, value, shape),
            list => Canon::In { is_negated: *is_negated, list },
        },
        Check::Between(low, high) => Canon::Range { low, high, is_half_open: false },
        Check::Includes { is_negated, mode, list } => {
            let (is_negated, mode) = match (is_negated, mode) {
                (true, Includes::Any) => (false, Includes::None),
                (true, Includes::None) => (false, Includes::Any),
                (is_negated, mode) => (*is_negated, *mode),
            };
            return (is_negated, Canon::Includes(mode, list));
        }
        Check::WithinMs(span_ms) => Canon::Within(*span_ms),
        Check::BeforeMs(span_ms) => Canon::Before(*span_ms),
        Check::StartsWith(text) => Canon::StartsWith(&text.text),
        Check::EndsWith(text) => Canon::EndsWith(&text.text),
        Check::Contains(text) => Canon::Contains(&text.text),
    };
    (false, canon)
}

fn equality<'a>(is_negated: bool, value: &'a Value, shape: &Shape) -> Canon<'a> {
    match &value.kind {
        ValueKind::Word(word) if *shape == Shape::Bool && (word == "true" || word == "false") => {
            Canon::Truth((word == "true") != is_negated)
        }
        ValueKind::Range { low, high, is_half_open } if !is_negated => {
            Canon::Range { low, high, is_half_open: *is_half_open }
        }
        ValueKind::Range { .. } => Canon::In { is_negated, list: std::slice::from_ref(value) },
        _ => Canon::Is { is_negated, value },
    }
}
