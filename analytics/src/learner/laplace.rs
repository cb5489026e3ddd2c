//! Bayesian logistic regression on counts, by Laplace approximation.
//!
//! clicks ~ Binomial(impressions, sigmoid(w · φ)), w ~ N(mean, diag(1 / precision)). The posterior is approximated by
//! N(mode, H⁻¹) with H = Σ n p (1 − p) φ φᵀ + diag(precision) at the mode. Sources: Bishop, Pattern Recognition and Machine
//! Learning, section 4.5; Chapelle and Li 2011 for its use in Thompson sampling.
//!
//! Guarantees: a fit is finite or an error. Starting from a previous mode it factors once and takes further steps with
//! the same factor (the chord method), which is enough while the data grow by little.
//!
//! Cost per factorisation: n³/6 for the factor and a few additions per pair of features and cell for H.

use super::cells::{Cells, Trial};
use super::cholesky::{Factor, NotPositive, Symmetric};

/// Newton steps from a cold start, at most.
const NEWTON_STEPS_MAX: usize = 8;
/// Steps with one factor, at most.
const CHORD_STEPS_MAX: usize = 6;
/// No weight moves further in one step (learning notes).
const STEP_MAX: f64 = 2.0;
/// A step that moves no weight further than this ends the search: posterior deviations are ten times larger.
const CONVERGED_STEP: f64 = 2e-3;
/// A first step that moves a weight further than this makes the factor out of date.
const STALE_STEP: f64 = 0.3;

/// The data and prior of a fit. Features are `stride` ascending weight indices per trial.
#[derive(Debug, Clone, Copy)]
pub struct Problem<'a> {
    /// Active weights of every trial.
    pub features: &'a [u16],
    /// How many are active per trial.
    pub stride: usize,
    /// Counts.
    pub trials: &'a [Trial],
    /// Prior mean of each weight.
    pub prior_mean: &'a [f64],
    /// Prior precision of each weight.
    pub prior_precision: &'a [f64],
}

/// A Gaussian approximation of the posterior.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Posterior mode.
    pub mode: Vec<f64>,
    /// Lower Cholesky factor of the precision.
    pub factor: Factor,
}

