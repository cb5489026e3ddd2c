//! Why a rule applies to a visitor or does not, and what is missing: `rulec explain --rule`.
//!
//! [`Case`] is rule files together with one visitor, given as JSON (`docs/CRITERIA.md`, "Visitors"). [`Case::explain`]
//! walks through a rule as it is written, with the truth of every part, the values that decided and their places, and
//! looks for the nearest way to make the rule match.
//!
//! Guarantees: truths come from the reference evaluator and the serving rule from the compiled program, as in test
//! blocks; a [`Nearest`] is sound: [`Case::apply`] of its changes makes the rule match (it is tried before it is told, and
//! a property test tries it again); total on any input, in bounded time and memory. Rendering leaves out values that need
//! consent unless it is told to show them.
//!
//! Cost: compiling the files, and a few milliseconds for the search. Not here: what the engine adds to rules (flights,
//! budgets, holdouts, learning), which its own explanations tell.

mod answer;
mod change;
mod clock;
mod integers;
mod nearest;
mod render;
mod tree;
mod ways;
mod words;

use tessera_rulevm::{Frame, Scratch, Truth, VerifiedProgram, evaluate};
use tessera_wire::program::{BucketKey, Origin, SignalId};
use tessera_wire::signal::{Gates, NUMBER_SCALE, PURPOSES};

use crate::ast::{File, RuleItem};
use crate::check::{self, Checked, Given, TypedTest};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, LineIndex, Place, Severity, Sink, SourceFile, line_column};
use crate::hir::Condition;
use crate::json::{Finding, event};
use crate::nearest::nearest as near_name;
use crate::{Names, lower, parser, reference, testing};

pub use answer::{Explanation, Fact, Known, Nearest, Node, Outcome, Position};
pub use change::Change;
pub(crate) use change::value_text;
pub(crate) use integers::{domain, grains};
pub use render::{json, text};
pub(crate) use words::others;

/// Placements of one rule that are looked at.
const PLACEMENTS_MAX: usize = 20;

/// The sticky bucket, 0 to 999,999, of an identifier under a salt.
pub type BucketOf<'a> = &'a dyn Fn(&str, &str) -> u32;

/// A visitor, and what is known without saying.
#[derive(Clone, Copy)]
pub struct Visitor<'a> {
    /// As JSON.
    pub json: &'a str,
    /// The time, for visitors that do not say.
    pub now_ms: i64,
    /// How a visitor's `user` is dealt into buckets, where that is known.
    pub bucket: Option<BucketOf<'a>>,
}

/// Rule files and one visitor.
pub struct Case {
    files: Vec<SourceFile>,
    trees: Vec<File>,
    pub(crate) checked: Checked,
    pub(crate) program: VerifiedProgram,
    placements: Vec<String>,
    visitor: TypedTest,
}

/// There is nothing to explain.
#[derive(Debug)]
pub enum Refusal {
    /// The rule files are wrong.
    Rules(Vec<Diagnostic>),
    /// The visitor is wrong.
    Visitor(Vec<Finding>),
}

/// No rule has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule `{name}`{}", near.as_ref().map_or(String::new(), |near| format!("; did you mean `{near}`?")))]
pub struct UnknownRule {
    /// What was asked for.
    pub name: String,
    /// What was probably meant.
    pub near: Option<String>,
}

impl Case {
    /// Checks the files and the visitor.
    ///
    /// # Errors
    /// Everything that is wrong with the files, or else with the visitor.
    pub fn read(files: &[SourceFile], names: &Names, visitor: Visitor<'_>) -> Result<Case, Refusal> {
        let mut sink = Sink::default();
        crate::report_too_much_source(files, &mut sink);
        if sink.has_errors() {
            return Err(Refusal::Rules(sink.into_sorted(files)));
        }
        let trees = parser::parse_all(files, &mut sink);
        if sink.has_errors() {
            return Err(Refusal::Rules(sink.into_sorted(files)));
        }
        let written = event::read_event(visitor.json, &trees).map_err(Refusal::Visitor)?;
        let mut all: Vec<SourceFile> = files.to_vec();
        all.push(written.file());
        Case::check(all, names, visitor, &written)
    }

