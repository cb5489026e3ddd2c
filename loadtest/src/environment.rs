//! The reference environment: visitors of known taste, so that learning can be measured against the truth.
//!
//! Four independent context fields (segment, device, daypart, geo), combinations of slot items, and a logistic click
//! model with main, pair, context and context-item effects plus a residual per (segment, combination) that no pairwise
//! model can represent. All drawn from one seed; the bias is solved so that uniform choice clicks at the base rate.
//!
//! Guarantees: matches the recorded fingerprints; clicks of a run depend only on the run's seed, the step and the choice.
//!
//! Cost: 0.1 s for 250 combinations, 0.6 s for 1,250 (80 bisections over the whole table).

use crate::random::{Normals, pick, uniform};

/// Sizes of the context fields: segment, device, daypart, geo.
pub const FIELDS: [usize; 4] = [8, 3, 4, 6];
/// Contexts in all.
pub const CONTEXTS: usize = 576;
/// Probabilities of the context fields' values.
const PROBABILITIES: [&[f64]; 4] = [
    &[0.25, 0.20, 0.15, 0.12, 0.10, 0.08, 0.06, 0.04],
    &[0.60, 0.32, 0.08],
    &[0.15, 0.30, 0.30, 0.25],
    &[0.40, 0.20, 0.15, 0.10, 0.10, 0.05],
];
/// Number of the click's uniform in the counter stream; the fields have 0 to 3.
const CLICK_STREAM: u64 = 4;
const BISECTIONS: usize = 80;

/// What an environment is drawn from: sizes, base rate and standard deviations on the logit scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// Items per slot.
    pub slots: Vec<usize>,
    /// Click rate of uniform choice.
    pub base: f64,
    /// Of the slot items.
    pub main: f64,
    /// Of pairs of items.
    pub pair: f64,
    /// Of the context values, by field.
    pub context: [f64; 4],
    /// Of context values with items, by field.
    pub cross: [f64; 4],
    /// Of what no pairwise model can represent.
    pub residual: f64,
}

impl Preset {
    /// Names of the presets.
    pub const NAMES: [&'static str; 4] = ["core", "large", "inter", "flat"];

    /// The preset of a name.
    pub fn named(name: &str) -> Option<Preset> {
        match name {
            "core" => Some(Preset::core()),
            "large" => Some(Preset::large()),
            "inter" => Some(Preset::inter()),
            "flat" => Some(Preset::flat()),
            _ => None,
        }
    }

    /// 250 combinations.
    pub fn core() -> Preset {
        Preset {
            slots: vec![5, 10, 5],
            base: 0.015,
            main: 0.14,
            pair: 0.06,
            context: [0.30, 0.20, 0.15, 0.10],
            cross: [0.18, 0.08, 0.05, 0.05],
            residual: 0.05,
        }
    }

    /// 1,250 combinations.
    pub fn large() -> Preset {
        Preset { slots: vec![5, 10, 5, 5], main: 0.13, cross: [0.16, 0.08, 0.05, 0.05], ..Preset::core() }
    }

    /// Strong interactions between slots.
    pub fn inter() -> Preset {
        Preset { main: 0.10, pair: 0.20, cross: [0.15, 0.08, 0.05, 0.05], ..Preset::core() }
    }

    /// Little to learn.
    pub fn flat() -> Preset {
        Preset {
            base: 0.010,
            main: 0.07,
            pair: 0.03,
            cross: [0.08, 0.04, 0.03, 0.03],
            residual: 0.03,
            ..Preset::core()
        }
    }
}

/// A world with known click probabilities.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Items per slot.
    pub slots: Vec<usize>,
    /// Number of combinations.
    pub combinations: usize,
    /// Intercept on the logit scale.
    pub bias: f64,
    /// Click probability by context and combination, row by row.
    probabilities: Vec<f64>,
    weights: Vec<f64>,
}

