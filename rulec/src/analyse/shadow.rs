//! Rules that never come first, because earlier ones take everything they would.
//!
//! Sound: a rule is reported only when every conjunction of it lies inside a conjunction of one earlier rule of the same
//! placement that has the same effects. What only the union of several conjunctions covers is not found.

use std::collections::HashMap;

use tessera_wire::program::{Program, RuleClass};

use super::bits::{Rows, ones};
use super::boxes::Boxes;
use super::contest::{Contest, Effects};

/// A source rule's tier, and the earlier one that takes most of what it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shadowed {
    /// Source rule and tier that never comes first.
    pub(super) rule: (u32, u16),
    /// Source rule and tier that comes before it.
    pub(super) by: (u32, u16),
}

/// Counts, per tier of a source rule, how many contests it is in and in how many it is shadowed.
#[derive(Default)]
pub(super) struct Shadows(HashMap<(u32, u16), Tally>);

#[derive(Default)]
struct Tally {
    contests: usize,
    shadowed: usize,
    by: (u32, u16),
}

impl Shadows {
    pub(super) fn add(&mut self, program: &Program, boxes: &Boxes, contest: &Contest<'_>) {
        let rows = Rows::inside(program, boxes, &contest.conjunctions);
        let covers = Covers::of(contest, &rows);
        for entrant in &contest.entrants {
            let key = (entrant.rule.source, entrant.rule.tier);
            let tally = self.0.entry(key).or_default();
            tally.contests += 1;
            let is_shadowed = entrant.is_complete && !entrant.conjunctions.is_empty() && {
                let mut conjunctions = entrant.conjunctions.clone();
                conjunctions.all(|at| covers.takes_all(at, entrant.effects))
            };
            if let Some(by) = covers.by[entrant.conjunctions.clone()].first()
                && is_shadowed
            {
                tally.shadowed += 1;
                let by = contest.entrants[*by].rule;
                tally.by = (by.source, by.tier);
            }
        }
    }

    /// Tiers that are shadowed wherever they compete.
    pub(super) fn finish(self) -> Vec<Shadowed> {
        let everywhere = self.0.into_iter().filter(|(_, tally)| tally.contests == tally.shadowed);
        let mut found: Vec<Shadowed> =
            everywhere.map(|(rule, tally)| Shadowed { rule, by: tally.by }).collect();
        found.sort_unstable();
        found
    }
}

/// For each conjunction: what earlier rules have taken of its effects.
struct Covers {
    taken: Vec<Effects>,
    /// The first rule that took something.
    by: Vec<usize>,
}

impl Covers {
    fn of(contest: &Contest<'_>, rows: &Rows) -> Covers {
        let count = contest.conjunctions.len();
        let mut covers = Covers { taken: vec![Effects::default(); count], by: vec![0; count] };
        let mut inside = Vec::new();
        for (number, entrant) in contest.entrants.iter().enumerate() {
            for own in entrant.conjunctions.clone() {
                rows.meet(contest.conjunctions[own], &mut inside);
                for at in ones(&inside, entrant.conjunctions.end, count) {
                    covers.take(at, number, contest);
                }
            }
        }
        covers
    }

    fn take(&mut self, at: usize, number: usize, contest: &Contest<'_>) {
        let winner = &contest.entrants[number];
        let loser = &contest.entrants[contest.owners[at]];
        // A fallback is there for when others cannot be shown: coming after them is its purpose.
        if (winner.rule.class == RuleClass::Fallback) != (loser.rule.class == RuleClass::Fallback) {
            return;
        }
        let before = self.taken[at];
        let taken = &mut self.taken[at];
        if winner.rule.source == loser.rule.source {
            // Of one rule's tiers only the first matching one speaks.
            *taken = Effects { shows: true, offers: true, adds: true };
        } else {
            taken.shows |= winner.effects.shows;
            taken.offers |= winner.effects.offers;
        }
        if before == Effects::default() && *taken != before {
            self.by[at] = number;
        }
    }

    fn takes_all(&self, at: usize, effects: Effects) -> bool {
        let taken = self.taken[at];
        let does_nothing = effects == Effects::default() && !taken.adds;
        !does_nothing
            && (taken.shows || !effects.shows)
            && (taken.offers || !effects.offers)
            && (taken.adds || !effects.adds)
    }
}
