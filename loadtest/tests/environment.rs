//! The environment is the one that the learning references were measured in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use serde_json::Value;
use tessera_loadtest::environment::{CONTEXTS, Environment, Preset};
use tessera_loadtest::random::uniform;

/// Only the order of additions and the last bits of `exp`, `ln` and `cos` may differ.
const RELATIVE: f64 = 1e-9;

fn fingerprints() -> Value {
    serde_json::from_str(include_str!("../../fixtures/vectors/env-fingerprints.json")).unwrap()
}

fn preset(name: &str) -> Preset {
    match name {
        "core" => Preset::core(),
        "large" => Preset::large(),
        "inter" => Preset::inter(),
        "flat" => Preset::flat(),
        other => panic!("no preset {other}"),
    }
}

fn close(found: f64, wanted: &Value, what: &str) {
    let wanted = wanted.as_f64().unwrap();
    assert!((found - wanted).abs() <= RELATIVE * wanted.abs(), "{what}: {found}, wanted {wanted}");
}

#[test]
fn environments_have_their_fingerprints() {
    let fingerprints = fingerprints();
    let wanted = fingerprints["envs"].as_array().unwrap();
    assert_eq!(wanted.len(), 8);
    for wanted in wanted {
        let (name, seed) = (wanted["preset"].as_str().unwrap(), wanted["seed"].as_u64().unwrap());
        let environment = Environment::new(&preset(name), seed);
        let baselines = environment.baselines();
        let last = environment.probability(CONTEXTS - 1, environment.combinations - 1);
        close(environment.bias, &wanted["bias"], "bias");
        close(environment.probability(0, 0), &wanted["p_0_0"], "first probability");
        close(last, &wanted["p_last"], "last probability");
        close(baselines.uniform, &wanted["ctr_uniform"], "uniform");
        close(baselines.generic.1, &wanted["ctr_generic"], "generic");
        close(baselines.best_static.1, &wanted["ctr_best_static"], "best static");
        close(baselines.oracle, &wanted["ctr_oracle"], "oracle");
        assert_eq!(baselines.generic.0 as u64, wanted["generic"].as_u64().unwrap());
        assert_eq!(baselines.best_static.0 as u64, wanted["best_static"].as_u64().unwrap());
    }
}

#[test]
fn a_run_meets_the_recorded_visitors() {
    let fingerprints = fingerprints();
    let seed = fingerprints["run_seed"].as_u64().unwrap();
    let environment = Environment::new(&Preset::flat(), 1);
    let first: Vec<usize> = (0..20).map(|t| environment.context(seed, t)).collect();
    let wanted: Vec<usize> = serde_json::from_value(fingerprints["ctx_first20"].clone()).unwrap();
    assert_eq!(first, wanted);
    let sum: usize = (0..2000).map(|t| environment.context(seed, t)).sum();
    assert_eq!(sum as u64, fingerprints["ctx_sum_2000"].as_u64().unwrap());
    for (t, wanted) in fingerprints["click_u_first5"].as_array().unwrap().iter().enumerate() {
        // The text is exact; the JSON parser may be off by the last bit.
        let (found, wanted) = (uniform(seed, t as u64, 4), wanted.as_f64().unwrap());
        assert!((found - wanted).abs() <= f64::EPSILON * wanted);
    }
}