/// What choosing in a fixed way would earn, from the true table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baselines {
    /// Mean over combinations.
    pub uniform: f64,
    /// The static combination of median quality, and its rate.
    pub generic: (usize, f64),
    /// The best static combination, and its rate.
    pub best_static: (usize, f64),
    /// The best combination in every context.
    pub oracle: f64,
}

impl Environment {
    /// Draws the environment of a seed.
    pub fn new(preset: &Preset, seed: u64) -> Environment {
        let effects = Effects::draw(preset, seed);
        let combinations = preset.slots.iter().product();
        let mut logits = Vec::with_capacity(CONTEXTS * combinations);
        for context in 0..CONTEXTS {
            let values = context_values(context);
            for combination in 0..combinations {
                logits.push(effects.logit(&values, combination));
            }
        }
        let weights: Vec<f64> = (0..CONTEXTS).map(context_weight).collect();
        let bias = solve_bias(&logits, &weights, combinations, preset.base);
        let probabilities = logits.iter().map(|logit| sigmoid(bias + logit)).collect();
        Environment { slots: preset.slots.clone(), combinations, bias, probabilities, weights }
    }

    /// The context of step `t` of a run.
    pub fn context(&self, run_seed: u64, t: u64) -> usize {
        let mut context = 0;
        for (field, probabilities) in PROBABILITIES.iter().enumerate() {
            context = context * FIELDS[field] + pick(probabilities, uniform(run_seed, t, field as u64));
        }
        context
    }

    /// The same with the daypart that a clock says instead of a random one: `phase` of the day in [0, 1).
    pub fn context_at_phase(&self, run_seed: u64, t: u64, phase: f64) -> usize {
        let context = self.context(run_seed, t);
        let daypart = context / FIELDS[3] % FIELDS[2];
        context + pick(PROBABILITIES[2], phase) * FIELDS[3] - daypart * FIELDS[3]
    }

    /// The world on its way to another one of the same shape: tastes turn by `angle` (0 is here, a quarter turn is there)
    /// on the logit scale, so that there is as much to learn at any time.
    #[must_use]
    pub fn turned(&self, other: &Environment, angle: f64) -> Environment {
        let (sin, cos) = angle.sin_cos();
        let logit = |p: f64, bias: f64| (p / (1.0 - p)).ln() - bias;
        let both = self.probabilities.iter().zip(&other.probabilities);
        let logits: Vec<f64> =
            both.map(|(a, b)| cos * logit(*a, self.bias) + sin * logit(*b, other.bias)).collect();
        let bias = cos.powi(2) * self.bias + sin.powi(2) * other.bias;
        let probabilities = logits.iter().map(|logit| sigmoid(bias + logit)).collect();
        Environment { bias, probabilities, ..self.clone() }
    }

    /// The true click rate of always showing one combination.
    pub fn static_rate(&self, combination: usize) -> f64 {
        self.weights.iter().enumerate().map(|(x, w)| w * self.probability(x, combination)).sum()
    }

    /// The true click probability.
    pub fn probability(&self, context: usize, combination: usize) -> f64 {
        self.probabilities[context * self.combinations + combination]
    }

    /// Is step `t` of a run clicked when it shows a combination with this probability?
    pub fn is_click(&self, run_seed: u64, t: u64, probability: f64) -> bool {
        uniform(run_seed, t, CLICK_STREAM) < probability
    }

    /// The best combination of a context.
    pub fn best(&self, context: usize) -> usize {
        let row = self.row(context);
        (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0)
    }

    /// The best probability of a context.
    pub fn oracle(&self, context: usize) -> f64 {
        self.row(context).iter().copied().fold(0.0, f64::max)
    }

    /// What fixed ways of choosing would earn.
    pub fn baselines(&self) -> Baselines {
        let rates: Vec<f64> = (0..self.combinations).map(|k| self.static_rate(k)).collect();
        let mut order: Vec<usize> = (0..self.combinations).collect();
        order.sort_by(|a, b| rates[*a].total_cmp(&rates[*b]));
        let median = order[self.combinations / 2];
        let best = order[self.combinations - 1];
        Baselines {
            uniform: rates.iter().sum::<f64>() / self.combinations as f64,
            generic: (median, rates[median]),
            best_static: (best, rates[best]),
            oracle: self.weights.iter().enumerate().map(|(x, w)| w * self.oracle(x)).sum(),
        }
    }

