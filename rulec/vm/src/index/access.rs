//! Where a literal can be met: the heads of posting lists that a request visits whenever the literal holds.
//!
//! Guarantees: if a literal fires on a frame, evaluation visits at least one of its [`Access`] heads; if the access is
//! exact, it visits one *only* if the literal fires. [`Rates`] says how often that is, from [`Statistics`] where there
//! are any and from the bundle's own thresholds and words where not. Rates change speed, never a result.
//!
//! Default order, rarest first: words, sets, two-sided ranges, one-sided ranges, negations.

use tessera_wire::program::{Constraint, Literal, Polarity, Program, SignalId, Span, WordId};
use tessera_wire::signal::Kind;

use super::heads::WordHeads;
use crate::statistics::Statistics;

/// Probability that an attribute of which nothing is known has a value.
const KNOWN_DEFAULT: f32 = 0.9;
/// Members of a set of which nothing is known.
const MEMBERS_DEFAULT: f32 = 8.0;
/// Probability of a word that statistics have never seen.
const UNSEEN: f32 = 1e-4;
/// Probability that a known text has a prefix, suffix or part, or that a known set has no other members.
const PATTERN_DEFAULT: f32 = 0.1;

/// Heads of posting lists where a literal's entries stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Access {
    /// Probability that one of the heads is visited.
    pub(super) cost: f32,
    /// Probability that the literal fires.
    pub(super) rate: f32,
    /// Does a visit prove that the literal fires?
    pub(super) is_exact: bool,
    /// Visited on every request.
    pub(super) is_always: bool,
    /// Visited when the attribute is unknown.
    pub(super) on_unknown: bool,
    pub(super) on_known: OnKnown,
}

/// Heads of a known value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum OnKnown {
    /// None.
    Never,
    /// Any value.
    Any,
    /// Values with one of these words.
    Words(Span),
    /// Values with this word.
    Word(WordId),
    /// Values whose number (or age) lies in the literal's ranges, or outside them.
    Ranges { is_inside: bool },
}

impl OnKnown {
    /// The words whose heads these are.
    pub(super) fn words<'p>(&'p self, program: &'p Program) -> &'p [WordId] {
        match self {
            OnKnown::Words(span) => span.of(&program.words),
            OnKnown::Word(word) => std::slice::from_ref(word),
            OnKnown::Never | OnKnown::Any | OnKnown::Ranges { .. } => &[],
        }
    }
}

/// How often each attribute is known, each word occurs, and each threshold is passed.
pub(super) struct Rates<'p> {
    program: &'p Program,
    known: Vec<f32>,
    /// By head of the word.
    words: Vec<f32>,
    /// Sorted values of each attribute, sampled or, for lack of a sample, all thresholds of its literals.
    values: Vec<Vec<i64>>,
    heads: &'p WordHeads,
}

