//! Offline evaluation: what another way of choosing would have earned, from what was served and how probable that was.
//!
//! Three estimators of the mean reward, each with a 95 % interval: inverse propensity scoring (IPS), unbiased; self-normalised
//! IPS, which trades a small bias for much less variance; and doubly robust (DR), which corrects a model's prediction by
//! the weighted surprise and is unbiased whether the model is right or not. The effective sample size says how many
//! impressions of the evaluated policy the log is worth: below some hundred, trust nothing here.
//! Sources: Horvitz and Thompson 1952; Swaminathan and Joachims 2015; Dudík, Langford and Li 2011.
//!
//! Guarantees: one pass, constant memory. What has no usable propensity is counted and left out, never guessed. The log must
//! have given every combination a chance that the evaluated policy takes: [`Report::coverage`] near 1 says that it has.
//!
//! Cost: a few additions per impression. Not here: reading the journal, and asking a policy for its probabilities.

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_964;

/// One impression of the log, seen with the eyes of another policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logged {
    /// Probability with which it was served.
    pub propensity: f64,
    /// What it earned: 1 for a click, or money.
    pub reward: f64,
    /// Probability with which the evaluated policy would have served it in that context.
    pub target: f64,
    /// The model's prediction of what it earns; any model, made without this impression.
    pub predicted: f64,
    /// The model's prediction of what the evaluated policy earns in that context: the mean over its choices.
    pub predicted_target: f64,
}

/// A mean with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean reward per impression.
    pub mean: f64,
    /// Half the width of the interval.
    pub half: f64,
}

/// What the log says about the evaluated policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Impressions used.
    pub impressions: u64,
    /// Impressions left out because their numbers are not probabilities or not finite.
    pub refused: u64,
    /// What the log itself earned.
    pub logged: Estimate,
    /// Inverse propensity scoring.
    pub ips: Estimate,
    /// Self-normalised.
    pub snips: Estimate,
    /// Doubly robust.
    pub dr: Estimate,
    /// How many impressions of the evaluated policy the log is worth.
    pub effective: f64,
    /// Mean weight. It is 1 but for chance where the log could have served all that the policy serves; less says how much of
    /// the policy the log has never tried.
    pub coverage: f64,
    /// The largest weight of a single impression.
    pub weight_max: f64,
}

/// Adds up a log.
#[derive(Debug, Clone, Default)]
pub struct Evaluator {
    refused: u64,
    logged: Moments,
    ips: Moments,
    dr: Moments,
    weights: f64,
    squared_weights: f64,
    // Of squared weights times reward, and times squared reward.
    squared_rewards: [f64; 2],
    weight_max: f64,
}

impl Evaluator {
    /// Adds an impression; false when it cannot be used.
    pub fn add(&mut self, one: &Logged) -> bool {
        let is_usable = one.propensity > 0.0
            && one.propensity <= 1.0
            && (0.0..=1.0).contains(&one.target)
            && [one.reward, one.predicted, one.predicted_target].iter().all(|number| number.is_finite());
        if !is_usable {
            self.refused += 1;
            return false;
        }
        let weight = one.target / one.propensity;
        self.logged.add(one.reward);
        self.ips.add(weight * one.reward);
        self.dr.add(one.predicted_target + weight * (one.reward - one.predicted));
        self.weights += weight;
        self.squared_weights += weight * weight;
        self.squared_rewards[0] += weight * weight * one.reward;
        self.squared_rewards[1] += weight * weight * one.reward * one.reward;
        self.weight_max = self.weight_max.max(weight);
        true
    }

    /// The estimates; `None` before anything usable, or when the policy would have served nothing of the log.
    pub fn report(&self) -> Option<Report> {
        if self.logged.count == 0.0 || self.weights <= 0.0 {
            return None;
        }
        let mean = self.ips.sum / self.weights;
        // Delta method: the variance of a ratio of sums around its value.
        let [once, twice] = self.squared_rewards;
        let squares = (twice - 2.0 * mean * once + mean * mean * self.squared_weights).max(0.0);
        Some(Report {
            impressions: self.logged.count as u64,
            refused: self.refused,
            logged: self.logged.estimate(),
            ips: self.ips.estimate(),
            snips: Estimate { mean, half: Z * squares.sqrt() / self.weights },
            dr: self.dr.estimate(),
            effective: self.weights * self.weights / self.squared_weights,
            coverage: self.weights / self.logged.count,
            weight_max: self.weight_max,
        })
    }
}

/// Running mean and variance. Source: Welford 1962.
#[derive(Debug, Clone, Default)]
struct Moments {
    count: f64,
    sum: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        let change = value - self.mean;
        self.mean += change / self.count;
        self.squares += change * (value - self.mean);
    }

    fn estimate(&self) -> Estimate {
        let variance = self.squares / (self.count - 1.0).max(1.0);
        Estimate { mean: self.mean, half: Z * (variance / self.count).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn logged(propensity: f64, reward: f64, target: f64) -> Logged {
        Logged { propensity, reward, target, predicted: 0.3, predicted_target: 0.4 }
    }

    #[test]
    fn small_logs_come_out_as_by_hand() {
        let mut evaluator = Evaluator::default();
        for one in
            [logged(0.5, 1.0, 1.0), logged(0.5, 0.0, 0.0), logged(0.25, 1.0, 0.5), logged(1.0, 0.0, 1.0)]
        {
            assert!(evaluator.add(&one));
        }
        let report = evaluator.report().unwrap();
        // Weights 2, 0, 2, 1.
        assert_eq!((report.ips.mean, report.snips.mean, report.coverage), (1.0, 0.8, 1.25));
        assert!((report.dr.mean - (0.4 + (2.0 * 0.7 + 2.0 * 0.7 - 0.3) / 4.0)).abs() < 1e-12);
        assert!((report.effective - 25.0 / 9.0).abs() < 1e-12);
        // Squares of w (r - 0.8): 0.16 twice and 0.64.
        assert!((report.snips.half - Z * 0.96f64.sqrt() / 5.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_a_probability_is_refused_and_counted() {
        let mut evaluator = Evaluator::default();
        for bad in [
            logged(0.0, 1.0, 1.0),
            logged(f64::NAN, 1.0, 1.0),
            logged(0.5, f64::INFINITY, 1.0),
            logged(0.5, 1.0, 1.5),
        ] {
            assert!(!evaluator.add(&bad));
        }
        assert!(evaluator.report().is_none());
        evaluator.add(&logged(0.5, 1.0, 0.5));
        assert_eq!(evaluator.report().unwrap().refused, 4);
    }

    proptest! {
        #[test]
        fn the_policy_that_made_the_log_is_worth_what_the_log_earned(
            rewards in prop::collection::vec((0.01f64..1.0, 0.0f64..5.0), 2..60),
        ) {
            let mut evaluator = Evaluator::default();
            for (propensity, reward) in &rewards {
                evaluator.add(&Logged { propensity: *propensity, reward: *reward, target: *propensity, predicted: 0.0, predicted_target: 0.0 });
            }
            let report = evaluator.report().unwrap();
            for estimate in [report.ips, report.snips, report.dr] {
                prop_assert!((estimate.mean - report.logged.mean).abs() < 1e-9);
            }
            prop_assert!((report.effective - rewards.len() as f64).abs() < 1e-6);
        }
    }
}
