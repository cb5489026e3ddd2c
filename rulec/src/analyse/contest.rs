//! The contest of one placement: its rules in the order in which they are asked.

use std::collections::HashSet;
use std::ops::Range;

use tessera_wire::catalog::PlacementId;
use tessera_wire::program::{Action, Program, Rule, RuleClass};

use super::boxes::{Boxes, Conjunction};

/// What a rule does to its placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Effects {
    /// It fills the placement or keeps it empty.
    pub(super) shows: bool,
    /// It gives an offer.
    pub(super) offers: bool,
    /// It does something that adds to what other rules do.
    pub(super) adds: bool,
}

impl Effects {
    pub(super) fn of(program: &Program, rule: &Rule) -> Effects {
        let mut effects = Effects::default();
        for action in rule.actions.of(&program.actions) {
            match action {
                Action::ShowTemplate(_) | Action::ShowCreative(_) | Action::Suppress => effects.shows = true,
                Action::Offer(_) => effects.offers = true,
                // A bandit's arms may do either.
                Action::Choose { .. } => (effects.shows, effects.adds) = (true, true),
                Action::Tag(_) | Action::Bind { .. } => {}
                Action::Pin { .. } | Action::Variant { .. } => effects.adds = true,
            }
        }
        effects
    }
}

/// One rule of the contest.
pub(super) struct Entrant<'p> {
    pub(super) rule: &'p Rule,
    pub(super) effects: Effects,
    /// Its conjunctions among the contest's.
    pub(super) conjunctions: Range<usize>,
    pub(super) is_complete: bool,
}

/// All rules of one placement.
pub(super) struct Contest<'b> {
    pub(super) entrants: Vec<Entrant<'b>>,
    pub(super) conjunctions: Vec<&'b Conjunction>,
    /// Entrant of each conjunction.
    pub(super) owners: Vec<usize>,
}

impl<'b> Contest<'b> {
    fn new(program: &'b Program, boxes: &'b Boxes, rules: &'b [Rule]) -> Contest<'b> {
        let mut contest = Contest { entrants: Vec::new(), conjunctions: Vec::new(), owners: Vec::new() };
        let is_fallback = |rule: &&Rule| rule.class == RuleClass::Fallback;
        // Fallback rules are asked when no other has filled the placement.
        for rule in rules.iter().filter(|rule| !is_fallback(rule)).chain(rules.iter().filter(is_fallback)) {
            let shape = boxes.of(rule.entry);
            let first = contest.conjunctions.len();
            contest.conjunctions.extend(&shape.conjunctions);
            contest.owners.resize(contest.conjunctions.len(), contest.entrants.len());
            contest.entrants.push(Entrant {
                rule,
                effects: Effects::of(program, rule),
                conjunctions: first..contest.conjunctions.len(),
                is_complete: shape.is_complete,
            });
        }
        contest
    }
}

/// The different contests of a program, as far as `conjunctions_max` conjunctions in all. Placements with the same rules
/// hold the same contest.
pub(super) fn contests<'b>(
    program: &'b Program,
    boxes: &'b Boxes,
    conjunctions_max: usize,
) -> impl Iterator<Item = Contest<'b>> {
    let mut seen = HashSet::new();
    let mut left = conjunctions_max;
    let placements = program.rules.chunk_by(|one, other| one.placement == other.placement);
    placements
        .filter(move |rules| {
            let key: Vec<_> =
                rules.iter().map(|rule| Rule { placement: PlacementId(0), ..(*rule).clone() }).collect();
            let key: Vec<_> =
                key.iter().map(|rule| (rule.source, rule.tier, rule.priority, rule.entry)).collect();
            seen.insert(key)
        })
        .map_while(move |rules| {
            let size: usize = rules.iter().map(|rule| boxes.of(rule.entry).conjunctions.len()).sum();
            left = left.checked_sub(size)?;
            Some(Contest::new(program, boxes, rules))
        })
}
