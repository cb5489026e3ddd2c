//! Typed tree to program.
//!
//! A condition is read with one of four polarities (is it true, false, possibly true, not definitely true?), which pushes
//! every negation down to the tests; what remains is `and` and `or` over strict literals. Code is emitted backwards, so
//! that every target exists before the branch to it and lies after it in the finished program.
//!
//! Guarantees: deterministic; equal literals are one literal, equal tails of code are one tail; literals are grouped by
//! attribute, rules sorted as [`tessera_wire::program::Program::rules`] demands. Not here: limits (verification has them).

mod places;

use ahash::{AHashMap, AHashSet};
use tessera_wire::program::{
    ACCEPT, Action, Attribute, Binding, Branch, Constraint, Literal, LiteralId, Polarity, Program, REJECT,
    Rule, Segment, SignalId, Span, WordId,
};
use tessera_wire::signal::{Gates, Kind};

use crate::diagnostic::Place;
use crate::hir::{
    self, Bound, Check, Condition, Test, Unit, definite, is_affirmative, opposite, possible, test_polarity,
};
use crate::print;

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

/// The pools that literals and rules refer to; equal slices are stored once.
struct Pools<'u> {
    /// Sorted and distinct.
    dictionary: Vec<&'u str>,
    word_ids: AHashMap<&'u str, WordId>,
    ranges: Vec<(i64, i64)>,
    range_spans: AHashMap<&'u [(i64, i64)], Span>,
    words: Vec<WordId>,
    word_spans: AHashMap<Vec<WordId>, Span>,
    actions: Vec<Action>,
    /// Equal choices have their arms once; arms are told apart by how they print.
    arm_spans: AHashMap<String, Span>,
}

impl<'u> Pools<'u> {
    fn new(unit: &'u Unit, literals: &[Key<'u>]) -> Pools<'u> {
        let mut words: AHashSet<&str> = unit.words.iter().map(String::as_str).collect();
        for (_, _, check) in literals {
            words.extend(texts(check).iter().map(String::as_str));
        }
        let mut of_actions = Vec::new();
        for action in unit.rules.iter().flat_map(|rule| &rule.actions) {
            words_of(action, &mut of_actions);
        }
        words.extend(of_actions);
        let mut dictionary: Vec<&str> = words.into_iter().collect();
        dictionary.sort_unstable();
        let word_ids = dictionary.iter().copied().zip((1..).map(WordId)).collect();
        Pools {
            dictionary,
            word_ids,
            ranges: Vec::new(),
            range_spans: AHashMap::new(),
            words: Vec::new(),
            word_spans: AHashMap::new(),
            actions: Vec::new(),
            arm_spans: AHashMap::new(),
        }
    }

    fn literal(&mut self, (signal, polarity, check): &Key<'u>) -> Literal {
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

    fn range_span(&mut self, ranges: &'u [(i64, i64)]) -> Span {
        if let Some(span) = self.range_spans.get(ranges) {
            return *span;
        }
        let span = Span { first: self.ranges.len() as u32, len: ranges.len() as u32 };
        self.ranges.extend_from_slice(ranges);
        self.range_spans.insert(ranges, span);
        span
    }

    fn word_span(&mut self, texts: &[String]) -> Span {
        let mut ids: Vec<WordId> = texts.iter().map(|text| self.word(text)).collect();
        ids.sort_unstable();
        ids.dedup();
        if let Some(span) = self.word_spans.get(&ids) {
            return *span;
        }
        let span = Span { first: self.words.len() as u32, len: ids.len() as u32 };
        self.words.extend_from_slice(&ids);
        self.word_spans.insert(ids, span);
        span
    }

    /// Every text of every literal and action was collected before, so the search succeeds.
    fn word(&self, text: &str) -> WordId {
        self.word_ids.get(text).copied().unwrap_or(WordId::OTHER)
    }

    fn rules(&mut self, unit: &Unit, entries: &[u32]) -> Vec<Rule> {
        let mut rules = Vec::with_capacity(unit.rules.len());
        for (rule, entry) in unit.rules.iter().zip(entries) {
            // Arms first: a rule's own actions stand together.
            let own: Vec<Action> = rule.actions.iter().map(|action| self.action(action)).collect();
            let actions = Span { first: self.actions.len() as u32, len: own.len() as u32 };
            self.actions.extend(own);
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
        rules
            .sort_unstable_by_key(|rule| (rule.placement, -i64::from(rule.priority), rule.source, rule.tier));
        rules
    }

    fn action(&mut self, action: &hir::Action) -> Action {
        match action {
            hir::Action::Plain(action) => *action,
            hir::Action::Tag(word) => Action::Tag(self.word(word)),
            hir::Action::Pin { slot, asset } => Action::Pin { slot: self.word(slot), asset: *asset },
            hir::Action::Bind { parameter, value } => {
                let value = match value {
                    Bound::Text(text) => Binding::Word(self.word(text)),
                    Bound::Signal(signal) => Binding::Signal(*signal),
                };
                Action::Bind { parameter: self.word(parameter), value }
            }
            hir::Action::Choose { bandit, arms } => {
                let arms: Vec<Action> = arms.iter().map(|arm| self.action(arm)).collect();
                Action::Choose { bandit: self.word(bandit), arms: self.arm_span(arms) }
            }
            hir::Action::Variant { split, arm } => {
                Action::Variant { split: self.word(split), arm: self.word(arm) }
            }
        }
    }

    fn arm_span(&mut self, arms: Vec<Action>) -> Span {
        let key = format!("{arms:?}");
        if let Some(span) = self.arm_spans.get(&key) {
            return *span;
        }
        let span = Span { first: self.actions.len() as u32, len: arms.len() as u32 };
        self.actions.extend(arms);
        self.arm_spans.insert(key, span);
        span
    }
}

/// Texts of an action that must be in the dictionary.
fn words_of<'u>(action: &'u hir::Action, words: &mut Vec<&'u str>) {
    match action {
        hir::Action::Plain(_) => {}
        hir::Action::Tag(word) | hir::Action::Pin { slot: word, .. } => words.push(word),
        hir::Action::Bind { parameter, value } => {
            words.push(parameter);
            if let Bound::Text(text) = value {
                words.push(text);
            }
        }
        hir::Action::Choose { bandit, arms } => {
            words.push(bandit);
            arms.iter().for_each(|arm| words_of(arm, words));
        }
        hir::Action::Variant { split, arm } => words.extend([split.as_str(), arm.as_str()]),
    }
}

fn texts(check: &Check) -> &[String] {
    match check {
        Check::Known | Check::InRanges(_) | Check::AgeInRanges(_) => &[],
        Check::OneOf(words) | Check::AnyOf(words) | Check::AllOf(words) | Check::OnlyOf(words) => words,
        Check::StartsWith(text) | Check::EndsWith(text) | Check::Contains(text) => std::slice::from_ref(text),
    }
}
