//! Running test blocks one by one, and what they cover: `rulec test`.
//!
//! A *point* is something that a test should have seen once: every literal, as it is written, true and false, and unknown
//! where its value can be missing; every tier matched, and not matched unless it has no condition. Coverage is the share
//! of points that were seen. Literals of a segment count once, wherever the segment is used.
//!
//! Guarantees: tests run as in every compilation (`crate::testing`); the same files give the same report. Cost: tests times
//! literals, limited like the tests themselves. [`boundaries`] is the table of values next to every threshold.

mod boundaries;

use std::collections::HashMap;

use tessera_rulevm::{Frame, Truth, VerifiedProgram};
use tessera_wire::program::{Origin, Polarity};
use tessera_wire::signal::Builtin;

use crate::check::Checked;
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place, Severity, Sink, SourceFile, line_column};
use crate::hir::{Check, Condition, Test};
use crate::limits::TEST_EVALUATIONS_MAX;
use crate::{Extra, Names, checked, lower, print, reference, testing};

pub use boundaries::{Boundaries, Row, boundaries};

/// What running all tests told.
#[derive(Debug, Clone)]
pub struct Report {
    /// Every test in source order.
    pub tests: Vec<TestResult>,
    /// What they covered.
    pub coverage: Coverage,
    /// Warnings of the compiler.
    pub warnings: Vec<Diagnostic>,
}

/// One test.
#[derive(Debug, Clone)]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// Path of its file.
    pub file: String,
    /// Line of its name, counted from one.
    pub line: usize,
    /// Expectations that do not hold; none when it passes.
    pub failures: Vec<Diagnostic>,
}

/// What the tests saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Every literal, by place.
    pub literals: Vec<LiteralCoverage>,
    /// Every tier of every rule.
    pub tiers: Vec<TierCoverage>,
}

/// What the tests saw of one literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiteralCoverage {
    /// As the language writes it.
    pub text: String,
    /// Path of its file.
    pub file: String,
    /// Line, counted from one.
    pub line: usize,
    /// How many tests saw it true, false and unknown.
    pub seen: [usize; 3],
    /// Can it be unknown?
    pub can_be_unknown: bool,
}

/// What the tests saw of one tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierCoverage {
    /// Name of the rule.
    pub rule: String,
    /// Which tier, counted from zero.
    pub tier: u16,
    /// Path of the rule's file.
    pub file: String,
    /// Line of the rule, counted from one.
    pub line: usize,
    /// How many tests saw it match and not match.
    pub seen: [usize; 2],
    /// Has it no condition at all?
    pub is_unconditional: bool,
}

impl LiteralCoverage {
    /// Which of true, false and unknown no test saw.
    pub fn unseen(&self) -> Vec<&'static str> {
        let states = [("true", true), ("false", true), ("unknown", self.can_be_unknown)];
        let unseen = states.into_iter().zip(self.seen).filter(|((_, counts), seen)| *counts && *seen == 0);
        unseen.map(|((state, _), _)| state).collect()
    }

    fn points(&self) -> usize {
        2 + usize::from(self.can_be_unknown)
    }
}

impl TierCoverage {
    /// What no test saw it do.
    pub fn unseen(&self) -> Vec<&'static str> {
        let states = [("matched", true), ("not matched", !self.is_unconditional)];
        let unseen = states.into_iter().zip(self.seen).filter(|((_, counts), seen)| *counts && *seen == 0);
        unseen.map(|((state, _), _)| state).collect()
    }

    fn points(&self) -> usize {
        2 - usize::from(self.is_unconditional)
    }
}

impl Coverage {
    /// Points that were seen, and all of them.
    pub fn points(&self) -> (usize, usize) {
        let literals = self.literals.iter().map(|one| (one.points(), one.unseen().len()));
        let tiers = self.tiers.iter().map(|one| (one.points(), one.unseen().len()));
        let all = literals.chain(tiers);
        all.fold((0, 0), |(seen, total), (points, unseen)| (seen + points - unseen, total + points))
    }

    /// Are at least so many percent of the points seen? Nothing to see is all seen.
    pub fn reaches(&self, percent: u32) -> bool {
        let (seen, total) = self.points();
        seen as u128 * 100 >= u128::from(percent) * total as u128
    }
}

