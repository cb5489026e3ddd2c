//! One template's model as the decision uses it: draws from the posterior, and the best combination under each.
//!
//! The score of a combination in a context is the linear predictor without the terms that all combinations share
//! (intercept and context weights), so the best combination is the one with the greatest sum of asset, pair and
//! (context, asset) weights. Weights are stored for eight draws side by side, so that one pass over the combinations
//! scores all of them with plain vector additions (see [`search`]).
//!
//! Combinations that hold two incompatible assets score minus infinity, so none is ever the best; pinned slots have one
//! asset to choose from. Cost: see [`search`]. No allocation: buffers are the caller's.
//! Oracle: [`score_by_definition`], which adds up every weight of the definition in `tessera_wire::posterior`.

pub mod search;

use tessera_wire::event::TemplateNames;
use tessera_wire::limits::{CONTEXT_FIELDS_MAX, POSTERIOR_DRAWS_MAX, SLOTS_PER_TEMPLATE_MAX};
use tessera_wire::posterior::{Layout, TemplateModel};

use crate::limits::{ASSETS_PER_TEMPLATE_MAX, EXHAUSTIVE_COMBINATIONS_MAX};
use search::Search;

/// Values of a template's context fields; fields beyond the template's own are 0.
pub type Context = [u8; CONTEXT_FIELDS_MAX];

/// For each slot the number of the asset that must fill it plus one, or 0 where any may.
pub type Pins = [u16; SLOTS_PER_TEMPLATE_MAX];

/// Draws that are scored side by side: two vectors of the smallest machine, so that a search stays in its registers.
pub(crate) const BLOCK: usize = 8;

/// One number per draw of a block.
pub(crate) type Row = [f32; BLOCK];

/// The best combination of each draw.
pub type Best = [u16; POSTERIOR_DRAWS_MAX];

/// Draws from one template's posterior.
#[derive(Debug)]
pub struct Model {
    layout: Layout,
    // INVARIANT: `layout.len` rows per block of draws. Lanes beyond the last draw are 0.
    rows: Vec<Row>,
    draws: usize,
    has_exclusions: bool,
    fingerprint: u64,
}

/// Scores of each asset in the context, for one block of draws.
#[derive(Debug)]
pub struct ScoreBuffer(Vec<Row>);

impl Default for ScoreBuffer {
    fn default() -> Self {
        ScoreBuffer(vec![[0.0; BLOCK]; ASSETS_PER_TEMPLATE_MAX])
    }
}

impl Model {
    /// The learner's model, if it speaks of the same assets and context values as `template`. `excluded` are the weights
    /// of pairs of assets that never stand together.
    pub fn matching(
        model: &TemplateModel,
        template: &TemplateNames,
        layout: &Layout,
        excluded: &[usize],
    ) -> Option<Model> {
        let same_slots = model.slots.len() == template.slots.len()
            && model.slots.iter().zip(&template.slots).all(|(ours, (_, theirs))| ours == theirs);
        let is_sound = model.mean.len() == layout.len
            && !model.draws.is_empty()
            && model.draws.len().is_multiple_of(layout.len)
            && model.draws.len() / layout.len <= POSTERIOR_DRAWS_MAX
            && layout.assets() <= ASSETS_PER_TEMPLATE_MAX;
        (same_slots && model.fields == template.fields && is_sound)
            .then(|| Model::new(layout.clone(), &model.draws, excluded))
    }

    /// `draws` holds `layout.len` weights per draw, one draw after the other.
    fn new(layout: Layout, draws: &[f32], excluded: &[usize]) -> Model {
        let count = draws.len() / layout.len;
        let mut rows = vec![[0.0; BLOCK]; layout.len * count.div_ceil(BLOCK)];
        for (number, draw) in draws.chunks_exact(layout.len).enumerate() {
            let block = &mut rows[number / BLOCK * layout.len..][..layout.len];
            for (row, weight) in block.iter_mut().zip(draw) {
                row[number % BLOCK] = *weight;
            }
        }
        for block in rows.chunks_exact_mut(layout.len) {
            for weight in excluded {
                block[*weight] = [f32::NEG_INFINITY; BLOCK];
            }
        }
        let fingerprint = fingerprint(draws);
        Model { layout, rows, draws: count, has_exclusions: !excluded.is_empty(), fingerprint }
    }

    /// Bytes of its draws.
    pub fn bytes(&self) -> usize {
        self.rows.len() * size_of::<Row>()
    }

    /// A hash of the draws. Generations count up in one store only, so a store that was made anew repeats them; whoever
    /// remembers something of a model compares this beside them.
    #[inline]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many draws there are, at most [`tessera_wire::limits::POSTERIOR_DRAWS_MAX`].
    #[inline]
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// The weight of every draw for the `asset`-th asset of the only slot of a model without context.
    pub(crate) fn asset_weight(&self, asset: usize, draw: usize) -> f32 {
        self.rows[draw / BLOCK * self.layout.len + self.layout.asset(asset)][draw % BLOCK]
    }

    /// The best combination in `context` under each draw, among those that `pins` allow; ties go to the lower number.
    /// There must be one that is not excluded.
    pub fn best(&self, context: &Context, pins: &Pins, buffer: &mut ScoreBuffer, best: &mut Best) {
        for (weights, best) in self.rows.chunks_exact(self.layout.len).zip(best.chunks_exact_mut(BLOCK)) {
            self.score_assets(weights, context, buffer);
            let search = Search::new(&self.layout, weights, &buffer.0, pins);
            let found = if self.has_exclusions || search.combinations() <= EXHAUSTIVE_COMBINATIONS_MAX {
                search.exhaustive()
            } else {
                search.ascent()
            };
            for (into, combination) in best.iter_mut().zip(found) {
                *into = combination as u16;
            }
        }
    }

