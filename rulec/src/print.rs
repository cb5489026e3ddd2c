//! Typed tree back to text: what `explain` shows, and what the parser reads again.
//!
//! Guarantees: the text of a condition (other than a constant) parses to a condition that means the same (a property test
//! checks it), so what people read in an explanation is the language they write. Numbers are exact; points in time are
//! whole minutes of UTC, as the language writes them.

mod amount;
mod operand;
mod schedule;

use tessera_wire::program::Polarity;

use crate::hir::{Check, Condition, Signal, Test, Type};
use crate::parser::RESERVED;

pub use amount::number;
pub(crate) use amount::{amount, span_text};
pub(crate) use operand::{bucket, bucket_of, count};

/// One literal, such as `age in 18..24` or `not (country is RO)`.
pub fn literal(signal: &Signal, polarity: Polarity, check: &Check) -> String {
    let text = check_text(signal, check);
    match (polarity, check) {
        (Polarity::Holds | Polarity::Possibly, Check::Known) => text,
        (Polarity::Fails | Polarity::NotDefinitely, Check::Known) => {
            format!("{} is unknown", signal.attribute.name)
        }
        (Polarity::Holds, _) => text,
        (Polarity::Fails, _) => format!("not ({text})"),
        (Polarity::Possibly, _) => format!("possibly({text})"),
        (Polarity::NotDefinitely, _) => format!("not definitely({text})"),
    }
}

/// A condition in one line.
pub fn condition(signals: &[Signal], condition: &Condition) -> String {
    match condition {
        Condition::Constant(value) => if *value { "always" } else { "never" }.to_owned(),
        Condition::Test(test) => test_text(signals, test),
        Condition::Not(inner) => format!("not ({})", self::condition(signals, inner)),
        Condition::Definitely(inner) => format!("definitely({})", self::condition(signals, inner)),
        Condition::Possibly(inner) => format!("possibly({})", self::condition(signals, inner)),
        Condition::And(parts) => join(signals, parts, "all"),
        Condition::Or(parts) => join(signals, parts, "any"),
    }
}

/// A block, because it is right for any number of parts.
fn join(signals: &[Signal], parts: &[Condition], mode: &str) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("({})", condition(signals, part))).collect();
    format!("match {mode} {{ {} }}", parts.join(" "))
}

fn test_text(signals: &[Signal], test: &Test) -> String {
    signals.get(test.signal.0 as usize).map_or_else(String::new, |signal| check_text(signal, &test.check))
}

fn check_text(signal: &Signal, check: &Check) -> String {
    let (name, ty) = (&signal.attribute.name, &signal.ty);
    match check {
        Check::Known => format!("{name} is known"),
        Check::InRanges(ranges) => in_ranges_text(signal, ranges),
        Check::AgeInRanges(ranges) => ages_text(name, ranges),
        Check::OneOf(words) => match words.as_slice() {
            [word] => format!("{name} is {}", word_text(ty, word)),
            _ => format!("{name} in {}", list(ty, words)),
        },
        Check::StartsWith(text) => format!("{name} starts with {}", quoted(text)),
        Check::EndsWith(text) => format!("{name} ends with {}", quoted(text)),
        Check::Contains(text) => format!("{name} contains {}", quoted(text)),
        Check::AnyOf(words) => format!("{name} includes any of {}", list(ty, words)),
        Check::AllOf(words) => format!("{name} includes all of {}", list(ty, words)),
        Check::OnlyOf(words) => format!("{name} includes only of {}", list(ty, words)),
    }
}

fn in_ranges_text(signal: &Signal, ranges: &[(i64, i64)]) -> String {
    let name = &signal.attribute.name;
    match signal.ty {
        Type::Bool if *ranges == [(1, 1)] => name.clone(),
        Type::Bool => format!("{name} is false"),
        Type::MinuteOfWeek => schedule::active(&signal.attribute.origin, ranges)
            .unwrap_or_else(|| format!("{name} {}", amount::ranges(signal, ranges))),
        _ => format!("{name} {}", amount::ranges(signal, ranges)),
    }
}

fn ages_text(name: &str, ranges: &[(i64, i64)]) -> String {
    match ranges {
        [(0, age_ms)] => format!("{name} within {}", span_text(*age_ms)),
        [(age_ms, i64::MAX)] => format!("{name} before {} ago", span_text(age_ms.saturating_sub(1))),
        _ => format!("{name} of another age"),
    }
}

fn list(ty: &Type, words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| word_text(ty, word)).collect();
    format!("({})", words.join(", "))
}

pub(crate) fn word_text(ty: &Type, word: &str) -> String {
    let is_closed =
        matches!(ty, Type::OneOf(_) | Type::SetOf(_) | Type::Country | Type::Language | Type::Currency);
    let is_plain = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_taken = RESERVED.contains(&word) || word == "true" || word == "false";
    if is_closed && is_plain && !is_taken { word.to_owned() } else { quoted(word) }
}

pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use tessera_wire::signal::NUMBER_SCALE;

    use super::*;

    #[test]
    fn literals_say_what_they_test_and_how() {
        let origin = tessera_wire::program::Origin::Context("age".to_owned());
        let attribute = tessera_wire::program::Attribute {
            name: "age".to_owned(),
            kind: tessera_wire::signal::Kind::Number,
            currency: String::new(),
            origin,
            gates: tessera_wire::signal::Gates::NONE,
            needs_text: false,
            is_caseless: false,
        };
        let signal = Signal { ty: Type::Number(None), unit: String::new(), attribute };
        let adult = Check::InRanges(vec![(18 * NUMBER_SCALE, 24 * NUMBER_SCALE)]);
        assert_eq!(literal(&signal, Polarity::Holds, &adult), "age in 18..24");
        assert_eq!(literal(&signal, Polarity::Fails, &adult), "not (age in 18..24)");
        assert_eq!(literal(&signal, Polarity::Possibly, &adult), "possibly(age in 18..24)");
        assert_eq!(literal(&signal, Polarity::NotDefinitely, &adult), "not definitely(age in 18..24)");
        assert_eq!(literal(&signal, Polarity::Holds, &Check::Known), "age is known");
        assert_eq!(literal(&signal, Polarity::NotDefinitely, &Check::Known), "age is unknown");
    }
}
