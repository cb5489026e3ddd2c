//! Choosing a combination: Thompson sampling from the pool of posterior draws, with its exact propensity.
//!
//! One draw is picked by the seed and its best combination taken; mixed with a template's share of uniform exploration.
//! The propensity of combination `k` in context `x` is `(1 - e) * (draws whose best is k) / draws + e / combinations`:
//! exact, not estimated, because the pool is finite. Before a template has a model every combination is equally likely.
//! Pins of rules and pairs of assets that exclude one another restrict all of this to the feasible combinations: a draw's
//! best is the best of those, and exploration is uniform over those.
//!
//! Cost: a memo look-up and a count over the pool; on a memo miss a search per block of draws; a scan of what a template's
//! exclusions leave when something is pinned besides. No allocation.

use tessera_wire::catalog::TemplateId;
use tessera_wire::posterior::Layout;

use crate::bundle::Exclusions;
use crate::hash::{below, draw};
use crate::model::{Context, Pins};
use crate::scratch::{Memo, MemoKey, Scratch};
use crate::snapshot::Snapshot;

/// What was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Choice {
    pub(crate) combination: u32,
    pub(crate) propensity: f32,
}

/// Streams of the seed, one per random question, so that answers stay independent.
const STREAM_EXPLORE: u64 = 1;
const STREAM_UNIFORM: u64 = 2;
const STREAM_DRAW: u64 = 3;

/// Chooses a combination of `template` in `context` that has the pinned assets. There must be one.
pub(crate) fn choose(
    snapshot: &Snapshot,
    template: TemplateId,
    context: &Context,
    pins: &Pins,
    seed: u64,
    scratch: &mut Scratch,
) -> Choice {
    let spec = &snapshot.bundle().catalog().templates[template.index()];
    let feasible = Feasible::new(snapshot, template, pins);
    let Some(model) = snapshot.model(template) else { return feasible.uniform(seed) };
    let key = MemoKey {
        bundle_generation: snapshot.bundle().generation(),
        posterior_generation: snapshot.posterior_generation(),
        fingerprint: model.fingerprint(),
        template: template.0,
        context: *context,
        pins: *pins,
    };
    let Scratch { memo, scores, .. } = scratch;
    let best = Memo::best(memo, key, |best| model.best(context, pins, scores, best));
    let best = &best[..model.draws()];
    let is_exploring = below(draw(seed, STREAM_EXPLORE), 1_000_000) < spec.exploration_ppm;
    let combination = if is_exploring {
        feasible.uniform(seed).combination
    } else {
        u32::from(best[below(draw(seed, STREAM_DRAW), best.len() as u32) as usize])
    };
    Choice { combination, propensity: propensity(best, combination, spec.exploration_ppm, feasible.count) }
}

/// The combinations that a choice is made among.
pub(crate) struct Feasible<'a> {
    layout: &'a Layout,
    exclusions: &'a Exclusions,
    pins: &'a Pins,
    has_pins: bool,
    pub(crate) count: u32,
}

impl<'a> Feasible<'a> {
    /// Counts them: without a look at each unless the template excludes pairs and something is pinned.
    pub(crate) fn new(snapshot: &'a Snapshot, template: TemplateId, pins: &'a Pins) -> Feasible<'a> {
        let layout = snapshot.bundle().layout(template);
        let exclusions = snapshot.bundle().exclusions(template);
        let has_pins = *pins != Pins::default();
        let count = match (exclusions.is_none(), has_pins) {
            (true, false) => snapshot.bundle().catalog().templates[template.index()].combinations,
            (true, true) => {
                let free = layout.slots.iter().zip(pins).filter(|(_, pin)| **pin == 0);
                free.map(|(size, _)| *size as u32).product()
            }
            (false, false) => exclusions.left().len() as u32,
            (false, true) => exclusions.pinned(pins).count() as u32,
        };
        Feasible { layout, exclusions, pins, has_pins, count }
    }

    /// One of them, each as likely as any other.
    fn uniform(&self, seed: u64) -> Choice {
        let number = below(draw(seed, STREAM_UNIFORM), self.count);
        Choice { combination: self.nth(number), propensity: 1.0 / self.count.max(1) as f32 }
    }

    fn nth(&self, number: u32) -> u32 {
        match (self.exclusions.is_none(), self.has_pins) {
            (true, false) => number,
            (true, true) => self.nth_pinned(number),
            (false, false) => self.exclusions.left().get(number as usize).map_or(0, |left| u32::from(*left)),
            (false, true) => self.exclusions.pinned(self.pins).nth(number as usize).map_or(0, u32::from),
        }
    }

    /// Mixed radix over the slots that are not pinned, the last one fastest.
    fn nth_pinned(&self, number: u32) -> u32 {
        let (mut rest, mut radix, mut combination) = (number, 1, 0);
        for (size, pin) in self.layout.slots.iter().zip(self.pins).rev() {
            let size = *size as u32;
            let asset = match u32::from(*pin).checked_sub(1) {
                Some(pinned) => pinned,
                None => {
                    let asset = rest % size;
                    rest /= size;
                    asset
                }
            };
            combination += asset * radix;
            radix *= size;
        }
        combination
    }
}

fn propensity(best: &[u16], combination: u32, exploration_ppm: u32, feasible: u32) -> f32 {
    let agreeing = best.iter().filter(|other| u32::from(**other) == combination).count();
    let exploration = exploration_ppm as f32 / 1e6;
    (1.0 - exploration) * agreeing as f32 / best.len() as f32 + exploration / feasible as f32
}
