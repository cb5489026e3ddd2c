//! Why a decision came out as it did: the same computation, told step by step.
//!
//! [`explain`] runs [`decide`] itself and then reads the same scratch, so an explanation can never
//! describe another decision. It allocates freely and is not for the request path of ordinary traffic.

use tessera_rulevm::{Truth, literal_truth, literals_of, nearest_match};
use tessera_wire::catalog::{OfferId, PlacementId};
use tessera_wire::event::{Arm, Tier};
use tessera_wire::program::{Action, Constraint, LiteralId, Rule, RuleClass, RuleId, SourceMap};

use crate::admit::Admitted;
use crate::decide::{Ad, Loss, PlacementOutcome, decide};
use crate::place::{Candidate, Matching, Place};
use crate::scratch::Scratch;
use crate::snapshot::Snapshot;

/// The explanation of one decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Names of the open consent gates.
    pub gates: Vec<&'static str>,
    /// One entry per requested placement.
    pub placements: Vec<PlacementExplanation>,
}

/// What happened in one placement.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacementExplanation {
    /// Candidates before the first phase: rules of the placement that show something, tiers counted singly.
    pub candidates_total: usize,
    /// What each phase let through, in order.
    pub phases: Vec<Phase>,
    /// Every candidate, best priority first.
    pub candidates: Vec<CandidateExplanation>,
    /// Every rule that gives an offer, best priority first; the first that matched gave it to the placement's ads.
    pub offers: Vec<OfferExplanation>,
}

/// One phase of the funnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// `rule`, `eligibility` or `competition`.
    pub name: &'static str,
    /// Candidates that entered.
    pub entered: usize,
    /// Candidates that were left.
    pub left: usize,
}

/// Why one candidate won or lost.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateExplanation {
    /// Name of the source rule.
    pub rule: String,
    /// Its tier, counted from zero.
    pub tier: u16,
    /// Its priority.
    pub priority: i32,
    /// What it shows: a template's or creative's text id.
    pub shows: String,
    /// Experiment and variant that stood in for it, whether or not it was served.
    pub variant: Option<(String, String)>,
    /// Where and why it lost; `None` when it was served.
    pub lost: Option<Loss>,
    /// Each condition with its outcome.
    pub path: Vec<Step>,
    /// When its rule did not match: the fewest conditions that would have had to come out otherwise. Empty when nothing
    /// would have helped.
    pub would_match_if: Vec<Step>,
}

/// Why one offer was given or not.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferExplanation {
    /// Name of the source rule.
    pub rule: String,
    /// Its tier, counted from zero.
    pub tier: u16,
    /// Its priority.
    pub priority: i32,
    /// Text id of the offer.
    pub offer: String,
    /// Why it was not given: [`Loss::Holdout`] when it would have been, but every ad went to the holdout.
    pub lost: Option<Loss>,
    /// Each condition with its outcome.
    pub path: Vec<Step>,
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The condition as written.
    pub expr: String,
    /// `true`, `false` or `unknown`.
    pub result: &'static str,
    /// Why the value is not known, when that decided: `no_consent` or `missing`; empty otherwise.
    pub because: &'static str,
    /// Where it is written, as far as the bundle says.
    pub at: Option<Position>,
}

/// A place in the rule files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Path of the file.
    pub file: String,
    /// Line, counted from one.
    pub line: u32,
    /// Column in characters, counted from one.
    pub column: u32,
}

/// Decides, and explains that decision.
pub fn explain(
    snapshot: &Snapshot,
    admitted: &Admitted<'_>,
    now_ms: i64,
    seed: u64,
    scratch: &mut Scratch,
) -> Explanation {
    decide(snapshot, admitted, now_ms, seed, scratch);
    let context = Context { snapshot, admitted, now_ms, seed, scratch };
    let placements = (0..admitted.placements().len()).map(|number| context.placement(number)).collect();
    Explanation { gates: admitted.gates().names().collect(), placements }
}

struct Context<'a> {
    snapshot: &'a Snapshot,
    admitted: &'a Admitted<'a>,
    now_ms: i64,
    seed: u64,
    scratch: &'a Scratch,
}

