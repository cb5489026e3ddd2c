//! The values right at and next to every threshold of a rule, and what comes of them: a table to approve.
//!
//! Each rule is shown a visitor whom it wants (the nearest match of a visitor with all consents and no values), and then
//! one value after another is put in: around every end of every range, every word of every list and one that is in none,
//! both truths, and no value at all. Deterministic: the clock stands still.

use tessera_rulevm::{Scratch, Truth, evaluate};
use tessera_wire::program::{Action as Plain, Polarity, SignalId};
use tessera_wire::signal::NUMBER_SCALE;

use crate::check::{Given, Preset, TypedTest};
use crate::diagnostic::SourceFile;
use crate::explain::{self, Case, Refusal, Visitor};
use crate::hir::{Action, Check, Signal, Type};
use crate::{Names, OfferName, testing};

/// The clock of the table, unless a rule's schedule needs another: 2026-01-01 12:00 UTC, a Thursday.
const NOW_MS: i64 = 1_767_268_800_000;
/// Values of one attribute that are tried.
const VALUES_MAX: usize = 40;

/// The table of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundaries {
    /// Name of the rule.
    pub rule: String,
    /// Placement that the outcomes are of.
    pub placement: String,
    /// What the visitor is like besides, as the language writes it.
    pub visitor: Vec<String>,
    /// Was a visitor found whom the rule wants?
    pub is_reachable: bool,
    /// One row per value.
    pub rows: Vec<Row>,
    /// Values that were left out because there are too many.
    pub left_out: usize,
}

/// One value and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The attribute.
    pub attribute: String,
    /// Its value, or `(missing)`.
    pub value: String,
    /// What the rule is then: `true`, `false` or `unknown`.
    pub truth: &'static str,
    /// Which of its tiers is taken, counted from one.
    pub tier: Option<usize>,
    /// The rule that decides in the placement.
    pub decider: Option<String>,
    /// The offer that is made.
    pub offer: Option<String>,
}

/// The tables of all rules, or of the one of this name, in source order.
///
/// # Errors
/// The files do not compile.
pub fn boundaries(
    files: &[SourceFile],
    names: &Names,
    rule: Option<&str>,
) -> Result<Vec<Boundaries>, Refusal> {
    let case = Case::read(files, names, Visitor { json: "{}", now_ms: NOW_MS, bucket: None })?;
    let wanted = case.rules().enumerate().filter(|(_, name)| rule.is_none_or(|rule| rule == *name));
    Ok(wanted.map(|(source, name)| Table { case: &case, names, source }.filled(name)).collect())
}

struct Table<'a> {
    case: &'a Case,
    names: &'a Names,
    source: usize,
}

impl Table<'_> {
    fn filled(&self, name: &str) -> Boundaries {
        let (visitor, changes) = self.case.wanted(self.source);
        let is_reachable = changes.is_some();
        let placement = self.case.first_placement(self.source);
        let known = placement.and_then(|placement| self.names.placements.get(placement as usize));
        let (mut rows, mut left_out) = (Vec::new(), 0);
        for (id, signal, checks) in self.tested() {
            let mut values = values_of(signal, &checks);
            left_out += values.len().saturating_sub(VALUES_MAX);
            values.truncate(VALUES_MAX);
            rows.extend(
                values.into_iter().map(|value| self.row(&visitor, id, signal, Some(value), placement)),
            );
            if self.case.preset(id).is_none() {
                rows.push(self.row(&visitor, id, signal, None, placement));
            }
        }
        Boundaries {
            rule: name.to_owned(),
            placement: known.cloned().unwrap_or_default(),
            visitor: changes.unwrap_or_default().iter().map(|change| change.text(true).to_owned()).collect(),
            is_reachable,
            rows,
            left_out,
        }
    }

    /// Signals that the rule tests, in the order of first use, with everything that is asked of them.
    fn tested(&self) -> Vec<(SignalId, &Signal, Vec<&Check>)> {
        let mut found: Vec<(SignalId, Vec<&Check>)> = Vec::new();
        for goal in self.case.goals(self.source) {
            goal.visit_tests(Polarity::Holds, &mut |test, _| match found
                .iter_mut()
                .find(|(signal, _)| *signal == test.signal)
            {
                Some((_, checks)) => checks.push(&test.check),
                None => found.push((test.signal, vec![&test.check])),
            });
        }
        let signals = &self.case.checked.unit.signals;
        let named = found.into_iter();
        named.filter_map(|(id, checks)| Some((id, signals.get(id.0 as usize)?, checks))).collect()
    }

    fn row(
        &self,
        visitor: &TypedTest,
        id: SignalId,
        signal: &Signal,
        value: Option<Given>,
        placement: Option<u32>,
    ) -> Row {
        let mut visitor = visitor.clone();
        let text = match &value {
            Some(value) => explain::value_text(signal, value),
            None => "(missing)".to_owned(),
        };
        visitor.given.retain(|(known, _)| *known != id);
        if let Some(value) = value {
            // The other clocks follow the time.
            match (&value, self.case.preset(id)) {
                (Given::Integer(now_ms), Some(Preset::Now)) => visitor.now_ms = *now_ms,
                _ => visitor.given.push((id, value)),
            }
        }
        self.outcome(&visitor, signal.attribute.name.clone(), text, placement)
    }

    fn outcome(&self, visitor: &TypedTest, attribute: String, value: String, placement: Option<u32>) -> Row {
        let (frame, program) = (self.case.frame(visitor), &self.case.program);
        let goals = self.case.goals(self.source);
        let truth = self.case.any(&goals, &frame);
        let taken = goals
            .iter()
            .position(|goal| crate::reference::truth(goal, program, &frame) == Truth::True)
            .filter(|_| goals.len() > 1);
        let mut scratch = Scratch::new(program);
        evaluate(program, &frame, &mut scratch);
        let walk = testing::walk(program, &self.case.checked, placement, &scratch);
        let decider = walk.decider.and_then(|rule| self.case.rules().nth(rule.source as usize));
        let offer = walk.offer.and_then(|action| match action {
            Action::Plain(Plain::Offer(offer)) => self.names.offers.get(offer.index()),
            _ => None,
        });
        Row {
            attribute,
            value,
            truth: match truth {
                Truth::True => "true",
                Truth::False => "false",
                Truth::Unknown => "unknown",
            },
            tier: taken.map(|tier| tier + 1),
            decider: decider.map(str::to_owned),
            offer: offer.map(|offer: &OfferName| offer.id.clone()),
        }
    }
}

