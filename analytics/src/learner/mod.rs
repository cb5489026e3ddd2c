//! The learner: keeps each template's statistics and refits its model in the background.
//!
//! The model is the Bayesian logistic regression of [`tessera_wire::posterior`]: prior scales by empirical Bayes
//! ([`prior`]), a Laplace approximation of the posterior ([`laplace`]), and a pool of draws from N(w, α² H⁻¹) with which
//! the engine plays Thompson sampling. α < 1 explores less than exact Thompson sampling and measured better.
//!
//! Guarantees: deterministic given statistics, order of refits and seed; a refit that fails leaves the previous model in
//! place. A template is refitted when a click came in or its impressions grew by a twentieth. Before its first click or
//! [`FIRST_IMPRESSIONS`] impressions a template has no model, and the engine explores uniformly.
//!
//! Cost: see [`laplace`]; refits are spaced so that they take at most about a quarter of one core.

pub mod cells;
pub mod cholesky;
pub mod evaluate;
pub mod laplace;
pub mod prior;
mod schedule;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use tessera_wire::event::TemplateNames;
use tessera_wire::limits::POSTERIOR_DRAWS_MAX;
use tessera_wire::posterior::TemplateModel;

use cells::{Cells, Trial};
use cholesky::{Factor, NotPositive};
use laplace::Problem;
use prior::{Inherited, Prior};
pub use schedule::Learner;

use crate::names::{NameList, TemplateShape};

/// Spread of the draws: standard deviations are multiplied by this. Measured on preset core, development seeds 1-20, as the
/// share of the oracle's lift at 10k / 100k impressions: 0.5 reaches .160 / .540, 0.4 reaches .193 / .565.
const ALPHA: f64 = 0.4;
/// Draws in the pool.
const DRAWS: usize = POSTERIOR_DRAWS_MAX;
/// Refit when impressions have grown by this share.
const GROWTH: f64 = 0.05;
/// Impressions before the first model when there is no click yet.
pub const FIRST_IMPRESSIONS: f64 = 200.0;
/// Empirical-Bayes rounds of a first fit; later fits do one each.
const COLD_ROUNDS: usize = 4;

/// One template's statistics and model.
#[derive(Debug)]
pub struct TemplateLearner {
    names: TemplateNames,
    cells: Cells,
    prior: Prior,
    mode: Option<Vec<f64>>,
    /// Marginal variances of the last posterior, empty before the first.
    variance: Vec<f64>,
    has_inherited: bool,
    model: Option<TemplateModel>,
    seen: Trial,
    fitted: Trial,
}

impl TemplateLearner {
    /// A template without data, or `None` when its model would be too large.
    pub fn new(shape: &TemplateShape) -> Option<TemplateLearner> {
        let cells = Cells::new(shape)?;
        let prior = Prior::new(cells.layout());
        let (seen, fitted) = (Trial::default(), Trial::default());
        Some(TemplateLearner {
            names: shape.names.clone(),
            cells,
            prior,
            mode: None,
            variance: Vec::new(),
            has_inherited: false,
            model: None,
            seen,
            fitted,
        })
    }

    /// Does a shape have the same assets and labels in the same places?
    pub fn has_shape(&self, names: &TemplateNames) -> bool {
        self.names.slots == names.slots && self.names.fields == names.fields
    }

    /// The statistics.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// The last fitted model.
    pub fn model(&self) -> Option<&TemplateModel> {
        self.model.as_ref()
    }

    /// Adds statistics by name; false when they do not belong to this shape.
    pub fn add_named(&mut self, context: &NameList, combination: &NameList, trial: Trial) -> bool {
        let is_added = self.cells.add_named(context, combination, trial);
        if is_added {
            self.count(trial);
        }
        is_added
    }

    /// Adds statistics by place.
    pub fn add(&mut self, place: cells::Place, trial: Trial) {
        if self.cells.add(place, trial) {
            self.count(trial);
        }
    }

    /// Adds another engine's statistics of the same template; false when the shapes differ.
    pub fn merge(&mut self, other: &TemplateLearner) -> bool {
        let is_added = self.cells.merge(&other.cells);
        if is_added {
            self.count(other.seen);
        }
        is_added
    }

    /// How many weights a similar template could give this one, were it to [`TemplateLearner::inherit`].
    pub fn inheritable(&self, giver: &TemplateLearner) -> usize {
        if giver.mode.is_none() || self.mode.is_some() {
            return 0;
        }
        self.cells.shared_weights(&giver.cells).len()
    }

