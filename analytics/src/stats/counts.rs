//! Chi-square tests of counts.

use super::proportions::Rate;
use super::special::chi_square_sf;

/// Outcome of a chi-square test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// Statistic.
    pub statistic: f64,
    /// Degrees of freedom.
    pub dof: usize,
    /// p-value; 1 when nothing can be said.
    pub p_value: f64,
}

/// Sample ratio mismatch: do observed counts fit the intended weights (Pearson 1900)? Weights need not sum to 1.
pub fn sample_ratio(observed: &[f64], weights: &[f64]) -> ChiSquare {
    let (total, weight): (f64, f64) = (observed.iter().sum(), weights.iter().sum());
    let used = observed.iter().zip(weights).filter(|(_, share)| **share > 0.0);
    let statistic = used
        .clone()
        .map(|(count, share)| {
            let expected = total * share / weight;
            if expected > 0.0 { (count - expected).powi(2) / expected } else { 0.0 }
        })
        .sum();
    finish(statistic, used.count())
}

/// Do several variants have the same rate (chi-square of the contingency table, no correction)?
pub fn equal_rates(variants: &[Rate]) -> ChiSquare {
    let successes: f64 = variants.iter().map(|variant| variant.successes).sum();
    let trials: f64 = variants.iter().map(|variant| variant.trials).sum();
    let rate = successes / trials;
    if !(rate > 0.0 && rate < 1.0) {
        return finish(0.0, variants.len());
    }
    let used = variants.iter().filter(|variant| variant.trials > 0.0);
    let statistic = used
        .clone()
        .map(|variant| {
            let expected = variant.trials * rate;
            (variant.successes - expected).powi(2) / (expected * (1.0 - rate))
        })
        .sum();
    finish(statistic, used.count())
}

fn finish(statistic: f64, groups: usize) -> ChiSquare {
    let dof = groups.saturating_sub(1);
    let p_value = if dof == 0 { 1.0 } else { chi_square_sf(statistic, dof as f64) };
    ChiSquare { statistic, dof, p_value }
}
