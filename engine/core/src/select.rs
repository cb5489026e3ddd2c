//! Choosing a combination: Thompson sampling from the pool of posterior draws, with its exact propensity.
//!
//! One draw is picked by the seed and its best combination taken; mixed with a template's share of uniform exploration.
//! The propensity of combination `k` in context `x` is `(1 - e) * (draws whose best is k) / draws + e / combinations`:
//! exact, not estimated, because the pool is finite. Before a template has a model every combination is equally likely.
//!
//! Cost: a memo look-up and a count over the pool; on a memo miss one search per draw. No allocation.

use tessera_wire::catalog::TemplateId;

use crate::hash::{below, draw};
use crate::model::Context;
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

/// Chooses a combination of `template` in `context`.
pub(crate) fn choose(
    snapshot: &Snapshot,
    template: TemplateId,
    context: &Context,
    seed: u64,
    scratch: &mut Scratch,
) -> Choice {
    let spec = &snapshot.bundle().catalog().templates[template.index()];
    let Some(model) = snapshot.model(template) else { return uniform(spec.combinations, seed) };
    let key = MemoKey {
        bundle_generation: snapshot.bundle().generation(),
        posterior_generation: snapshot.posterior_generation(),
        fingerprint: model.fingerprint(),
        template: template.0,
        context: *context,
    };
    let Scratch { memo, scores, .. } = scratch;
    let best = Memo::best(memo, key, |best| {
        for (number, slot) in best.iter_mut().enumerate().take(model.draws()) {
            *slot = model.best(number, context, scores) as u16;
        }
    });
    let best = &best[..model.draws()];
    let is_exploring = below(draw(seed, STREAM_EXPLORE), 1_000_000) < spec.exploration_ppm;
    let combination = if is_exploring {
        uniform(spec.combinations, seed).combination
    } else {
        u32::from(best[below(draw(seed, STREAM_DRAW), best.len() as u32) as usize])
    };
    Choice { combination, propensity: propensity(best, combination, spec.exploration_ppm, spec.combinations) }
}

fn uniform(combinations: u32, seed: u64) -> Choice {
    Choice {
        combination: below(draw(seed, STREAM_UNIFORM), combinations),
        propensity: 1.0 / combinations.max(1) as f32,
    }
}

fn propensity(best: &[u16], combination: u32, exploration_ppm: u32, combinations: u32) -> f32 {
    let agreeing = best.iter().filter(|other| u32::from(**other) == combination).count();
    let exploration = exploration_ppm as f32 / 1e6;
    (1.0 - exploration) * agreeing as f32 / best.len() as f32 + exploration / combinations as f32
}
