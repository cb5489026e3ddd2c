//! Filling one placement: from the matching rules down to the house ad.
//!
//! Guarantees: at most as many ads as were asked for, one per campaign; of one rule's tiers only the first matching one
//! speaks. Cost: one scan over the placement's matching rules per class, no allocation.

use std::cell::Cell;

use tessera_wire::catalog::{
    Catalog, CreativeId, FieldKind, FlightId, PlacementId, Template, TemplateId, VariantShows,
};
use tessera_wire::event::{Arm, ArmChoice, Exposure, Mode, Tier};
use tessera_wire::program::{Action, Program, Rule, RuleClass, RuleId};

use crate::admit::Admitted;
use crate::compose::Given;
use crate::decide::{Ad, CapChecks, Loss};
use crate::experiment::{Assignment, is_held_out_of_all};
use crate::hash::draw;
use crate::limits::ADS_PER_DECISION_MAX;
use crate::model::Context;
use crate::scratch::Scratch;
use crate::select::{Choice, choose};
use crate::signals::PlacementRequest;
use crate::snapshot::Snapshot;

/// One requested placement, with all it may look at.
pub(crate) struct Place<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) admitted: &'a Admitted<'a>,
    pub(crate) request: &'a PlacementRequest<'a>,
    pub(crate) now_ms: i64,
    pub(crate) seed: u64,
    /// Key of sticky assignments: the visitor's where identifiers may be read; without, each request is its own visitor.
    pub(crate) key: u64,
    pub(crate) is_held_out_of_all: bool,
    /// How often frequency caps were asked here.
    pub(crate) cap_checks: Cell<CapChecks>,
}

/// What a rule shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Index of the `show` among the program's actions.
    pub(crate) action: u32,
    pub(crate) template: TemplateId,
    pub(crate) creative: Option<CreativeId>,
}

/// What a candidate comes to for this visitor: itself, its campaign's control, or a variant of an experiment.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) template: TemplateId,
    pub(crate) creative: Option<CreativeId>,
    is_held_out: bool,
    /// Does it stand in for what the rule names?
    is_replaced: bool,
    exposure: Option<Exposure>,
}

/// What is the same for all rules of a placement.
pub(crate) struct Walk {
    placement: PlacementId,
    offer: Option<Given>,
    pub(crate) first_note: usize,
}

/// A candidate that is shown: by the arm that chose it, under a flight, with its share among equals.
pub(crate) struct Won {
    pub(crate) candidate: Candidate,
    pub(crate) choice: Option<ArmChoice>,
    pub(crate) flight: FlightId,
    pub(crate) share: f32,
}

impl Walk {
    pub(crate) fn placement(&self) -> PlacementId {
        self.placement
    }
}

impl<'a> Place<'a> {
    /// The `number`-th of the requested placements, in a decision with this seed.
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        admitted: &'a Admitted<'a>,
        number: usize,
        now_ms: i64,
        seed: u64,
    ) -> Place<'a> {
        let key = admitted.sticky_key().unwrap_or(seed);
        Place {
            snapshot,
            admitted,
            request: &admitted.placements()[number],
            now_ms,
            seed: draw(seed, number as u64),
            key,
            is_held_out_of_all: is_held_out_of_all(snapshot.bundle(), admitted.preview(), key),
            cap_checks: Cell::default(),
        }
    }
}

