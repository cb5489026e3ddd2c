//! Rules: guards, tiers, actions and the names of catalog things.
//!
//! A rule becomes one tier after another, all with the same source. The engine takes the first matching tier of a source
//! rule and ignores its later ones, so a tier's condition is only the rule's guard and the tier's own condition;
//! `otherwise` of the rule is one more tier for whenever the guard is not definitely true.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tessera_rulevm::limits::RULES_MAX;
use tessera_wire::catalog::{CreativeId, OfferId, OfferKind, TemplateId};
use tessera_wire::program::{Action as Plain, RuleClass};

use super::{Checked, Checker, Source};
use crate::ast::{ActionItem, ActionKind, Class, File, Name, RuleItem, Tier};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, LineIndex, Place};
use crate::hir::{Action, Check, Condition, Rule};
use crate::limits;
use crate::nearest::nearest;
use crate::print;

/// One tier on its way to a rule.
struct Branch {
    condition: Condition,
    actions: Vec<Action>,
    place: Option<Place>,
}

impl Checker<'_> {
    pub(super) fn rules(&mut self, files: &[File], lines: &LineIndex, checked: &mut Checked) {
        let mut seen = BTreeMap::new();
        let mut expanded = 0usize;
        for item in files.iter().flat_map(|file| &file.rules) {
            if !item.is_one_line && !self.is_new_rule_name(&mut seen, &item.name) {
                continue;
            }
            let source = checked.sources.len() as u32;
            let Some((guard, rules)) = self.rule(item, source) else { continue };
            expanded += rules.iter().map(|rule| rule.placements.len()).sum::<usize>();
            if expanded > RULES_MAX {
                let message = format!("more than {RULES_MAX} rules, counted per placement and tier");
                self.sink.push(Diagnostic::new(Code::E080, item.place, message));
                return;
            }
            let name = if item.is_one_line {
                format!("line {}", lines.line_of(item.place))
            } else {
                item.name.text.clone()
            };
            checked.sources.push(Source { name, place: item.place, guard });
            checked.unit.rules.extend(rules);
        }
    }

    fn rule(&mut self, item: &RuleItem, source: u32) -> Option<(Condition, Vec<Rule>)> {
        if item.tiers.len() >= limits::TIERS_MAX {
            let message = format!("more than {} tiers in one rule", limits::TIERS_MAX);
            self.sink.push(Diagnostic::new(Code::E080, item.name.place, message));
            return None;
        }
        // Everything is checked before anything gives up, so that all mistakes are reported.
        let placements = self.placements(&item.placements);
        let before = self.program_nodes;
        let guard = self.guard(item);
        let guard_nodes = self.program_nodes.saturating_sub(before);
        let branches: Vec<Option<Branch>> = item.tiers.iter().map(|tier| self.branch(tier)).collect();
        let otherwise = item.otherwise.as_ref().map(|actions| self.actions(actions));
        let (placements, guard) = (placements?, guard?);
        let mut branches: Vec<Branch> = branches.into_iter().collect::<Option<_>>()?;
        self.charge(guard_nodes.saturating_mul(branches.len() + 1), item.place)?;
        self.warn_shared_boundaries(item, &branches);
        let own: Vec<&Condition> =
            std::iter::once(&guard).chain(branches.iter().map(|branch| &branch.condition)).collect();
        self.report_consent(item, &own);
        for branch in &mut branches {
            let own = std::mem::replace(&mut branch.condition, Condition::Constant(true));
            branch.condition = both(guard.clone(), own);
        }
        if let Some(actions) = otherwise {
            let condition = Condition::Definitely(Box::new(guard.clone())).negated();
            branches.push(Branch { condition, actions: actions?, place: None });
        }
        let rules = branches.into_iter().zip(0u16..).map(|(branch, tier)| Rule {
            source,
            tier,
            placements: placements.clone(),
            priority: item.priority,
            class: class_of(item),
            condition: branch.condition,
            actions: branch.actions,
        });
        Some((guard, rules.collect()))
    }

    fn branch(&mut self, tier: &Tier) -> Option<Branch> {
        let condition = match &tier.condition {
            Some(condition) => self.whole_condition(condition),
            None => Some(Condition::Constant(true)),
        };
        let actions = self.actions(&tier.actions);
        let place = tier.condition.as_ref().map(|condition| condition.place);
        Some(Branch { condition: condition?, actions: actions?, place })
    }

    /// All `when` and none of the `unless` known to hold.
    fn guard(&mut self, item: &RuleItem) -> Option<Condition> {
        let whens: Vec<_> = item.whens.iter().map(|when| self.whole_condition(when)).collect();
        let unlesses: Vec<_> = item.unlesses.iter().map(|unless| self.whole_condition(unless)).collect();
        let mut parts = whens.into_iter().collect::<Option<Vec<_>>>()?;
        for unless in unlesses {
            parts.push(Condition::Definitely(Box::new(unless?)).negated());
        }
        Some(match parts.len() {
            0 => Condition::Constant(true),
            1 => parts.remove(0),
            _ => Condition::And(parts),
        })
    }

    fn placements(&mut self, names: &[Name]) -> Option<Arc<[u32]>> {
        if names.is_empty() {
            return Some((0..self.names.placements.len() as u32).collect());
        }
        let mut placements = BTreeSet::new();
        let mut are_known = true;
        for name in names {
            match self.placement(name) {
                Some(placement) if placements.insert(placement) => {}
                Some(_) => {
                    let message = format!("placement \"{}\" is given twice", name.text);
                    self.sink.push(Diagnostic::new(Code::E034, name.place, message));
                }
                None => are_known = false,
            }
        }
        are_known.then(|| placements.into_iter().collect())
    }

    pub(super) fn placement(&mut self, name: &Name) -> Option<u32> {
        let found = self.catalog.placements.get(name.text.as_str()).copied();
        found.or_else(|| self.report_unknown("placement", name, &self.names.placements))
    }

    /// There is nothing of this name in the catalog.
    fn report_unknown(&mut self, what: &str, name: &Name, known: &[String]) -> Option<u32> {
        let near = nearest(&name.text, known.iter().map(String::as_str));
        let message = format!("there is no {what} \"{}\" in the catalog", name.text);
        self.sink.push(Diagnostic::new(Code::E046, name.place, message).did_you_mean(near));
        None
    }

    fn actions(&mut self, items: &[ActionItem]) -> Option<Vec<Action>> {
        let actions: Vec<_> = items.iter().map(|item| self.action(item)).collect();
        actions.into_iter().collect()
    }

    pub(crate) fn action(&mut self, item: &ActionItem) -> Option<Action> {
        Some(Action::Plain(match &item.kind {
            ActionKind::ShowTemplate(name, _) => {
                let found = self.catalog.templates.get(name.text.as_str()).copied();
                let found = found.or_else(|| self.report_unknown("template", name, &self.names.templates));
                Plain::ShowTemplate(TemplateId(found?))
            }
            ActionKind::ShowCreative(name) => {
                let found = self.catalog.creatives.get(name.text.as_str()).copied();
                let found = found.or_else(|| self.report_unknown("creative", name, &self.names.creatives));
                Plain::ShowCreative(CreativeId(found?))
            }
            ActionKind::OfferDiscount(percent) => {
                self.offer_of(item.place, OfferKind::DiscountPercent, *percent)?
            }
            ActionKind::OfferFreeShipping => self.offer_of(item.place, OfferKind::FreeShipping, 0)?,
            ActionKind::OfferBundle(name) => self.offer_named(name, Some(OfferKind::Bundle))?,
            ActionKind::OfferNamed(name) => self.offer_named(name, None)?,
            ActionKind::Pin { .. } | ActionKind::Choose { .. } => return None,
            ActionKind::Suppress => Plain::Suppress,
            ActionKind::Tag(name) => return Some(Action::Tag(name.text.clone())),
        }))
    }

    fn offer_named(&mut self, name: &Name, kind: Option<OfferKind>) -> Option<Plain> {
        let of_kind = |offer: &&crate::OfferName| kind.is_none_or(|kind| offer.kind == kind);
        let offers = &self.names.offers;
        if let Some(index) = offers.iter().position(|offer| offer.id == name.text && of_kind(&offer)) {
            return Some(Plain::Offer(OfferId(index as u32)));
        }
        let near = nearest(&name.text, offers.iter().filter(of_kind).map(|offer| offer.id.as_str()));
        let what = if kind.is_some() { "bundle offer" } else { "offer" };
        let message = format!("there is no {what} \"{}\" in the catalog", name.text);
        self.sink.push(Diagnostic::new(Code::E046, name.place, message).did_you_mean(near));
        None
    }

    /// The first offer of this kind and value.
    fn offer_of(&mut self, place: Place, kind: OfferKind, value: i64) -> Option<Plain> {
        let offers = &self.names.offers;
        if let Some(index) = offers.iter().position(|offer| offer.kind == kind && offer.value == value) {
            return Some(Plain::Offer(OfferId(index as u32)));
        }
        let (message, help) = if kind == OfferKind::DiscountPercent {
            let known = offers.iter().filter(|offer| offer.kind == kind);
            let known: Vec<String> = known.map(|offer| format!("{}%", print::number(offer.value))).collect();
            let help = format!("the catalog's discounts are: {}", known.join(", "));
            (format!("there is no discount of {}% in the catalog", print::number(value)), help)
        } else {
            let help = "add an offer of kind free_shipping to the catalog".to_owned();
            ("the catalog has no free shipping offer".to_owned(), help)
        };
        self.sink.push(Diagnostic::new(Code::E046, place, message).help(help));
        None
    }

    /// W052: two neighbouring tiers that meet in exactly one value.
    fn warn_shared_boundaries(&mut self, item: &RuleItem, branches: &[Branch]) {
        for pair in branches.windows(2) {
            let (Some(wins), Some(loses), Some((signal, value))) =
                (pair[0].place, pair[1].place, shared_boundary(&pair[0].condition, &pair[1].condition))
            else {
                continue;
            };
            let attribute = self.vocabulary.of_signal(signal).map_or("", |entry| entry.name.as_str());
            let value = print::number(value);
            let message = format!("two tiers of rule \"{}\" both take {attribute} = {value}", item.name.text);
            self.sink.push(
                Diagnostic::new(Code::W052, loses, message)
                    .label("this tier never sees it: the first one wins")
                    .secondary(wins, "wins")
                    .help("make the first range half-open with `..<`"),
            );
        }
    }
}

/// The one value that two simple range tests of the same signal both take.
fn shared_boundary(first: &Condition, second: &Condition) -> Option<(tessera_wire::program::SignalId, i64)> {
    let (Condition::Test(first), Condition::Test(second)) = (first, second) else { return None };
    let (Check::InRanges(left), Check::InRanges(right)) = (&first.check, &second.check) else { return None };
    let ([left], [right]) = (left.as_slice(), right.as_slice()) else { return None };
    let (low, high) = (left.0.max(right.0), left.1.min(right.1));
    let is_one_point_of_two_ranges = low == high && left.0 != left.1 && right.0 != right.1;
    (first.signal == second.signal && is_one_point_of_two_ranges).then_some((first.signal, low))
}

fn class_of(item: &RuleItem) -> RuleClass {
    match item.class {
        Some((Class::Contextual, _)) => RuleClass::Contextual,
        Some((Class::Fallback, _)) => RuleClass::Fallback,
        None => RuleClass::Personalized,
    }
}

fn both(guard: Condition, condition: Condition) -> Condition {
    match (guard, condition) {
        (Condition::Constant(true), other) | (other, Condition::Constant(true)) => other,
        (guard, condition) => Condition::And(vec![guard, condition]),
    }
}
