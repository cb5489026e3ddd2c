//! Typed tree to program.
//!
//! A condition is read with one of four polarities (is it true, false, possibly true, not definitely true?), which pushes
//! every negation down to the tests; what remains is `and` and `or` over strict literals. Code is emitted backwards, so
//! that every target exists before the branch to it and lies after it in the finished program.
//!
//! Guarantees: deterministic; equal literals are one literal, equal tails of code are one tail; literals are grouped by
//! attribute, rules sorted as [`tessera_wire::program::Program::rules`] demands. Not here: limits (verification has them).

use std::collections::{BTreeSet, HashMap};

use tessera_wire::program::{
    ACCEPT, Action, Attribute, Branch, Constraint, Literal, LiteralId, Polarity, Program, REJECT, Rule,
    Segment, SignalId, Span, WordId,
};
use tessera_wire::signal::Gates;

use crate::hir::{
    self, Check, Condition, Test, Unit, definite, is_affirmative, opposite, possible, test_polarity,
};
use crate::print;

/// A program and how to print each of its literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    /// The program.
    pub program: Program,
    /// For each literal, its text in the rule language.
    pub literals: Vec<String>,
}

/// Lowers a unit. Total; whether the result is small enough to run is for verification to say.
pub fn lower(unit: &Unit) -> Lowered {
    let mut lowering = Lowering::default();
    let segments: Vec<u32> = unit.segments.iter().map(|(_, condition)| lowering.entry(condition)).collect();
    let entries: Vec<u32> = unit.rules.iter().map(|rule| lowering.entry(&rule.condition)).collect();
    lowering.finish(unit, &segments, &entries)
}

/// Conditions in negation normal form.
enum Formula {
    Constant(bool),
    Literal(u32),
    And(Vec<Formula>),
    Or(Vec<Formula>),
}

type Key = (SignalId, Polarity, Check);

#[derive(Default)]
struct Lowering {
    /// In order of first use; ids are provisional until [`Lowering::finish`].
    literals: Vec<Key>,
    ids: HashMap<Key, u32>,
    /// Backwards: the last branch of the program comes first. Targets are indices into this list.
    code: Vec<(u32, u32, u32)>,
    shared: HashMap<(u32, u32, u32), u32>,
}

impl Lowering {
    fn entry(&mut self, condition: &Condition) -> u32 {
        let formula = self.formula(condition, Polarity::Holds);
        self.emit(&formula, ACCEPT, REJECT)
    }

    fn formula(&mut self, condition: &Condition, polarity: Polarity) -> Formula {
        match condition {
            Condition::Constant(value) => Formula::Constant(*value == is_affirmative(polarity)),
            Condition::Test(test) => Formula::Literal(self.literal(test, polarity)),
            Condition::Not(inner) => self.formula(inner, opposite(polarity)),
            Condition::Definitely(inner) => self.formula(inner, definite(polarity)),
            Condition::Possibly(inner) => self.formula(inner, possible(polarity)),
            Condition::And(parts) => self.junction(parts, polarity, is_affirmative(polarity)),
            Condition::Or(parts) => self.junction(parts, polarity, !is_affirmative(polarity)),
        }
    }

    fn junction(&mut self, parts: &[Condition], polarity: Polarity, is_and: bool) -> Formula {
        let parts = parts.iter().map(|part| self.formula(part, polarity)).collect();
        if is_and { Formula::And(parts) } else { Formula::Or(parts) }
    }

    fn literal(&mut self, test: &Test, polarity: Polarity) -> u32 {
        let key = (test.signal, test_polarity(test, polarity), test.check.clone());
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = self.literals.len() as u32;
        self.literals.push(key.clone());
        self.ids.insert(key, id);
        id
    }

    /// Emits code that goes to `on_true` or `on_false`; returns where it starts.
    fn emit(&mut self, formula: &Formula, on_true: u32, on_false: u32) -> u32 {
        match formula {
            Formula::Constant(value) => {
                if *value {
                    on_true
                } else {
                    on_false
                }
            }
            Formula::Literal(literal) => self.branch((*literal, on_true, on_false)),
            Formula::And(parts) => {
                parts.iter().rev().fold(on_true, |next, part| self.emit(part, next, on_false))
            }
            Formula::Or(parts) => {
                parts.iter().rev().fold(on_false, |next, part| self.emit(part, on_true, next))
            }
        }
    }

    fn branch(&mut self, branch: (u32, u32, u32)) -> u32 {
        if branch.1 == branch.2 {
            return branch.1; // Both ways lead to the same place: nothing depends on the test.
        }
        if let Some(at) = self.shared.get(&branch) {
            return *at;
        }
        let at = self.code.len() as u32;
        self.code.push(branch);
        self.shared.insert(branch, at);
        at
    }

    fn finish(self, unit: &Unit, segments: &[u32], entries: &[u32]) -> Lowered {
        let mut order: Vec<u32> = (0..self.literals.len() as u32).collect();
        order.sort_by_key(|id| (self.literals[*id as usize].0, *id));
        let mut final_ids = vec![0; order.len()];
        for (position, id) in order.iter().enumerate() {
            final_ids[*id as usize] = position as u32;
        }
        let last = (self.code.len() as u32).wrapping_sub(1);
        let target = |at: u32| if at >= REJECT { at } else { last - at };
        let mut pools = Pools::new(unit, &self.literals);
        let keys: Vec<&Key> = order.iter().map(|id| &self.literals[*id as usize]).collect();
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
        let Pools { dictionary, ranges, words, actions, .. } = pools;
        let attributes = attributes(unit, &self.literals);
        let features = unit.features.clone();
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
        Lowered { program, literals: texts }
    }
}