impl<'a> Problem<'a> {
    /// The problem of a template's cells.
    pub fn new(cells: &'a Cells, prior_mean: &'a [f64], prior_precision: &'a [f64]) -> Problem<'a> {
        Problem {
            features: cells.features(),
            stride: cells.stride(),
            trials: cells.trials(),
            prior_mean,
            prior_precision,
        }
    }

    /// Newton's method from the prior mean.
    ///
    /// # Errors
    /// [`NotPositive`] when the precision cannot be factored.
    pub fn fit_cold(&self) -> Result<Fit, NotPositive> {
        let mut mode = self.prior_mean.to_vec();
        let mut factor = self.precision(&mode).factor()?;
        for _ in 0..NEWTON_STEPS_MAX {
            let moved = self.step(&mut mode, &factor);
            factor = self.precision(&mode).factor()?;
            if moved < CONVERGED_STEP {
                break;
            }
        }
        Ok(Fit { mode, factor })
    }

    /// From a previous mode: one factorisation, and another only when the mode has moved far.
    ///
    /// # Errors
    /// [`NotPositive`] when the precision cannot be factored.
    pub fn fit_warm(&self, previous: &[f64]) -> Result<Fit, NotPositive> {
        let mut mode = previous.to_vec();
        let mut factor = self.precision(&mode).factor()?;
        if self.step(&mut mode, &factor) > STALE_STEP {
            factor = self.precision(&mode).factor()?;
        }
        for _ in 0..CHORD_STEPS_MAX {
            if self.step(&mut mode, &factor) < CONVERGED_STEP {
                break;
            }
        }
        Ok(Fit { mode, factor })
    }

    /// Moves along the (quasi-)Newton direction; returns the largest change of a weight.
    fn step(&self, mode: &mut [f64], factor: &Factor) -> f64 {
        let mut direction = self.gradient(mode);
        factor.solve(&mut direction);
        let largest = direction.iter().fold(0.0, |max: f64, change| max.max(change.abs()));
        let scale = if largest > STEP_MAX { STEP_MAX / largest } else { 1.0 };
        for (weight, change) in mode.iter_mut().zip(&direction) {
            *weight += scale * change;
        }
        largest * scale
    }

    /// Gradient of the log posterior.
    fn gradient(&self, weights: &[f64]) -> Vec<f64> {
        let prior = self.prior_mean.iter().zip(self.prior_precision);
        let mut gradient: Vec<f64> =
            weights.iter().zip(prior).map(|(w, (mean, precision))| -precision * (w - mean)).collect();
        for (trial, active) in self.trials.iter().zip(self.features.chunks_exact(self.stride)) {
            let residual = trial.clicks - trial.impressions * probability(weights, active);
            for weight in active {
                gradient[usize::from(*weight)] += residual;
            }
        }
        gradient
    }

    /// Precision of the posterior at these weights.
    fn precision(&self, weights: &[f64]) -> Symmetric {
        let mut precision = Symmetric::new(weights.len());
        for (weight, prior) in self.prior_precision.iter().enumerate() {
            precision.add(weight, weight, *prior);
        }
        for (trial, active) in self.trials.iter().zip(self.features.chunks_exact(self.stride)) {
            let p = probability(weights, active);
            let information = trial.impressions * p * (1.0 - p);
            for (place, row) in active.iter().enumerate() {
                for column in &active[..=place] {
                    precision.add(usize::from(*row), usize::from(*column), information);
                }
            }
        }
        precision
    }
}

fn probability(weights: &[f64], active: &[u16]) -> f64 {
    let eta: f64 = active.iter().map(|weight| weights[usize::from(*weight)]).sum();
    1.0 / (1.0 + (-eta).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two fields' worth of features on 40 trials, some without a click.
    fn sample() -> (Vec<u16>, Vec<Trial>) {
        let features = (0..40u16).flat_map(|i| [0, 1 + i % 5, 6 + i % 4]).collect();
        let trials = (0..40u32)
            .map(|i| Trial { impressions: f64::from(20 + i * 7 % 50), clicks: f64::from(i * i % 4) })
            .collect();
        (features, trials)
    }

    const MEAN: [f64; 10] = [-3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    const PRECISION: [f64; 10] = [1.0, 25.0, 25.0, 25.0, 25.0, 25.0, 40.0, 40.0, 40.0, 40.0];

    fn problem<'a>(features: &'a [u16], trials: &'a [Trial]) -> Problem<'a> {
        Problem { features, stride: 3, trials, prior_mean: &MEAN, prior_precision: &PRECISION }
    }

    #[test]
    fn the_gradient_vanishes_at_the_mode() {
        let (features, trials) = sample();
        let problem = problem(&features, &trials);
        let start = problem.gradient(&MEAN).iter().fold(0.0, |max: f64, g| max.max(g.abs()));
        let fit = problem.fit_cold().unwrap();
        let end = problem.gradient(&fit.mode).iter().fold(0.0, |max: f64, g| max.max(g.abs()));
        assert!(start > 1.0 && end < 1e-3, "from {start} to {end}");
    }

    #[test]
    fn a_warm_start_finds_the_mode_of_a_cold_one() {
        let (features, mut trials) = sample();
        let previous = problem(&features, &trials).fit_cold().unwrap().mode;
        for trial in &mut trials {
            trial.impressions *= 1.1;
        }
        trials[3].clicks += 2.0;
        let problem = problem(&features, &trials);
        let (cold, warm) = (problem.fit_cold().unwrap(), problem.fit_warm(&previous).unwrap());
        for (cold, warm) in cold.mode.iter().zip(&warm.mode) {
            assert!((cold - warm).abs() < CONVERGED_STEP, "{cold} and {warm}");
        }
    }

    #[test]
    fn without_data_the_posterior_is_the_prior() {
        let fit = problem(&[], &[]).fit_cold().unwrap();
        assert_eq!(fit.mode, MEAN);
        for (weight, precision) in PRECISION.iter().enumerate() {
            assert!((fit.factor.row(weight)[weight].powi(2) - precision).abs() < 1e-9);
        }
    }

    #[test]
    fn certain_clicks_do_not_run_away() {
        let trials = [Trial { impressions: 1e6, clicks: 1e6 }];
        let fit = problem(&[0, 1, 6], &trials).fit_cold().unwrap();
        assert!(fit.mode.iter().all(|weight| weight.is_finite() && weight.abs() < 30.0));
    }
}
