//! How the condition of a rule is put together: what explanations walk through beside the rule as written.
//!
//! The typed tree of a rule is one condition per tier. Here its parts stand singly, each with the clause that it comes
//! from, so that an explanation can speak of `when`, `unless`, schedules, caps, the rollout and tiers.

use crate::ast::RuleItem;
use crate::diagnostic::Place;
use crate::hir::Condition;

/// The parts of one source rule.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// What holds for all tiers.
    pub(crate) clauses: Vec<Clause>,
    /// One per tier of the program, `otherwise` left out.
    pub(crate) tiers: Vec<OutlinedTier>,
}

/// One line of a rule.
#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) kind: ClauseKind,
    pub(crate) place: Place,
    /// As written: that of an `unless` is not negated.
    pub(crate) condition: Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClauseKind {
    /// Which of the rule's `when`.
    When(usize),
    /// Which of the rule's `unless`.
    Unless(usize),
    Active,
    Cap,
    Rollout,
}

/// A tier, or an arm of a split.
#[derive(Debug)]
pub(crate) struct OutlinedTier {
    /// Which tier as written.
    pub(crate) item: usize,
    /// Its own condition, with the arm's buckets.
    pub(crate) condition: Condition,
}

/// The typed parts of a rule, in the order of its clauses.
pub(super) struct Parts<'c> {
    pub(super) whens: &'c [Condition],
    pub(super) unlesses: &'c [Condition],
    pub(super) schedules: &'c [Condition],
    pub(super) caps: &'c [Condition],
    pub(super) rollout: Option<&'c Condition>,
}

/// The clauses of a rule, schedules first, as the program reads them.
pub(super) fn clauses(item: &RuleItem, parts: &Parts<'_>) -> Vec<Clause> {
    let clause = |kind, place, condition: &Condition| Clause { kind, place, condition: condition.clone() };
    let active = item.schedules.iter().map(|schedule| schedule.place).reduce(Place::to);
    let active = parts
        .schedules
        .iter()
        .map(|condition| clause(ClauseKind::Active, active.unwrap_or(item.place), condition));
    let caps = parts.caps.iter().zip(&item.caps);
    let caps = caps.map(|(condition, cap)| clause(ClauseKind::Cap, cap.place, condition));
    let rollout = parts.rollout.zip(item.rollout.as_ref());
    let rollout = rollout.map(|(condition, rollout)| clause(ClauseKind::Rollout, rollout.place, condition));
    let whens = parts.whens.iter().zip(&item.whens).enumerate();
    let whens = whens.map(|(at, (condition, when))| clause(ClauseKind::When(at), when.place, condition));
    let unlesses = parts.unlesses.iter().zip(&item.unlesses).enumerate();
    let unlesses =
        unlesses.map(|(at, (condition, unless))| clause(ClauseKind::Unless(at), unless.place, condition));
    whens.chain(unlesses).chain(active).chain(caps).chain(rollout).collect()
}
