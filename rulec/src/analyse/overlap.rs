//! Rules of equal priority that can match the same visitor and show different things: only their order in the files
//! decides between them. Each finding comes with a visitor that both were tried on.

use tessera_rulevm::VerifiedProgram;
use tessera_wire::program::{Action, Program, Rule, RuleClass};

use super::bits::{Rows, ones};
use super::boxes::Boxes;
use super::contest::Contest;

/// Conjunctions tried per rule before it is taken to overlap with nothing.
const TRIALS_MAX: usize = 8;
/// Conjunctions looked at per rule; in a group in which all pairs are compatible most may show the same thing.
const LOOKS_MAX: usize = 256;

/// Two source rules, and a visitor that both want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Source index of the rule that wins.
    pub(super) first: u32,
    /// Source index of the rule that loses.
    pub(super) second: u32,
    /// The visitor, as text.
    pub(super) visitor: String,
}

/// At most one overlap per rule, as far as `overlaps_max` in all.
pub(super) fn overlaps(
    program: &VerifiedProgram,
    boxes: &Boxes,
    contest: &Contest<'_>,
    overlaps_max: usize,
) -> Vec<Overlap> {
    let mut found = Vec::new();
    let rank = |rule: &Rule| (rule.class == RuleClass::Fallback, rule.priority);
    let mut start = 0;
    for peers in contest.entrants.chunk_by(|one, other| rank(one.rule) == rank(other.rule)) {
        let group = start..start + peers.len();
        start = group.end;
        let sources = peers.first().zip(peers.last());
        if sources.is_none_or(|(first, last)| first.rule.source == last.rule.source) {
            continue;
        }
        if found.len() < overlaps_max {
            search(program, boxes, contest, group, overlaps_max, &mut found);
        }
    }
    found
}

fn search(
    program: &VerifiedProgram,
    boxes: &Boxes,
    contest: &Contest<'_>,
    group: std::ops::Range<usize>,
    overlaps_max: usize,
    found: &mut Vec<Overlap>,
) {
    let entrants = &contest.entrants[group.clone()];
    let (Some(first), Some(last)) = (entrants.first(), entrants.last()) else { return };
    let (start, end) = (first.conjunctions.start, last.conjunctions.end);
    let rows = Rows::compatible(program.program(), boxes, &contest.conjunctions[start..end]);
    let mut compatible = Vec::new();
    for (number, entrant) in group.zip(entrants) {
        if !entrant.effects.shows {
            continue;
        }
        let (mut trials, mut looks) = (0, 0);
        'own: for own in entrant.conjunctions.clone() {
            rows.meet(contest.conjunctions[own], &mut compatible);
            for at in ones(&compatible, entrant.conjunctions.end - start, end - start) {
                let rival = &contest.entrants[contest.owners[start + at]];
                let rules = [contest.entrants[number].rule, rival.rule];
                looks += 1;
                if looks == LOOKS_MAX {
                    break 'own;
                }
                if !rival.effects.shows || !are_rivals(program.program(), rules) {
                    continue;
                }
                let conjunctions = [contest.conjunctions[own], contest.conjunctions[start + at]];
                if let Some(visitor) = super::witness::witness(program, boxes, conjunctions, rules) {
                    let (first, second) = (rules[0].source, rules[1].source);
                    found.push(Overlap { first, second, visitor });
                    if found.len() == overlaps_max {
                        return;
                    }
                    break 'own;
                }
                trials += 1;
                if trials == TRIALS_MAX {
                    break 'own;
                }
            }
        }
    }
}

/// Do two different rules fill the placement with different things?
fn are_rivals(program: &Program, [one, other]: [&Rule; 2]) -> bool {
    let fills = |rule: &Rule| {
        let actions = rule.actions.of(&program.actions).iter();
        let is_fill = |action: &&Action| {
            matches!(
                action,
                Action::ShowTemplate(_) | Action::ShowCreative(_) | Action::Suppress | Action::Choose { .. }
            )
        };
        actions.filter(is_fill).copied().collect::<Vec<Action>>()
    };
    let (left, right) = (fills(one), fills(other));
    one.source != other.source && !left.is_empty() && !right.is_empty() && left != right
}
