//! The decision itself.
//!
//! [`decide`] walks, for each placement, the matching rules from the highest priority down. The first matching rule that
//! shows something eligible gives the ad, the first that gives an offer gives the offer; of one rule's tiers only the
//! first matching one speaks. Rules marked `fallback` are asked only when no other rule filled the placement, then the
//! placement's house ad, then there is no fill, with a reason.
//!
//! Where flights of the catalog have classes, priorities or weights, rules of equal priority speak together and their
//! candidates are ranked by those (`rank`).
//!
//! Rules reached before the placement is full add their pins, tags and arms of splits, and a bandit named by a rule puts
//! one of its arms in its own place (`compose`).
//!
//! A holdout sees the campaign's control creative and no offer; who takes part in an experiment sees its variant
//! (`experiment`). Assignment is sticky by visitor where identifiers may be read, else per request.
//!
//! Guarantees: total, no allocation or free after warm-up, and the same inputs give the same decision anywhere.
//! Not here: how one placement is filled (`place`) and which combination is chosen (`select`).

use std::cell::Cell;

use tessera_rulevm::evaluate;
use tessera_wire::catalog::{CreativeId, FlightId, OfferId, PlacementId, TemplateId};
use tessera_wire::event::{Arm, ArmChoice, Exposure, Tier};
use tessera_wire::limits::CHOICES_PER_AD_MAX;

use crate::admit::Admitted;
use crate::model::Context;
use crate::place::Place;
use crate::scratch::Scratch;
use crate::snapshot::Snapshot;

/// Why a candidate lost or a placement stayed empty: the stable codes of the explain block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// No rule matched.
    RuleFalse,
    /// A rule suppresses ads here.
    Suppressed,
    /// The campaign is switched off, or a kill switch holds it, its template or creative back.
    KillSwitch,
    /// No flight runs now.
    OutsideSchedule,
    /// No acceptable size.
    SizeMismatch,
    /// The caller does not accept it.
    Filtered,
    /// Its price is below what the caller asks for.
    BelowFloor,
    /// The answer already has as many ads of the campaign as it may.
    Duplicate,
    /// A competitor is in the answer already.
    CompetitorConflict,
    /// The visitor has seen it as often as a frequency cap allows.
    CapReached,
    /// A budget or goal is used up, or nothing of it is at hand at the moment.
    BudgetExhausted,
    /// A budget is being spread over time, and it was not this decision's turn.
    PacedOut,
    /// A rule with a higher priority won.
    LowerPriority,
    /// The bandit chose another arm.
    LowerScore,
    /// An earlier tier of the same rule spoke.
    EarlierTier,
    /// The visitor has not agreed to prices of their own.
    NotConsented,
    /// The campaign gives no discount this large.
    DiscountTooLarge,
    /// The discount would leave too little margin, or the margin is not known.
    MarginTooSmall,
    /// The visitor keeps an offer that was given before.
    OfferHeld,
    /// The visitor is in the campaign's holdout.
    Holdout,
    /// The slot is not in the bundle.
    UnknownSlot,
    /// The decision already has as many ads as it may.
    TooManyAds,
    /// The request waited too long for a decision, and there is no house ad.
    Overloaded,
}

impl Loss {
    /// Every reason, in order.
    pub const ALL: [Loss; 23] = [
        Loss::RuleFalse,
        Loss::Suppressed,
        Loss::KillSwitch,
        Loss::OutsideSchedule,
        Loss::SizeMismatch,
        Loss::Filtered,
        Loss::BelowFloor,
        Loss::Duplicate,
        Loss::CompetitorConflict,
        Loss::CapReached,
        Loss::BudgetExhausted,
        Loss::PacedOut,
        Loss::LowerPriority,
        Loss::LowerScore,
        Loss::EarlierTier,
        Loss::NotConsented,
        Loss::DiscountTooLarge,
        Loss::MarginTooSmall,
        Loss::OfferHeld,
        Loss::Holdout,
        Loss::UnknownSlot,
        Loss::TooManyAds,
        Loss::Overloaded,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Loss::RuleFalse => "rule_false",
            Loss::Suppressed => "suppressed",
            Loss::KillSwitch => "kill_switch",
            Loss::OutsideSchedule => "outside_schedule",
            Loss::SizeMismatch => "size_mismatch",
            Loss::Filtered => "filtered",
            Loss::BelowFloor => "below_floor",
            Loss::Duplicate => "duplicate",
            Loss::CompetitorConflict => "competitor_conflict",
            Loss::CapReached => "cap_reached",
            Loss::BudgetExhausted => "budget_exhausted",
            Loss::PacedOut => "paced_out",
            Loss::LowerPriority => "lower_priority",
            Loss::LowerScore => "lower_score",
            Loss::EarlierTier => "earlier_tier",
            Loss::NotConsented => "not_consented",
            Loss::DiscountTooLarge => "max_discount",
            Loss::MarginTooSmall => "min_margin",
            Loss::OfferHeld => "offer_held",
            Loss::Holdout => "holdout",
            Loss::UnknownSlot => "unknown_slot",
            Loss::TooManyAds => "too_many_ads",
            Loss::Overloaded => "overloaded",
        }
    }
}