impl<'p> Rates<'p> {
    pub(super) fn new(program: &'p Program, statistics: &Statistics, heads: &'p WordHeads) -> Rates<'p> {
        let attributes = &program.attributes;
        let mut rates = Rates {
            program,
            known: vec![KNOWN_DEFAULT; attributes.len()],
            words: vec![0.0; heads.len()],
            values: vec![Vec::new(); attributes.len()],
            heads,
        };
        let mut mentioned = vec![0u32; attributes.len()];
        for (_, _, signal) in heads.iter() {
            mentioned[usize::from(signal.0)] += 1;
        }
        for (head, word, signal) in heads.iter() {
            let at = usize::from(signal.0);
            let typical = if attributes[at].kind == Kind::Set { MEMBERS_DEFAULT } else { 1.0 };
            let count = mentioned[at] as f32;
            let stated = statistics.get(&attributes[at].name).map(|attribute| {
                let text = program.dictionary.get(word.0 as usize - 1).map_or("", String::as_str);
                attribute.words.get(text).copied().unwrap_or(UNSEEN)
            });
            rates.words[head as usize] = stated.unwrap_or(KNOWN_DEFAULT * typical / (count + 1.0 + typical));
        }
        for (index, attribute) in attributes.iter().enumerate() {
            if let Some(stated) = statistics.get(&attribute.name) {
                rates.known[index] =
                    if stated.known.is_finite() { stated.known.clamp(0.0, 1.0) } else { KNOWN_DEFAULT };
                rates.values[index].clone_from(&stated.sample);
            }
        }
        rates.fill_values();
        rates
    }

    /// Authors put thresholds where the values are, so thresholds stand in for a sample.
    fn fill_values(&mut self) {
        let is_sampled: Vec<bool> = self.values.iter().map(|values| !values.is_empty()).collect();
        for literal in &self.program.literals {
            let at = usize::from(literal.signal.0);
            if let Constraint::InRanges(span) | Constraint::AgeInRanges(span) = literal.constraint
                && !is_sampled[at]
            {
                let ends = span.of(&self.program.ranges).iter().flat_map(|range| [range.0, range.1]);
                self.values[at].extend(ends.filter(|end| *end != i64::MIN && *end != i64::MAX));
            }
        }
        for (values, is_sampled) in self.values.iter_mut().zip(is_sampled) {
            if !is_sampled {
                values.sort_unstable();
                values.dedup();
            }
        }
    }

    /// Where and how often the literal is met.
    pub(super) fn access(&self, literal: &Literal) -> Access {
        let known = self.known[usize::from(literal.signal.0)];
        let (satisfied, on_satisfied, is_exact) = self.satisfied(literal, known);
        let satisfied = satisfied.clamp(0.0, known);
        let mut access = Access {
            cost: match on_satisfied {
                OnKnown::Any => known,
                OnKnown::Word(word) => self.frequency(literal.signal, word),
                _ => satisfied,
            },
            rate: satisfied,
            is_exact,
            is_always: false,
            on_unknown: false,
            on_known: on_satisfied,
        };
        if matches!(literal.polarity, Polarity::Fails | Polarity::NotDefinitely) {
            let is_range = matches!(on_satisfied, OnKnown::Ranges { .. });
            access.rate = known - satisfied;
            access.on_known = match literal.constraint {
                Constraint::Known => OnKnown::Never,
                _ if is_range => OnKnown::Ranges { is_inside: false },
                _ => OnKnown::Any,
            };
            access.is_exact = is_range || literal.constraint == Constraint::Known;
            access.cost = if access.on_known == OnKnown::Any { known } else { access.rate };
        }
        if matches!(literal.polarity, Polarity::Possibly | Polarity::NotDefinitely) {
            access.on_unknown = true;
            access.cost = (access.cost + 1.0 - known).min(1.0);
            access.rate += 1.0 - known;
            access.is_always = access.on_known == OnKnown::Any;
        }
        access
    }

    /// How often the literal's constraint is satisfied, by what heads that is met, and whether they prove it.
    fn satisfied(&self, literal: &Literal, known: f32) -> (f32, OnKnown, bool) {
        let frequency = |word: WordId| self.frequency(literal.signal, word);
        let pool = &self.program.words;
        match literal.constraint {
            Constraint::Known => (known, OnKnown::Any, true),
            Constraint::OneOf(span) => {
                (span.of(pool).iter().map(|word| frequency(*word)).sum(), OnKnown::Words(span), true)
            }
            Constraint::AnyOf(span) => {
                let none: f32 = span.of(pool).iter().map(|word| 1.0 - frequency(*word).min(1.0)).product();
                (1.0 - none, OnKnown::Words(span), true)
            }
            Constraint::AllOf(span) => {
                let words = span.of(pool);
                let share = words.iter().map(|word| frequency(*word) / known.max(UNSEEN)).product::<f32>();
                let access = self.rarest(literal.signal, words).map_or(OnKnown::Any, OnKnown::Word);
                (known * share, access, words.len() < 2)
            }
            Constraint::InRanges(span) | Constraint::AgeInRanges(span) => {
                let share = self.share(usize::from(literal.signal.0), span.of(&self.program.ranges));
                (known * share, OnKnown::Ranges { is_inside: true }, true)
            }
            Constraint::StartsWith(_)
            | Constraint::EndsWith(_)
            | Constraint::Contains(_)
            | Constraint::OnlyOf(_) => (known * PATTERN_DEFAULT, OnKnown::Any, false),
        }
    }

    /// The rarest of the words: a set with all of them has it.
    pub(super) fn rarest(&self, signal: SignalId, words: &[WordId]) -> Option<WordId> {
        let frequency = |word: &&WordId| self.frequency(signal, **word);
        words.iter().min_by(|one, other| frequency(one).total_cmp(&frequency(other))).copied()
    }

    fn frequency(&self, signal: SignalId, word: WordId) -> f32 {
        self.heads.find(signal, word).map_or(0.0, |head| self.words[head as usize])
    }

    /// The share of an attribute's values that lie in the ranges.
    fn share(&self, attribute: usize, ranges: &[(i64, i64)]) -> f32 {
        let values = &self.values[attribute];
        let below = |end: i64| values.partition_point(|value| *value < end);
        let to = |end: i64| values.partition_point(|value| *value <= end);
        let inside: usize = ranges.iter().map(|range| to(range.1) - below(range.0)).sum();
        (inside as f32 / values.len().max(1) as f32).max(UNSEEN)
    }
}