/// Values to try, in order.
fn values_of(signal: &Signal, checks: &[&Check]) -> Vec<Given> {
    if signal.ty == Type::Bool {
        return vec![Given::Integer(0), Given::Integer(1)];
    }
    let mut integers: Vec<i64> = Vec::new();
    let mut ages: Vec<i64> = Vec::new();
    let mut words: Vec<&String> = Vec::new();
    for check in checks {
        match check {
            Check::InRanges(ranges) => integers.extend(around(signal, ranges)),
            Check::AgeInRanges(ranges) => ages.extend(around(signal, ranges)),
            Check::OneOf(list) | Check::AnyOf(list) | Check::AllOf(list) | Check::OnlyOf(list) => {
                words.extend(list);
            }
            Check::StartsWith(text) | Check::EndsWith(text) | Check::Contains(text) => words.push(text),
            Check::Known => {}
        }
    }
    integers.sort_unstable();
    integers.dedup();
    ages.sort_unstable();
    ages.dedup();
    ages.retain(|age| *age >= 0);
    let words = distinct(words);
    let is_set = matches!(signal.ty, Type::Set | Type::SetOf(_));
    let other = explain::others(signal).into_iter().find(|word| !words.contains(&word));
    let word = |word: String| if is_set { Given::Members(vec![word]) } else { Given::Text(word) };
    let of_words = words.iter().map(|text| (*text).clone()).chain(other.filter(|_| !words.is_empty()));
    let empty = (is_set && !words.is_empty()).then(|| Given::Members(Vec::new()));
    let whole = (is_set && words.len() > 1)
        .then(|| Given::Members(words.iter().map(|word| (*word).clone()).collect()));
    integers
        .into_iter()
        .map(Given::Integer)
        .chain(ages.into_iter().map(Given::AgeMs))
        .chain(of_words.map(word).take(VALUES_MAX))
        .chain(whole)
        .chain(empty)
        .collect()
}

fn distinct(words: Vec<&String>) -> Vec<&String> {
    let mut seen = std::collections::HashSet::new();
    words.into_iter().filter(|word| seen.insert(*word)).collect()
}

/// The threshold and its two neighbours, for every end of every range that the attribute can reach.
fn around(signal: &Signal, ranges: &[(i64, i64)]) -> Vec<i64> {
    let (low, high) = explain::domain(signal);
    let mut values = Vec::new();
    for range in ranges {
        // The end of a range lies between two values; the rounder of them is the one that was written.
        let starts = range.0.checked_sub(1).filter(|before| *before >= low).map(|before| (before, range.0));
        let ends = range.1.checked_add(1).filter(|after| *after <= high).map(|after| (range.1, after));
        for (before, after) in starts.into_iter().chain(ends) {
            let (threshold, step) = rounder(before, after, steps(signal));
            let near = [threshold.checked_sub(step), Some(threshold), threshold.checked_add(step)];
            values.extend(near.into_iter().flatten().filter(|value| (low..=high).contains(value)));
        }
    }
    values
}

/// The threshold between two values, and how far its neighbours are: one of them is on its other side.
fn rounder(before: i64, after: i64, steps: &[i64]) -> (i64, i64) {
    let of_step = |step: &i64| {
        let round = [before, after].into_iter().find(|value| value % step == 0);
        round.map(|threshold| (threshold, *step))
    };
    steps.iter().find_map(of_step).unwrap_or((after, 1))
}

/// Steps to the neighbours of a threshold, of which the first fits that it is a multiple of.
fn steps(signal: &Signal) -> &'static [i64] {
    match signal.ty {
        // Shares have four decimals.
        Type::Bucket => &[NUMBER_SCALE],
        _ => explain::grains(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_the_round_one_of_two_neighbours() {
        let steps = &[1_000_000, 10_000, 1];
        assert_eq!(rounder(17_999_999, 18_000_000, steps), (18_000_000, 1_000_000));
        assert_eq!(rounder(24_000_000, 24_000_001, steps), (24_000_000, 1_000_000));
        assert_eq!(rounder(99_990_000, 99_990_001, steps), (99_990_000, 10_000));
        assert_eq!(rounder(4, 5, steps), (4, 1));
    }
}