impl Place<'_> {
    pub(crate) fn catalog(&self) -> &Catalog {
        self.snapshot.bundle().catalog()
    }

    pub(crate) fn program(&self) -> &Program {
        self.snapshot.bundle().program().program()
    }

    /// Pushes the placement's ads; an error means there are none.
    pub(crate) fn fill(&self, scratch: &mut Scratch) -> Result<(), Loss> {
        let placement = self.snapshot.bundle().placement(self.request.slot).ok_or(Loss::UnknownSlot)?;
        let (first_ad, first_note) = (scratch.ads.len(), scratch.notes.len());
        scratch.pins.clear();
        let offer =
            self.first_offer(placement, scratch, |offer| self.offer_loss(offer, &scratch.ads).is_none());
        let walk = Walk { placement, offer, first_note };
        let mut loss = self.fill_from_rules(&walk, false, scratch)?;
        if scratch.ads.len() == first_ad {
            loss = loss.or(self.fill_from_rules(&walk, true, scratch)?);
        }
        if scratch.ads.len() == first_ad {
            self.push_house(placement, loss.unwrap_or(Loss::RuleFalse), scratch)?;
        }
        Ok(())
    }

    /// Pushes the placement's house ad without asking rules; an error means that there is none.
    pub(crate) fn fill_late(&self, scratch: &mut Scratch) -> Result<(), Loss> {
        let placement = self.snapshot.bundle().placement(self.request.slot).ok_or(Loss::UnknownSlot)?;
        self.push_house(placement, Loss::Overloaded, scratch)?;
        // Nobody knows which segments the visitor is in.
        if let Some(ad) = scratch.ads.last_mut() {
            ad.context = Context::default();
        }
        Ok(())
    }

    /// Pushes what matching rules of the wanted class show; returns why the best candidate lost, if one did.
    ///
    /// # Errors
    /// The placement must stay empty.
    fn fill_from_rules(
        &self,
        walk: &Walk,
        wants_fallback: bool,
        scratch: &mut Scratch,
    ) -> Result<Option<Loss>, Loss> {
        if self.snapshot.bundle().has_ranks() {
            return self.fill_by_rank(walk, wants_fallback, scratch);
        }
        let wanted = scratch.ads.len() + usize::from(self.request.count.max(1));
        let first_ad = scratch.ads.len();
        let mut loss = None;
        let mut matching = Matching::new(self.snapshot, walk.placement);
        while let Some(id) = matching.next(&scratch.rules) {
            let rule = &self.program().rules[id.0 as usize];
            if (rule.class == RuleClass::Fallback) != wants_fallback {
                continue;
            }
            if scratch.ads.len() == wanted {
                return Ok(loss);
            }
            self.reach(rule, walk.first_note, scratch);
            for effect in self.effects(rule) {
                if scratch.ads.len() == wanted {
                    return Ok(loss);
                }
                if matches!(effect.action, Action::Suppress) {
                    return if scratch.ads.len() == first_ad { Err(Loss::Suppressed) } else { Ok(loss) };
                }
                let Some(candidate) = self.candidate(effect.number, effect.action) else { continue };
                match self.contend(candidate, rule.class, first_ad, &scratch.ads) {
                    Err(reason) => loss = loss.or(Some(reason)),
                    Ok(_) if scratch.ads.len() == ADS_PER_DECISION_MAX => {
                        return self.full(first_ad, scratch);
                    }
                    Ok(flight) => {
                        let won = Won { candidate, choice: effect.choice, flight, share: 1.0 };
                        self.push(walk, won, rule, scratch);
                    }
                }
            }
        }
        Ok(loss)
    }

    pub(crate) fn full(&self, first_ad: usize, scratch: &Scratch) -> Result<Option<Loss>, Loss> {
        if scratch.ads.len() == first_ad { Err(Loss::TooManyAds) } else { Ok(None) }
    }

    /// What the `number`-th action of the program shows, if it shows something.
    pub(crate) fn candidate(&self, number: u32, action: Action) -> Option<Candidate> {
        match action {
            Action::ShowTemplate(template) => Some(Candidate { action: number, template, creative: None }),
            Action::ShowCreative(creative) => {
                let template = self.catalog().creatives[creative.index()].template;
                Some(Candidate { action: number, template, creative: Some(creative) })
            }
            Action::Offer(_)
            | Action::Suppress
            | Action::Tag(_)
            | Action::Pin { .. }
            | Action::Bind { .. }
            | Action::Choose { .. }
            | Action::Variant { .. } => None,
        }
    }

    /// The holdout sees the control and experiments their variants; fallback rules are nobody's experiment. An error when
    /// the visitor is to see nothing of the campaign.
    pub(crate) fn shown(&self, candidate: Candidate, class: RuleClass) -> Result<Shown, Loss> {
        let Candidate { template, creative, .. } = candidate;
        let itself = Shown { template, creative, is_held_out: false, is_replaced: false, exposure: None };
        if class == RuleClass::Fallback {
            return Ok(itself);
        }
        let catalog = self.catalog();
        let stand_in = |id: CreativeId| Shown {
            template: catalog.creatives[id.index()].template,
            creative: Some(id),
            is_replaced: true,
            ..itself
        };
        let campaign = catalog.templates[template.index()].campaign;
        match self.assignment(campaign) {
            Assignment::Ordinary => Ok(itself),
            Assignment::HeldOut => {
                let control = catalog.campaigns[campaign.index()].control.ok_or(Loss::Holdout)?;
                Ok(Shown { is_held_out: true, ..stand_in(control) })
            }
            Assignment::Exposed(exposure) => Ok(Shown {
                exposure: Some(exposure),
                ..match self.variant(exposure).shows {
                    VariantShows::AsDecided => itself,
                    VariantShows::Creative(id) => stand_in(id),
                    VariantShows::Template(template) => {
                        Shown { template, creative: None, is_replaced: true, ..itself }
                    }
                }
            }),
        }
    }

    /// The variant that a candidate would be shown under.
    pub(crate) fn exposure_of(&self, candidate: Candidate, class: RuleClass) -> Option<Exposure> {
        self.shown(candidate, class).ok()?.exposure
    }

    pub(crate) fn push(&self, walk: &Walk, won: Won, rule: &Rule, scratch: &mut Scratch) {
        let Won { candidate, choice: shown_by, flight, share } = won;
        // Who is to see nothing was not eligible.
        let Ok(shown) = self.shown(candidate, rule.class) else { return };
        let Shown { template, creative, is_held_out, is_replaced, exposure } = shown;
        let context = self.context(&self.catalog().templates[template.index()], scratch);
        let mut pinned_by = None;
        let (arm, choice) = match creative {
            Some(id) => {
                let combination = self.catalog().creatives[id.index()].combination;
                (if is_held_out { Arm::Holdout } else { Arm::Fixed }, Choice { combination, propensity: 1.0 })
            }
            None => {
                let seed = draw(self.seed, scratch.ads.len() as u64);
                let (pins, choice) = self.pins_for(template, scratch);
                pinned_by = choice;
                (Arm::Personalized, choose(self.snapshot, template, &context, &pins, seed, scratch))
            }
        };
        // What the holdout sees was nobody's choice, and what stands in for a bandit's arm was not the bandit's.
        let campaign = self.catalog().templates[template.index()].campaign;
        let offer = self.granted(campaign, (walk.placement, walk.offer), scratch).filter(|_| !is_held_out);
        let choices = [shown_by.filter(|_| !is_replaced), offer.and_then(|offer| offer.choice), pinned_by];
        scratch.ads.push(Ad {
            placement: walk.placement,
            template,
            flight: Some(flight),
            combination: choice.combination,
            creative,
            offer: offer.map(|offer| offer.offer),
            offer_at_ms: offer.map_or(0, |offer| offer.at_ms),
            rule: Some(rule.source),
            action: Some(candidate.action),
            choices,
            exposure,
            priority: rule.priority,
            arm,
            tier: tier_of(rule.class, self.admitted.mode()),
            propensity: choice.propensity,
            share,
            context,
        });
    }

    /// # Errors
    /// `loss` when there is no house ad: the placement must stay empty.
    fn push_house(&self, placement: PlacementId, loss: Loss, scratch: &mut Scratch) -> Result<(), Loss> {
        let catalog = self.catalog();
        let house = catalog.placements[placement.index()].house.ok_or(loss)?;
        if scratch.ads.len() == ADS_PER_DECISION_MAX {
            return Err(Loss::TooManyAds);
        }
        let creative = &catalog.creatives[house.index()];
        if !self.is_switched_on(creative.template, Some(house)) {
            return Err(Loss::KillSwitch);
        }
        if !self.is_accepted(creative.template, Some(house)) {
            return Err(Loss::Filtered);
        }
        let context = self.context(&catalog.templates[creative.template.index()], scratch);
        scratch.ads.push(Ad {
            placement,
            template: creative.template,
            flight: None,
            combination: creative.combination,
            creative: Some(house),
            offer: None,
            offer_at_ms: 0,
            rule: None,
            action: None,
            choices: Default::default(),
            exposure: None,
            priority: i32::MIN,
            arm: Arm::House,
            tier: Tier::Default,
            propensity: 1.0,
            share: 1.0,
            context,
        });
        Ok(())
    }

    fn context(&self, template: &Template, scratch: &Scratch) -> Context {
        let catalog = self.catalog();
        let mut context = Context::default();
        for (value, field) in context.iter_mut().zip(catalog.fields_of(template)) {
            let position = match field.kind {
                FieldKind::FirstSegment(span) => span
                    .of(&catalog.field_segments)
                    .iter()
                    .position(|segment| scratch.rules.is_segment_true(*segment)),
                FieldKind::SignalWord { signal, words } => {
                    let word = self.admitted.frame().word(signal);
                    word.and_then(|word| {
                        words.of(&catalog.field_words).iter().position(|other| *other == word)
                    })
                }
            };
            *value = position.map_or(0, |position| position as u8 + 1);
        }
        context
    }
}