/// Compiles the files and runs their tests.
///
/// # Errors
/// Every diagnostic when the files do not compile; failing tests are no error here.
pub fn run(files: &[SourceFile], names: &Names, extras: &[Extra]) -> Result<Report, Vec<Diagnostic>> {
    let mut sink = Sink::default();
    let Some((checked, _)) = checked(files, names, extras, &mut sink) else {
        return Err(sink.into_sorted(files));
    };
    let program = match VerifiedProgram::verify(lower(&checked.unit).program, names.bounds()) {
        Ok(program) => program,
        Err(error) => return Err(vec![Diagnostic::new(Code::E080, Place::NOWHERE, error.to_string())]),
    };
    let mut observer = Observer::new(files, &program, &checked);
    let weight: usize = observer.tests.iter().map(|test| weight(&test.check)).sum();
    if checked.tests.len().saturating_mul(weight) > TEST_EVALUATIONS_MAX {
        let message = format!("{} tests of {weight} literals and words take too long", checked.tests.len());
        return Err(vec![Diagnostic::new(Code::E080, Place::NOWHERE, message)]);
    }
    let mut tests = Vec::with_capacity(checked.tests.len());
    let ran = testing::each(&program, &checked, &mut |ran| {
        observer.see(ran.frame, ran.scratch);
        let (file, line) = position(files, ran.test.place);
        tests.push(TestResult { name: ran.test.name.clone(), file, line, failures: ran.failures });
    });
    ran.map_err(|diagnostic| vec![*diagnostic])?;
    let coverage = observer.coverage;
    let warnings = sink.into_sorted(files);
    debug_assert!(warnings.iter().all(|one| one.severity == Severity::Warning), "INVARIANT: it compiled");
    Ok(Report { tests, coverage, warnings })
}

/// How many words and ranges a check looks at.
fn weight(check: &Check) -> usize {
    match check {
        Check::OneOf(words) | Check::AnyOf(words) | Check::AllOf(words) | Check::OnlyOf(words) => words.len(),
        Check::InRanges(ranges) | Check::AgeInRanges(ranges) => ranges.len(),
        _ => 1,
    }
}

fn position(files: &[SourceFile], place: Place) -> (String, usize) {
    match files.get(place.file as usize) {
        Some(file) => (file.path.clone(), line_column(&file.text, place.start as usize).0),
        None => (String::new(), 0),
    }
}

struct Observer<'a> {
    program: &'a VerifiedProgram,
    /// Distinct literals, in the order of the coverage.
    tests: Vec<&'a Test>,
    /// Of each tier, one of the program's rules.
    rules: Vec<Option<u32>>,
    coverage: Coverage,
}

impl<'a> Observer<'a> {
    fn new(files: &[SourceFile], program: &'a VerifiedProgram, checked: &'a Checked) -> Observer<'a> {
        let tests = distinct_tests(checked);
        let literals = tests.iter().map(|test| literal(files, checked, test)).collect();
        let mut by_tier: HashMap<(u32, u16), u32> = HashMap::new();
        for (rule, id) in program.program().rules.iter().zip(0u32..) {
            by_tier.entry((rule.source, rule.tier)).or_insert(id);
        }
        let rules = checked.unit.rules.iter().map(|rule| by_tier.get(&(rule.source, rule.tier)).copied());
        let rules = rules.collect();
        let tiers = checked.unit.rules.iter().map(|rule| {
            let source = checked.sources.get(rule.source as usize);
            let (file, line) = position(files, source.map_or(Place::NOWHERE, |source| source.place));
            let name = source.map_or(String::new(), |source| source.name.clone());
            let is_unconditional = rule.condition == Condition::Constant(true);
            TierCoverage { rule: name, tier: rule.tier, file, line, seen: [0; 2], is_unconditional }
        });
        let coverage = Coverage { literals, tiers: tiers.collect() };
        Observer { program, tests, rules, coverage }
    }

    fn see(&mut self, frame: &Frame, scratch: &tessera_rulevm::Scratch) {
        for (test, literal) in self.tests.iter().zip(&mut self.coverage.literals) {
            let condition = Condition::Test((*test).clone());
            let state = match reference::truth(&condition, self.program, frame) {
                Truth::True => 0,
                Truth::False => 1,
                Truth::Unknown => 2,
            };
            literal.seen[state] += 1;
        }
        for (rule, tier) in self.rules.iter().zip(&mut self.coverage.tiers) {
            let matched = rule.is_some_and(|id| scratch.is_rule_true(tessera_wire::program::RuleId(id)));
            tier.seen[usize::from(!matched)] += 1;
        }
    }
}

/// Every literal once, in source order.
fn distinct_tests(checked: &Checked) -> Vec<&Test> {
    let mut tests: Vec<&Test> = Vec::new();
    let segments = checked.unit.segments.iter().map(|(_, condition)| condition);
    let rules = checked.unit.rules.iter().map(|rule| &rule.condition);
    segments
        .chain(rules)
        .for_each(|condition| condition.visit_tests(Polarity::Holds, &mut |test, _| tests.push(test)));
    let key = |test: &&Test| (test.place.file, test.place.start, test.place.end, test.signal);
    tests.sort_by(|one, other| key(one).cmp(&key(other)).then_with(|| one.check.cmp(&other.check)));
    tests.dedup();
    tests
}

fn literal(files: &[SourceFile], checked: &Checked, test: &Test) -> LiteralCoverage {
    let (file, line) = position(files, test.place);
    let signal = checked.unit.signals.get(test.signal.0 as usize);
    let text = signal.map_or(String::new(), |signal| print::literal(signal, Polarity::Holds, &test.check));
    let is_clock = signal.is_some_and(|signal| {
        matches!(signal.attribute.origin, Origin::MinuteOfWeek(_) | Origin::Builtin(Builtin::Now))
    });
    let can_be_unknown = test.check != Check::Known && !is_clock;
    LiteralCoverage { text, file, line, seen: [0; 3], can_be_unknown }
}
