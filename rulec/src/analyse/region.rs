//! What one conjunction lets one signal be.
//!
//! A strict literal is a set of values, with or without "unknown". A [`Region`] is the intersection of a conjunction's
//! literals on one signal. Two questions are asked of it, and both are answered soundly rather than completely: a *yes*
//! to "is it empty?" or "does it lie inside this literal?" is always right, a *no* may be ignorance.

use tessera_wire::program::{Constraint, Literal, LiteralId, Polarity, Program, SignalId, WordId};

use super::members::Members;
use super::words::Words;
use crate::ranges::{complement, intersection, is_subset};

/// Values that a conjunction leaves to one signal.
#[derive(Debug, Clone)]
pub(super) struct Region {
    pub(super) signal: SignalId,
    /// The literals it is made of, sorted.
    pub(super) literals: Vec<LiteralId>,
    pub(super) allows_unknown: bool,
    pub(super) known: Known,
}

/// The known values of a region.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Nothing known is left, whatever the rest says.
    is_empty: bool,
    /// Values of a whole number, sorted and disjoint.
    pub(super) integers: Vec<(i64, i64)>,
    /// Ages of a time, sorted and disjoint. Independent of `integers`: how they relate depends on the clock.
    pub(super) ages: Vec<(i64, i64)>,
    pub(super) words: Words,
    pub(super) members: Members,
}

const EVERYTHING: (i64, i64) = (i64::MIN, i64::MAX);

impl Region {
    /// The intersection of these literals, which all test `signal`.
    pub(super) fn new(program: &Program, signal: SignalId, literals: Vec<LiteralId>) -> Region {
        let known = Known {
            is_empty: false,
            integers: vec![EVERYTHING],
            ages: vec![EVERYTHING],
            words: Words::default(),
            members: Members::default(),
        };
        let mut region = Region { signal, literals: Vec::new(), allows_unknown: true, known };
        for id in &literals {
            program
                .literals
                .get(id.0 as usize)
                .into_iter()
                .for_each(|literal| region.narrow(program, literal));
        }
        region.known.words.settle(program);
        region.literals = literals;
        region
    }

    fn narrow(&mut self, program: &Program, literal: &Literal) {
        let (takes_unknown, is_inside) = reading(literal);
        self.allows_unknown &= takes_unknown;
        self.known.narrow(program, literal.constraint, is_inside);
    }

    /// Can literals of one signal, which need not be in the program, certainly not hold together?
    pub(super) fn is_contradiction(program: &Program, literals: &[Literal]) -> bool {
        let Some(first) = literals.first() else { return false };
        let mut region = Region::new(program, first.signal, Vec::new());
        literals.iter().for_each(|literal| region.narrow(program, literal));
        region.known.words.settle(program);
        region.is_empty()
    }

    /// Can no value, not even an unknown one, lie in it?
    pub(super) fn is_empty(&self) -> bool {
        !self.allows_unknown && self.known.is_empty()
    }

    /// Does every value in it satisfy the literal?
    pub(super) fn lies_in(&self, program: &Program, literal: &Literal) -> bool {
        let (takes_unknown, is_inside) = reading(literal);
        (takes_unknown || !self.allows_unknown) && self.known.lies_in(program, literal.constraint, is_inside)
    }

    /// Does every value in it lie in `other`, a region of the same signal?
    pub(super) fn lies_within(&self, program: &Program, other: &Region) -> bool {
        self.is_empty()
            || other.literals.iter().all(|id| {
                let literal = program.literals.get(id.0 as usize);
                self.literals.binary_search(id).is_ok()
                    || literal.is_some_and(|literal| self.lies_in(program, literal))
            })
    }

    /// Is there certainly no value in both?
    pub(super) fn excludes(&self, program: &Program, other: &Region) -> bool {
        let mut literals = self.literals.clone();
        literals.extend_from_slice(&other.literals);
        literals.sort_unstable();
        literals.dedup();
        Region::new(program, self.signal, literals).is_empty()
    }
}

/// Whether an unknown value satisfies the literal, and whether its known values are the constraint's or the others.
fn reading(literal: &Literal) -> (bool, bool) {
    match literal.polarity {
        Polarity::Holds => (false, true),
        Polarity::Fails => (false, false),
        Polarity::Possibly => (true, true),
        Polarity::NotDefinitely => (true, false),
    }
}

impl Known {
    fn narrow(&mut self, program: &Program, constraint: Constraint, is_inside: bool) {
        match constraint {
            Constraint::Known => self.is_empty |= !is_inside,
            Constraint::InRanges(span) => {
                self.integers = intersection(&self.integers, &sided(span.of(&program.ranges), is_inside));
            }
            Constraint::AgeInRanges(span) => {
                self.ages = intersection(&self.ages, &sided(span.of(&program.ranges), is_inside));
            }
            Constraint::OneOf(_)
            | Constraint::StartsWith(_)
            | Constraint::EndsWith(_)
            | Constraint::Contains(_) => self.words.narrow(program, constraint, is_inside),
            Constraint::AnyOf(_) | Constraint::AllOf(_) | Constraint::OnlyOf(_) => {
                self.members.narrow(program, constraint, is_inside);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
            || self.integers.is_empty()
            || self.ages.is_empty()
            || self.words.is_empty()
            || self.members.is_empty()
    }

    fn lies_in(&self, program: &Program, constraint: Constraint, is_inside: bool) -> bool {
        if self.is_empty() {
            return true;
        }
        match constraint {
            Constraint::Known => is_inside,
            Constraint::InRanges(span) => {
                is_subset(&self.integers, &sided(span.of(&program.ranges), is_inside))
            }
            Constraint::AgeInRanges(span) => {
                is_subset(&self.ages, &sided(span.of(&program.ranges), is_inside))
            }
            Constraint::OneOf(_)
            | Constraint::StartsWith(_)
            | Constraint::EndsWith(_)
            | Constraint::Contains(_) => self.words.lies_in(program, constraint, is_inside),
            Constraint::AnyOf(_) | Constraint::AllOf(_) | Constraint::OnlyOf(_) => {
                self.members.lies_in(program, constraint, is_inside)
            }
        }
    }
}

/// The ranges themselves, or everything else.
fn sided(ranges: &[(i64, i64)], is_inside: bool) -> Vec<(i64, i64)> {
    if is_inside { ranges.to_vec() } else { complement(ranges) }
}

/// The dictionary's text of a word.
pub(super) fn text_of(program: &Program, word: WordId) -> &str {
    program.dictionary.get((word.0 as usize).wrapping_sub(1)).map_or("", String::as_str)
}
