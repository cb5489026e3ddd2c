//! Running the `test` blocks of rule files against the compiled program.
//!
//! Guarantees: tests run the same verified program that is published; a signal is set only when the test grants every
//! purpose it needs, exactly as the engine's gate would leave it; rules are walked as the engine walks them, so a rule that
//! shows nothing stands aside for the next and fallback rules come last. Rules and segments are also evaluated by the
//! reference, because only it can tell false from unknown.

use tessera_rulevm::{Frame, Scratch, Truth, VerifiedProgram, evaluate};
use tessera_wire::catalog::PlacementId;
use tessera_wire::program::{Action as Plain, Program, RuleClass, SignalId};
use tessera_wire::signal::Gates;

use crate::ast::Outcome;
use crate::check::{Checked, Expected, Given, Reason, TypedTest};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place, Sink};
use crate::hir::{Action, Check, Condition, Rule};
use crate::limits::TEST_EVALUATIONS_MAX;
use crate::reference;

/// Runs every test; each expectation that does not hold is an error.
pub(crate) fn run(program: &VerifiedProgram, checked: &Checked, sink: &mut Sink) {
    let ran = each(program, checked, &mut |ran| ran.failures.into_iter().for_each(|one| sink.push(one)));
    if let Err(diagnostic) = ran {
        sink.push(*diagnostic);
    }
}

/// A test that ran.
pub(crate) struct Ran<'a> {
    pub(crate) test: &'a TypedTest,
    pub(crate) frame: &'a Frame,
    /// What the program says of the frame.
    pub(crate) scratch: &'a Scratch,
    /// Expectations that do not hold.
    pub(crate) failures: Vec<Diagnostic>,
}

/// Runs every test in source order.
///
/// # Errors
/// There is too much to run.
pub(crate) fn each(
    program: &VerifiedProgram,
    checked: &Checked,
    visit: &mut dyn FnMut(Ran<'_>),
) -> Result<(), Box<Diagnostic>> {
    let Program { rules, segments, attributes, .. } = program.program();
    let parts = rules.len() + segments.len() + attributes.len();
    if checked.tests.len().saturating_mul(parts) > TEST_EVALUATIONS_MAX {
        let message =
            format!("{} tests of {parts} rules, segments and attributes take too long", checked.tests.len());
        return Err(Box::new(Diagnostic::new(Code::E080, Place::NOWHERE, message)));
    }
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    for test in &checked.tests {
        fill(program, checked, test, &mut frame);
        evaluate(program, &frame, &mut scratch);
        let run = Run {
            program,
            checked,
            test,
            frame: &frame,
            walk: walk(program, checked, test.placement, &scratch),
        };
        let failure = |(expected, place): &(Expected, Place)| {
            let found = run.difference(expected)?;
            let message = format!("test \"{}\" fails", test.name);
            Some(Diagnostic::new(Code::E090, *place, message).label(found))
        };
        let failures = test.expects.iter().filter_map(failure).collect();
        visit(Ran { test, frame: &frame, scratch: &scratch, failures });
    }
    Ok(())
}

/// What the test's visitor is like, as the engine's gate would leave it.
pub(crate) fn fill(program: &VerifiedProgram, checked: &Checked, test: &TypedTest, frame: &mut Frame) {
    frame.reset(program, test.now_ms);
    for (signal, default) in &checked.defaults {
        if let Some(value) = default.value(test) {
            set(program, test, *signal, &value, frame);
        }
    }
    for (signal, value) in &test.given {
        set(program, test, *signal, value, frame);
    }
}

fn set(program: &VerifiedProgram, test: &TypedTest, signal: SignalId, value: &Given, frame: &mut Frame) {
    let attribute = program.program().attributes.get(signal.0 as usize);
    if !attribute.is_some_and(|attribute| test.granted.covers(attribute.gates)) {
        return;
    }
    match value {
        Given::Integer(value) => frame.set_integer(signal, *value),
        Given::AgeMs(age_ms) => frame.set_integer(signal, test.now_ms.saturating_sub(*age_ms)),
        Given::Text(text) => frame.set_text(program, signal, text),
        Given::Members(members) => {
            frame.begin_set(signal);
            members.iter().for_each(|member| frame.push_member(program, signal, member));
        }
    }
}

/// What happens in the placement of a test.
#[derive(Default)]
pub(crate) struct Walk<'a> {
    /// Matching rules up to the one that decides.
    pub(crate) reached: Vec<&'a Rule>,
    /// The rule that shows or suppresses.
    pub(crate) decider: Option<&'a Rule>,
    /// The first offer of any matching rule.
    pub(crate) offer: Option<&'a Action>,
}

pub(crate) fn walk<'a>(
    program: &VerifiedProgram,
    checked: &'a Checked,
    placement: Option<u32>,
    scratch: &Scratch,
) -> Walk<'a> {
    let mut walk = Walk::default();
    let Some(placement) = placement else { return walk };
    let matching = matching(program, checked, placement, scratch);
    walk.offer = matching.iter().flat_map(|rule| &rule.actions).find(|action| is_offer(action));
    let (fallback, others): (Vec<&Rule>, Vec<&Rule>) =
        matching.into_iter().partition(|rule| rule.class == RuleClass::Fallback);
    for rule in others.into_iter().chain(fallback) {
        walk.reached.push(rule);
        if rule.actions.iter().any(decides) {
            walk.decider = Some(rule);
            break;
        }
    }
    walk
}

