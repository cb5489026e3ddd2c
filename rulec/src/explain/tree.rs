//! A rule as it is written, beside the typed conditions that its parts became.
//!
//! The checker keeps the shape of what is written: a connective becomes a connective of as many parts, a test becomes a
//! test, perhaps negated, a segment is expanded. So both trees are walked together; where they should ever differ, the
//! part is told as a whole, with its own truth.

use tessera_rulevm::{Frame, Truth};
use tessera_wire::program::{Polarity, SignalId};
use tessera_wire::signal::Gates;

use super::change::value_text;
use super::{Case, Fact, Known, Node, purposes_of};
use crate::ast::{Cond, CondKind, RuleItem, SplitArm};
use crate::check::{Clause, ClauseKind, Outline};
use crate::diagnostic::Place;
use crate::hir::Condition;
use crate::print;
use crate::reference;

/// Attributes of one part that are told about.
const FACTS_MAX: usize = 12;

/// The clauses and the tiers of a rule.
pub(super) fn of_rule(
    case: &Case,
    frame: &Frame,
    item: &RuleItem,
    outline: &Outline,
) -> (Vec<Node>, Vec<Node>) {
    let walk = Walk { case, frame };
    let mut clauses: Vec<Node> =
        outline.clauses.iter().flat_map(|clause| walk.clause(item, clause)).collect();
    let mut tiers = walk.tiers(item, outline);
    let is_plain = item.otherwise.is_none() && tiers.len() == 1 && item.tiers[0].condition.is_none();
    if is_plain && item.tiers[0].split.is_none() {
        tiers.clear();
    }
    let scope = clauses.iter().map(|clause| clause.truth);
    let scope = if scope.clone().any(|truth| truth == Truth::False) {
        Truth::False
    } else if scope.clone().any(|truth| truth == Truth::Unknown) {
        Truth::Unknown
    } else {
        Truth::True
    };
    mark(&mut clauses, scope);
    // Tiers are alternatives: the one that is taken decides, else all of them.
    let taken = tiers.iter().position(|tier| tier.truth == Truth::True);
    for (index, tier) in tiers.iter_mut().enumerate() {
        tier.decides = taken.is_none_or(|taken| taken == index);
    }
    propagate(&mut clauses);
    propagate(&mut tiers);
    (clauses, tiers)
}

struct Walk<'a> {
    case: &'a Case,
    frame: &'a Frame,
}

