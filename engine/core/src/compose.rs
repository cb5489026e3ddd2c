//! What rules reached on the way to an ad add to it: pinned assets, tags, arms of splits, and the arms that bandits chose.
//!
//! Rules are reached from the best down until the placement is full. For each slot the pin of the best rule counts that
//! fits the template shown; a pin that would leave no combination beside better ones is passed over. Everything here is
//! a pure function of the placement's seed, so that the walk, the offer and an explanation see the same arms.

use tessera_wire::catalog::{AssetId, OfferId, TemplateId};
use tessera_wire::event::ArmChoice;
use tessera_wire::program::{Action, Rule, WordId};

use crate::decide::Note;
use crate::hash::draw;
use crate::limits::{NOTES_PER_DECISION_MAX, PINS_PER_PLACEMENT_MAX};
use crate::model::Pins;
use crate::place::Place;
use crate::scratch::Scratch;
use crate::select::Feasible;
use crate::select_arm::choose_arm;

/// Streams of bandits begin here; those of a placement's ads are below.
const STREAM_BANDITS: u64 = 1 << 32;

/// A pin of a rule that was reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinned {
    slot: WordId,
    asset: AssetId,
    choice: Option<ArmChoice>,
}

/// An action as it takes effect: itself, or the arm that a bandit chose.
#[derive(Clone, Copy)]
pub(crate) struct Effect {
    /// Index among the program's actions.
    pub(crate) number: u32,
    pub(crate) action: Action,
    pub(crate) choice: Option<ArmChoice>,
}

/// An offer, and the choice that led to it.
pub(crate) type Given = (OfferId, Option<ArmChoice>);

impl Place<'_> {
    /// What the rule's actions come to, in order.
    pub(crate) fn effects<'r>(&'r self, rule: &'r Rule) -> impl Iterator<Item = Effect> + 'r {
        let actions = rule.actions.of(&self.program().actions);
        (rule.actions.first..).zip(actions).map(move |(number, action)| match action {
            Action::Choose { .. } => self.chosen(number, *action, rule),
            _ => Effect { number, action: *action, choice: None },
        })
    }

    /// The arm that takes effect. Arms that show or give something must be eligible, whatever else the decision shows;
    /// when none is, the first one stands for why.
    fn chosen(&self, number: u32, action: Action, rule: &Rule) -> Effect {
        let unchosen = Effect { number, action, choice: None };
        let Action::Choose { arms, .. } = action else { return unchosen };
        let bundle = self.snapshot.bundle();
        let choose = bundle.actions().choice(number);
        let numbers = bundle.actions().arms_of(choose);
        let own = arms.of(&self.program().actions);
        let bandit = bundle.bandit(choose.bandit);
        let may_take_effect = |arm: usize| {
            if let Action::Offer(offer) = own[arm] {
                return self.offer_loss(offer, &[]).is_none();
            }
            let shown = self.candidate(arms.first + arm as u32, own[arm]);
            shown.is_none_or(|candidate| self.eligible(candidate, rule.class, &[]).is_ok())
        };
        let seed = draw(self.seed, STREAM_BANDITS + u64::from(choose.bandit));
        let chosen = choose_arm(self.snapshot.model(bandit), numbers, may_take_effect, seed);
        let arm = chosen.map_or(0, |chosen| chosen.arm);
        let Some(action) = own.get(arm) else { return unchosen };
        let choice = chosen.map(|chosen| ArmChoice {
            bandit: bandit.0,
            arm: numbers[arm],
            propensity: chosen.propensity,
        });
        Effect { number: arms.first + arm as u32, action: *action, choice }
    }

    /// Notes a rule's pins, tags and arms of splits.
    pub(crate) fn reach(&self, rule: &Rule, first_note: usize, scratch: &mut Scratch) {
        let names = self.snapshot.bundle().actions();
        for Effect { number, action, choice } in self.effects(rule) {
            let note = match action {
                Action::Tag(_) => Note::Tag(names.number(number)),
                Action::Variant { .. } => Note::Variant(names.number(number)),
                Action::Pin { slot, asset } => {
                    if scratch.pins.len() < PINS_PER_PLACEMENT_MAX {
                        scratch.pins.push(Pinned { slot, asset, choice });
                    }
                    continue;
                }
                _ => continue,
            };
            if scratch.notes.len() < NOTES_PER_DECISION_MAX && !scratch.notes[first_note..].contains(&note) {
                scratch.notes.push(note);
            }
        }
    }

    /// The reached pins as they apply to a template, and the first choice of a bandit among them.
    pub(crate) fn pins_for(&self, template: TemplateId, scratch: &Scratch) -> (Pins, Option<ArmChoice>) {
        let (mut pins, mut choice) = (Pins::default(), None);
        let bundle = self.snapshot.bundle();
        let catalog = bundle.catalog();
        let slots = catalog.slots_of(&catalog.templates[template.index()]);
        for pinned in &scratch.pins {
            let name = bundle.word(pinned.slot);
            let Some(slot) = slots.iter().position(|slot| catalog.str(slot.name) == name) else { continue };
            let place = catalog.assets_of(&slots[slot]).iter().position(|asset| *asset == pinned.asset);
            let Some(asset) = place.filter(|_| pins[slot] == 0) else { continue };
            pins[slot] = asset as u16 + 1;
            if !bundle.exclusions(template).is_none()
                && Feasible::new(self.snapshot, template, &pins).count == 0
            {
                pins[slot] = 0;
                continue;
            }
            choice = choice.or(pinned.choice);
        }
        (pins, choice)
    }
}
