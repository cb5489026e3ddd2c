//! Draws of a linear model, and the best combination under each.
//!
//! Guarantees: the best combination by the definition of [`tessera_wire::posterior`], ties to the lower number; remembered
//! per context and draw. Cost: a sum over slots and slot pairs per combination on a miss.

use std::collections::HashMap;

use tessera_wire::posterior::Layout;

use crate::environment::{FIELDS, context_values, unpack};

pub(super) struct Pool {
    layout: Layout,
    choices: Vec<Vec<usize>>,
    draws: Vec<Vec<f64>>,
    best: HashMap<(usize, usize), usize>,
}

impl Pool {
    pub(super) fn new(slots: &[usize]) -> Pool {
        let layout = Layout::new(slots, &FIELDS);
        let choices = (0..layout.combinations()).map(|combination| unpack(slots, combination)).collect();
        Pool { layout, choices, draws: Vec::new(), best: HashMap::new() }
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The weights that count for a combination in a context.
    pub(super) fn features(&self, context: usize, combination: usize) -> Vec<usize> {
        let (layout, choice) = (&self.layout, &self.choices[combination]);
        let values = context_values(context);
        let mut features = vec![0];
        for (field, value) in values.iter().enumerate() {
            features.push(layout.context(layout.field_start[field] + value));
        }
        for (slot, item) in choice.iter().enumerate() {
            let asset = layout.slot_start[slot] + item;
            features.push(layout.asset(asset));
            for (field, value) in values.iter().enumerate() {
                features.push(layout.cross(layout.field_start[field] + value) + asset);
            }
            for (earlier, other) in choice[..slot].iter().enumerate() {
                features.push(layout.pair(earlier, slot, *other, *item));
            }
        }
        features
    }

    pub(super) fn draws(&self) -> usize {
        self.draws.len()
    }

    pub(super) fn set_draws(&mut self, draws: Vec<Vec<f64>>) {
        self.draws = draws;
        self.best.clear();
    }

    /// The best combination of each draw; `None` without draws.
    pub(super) fn best(&mut self, context: usize, draw: usize) -> usize {
        let Pool { layout, choices, draws, best } = self;
        *best.entry((context, draw)).or_insert_with(|| argmax(layout, choices, &draws[draw], context))
    }
}

fn argmax(layout: &Layout, choices: &[Vec<usize>], weights: &[f64], context: usize) -> usize {
    let mut scores: Vec<f64> = (0..layout.assets()).map(|asset| weights[layout.asset(asset)]).collect();
    for (field, value) in context_values(context).iter().enumerate() {
        let start = layout.cross(layout.field_start[field] + value);
        scores.iter_mut().zip(&weights[start..]).for_each(|(score, weight)| *score += weight);
    }
    let mut best = (f64::NEG_INFINITY, 0);
    for (combination, choice) in choices.iter().enumerate() {
        let mut score = 0.0;
        for (slot, item) in choice.iter().enumerate() {
            score += scores[layout.slot_start[slot] + item];
            for (earlier, other) in choice[..slot].iter().enumerate() {
                score += weights[layout.pair(earlier, slot, *other, *item)];
            }
        }
        if score > best.0 {
            best = (score, combination);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Normals;

    #[test]
    fn the_best_combination_has_the_greatest_sum_of_its_features() {
        let mut pool = Pool::new(&[3, 4, 2]);
        let length = pool.layout().len;
        pool.set_draws(vec![Normals::new(5).take(length, 1.0)]);
        for context in [0, 17, 575] {
            let weights = pool.draws[0].clone();
            let sum =
                |pool: &Pool, k: usize| pool.features(context, k).iter().map(|f| weights[*f]).sum::<f64>();
            let slow = (0..24).max_by(|a, b| sum(&pool, *a).total_cmp(&sum(&pool, *b))).unwrap();
            assert_eq!(pool.best(context, 0), slow);
        }
    }
}
