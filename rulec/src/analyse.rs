//! What rules certainly never do: conditions that cannot be true or false, rules that never come first, ties, gaps.
//!
//! Works on the compiled program, so it sees what the engine sees: segments expanded, schedules, caps and rollouts as
//! literals. Every finding is sound: it holds for all visitors (property tests compare with brute force over small
//! domains). Silence proves nothing: what needs more than 64 conjunctions, or
//! the union of several rules, is left alone.
//!
//! Cost: bits over all pairs of conjunctions in a placement; ten thousand rules in one placement take less than a second.
//! Beyond [`crate::limits::ANALYSED_CONJUNCTIONS_MAX`] the comparisons between rules are left out.

mod bits;
mod boxes;
mod contest;
mod gap;
mod implicant;
mod lint;
mod members;
mod overlap;
mod region;
mod shadow;
mod witness;
mod words;

use std::collections::BTreeSet;

use tessera_rulevm::VerifiedProgram;
use tessera_wire::catalog::CreativeId;
use tessera_wire::program::{ACCEPT, Action, Program, Rule, SignalId};

use crate::limits::{ANALYSED_CONJUNCTIONS_MAX, OVERLAPS_MAX};
use boxes::Boxes;
use contest::contests;
pub(crate) use lint::lint;

/// Something that is certainly so, and probably not meant. Rules are source indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No visitor can satisfy this tier of a rule.
    NeverTrue {
        /// Source rule.
        rule: u32,
        /// Which tier.
        tier: u16,
    },
    /// No visitor can be in the segment.
    EmptySegment {
        /// Index of the segment.
        segment: u32,
    },
    /// Every visitor satisfies this tier of a rule, although it tests something.
    AlwaysTrue {
        /// Source rule.
        rule: u32,
        /// Which tier.
        tier: u16,
    },
    /// Wherever this tier competes, another one comes first.
    NeverFirst {
        /// Source rule and tier.
        rule: (u32, u16),
        /// The one that takes what it would.
        by: (u32, u16),
    },
    /// Only the order of the files decides between two rules.
    Tie {
        /// The source rule that wins.
        first: u32,
        /// The source rule that loses.
        second: u32,
        /// A visitor that both want, as text.
        visitor: String,
    },
    /// The tiers of a rule leave values out between them.
    Gap {
        /// Source rule.
        rule: u32,
        /// Which signal.
        signal: SignalId,
        /// First value left out.
        low: i64,
        /// Last value left out.
        high: i64,
    },
}

/// Everything that is certainly odd about a program's rules, in source order within each kind.
pub fn analyse(program: &VerifiedProgram) -> Vec<Finding> {
    let source = program.program();
    let boxes = Boxes::new(source);
    let mut findings = Vec::new();
    constants(source, &boxes, &mut findings);
    all_gaps(source, &boxes, &mut findings);
    let mut shadows = shadow::Shadows::default();
    let mut ties: Vec<Finding> = Vec::new();
    let mut tied = BTreeSet::new();
    for contest in contests(source, &boxes, ANALYSED_CONJUNCTIONS_MAX) {
        shadows.add(source, &boxes, &contest);
        for overlap in overlap::overlaps(program, &boxes, &contest, OVERLAPS_MAX - ties.len()) {
            let overlap::Overlap { first, second, visitor } = overlap;
            if tied.insert((first, second)) {
                ties.push(Finding::Tie { first, second, visitor });
            }
        }
    }
    let shadowed = shadows.finish();
    // What never comes first loses every tie.
    ties.retain(
        |tie| !matches!(tie, Finding::Tie { second, .. } if shadowed.iter().any(|one| one.rule.0 == *second)),
    );
    findings.extend(shadowed.into_iter().map(|one| Finding::NeverFirst { rule: one.rule, by: one.by }));
    findings.extend(ties);
    findings
}

/// Creatives that no rule can show, in order. That one is a house ad or a control is not known here.
pub fn unshown_creatives(program: &VerifiedProgram, creatives: u32) -> Vec<CreativeId> {
    let source = program.program();
    let boxes = Boxes::new(source);
    let mut is_shown = vec![false; creatives as usize];
    let mut mark = |action: &Action| {
        if let Action::ShowCreative(creative) = action
            && let Some(shown) = is_shown.get_mut(creative.index())
        {
            *shown = true;
        }
    };
    for rule in source.rules.iter().filter(|rule| !boxes.of(rule.entry).is_never()) {
        for action in rule.actions.of(&source.actions) {
            mark(action);
            if let Action::Choose { arms, .. } = action {
                arms.of(&source.actions).iter().for_each(&mut mark);
            }
        }
    }
    let ids = is_shown.iter().zip(0u32..).filter(|(shown, _)| !**shown);
    ids.map(|(_, id)| CreativeId(id)).collect()
}

/// Tiers in source order, each once.
fn tiers_of(program: &Program) -> Vec<&Rule> {
    let mut tiers: Vec<&Rule> = program.rules.iter().collect();
    tiers.sort_by_key(|rule| (rule.source, rule.tier));
    tiers.dedup_by_key(|rule| (rule.source, rule.tier));
    tiers
}

fn constants(program: &Program, boxes: &Boxes, findings: &mut Vec<Finding>) {
    for (segment, index) in program.segments.iter().zip(0u32..) {
        if boxes.of(segment.entry).is_never() {
            findings.push(Finding::EmptySegment { segment: index });
        }
    }
    for rule in tiers_of(program) {
        let (source, tier) = (rule.source, rule.tier);
        if boxes.of(rule.entry).is_never() {
            findings.push(Finding::NeverTrue { rule: source, tier });
        } else if rule.entry != ACCEPT && boxes::is_always(program, &program.code, rule.entry) {
            findings.push(Finding::AlwaysTrue { rule: source, tier });
        }
    }
}

fn all_gaps(program: &Program, boxes: &Boxes, findings: &mut Vec<Finding>) {
    for tiers in tiers_of(program).chunk_by(|one, other| one.source == other.source) {
        let gaps = gap::gaps(program, boxes, tiers);
        findings.extend(gaps.into_iter().map(|gap| Finding::Gap {
            rule: gap.source,
            signal: gap.signal,
            low: gap.low,
            high: gap.high,
        }));
    }
}