/// One chosen ad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ad {
    /// Where it goes.
    pub placement: PlacementId,
    /// What it is made from; its campaign is the template's.
    pub template: TemplateId,
    /// The flight of its campaign that carries it; `None` for the house ad.
    pub flight: Option<FlightId>,
    /// Which assets fill it.
    pub combination: u32,
    /// The fixed creative, when one was named.
    pub creative: Option<CreativeId>,
    /// The offer that goes with it.
    pub offer: Option<OfferId>,
    /// Since when the offer holds, unix milliseconds; 0 without one.
    pub offer_at_ms: i64,
    /// Index of the source rule that showed it; `None` for the house ad.
    pub rule: Option<u32>,
    /// Index of that rule's `show` among the program's actions; `None` for the house ad.
    pub action: Option<u32>,
    /// Arms of bandits that took effect: of what is shown, of its offer, and of a pin.
    pub choices: [Option<ArmChoice>; CHOICES_PER_AD_MAX],
    /// The variant of the campaign's experiment that it was shown under.
    pub exposure: Option<Exposure>,
    /// Priority of that rule.
    pub priority: i32,
    /// Why this combination.
    pub arm: Arm,
    /// How much the decision knew.
    pub tier: Tier,
    /// Probability of this combination, given the arm.
    pub propensity: f32,
    /// Probability of this candidate among its equals, by the weights of their flights; 1 where nothing was drawn.
    pub share: f32,
    /// Values of the template's context fields.
    pub context: Context,
}

/// What became of one requested placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacementOutcome {
    /// Index of its first ad in [`Decision::ads`].
    pub first_ad: u16,
    /// Number of its ads.
    pub ads: u16,
    /// Why it is empty, when it is.
    pub no_fill: Option<Loss>,
    /// Index of its first note in [`Decision::notes`].
    pub first_note: u16,
    /// Number of its notes.
    pub notes: u16,
}

/// What a rule reports with the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Note {
    /// A tag: index into the bundle's tags.
    Tag(u32),
    /// An arm of a split: index into the bundle's arms of splits.
    Variant(u32),
}

/// The answer to one request; borrows the scratch it was made in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision<'s> {
    /// All ads, placement by placement.
    pub ads: &'s [Ad],
    /// One outcome per requested placement, in request order.
    pub placements: &'s [PlacementOutcome],
    /// What rules report, placement by placement.
    pub notes: &'s [Note],
    /// The best tier of any ad; [`Tier::Default`] when there is none.
    pub tier: Tier,
    /// How often frequency caps were asked.
    pub cap_checks: CapChecks,
}

/// How often frequency caps were asked, and with which result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapChecks {
    /// Let pass.
    pub passed: u32,
    /// Held something back.
    pub reached: u32,
}

impl<'s> Decision<'s> {
    /// What rules report in one of its placements.
    pub fn notes_of(&self, outcome: &PlacementOutcome) -> &'s [Note] {
        let first = usize::from(outcome.first_note);
        self.notes.get(first..first + usize::from(outcome.notes)).unwrap_or(&[])
    }
}

/// Decides.
pub fn decide<'s>(
    snapshot: &Snapshot,
    admitted: &Admitted<'_>,
    now_ms: i64,
    seed: u64,
    scratch: &'s mut Scratch,
) -> Decision<'s> {
    evaluate(snapshot.bundle().program(), admitted.frame(), &mut scratch.rules);
    let place = |number| Place::new(snapshot, admitted, number, now_ms, seed);
    let checks = Cell::new(CapChecks::default());
    let decision = fill_all(admitted.placements().len(), scratch, |number, scratch| {
        let place = place(number);
        let outcome = place.fill(scratch);
        let (before, own) = (checks.get(), place.cap_checks.get());
        checks.set(CapChecks { passed: before.passed + own.passed, reached: before.reached + own.reached });
        outcome
    });
    Decision { cap_checks: checks.get(), ..decision }
}

/// Decides for a request that has waited too long: house ads, no rules, nothing of the visitor. `admitted` should grant
/// nothing ([`Admitted::nothing`]).
pub fn decide_late<'s>(
    snapshot: &Snapshot,
    admitted: &Admitted<'_>,
    now_ms: i64,
    scratch: &'s mut Scratch,
) -> Decision<'s> {
    let place = |number| Place::new(snapshot, admitted, number, now_ms, 0);
    fill_all(admitted.placements().len(), scratch, |number, scratch| place(number).fill_late(scratch))
}

fn fill_all(
    placements: usize,
    scratch: &mut Scratch,
    fill: impl Fn(usize, &mut Scratch) -> Result<(), Loss>,
) -> Decision<'_> {
    scratch.ads.clear();
    scratch.outcomes.clear();
    scratch.notes.clear();
    for number in 0..placements {
        let (first_ad, first_note) = (scratch.ads.len(), scratch.notes.len());
        let no_fill = fill(number, scratch).err();
        let (ads, notes) = (scratch.ads.len() - first_ad, scratch.notes.len() - first_note);
        scratch.outcomes.push(PlacementOutcome {
            first_ad: first_ad as u16,
            ads: ads as u16,
            no_fill,
            first_note: first_note as u16,
            notes: notes as u16,
        });
    }
    let tier = scratch.ads.iter().map(|ad| ad.tier).min().unwrap_or(Tier::Default);
    let Scratch { ads, outcomes, notes, .. } = scratch;
    Decision { ads, placements: outcomes, notes, tier, cap_checks: CapChecks::default() }
}