impl Context<'_> {
    fn placement(&self, number: usize) -> PlacementExplanation {
        let outcome = self.scratch.outcomes[number];
        let Some(placement) = self.snapshot.bundle().placement(self.admitted.placements()[number].slot)
        else {
            let (phases, candidates, offers) = Default::default();
            return PlacementExplanation { candidates_total: 0, phases, candidates, offers };
        };
        let place = Place::new(self.snapshot, self.admitted, number, self.now_ms, self.seed);
        let mut candidates: Vec<CandidateExplanation> = Vec::new();
        for rule in self.snapshot.bundle().program().rules_of(placement) {
            self.push_candidates(&place, RuleId(rule), placement, outcome, &mut candidates);
        }
        let count =
            |keeps: fn(&CandidateExplanation) -> bool| candidates.iter().filter(|one| keeps(one)).count();
        let matched = count(|one| !matches!(one.lost, Some(Loss::RuleFalse | Loss::EarlierTier)));
        let eligible = count(|one| {
            matches!(
                one.lost,
                None | Some(Loss::LowerPriority | Loss::LowerScore | Loss::Suppressed | Loss::TooManyAds)
            )
        });
        let served = count(|one| one.lost.is_none());
        let phases = vec![
            Phase { name: "rule", entered: candidates.len(), left: matched },
            Phase { name: "eligibility", entered: matched, left: eligible },
            Phase { name: "competition", entered: eligible, left: served },
        ];
        let offers = self.offers(&place, placement, outcome);
        PlacementExplanation { candidates_total: candidates.len(), phases, candidates, offers }
    }

    fn offers(
        &self,
        place: &Place<'_>,
        placement: PlacementId,
        outcome: PlacementOutcome,
    ) -> Vec<OfferExplanation> {
        let bundle = self.snapshot.bundle();
        let ads = self.ads_of(outcome);
        let before = &self.scratch.ads[..usize::from(outcome.first_ad)];
        let mut offers: Vec<OfferExplanation> = Vec::new();
        let mut is_given = false;
        for number in bundle.program().rules_of(placement) {
            let rule = &bundle.program().program().rules[number as usize];
            for (own, action, chosen) in self.arms(place, rule) {
                let Action::Offer(offer) = action else { continue };
                let mut lost = self.rule_loss(RuleId(number), rule, placement);
                lost = lost.or((own != chosen).then_some(Loss::LowerScore));
                lost = lost.or_else(|| place.offer_loss(offer, before));
                if lost.is_none() {
                    lost = if is_given { Some(Loss::LowerPriority) } else { self.ungiven(place, ads, offer) };
                    is_given |= lost.is_none();
                }
                offers.push(OfferExplanation {
                    rule: self.rule_name(rule),
                    tier: rule.tier,
                    priority: rule.priority,
                    offer: bundle.catalog().str(bundle.catalog().offers[offer.index()].id).to_owned(),
                    lost,
                    path: self.path(rule, outcome),
                });
            }
        }
        offers
    }

    /// Why the best offer of the rules reached no ad, if so.
    fn ungiven(&self, place: &Place<'_>, ads: &[Ad], offer: OfferId) -> Option<Loss> {
        if ads.iter().any(|ad| ad.offer == Some(offer)) {
            return None;
        }
        let Some(ad) = ads.iter().find(|ad| ad.arm != Arm::Holdout && ad.arm != Arm::House) else {
            let is_held_out = ads.iter().any(|ad| ad.arm == Arm::Holdout);
            return Some(if is_held_out { Loss::Holdout } else { Loss::RuleFalse });
        };
        let catalog = self.snapshot.bundle().catalog();
        let campaign = catalog.templates[ad.template.index()].campaign;
        let terms = &catalog.campaigns[campaign.index()];
        place.terms_loss(terms, offer).or(Some(Loss::OfferHeld))
    }

    /// A rule's actions with the arms of its bandits in their place, each with its number and the chosen one's.
    fn arms(&self, place: &Place<'_>, rule: &Rule) -> Vec<(u32, Action, u32)> {
        let actions = &self.snapshot.bundle().program().program().actions;
        let own = rule.actions.of(actions).iter().zip(place.effects(rule));
        let mut all = Vec::new();
        for (action, effect) in own {
            match action {
                Action::Choose { arms, .. } => all.extend(
                    (arms.first..).zip(arms.of(actions)).map(|(number, arm)| (number, *arm, effect.number)),
                ),
                _ => all.push((effect.number, *action, effect.number)),
            }
        }
        all
    }

    fn rule_name(&self, rule: &Rule) -> String {
        let rules = &self.snapshot.bundle().source().rules;
        rules.get(rule.source as usize).map(|rule| rule.name.clone()).unwrap_or_default()
    }

    fn push_candidates(
        &self,
        place: &Place<'_>,
        id: RuleId,
        placement: PlacementId,
        outcome: PlacementOutcome,
        into: &mut Vec<CandidateExplanation>,
    ) {
        let bundle = self.snapshot.bundle();
        let program = bundle.program().program();
        let rule = &program.rules[id.0 as usize];
        for (number, action, chosen) in self.arms(place, rule) {
            let Some(candidate) = place.candidate(number, action) else { continue };
            let shows = match candidate.creative {
                Some(creative) => bundle.catalog().creatives[creative.index()].id,
                None => bundle.catalog().templates[candidate.template.index()].id,
            };
            let lost = self
                .rule_loss(id, rule, placement)
                .or_else(|| place.eligible(candidate, rule.class, &[]).err())
                .or((chosen != number).then_some(Loss::LowerScore))
                .or_else(|| self.competition_loss(place, candidate, rule, outcome));
            into.push(CandidateExplanation {
                rule: self.rule_name(rule),
                tier: rule.tier,
                priority: rule.priority,
                shows: bundle.catalog().str(shows).to_owned(),
                variant: place.exposure_of(candidate, rule.class).map(|exposure| {
                    let (experiment, variant) = bundle.exposure_name(exposure);
                    (experiment.to_owned(), variant.to_owned())
                }),
                lost,
                path: self.path(rule, outcome),
                would_match_if: match lost {
                    Some(Loss::RuleFalse) => self.would_match_if(rule),
                    _ => Vec::new(),
                },
            });
        }
    }

    fn rule_loss(&self, id: RuleId, rule: &Rule, placement: PlacementId) -> Option<Loss> {
        if !self.scratch.rules.is_rule_true(id) {
            return Some(Loss::RuleFalse);
        }
        let mut matching = Matching::new(self.snapshot, placement);
        while let Some(speaking) = matching.next(&self.scratch.rules) {
            if speaking == id {
                return None;
            }
        }
        debug_assert!(rule.tier > 0, "INVARIANT: only a later tier can match without speaking");
        Some(Loss::EarlierTier)
    }

    /// A candidate that could have been shown lost to better ones, to what kept the whole placement empty, or to what the
    /// decision shows besides.
    fn competition_loss(
        &self,
        place: &Place<'_>,
        candidate: Candidate,
        rule: &Rule,
        outcome: PlacementOutcome,
    ) -> Option<Loss> {
        let ads = self.ads_of(outcome);
        let is_served =
            ads.iter().any(|ad| ad.rule == Some(rule.source) && ad.action == Some(candidate.action));
        if is_served {
            return None;
        }
        let before = &self.scratch.ads[..usize::from(outcome.first_ad)];
        let beside = || place.eligible(candidate, rule.class, before).err();
        Some(match outcome.no_fill {
            Some(whole @ (Loss::Suppressed | Loss::TooManyAds)) => whole,
            Some(other) => beside().unwrap_or(other),
            None => beside().unwrap_or_else(|| {
                let flight = place.eligible(candidate, rule.class, before).ok();
                let is_drawn = flight.is_some_and(|flight| place.lost_a_draw(flight, rule.priority, ads));
                if is_drawn { Loss::LowerScore } else { Loss::LowerPriority }
            }),
        })
    }

    fn ads_of(&self, outcome: PlacementOutcome) -> &[Ad] {
        let first = usize::from(outcome.first_ad);
        &self.scratch.ads[first..first + usize::from(outcome.ads)]
    }

    fn path(&self, rule: &Rule, outcome: PlacementOutcome) -> Vec<Step> {
        let bundle = self.snapshot.bundle();
        let program = bundle.program();
        let mut steps = Vec::new();
        if rule.class == RuleClass::Fallback {
            let is_filled = self.ads_of(outcome).iter().any(|ad| ad.tier < Tier::Fallback);
            let result = if is_filled { "false" } else { "true" };
            let expr = "no other rule filled the placement".into();
            steps.push(Step { expr, result, because: "", at: None });
        }
        steps.extend(literals_of(program, rule.entry).into_iter().map(|id| self.step(rule, id)));
        steps
    }

    /// A condition of a rule, and how it came out.
    fn step(&self, rule: &Rule, id: LiteralId) -> Step {
        let bundle = self.snapshot.bundle();
        let program = bundle.program();
        let (fires, truth) = literal_truth(program, self.admitted.frame(), id);
        let literal = program.program().literals[id.0 as usize];
        let attribute = &program.program().attributes[usize::from(literal.signal.0)];
        let is_granted = self.admitted.gates().covers(attribute.gates);
        let absence = if is_granted { "missing" } else { "no_consent" };
        let (result, because) = match (fires, truth) {
            (true, _) => ("true", ""),
            // Whether something is known is itself always known.
            (false, Truth::Unknown) if literal.constraint == Constraint::Known => ("false", absence),
            (false, Truth::Unknown) => ("unknown", absence),
            (false, _) => ("false", ""),
        };
        let expr = bundle.source().literals.get(id.0 as usize).cloned().unwrap_or_default();
        Step { expr, result, because, at: position(bundle.source(), rule.source, id) }
    }

    /// The conditions that kept a rule from matching, as few as there are.
    fn would_match_if(&self, rule: &Rule) -> Vec<Step> {
        let program = self.snapshot.bundle().program();
        let nearest = nearest_match(program, self.admitted.frame(), rule.entry);
        nearest.unwrap_or_default().into_iter().map(|id| self.step(rule, id)).collect()
    }
}

/// Where a rule names a literal. The spans of a bundle are not verified, so they may lead nowhere.
fn position(source: &SourceMap, rule: u32, literal: LiteralId) -> Option<Position> {
    let span = source.span(rule, literal)?;
    let (path, text) = source.files.get(span.file as usize)?;
    let before = text.get(..span.start as usize)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before[line_start..].chars().count() + 1;
    Some(Position { file: path.clone(), line: span.line, column: u32::try_from(column).ok()? })
}
