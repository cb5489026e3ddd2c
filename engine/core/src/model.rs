//! One template's model as the decision uses it: draws from the posterior, and the best combination under a draw.
//!
//! The score of a combination in a context is the linear predictor without the terms that all combinations share
//! (intercept and context weights), so the best combination is the one with the greatest sum of asset, pair and
//! (context, asset) weights. Weights of one slot's assets are contiguous, so the innermost loop runs over the last slot's
//! assets with plain vector additions.
//!
//! Cost: `combinations x slots` additions per draw while exhaustive; above
//! [`crate::limits::EXHAUSTIVE_COMBINATIONS_MAX`] coordinate ascent from two starts. No allocation: buffers are the
//! caller's. Oracle: [`score_by_definition`], which adds up every weight of the definition in `tessera_wire::posterior`.

use tessera_wire::event::TemplateNames;
use tessera_wire::limits::{CONTEXT_FIELDS_MAX, SLOTS_PER_TEMPLATE_MAX};
use tessera_wire::posterior::{Layout, TemplateModel};

use crate::limits::{ASSETS_PER_TEMPLATE_MAX, EXHAUSTIVE_COMBINATIONS_MAX};

/// Values of a template's context fields; fields beyond the template's own are 0.
pub type Context = [u8; CONTEXT_FIELDS_MAX];

/// Draws from one template's posterior.
#[derive(Debug)]
pub struct Model {
    layout: Layout,
    // INVARIANT: a multiple of `layout.len` weights, at least one draw.
    draws: Vec<f32>,
    fingerprint: u64,
}

/// Buffers for [`Model::best`].
#[derive(Debug)]
pub struct ScoreBuffer {
    /// Score of each asset in the context.
    assets: Vec<f32>,
    /// Scores of the last slot's assets, given the others.
    last: Vec<f32>,
}

impl Default for ScoreBuffer {
    fn default() -> Self {
        ScoreBuffer { assets: vec![0.0; ASSETS_PER_TEMPLATE_MAX], last: vec![0.0; ASSETS_PER_TEMPLATE_MAX] }
    }
}

impl Model {
    /// The learner's model, if it speaks of the same assets and context values as `template`.
    pub fn matching(model: &TemplateModel, template: &TemplateNames, layout: &Layout) -> Option<Model> {
        let same_slots = model.slots.len() == template.slots.len()
            && model.slots.iter().zip(&template.slots).all(|(ours, (_, theirs))| ours == theirs);
        let is_sound = model.mean.len() == layout.len
            && !model.draws.is_empty()
            && model.draws.len().is_multiple_of(layout.len)
            && layout.assets() <= ASSETS_PER_TEMPLATE_MAX;
        (same_slots && model.fields == template.fields && is_sound).then(|| Model {
            layout: layout.clone(),
            draws: model.draws.clone(),
            fingerprint: fingerprint(&model.draws),
        })
    }

    /// A hash of the draws. Generations count up in one store only, so a store that was made anew repeats them; whoever
    /// remembers something of a model compares this beside them.
    #[inline]
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many draws there are, at most [`tessera_wire::limits::POSTERIOR_DRAWS_MAX`].
    #[inline]
    pub fn draws(&self) -> usize {
        self.draws.len() / self.layout.len
    }

    /// The weights of one draw.
    fn draw(&self, draw: usize) -> &[f32] {
        &self.draws[draw * self.layout.len..(draw + 1) * self.layout.len]
    }

    /// The best combination in `context` under one draw; ties go to the lower number.
    pub fn best(&self, draw: usize, context: &Context, buffer: &mut ScoreBuffer) -> u32 {
        let weights = self.draw(draw);
        self.score_assets(weights, context, buffer);
        if self.layout.combinations() <= EXHAUSTIVE_COMBINATIONS_MAX {
            best_of_all(&self.layout, weights, buffer)
        } else {
            best_by_ascent(&self.layout, weights, buffer)
        }
    }

    fn context_values<'m>(&'m self, context: &'m Context) -> impl Iterator<Item = usize> + 'm {
        context_values(&self.layout, context)
    }

    fn score_assets(&self, weights: &[f32], context: &Context, buffer: &mut ScoreBuffer) {
        let count = self.layout.assets();
        let scores = &mut buffer.assets[..count];
        scores.copy_from_slice(&weights[1..=count]);
        for value in self.context_values(context) {
            let start = self.layout.cross(value);
            add(scores, &weights[start..start + count]);
        }
    }
}

