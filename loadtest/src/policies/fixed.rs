//! Policies that learn nothing, or only a rate per combination.
//!
//! Guarantees: all of them know their propensities exactly. Cost: a comparison per combination and batch.

use super::{Choice, Policy, Shown};
use crate::environment::{CONTEXTS, Environment};
use crate::random::uniform;

/// Number of the policy's own uniform in the counter stream, and of the one that asks whether to explore.
const CHOICE_STREAM: u64 = 5;
const EXPLORE_STREAM: u64 = 6;
const EPSILON: f64 = 0.1;

pub(super) struct Uniform {
    combinations: usize,
    run_seed: u64,
}

impl Uniform {
    pub(super) fn new(combinations: usize, run_seed: u64) -> Uniform {
        Uniform { combinations, run_seed }
    }
}

impl Policy for Uniform {
    fn choose(&mut self, _context: usize, step: u64) -> Choice {
        Choice {
            combination: any(self.combinations, self.run_seed, step),
            propensity: Some(1.0 / self.combinations as f64),
        }
    }

    fn learn(&mut self, _shown: &[Shown], _clicks: &[Shown]) {}
}

pub(super) struct Static(usize);

impl Static {
    pub(super) fn new(combination: usize) -> Static {
        Static(combination)
    }
}

impl Policy for Static {
    fn choose(&mut self, _context: usize, _step: u64) -> Choice {
        Choice { combination: self.0, propensity: Some(1.0) }
    }

    fn learn(&mut self, _shown: &[Shown], _clicks: &[Shown]) {}
}

pub(super) struct Oracle(Vec<usize>);

impl Oracle {
    pub(super) fn new(environment: &Environment) -> Oracle {
        Oracle((0..CONTEXTS).map(|context| environment.best(context)).collect())
    }
}

impl Policy for Oracle {
    fn choose(&mut self, context: usize, _step: u64) -> Choice {
        Choice { combination: self.0[context], propensity: Some(1.0) }
    }

    fn learn(&mut self, _shown: &[Shown], _clicks: &[Shown]) {}
}

pub(super) struct EpsilonGreedy {
    shown: Vec<f64>,
    clicks: Vec<f64>,
    best: usize,
    run_seed: u64,
}

impl EpsilonGreedy {
    pub(super) fn new(combinations: usize, run_seed: u64) -> EpsilonGreedy {
        // One click in fifty stands for what nobody has seen yet.
        EpsilonGreedy { shown: vec![50.0; combinations], clicks: vec![1.0; combinations], best: 0, run_seed }
    }
}

impl Policy for EpsilonGreedy {
    fn choose(&mut self, _context: usize, step: u64) -> Choice {
        let combinations = self.shown.len();
        let is_exploring = uniform(self.run_seed, step, EXPLORE_STREAM) < EPSILON;
        let combination = if is_exploring { any(combinations, self.run_seed, step) } else { self.best };
        let greedy = if combination == self.best { 1.0 - EPSILON } else { 0.0 };
        Choice { combination, propensity: Some(greedy + EPSILON / combinations as f64) }
    }

    fn learn(&mut self, shown: &[Shown], clicks: &[Shown]) {
        shown.iter().for_each(|one| self.shown[one.combination] += 1.0);
        clicks.iter().for_each(|one| self.clicks[one.combination] += 1.0);
        let rate = |k: &usize| self.clicks[*k] / self.shown[*k];
        self.best = (0..self.shown.len()).max_by(|a, b| rate(a).total_cmp(&rate(b))).unwrap_or(0);
    }
}

fn any(combinations: usize, run_seed: u64, step: u64) -> usize {
    (uniform(run_seed, step, CHOICE_STREAM) * combinations as f64) as usize
}
