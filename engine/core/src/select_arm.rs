//! Choosing an arm of a bandit that a rule names: Thompson sampling from the pool of draws, with its exact propensity.
//!
//! A bandit's model is that of a template with one slot, whose assets are the arms of all rules that name it; a rule
//! chooses among its own arms, and among those only of the ones that may take effect now. Before the first model every
//! such arm is equally likely. Cost: `draws x arms` comparisons. No allocation.

use crate::hash::{below, draw};
use crate::limits::{ARMS_PER_BANDIT_MAX, BANDIT_EXPLORATION_PPM};
use crate::model::Model;

const STREAM_EXPLORE: u64 = 1;
const STREAM_UNIFORM: u64 = 2;
const STREAM_DRAW: u64 = 3;

/// An arm, by its place among a rule's arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) arm: usize,
    pub(crate) propensity: f32,
}

/// Chooses among `arms`, which hold numbers of a bandit's arms; `None` when none may take effect.
pub(crate) fn choose_arm(
    model: Option<&Model>,
    arms: &[u16],
    may_take_effect: impl Fn(usize) -> bool,
    seed: u64,
) -> Option<Chosen> {
    let mut list = [0u16; ARMS_PER_BANDIT_MAX];
    let mut count = 0;
    for arm in (0..arms.len()).filter(|arm| may_take_effect(*arm)) {
        *list.get_mut(count)? = arm as u16;
        count += 1;
    }
    let list = &list[..count];
    let anyone = *list.get(below(draw(seed, STREAM_UNIFORM), count as u32) as usize)?;
    let Some(model) = model else {
        return Some(Chosen { arm: usize::from(anyone), propensity: 1.0 / count as f32 });
    };
    let picked = below(draw(seed, STREAM_DRAW), model.draws() as u32) as usize;
    let is_exploring = below(draw(seed, STREAM_EXPLORE), 1_000_000) < BANDIT_EXPLORATION_PPM;
    let arm = if is_exploring { anyone } else { best_arm(model, arms, list, picked) };
    let agreeing = (0..model.draws()).filter(|number| best_arm(model, arms, list, *number) == arm).count();
    let exploration = BANDIT_EXPLORATION_PPM as f32 / 1e6;
    let propensity =
        (1.0 - exploration) * agreeing as f32 / model.draws() as f32 + exploration / count as f32;
    Some(Chosen { arm: usize::from(arm), propensity })
}

/// The best of the listed arms under one draw; ties go to the one that stands first in the rule.
fn best_arm(model: &Model, arms: &[u16], list: &[u16], draw: usize) -> u16 {
    let mut best = (f32::NEG_INFINITY, 0);
    for arm in list {
        let score = model.asset_weight(usize::from(arms[usize::from(*arm)]), draw);
        if score > best.0 {
            best = (score, *arm);
        }
    }
    best.1
}
