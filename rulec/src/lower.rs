//! Typed tree to program.
//!
//! A condition is read with one of four polarities (is it true, false, possibly true, not definitely true?), which pushes
//! every negation down to the tests; what remains is `and` and `or` over strict literals. Code is emitted backwards, so
//! that every target exists before the branch to it and lies after it in the finished program.
//!
//! Guarantees: deterministic; equal literals are one literal, equal tails of code are one tail; literals are grouped by
//! attribute, rules sorted as [`tessera_wire::program::Program::rules`] demands. Not here: limits (verification has them).

mod places;
mod pools;

use ahash::AHashMap;
use tessera_wire::program::{
    ACCEPT, Attribute, Branch, LiteralId, Polarity, Program, REJECT, Segment, SignalId,
};
use tessera_wire::signal::{Gates, Kind};

use crate::diagnostic::Place;
use crate::hir::{
    self, Bound, Check, Condition, Test, Unit, definite, is_affirmative, opposite, possible, test_polarity,
};
use crate::print;
use pools::Pools;

pub use places::LiteralPlace;

/// A program and how to print each of its literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    /// The program.
    pub program: Program,
    /// For each literal, its text in the rule language.
    pub literals: Vec<String>,
    /// Where rules name their literals, sorted by rule and literal; of several places the first.
    pub places: Vec<LiteralPlace>,
}

/// Lowers a unit. Total; whether the result is small enough to run is for verification to say.
pub fn lower(unit: &Unit) -> Lowered {
    let mut lowering = Lowering::default();
    // A guess that spares the tables most of their growth: five tests a rule, every other one new.
    lowering.shared.reserve(unit.rules.len() * 5);
    lowering.ids.reserve(unit.rules.len());
    let segments: Vec<u32> = unit.segments.iter().map(|(_, condition)| lowering.entry(condition)).collect();
    let mut entries = Vec::with_capacity(unit.rules.len());
    for rule in &unit.rules {
        lowering.rule = Some(rule.source);
        entries.push(lowering.entry(&rule.condition));
    }
    lowering.finish(unit, &segments, &entries)
}

/// A literal before it has a number; the check stays where it was written.
type Key<'u> = (SignalId, Polarity, &'u Check);

#[derive(Default)]
struct Lowering<'u> {
    /// In order of first use; ids are provisional until [`Lowering::finish`].
    literals: Vec<Key<'u>>,
    ids: AHashMap<Key<'u>, u32>,
    /// Backwards: the last branch of the program comes first. Targets are indices into this list.
    code: Vec<(u32, u32, u32)>,
    shared: AHashMap<(u32, u32, u32), u32>,
    /// The source rule that is being lowered; none for segments.
    rule: Option<u32>,
    /// Provisional literals that rules name, and where.
    places: Vec<(u32, u32, Place)>,
}

impl<'u> Lowering<'u> {
    fn entry(&mut self, condition: &'u Condition) -> u32 {
        self.emit(condition, Polarity::Holds, ACCEPT, REJECT)
    }

    /// Emits code that goes to `on_true` when the condition, read with this polarity, is true, else to `on_false`; returns
    /// where it starts.
    fn emit(&mut self, condition: &'u Condition, polarity: Polarity, on_true: u32, on_false: u32) -> u32 {
        match condition {
            Condition::Constant(value) => {
                if *value == is_affirmative(polarity) {
                    on_true
                } else {
                    on_false
                }
            }
            Condition::Test(test) => {
                let literal = self.literal(test, polarity);
                self.branch((literal, on_true, on_false))
            }
            Condition::Not(inner) => self.emit(inner, opposite(polarity), on_true, on_false),
            Condition::Definitely(inner) => self.emit(inner, definite(polarity), on_true, on_false),
            Condition::Possibly(inner) => self.emit(inner, possible(polarity), on_true, on_false),
            Condition::And(parts) | Condition::Or(parts) => {
                let is_and = matches!(condition, Condition::And(_)) == is_affirmative(polarity);
                let parts = parts.iter().rev();
                if is_and {
                    parts.fold(on_true, |next, part| self.emit(part, polarity, next, on_false))
                } else {
                    parts.fold(on_false, |next, part| self.emit(part, polarity, on_true, next))
                }
            }
        }
    }

