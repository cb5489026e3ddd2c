//! Literals: they fit the kind of their attribute, and what they refer to is there and in order.

use tessera_wire::program::{Attribute, Constraint, Literal, Program, Span, WordId};
use tessera_wire::signal::Kind;

use super::{Part, VerifyError, dangling, fits, is_word};

pub(super) fn check_literals(program: &Program) -> Result<(), VerifyError> {
    for (at, literal) in program.literals.iter().enumerate() {
        let Some(attribute) = program.attributes.get(literal.signal.0 as usize) else {
            return Err(dangling(Part::Literal, at, Part::Attribute));
        };
        if at > 0 && program.literals[at - 1].signal > literal.signal {
            return Err(VerifyError::OutOfOrder { part: Part::Literal, at });
        }
        check_literal(program, at, literal, attribute)?;
    }
    Ok(())
}

fn check_literal(
    program: &Program,
    at: usize,
    literal: &Literal,
    attribute: &Attribute,
) -> Result<(), VerifyError> {
    let (is_kind_right, constraint) = match literal.constraint {
        Constraint::Known => (true, Ok(())),
        Constraint::InRanges(span) => {
            (!matches!(attribute.kind, Kind::Text | Kind::Set), check_ranges(program, at, span))
        }
        Constraint::AgeInRanges(span) => (attribute.kind == Kind::Time, check_ranges(program, at, span)),
        Constraint::OneOf(span) => (attribute.kind == Kind::Text, check_words(program, at, span)),
        Constraint::StartsWith(word) | Constraint::EndsWith(word) | Constraint::Contains(word) => {
            if !attribute.needs_text {
                return Err(VerifyError::TextNotKept { literal: at });
            }
            (attribute.kind == Kind::Text, check_word(program, at, word))
        }
        Constraint::AnyOf(span) | Constraint::AllOf(span) | Constraint::OnlyOf(span) => {
            (attribute.kind == Kind::Set, check_words(program, at, span))
        }
    };
    if !is_kind_right {
        return Err(VerifyError::KindMismatch { literal: at });
    }
    constraint
}

fn check_ranges(program: &Program, literal: usize, span: Span) -> Result<(), VerifyError> {
    if !fits(span, program.ranges.len()) {
        return Err(dangling(Part::Literal, literal, Part::Range));
    }
    let ranges = span.of(&program.ranges);
    let are_ordered = ranges.iter().all(|range| range.0 <= range.1);
    let are_disjoint = ranges.windows(2).all(|pair| pair[0].1 < pair[1].0);
    if are_ordered && are_disjoint { Ok(()) } else { Err(VerifyError::BadRanges { literal }) }
}

fn check_words(program: &Program, literal: usize, span: Span) -> Result<(), VerifyError> {
    if !fits(span, program.words.len()) {
        return Err(dangling(Part::Literal, literal, Part::Word));
    }
    let words = span.of(&program.words);
    for word in words {
        check_word(program, literal, *word)?;
    }
    match words.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(position) => {
            Err(VerifyError::OutOfOrder { part: Part::Word, at: span.first as usize + position + 1 })
        }
        None => Ok(()),
    }
}

fn check_word(program: &Program, literal: usize, word: WordId) -> Result<(), VerifyError> {
    if !is_word(program, word) {
        return Err(dangling(Part::Literal, literal, Part::Dictionary));
    }
    Ok(())
}
