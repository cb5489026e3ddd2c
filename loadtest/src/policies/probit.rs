//! Bayesian probit regression with independent weights, online: AdPredictor over the pairwise features of Hill et al.
//!
//! click = 1 when `w · φ + noise > 0`; each observation updates mean and variance of its weights by moment matching.
//! Sources: Graepel et al. 2010 (equations 8 to 13), Hill et al. 2017 (features, Thompson sampling).
//!
//! Guarantees: variances stay positive. Cost: 40 multiplications per update; 64 draws of all weights per batch.

use super::pool::Pool;
use super::{Choice, Policy, Shown};
use crate::random::{Normals, mix64, uniform};

/// Thompson draws have this share of the posterior's deviation: half measured better than all within 100,000 impressions
/// (learning references).
const ALPHA: f64 = 0.5;
const DRAWS: usize = 64;
const DRAW_STREAM: u64 = 5;
/// Prior deviation of weights, on the probit scale.
const PRIOR_SCALE: f64 = 0.07;
/// Prior of the intercept: a click rate of about one in sixty, give or take.
const INTERCEPT: f64 = -2.13;
const INTERCEPT_SCALE: f64 = 0.5;

pub(super) struct Probit {
    pool: Pool,
    mean: Vec<f64>,
    variance: Vec<f64>,
    normals: Normals,
    run_seed: u64,
}

impl Probit {
    pub(super) fn new(slots: &[usize], run_seed: u64) -> Probit {
        let pool = Pool::new(slots);
        let length = pool.layout().len;
        let (mut mean, mut variance) = (vec![0.0; length], vec![PRIOR_SCALE * PRIOR_SCALE; length]);
        mean[0] = INTERCEPT;
        variance[0] = INTERCEPT_SCALE * INTERCEPT_SCALE;
        let mut policy = Probit { pool, mean, variance, normals: Normals::new(mix64(run_seed)), run_seed };
        policy.draw();
        policy
    }

    fn draw(&mut self) {
        let Probit { mean, variance, normals, .. } = self;
        let mut draw = || {
            let both = mean.iter().zip(variance.iter());
            both.map(|(mean, variance)| mean + normals.next(ALPHA * variance.sqrt())).collect()
        };
        let draws = (0..DRAWS).map(|_| draw()).collect();
        self.pool.set_draws(draws);
    }

    fn update(&mut self, one: &Shown, is_click: bool) {
        let features = self.pool.features(one.context, one.combination);
        let sign = if is_click { 1.0 } else { -1.0 };
        let total = 1.0 + features.iter().map(|f| self.variance[*f]).sum::<f64>();
        let t = sign * features.iter().map(|f| self.mean[*f]).sum::<f64>() / total.sqrt();
        let v = hazard(t);
        let w = v * (v + t);
        for feature in features {
            let variance = self.variance[feature];
            self.mean[feature] += sign * variance / total.sqrt() * v;
            self.variance[feature] = variance * (1.0 - variance / total * w).max(1e-6);
        }
    }
}

impl Policy for Probit {
    fn choose(&mut self, context: usize, step: u64) -> Choice {
        let draws = self.pool.draws();
        let draw = (uniform(self.run_seed, step, DRAW_STREAM) * draws as f64) as usize;
        let combination = self.pool.best(context, draw);
        Choice { combination, propensity: None }
    }

    fn learn(&mut self, shown: &[Shown], clicks: &[Shown]) {
        let first = shown.first().map_or(0, |one| one.step);
        let now: std::collections::HashSet<u64> =
            clicks.iter().map(|one| one.step).filter(|step| *step >= first).collect();
        // An impression is a failure until its click comes; a click of now is not counted as both.
        shown.iter().filter(|one| !now.contains(&one.step)).for_each(|one| self.update(one, false));
        clicks.iter().for_each(|one| self.update(one, true));
        self.draw();
    }
}

/// Density over distribution of the standard normal at `t`.
fn hazard(t: f64) -> f64 {
    if t < -30.0 {
        // Mills' ratio; the quotient comes to 0 over 0 further out.
        return -t - 1.0 / t;
    }
    let density = (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
    density / distribution(t)
}

/// Distribution function of the standard normal. Source: Abramowitz and Stegun 26.2.17 near zero; continued fraction in the
/// tails, where relative accuracy counts.
fn distribution(t: f64) -> f64 {
    let x = t.abs();
    let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let upper = if x > 2.5 {
        let mut fraction = x;
        for k in (1..=30).rev() {
            fraction = x + f64::from(k) / fraction;
        }
        density / fraction
    } else {
        let k = 1.0 / (1.0 + 0.231_641_9 * x);
        let terms = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
        density * terms.iter().rev().fold(0.0, |sum, term| (sum + term) * k)
    };
    if t < 0.0 { upper } else { 1.0 - upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_has_its_published_values() {
        let published = [(-3.0, 1.349_898_0e-3), (-2.13, 0.016_586), (0.0, 0.5), (1.0, 0.841_344_7)];
        for (t, wanted) in published {
            assert!((distribution(t) - wanted).abs() < 2e-6, "{t}: {}", distribution(t));
        }
        assert!((hazard(-30.001) / hazard(-29.999) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn clicks_raise_what_was_shown() {
        let mut probit = Probit::new(&[2, 2], 1);
        let shown = |step| Shown { step, context: 3, combination: 2 };
        let other = |step| Shown { step, context: 3, combination: 1 };
        for step in 0..200 {
            let batch = [shown(2 * step), other(2 * step + 1)];
            probit.learn(&batch, &batch[..1]);
        }
        let layout = probit.pool.layout().clone();
        assert!(probit.mean[layout.asset(1)] > probit.mean[layout.asset(0)] + 0.05);
        assert!((0..20).filter(|step| probit.choose(3, *step).combination == 2).count() > 15);
    }
}
