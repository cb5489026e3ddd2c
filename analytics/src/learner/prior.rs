//! The prior: one scale per family of weights, learned by empirical Bayes.
//!
//! Families: slot assets; pairs of assets; each field's values; each field's values with assets. The intercept stands
//! alone, wide around the base rate's logit. Update (learning notes, after MacKay 1992, evidence framework, as an EM step):
//! `σ²_f = (Σ_i ((w_i − μ_i)² + Σ_ii) + ν₀ s₀²) / (n_f + ν₀)` with ν₀ = 8.

use tessera_wire::posterior::Layout;

/// Weight of the initial guess, in pseudo weights.
const PRIOR_WEIGHT: f64 = 8.0;
/// Initial guesses of the families' standard deviations, on the logit scale. Rather too wide than too narrow: empirical
/// Bayes narrows a family that has nothing to say, but one that starts narrow shows no evidence against it for long. Chosen
/// on the reference environment's development seeds (see `learning_curve` in `tessera-loadtest`).
const ASSET_SCALE: f64 = 0.20;
const PAIR_SCALE: f64 = 0.10;
const CONTEXT_SCALE: f64 = 0.25;
const CROSS_SCALE: f64 = 0.15;
const INTERCEPT_SCALE: f64 = 1.0;
/// Guess of the click rate, and the impressions it is worth.
const BASE_RATE: f64 = 0.02;
const BASE_RATE_IMPRESSIONS: f64 = 50.0;

/// An inherited weight has this share of its family's variance, besides what the giver was unsure of: templates that share
/// an asset do not share its effect exactly.
const INHERITED_VARIANCE: f64 = 0.25;
/// An inherited weight starts here, as a share of what it was: the giver's visitors may be others.
const INHERITED_MEAN: f64 = 0.8;

/// Scales of all families.
#[derive(Debug, Clone)]
pub struct Prior {
    families: Vec<Family>,
    inherited: Vec<Inherited>,
}

/// What a similar template has learned about a weight.
#[derive(Debug, Clone, Copy)]
pub struct Inherited {
    /// The weight.
    pub weight: usize,
    /// Its posterior mean.
    pub mean: f64,
    /// Its posterior variance.
    pub variance: f64,
}

#[derive(Debug, Clone)]
struct Family {
    weights: std::ops::Range<usize>,
    initial_variance: f64,
    variance: f64,
}

impl Prior {
    /// The initial guess for a model of this layout.
    pub fn new(layout: &Layout) -> Prior {
        let mut prior = Prior { families: Vec::new(), inherited: Vec::new() };
        let first_pair = 1 + layout.assets();
        prior.push(1..first_pair, ASSET_SCALE);
        prior.push(first_pair..layout.context_start, PAIR_SCALE);
        for field in layout.field_start.windows(2) {
            prior.push(layout.context(field[0])..layout.context(field[1]), CONTEXT_SCALE);
        }
        for field in layout.field_start.windows(2) {
            prior.push(layout.cross(field[0])..layout.cross(field[1]), CROSS_SCALE);
        }
        prior
    }

    fn push(&mut self, weights: std::ops::Range<usize>, scale: f64) {
        let variance = scale * scale;
        if !weights.is_empty() {
            self.families.push(Family { weights, initial_variance: variance, variance });
        }
    }

    /// Mean and precision of every weight, given what has been seen in all.
    pub fn moments(&self, layout: &Layout, impressions: f64, clicks: f64) -> (Vec<f64>, Vec<f64>) {
        let rate = (clicks + BASE_RATE * BASE_RATE_IMPRESSIONS) / (impressions + BASE_RATE_IMPRESSIONS);
        let rate = rate.clamp(1e-6, 1.0 - 1e-6);
        let mut mean = vec![0.0; layout.len];
        let mut precision = vec![1.0 / (INTERCEPT_SCALE * INTERCEPT_SCALE); layout.len];
        mean[0] = (rate / (1.0 - rate)).ln();
        for family in &self.families {
            precision[family.weights.clone()].fill(1.0 / family.variance);
        }
        for known in &self.inherited {
            mean[known.weight] = INHERITED_MEAN * known.mean;
            precision[known.weight] /= self.share(known);
        }
        (mean, precision)
    }

    /// One step of empirical Bayes from a posterior's mode and marginal variances. Prior means are 0 or inherited.
    pub fn update(&mut self, mode: &[f64], variance: &[f64]) {
        let mut squares: Vec<f64> = mode.iter().zip(variance).map(|(w, v)| w * w + v).collect();
        for known in &self.inherited {
            let (at, share) = (known.weight, self.share(known));
            squares[at] = ((mode[at] - INHERITED_MEAN * known.mean).powi(2) + variance[at]) / share;
        }
        for family in &mut self.families {
            let count = family.weights.len() as f64;
            let sum: f64 = squares[family.weights.clone()].iter().sum();
            family.variance = (sum + PRIOR_WEIGHT * family.initial_variance) / (count + PRIOR_WEIGHT);
        }
    }

    /// Starts weights where a similar template's stand. The intercept and weights beyond the model are left alone.
    pub fn inherit(&mut self, known: Vec<Inherited>) {
        let is_ours = |known: &Inherited| {
            known.mean.is_finite()
                && known.variance >= 0.0
                && self.families.iter().any(|family| family.weights.contains(&known.weight))
        };
        self.inherited = known.into_iter().filter(is_ours).collect();
    }

    /// The part of its family's variance that an inherited weight has.
    fn share(&self, known: &Inherited) -> f64 {
        let family = self.families.iter().find(|family| family.weights.contains(&known.weight));
        let initial = family.map_or(1.0, |family| family.initial_variance);
        (INHERITED_VARIANCE + known.variance / initial).min(1.0)
    }
}
