//! Test blocks: typed like rules, so that a test cannot set or expect what does not exist.

use tessera_wire::program::SignalId;

use super::vocabulary::AttributeId;
use super::{Checked, Checker};
use crate::ast::{self, Expect, ExpectKind, File, Name, Outcome, TestItem, Value, ValueKind};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::{Action, Type};
use crate::nearest::nearest;

/// A test that can be run.
#[derive(Debug)]
pub(crate) struct TypedTest {
    pub(crate) name: String,
    pub(crate) placement: Option<u32>,
    pub(crate) is_consent_given: bool,
    pub(crate) given: Vec<(SignalId, Given)>,
    pub(crate) expects: Vec<(Expected, Place)>,
}

/// What a signal holds.
#[derive(Debug)]
pub(crate) enum Given {
    Integer(i64),
    AgeMs(i64),
    Text(String),
    Members(Vec<String>),
}

/// What should come out.
#[derive(Debug)]
pub(crate) enum Expected {
    Source(usize, Outcome),
    Segment(usize, Outcome),
    Action(Action),
    Nothing,
}

impl Checker<'_> {
    pub(super) fn tests(&mut self, files: &[File], checked: &mut Checked) {
        for item in files.iter().flat_map(|file| &file.tests) {
            if let Some(test) = self.typed_test(item, checked) {
                checked.tests.push(test);
            }
        }
    }

    fn typed_test(&mut self, item: &TestItem, checked: &Checked) -> Option<TypedTest> {
        let mut given = Vec::new();
        for given_item in &item.given {
            let ast::Given::Attribute(name, values) = given_item else { continue };
            let Some(attribute) = self.attribute(name) else { continue };
            let Some(value) = self.given(attribute, name, values) else { continue };
            // A signal that no rule reads cannot matter.
            if let Some(signal) = self.vocabulary.used_signal(attribute) {
                given.push((signal, value));
            }
        }
        let placement = match &item.placement {
            Some(name) => Some(self.placement(name)?),
            None => (self.names.placements.len() == 1).then_some(0),
        };
        let expects: Vec<_> = item
            .expects
            .iter()
            .map(|expect| Some((self.expected(expect, placement, checked)?, expect.place)))
            .collect();
        let expects = expects.into_iter().collect::<Option<Vec<_>>>()?;
        let (name, is_consent_given) =
            (item.name.text.clone(), matches!(item.consent, ast::ConsentGiven::All));
        Some(TypedTest { name, placement, is_consent_given, given, expects })
    }

    fn given(&mut self, attribute: AttributeId, name: &Name, values: &[Value]) -> Option<Given> {
        let ty = self.vocabulary.entry(attribute).ty.clone();
        if ty == Type::Set {
            let members: Vec<_> = values.iter().map(|value| self.text_value(attribute, value)).collect();
            return members.into_iter().collect::<Option<Vec<_>>>().map(Given::Members);
        }
        let [value] = values else {
            self.mismatch(attribute, name.place, "give it one value");
            return None;
        };
        match (&ty, &value.kind) {
            (Type::Bool, ValueKind::Word(word)) if word == "true" || word == "false" => {
                Some(Given::Integer(i64::from(word == "true")))
            }
            (Type::Time, ValueKind::AgoMs(age_ms)) => Some(Given::AgeMs(*age_ms)),
            (Type::Bool, _) => {
                self.mismatch(attribute, value.place, "write true or false");
                None
            }
            (Type::Time, _) => {
                self.mismatch(attribute, value.place, "write a time such as `2 hours ago`");
                None
            }
            (Type::Number(_) | Type::Percent | Type::Money(_), _) => {
                self.amount(attribute, value).map(Given::Integer)
            }
            _ => self.text_value(attribute, value).map(Given::Text),
        }
    }

    fn expected(&mut self, expect: &Expect, placement: Option<u32>, checked: &Checked) -> Option<Expected> {
        let speaks_of_placement = matches!(expect.kind, ExpectKind::Action(_) | ExpectKind::Nothing);
        if speaks_of_placement && placement.is_none() {
            let message = "this expectation needs a placement";
            let help = "write: test \"…\" for placement \"…\" { … }";
            self.sink.push(Diagnostic::new(Code::E091, expect.place, message).help(help));
            return None;
        }
        Some(match &expect.kind {
            ExpectKind::Rule(name, outcome, _) => {
                let names: Vec<&str> = checked.sources.iter().map(|source| source.name.as_str()).collect();
                Expected::Source(self.position("rule", name, &names)?, *outcome)
            }
            ExpectKind::Segment(name, outcome, _) => {
                let names: Vec<&str> = checked.unit.segments.iter().map(|(name, _)| name.as_str()).collect();
                Expected::Segment(self.position("segment", name, &names)?, *outcome)
            }
            ExpectKind::Action(action) => Expected::Action(self.action(action)?),
            ExpectKind::Variant(..) | ExpectKind::Bandit(_) => return None,
            ExpectKind::Nothing => Expected::Nothing,
        })
    }

    fn position(&mut self, what: &str, name: &Name, known: &[&str]) -> Option<usize> {
        let found = known.iter().position(|known| *known == name.text);
        if found.is_none() {
            let near = nearest(&name.text, known.iter().copied());
            let message = format!("there is no {what} \"{}\"", name.text);
            self.sink.push(Diagnostic::new(Code::E042, name.place, message).did_you_mean(near));
        }
        found
    }
}
