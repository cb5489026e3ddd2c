//! Rules: when they apply, tiers and splits.
//!
//! A rule becomes one tier after another, all with the same source. The engine takes the first matching tier of a source
//! rule and ignores its later ones, so a tier's condition is only the rule's own and the tier's; an arm of a split is a
//! tier that also needs the visitor in its buckets. `otherwise` of the rule is one more tier for whenever `when` and
//! `unless` are not definitely true. Schedules, caps and rollouts hold for all tiers, `otherwise` included.

use std::collections::BTreeSet;
use std::sync::Arc;

use tessera_rulevm::limits::RULES_MAX;
use tessera_wire::limits::ATTRIBUTES_MAX;
use tessera_wire::program::RuleClass;
use tessera_wire::signal::NUMBER_SCALE;

use super::outline::{Outline, OutlinedTier, Parts, clauses};
use super::{Checked, Checker, Source};
use crate::ast::{Class, File, Name, RuleItem, Split, SplitArm, Tier};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, LineIndex, Place};
use crate::hir::{Action, Check, Condition, Rule};
use crate::limits;
use crate::print;

/// A checked rule.
struct Ruled {
    /// When it applies, unless that is the condition of its only tier.
    whole: Option<Condition>,
    rules: Vec<Rule>,
    outline: Option<Outline>,
}

/// One tier on its way to a rule.
struct Branch {
    condition: Condition,
    actions: Vec<Action>,
    /// Place of the condition of the tier it comes from.
    place: Option<Place>,
}

/// The condition and actions of each tier; and when the rule applies, unless its only tier says so.
fn tiers(
    scope: Scope,
    mut branches: Vec<Branch>,
    otherwise: Option<Vec<Action>>,
) -> (Option<Condition>, Vec<(Condition, Vec<Action>)>) {
    let is_plain = branches.len() == 1 && branches[0].condition == Condition::Constant(true);
    if is_plain && otherwise.is_none() {
        // Most rules are like this, so nothing is copied for them.
        let actions = branches.remove(0).actions;
        return (None, vec![(scope.into_whole(), actions)]);
    }
    let mut tiers: Vec<(Condition, Vec<Action>)> =
        branches.into_iter().map(|branch| (both(scope.whole(), branch.condition), branch.actions)).collect();
    let whole = scope.whole();
    if let Some(actions) = otherwise {
        let outside = Condition::Definitely(Box::new(scope.guard)).negated();
        tiers.push((with(&scope.limits, outside), actions));
    }
    (Some(whole), tiers)
}

/// When a rule applies.
struct Scope {
    /// Schedules, caps and rollout.
    limits: Vec<Condition>,
    /// `when` and `unless`.
    guard: Condition,
    /// Its parts singly, where somebody asks.
    outline: Option<Outline>,
}

impl Scope {
    fn whole(&self) -> Condition {
        with(&self.limits, self.guard.clone())
    }

    fn into_whole(self) -> Condition {
        with(&self.limits, self.guard)
    }
}

impl<'a> Checker<'a> {
    pub(super) fn rules(&mut self, files: &'a [File], lines: &LineIndex, checked: &mut Checked) {
        let mut expanded = 0usize;
        for (item, source) in files.iter().flat_map(|file| &file.rules).zip(0u32..) {
            if self.is_repeated(item, source, files) {
                continue;
            }
            self.this_rule = (!item.is_one_line).then_some((source, item.name.text.as_str()));
            let rules = self.rule(item, source);
            self.this_rule = None;
            let Some(Ruled { whole, rules, outline }) = rules else { continue };
            checked.outlines.extend(outline);
            expanded += rules.iter().map(|rule| rule.placements.len()).sum::<usize>();
            if expanded > RULES_MAX {
                let message = format!("more than {RULES_MAX} rules, counted per placement and tier");
                self.sink.push(Diagnostic::new(Code::E080, item.place, message));
                return;
            }
            if self.vocabulary.used().len() > ATTRIBUTES_MAX {
                let message = format!(
                    "rules read more than {ATTRIBUTES_MAX} attributes; each count and each salt is one"
                );
                self.sink.push(Diagnostic::new(Code::E080, item.place, message));
                return;
            }
            let name = if item.is_one_line {
                format!("line {}", lines.line_of(item.place))
            } else {
                item.name.text.clone()
            };
            let guard = self.tested_rules.contains(name.as_str()).then(|| {
                whole.unwrap_or_else(|| {
                    // One tier without a condition of its own: the rule's condition is the tier's.
                    rules.first().map_or(Condition::Constant(true), |rule| rule.condition.clone())
                })
            });
            checked.sources.push(Source { name, place: item.place, guard });
            checked.unit.rules.extend(rules);
        }
    }

