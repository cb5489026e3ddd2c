//! Comparing two rates: test, intervals, power and size. B is compared with A: positive means that B is higher.

use super::special::{normal_cdf, normal_quantile, normal_sf};

/// Successes among trials.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rate {
    /// Successes.
    pub successes: f64,
    /// Trials.
    pub trials: f64,
}

/// An interval's ends.
pub type Interval = (f64, f64);

/// Which side is higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Higher {
    /// A.
    A,
    /// B.
    B,
    /// Neither, or nothing can be said.
    Tie,
}

/// Outcome of the two-proportion z-test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZTest {
    /// Statistic of A − B; 0 when nothing can be said.
    pub z: f64,
    /// Two-sided p-value; 1 when nothing can be said.
    pub p_value: f64,
    /// Which rate is higher, significant or not.
    pub higher: Higher,
}

impl Rate {
    /// A rate of integer counts.
    pub fn new(successes: u64, trials: u64) -> Rate {
        Rate { successes: successes as f64, trials: trials as f64 }
    }

    /// Successes per trial, 0 without trials.
    pub fn value(&self) -> f64 {
        if self.trials > 0.0 { self.successes / self.trials } else { 0.0 }
    }

    fn variance(&self) -> f64 {
        let p = self.value();
        p * (1.0 - p) / self.trials
    }
}

/// Pooled two-proportion z-test, two-sided (Fleiss, Levin, Paik, Statistical Methods for Rates and Proportions, 2.3).
pub fn z_test(a: Rate, b: Rate) -> ZTest {
    let nothing = ZTest { z: 0.0, p_value: 1.0, higher: Higher::Tie };
    if a.trials <= 0.0 || b.trials <= 0.0 {
        return nothing;
    }
    let pooled = (a.successes + b.successes) / (a.trials + b.trials);
    let variance = pooled * (1.0 - pooled) * (1.0 / a.trials + 1.0 / b.trials);
    if variance <= 0.0 {
        return nothing;
    }
    let z = (a.value() - b.value()) / variance.sqrt();
    let higher = match z.total_cmp(&0.0) {
        std::cmp::Ordering::Less => Higher::B,
        _ if z == 0.0 => Higher::Tie,
        _ => Higher::A,
    };
    ZTest { z, p_value: (2.0 * normal_sf(z.abs())).min(1.0), higher }
}

/// Unpooled (Wald) interval of B − A.
pub fn difference_interval(a: Rate, b: Rate, alpha: f64) -> Option<Interval> {
    let is_empty = a.trials <= 0.0 || b.trials <= 0.0;
    let spread = normal_quantile(1.0 - 0.5 * alpha) * (a.variance() + b.variance()).sqrt();
    let difference = b.value() - a.value();
    (!is_empty).then_some((difference - spread, difference + spread))
}

/// Newcombe's hybrid score interval of B − A (Newcombe 1998, method 10), sound for small counts.
pub fn newcombe_interval(a: Rate, b: Rate, alpha: f64) -> Option<Interval> {
    let ((a_low, a_high), (b_low, b_high)) = (wilson_interval(a, alpha)?, wilson_interval(b, alpha)?);
    let difference = b.value() - a.value();
    let low = (b.value() - b_low).hypot(a_high - a.value());
    let high = (b_high - b.value()).hypot(a.value() - a_low);
    Some((difference - low, difference + high))
}

/// Interval of B / A by the delta method on the logarithm (Katz et al. 1978). None when a side has no success.
pub fn ratio_interval(a: Rate, b: Rate, alpha: f64) -> Option<Interval> {
    if a.successes <= 0.0 || b.successes <= 0.0 {
        return None;
    }
    let variance = 1.0 / a.successes - 1.0 / a.trials + 1.0 / b.successes - 1.0 / b.trials;
    let spread = normal_quantile(1.0 - 0.5 * alpha) * variance.max(0.0).sqrt();
    let ratio = b.value() / a.value();
    Some((ratio * (-spread).exp(), ratio * spread.exp()))
}

/// Wilson's score interval of one rate (Wilson 1927). None without trials.
pub fn wilson_interval(rate: Rate, alpha: f64) -> Option<Interval> {
    if rate.trials <= 0.0 {
        return None;
    }
    let z = normal_quantile(1.0 - 0.5 * alpha);
    let (p, n) = (rate.value(), rate.trials);
    let scale = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / scale;
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / scale;
    Some(((centre - spread).max(0.0), (centre + spread).min(1.0)))
}

/// Power of the two-sided z-test with this many trials per arm (statsmodels `power_proportions_2indep`: pooled variance
/// under the null, unpooled under the alternative, both tails).
pub fn power(rate_a: f64, rate_b: f64, trials_per_arm: f64, alpha: f64) -> f64 {
    let pooled = 0.5 * (rate_a + rate_b);
    let null = (2.0 * pooled * (1.0 - pooled)).sqrt();
    let alternative = (rate_a * (1.0 - rate_a) + rate_b * (1.0 - rate_b)).sqrt();
    let critical = normal_quantile(1.0 - 0.5 * alpha) * null / alternative;
    let shift = (rate_b - rate_a) * trials_per_arm.sqrt() / alternative;
    normal_sf(critical - shift) + normal_cdf(-critical - shift)
}

/// Trials per arm to find a relative change with this power (Fleiss, Levin, Paik, 4.2; pooled variance under the null).
pub fn sample_size(base_rate: f64, relative_change: f64, alpha: f64, power: f64) -> f64 {
    let (a, b) = (base_rate, base_rate * (1.0 + relative_change));
    let pooled = 0.5 * (a + b);
    let null = normal_quantile(1.0 - 0.5 * alpha) * (2.0 * pooled * (1.0 - pooled)).sqrt();
    let alternative = normal_quantile(power) * (a * (1.0 - a) + b * (1.0 - b)).sqrt();
    ((null + alternative) / (b - a)).powi(2)
}