/// Matching rules of a placement from the highest priority down; of one source rule only the first tier.
pub(crate) struct Matching<'s> {
    rules: &'s [Rule],
    rest: std::ops::Range<u32>,
    // Tiers of one rule are neighbours in the sorted list, so remembering one source is enough.
    last_source: Option<u32>,
}

impl<'s> Matching<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot, placement: PlacementId) -> Matching<'s> {
        let program = snapshot.bundle().program();
        Matching { rules: &program.program().rules, rest: program.rules_of(placement), last_source: None }
    }

    pub(crate) fn next(&mut self, results: &tessera_rulevm::Scratch) -> Option<RuleId> {
        while let Some(id) = results.next_true_rule(self.rest.clone()) {
            self.rest.start = id.0 + 1;
            let source = self.rules[id.0 as usize].source;
            if self.last_source != Some(source) {
                self.last_source = Some(source);
                return Some(id);
            }
        }
        None
    }
}

fn tier_of(class: RuleClass, mode: Mode) -> Tier {
    match (class, mode) {
        (RuleClass::Fallback, _) => Tier::Fallback,
        (_, Mode::Full) => Tier::Full,
        (_, Mode::Partial) => Tier::Session,
        (_, Mode::Contextual | Mode::Child) => Tier::Contextual,
    }
}
