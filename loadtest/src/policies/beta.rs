//! Thompson sampling with independent Beta distributions: per combination, or per asset of each slot.
//!
//! Guarantees: counts are exact; a click more than impressions (duplicates) never makes a parameter negative.
//!
//! Cost: two gamma variates per asset and decision; per combination 64 draws of all per batch, of which each decision
//! takes one, because a draw of 1,250 per decision would take a hundred microseconds.

use super::{Choice, Policy, Shown};
use crate::environment::{FIELDS, context_values, unpack};
use crate::random::{Normals, mix64, uniform};

/// The prior: one click in sixty.
const PRIOR_CLICKS: f64 = 1.0;
const PRIOR_OTHERS: f64 = 59.0;
const DRAWS: usize = 64;
/// Number of the choice among draws in the counter stream.
const DRAW_STREAM: u64 = 5;

#[derive(Clone, Copy, Default)]
struct Count {
    shown: f64,
    clicks: f64,
}

impl Count {
    fn sample(self, normals: &mut Normals) -> f64 {
        let others = (self.shown - self.clicks).max(0.0);
        normals.beta(PRIOR_CLICKS + self.clicks, PRIOR_OTHERS + others)
    }
}

pub(super) struct PerCombination {
    counts: Vec<Count>,
    best: Vec<usize>,
    normals: Normals,
    run_seed: u64,
}

impl PerCombination {
    pub(super) fn new(combinations: usize, run_seed: u64) -> PerCombination {
        let mut policy = PerCombination {
            counts: vec![Count::default(); combinations],
            best: Vec::new(),
            normals: Normals::new(mix64(run_seed)),
            run_seed,
        };
        policy.draw();
        policy
    }

    fn draw(&mut self) {
        let PerCombination { counts, normals, .. } = self;
        self.best = (0..DRAWS).map(|_| best(counts.iter().map(|count| count.sample(normals)))).collect();
    }
}

impl Policy for PerCombination {
    fn choose(&mut self, _context: usize, step: u64) -> Choice {
        let draw = (uniform(self.run_seed, step, DRAW_STREAM) * DRAWS as f64) as usize;
        let combination = self.best[draw];
        let agreeing = self.best.iter().filter(|other| **other == combination).count();
        Choice { combination, propensity: Some(agreeing as f64 / DRAWS as f64) }
    }

    fn learn(&mut self, shown: &[Shown], clicks: &[Shown]) {
        shown.iter().for_each(|one| self.counts[one.combination].shown += 1.0);
        clicks.iter().for_each(|one| self.counts[one.combination].clicks += 1.0);
        self.draw();
    }
}

pub(super) struct PerSlot {
    slots: Vec<usize>,
    assets: usize,
    knows_segment: bool,
    counts: Vec<Count>,
    normals: Normals,
}

impl PerSlot {
    pub(super) fn new(slots: &[usize], knows_segment: bool, run_seed: u64) -> PerSlot {
        let assets = slots.iter().sum();
        let segments = if knows_segment { FIELDS[0] } else { 1 };
        PerSlot {
            slots: slots.to_vec(),
            assets,
            knows_segment,
            counts: vec![Count::default(); segments * assets],
            normals: Normals::new(mix64(run_seed)),
        }
    }

    fn start(&self, context: usize) -> usize {
        if self.knows_segment { context_values(context)[0] * self.assets } else { 0 }
    }

    fn each(&mut self, one: &Shown, change: impl Fn(&mut Count)) {
        let mut start = self.start(one.context);
        for (size, item) in self.slots.iter().zip(unpack(&self.slots, one.combination)) {
            change(&mut self.counts[start + item]);
            start += size;
        }
    }
}

impl Policy for PerSlot {
    fn choose(&mut self, context: usize, _step: u64) -> Choice {
        let mut start = self.start(context);
        let mut combination = 0;
        let PerSlot { counts, normals, .. } = self;
        for size in &self.slots {
            let samples = counts[start..start + size].iter().map(|count| count.sample(normals));
            combination = combination * size + best(samples);
            start += size;
        }
        Choice { combination, propensity: None }
    }

    fn learn(&mut self, shown: &[Shown], clicks: &[Shown]) {
        shown.iter().for_each(|one| self.each(one, |count| count.shown += 1.0));
        clicks.iter().for_each(|one| self.each(one, |count| count.clicks += 1.0));
    }
}

fn best(samples: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, sample) in samples.enumerate() {
        if sample > best.1 {
            best = (index, sample);
        }
    }
    best.0
}