    fn score_assets(&self, weights: &[Row], context: &Context, buffer: &mut ScoreBuffer) {
        let count = self.layout.assets();
        let scores = &mut buffer.0[..count];
        scores.copy_from_slice(&weights[1..=count]);
        for value in context_values(&self.layout, context) {
            let start = self.layout.cross(value);
            for (score, weight) in scores.iter_mut().zip(&weights[start..start + count]) {
                search::add(score, weight);
            }
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

    /// Draws with integer weights, so that sums are exact in any order.
    fn draws(layout: &Layout, count: usize, seed: u64, pair_span: u64) -> Vec<f32> {
        let weight =
            |index: usize, span: u64| (draw(seed, index as u64) % (2 * span + 1)) as f32 - span as f32;
        let pairs = layout.pair_start.first().copied().unwrap_or(layout.context_start)..layout.context_start;
        let span = |index: usize| if pairs.contains(&(index % layout.len)) { pair_span } else { 50 };
        (0..layout.len * count).map(|index| weight(index, span(index))).collect()
    }

    /// Pins some slots: each in half of all cases.
    fn pins(layout: &Layout, seed: u64) -> Pins {
        let mut pins = Pins::default();
        for (slot, (pin, size)) in pins.iter_mut().zip(&layout.slots).enumerate() {
            let word = draw(seed, 1_000_000 + slot as u64);
            *pin = if word.is_multiple_of(2) { 0 } else { 1 + (word / 2 % *size as u64) as u16 };
        }
        pins
    }

    fn respects(layout: &Layout, pins: &Pins, combination: u32) -> bool {
        let mut choice = [0usize; SLOTS_PER_TEMPLATE_MAX];
        layout.unpack(combination as usize, &mut choice);
        pins.iter().zip(choice).all(|(pin, asset)| *pin == 0 || usize::from(*pin) == asset + 1)
    }

    fn best_by_definition(layout: &Layout, weights: &[f32], context: &Context, pins: &Pins) -> (f32, u32) {
        let mut best = (f32::NEG_INFINITY, 0);
        for combination in 0..layout.combinations() as u32 {
            let score = score_by_definition(layout, weights, context, combination);
            if score > best.0 && respects(layout, pins, combination) {
                best = (score, combination);
            }
        }
        best
    }

    fn best_of(model: &Model, context: &Context, pins: &Pins) -> Best {
        let mut best = [0; POSTERIOR_DRAWS_MAX];
        model.best(context, pins, &mut ScoreBuffer::default(), &mut best);
        best
    }

    proptest! {
        #[test]
        fn exhaustive_search_agrees_with_the_definition(
            slots in prop::collection::vec(1usize..6, 1..5),
            fields in prop::collection::vec(1usize..5, 0..4),
            count in 1usize..40,
            seed: u64,
            context: Context,
            excludes: bool,
        ) {
            let layout = Layout::new(&slots, &fields);
            let mut draws = draws(&layout, count, seed, 30);
            let pins = pins(&layout, seed);
            let pair = layout.pair_start.first().copied();
            let excluded: Vec<usize> = pair.into_iter().filter(|_| excludes && layout.combinations() > 1).collect();
            let model = Model::new(layout.clone(), &draws, &excluded);
            let best = best_of(&model, &context, &pins);
            for weights in draws.chunks_exact_mut(layout.len) {
                excluded.iter().for_each(|weight| weights[*weight] = f32::NEG_INFINITY);
            }
            for (number, weights) in draws.chunks_exact(layout.len).enumerate() {
                let (score, combination) = best_by_definition(&layout, weights, &context, &pins);
                if score > f32::NEG_INFINITY {
                    prop_assert_eq!(u32::from(best[number]), combination);
                }
            }
        }

        #[test]
        fn ascent_finds_the_best_when_slots_do_not_interact(seed: u64, context: Context) {
            let layout = Layout::new(&[18, 19, 10], &[3, 4]);
            prop_assert!(layout.combinations() > EXHAUSTIVE_COMBINATIONS_MAX);
            let draws = draws(&layout, 2, seed, 0);
            let pins = pins(&layout, seed);
            let model = Model::new(layout.clone(), &draws, &[]);
            let best = best_of(&model, &context, &pins);
            for (number, weights) in draws.chunks_exact(layout.len).enumerate() {
                let found = u32::from(best[number]);
                prop_assert!(respects(&layout, &pins, found));
                let score = score_by_definition(&layout, weights, &context, found);
                prop_assert_eq!(score, best_by_definition(&layout, weights, &context, &pins).0);
            }
        }

        #[test]
        fn ascent_is_never_worse_than_any_single_change(seed: u64, context: Context) {
            let layout = Layout::new(&[18, 19, 10], &[3]);
            let draws = draws(&layout, 1, seed, 40);
            let model = Model::new(layout.clone(), &draws, &[]);
            let best = u32::from(best_of(&model, &context, &Pins::default())[0]);
            let score = |number: u32| score_by_definition(&layout, &draws, &context, number);
            let mut choice = [0usize; SLOTS_PER_TEMPLATE_MAX];
            layout.unpack(best as usize, &mut choice);
            for slot in 0..3 {
                for asset in 0..layout.slots[slot] {
                    let mut other = choice;
                    other[slot] = asset;
                    let number = layout.slots.iter().zip(other).fold(0, |sum, (size, asset)| sum * size + asset);
                    prop_assert!(score(number as u32) <= score(best));
                }
            }
        }
    }
}