    fn row(&self, context: usize) -> &[f64] {
        &self.probabilities[context * self.combinations..(context + 1) * self.combinations]
    }
}

/// The context's values by field.
pub fn context_values(context: usize) -> [usize; 4] {
    let mut rest = context;
    let mut values = [0; 4];
    for field in (0..4).rev() {
        values[field] = rest % FIELDS[field];
        rest /= FIELDS[field];
    }
    values
}

fn context_weight(context: usize) -> f64 {
    let values = context_values(context);
    PROBABILITIES.iter().zip(values).map(|(probabilities, value)| probabilities[value]).product()
}

/// All effects but the bias, in the order in which they are drawn.
struct Effects {
    slots: Vec<usize>,
    main: Vec<f64>,
    pair: Vec<f64>,
    context: Vec<f64>,
    cross: Vec<f64>,
    residual: Vec<f64>,
}

impl Effects {
    fn draw(preset: &Preset, seed: u64) -> Effects {
        let mut normals = Normals::new(seed);
        let slots = &preset.slots;
        let items: usize = slots.iter().sum();
        let mut pairs = 0;
        for (left, left_size) in slots.iter().enumerate() {
            pairs += slots[left + 1..].iter().map(|right_size| left_size * right_size).sum::<usize>();
        }
        let combinations: usize = slots.iter().product();
        let main = normals.take(items, preset.main);
        let pair = normals.take(pairs, preset.pair);
        let fields = || FIELDS.iter().enumerate();
        let context = fields().flat_map(|(c, size)| normals.take(*size, preset.context[c])).collect();
        let cross = fields().flat_map(|(c, size)| normals.take(size * items, preset.cross[c])).collect();
        let residual = normals.take(FIELDS[0] * combinations, preset.residual);
        Effects { slots: slots.clone(), main, pair, context, cross, residual }
    }

    fn logit(&self, values: &[usize; 4], combination: usize) -> f64 {
        let choice = unpack(&self.slots, combination);
        let mut items = Vec::with_capacity(choice.len());
        let mut start = 0;
        for (slot, item) in choice.iter().enumerate() {
            items.push(start + item);
            start += self.slots[slot];
        }
        let mut logit: f64 = items.iter().map(|item| self.main[*item]).sum();
        let mut pair_start = 0;
        for left in 0..choice.len() {
            for right in left + 1..choice.len() {
                logit += self.pair[pair_start + choice[left] * self.slots[right] + choice[right]];
                pair_start += self.slots[left] * self.slots[right];
            }
        }
        let mut field_start = 0;
        for (field, value) in values.iter().enumerate() {
            let global = field_start + value;
            logit += self.context[global];
            logit += items.iter().map(|item| self.cross[global * start + item]).sum::<f64>();
            field_start += FIELDS[field];
        }
        let combinations: usize = self.slots.iter().product();
        logit + self.residual[values[0] * combinations + combination]
    }
}

/// Slot choices of a combination number: mixed radix, last slot fastest.
pub fn unpack(slots: &[usize], combination: usize) -> Vec<usize> {
    let mut rest = combination;
    let mut choice = vec![0; slots.len()];
    for (slot, size) in slots.iter().enumerate().rev() {
        choice[slot] = rest % size;
        rest /= size;
    }
    choice
}

/// Bisects for the bias with which uniform choice clicks at the base rate.
fn solve_bias(logits: &[f64], weights: &[f64], combinations: usize, base: f64) -> f64 {
    let (mut low, mut high) = (-20.0, 5.0);
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        let mean: f64 = logits
            .chunks_exact(combinations)
            .zip(weights)
            .map(|(row, weight)| weight * row.iter().map(|logit| sigmoid(middle + logit)).sum::<f64>())
            .sum();
        if mean / (combinations as f64) < base {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

pub(crate) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}
