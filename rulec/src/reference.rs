//! The slow oracle: Kleene's strong three-valued logic, directly on the typed tree.
//!
//! Shares nothing with the virtual machine but the frame's getters, so that agreement between the two is evidence. Also
//! what `expect rule … unknown` in test blocks is measured with.

use tessera_rulevm::{Frame, Truth, VerifiedProgram};
use tessera_wire::program::SignalId;

use crate::hir::{Check, Condition, Test};

/// The truth of `condition` for the signals in `frame`. `program` only translates texts to dictionary words.
pub fn truth(condition: &Condition, program: &VerifiedProgram, frame: &Frame) -> Truth {
    match condition {
        Condition::Constant(value) => of(*value),
        Condition::Test(test) => test_truth(test, program, frame),
        Condition::Not(inner) => negation(truth(inner, program, frame)),
        Condition::And(parts) => conjunction(parts.iter().map(|part| truth(part, program, frame))),
        Condition::Or(parts) => {
            negation(conjunction(parts.iter().map(|part| negation(truth(part, program, frame)))))
        }
        Condition::Definitely(inner) => of(truth(inner, program, frame) == Truth::True),
        Condition::Possibly(inner) => of(truth(inner, program, frame) != Truth::False),
    }
}

fn of(value: bool) -> Truth {
    if value { Truth::True } else { Truth::False }
}

fn negation(truth: Truth) -> Truth {
    match truth {
        Truth::True => Truth::False,
        Truth::False => Truth::True,
        Truth::Unknown => Truth::Unknown,
    }
}

fn conjunction(parts: impl Iterator<Item = Truth>) -> Truth {
    let parts: Vec<Truth> = parts.collect();
    if parts.contains(&Truth::False) {
        Truth::False
    } else if parts.contains(&Truth::Unknown) {
        Truth::Unknown
    } else {
        Truth::True
    }
}

fn test_truth(test: &Test, program: &VerifiedProgram, frame: &Frame) -> Truth {
    if test.check == Check::Known {
        return of(frame.is_known(test.signal));
    }
    match satisfies(&test.check, test.signal, program, frame) {
        Some(value) => of(value),
        None => Truth::Unknown,
    }
}

fn satisfies(check: &Check, signal: SignalId, program: &VerifiedProgram, frame: &Frame) -> Option<bool> {
    let is_in =
        |ranges: &[(i64, i64)], value: i64| ranges.iter().any(|(low, high)| (*low..=*high).contains(&value));
    let has = |text: &String| Some(frame.members(signal)?.contains(&program.word(text)));
    Some(match check {
        Check::Known => true,
        Check::InRanges(ranges) => is_in(ranges, frame.integer(signal)?),
        Check::AgeInRanges(ranges) => is_in(ranges, frame.now_ms().saturating_sub(frame.integer(signal)?)),
        Check::OneOf(words) => {
            let word = frame.word(signal)?;
            words.iter().any(|text| program.word(text) == word)
        }
        Check::StartsWith(text) => frame.text(signal)?.as_bytes().starts_with(text.as_bytes()),
        Check::EndsWith(text) => frame.text(signal)?.as_bytes().ends_with(text.as_bytes()),
        Check::Contains(text) => {
            let value = frame.text(signal)?.as_bytes();
            text.is_empty() || value.windows(text.len()).any(|window| window == text.as_bytes())
        }
        Check::AnyOf(words) => {
            frame.members(signal)?;
            words.iter().any(|text| has(text) == Some(true))
        }
        Check::AllOf(words) => {
            frame.members(signal)?;
            words.iter().all(|text| has(text) == Some(true))
        }
        Check::OnlyOf(words) => {
            let words: Vec<_> = words.iter().map(|text| program.word(text)).collect();
            frame.members(signal)?.iter().all(|member| words.contains(member))
        }
    })
}
