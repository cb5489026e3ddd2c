//! Adjusting p-values for many comparisons. A comparison is significant when its adjusted p-value is at most α.

/// Bonferroni: times the number of comparisons.
pub fn bonferroni(p_values: &[f64]) -> Vec<f64> {
    p_values.iter().map(|p| (p * p_values.len() as f64).min(1.0)).collect()
}

/// Holm's step-down (1979): controls the chance of any false claim.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![1.0; p_values.len()];
    let mut worst: f64 = 0.0;
    for (rank, at) in ascending(p_values).into_iter().enumerate() {
        worst = worst.max(p_values[at] * (p_values.len() - rank) as f64);
        adjusted[at] = worst.min(1.0);
    }
    adjusted
}

/// Benjamini and Hochberg's step-up (1995): controls the share of false claims.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    step_up(p_values, 1.0)
}

/// Benjamini and Yekutieli (2001): the same under any dependence.
pub fn benjamini_yekutieli(p_values: &[f64]) -> Vec<f64> {
    step_up(p_values, (1..=p_values.len()).map(|rank| 1.0 / rank as f64).sum())
}

fn step_up(p_values: &[f64], factor: f64) -> Vec<f64> {
    let mut adjusted = vec![1.0; p_values.len()];
    let mut best: f64 = 1.0;
    for (rank, at) in ascending(p_values).into_iter().enumerate().rev() {
        best = best.min(p_values[at] * factor * p_values.len() as f64 / (rank + 1) as f64);
        adjusted[at] = best;
    }
    adjusted
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    order
}