    /// Names tell rules apart.
    fn is_repeated(&mut self, item: &RuleItem, source: u32, files: &[File]) -> bool {
        if item.is_one_line {
            return false;
        }
        let first = self.rule_sources.get(item.name.text.as_str()).copied().unwrap_or(source);
        if first != source && !self.sink.is_full() {
            let first = files.iter().flat_map(|file| &file.rules).nth(first as usize);
            let place = first.map_or(Place::NOWHERE, |first| first.name.place);
            self.report_twice("rule", &item.name, place);
        }
        first != source
    }

    fn rule(&mut self, item: &RuleItem, source: u32) -> Option<Ruled> {
        let arms = |tier: &Tier| tier.split.as_ref().map_or(1, |split| split.arms.len());
        if item.tiers.iter().map(arms).sum::<usize>() >= limits::TIERS_MAX {
            let message = format!("more than {} tiers in one rule", limits::TIERS_MAX);
            self.sink.push(Diagnostic::new(Code::E080, item.name.place, message));
            return None;
        }
        // Everything is checked before anything gives up, so that all mistakes are reported.
        let placements = self.placements(&item.placements);
        let before = self.program_nodes;
        let scope = self.scope(item);
        let scope_nodes = self.program_nodes.saturating_sub(before);
        let branches: Vec<Option<Vec<Branch>>> = item.tiers.iter().map(|tier| self.branches(tier)).collect();
        let otherwise = match &item.otherwise {
            Some(actions) => self.actions(actions).map(Some),
            None => Some(None),
        };
        let (placements, mut scope, otherwise) = (placements?, scope?, otherwise?);
        let branches = branches.into_iter().collect::<Option<Vec<Vec<Branch>>>>()?;
        let mut outline = scope.outline.take();
        if let Some(outline) = &mut outline {
            outline.tiers = outlined_tiers(&branches);
        }
        let branches: Vec<Branch> = branches.into_iter().flatten().collect();
        self.charge(scope_nodes.saturating_mul(branches.len() + 1), item.place)?;
        self.warn_shared_boundaries(item, &branches);
        let own: Vec<&Condition> = std::iter::once(&scope.guard)
            .chain(&scope.limits)
            .chain(branches.iter().map(|branch| &branch.condition))
            .collect();
        self.report_consent(item, &own);
        let (whole, tiers) = tiers(scope, branches, otherwise);
        tiers.iter().for_each(|(condition, actions)| self.report_unguarded(item, condition, actions));
        let rules = tiers.into_iter().zip(0u16..).map(|((condition, actions), tier)| Rule {
            source,
            tier,
            placements: placements.clone(),
            priority: item.priority,
            class: class_of(item),
            condition,
            actions,
        });
        Some(Ruled { whole, rules: rules.collect(), outline })
    }

    fn branches(&mut self, tier: &Tier) -> Option<Vec<Branch>> {
        let condition = match &tier.condition {
            Some(condition) => self.whole_condition(condition),
            None => Some(Condition::Constant(true)),
        };
        let actions = self.actions(&tier.actions);
        let arms = tier.split.as_ref().map(|split| self.arms(split));
        let place = tier.condition.as_ref().map(|condition| condition.place);
        let (condition, actions) = (condition?, actions?);
        let Some(arms) = arms else { return Some(vec![Branch { condition, actions, place }]) };
        let branches = arms?.into_iter().map(|arm| {
            let has_own = arm.actions.len() > 1;
            let shared = if has_own { actions.clone() } else { Vec::new() };
            let actions = arm.actions.into_iter().chain(shared).collect();
            Branch { condition: both(condition.clone(), arm.condition), actions, place: None }
        });
        Some(branches.collect())
    }

    /// One branch per arm: the condition is its buckets, the first action says which arm it is.
    fn arms(&mut self, split: &Split) -> Option<Vec<Branch>> {
        let salt = self.salt(split.salt.as_ref(), split.place);
        let actions: Vec<Option<Vec<Action>>> =
            split.arms.iter().map(|arm| self.actions(&arm.actions)).collect();
        self.report_repeated_arms(&split.arms);
        let ends = self.ends_of_arms(split);
        let (salt, actions, ends) = (salt?, actions.into_iter().collect::<Option<Vec<_>>>()?, ends?);
        let bucket = self.bucket_of(split.key, &salt);
        let mut start = 0;
        let mut branches = Vec::with_capacity(actions.len());
        for ((arm, own), end) in split.arms.iter().zip(actions).zip(ends) {
            let condition = match end > start {
                true => self.in_ranges(bucket, vec![(start, end - 1)], arm.share_place),
                false => Condition::Constant(false),
            };
            start = end;
            let variant = Action::Variant { split: salt.clone(), arm: arm.name.text.clone() };
            let actions = std::iter::once(variant).chain(own).collect();
            branches.push(Branch { condition, actions, place: None });
        }
        Some(branches)
    }