    fn literal(&mut self, test: &'u Test, polarity: Polarity) -> u32 {
        let key = (test.signal, test_polarity(test, polarity), &test.check);
        let next = self.literals.len() as u32;
        let id = *self.ids.entry(key).or_insert(next);
        if id == next {
            self.literals.push(key);
        }
        if let Some(rule) = self.rule {
            self.places.push((rule, id, test.place));
        }
        id
    }

    fn branch(&mut self, branch: (u32, u32, u32)) -> u32 {
        if branch.1 == branch.2 {
            return branch.1; // Both ways lead to the same place: nothing depends on the test.
        }
        let next = self.code.len() as u32;
        let at = *self.shared.entry(branch).or_insert(next);
        if at == next {
            self.code.push(branch);
        }
        at
    }

    fn finish(self, unit: &Unit, segments: &[u32], entries: &[u32]) -> Lowered {
        let mut order: Vec<u32> = (0..self.literals.len() as u32).collect();
        order.sort_unstable_by_key(|id| (self.literals[*id as usize].0, *id));
        let mut final_ids = vec![0; order.len()];
        for (position, id) in order.iter().enumerate() {
            final_ids[*id as usize] = position as u32;
        }
        let places = places::first(self.places, &final_ids);
        let last = (self.code.len() as u32).wrapping_sub(1);
        let target = |at: u32| if at >= REJECT { at } else { last - at };
        let mut pools = Pools::new(unit, &self.literals);
        let keys: Vec<&Key<'_>> = order.iter().map(|id| &self.literals[*id as usize]).collect();
        let literals = keys.iter().map(|key| pools.literal(key)).collect();
        let code = self.code.iter().rev().map(|(literal, on_true, on_false)| Branch {
            literal: LiteralId(final_ids[*literal as usize]),
            on_true: target(*on_true),
            on_false: target(*on_false),
        });
        let code = code.collect::<Vec<_>>();
        let entries: Vec<u32> = entries.iter().map(|entry| target(*entry)).collect();
        let rules = pools.rules(unit, &entries);
        let segments = unit.segments.iter().zip(segments).map(|((name, condition), entry)| Segment {
            name: name.clone(),
            entry: target(*entry),
            gates: gates_of(unit, condition),
        });
        let segments = segments.collect();
        let texts = keys.iter().map(|key| literal_text(unit, key)).collect();
        let attributes = attributes(unit, &self.literals);
        let features = unit.features.clone();
        let Pools { dictionary, ranges, words, actions, .. } = pools;
        let dictionary = dictionary.into_iter().map(str::to_owned).collect();
        let mut program = Program {
            attributes,
            dictionary,
            ranges,
            words,
            literals,
            code,
            rules,
            segments,
            actions,
            features,
            work_max: 0,
        };
        program.work_max = tessera_rulevm::work_of(&program);
        Lowered { program, literals: texts, places }
    }
}

fn literal_text(unit: &Unit, (signal, polarity, check): &Key<'_>) -> String {
    unit.signals
        .get(signal.0 as usize)
        .map_or_else(String::new, |signal| print::literal(signal, *polarity, check))
}

fn attributes(unit: &Unit, literals: &[Key<'_>]) -> Vec<Attribute> {
    let mut attributes: Vec<Attribute> = unit.signals.iter().map(|signal| signal.attribute.clone()).collect();
    for (signal, _, check) in literals {
        if let Check::StartsWith(_) | Check::EndsWith(_) | Check::Contains(_) = check
            && let Some(attribute) = attributes.get_mut(signal.0 as usize)
        {
            attribute.needs_text = true;
        }
    }
    // What an ad shows is the text itself.
    for action in unit.rules.iter().flat_map(|rule| &rule.actions) {
        if let hir::Action::Bind { value: Bound::Signal(signal), .. } = action
            && let Some(attribute) = attributes.get_mut(signal.0 as usize)
        {
            attribute.needs_text |= attribute.kind == Kind::Text;
        }
    }
    attributes
}

/// Gates of everything a condition reads.
pub(crate) fn gates_of(unit: &Unit, condition: &Condition) -> Gates {
    let mut gates = Gates::NONE;
    condition.visit_tests(Polarity::Holds, &mut |test, _| {
        if let Some(signal) = unit.signals.get(test.signal.0 as usize) {
            gates = gates.or(signal.attribute.gates);
        }
    });
    gates
}
