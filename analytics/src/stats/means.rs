//! Comparing two means from their sums. B is compared with A.

use super::proportions::Interval;
use super::special::{normal_cdf, normal_quantile, normal_sf, t_quantile, t_sf};

/// Count, sum and sum of squares of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// Number of measurements.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_squares: f64,
}

impl Sums {
    /// The mean, 0 without measurements.
    pub fn mean(&self) -> f64 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }

    /// The sample variance (n − 1).
    pub fn variance(&self) -> f64 {
        (self.sum_squares - self.sum * self.sum / self.count) / (self.count - 1.0)
    }
}

/// Outcome of Welch's t-test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WelchTest {
    /// Mean of B minus mean of A.
    pub difference: f64,
    /// Statistic.
    pub t: f64,
    /// Degrees of freedom (Welch and Satterthwaite).
    pub dof: f64,
    /// Two-sided p-value.
    pub p_value: f64,
    /// Interval of the difference.
    pub interval: Interval,
}

/// Welch's t-test (Welch 1947). None with fewer than two measurements on a side or no variance at all.
pub fn welch_test(a: Sums, b: Sums, alpha: f64) -> Option<WelchTest> {
    if a.count < 2.0 || b.count < 2.0 {
        return None;
    }
    let (error_a, error_b) = (a.variance() / a.count, b.variance() / b.count);
    let error = error_a + error_b;
    if error <= 0.0 || !error.is_finite() {
        return None;
    }
    let dof = error * error / (error_a * error_a / (a.count - 1.0) + error_b * error_b / (b.count - 1.0));
    let difference = b.mean() - a.mean();
    let t = difference / error.sqrt();
    let spread = t_quantile(1.0 - 0.5 * alpha, dof) * error.sqrt();
    Some(WelchTest {
        difference,
        t,
        dof,
        p_value: (2.0 * t_sf(t.abs(), dof)).min(1.0),
        interval: (difference - spread, difference + spread),
    })
}

/// Measurements per arm to find an absolute change of the mean with this power, normal approximation, two-sided
/// (statsmodels `NormalIndPower`). Bisection, because both tails count.
pub fn sample_size(sd: f64, change: f64, alpha: f64, power: f64) -> f64 {
    let critical = normal_quantile(1.0 - 0.5 * alpha);
    let power_of = |count: f64| {
        let shift = change.abs() / sd * (0.5 * count).sqrt();
        normal_sf(critical - shift) + normal_cdf(-critical - shift)
    };
    let (mut low, mut high) = (0.0, 1.0);
    while power_of(high) < power && high < 1e300 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if power_of(middle) < power {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}