    fn check(
        files: Vec<SourceFile>,
        names: &Names,
        visitor: Visitor<'_>,
        written: &event::EventText,
    ) -> Result<Case, Refusal> {
        let mut sink = Sink::default();
        let trees = parser::parse_all(&files, &mut sink);
        let lines = LineIndex::new(&files);
        let mut checked = check::check_outlined(&trees, &files, names, &[], &lines, &mut sink);
        let failed = sink.has_errors();
        let own = files.len().saturating_sub(1);
        let is_own = |one: &Diagnostic| one.file as usize == own;
        let (of_visitor, of_rules): (Vec<Diagnostic>, Vec<Diagnostic>) =
            sink.into_sorted(&files).into_iter().partition(is_own);
        if failed && of_rules.iter().any(|one| one.severity == Severity::Error) {
            return Err(Refusal::Rules(of_rules));
        }
        let test = if failed { None } else { checked.tests.pop() };
        let Some(typed) = test else {
            return Err(Refusal::Visitor(written.findings(&files, of_visitor)));
        };
        let too_large = |error: tessera_rulevm::VerifyError| {
            Refusal::Rules(vec![Diagnostic::new(Code::E080, Place::NOWHERE, error.to_string())])
        };
        let program = VerifiedProgram::verify(lower(&checked.unit).program, names.bounds());
        let program = program.map_err(too_large)?;
        let placements = names.placements.clone();
        let mut case = Case { files, trees, checked, program, placements, visitor: typed };
        case.fill_in(visitor, written);
        Ok(case)
    }

    /// What the test block could not say.
    fn fill_in(&mut self, visitor: Visitor<'_>, written: &event::EventText) {
        if !written.has_now {
            (self.visitor.now_ms, self.visitor.zone) = (visitor.now_ms, None);
        }
        self.visitor.now_ms = written.now_ms.unwrap_or(self.visitor.now_ms);
        if let Some(zone) = &written.zone {
            self.visitor.zone = Some(zone.clone());
        }
        for (name, instant_ms) in &written.instants {
            if let Some(signal) = self.signal(name) {
                self.visitor.given.push((signal, Given::Integer(*instant_ms)));
            }
        }
        let (Some(user), Some(bucket)) = (&written.user, visitor.bucket) else { return };
        let mut buckets = Vec::new();
        for (signal, id) in self.checked.unit.signals.iter().zip(0u16..) {
            if let Origin::Bucket { key: BucketKey::User, salt } = &signal.attribute.origin {
                let value = i64::from(bucket(salt, user)) * NUMBER_SCALE;
                buckets.push((SignalId(id), Given::Integer(value)));
            }
        }
        // A bucket that is given stays as it is given.
        self.visitor.given.splice(0..0, buckets);
    }

    fn signal(&self, name: &str) -> Option<SignalId> {
        let position = self.checked.unit.signals.iter().position(|signal| signal.attribute.name == name)?;
        u16::try_from(position).ok().map(SignalId)
    }

