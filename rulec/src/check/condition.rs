//! Conditions: segments expanded, tests typed.

use super::value::comparable;
use super::vocabulary::AttributeId;
use super::{Checker, SegmentState};
use crate::ast::{self, Cond, CondKind, Includes, Name, Op, Value, ValueKind};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::{Check, Condition, Test, Type};
use crate::limits;
use crate::nearest::nearest;

/// A typed condition and how deep it is.
pub(super) struct Built {
    pub(super) condition: Condition,
    depth: usize,
}

impl Built {
    fn leaf(condition: Condition) -> Built {
        Built { condition, depth: 1 }
    }
}

impl Checker<'_> {
    /// A whole condition of a rule; `None` when something in it is wrong.
    pub(super) fn whole_condition(&mut self, cond: &Cond) -> Option<Condition> {
        self.nodes = 0;
        let built = self.built(cond, 0);
        self.charge(self.nodes, cond.place)?;
        built.map(|built| built.condition)
    }

    /// Counts nodes of the condition being built; reported when they become too many.
    fn spend(&mut self, nodes: usize, place: Place) -> Option<()> {
        let before = self.nodes;
        self.nodes = before.saturating_add(nodes);
        if before <= limits::CONDITION_NODES_MAX && self.nodes > limits::CONDITION_NODES_MAX {
            let message = format!("this condition has more than {} tests", limits::CONDITION_NODES_MAX);
            self.sink.push(Diagnostic::new(Code::E007, place, message));
        }
        (self.nodes <= limits::CONDITION_NODES_MAX).then_some(())
    }

    /// Counts nodes of the whole program; reported when they become too many.
    pub(super) fn charge(&mut self, nodes: usize, place: Place) -> Option<()> {
        let before = self.program_nodes;
        self.program_nodes = before.saturating_add(nodes);
        if before <= limits::PROGRAM_NODES_MAX && self.program_nodes > limits::PROGRAM_NODES_MAX {
            let message =
                format!("all conditions together have more than {} tests", limits::PROGRAM_NODES_MAX);
            self.sink.push(Diagnostic::new(Code::E080, place, message));
        }
        (self.program_nodes <= limits::PROGRAM_NODES_MAX).then_some(())
    }

    /// `level` counts what this part stands in, segments included, so that recursion is bounded.
    fn built(&mut self, cond: &Cond, level: usize) -> Option<Built> {
        self.spend(1, cond.place)?;
        if level == limits::CONDITION_DEPTH_MAX {
            self.report_depth(cond.place);
            return None;
        }
        let level = level + 1;
        let built = match &cond.kind {
            CondKind::Not(inner) => self.wrapped(inner, level, Condition::Not),
            CondKind::Definitely(inner) => self.wrapped(inner, level, Condition::Definitely),
            CondKind::Possibly(inner) => self.wrapped(inner, level, Condition::Possibly),
            CondKind::And(parts) => self.joined(parts, level, Condition::And),
            CondKind::Or(parts) => self.joined(parts, level, Condition::Or),
            CondKind::Segment(name) => self.segment(name, level),
            CondKind::Count(count, check) => {
                self.counted(count).and_then(|id| self.test_of(id, check, cond.place)).map(Built::leaf)
            }
            CondKind::Bucket(bucket, check) => {
                let id = self.bucket(bucket);
                self.test_of(id, check, cond.place).map(Built::leaf)
            }
            CondKind::Active(schedule) => self.active(schedule),
            CondKind::Test(name, check) => self.test(name, check, cond.place).map(Built::leaf),
        }?;
        if built.depth > limits::CONDITION_DEPTH_MAX {
            self.report_depth(cond.place);
            return None;
        }
        Some(built)
    }

    fn report_depth(&mut self, place: Place) {
        let message =
            format!("with its segments, this is deeper than {} levels", limits::CONDITION_DEPTH_MAX);
        self.sink.push(Diagnostic::new(Code::E006, place, message));
    }

    fn wrapped(
        &mut self,
        inner: &Cond,
        level: usize,
        wrap: impl FnOnce(Box<Condition>) -> Condition,
    ) -> Option<Built> {
        let inner = self.built(inner, level)?;
        Some(Built { condition: wrap(Box::new(inner.condition)), depth: inner.depth + 1 })
    }

    /// Goes on after a mistake, so that all mistakes of a condition are reported.
    fn joined(
        &mut self,
        parts: &[Cond],
        level: usize,
        join: impl FnOnce(Vec<Condition>) -> Condition,
    ) -> Option<Built> {
        let mut conditions = Vec::with_capacity(parts.len());
        let mut depth = 0;
        let mut is_right = true;
        for part in parts {
            match self.built(part, level) {
                Some(built) => {
                    depth = depth.max(built.depth);
                    conditions.push(built.condition);
                }
                None => is_right = false,
            }
        }
        is_right.then(|| Built { condition: join(conditions), depth: depth + 1 })
    }

    fn segment(&mut self, name: &Name, level: usize) -> Option<Built> {
        let Some(segment) = self.segments.get_mut(&name.text) else {
            let near = self.near(&name.text, self.segments.keys().map(String::as_str));
            let message = format!("there is no segment \"{}\"", name.text);
            self.sink.push(Diagnostic::new(Code::E042, name.place, message).did_you_mean(near));
            return None;
        };
        segment.is_used = true;
        let defined = segment.item.name.place;
        match self.resolve_segment(&name.text, level) {
            SegmentState::Done { condition, depth, nodes } => {
                self.spend(nodes, name.place)?;
                Some(Built { condition, depth })
            }
            SegmentState::InProgress => {
                let message = format!("segment \"{}\" refers to itself", name.text);
                let diagnostic = Diagnostic::new(Code::E048, name.place, message);
                self.sink.push(diagnostic.secondary(defined, "while expanding this one"));
                None
            }
            SegmentState::Failed | SegmentState::Unvisited => None,
        }
    }

    /// Types a segment once. Its state afterwards; in progress when it is needed to type itself.
    pub(super) fn resolve_segment(&mut self, name: &str, level: usize) -> SegmentState {
        let Some(segment) = self.segments.get_mut(name) else { return SegmentState::Failed };
        if !matches!(segment.state, SegmentState::Unvisited) {
            return segment.state.clone();
        }
        segment.state = SegmentState::InProgress;
        let item = segment.item;
        let outer_nodes = std::mem::take(&mut self.nodes);
        let built = match item.conditions.as_slice() {
            [only] => self.built(only, level),
            several => self.joined(several, level, Condition::And),
        };
        let nodes = std::mem::replace(&mut self.nodes, outer_nodes);
        let state = match (built, self.charge(nodes, item.name.place)) {
            (Some(Built { condition, depth }), Some(())) => SegmentState::Done { condition, depth, nodes },
            _ => SegmentState::Failed,
        };
        if let Some(segment) = self.segments.get_mut(name) {
            segment.state = state.clone();
        }
        state
    }

    fn test(&mut self, name: &Name, check: &ast::Check, place: Place) -> Option<Condition> {
        let attribute = self.attribute(name)?;
        self.test_of(attribute, check, place)
    }

    fn active(&mut self, schedule: &ast::Schedule) -> Option<Built> {
        let mut parts = self.schedules(std::slice::from_ref(schedule))?;
        parts.pop().map(Built::leaf)
    }

    fn test_of(&mut self, attribute: AttributeId, check: &ast::Check, place: Place) -> Option<Condition> {
        let is_known = match check {
            ast::Check::Known => Some(true),
            ast::Check::Unknown => Some(false),
            _ => None,
        };
        if let Some(is_known) = is_known {
            let signal = self.vocabulary.signal(attribute);
            let known = Condition::Test(Test { signal, check: Check::Known, place });
            return Some(if is_known { known } else { known.negated() });
        }
        if self.is_misspelt_known(attribute, check) {
            return None;
        }
        let (check, is_negated) = match self.vocabulary.entry(attribute).ty {
            Type::Bool => self.bool_check(attribute, check, place),
            Type::Number(_)
            | Type::Percent
            | Type::Money(_)
            | Type::Duration
            | Type::Version
            | Type::Bucket
            | Type::MinuteOfWeek => self.amount_check(attribute, check, place),
            Type::Text
            | Type::OneOf(_)
            | Type::Country
            | Type::Language
            | Type::Currency
            | Type::Timezone => self.text_check(attribute, check, place),
            Type::Set | Type::SetOf(_) => self.set_check(attribute, check, place),
            Type::Time => self.time_check(attribute, check, place),
        }?;
        let signal = self.vocabulary.signal(attribute);
        let condition = Condition::Test(Test { signal, check, place });
        Some(if is_negated { condition.negated() } else { condition })
    }

    /// `is knwon` would otherwise be a value; reported when that is what it looks like.
    fn is_misspelt_known(&mut self, attribute: AttributeId, check: &ast::Check) -> bool {
        let ast::Check::Compare(Op::Equal | Op::NotEqual, value) = check else { return false };
        let ValueKind::Word(word) = &value.kind else { return false };
        let entry = self.vocabulary.entry(attribute);
        if entry.is_closed() && entry.has_word(word) {
            return false;
        }
        let Some(meant) = nearest(word, ["known", "unknown"]) else { return false };
        self.sink.push(Diagnostic::misspelt(value.place, word, meant));
        true
    }

    fn bool_check(&mut self, id: AttributeId, check: &ast::Check, place: Place) -> Option<(Check, bool)> {
        let is_true = Check::InRanges(vec![(1, 1)]);
        let (value, is_equal) = match check {
            ast::Check::Bare => return Some((is_true, false)),
            ast::Check::Compare(Op::Equal, value) => (value, true),
            ast::Check::Compare(Op::NotEqual, value) => (value, false),
            _ => {
                self.mismatch(id, place, "write its name alone, or `not` and its name");
                return None;
            }
        };
        match &value.kind {
            ValueKind::Word(word) if word == "true" || word == "false" => {
                Some((is_true, (word == "true") != is_equal))
            }
            _ => {
                self.mismatch(id, value.place, "compare it with true or false");
                None
            }
        }
    }

    fn amount_check(&mut self, id: AttributeId, check: &ast::Check, place: Place) -> Option<(Check, bool)> {
        let in_range = |low, high| Some((Check::InRanges(vec![(low, high)]), false));
        match check {
            ast::Check::Compare(op, value) => {
                let (low, high) = self.range(id, value)?;
                match op {
                    Op::Equal | Op::NotEqual => {
                        Some((Check::InRanges(vec![(low, high)]), *op == Op::NotEqual))
                    }
                    _ if matches!(value.kind, ValueKind::Range { .. }) => {
                        self.mismatch(id, value.place, "write `in` before a range");
                        None
                    }
                    Op::AtLeast => in_range(low, i64::MAX),
                    Op::Above => in_range(high.saturating_add(1), i64::MAX),
                    Op::AtMost => in_range(i64::MIN, high),
                    Op::Below => in_range(i64::MIN, low.saturating_sub(1)),
                }
            }
            ast::Check::Between(low, high) => {
                let (low, high) = self.ends(id, low, high, false, place)?;
                in_range(low, high)
            }
            ast::Check::In { is_negated, list } => {
                let ranges: Vec<Option<_>> = list.iter().map(|value| self.range(id, value)).collect();
                let ranges = ranges.into_iter().collect::<Option<Vec<_>>>()?;
                Some((Check::InRanges(merged(ranges)), *is_negated))
            }
            ast::Check::WithinMs(_) | ast::Check::BeforeMs(_) => {
                self.mismatch(id, place, "`within` and `before` are for times");
                None
            }
            _ => {
                self.mismatch(id, place, "compare it: `>=`, `<=`, `>`, `<`, `==`, `!=`, `in`, `between`");
                None
            }
        }
    }

    fn text_check(&mut self, id: AttributeId, check: &ast::Check, place: Place) -> Option<(Check, bool)> {
        match check {
            ast::Check::Compare(op @ (Op::Equal | Op::NotEqual), value) => {
                let word = self.text_value(id, value)?;
                Some((Check::OneOf(vec![word]), *op == Op::NotEqual))
            }
            ast::Check::In { is_negated, list } => Some((Check::OneOf(self.texts(id, list)?), *is_negated)),
            ast::Check::StartsWith(text) => Some((Check::StartsWith(self.inner_text(id, text)), false)),
            ast::Check::EndsWith(text) => Some((Check::EndsWith(self.inner_text(id, text)), false)),
            ast::Check::Contains(text) => Some((Check::Contains(self.inner_text(id, text)), false)),
            _ => {
                self.mismatch(
                    id,
                    place,
                    "compare it: `is`, `is not`, `in`, `starts with`, `ends with`, `contains`",
                );
                None
            }
        }
    }

    fn set_check(&mut self, id: AttributeId, check: &ast::Check, place: Place) -> Option<(Check, bool)> {
        let ast::Check::Includes { is_negated, mode, list } = check else {
            let entry = self.vocabulary.entry(id);
            let message = format!("`{}` is a set: it holds several values", entry.name);
            self.sink.push(
                Diagnostic::new(Code::E047, place, message)
                    .help("use `includes any of (…)`, `includes all of (…)` or `includes none of (…)`"),
            );
            return None;
        };
        let words = self.texts(id, list)?;
        Some(match mode {
            Includes::Any => (Check::AnyOf(words), *is_negated),
            Includes::None => (Check::AnyOf(words), !*is_negated),
            Includes::All => (Check::AllOf(words), *is_negated),
            Includes::Only => (Check::OnlyOf(words), *is_negated),
        })
    }

    fn time_check(&mut self, id: AttributeId, check: &ast::Check, place: Place) -> Option<(Check, bool)> {
        match check {
            ast::Check::WithinMs(age_ms) => Some((Check::AgeInRanges(vec![(0, *age_ms)]), false)),
            ast::Check::BeforeMs(age_ms) => {
                Some((Check::AgeInRanges(vec![(age_ms.saturating_add(1), i64::MAX)]), false))
            }
            ast::Check::Compare(_, value)
                if matches!(value.kind, ValueKind::Moment(_) | ValueKind::Range { .. }) =>
            {
                self.amount_check(id, check, place)
            }
            ast::Check::Between(..) | ast::Check::In { .. } => self.amount_check(id, check, place),
            _ => {
                let help =
                    "compare it with now or a date: `within 24 hours`, `before 90 days ago`, `>= 2026-01-31`";
                self.mismatch(id, place, help);
                None
            }
        }
    }

    /// A part of a text, in the form in which texts are compared.
    fn inner_text(&self, id: AttributeId, text: &Name) -> String {
        comparable(&text.text, self.vocabulary.entry(id).is_caseless)
    }

    /// Sorted and distinct, so that equal lists are equal however they are written.
    fn texts(&mut self, id: AttributeId, list: &[Value]) -> Option<Vec<String>> {
        let mut texts = Vec::with_capacity(list.len());
        for value in list {
            texts.extend(self.text_value(id, value));
        }
        if texts.len() < list.len() {
            return None;
        }
        texts.sort_unstable();
        texts.dedup();
        Some(texts)
    }
}

/// Sorted and disjoint.
pub(super) fn merged(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    ranges.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match merged.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    merged
}
