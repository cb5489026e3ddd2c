//! Typed tree back to text: what `explain` shows, and what the parser reads again.
//!
//! Guarantees: the text of a condition (other than a constant) parses to an equal condition (a property test checks it), so what people read in an
//! explanation is the language they write. Numbers are exact.

use tessera_wire::program::Polarity;
use tessera_wire::signal::NUMBER_SCALE;

use crate::hir::{Check, Condition, Signal, Test, Type};
use crate::parser::RESERVED;

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
    let name = &signal.attribute.name;
    match check {
        Check::Known => format!("{name} is known"),
        Check::InRanges(ranges) if signal.ty == Type::Bool => bool_text(name, ranges),
        Check::InRanges(ranges) => format!("{name} {}", ranges_text(&signal.ty, ranges)),
        Check::AgeInRanges(ranges) => ages_text(name, ranges),
        Check::OneOf(words) => match words.as_slice() {
            [word] => format!("{name} is {}", word_text(&signal.ty, word)),
            _ => format!("{name} in {}", list(&signal.ty, words)),
        },
        Check::StartsWith(text) => format!("{name} starts with {}", quoted(text)),
        Check::EndsWith(text) => format!("{name} ends with {}", quoted(text)),
        Check::Contains(text) => format!("{name} contains {}", quoted(text)),
        Check::AnyOf(words) => format!("{name} includes any of {}", list(&Type::Set, words)),
        Check::AllOf(words) => format!("{name} includes all of {}", list(&Type::Set, words)),
        Check::OnlyOf(words) => format!("{name} includes only of {}", list(&Type::Set, words)),
    }
}

fn bool_text(name: &str, ranges: &[(i64, i64)]) -> String {
    match ranges {
        [(1, 1)] => name.to_owned(),
        _ => format!("{name} is false"),
    }
}

fn ranges_text(ty: &Type, ranges: &[(i64, i64)]) -> String {
    match ranges {
        [(i64::MIN, high)] if is_rounder(high.saturating_add(1), *high) => {
            format!("< {}", amount(ty, high.saturating_add(1)))
        }
        [(i64::MIN, high)] => format!("<= {}", amount(ty, *high)),
        [(low, i64::MAX)] if is_rounder(low.saturating_sub(1), *low) => {
            format!("> {}", amount(ty, low.saturating_sub(1)))
        }
        [(low, i64::MAX)] => format!(">= {}", amount(ty, *low)),
        [(low, high)] if low == high => format!("== {}", amount(ty, *low)),
        [range] => format!("in {}", range_text(ty, *range)),
        _ => {
            let ranges: Vec<String> = ranges.iter().map(|range| range_text(ty, *range)).collect();
            format!("in ({})", ranges.join(", "))
        }
    }
}

fn range_text(ty: &Type, (low, high): (i64, i64)) -> String {
    if low == high {
        return amount(ty, low);
    }
    let after = high.saturating_add(1);
    if is_rounder(after, high) {
        format!("{} ..< {}", amount(ty, low), amount(ty, after))
    } else if matches!(ty, Type::Number(_)) {
        format!("{}..{}", amount(ty, low), amount(ty, high))
    } else {
        format!("{} .. {}", amount(ty, low), amount(ty, high))
    }
}

/// Has `left` fewer decimals than `right`?
fn is_rounder(left: i64, right: i64) -> bool {
    left % 10 == 0 && right % 10 != 0
}

fn amount(ty: &Type, value: i64) -> String {
    let number = number(value);
    match ty {
        Type::Percent => format!("{number}%"),
        Type::Money(currency) => format!("{number} {currency}"),
        _ => number,
    }
}

/// A scaled number with as many decimals as it needs.
pub fn number(value: i64) -> String {
    let scale = NUMBER_SCALE.unsigned_abs();
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let (whole, fraction) = (magnitude / scale, magnitude % scale);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:06}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

fn ages_text(name: &str, ranges: &[(i64, i64)]) -> String {
    match ranges {
        [(0, age_ms)] => format!("{name} within {}", span_text(*age_ms)),
        [(age_ms, i64::MAX)] => format!("{name} before {} ago", span_text(age_ms.saturating_sub(1))),
        _ => format!("{name} of another age"),
    }
}

/// The largest unit that divides the span; minutes with decimals as the last resort.
fn span_text(span_ms: i64) -> String {
    for (unit, unit_ms) in [("days", 86_400_000), ("hours", 3_600_000)] {
        if span_ms % unit_ms == 0 {
            return format!("{} {unit}", span_ms / unit_ms);
        }
    }
    // Rounded up, because reading rounds down to the millisecond.
    let scaled = (i128::from(span_ms) * i128::from(NUMBER_SCALE) + 59_999) / 60_000;
    format!("{} minutes", number(i64::try_from(scaled).unwrap_or(i64::MAX)))
}

fn list(ty: &Type, words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| word_text(ty, word)).collect();
    format!("({})", words.join(", "))
}

fn word_text(ty: &Type, word: &str) -> String {
    let is_closed = matches!(ty, Type::OneOf(_) | Type::Country | Type::Language);
    let is_plain = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_taken = RESERVED.contains(&word) || word == "true" || word == "false";
    if is_closed && is_plain && !is_taken { word.to_owned() } else { quoted(word) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_exactly() {
        assert_eq!(number(18_000_000), "18");
        assert_eq!(number(-500_000), "-0.5");
        assert_eq!(number(1), "0.000001");
        assert_eq!(number(i64::MIN), "-9223372036854.775808");
    }

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

    #[test]
    fn spans_print_in_their_largest_unit() {
        assert_eq!(span_text(86_400_000 * 90), "90 days");
        assert_eq!(span_text(3_600_000 * 36), "36 hours");
        assert_eq!(span_text(60_000 * 5), "5 minutes");
    }
}