fn fingerprint(draws: &[f32]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    let mut bytes = [0; 1_024];
    for part in draws.chunks(bytes.len() / 4) {
        for (place, weight) in bytes.chunks_exact_mut(4).zip(part) {
            place.copy_from_slice(&weight.to_le_bytes());
        }
        hasher.update(&bytes[..part.len() * 4]);
    }
    hasher.digest()
}

fn context_values<'l>(layout: &'l Layout, context: &'l Context) -> impl Iterator<Item = usize> + 'l {
    // A value beyond its field reads as unknown; `decide` never makes one.
    layout.fields.iter().zip(context).enumerate().map(|(field, (size, value))| {
        let value = usize::from(*value);
        layout.field_start[field] + if value < *size { value } else { 0 }
    })
}

fn add(into: &mut [f32], what: &[f32]) {
    for (sum, term) in into.iter_mut().zip(what) {
        *sum += *term;
    }
}

/// Walks all choices of the slots but the last like an odometer and adds up whole rows for the last.
fn best_of_all(layout: &Layout, weights: &[f32], buffer: &mut ScoreBuffer) -> u32 {
    let last_slot = layout.slots.len() - 1;
    let last_size = layout.slots[last_slot];
    let last_start = layout.slot_start[last_slot];
    let mut choice = [0usize; SLOTS_PER_TEMPLATE_MAX];
    let mut best = (f32::NEG_INFINITY, 0u32);
    let prefixes = layout.combinations() / last_size;
    for prefix in 0..prefixes {
        let base = prefix_score(layout, weights, &buffer.assets, &choice[..last_slot]);
        let row = &mut buffer.last[..last_size];
        row.copy_from_slice(&buffer.assets[last_start..last_start + last_size]);
        for (slot, asset) in choice[..last_slot].iter().enumerate() {
            let start = layout.pair(slot, last_slot, *asset, 0);
            add(row, &weights[start..start + last_size]);
        }
        for (asset, score) in row.iter().enumerate() {
            if base + score > best.0 {
                best = (base + score, (prefix * last_size + asset) as u32);
            }
        }
        advance(&mut choice[..last_slot], &layout.slots);
    }
    best.1
}

fn prefix_score(layout: &Layout, weights: &[f32], assets: &[f32], choice: &[usize]) -> f32 {
    let mut score = 0.0;
    for (slot, asset) in choice.iter().enumerate() {
        score += assets[layout.slot_start[slot] + asset];
        for (earlier, other) in choice[..slot].iter().enumerate() {
            score += weights[layout.pair(earlier, slot, *other, *asset)];
        }
    }
    score
}

/// The next choice in combination order: the last slot is fastest.
fn advance(choice: &mut [usize], sizes: &[usize]) {
    for slot in (0..choice.len()).rev() {
        choice[slot] += 1;
        if choice[slot] < sizes[slot] {
            return;
        }
        choice[slot] = 0;
    }
}

/// Coordinate ascent: improve one slot at a time until nothing improves; the better of two starts wins.
fn best_by_ascent(layout: &Layout, weights: &[f32], buffer: &mut ScoreBuffer) -> u32 {
    let mut best = (f32::NEG_INFINITY, 0u32);
    for start in 0..2 {
        let mut choice = [0usize; SLOTS_PER_TEMPLATE_MAX];
        for (slot, size) in layout.slots.iter().enumerate() {
            // First start: the best asset of each slot by itself; second: its middle one.
            choice[slot] = if start == 0 { best_alone(layout, &buffer.assets, slot) } else { size / 2 };
        }
        let score = ascend(layout, weights, buffer, &mut choice);
        let combination = pack(layout, &choice);
        if score > best.0 || (score == best.0 && combination < best.1) {
            best = (score, combination);
        }
    }
    best.1
}

fn best_alone(layout: &Layout, assets: &[f32], slot: usize) -> usize {
    let scores = &assets[layout.slot_start[slot]..layout.slot_start[slot + 1]];
    first_greatest(scores)
}

fn ascend(layout: &Layout, weights: &[f32], buffer: &mut ScoreBuffer, choice: &mut [usize]) -> f32 {
    let slots = layout.slots.len();
    // Each round improves the score or ends the search; the bound only guards against rounding cycles.
    for _ in 0..16 {
        let mut improved = false;
        for slot in 0..slots {
            let row = &mut buffer.last[..layout.slots[slot]];
            row.copy_from_slice(&buffer.assets[layout.slot_start[slot]..layout.slot_start[slot + 1]]);
            for (asset, score) in row.iter_mut().enumerate() {
                for (other, other_choice) in choice[..slots].iter().enumerate() {
                    *score += pair_weight(layout, weights, (slot, asset), (other, *other_choice));
                }
            }
            let better = first_greatest(row);
            if row[better] > row[choice[slot]] {
                choice[slot] = better;
                improved = true;
            }
        }
        if !improved {
            break;
        }
    }
    prefix_score(layout, weights, &buffer.assets, &choice[..slots])
}