impl Walk<'_> {
    fn truth(&self, condition: &Condition) -> Truth {
        reference::truth(condition, &self.case.program, self.frame)
    }

    fn clause(&self, item: &RuleItem, clause: &Clause) -> Vec<Node> {
        match clause.kind {
            ClauseKind::When(at) => {
                // Parts of the outermost `and` stand singly.
                match (item.whens.get(at).map(|when| &when.kind), &clause.condition) {
                    (Some(CondKind::And(parts)), Condition::And(typed)) if parts.len() == typed.len() => {
                        parts.iter().zip(typed).map(|(part, typed)| self.node(part, typed)).collect()
                    }
                    _ => item
                        .whens
                        .get(at)
                        .map(|when| self.node(when, &clause.condition))
                        .into_iter()
                        .collect(),
                }
            }
            ClauseKind::Unless(at) => {
                let Some(unless) = item.unlesses.get(at) else { return Vec::new() };
                let inner = self.node(unless, &clause.condition);
                let excludes = inner.truth == Truth::True;
                let truth = if excludes { Truth::False } else { Truth::True };
                vec![Node { text: format!("unless {}", inner.text), truth, ..inner }]
            }
            ClauseKind::Active => vec![self.leaf("active ", clause.place, &clause.condition)],
            ClauseKind::Cap | ClauseKind::Rollout => vec![self.leaf("", clause.place, &clause.condition)],
        }
    }

    fn tiers(&self, item: &RuleItem, outline: &Outline) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut arm = 0;
        let mut last = None;
        for tier in &outline.tiers {
            arm = if last == Some(tier.item) { arm + 1 } else { 0 };
            last = Some(tier.item);
            let Some(written) = item.tiers.get(tier.item) else { continue };
            let split = written.split.as_ref();
            nodes.push(match (split.and_then(|split| split.arms.get(arm)), &written.condition) {
                (Some(arm), condition) => self.arm(arm, condition.as_ref(), &tier.condition),
                (None, Some(condition)) => self.node(condition, &tier.condition),
                (None, None) => self.named("otherwise", item.place, &tier.condition),
            });
        }
        if item.otherwise.is_some() {
            let guard = outline
                .clauses
                .iter()
                .filter(|clause| matches!(clause.kind, ClauseKind::When(_) | ClauseKind::Unless(_)));
            let is_outside = guard.clone().any(|clause| match clause.kind {
                ClauseKind::Unless(_) => self.truth(&clause.condition) == Truth::True,
                _ => self.truth(&clause.condition) != Truth::True,
            });
            let condition = Condition::Constant(is_outside);
            nodes.push(self.named("otherwise", item.place, &condition));
        }
        nodes
    }

    fn arm(&self, arm: &SplitArm, condition: Option<&Cond>, typed: &Condition) -> Node {
        let share = print::number(arm.share);
        let before = condition.map_or(String::new(), |when| format!("{} -> ", self.case.written(when.place)));
        self.named(&format!("{before}{share}% \"{}\"", arm.name.text), arm.share_place, typed)
    }

    fn named(&self, text: &str, place: Place, condition: &Condition) -> Node {
        let position = self.case.position(place);
        let facts = self.facts(condition);
        let (truth, parts) = (self.truth(condition), Vec::new());
        Node { text: text.to_owned(), position, truth, decides: false, facts, parts }
    }

    fn leaf(&self, before: &str, place: Place, condition: &Condition) -> Node {
        let text = self.case.written(place);
        let text = if text.starts_with(before.trim()) { text } else { format!("{before}{text}") };
        self.named(&text, place, condition)
    }

    fn node(&self, written: &Cond, typed: &Condition) -> Node {
        let parts: Vec<(&Cond, &Condition)> = match (&written.kind, typed) {
            (CondKind::And(parts), Condition::And(typed)) | (CondKind::Or(parts), Condition::Or(typed))
                if parts.len() == typed.len() =>
            {
                parts.iter().zip(typed).collect()
            }
            (CondKind::Not(inner), Condition::Not(typed))
            | (CondKind::Definitely(inner), Condition::Definitely(typed))
            | (CondKind::Possibly(inner), Condition::Possibly(typed)) => vec![(&**inner, &**typed)],
            (CondKind::Segment(name), typed) => self.of_segment(&name.text, typed),
            _ => Vec::new(),
        };
        let mut node = self.leaf("", written.place, typed);
        if !parts.is_empty() {
            node.facts.clear();
            node.parts = parts.into_iter().map(|(part, typed)| self.node(part, typed)).collect();
            mark(&mut node.parts, node.truth);
        }
        node
    }

    fn of_segment<'c>(&'c self, name: &str, typed: &'c Condition) -> Vec<(&'c Cond, &'c Condition)> {
        let mut segments = self.case.trees.iter().flat_map(|tree| &tree.segments);
        let Some(segment) = segments.find(|segment| segment.name.text == name) else { return Vec::new() };
        match (segment.conditions.as_slice(), typed) {
            ([only], typed) => vec![(only, typed)],
            (several, Condition::And(typed)) if several.len() == typed.len() => {
                several.iter().zip(typed).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What is known of the signals of a condition, each once.
    fn facts(&self, condition: &Condition) -> Vec<Fact> {
        let mut signals: Vec<SignalId> = Vec::new();
        condition.visit_tests(Polarity::Holds, &mut |test, _| {
            if signals.len() < FACTS_MAX && !signals.contains(&test.signal) {
                signals.push(test.signal);
            }
        });
        signals.into_iter().filter_map(|signal| self.fact(signal)).collect()
    }

    fn fact(&self, id: SignalId) -> Option<Fact> {
        let Case { visitor, checked, .. } = self.case;
        let signal = checked.unit.signals.get(id.0 as usize)?;
        let gates = signal.attribute.gates;
        let closed = gates.without(visitor.granted);
        let known = if closed != Gates::NONE {
            Known::NoConsent(purposes_of(closed))
        } else {
            match self.case.stored(visitor, id).filter(|_| self.frame.is_known(id)) {
                Some(given) => {
                    let text = value_text(signal, &given);
                    Known::Value { text, is_personal: gates != Gates::NONE }
                }
                None => Known::Missing,
            }
        };
        Some(Fact { attribute: signal.attribute.name.clone(), known })
    }
}

/// Marks those of the parts that decided that the whole has this truth.
fn mark(parts: &mut [Node], truth: Truth) {
    let is_single = parts.len() == 1;
    parts.iter_mut().for_each(|part| part.decides = is_single || part.truth == truth);
}

/// What stands inside a part that did not decide did not decide either.
fn propagate(nodes: &mut [Node]) {
    for node in nodes {
        if !node.decides {
            node.parts.iter_mut().for_each(|part| part.decides = false);
        }
        propagate(&mut node.parts);
    }
}