    /// Names of all rules, in source order.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.checked.sources.iter().map(|source| source.name.as_str())
    }

    /// Is the visitor in this segment? `None` when there is no such segment.
    pub fn segment_truth(&self, name: &str) -> Option<Truth> {
        let (_, condition) = self.checked.unit.segments.iter().find(|(own, _)| own == name)?;
        Some(reference::truth(condition, &self.program, &self.frame(&self.visitor)))
    }

    /// Does any tier of this rule match the visitor? `None` when there is no such rule.
    pub fn rule_truth(&self, name: &str) -> Option<Truth> {
        let source = self.rules().position(|own| own == name)?;
        Some(self.any(&self.goals(source), &self.frame(&self.visitor)))
    }

    /// Explains the rule of this name.
    ///
    /// # Errors
    /// There is no such rule.
    pub fn explain(&self, rule: &str) -> Result<Explanation, UnknownRule> {
        let Some(source) = self.rules().position(|name| name == rule) else {
            let near = near_name(rule, self.rules()).map(str::to_owned);
            return Err(UnknownRule { name: rule.to_owned(), near });
        };
        let frame = self.frame(&self.visitor);
        let goals = self.goals(source);
        let truth = self.any(&goals, &frame);
        let item = self.trees.iter().flat_map(|tree| &tree.rules).nth(source);
        let (clauses, tiers) = match (item, self.checked.outlines.get(source)) {
            (Some(item), Some(outline)) => tree::of_rule(self, &frame, item, outline),
            _ => (Vec::new(), Vec::new()),
        };
        let taken = if truth == Truth::True && !tiers.is_empty() {
            goals.iter().position(|goal| reference::truth(goal, &self.program, &frame) == Truth::True)
        } else {
            None
        };
        Ok(Explanation {
            rule: rule.to_owned(),
            position: self.position(self.checked.sources.get(source).map_or(Place::NOWHERE, |one| one.place)),
            priority: item.map_or(0, |item: &RuleItem| item.priority),
            truth,
            clauses,
            tiers,
            taken,
            nearest: if truth == Truth::True { None } else { nearest::nearest(self, &goals) },
            outcomes: self.outcomes(source, &frame),
        })
    }

    /// Makes the visitor different.
    pub fn apply(&mut self, changes: &[Change]) {
        changes.iter().for_each(|change| change.apply(&mut self.visitor));
    }

    /// A visitor whom the rule wants, and how they differ from this one; this one when none is found.
    pub(crate) fn wanted(&self, source: usize) -> (TypedTest, Option<Vec<Change>>) {
        let goals = self.goals(source);
        let mut visitor = self.visitor.clone();
        if self.any(&goals, &self.frame(&visitor)) == Truth::True {
            return (visitor, Some(Vec::new()));
        }
        let changes = nearest::nearest(self, &goals).map(|nearest| nearest.changes);
        changes.iter().flatten().for_each(|change| change.apply(&mut visitor));
        (visitor, changes)
    }

    /// The first placement that the rule competes for.
    pub(crate) fn first_placement(&self, source: usize) -> Option<u32> {
        let own = self.checked.unit.rules.iter().find(|rule| rule.source as usize == source)?;
        own.placements.first().copied()
    }

    /// The conditions of a rule's tiers, any of which makes it match.
    pub(crate) fn goals(&self, source: usize) -> Vec<&Condition> {
        let rules = self.checked.unit.rules.iter();
        rules.filter(|rule| rule.source as usize == source).map(|rule| &rule.condition).collect()
    }

    pub(crate) fn frame(&self, visitor: &TypedTest) -> Frame {
        let mut frame = Frame::new(&self.program);
        testing::fill(&self.program, &self.checked, visitor, &mut frame);
        frame
    }

    pub(crate) fn any(&self, goals: &[&Condition], frame: &Frame) -> Truth {
        let mut found = Truth::False;
        for goal in goals {
            match reference::truth(goal, &self.program, frame) {
                Truth::True => return Truth::True,
                Truth::Unknown => found = Truth::Unknown,
                Truth::False => {}
            }
        }
        found
    }

    fn outcomes(&self, source: usize, frame: &Frame) -> Vec<Outcome> {
        let mut scratch = Scratch::new(&self.program);
        evaluate(&self.program, frame, &mut scratch);
        let rules = &self.checked.unit.rules;
        let own = rules.iter().find(|rule| rule.source as usize == source);
        let placements = own.map_or(&[][..], |rule| &rule.placements);
        let outcome = |placement: &u32| {
            let walk = testing::walk(&self.program, &self.checked, Some(*placement), &scratch);
            let named = walk.decider.and_then(|rule| {
                let decider = self.checked.sources.get(rule.source as usize)?;
                Some((decider.name.clone(), rule.priority))
            });
            Outcome {
                placement: self.placements.get(*placement as usize).cloned().unwrap_or_default(),
                decider: named,
                takes_part: walk.reached.iter().any(|rule| rule.source as usize == source),
                decides: walk.decider.is_some_and(|rule| rule.source as usize == source),
            }
        };
        placements.iter().take(PLACEMENTS_MAX).map(outcome).collect()
    }

    fn position(&self, place: Place) -> Position {
        let Some(file) = self.files.get(place.file as usize) else {
            return Position { file: String::new(), line: 0, column: 0 };
        };
        let (line, column) = line_column(&file.text, place.start as usize);
        Position { file: file.path.clone(), line, column }
    }

    /// The source text of a place, in one line.
    fn written(&self, place: Place) -> String {
        let text = self.files.get(place.file as usize).and_then(|file| file.text.get(place.range()));
        text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The value that a visitor has for a signal, whether or not it may be used.
    fn stored(&self, visitor: &TypedTest, signal: SignalId) -> Option<Given> {
        let given = visitor.given.iter().rev().find(|(known, _)| *known == signal);
        given.map(|(_, given)| given.clone()).or_else(|| self.preset(signal)?.value(visitor))
    }

    pub(crate) fn preset(&self, signal: SignalId) -> Option<&check::Preset> {
        self.checked.defaults.iter().find(|(known, _)| *known == signal).map(|(_, preset)| preset)
    }

    fn gates(&self, signal: SignalId) -> Gates {
        let signal = self.checked.unit.signals.get(signal.0 as usize);
        signal.map_or(Gates::NONE, |signal| signal.attribute.gates)
    }
}

/// The purposes that stand for these gates, one for each.
fn purposes_of(gates: Gates) -> Vec<&'static str> {
    let mut left = gates;
    let mut names = Vec::new();
    for purpose in PURPOSES {
        if left.and(purpose.gates) != Gates::NONE && gates.covers(purpose.gates) {
            left = left.without(purpose.gates);
            names.push(purpose.name);
        }
    }
    // What no purpose stands for is called by its own name.
    names.extend(left.names());
    names
}