fn pair_weight(layout: &Layout, weights: &[f32], one: (usize, usize), other: (usize, usize)) -> f32 {
    match one.0.cmp(&other.0) {
        std::cmp::Ordering::Less => weights[layout.pair(one.0, other.0, one.1, other.1)],
        std::cmp::Ordering::Greater => weights[layout.pair(other.0, one.0, other.1, one.1)],
        std::cmp::Ordering::Equal => 0.0,
    }
}

fn first_greatest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = index;
        }
    }
    best
}

fn pack(layout: &Layout, choice: &[usize]) -> u32 {
    layout.slots.iter().zip(choice).fold(0, |number, (size, asset)| number * size + asset) as u32
}

/// The score by its definition, weight by weight: slow, obviously right, and what the fast path is tested against.
pub fn score_by_definition(layout: &Layout, weights: &[f32], context: &Context, combination: u32) -> f32 {
    let mut choice = [0usize; SLOTS_PER_TEMPLATE_MAX];
    layout.unpack(combination as usize, &mut choice);
    let mut score = 0.0;
    for slot in 0..layout.slots.len() {
        let asset = layout.slot_start[slot] + choice[slot];
        score += weights[layout.asset(asset)];
        score +=
            context_values(layout, context).map(|value| weights[layout.cross(value) + asset]).sum::<f32>();
        for earlier in 0..slot {
            score += weights[layout.pair(earlier, slot, choice[earlier], choice[slot])];
        }
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::draw;
    use proptest::prelude::*;

    /// A model with integer weights, so that sums are exact in any order.
    fn model(slots: &[usize], fields: &[usize], seed: u64, pair_span: u64) -> Model {
        let layout = Layout::new(slots, fields);
        let weight =
            |index: usize, span: u64| (draw(seed, index as u64) % (2 * span + 1)) as f32 - span as f32;
        let pairs = layout.pair_start.first().copied().unwrap_or(layout.context_start)..layout.context_start;
        let draws =
            (0..layout.len).map(|index| weight(index, if pairs.contains(&index) { pair_span } else { 50 }));
        let draws: Vec<f32> = draws.collect();
        Model { draws, fingerprint: 0, layout }
    }

    fn best_by_definition(model: &Model, context: &Context) -> (f32, u32) {
        let mut best = (f32::NEG_INFINITY, 0);
        for combination in 0..model.layout.combinations() as u32 {
            let score = score_by_definition(&model.layout, model.draw(0), context, combination);
            if score > best.0 {
                best = (score, combination);
            }
        }
        best
    }

    proptest! {
        #[test]
        fn exhaustive_search_agrees_with_the_definition(
            slots in prop::collection::vec(1usize..6, 1..5),
            fields in prop::collection::vec(1usize..5, 0..4),
            seed: u64,
            context: Context,
        ) {
            prop_assume!(slots.iter().product::<usize>() <= EXHAUSTIVE_COMBINATIONS_MAX);
            let model = model(&slots, &fields, seed, 30);
            let best = model.best(0, &context, &mut ScoreBuffer::default());
            prop_assert_eq!(best, best_by_definition(&model, &context).1);
        }

        #[test]
        fn ascent_finds_the_best_when_slots_do_not_interact(seed: u64, context: Context) {
            let model = model(&[8, 9, 10], &[3, 4], seed, 0);
            let best = model.best(0, &context, &mut ScoreBuffer::default());
            let score = score_by_definition(&model.layout, model.draw(0), &context, best);
            prop_assert_eq!(score, best_by_definition(&model, &context).0);
        }

        #[test]
        fn ascent_is_never_worse_than_any_single_change(seed: u64, context: Context) {
            let model = model(&[8, 9, 10], &[3], seed, 40);
            let best = model.best(0, &context, &mut ScoreBuffer::default());
            let score = |number: u32| score_by_definition(&model.layout, model.draw(0), &context, number);
            let mut choice = [0usize; SLOTS_PER_TEMPLATE_MAX];
            model.layout.unpack(best as usize, &mut choice);
            for slot in 0..3 {
                for asset in 0..model.layout.slots[slot] {
                    let mut other = choice;
                    other[slot] = asset;
                    prop_assert!(score(pack(&model.layout, &other)) <= score(best));
                }
            }
        }
    }
}
