//! The statistics agree with recorded values of scipy and statsmodels.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tessera_analytics::learner::cells::Trial;
use tessera_analytics::learner::laplace::Problem;
use tessera_analytics::stats::proportions::{Higher, Rate};
use tessera_analytics::stats::{adjust, counts, means, proportions, special};

/// What the vectors promise: `|got - want| <= 1e-6 * |want| + 1e-12`.
fn is_close(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= 1e-6 * wanted.abs() + 1e-12
}

/// Every number of `wanted` must be in `found`, close; everything else must be equal.
fn compare(id: &str, found: &Value, wanted: &Value) {
    match (found, wanted) {
        (Value::Number(found), Value::Number(wanted)) => {
            let (found, wanted) = (found.as_f64().unwrap(), wanted.as_f64().unwrap());
            assert!(is_close(found, wanted), "{id}: found {found}, wanted {wanted}");
        }
        (Value::Array(found), Value::Array(wanted)) => {
            assert_eq!(found.len(), wanted.len(), "{id}");
            found.iter().zip(wanted).for_each(|(found, wanted)| compare(id, found, wanted));
        }
        (Value::Object(found), Value::Object(wanted)) => {
            for (key, wanted) in wanted {
                let found = found.get(key).unwrap_or_else(|| panic!("{id}: no {key}"));
                compare(&format!("{id}.{key}"), found, wanted);
            }
        }
        _ => assert_eq!(found, wanted, "{id}"),
    }
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {value}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn rate(input: &Value, side: &str) -> Rate {
    Rate { successes: number(input, &format!("conv_{side}")), trials: number(input, &format!("n_{side}")) }
}

fn sums(value: &Value) -> means::Sums {
    means::Sums {
        count: number(value, "n"),
        sum: number(value, "sum"),
        sum_squares: number(value, "sum_squares"),
    }
}

fn z_test(input: &Value) -> Value {
    let test = proportions::z_test(rate(input, "a"), rate(input, "b"));
    let winner = match test.higher {
        Higher::A => "A",
        Higher::B => "B",
        Higher::Tie => "tie",
    };
    let significant = test.p_value < number(input, "alpha");
    json!({"z": test.z, "p_value": test.p_value, "significant": significant, "winner": winner})
}

fn intervals(input: &Value) -> Value {
    let (a, b, alpha) = (rate(input, "a"), rate(input, "b"), number(input, "alpha"));
    json!({
        "wald_diff": proportions::difference_interval(a, b, alpha).unwrap(),
        "newcombe_diff": proportions::newcombe_interval(a, b, alpha).unwrap(),
        "log_ratio": proportions::ratio_interval(a, b, alpha).unwrap(),
    })
}

fn welch(input: &Value) -> Value {
    let test = means::welch_test(sums(&input["a"]), sums(&input["b"]), number(input, "alpha")).unwrap();
    json!({"diff": test.difference, "t": test.t, "dof": test.dof, "p_value": test.p_value,
           "ci": test.interval})
}

fn chi_square(test: counts::ChiSquare) -> Value {
    json!({"chi2": test.statistic, "dof": test.dof, "p_value": test.p_value})
}

fn adjusted(input: &Value) -> Value {
    let (p_values, alpha) = (numbers(&input["p_values"]), number(input, "alpha"));
    let report = |adjusted: Vec<f64>| {
        let reject: Vec<bool> = adjusted.iter().map(|p| *p <= alpha).collect();
        json!({"reject": reject, "adjusted": adjusted})
    };
    json!({
        "bonferroni": report(adjust::bonferroni(&p_values)),
        "holm": report(adjust::holm(&p_values)),
        "bh": report(adjust::benjamini_hochberg(&p_values)),
        "by": report(adjust::benjamini_yekutieli(&p_values)),
    })
}

fn special_functions(input: &Value) -> Value {
    let mut found = BTreeMap::new();
    for (name, arguments) in input.as_object().unwrap() {
        let values: Vec<f64> = arguments.as_array().unwrap().iter().map(|x| special_value(name, x)).collect();
        found.insert(name.clone(), values);
    }
    json!(found)
}

fn special_value(name: &str, argument: &Value) -> f64 {
    if let Some(x) = argument.as_f64() {
        return if name == "norm_cdf" { special::normal_cdf(x) } else { special::normal_quantile(x) };
    }
    let pair = numbers(argument);
    match name {
        "t_sf" => special::t_sf(pair[0], pair[1]),
        "t_ppf" => special::t_quantile(pair[0], pair[1]),
        "chi2_sf" => special::chi_square_sf(pair[0], pair[1]),
        other => panic!("no special function {other}"),
    }
}

fn sample_size(input: &Value) -> Value {
    let [base, change] = ["base_rate", "relative_mde"].map(|key| number(input, key));
    let size = proportions::sample_size(base, change, number(input, "alpha"), number(input, "power"));
    json!({"n_per_arm_pooled": size, "n_ceil": size.ceil()})
}

/// The learner's own fit, to convergence.
fn laplace(input: &Value) -> Value {
    let cells = input["cells"].as_array().unwrap();
    let features: Vec<u16> =
        cells.iter().flat_map(|cell| numbers(&cell["active"])).map(|weight| weight as u16).collect();
    let trials: Vec<Trial> = cells
        .iter()
        .map(|cell| Trial { impressions: number(cell, "n"), clicks: number(cell, "conv") })
        .collect();
    let prior_mean = numbers(&input["prior_mean"]);
    let prior_precision: Vec<f64> = numbers(&input["prior_var"]).iter().map(|v| 1.0 / v).collect();
    let problem = Problem {
        features: &features,
        stride: features.len() / trials.len(),
        trials: &trials,
        prior_mean: &prior_mean,
        prior_precision: &prior_precision,
    };
    let mut fit = problem.fit_cold().unwrap();
    for _ in 0..8 {
        fit = problem.fit_warm(&fit.mode).unwrap();
    }
    let n = prior_mean.len();
    let column = |j: usize| {
        let mut unit = vec![0.0; n];
        unit[j] = 1.0;
        fit.factor.solve(&mut unit);
        unit
    };
    let diagonal: Vec<f64> = (0..n).map(|j| column(j)[j]).collect();
    json!({"map": fit.mode, "cov_diag": diagonal, "cov_0_1": column(1)[0],
           "chol_last_row": fit.factor.row(n - 1)})
}

fn run(kind: &str, input: &Value) -> Option<Value> {
    Some(match kind {
        "two_prop_z" | "two_prop_z_edge" => z_test(input),
        "two_prop_ci" => intervals(input),
        "wilson_ci" => {
            let rate = Rate { successes: number(input, "conv"), trials: number(input, "n") };
            json!({"ci": proportions::wilson_interval(rate, number(input, "alpha")).unwrap()})
        }
        "welch_t" => welch(input),
        "srm_chi2" => {
            chi_square(counts::sample_ratio(&numbers(&input["observed"]), &numbers(&input["weights"])))
        }
        "chi2_k_variants" => {
            let variants = input["variants"].as_array().unwrap().iter();
            let rates: Vec<Rate> =
                variants.map(|v| Rate { successes: number(v, "conv"), trials: number(v, "n") }).collect();
            chi_square(counts::equal_rates(&rates))
        }
        "multiple_comparisons" => adjusted(input),
        "sample_size_two_prop" => sample_size(input),
        "sample_size_mean" => {
            let [sd, change] = ["sd", "mde_abs"].map(|key| number(input, key));
            json!({"n_per_arm": means::sample_size(sd, change, number(input, "alpha"), number(input, "power"))})
        }
        "power_two_prop" => {
            let [a, b, n] = ["p_a", "p_b", "n_per_arm"].map(|key| number(input, key));
            json!({"power": proportions::power(a, b, n, number(input, "alpha"))})
        }
        "special" => special_functions(input),
        "laplace_map" => laplace(input),
        _ => return None,
    })
}

#[test]
fn statistics_agree_with_their_vectors() {
    let text = include_str!("../../fixtures/vectors/stats-vectors.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let mut ran: BTreeMap<&str, usize> = BTreeMap::new();
    for case in vectors["cases"].as_array().unwrap() {
        let kind = case["kind"].as_str().unwrap();
        let Some(found) = run(kind, &case["input"]) else { continue };
        let mut wanted = case["expected"].clone();
        // A second formula of the same size, which nothing uses.
        wanted.as_object_mut().unwrap().remove("n_per_arm_unpooled");
        compare(case["id"].as_str().unwrap(), &found, &wanted);
        *ran.entry(kind).or_default() += 1;
    }
    let expected = [
        ("chi2_k_variants", 1),
        ("laplace_map", 1),
        ("multiple_comparisons", 2),
        ("power_two_prop", 2),
        ("sample_size_mean", 1),
        ("sample_size_two_prop", 3),
        ("special", 5),
        ("srm_chi2", 4),
        ("two_prop_ci", 2),
        ("two_prop_z", 5),
        ("two_prop_z_edge", 2),
        ("welch_t", 3),
        ("wilson_ci", 2),
    ];
    assert_eq!(ran, BTreeMap::from(expected));
}