    /// Where the buckets of each arm end. Shares that add up to less than everybody get a warning.
    fn ends_of_arms(&mut self, split: &Split) -> Option<Vec<i64>> {
        let shares: Vec<Option<i64>> =
            split.arms.iter().map(|arm| self.share(arm.share, arm.share_place)).collect();
        let total: i64 = split.arms.iter().map(|arm| arm.share).fold(0, i64::saturating_add);
        let everybody = 100 * NUMBER_SCALE;
        if total > everybody {
            let message = format!("the arms add up to {}%", print::number(total));
            let diagnostic = Diagnostic::new(Code::E053, split.place, message);
            self.sink.push(diagnostic.help("at most 100% can be dealt out"));
            return None;
        }
        if total < everybody {
            let message = format!("the arms add up to {}%", print::number(total));
            let help = format!(
                "say what the rest is for, for instance: {}% control",
                print::number(everybody - total)
            );
            let diagnostic = Diagnostic::new(Code::W054, split.place, message);
            self.sink.push(diagnostic.label("the rule does not match for the rest").help(help));
        }
        let mut end = 0;
        shares
            .into_iter()
            .map(|share| {
                share.map(|share| {
                    end += share;
                    end
                })
            })
            .collect()
    }

    fn report_repeated_arms(&mut self, arms: &[SplitArm]) {
        let mut names = BTreeSet::new();
        for arm in arms {
            if !names.insert(arm.name.text.as_str()) {
                let message = format!("arm \"{}\" is given twice", arm.name.text);
                self.sink.push(Diagnostic::new(Code::E034, arm.name.place, message));
            }
        }
    }

    /// All `when` and none of the `unless` known to hold; besides, schedules, caps and rollout.
    fn scope(&mut self, item: &RuleItem) -> Option<Scope> {
        let whens: Vec<_> = item.whens.iter().map(|when| self.whole_condition(when)).collect();
        let unlesses: Vec<_> = item.unlesses.iter().map(|unless| self.whole_condition(unless)).collect();
        let schedules = self.schedules(&item.schedules);
        let caps: Vec<_> = item.caps.iter().map(|cap| self.cap(cap)).collect();
        let rollout = item.rollout.as_ref().map(|rollout| self.rollout(rollout));
        let all_of = |conditions: Vec<Option<Condition>>| conditions.into_iter().collect::<Option<Vec<_>>>();
        let (whens, unlesses, mut limits) = (all_of(whens)?, all_of(unlesses)?, schedules?);
        let (caps, rollout) = (all_of(caps)?, all_of(rollout.into_iter().collect())?.pop());
        let outline = self.keeps_outlines.then(|| {
            let (whens, unlesses, schedules) = (&whens[..], &unlesses[..], &limits[..]);
            let parts = Parts { whens, unlesses, schedules, caps: &caps, rollout: rollout.as_ref() };
            Outline { clauses: clauses(item, &parts), tiers: Vec::new() }
        });
        let mut parts = whens;
        parts.extend(unlesses.into_iter().map(|unless| Condition::Definitely(Box::new(unless)).negated()));
        limits.extend(caps);
        limits.extend(rollout.filter(|rollout| *rollout != Condition::Constant(true)));
        self.charge(limits.len(), item.place)?;
        Some(Scope { limits, guard: all(parts), outline })
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

/// The tiers and arms with the conditions of their own.
fn outlined_tiers(branches: &[Vec<Branch>]) -> Vec<OutlinedTier> {
    let of_tier = |(item, branches): (usize, &Vec<Branch>)| -> Vec<OutlinedTier> {
        let tier = |branch: &Branch| OutlinedTier { item, condition: branch.condition.clone() };
        branches.iter().map(tier).collect()
    };
    branches.iter().enumerate().flat_map(of_tier).collect()
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

fn all(mut parts: Vec<Condition>) -> Condition {
    match parts.len() {
        0 => Condition::Constant(true),
        1 => parts.remove(0),
        _ => Condition::And(parts),
    }
}

/// The limits and the condition.
fn with(limits: &[Condition], condition: Condition) -> Condition {
    if limits.is_empty() {
        return condition;
    }
    let own = Some(condition).filter(|condition| *condition != Condition::Constant(true));
    all(limits.iter().cloned().chain(own).collect())
}

fn both(guard: Condition, condition: Condition) -> Condition {
    match (guard, condition) {
        (Condition::Constant(true), other) | (other, Condition::Constant(true)) => other,
        (guard, condition) => Condition::And(vec![guard, condition]),
    }
}
