//! Consent: rules that must work without it, and placements that would show nothing without it.
//!
//! A rule marked `contextual` or `fallback` may read a gated signal only in ways that an unknown signal satisfies:
//! `unless`, `possibly(…)`, `not definitely(…)`, `is unknown`. Anything else could only match with consent.

use std::collections::{BTreeMap, BTreeSet};

use tessera_wire::program::{Polarity, RuleClass, SignalId};
use tessera_wire::signal::Gates;

use super::{Checked, Checker};
use crate::ast::{ActionItem, ActionKind, BindValue, Class, File, RuleItem};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::{Action, Bound, Condition, definite, is_affirmative, opposite, possible, test_polarity};

impl Checker<'_> {
    pub(super) fn report_consent(&mut self, rule: &RuleItem, conditions: &[&Condition]) {
        let Some((class, class_place)) = rule.class else { return };
        let mut reading: Vec<(Place, Vec<String>)> = Vec::new();
        for condition in conditions {
            condition.visit_tests(Polarity::Holds, &mut |test, polarity| {
                let is_strict = matches!(polarity, Polarity::Holds | Polarity::Fails);
                let Some(entry) = self.vocabulary.of_signal(test.signal) else { return };
                if is_strict && entry.gates != Gates::NONE {
                    reading.push((test.place, entry.purposes.clone()));
                }
            });
        }
        if reading.is_empty() {
            return;
        }
        let purposes: BTreeSet<&str> =
            reading.iter().flat_map(|(_, names)| names).map(String::as_str).collect();
        let purposes = purposes.into_iter().collect::<Vec<_>>().join(", ");
        let word = if class == Class::Contextual { "contextual" } else { "fallback" };
        let name = if rule.is_one_line { String::new() } else { format!(" \"{}\"", rule.name.text) };
        let message = format!("rule{name} is marked {word}, but its condition needs consent for: {purposes}");
        let place = if rule.is_one_line { class_place } else { rule.name.place };
        let mut diagnostic = Diagnostic::new(Code::E060, place, message).label("must work without consent");
        for (place, names) in reading.iter().take(3) {
            diagnostic = diagnostic.secondary(*place, format!("needs {}", names.join(", ")));
        }
        self.sink.push(diagnostic.help("use `unless …`, `possibly(…)` or `is unknown`, or drop the mark"));
    }

    /// E062: the value of an attribute goes into an ad although consent for it is not guaranteed.
    pub(super) fn report_unguarded(&mut self, rule: &RuleItem, condition: &Condition, actions: &[Action]) {
        let bound = actions.iter().filter_map(|action| match action {
            Action::Bind { value: Bound::Signal(signal), .. } => Some(*signal),
            _ => None,
        });
        let bound: Vec<SignalId> = bound.collect();
        if bound.is_empty() {
            return;
        }
        let guaranteed = self.guaranteed(condition, Polarity::Holds);
        for signal in bound {
            let Some(entry) = self.vocabulary.of_signal(signal) else { continue };
            if guaranteed.covers(entry.gates) {
                continue;
            }
            let message = format!(
                "`{}` would be shown, but the condition does not guarantee consent for: {}",
                entry.name,
                entry.purposes.join(", ")
            );
            let help = format!("add to the condition: {} is known", entry.name);
            let place = bind_place(rule, &entry.name).unwrap_or(rule.place);
            self.sink.push(Diagnostic::new(Code::E062, place, message).help(help));
        }
    }

    /// Gates that are certainly open whenever the condition, read with this polarity, is true: those of every attribute
    /// whose value must be known for it.
    fn guaranteed(&self, condition: &Condition, polarity: Polarity) -> Gates {
        let is_affirmative = is_affirmative(polarity);
        match condition {
            // What never matches guarantees everything.
            Condition::Constant(value) => {
                if *value == is_affirmative {
                    Gates::NONE
                } else {
                    Gates::ALL
                }
            }
            Condition::Test(test) => match test_polarity(test, polarity) {
                Polarity::Holds | Polarity::Fails => {
                    self.vocabulary.of_signal(test.signal).map_or(Gates::NONE, |entry| entry.gates)
                }
                Polarity::Possibly | Polarity::NotDefinitely => Gates::NONE,
            },
            Condition::Not(inner) => self.guaranteed(inner, opposite(polarity)),
            Condition::Definitely(inner) => self.guaranteed(inner, definite(polarity)),
            Condition::Possibly(inner) => self.guaranteed(inner, possible(polarity)),
            Condition::And(parts) | Condition::Or(parts) => {
                let gates = parts.iter().map(|part| self.guaranteed(part, polarity));
                let needs_all = matches!(condition, Condition::And(_)) == is_affirmative;
                if needs_all {
                    gates.fold(Gates::NONE, Gates::or)
                } else {
                    gates.fold(Gates::ALL, Gates::and)
                }
            }
        }
    }

    /// Warns about placements whose every rule may need consent.
    pub(super) fn placements_without_fallback(&mut self, files: &[File], checked: &Checked) {
        let count = self.names.placements.len();
        let mut first_source = vec![None; count];
        let mut has_fallback = vec![false; count];
        for rule in &checked.unit.rules {
            let is_fallback =
                rule.class != RuleClass::Personalized || rule.condition == Condition::Constant(true);
            for placement in rule.placement_ids() {
                first_source[placement.index()].get_or_insert(rule.source);
                has_fallback[placement.index()] |= is_fallback;
            }
        }
        let written = files.iter().flat_map(|file| &file.rules).flat_map(|rule| &rule.placements);
        let mut places: BTreeMap<&str, Place> = BTreeMap::new();
        for name in written {
            places.entry(&name.text).or_insert(name.place);
        }
        for (placement, name) in self.names.placements.iter().enumerate() {
            let Some(source) = first_source[placement] else { continue };
            if has_fallback[placement] {
                continue;
            }
            let source = checked.sources.get(source as usize).map(|source| source.place);
            let place = places.get(name.as_str()).copied().or(source).unwrap_or(Place::NOWHERE);
            let message = format!("placement \"{name}\" has no rule that works without consent");
            self.sink.push(
                Diagnostic::new(Code::W061, place, message)
                    .label("visitors without consent get the house ad")
                    .help("add a `contextual` or `fallback` rule for it"),
            );
        }
    }
}

/// Where a rule first binds this attribute.
fn bind_place(rule: &RuleItem, attribute: &str) -> Option<Place> {
    let in_tiers = rule.tiers.iter().flat_map(|tier| {
        let arms = tier.split.iter().flat_map(|split| split.arms.iter().flat_map(|arm| &arm.actions));
        tier.actions.iter().chain(arms)
    });
    let place_in = |action: &ActionItem| {
        let ActionKind::ShowTemplate(_, binds) = &action.kind else { return None };
        binds.iter().find_map(|bind| match &bind.value {
            BindValue::Attribute(name) if name.text == attribute => Some(name.place),
            _ => None,
        })
    };
    in_tiers.chain(rule.otherwise.iter().flatten()).find_map(place_in)
}