/// Matching rules in order, of each source rule the first tier.
fn matching<'a>(
    program: &VerifiedProgram,
    checked: &'a Checked,
    placement: u32,
    scratch: &Scratch,
) -> Vec<&'a Rule> {
    let mut rest = program.rules_of(PlacementId(placement));
    let mut found: Vec<&Rule> = Vec::new();
    while let Some(id) = scratch.next_true_rule(rest.clone()) {
        rest.start = id.0 + 1;
        let Some(rule) = program.program().rules.get(id.0 as usize) else { continue };
        if found.last().is_some_and(|last| last.source == rule.source) {
            continue;
        }
        let rules = &checked.unit.rules;
        let at = rules.binary_search_by_key(&(rule.source, rule.tier), |rule| (rule.source, rule.tier));
        found.extend(at.ok().and_then(|at| rules.get(at)));
    }
    found
}

fn is_offer(action: &Action) -> bool {
    matches!(action, Action::Plain(Plain::Offer(_)))
}

/// Does it show something, or see to it that nothing is shown?
fn decides(action: &Action) -> bool {
    match action {
        Action::Plain(plain) => !matches!(plain, Plain::Offer(_)),
        Action::Choose { arms, .. } => arms.iter().any(decides),
        _ => false,
    }
}

struct Run<'a> {
    program: &'a VerifiedProgram,
    checked: &'a Checked,
    test: &'a TypedTest,
    frame: &'a Frame,
    walk: Walk<'a>,
}

impl Run<'_> {
    /// What is the case instead, if the expectation does not hold.
    fn difference(&self, expected: &Expected) -> Option<String> {
        match expected {
            Expected::Source(source, outcome, reason) => {
                let condition = self.checked.sources.get(*source).and_then(|source| source.guard.as_ref())?;
                self.outcome_difference(condition, *outcome, *reason)
            }
            Expected::Segment(segment, outcome, reason) => {
                let condition = self.checked.unit.segments.get(*segment).map(|(_, condition)| condition)?;
                self.outcome_difference(condition, *outcome, *reason)
            }
            Expected::Actions(actions) => {
                (!actions.iter().all(|action| self.happens(action))).then(|| self.decided())
            }
            Expected::Variant(arm, split) => self.variant_difference(arm, split.as_deref()),
            Expected::Bandit(name) => {
                let chooses =
                    |action: &Action| matches!(action, Action::Choose { bandit, .. } if bandit == name);
                let does_hold = self.walk.reached.iter().any(|rule| rule.actions.iter().any(chooses));
                (!does_hold).then(|| self.decided())
            }
            Expected::Nothing => self.walk.decider.is_some().then(|| self.decided()),
        }
    }

    fn outcome_difference(
        &self,
        condition: &Condition,
        outcome: Outcome,
        reason: Option<Reason>,
    ) -> Option<String> {
        let found = match reference::truth(condition, self.program, self.frame) {
            Truth::True => Outcome::True,
            Truth::False => Outcome::False,
            Truth::Unknown => Outcome::Unknown,
        };
        if found != outcome {
            return Some(format!("it is {}", word(found)));
        }
        let causes = self.causes(condition);
        let is_cause = |reason: Reason| match reason {
            Reason::Missing => causes.contains(&Reason::Missing),
            Reason::Consent(wanted) => causes
                .iter()
                .any(|cause| matches!(cause, Reason::Consent(needed) if needed.and(wanted) != Gates::NONE)),
        };
        let is_right = reason.is_none_or(is_cause);
        let other =
            if causes.contains(&Reason::Missing) { "a value is missing" } else { "consent is missing" };
        (!is_right).then(|| format!("it is unknown because {other}"))
    }

    /// Why an unknown condition is unknown: the reasons of its unknown parts.
    fn causes(&self, condition: &Condition) -> Vec<Reason> {
        let mut causes = Vec::new();
        let mut pending = vec![condition];
        while let Some(condition) = pending.pop() {
            if reference::truth(condition, self.program, self.frame) != Truth::Unknown {
                continue;
            }
            match condition {
                Condition::Test(test) if test.check != Check::Known => {
                    let attribute = self.program.program().attributes.get(test.signal.0 as usize);
                    let closed =
                        attribute.map_or(Gates::NONE, |attribute| attribute.gates.without(self.test.granted));
                    causes.push(if closed == Gates::NONE {
                        Reason::Missing
                    } else {
                        Reason::Consent(closed)
                    });
                }
                Condition::And(parts) | Condition::Or(parts) => pending.extend(parts),
                Condition::Not(inner) => pending.push(inner),
                _ => {}
            }
        }
        causes
    }

    fn happens(&self, action: &Action) -> bool {
        match action {
            Action::Tag(_) | Action::Pin { .. } => {
                self.walk.reached.iter().any(|rule| rule.actions.contains(action))
            }
            action if is_offer(action) => self.walk.offer == Some(action),
            action => self.walk.decider.is_some_and(|rule| rule.actions.contains(action)),
        }
    }

    fn variant_difference(&self, wanted: &str, of_split: Option<&str>) -> Option<String> {
        let mut found = Vec::new();
        for action in self.walk.reached.iter().flat_map(|rule| &rule.actions) {
            let Action::Variant { split, arm } = action else { continue };
            if of_split.is_none_or(|wanted| wanted == split) {
                if arm == wanted {
                    return None;
                }
                found.push(format!("\"{arm}\""));
            }
        }
        Some(if found.is_empty() {
            "no split decides".to_owned()
        } else {
            format!("it is {}", found.join(", "))
        })
    }

    fn decided(&self) -> String {
        let source = self.walk.decider.and_then(|rule| self.checked.sources.get(rule.source as usize));
        match source {
            Some(source) => format!("rule \"{}\" decides", source.name),
            None if self.walk.reached.is_empty() => "no rule matches".to_owned(),
            None => "no matching rule shows anything".to_owned(),
        }
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::True => "true",
        Outcome::False => "false",
        Outcome::Unknown => "unknown",
    }
}
