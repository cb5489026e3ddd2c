//! The texts that a conjunction leaves to a signal: a list of words, or all but some, and what they look like inside.

use tessera_wire::program::{Constraint, Program, WordId};

use super::region::text_of;

/// Sound knowledge of a set of texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    /// When present, only these; sorted.
    pub(super) listed: Option<Vec<WordId>>,
    /// Never these.
    pub(super) excluded: Vec<WordId>,
    /// What a text looks like inside, and whether it must or must not.
    pub(super) patterns: Vec<(Pattern, bool)>,
}

/// A test of the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    StartsWith(String),
    EndsWith(String),
    Contains(String),
}

impl Pattern {
    fn of(program: &Program, constraint: Constraint) -> Option<Pattern> {
        Some(match constraint {
            Constraint::StartsWith(word) => Pattern::StartsWith(text_of(program, word).to_owned()),
            Constraint::EndsWith(word) => Pattern::EndsWith(text_of(program, word).to_owned()),
            Constraint::Contains(word) => Pattern::Contains(text_of(program, word).to_owned()),
            _ => return None,
        })
    }

    pub(super) fn takes(&self, text: &str) -> bool {
        match self {
            Pattern::StartsWith(start) => text.starts_with(start.as_str()),
            Pattern::EndsWith(end) => text.ends_with(end.as_str()),
            Pattern::Contains(part) => text.contains(part.as_str()),
        }
    }

    /// Does every text of this pattern have the other?
    fn implies(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Pattern::StartsWith(own), Pattern::StartsWith(start)) => own.starts_with(start.as_str()),
            (Pattern::EndsWith(own), Pattern::EndsWith(end)) => own.ends_with(end.as_str()),
            (
                Pattern::StartsWith(own) | Pattern::EndsWith(own) | Pattern::Contains(own),
                Pattern::Contains(part),
            ) => own.contains(part.as_str()),
            _ => false,
        }
    }

    /// Can no text have both?
    fn excludes(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Pattern::StartsWith(left), Pattern::StartsWith(right)) => {
                !left.starts_with(right.as_str()) && !right.starts_with(left.as_str())
            }
            (Pattern::EndsWith(left), Pattern::EndsWith(right)) => {
                !left.ends_with(right.as_str()) && !right.ends_with(left.as_str())
            }
            _ => false,
        }
    }
}

impl Words {
    pub(super) fn narrow(&mut self, program: &Program, constraint: Constraint, is_inside: bool) {
        match (constraint, is_inside) {
            (Constraint::OneOf(span), true) => {
                let words = span.of(&program.words);
                self.listed = Some(match self.listed.take() {
                    Some(listed) => {
                        listed.into_iter().filter(|word| words.binary_search(word).is_ok()).collect()
                    }
                    None => words.to_vec(),
                });
            }
            (Constraint::OneOf(span), false) => self.excluded.extend_from_slice(span.of(&program.words)),
            _ => self.patterns.extend(Pattern::of(program, constraint).map(|pattern| (pattern, is_inside))),
        }
    }

    /// A list can be tested word by word; afterwards it says everything.
    pub(super) fn settle(&mut self, program: &Program) {
        let Some(listed) = &mut self.listed else { return };
        let (excluded, patterns) = (&self.excluded, &self.patterns);
        listed.retain(|word| {
            let text = text_of(program, *word);
            !excluded.contains(word) && patterns.iter().all(|(pattern, must)| pattern.takes(text) == *must)
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        if let Some(listed) = &self.listed {
            return listed.is_empty();
        }
        self.patterns.iter().filter(|(_, must)| *must).any(|(pattern, _)| {
            self.patterns.iter().any(
                |(other, must)| {
                    if *must { pattern.excludes(other) } else { pattern.implies(other) }
                },
            )
        })
    }

    pub(super) fn lies_in(&self, program: &Program, constraint: Constraint, is_inside: bool) -> bool {
        let is_fine = |word: &WordId| takes(program, constraint, *word) == is_inside;
        match (&self.listed, constraint) {
            (Some(listed), _) => listed.iter().all(is_fine),
            (None, Constraint::OneOf(_)) if is_inside => false,
            (None, Constraint::OneOf(span)) => {
                span.of(&program.words).iter().all(|word| self.is_excluded(program, *word))
            }
            (None, _) => Pattern::of(program, constraint).is_some_and(|wanted| {
                self.patterns.iter().any(|(pattern, must)| match (must, is_inside) {
                    (true, true) => pattern.implies(&wanted),
                    (true, false) => pattern.excludes(&wanted),
                    // Without the shorter start there is no longer one.
                    (false, false) => wanted.implies(pattern),
                    (false, true) => false,
                })
            }),
        }
    }

    fn is_excluded(&self, program: &Program, word: WordId) -> bool {
        let text = text_of(program, word);
        self.excluded.contains(&word)
            || self.patterns.iter().any(|(pattern, must)| pattern.takes(text) != *must)
    }
}

fn takes(program: &Program, constraint: Constraint, word: WordId) -> bool {
    match constraint {
        Constraint::OneOf(span) => span.of(&program.words).binary_search(&word).is_ok(),
        _ => Pattern::of(program, constraint).is_some_and(|pattern| pattern.takes(text_of(program, word))),
    }
}
