//! Running the `test` blocks of rule files against the compiled program.
//!
//! Guarantees: tests run the same verified program that is published, on a fixed clock; a signal that needs consent is not
//! set when the test says `consent = none`, exactly as the engine's gate would leave it. Rules and segments are also
//! evaluated by the reference, because only it can tell false from unknown.

use tessera_rulevm::{Frame, Scratch, Truth, VerifiedProgram, evaluate};
use tessera_wire::catalog::PlacementId;
use tessera_wire::program::{Action as Plain, RuleId};
use tessera_wire::signal::Gates;

use crate::ast::Outcome;
use crate::check::{Checked, Expected, Given, TypedTest};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place, Sink};
use crate::hir::{Action, Condition};
use crate::reference;

/// Tests speak of ages (`2 hours ago`), never of dates, so any instant will do.
const NOW_MS: i64 = 1_700_000_000_000;

/// Runs every test; each expectation that does not hold is an error.
pub(crate) fn run(program: &VerifiedProgram, checked: &Checked, sink: &mut Sink) {
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    for test in &checked.tests {
        fill(program, test, &mut frame);
        evaluate(program, &frame, &mut scratch);
        for (expected, place) in &test.expects {
            if let Some(found) = difference(program, checked, test, expected, &frame, &scratch) {
                sink.push(failure(test, *place, &found));
            }
        }
    }
}

fn failure(test: &TypedTest, place: Place, found: &str) -> Diagnostic {
    let message = format!("test \"{}\" fails", test.name);
    Diagnostic::new(Code::E090, place, message).label(found)
}

fn fill(program: &VerifiedProgram, test: &TypedTest, frame: &mut Frame) {
    frame.reset(program, NOW_MS);
    for (signal, value) in &test.given {
        let attribute = program.program().attributes.get(signal.0 as usize);
        let gates = attribute.map_or(Gates::ALL, |attribute| attribute.gates);
        if gates != Gates::NONE && !test.is_consent_given {
            continue;
        }
        match value {
            Given::Integer(value) => frame.set_integer(*signal, *value),
            Given::AgeMs(age_ms) => frame.set_integer(*signal, NOW_MS.saturating_sub(*age_ms)),
            Given::Text(text) => frame.set_text(program, *signal, text),
            Given::Members(members) => {
                frame.begin_set(*signal);
                members.iter().for_each(|member| frame.push_member(program, *signal, member));
            }
        }
    }
}

/// What is the case instead, if the expectation does not hold.
fn difference(
    program: &VerifiedProgram,
    checked: &Checked,
    test: &TypedTest,
    expected: &Expected,
    frame: &Frame,
    scratch: &Scratch,
) -> Option<String> {
    let outcome_of = |condition: &Condition| match reference::truth(condition, program, frame) {
        Truth::True => Outcome::True,
        Truth::False => Outcome::False,
        Truth::Unknown => Outcome::Unknown,
    };
    match expected {
        Expected::Source(source, outcome) => {
            let found = checked.sources.get(*source).map(|source| outcome_of(&source.guard))?;
            (found != *outcome).then(|| format!("it is {}", word(found)))
        }
        Expected::Segment(segment, outcome) => {
            let found = checked.unit.segments.get(*segment).map(|(_, condition)| outcome_of(condition))?;
            (found != *outcome).then(|| format!("it is {}", word(found)))
        }
        Expected::Action(action) => {
            let winner = winner(program, test, scratch);
            let does_hold = winner.is_some_and(|rule| does(program, rule, action));
            (!does_hold).then(|| decided(program, checked, winner))
        }
        Expected::Nothing => {
            let winner = winner(program, test, scratch);
            winner.is_some().then(|| decided(program, checked, winner))
        }
    }
}

fn winner(program: &VerifiedProgram, test: &TypedTest, scratch: &Scratch) -> Option<RuleId> {
    scratch.next_true_rule(program.rules_of(PlacementId(test.placement?)))
}

fn does(program: &VerifiedProgram, rule: RuleId, expected: &Action) -> bool {
    let program = program.program();
    let Some(rule) = program.rules.get(rule.0 as usize) else { return false };
    rule.actions.of(&program.actions).iter().any(|action| match (action, expected) {
        (Plain::Tag(word), Action::Tag(expected)) => {
            program.dictionary.get((word.0 as usize).wrapping_sub(1)) == Some(expected)
        }
        (action, Action::Plain(expected)) => action == expected,
        _ => false,
    })
}

fn decided(program: &VerifiedProgram, checked: &Checked, winner: Option<RuleId>) -> String {
    let rule = winner.and_then(|rule| program.program().rules.get(rule.0 as usize));
    let source = rule.and_then(|rule| checked.sources.get(rule.source as usize));
    source.map_or("no rule matches".to_owned(), |source| format!("rule \"{}\" decides", source.name))
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::True => "true",
        Outcome::False => "false",
        Outcome::Unknown => "unknown",
    }
}
