//! The least that would have to be different for a rule to match.
//!
//! Of the ways in which the rule can match, those with the fewest missing conditions are tried first: purposes that are
//! not granted are granted, the clock is moved, values are changed as little as possible. A way only counts when the
//! reference evaluator then says that the rule matches.

use std::collections::BTreeMap;

use tessera_rulevm::{Frame, Truth};
use tessera_wire::program::{Polarity, SignalId};
use tessera_wire::signal::Gates;

use super::change::Change;
use super::ways::{Literal, Way, ways};
use super::{Case, Nearest, clock, integers, words};
use crate::check::{Given, TypedTest};
use crate::hir::{Check, Condition, Test};
use crate::{print, reference};

/// The nearest way to match, if one is found.
pub(super) fn nearest(case: &Case, goals: &[&Condition]) -> Option<Nearest> {
    let frame = case.frame(&case.visitor);
    let found = ways(goals, &|literal| holds(case, &frame, literal));
    let mut best: Option<Nearest> = None;
    for way in found {
        if best.as_ref().is_some_and(|best| best.missing < way.missing) {
            break;
        }
        let Some(changes) = attempt(case, goals, &way) else { continue };
        if best.as_ref().is_none_or(|best| changes.len() < best.changes.len()) {
            best = Some(Nearest { missing: way.missing, conditions: way.literals.len(), changes });
        }
    }
    best
}

fn holds(case: &Case, frame: &Frame, literal: &Literal<'_>) -> bool {
    let test = Test {
        signal: literal.signal,
        check: literal.check.clone(),
        place: crate::diagnostic::Place::NOWHERE,
    };
    let truth = reference::truth(&Condition::Test(test), &case.program, frame);
    match literal.polarity {
        Polarity::Holds => truth == Truth::True,
        Polarity::Fails => truth == Truth::False,
        Polarity::Possibly => truth != Truth::False,
        Polarity::NotDefinitely => truth != Truth::True,
    }
}

/// Changes that make all literals of a way hold, and any of the goals with them.
fn attempt(case: &Case, goals: &[&Condition], way: &Way<'_>) -> Option<Vec<Change>> {
    let mut attempt = Attempt { case, visitor: case.visitor.clone(), changes: Vec::new() };
    attempt.grant(&way.literals);
    let (of_clock, others): (Vec<Literal<'_>>, Vec<Literal<'_>>) =
        way.literals.iter().partition(|literal| clock::follows(case, &case.visitor, literal.signal));
    attempt.move_clock(&of_clock)?;
    let mut by_signal: BTreeMap<SignalId, Vec<Literal<'_>>> = BTreeMap::new();
    others.into_iter().for_each(|literal| by_signal.entry(literal.signal).or_default().push(literal));
    let frame = case.frame(&attempt.visitor);
    for (signal, literals) in by_signal {
        if !literals.iter().all(|literal| holds(case, &frame, literal)) {
            attempt.change(signal, &literals)?;
        }
    }
    let frame = case.frame(&attempt.visitor);
    (case.any(goals, &frame) == Truth::True).then_some(attempt.changes)
}

struct Attempt<'a> {
    case: &'a Case,
    visitor: TypedTest,
    changes: Vec<Change>,
}

impl Attempt<'_> {
    fn make(&mut self, change: Change) {
        change.apply(&mut self.visitor);
        self.changes.push(change);
    }

    /// What is asked for a value must be allowed to have one.
    fn grant(&mut self, literals: &[Literal<'_>]) {
        let needed = literals.iter().filter(|literal| literal.needs_value());
        let gates = needed.fold(Gates::NONE, |gates, literal| gates.or(self.case.gates(literal.signal)));
        let closed = gates.without(self.visitor.granted);
        if closed != Gates::NONE {
            self.make(Change::grant(closed));
        }
    }

    fn move_clock(&mut self, literals: &[Literal<'_>]) -> Option<()> {
        let frame = self.case.frame(&self.visitor);
        if literals.iter().all(|literal| holds(self.case, &frame, literal)) {
            return Some(());
        }
        let (now_ms, zone) = clock::nearest(self.case, &self.visitor, literals)?;
        let known = self.visitor.zone.clone();
        self.make(Change::clock(now_ms, zone, known));
        Some(())
    }

    /// Another value, or none where none will do.
    fn change(&mut self, id: SignalId, literals: &[Literal<'_>]) -> Option<()> {
        let signal = self.case.checked.unit.signals.get(id.0 as usize)?;
        let current = self.case.stored(&self.visitor, id);
        let wants_nothing =
            literals.iter().any(|literal| *literal.check == Check::Known && !literal.needs_value());
        let value = if wants_nothing { None } else { self.value(id, literals, current.as_ref()) };
        let needs_value = literals.iter().any(Literal::needs_value);
        let change = match value {
            Some(value) => {
                let asked: Vec<String> = literals
                    .iter()
                    .map(|literal| print::literal(signal, literal.polarity, literal.check))
                    .collect();
                Change::value(id, signal, value, asked.join(" and "))
            }
            None if !needs_value && self.case.preset(id).is_none() => Change::missing(id, signal),
            None => return None,
        };
        self.make(change);
        Some(())
    }

    fn value(&self, id: SignalId, literals: &[Literal<'_>], current: Option<&Given>) -> Option<Given> {
        use tessera_wire::signal::Kind;
        let signal = self.case.checked.unit.signals.get(id.0 as usize)?;
        let now_ms = self.visitor.now_ms;
        match signal.attribute.kind {
            Kind::Text => words::text(signal, literals).map(Given::Text),
            Kind::Set => {
                let members = match current {
                    Some(Given::Members(members)) => Some(members.as_slice()),
                    _ => None,
                };
                words::members(signal, literals, members).map(Given::Members)
            }
            _ => {
                let current = match current {
                    Some(Given::Integer(value)) => Some(*value),
                    Some(Given::AgeMs(age_ms)) => Some(now_ms.saturating_sub(*age_ms)),
                    _ => None,
                };
                let value = integers::nearest(signal, literals, current, now_ms)?;
                let has_ages = literals.iter().any(|one| matches!(one.check, Check::AgeInRanges(_)));
                Some(if has_ages {
                    Given::AgeMs(now_ms.saturating_sub(value))
                } else {
                    Given::Integer(value)
                })
            }
        }
    }
}
