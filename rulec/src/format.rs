//! Trees as written back to text: one line, one spelling for each meaning.
//!
//! Guarantees: the text of a condition parses to a condition of the same meaning, and formatting that gives the same text
//! again (a property test checks both). Written differently but meant the same, conditions become equal: `between 1 and 3`
//! and `in 1..3`, `vip is true` and `vip`, `not includes any of` and `includes none of`.
//!
//! Cost: linear. Not here: typed conditions (`crate::print`), JSON (`crate::json`).

mod canon;
mod types;
mod value;

use crate::ast::{
    Bucket, Cond, CondKind, Count, CountWindow, CountedEvent, CountedSubject, Includes, Key, Op,
};

use crate::print::{quoted, span_text};
pub(crate) use canon::{Canon, canon};
pub(crate) use types::{Shape, Types};
pub(crate) use value::{days_text, hours_text, local_text, schedule_text, settle, span};
use value::{value_text, values_text};

/// A whole condition.
pub(crate) fn condition(cond: &Cond, types: &Types) -> String {
    let mut text = String::new();
    write(&mut text, cond, types, Around::Nothing);
    text
}

/// What a part stands in, which decides about its parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// Nothing, or parentheses already.
    Nothing,
    /// `and` or `or`.
    Chain,
    /// `not`.
    Not,
}

fn write(text: &mut String, cond: &Cond, types: &Types, around: Around) {
    match &cond.kind {
        CondKind::And(parts) | CondKind::Or(parts) if parts.len() == 1 => {
            write(text, &parts[0], types, around);
        }
        CondKind::And(parts) => chain(text, parts, " and ", types, around),
        CondKind::Or(parts) => chain(text, parts, " or ", types, around),
        CondKind::Not(inner) => {
            text.push_str("not ");
            write(text, inner, types, Around::Not);
        }
        CondKind::Definitely(inner) => wrapped(text, "definitely", inner, types),
        CondKind::Possibly(inner) => wrapped(text, "possibly", inner, types),
        CondKind::Segment(name) => text.push_str(&format!("segment({})", quoted(&name.text))),
        CondKind::Test(name, check) => {
            let (is_negated, canon) = canon(check, types.shape(&name.text));
            let shape = types.shape(&name.text);
            test(text, &name.text, is_negated, &canon, shape, around);
        }
        CondKind::Count(count, check) => {
            let (is_negated, canon) = canon(check, &Shape::PLAIN_NUMBER);
            test(text, &count_text(count), is_negated, &canon, &Shape::PLAIN_NUMBER, around);
        }
        CondKind::Bucket(bucket, check) => {
            let (is_negated, canon) = canon(check, &Shape::Percent);
            test(text, &bucket_text(bucket), is_negated, &canon, &Shape::Percent, around);
        }
        CondKind::Active(schedule) => text.push_str(&format!("active({})", schedule_text(schedule))),
    }
}

fn chain(text: &mut String, parts: &[Cond], join: &str, types: &Types, around: Around) {
    let needs_parentheses = around != Around::Nothing;
    if needs_parentheses {
        text.push('(');
    }
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            text.push_str(join);
        }
        write(text, part, types, Around::Chain);
    }
    if needs_parentheses {
        text.push(')');
    }
}

fn wrapped(text: &mut String, word: &str, inner: &Cond, types: &Types) {
    text.push_str(word);
    text.push('(');
    write(text, inner, types, Around::Nothing);
    text.push(')');
}

fn test(
    text: &mut String,
    operand: &str,
    is_negated: bool,
    canon: &Canon<'_>,
    shape: &Shape,
    around: Around,
) {
    let test = test_text(operand, canon, shape);
    let is_one_word = *canon == Canon::Truth(true);
    match (is_negated, around) {
        (true, Around::Not) => text.push_str(&format!("not ({test})")),
        (true, _) => text.push_str(&format!("not ({test})")),
        (false, Around::Not) if !is_one_word => text.push_str(&format!("({test})")),
        (false, _) => text.push_str(&test),
    }
}

fn test_text(operand: &str, canon: &Canon<'_>, shape: &Shape) -> String {
    match canon {
        Canon::Truth(true) => operand.to_owned(),
        Canon::Truth(false) => format!("{operand} is false"),
        Canon::Known(true) => format!("{operand} is known"),
        Canon::Known(false) => format!("{operand} is unknown"),
        Canon::Is { is_negated, value } => {
            let sign = match (shape.is_ordered(), is_negated) {
                (true, false) => "==",
                (true, true) => "!=",
                (false, false) => "is",
                (false, true) => "is not",
            };
            format!("{operand} {sign} {}", value_text(value, shape))
        }
        Canon::Order(op, value) => format!("{operand} {} {}", sign(*op), value_text(value, shape)),
        Canon::Range { low, high, is_half_open } => {
            format!("{operand} in {}", value::range_text(low, high, *is_half_open, shape))
        }
        Canon::In { is_negated: false, list } => format!("{operand} in {}", values_text(list, shape)),
        Canon::In { is_negated: true, list } => format!("{operand} not in {}", values_text(list, shape)),
        Canon::Includes(mode, list) => {
            let mode = match mode {
                Includes::Any => "any",
                Includes::All => "all",
                Includes::None => "none",
                Includes::Only => "only",
            };
            format!("{operand} includes {mode} of {}", values_text(list, shape))
        }
        Canon::Within(span_ms) => format!("{operand} within {}", span_text(*span_ms)),
        Canon::Before(span_ms) => format!("{operand} before {} ago", span_text(*span_ms)),
        Canon::StartsWith(with) => format!("{operand} starts with {}", quoted(with)),
        Canon::EndsWith(with) => format!("{operand} ends with {}", quoted(with)),
        Canon::Contains(part) => format!("{operand} contains {}", quoted(part)),
    }
}

/// How a comparison is written, in text and in JSON, except for equality.
pub(crate) fn sign(op: Op) -> &'static str {
    match op {
        Op::Equal => "==",
        Op::NotEqual => "!=",
        Op::AtLeast => ">=",
        Op::AtMost => "<=",
        Op::Above => ">",
        Op::Below => "<",
    }
}

fn count_text(count: &Count) -> String {
    let event = match &count.event {
        CountedEvent::Impressions => "impressions".to_owned(),
        CountedEvent::Clicks => "clicks".to_owned(),
        CountedEvent::Behaviour(name) => format!("count of {}", name.text),
    };
    let subject = match &count.subject {
        CountedSubject::Any => String::new(),
        CountedSubject::ThisRule(_) => " of this rule".to_owned(),
        CountedSubject::Campaign(name) => format!(" of campaign {}", quoted(&name.text)),
        CountedSubject::Template(name) => format!(" of template {}", quoted(&name.text)),
        CountedSubject::Creative(name) => format!(" of creative {}", quoted(&name.text)),
        CountedSubject::Offer(name) => format!(" of offer {}", quoted(&name.text)),
        CountedSubject::Rule(name) => format!(" of rule {}", quoted(&name.text)),
    };
    let window = match count.window {
        CountWindow::Today => "today".to_owned(),
        CountWindow::LastMs(span_ms) => format!("in last {}", span_text(span_ms)),
    };
    format!("{event}{subject} {window}")
}

fn bucket_text(bucket: &Bucket) -> String {
    let key = match bucket.key {
        Key::User => "",
        Key::Request => " by request",
    };
    format!("bucket of {}{key}", quoted(&bucket.salt.text))
}
