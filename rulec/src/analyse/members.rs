//! The sets that a conjunction leaves to a signal.

use tessera_wire::program::{Constraint, Program, WordId};

/// Sound knowledge of a set of sets.
#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    /// Members it has.
    pub(super) required: Vec<WordId>,
    /// Members it has not.
    forbidden: Vec<WordId>,
    /// Of each list, at least one is a member.
    pub(super) some: Vec<Vec<WordId>>,
    /// When present, it has no members but these.
    pub(super) only: Option<Vec<WordId>>,
    /// Of each list, at least one is not a member.
    not_all: Vec<Vec<WordId>>,
    /// For each list, there is a member outside it.
    pub(super) beyond: Vec<Vec<WordId>>,
}

impl Members {
    pub(super) fn narrow(&mut self, program: &Program, constraint: Constraint, is_inside: bool) {
        let words = match constraint {
            Constraint::AnyOf(span) | Constraint::AllOf(span) | Constraint::OnlyOf(span) => {
                span.of(&program.words)
            }
            _ => return,
        };
        match (constraint, is_inside) {
            (Constraint::AnyOf(_), true) if words.len() == 1 => self.required.extend_from_slice(words),
            (Constraint::AnyOf(_), true) => self.some.push(words.to_vec()),
            (Constraint::AnyOf(_), false) => self.forbidden.extend_from_slice(words),
            (Constraint::AllOf(_), true) => self.required.extend_from_slice(words),
            (Constraint::AllOf(_), false) => self.not_all.push(words.to_vec()),
            (_, true) => {
                let kept = self.only.take().map(|only| {
                    only.into_iter().filter(|word| words.contains(word)).collect::<Vec<WordId>>()
                });
                self.only = Some(kept.unwrap_or_else(|| words.to_vec()));
            }
            (_, false) => self.beyond.push(words.to_vec()),
        }
    }

    /// Is the word certainly not a member?
    pub(super) fn is_impossible(&self, word: WordId) -> bool {
        self.forbidden.contains(&word) || self.only.as_ref().is_some_and(|only| !only.contains(&word))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.required.iter().any(|word| self.is_impossible(*word))
            || self.some.iter().any(|list| list.iter().all(|word| self.is_impossible(*word)))
            || self.not_all.iter().any(|list| list.iter().all(|word| self.required.contains(word)))
            || self.beyond.iter().any(|list| {
                let only = self.only.as_ref();
                only.is_some_and(|only| {
                    only.iter().all(|word| list.contains(word) || self.is_impossible(*word))
                })
            })
    }

    pub(super) fn lies_in(&self, program: &Program, constraint: Constraint, is_inside: bool) -> bool {
        match (constraint, is_inside) {
            (Constraint::AnyOf(span), true) => self.has_one_of(span.of(&program.words)),
            (Constraint::AnyOf(span), false) => {
                span.of(&program.words).iter().all(|word| self.is_impossible(*word))
            }
            (Constraint::AllOf(span), true) => {
                span.of(&program.words).iter().all(|word| self.required.contains(word))
            }
            (Constraint::AllOf(span), false) => {
                let words = span.of(&program.words);
                words.iter().any(|word| self.is_impossible(*word))
                    || self.not_all.iter().any(|list| list.iter().all(|word| words.contains(word)))
            }
            (Constraint::OnlyOf(span), true) => {
                let words = span.of(&program.words);
                let is_fine = |word: &WordId| words.contains(word) || self.is_impossible(*word);
                self.only.as_ref().is_some_and(|only| only.iter().all(is_fine))
            }
            (Constraint::OnlyOf(span), false) => self.reaches_beyond(span.of(&program.words)),
            _ => false,
        }
    }

    fn has_one_of(&self, words: &[WordId]) -> bool {
        self.required.iter().any(|word| words.contains(word))
            || self
                .some
                .iter()
                .any(|list| list.iter().all(|word| words.contains(word) || self.is_impossible(*word)))
    }

    fn reaches_beyond(&self, words: &[WordId]) -> bool {
        self.required.iter().any(|word| !words.contains(word))
            || self.beyond.iter().any(|list| words.iter().all(|word| list.contains(word)))
            || self
                .some
                .iter()
                .any(|list| list.iter().all(|word| !words.contains(word) || self.is_impossible(*word)))
    }
}