fn literal_text(unit: &Unit, (signal, polarity, check): &Key) -> String {
    unit.signals
        .get(signal.0 as usize)
        .map_or_else(String::new, |signal| print::literal(signal, *polarity, check))
}

fn attributes(unit: &Unit, literals: &[Key]) -> Vec<Attribute> {
    let mut attributes: Vec<Attribute> = unit.signals.iter().map(|signal| signal.attribute.clone()).collect();
    for (signal, _, check) in literals {
        if let Check::StartsWith(_) | Check::EndsWith(_) | Check::Contains(_) = check
            && let Some(attribute) = attributes.get_mut(signal.0 as usize)
        {
            attribute.needs_text = true;
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

/// The pools that literals and rules refer to; equal slices are stored once.
struct Pools {
    dictionary: Vec<String>,
    ranges: Vec<(i64, i64)>,
    range_spans: HashMap<Vec<(i64, i64)>, Span>,
    words: Vec<WordId>,
    word_spans: HashMap<Vec<WordId>, Span>,
    actions: Vec<Action>,
}

impl Pools {
    fn new(unit: &Unit, literals: &[Key]) -> Pools {
        let mut dictionary: BTreeSet<&str> = unit.words.iter().map(String::as_str).collect();
        for (_, _, check) in literals {
            dictionary.extend(texts(check).iter().map(String::as_str));
        }
        for action in unit.rules.iter().flat_map(|rule| &rule.actions) {
            if let hir::Action::Tag(word) = action {
                dictionary.insert(word);
            }
        }
        Pools {
            dictionary: dictionary.into_iter().map(str::to_owned).collect(),
            ranges: Vec::new(),
            range_spans: HashMap::new(),
            words: Vec::new(),
            word_spans: HashMap::new(),
            actions: Vec::new(),
        }
    }

    fn literal(&mut self, (signal, polarity, check): &Key) -> Literal {
        let constraint = match check {
            Check::Known => Constraint::Known,
            Check::InRanges(ranges) => Constraint::InRanges(self.range_span(ranges)),
            Check::AgeInRanges(ranges) => Constraint::AgeInRanges(self.range_span(ranges)),
            Check::OneOf(words) => Constraint::OneOf(self.word_span(words)),
            Check::StartsWith(text) => Constraint::StartsWith(self.word(text)),
            Check::EndsWith(text) => Constraint::EndsWith(self.word(text)),
            Check::Contains(text) => Constraint::Contains(self.word(text)),
            Check::AnyOf(words) => Constraint::AnyOf(self.word_span(words)),
            Check::AllOf(words) => Constraint::AllOf(self.word_span(words)),
            Check::OnlyOf(words) => Constraint::OnlyOf(self.word_span(words)),
        };
        Literal { signal: *signal, polarity: *polarity, constraint }
    }

    fn range_span(&mut self, ranges: &[(i64, i64)]) -> Span {
        if let Some(span) = self.range_spans.get(ranges) {
            return *span;
        }
        let span = Span { first: self.ranges.len() as u32, len: ranges.len() as u32 };
        self.ranges.extend_from_slice(ranges);
        self.range_spans.insert(ranges.to_vec(), span);
        span
    }

    fn word_span(&mut self, texts: &[String]) -> Span {
        let ids: BTreeSet<WordId> = texts.iter().map(|text| self.word(text)).collect();
        let ids: Vec<WordId> = ids.into_iter().collect();
        if let Some(span) = self.word_spans.get(&ids) {
            return *span;
        }
        let span = Span { first: self.words.len() as u32, len: ids.len() as u32 };
        self.words.extend_from_slice(&ids);
        self.word_spans.insert(ids, span);
        span
    }

    /// Every text of every literal was collected before, so the search succeeds.
    fn word(&self, text: &str) -> WordId {
        let found = self.dictionary.binary_search_by(|word| word.as_str().cmp(text));
        found.map_or(WordId::OTHER, |position| WordId(position as u32 + 1))
    }

    fn rules(&mut self, unit: &Unit, entries: &[u32]) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (rule, entry) in unit.rules.iter().zip(entries) {
            let first = self.actions.len() as u32;
            for action in &rule.actions {
                let action = match action {
                    hir::Action::Plain(action) => *action,
                    hir::Action::Tag(word) => Action::Tag(self.word(word)),
                };
                self.actions.push(action);
            }
            let actions = Span { first, len: rule.actions.len() as u32 };
            rules.extend(rule.placement_ids().map(|placement| Rule {
                source: rule.source,
                tier: rule.tier,
                placement,
                priority: rule.priority,
                class: rule.class,
                entry: *entry,
                actions,
            }));
        }
        rules.sort_by_key(|rule| (rule.placement, -i64::from(rule.priority), rule.source, rule.tier));
        rules
    }
}

fn texts(check: &Check) -> &[String] {
    match check {
        Check::Known | Check::InRanges(_) | Check::AgeInRanges(_) => &[],
        Check::OneOf(words) | Check::AnyOf(words) | Check::AllOf(words) | Check::OnlyOf(words) => words,
        Check::StartsWith(text) | Check::EndsWith(text) | Check::Contains(text) => std::slice::from_ref(text),
    }
}