    /// Starts where a similar template stands: assets and context values of equal names begin with its weights, less sure of
    /// them. Only before the first fit; the template then has a model without having seen anything.
    pub fn inherit(&mut self, giver: &TemplateLearner) {
        let Some(mode) = giver.mode.as_ref().filter(|_| self.mode.is_none()) else { return };
        let shared = self.cells.shared_weights(&giver.cells);
        let known = shared.into_iter().map(|(weight, there)| {
            let variance = giver.variance.get(there).copied().unwrap_or(1.0);
            Inherited { weight, mean: mode[there], variance }
        });
        let known: Vec<Inherited> = known.collect();
        self.has_inherited = !known.is_empty();
        self.prior.inherit(known);
    }

    fn count(&mut self, trial: Trial) {
        self.seen.impressions += trial.impressions;
        self.seen.clicks += trial.clicks;
    }

    /// Lets all statistics lose weight.
    pub fn fade(&mut self, factor: f64) {
        self.cells.fade(factor);
        for trial in [&mut self.seen, &mut self.fitted] {
            trial.impressions *= factor;
            trial.clicks *= factor;
        }
    }

    /// Have enough data come in since the last fit?
    pub fn is_due(&self) -> bool {
        let new_impressions = self.seen.impressions - self.fitted.impressions;
        if self.seen.clicks > self.fitted.clicks {
            return true;
        }
        match self.model {
            None => self.has_inherited || self.seen.impressions >= FIRST_IMPRESSIONS,
            Some(_) => new_impressions > 0.0 && new_impressions >= GROWTH * self.fitted.impressions,
        }
    }

    /// Fits the model to the statistics and draws a new pool.
    ///
    /// # Errors
    /// [`NotPositive`] when the posterior cannot be factored; the previous model stays.
    pub fn refit(&mut self, seed: u64) -> Result<&TemplateModel, NotPositive> {
        // Whatever comes of it, the next attempt waits for new data.
        self.fitted = self.seen;
        let rounds = if self.mode.is_some() { 1 } else { COLD_ROUNDS };
        let mut rng = StdRng::seed_from_u64(seed);
        let mut draws = Vec::new();
        let mut mode = self.mode.clone();
        for _ in 0..rounds {
            let (mean, precision) =
                self.prior.moments(self.cells.layout(), self.seen.impressions, self.seen.clicks);
            let problem = Problem::new(&self.cells, &mean, &precision);
            let fit = match &mode {
                Some(previous) => problem.fit_warm(previous)?,
                None => problem.fit_cold()?,
            };
            draws = draw_deviations(&fit.factor, fit.mode.len(), &mut rng);
            self.variance = mean_squares(&draws);
            self.prior.update(&fit.mode, &self.variance);
            mode = Some(fit.mode);
        }
        let mode = mode.unwrap_or_default();
        let model = self.to_model(&mode, &draws);
        self.mode = Some(mode);
        Ok(self.model.insert(model))
    }

    fn to_model(&self, mode: &[f64], deviations: &[f64]) -> TemplateModel {
        let mut draws = vec![0.0; mode.len() * DRAWS];
        for (weight, (mean, row)) in mode.iter().zip(deviations.chunks_exact(DRAWS)).enumerate() {
            for (draw, deviation) in row.iter().enumerate() {
                draws[draw * mode.len() + weight] = (mean + ALPHA * deviation) as f32;
            }
        }
        TemplateModel {
            template: self.names.id.clone(),
            slots: self.names.slots.iter().map(|(_, assets)| assets.clone()).collect(),
            fields: self.names.fields.clone(),
            impressions: self.seen.impressions.round() as u64,
            clicks: self.seen.clicks.round() as u64,
            mean: mode.iter().map(|weight| *weight as f32).collect(),
            draws,
        }
    }
}

/// Draws of N(0, H⁻¹): L⁻ᵀ z. Row by row, [`DRAWS`] per weight.
fn draw_deviations(factor: &Factor, weights: usize, rng: &mut StdRng) -> Vec<f64> {
    let mut draws: Vec<f64> = (0..weights * DRAWS).map(|_| StandardNormal.sample(rng)).collect();
    factor.solve_transposed(&mut draws, DRAWS);
    draws
}

/// Marginal variances, estimated from the draws: exact ones cost as much as the factorisation, and empirical Bayes only
/// uses their sums over families.
fn mean_squares(draws: &[f64]) -> Vec<f64> {
    draws.chunks_exact(DRAWS).map(|row| row.iter().map(|d| d * d).sum::<f64>() / DRAWS as f64).collect()
}
