//! The pools of a program: dictionary, ranges, words and actions, and what refers to them.

use ahash::{AHashMap, AHashSet};
use tessera_wire::program::{Action, Binding, Constraint, Literal, Rule, Span, WordId};

use super::Key;
use crate::hir::{self, Bound, Check, Unit};

/// The pools that literals and rules refer to; equal slices are stored once.
pub(super) struct Pools<'u> {
    /// Sorted and distinct.
    pub(super) dictionary: Vec<&'u str>,
    pub(super) word_ids: AHashMap<&'u str, WordId>,
    pub(super) ranges: Vec<(i64, i64)>,
    pub(super) range_spans: AHashMap<&'u [(i64, i64)], Span>,
    pub(super) words: Vec<WordId>,
    pub(super) word_spans: AHashMap<Vec<WordId>, Span>,
    pub(super) actions: Vec<Action>,
    /// Equal choices have their arms once; arms are told apart by how they print.
    pub(super) arm_spans: AHashMap<String, Span>,
}

impl<'u> Pools<'u> {
    pub(super) fn new(unit: &'u Unit, literals: &[Key<'u>]) -> Pools<'u> {
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

    pub(super) fn literal(&mut self, (signal, polarity, check): &Key<'u>) -> Literal {
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

    pub(super) fn range_span(&mut self, ranges: &'u [(i64, i64)]) -> Span {
        if let Some(span) = self.range_spans.get(ranges) {
            return *span;
        }
        let span = Span { first: self.ranges.len() as u32, len: ranges.len() as u32 };
        self.ranges.extend_from_slice(ranges);
        self.range_spans.insert(ranges, span);
        span
    }

    pub(super) fn word_span(&mut self, texts: &[String]) -> Span {
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
    pub(super) fn word(&self, text: &str) -> WordId {
        self.word_ids.get(text).copied().unwrap_or(WordId::OTHER)
    }

    pub(super) fn rules(&mut self, unit: &Unit, entries: &[u32]) -> Vec<Rule> {
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

    pub(super) fn action(&mut self, action: &hir::Action) -> Action {
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

    pub(super) fn arm_span(&mut self, arms: Vec<Action>) -> Span {
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
