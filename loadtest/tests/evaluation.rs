//! Offline evaluation finds out what another policy earns, as the simulator's truth says it does.

#![allow(clippy::unwrap_used, reason = "a test")]

use tessera_analytics::learner::evaluate::{Estimate, Evaluator, Logged, Report};
use tessera_loadtest::environment::{Environment, Preset};
use tessera_loadtest::random::{Normals, uniform};

const IMPRESSIONS: u64 = 30_000;

type Estimator = fn(&Report) -> Estimate;

/// What the policy shows: the best combination of the context nine times in ten, else any.
fn target(environment: &Environment, context: usize, combination: usize) -> f64 {
    let best = if environment.best(context) == combination { 0.9 } else { 0.0 };
    best + 0.1 / environment.combinations as f64
}

/// A uniform log, and a model that errs by `error` on the logit scale. Returns the report and the truth over the same
/// contexts.
fn evaluate(environment: &Environment, run_seed: u64, error: f64) -> (Report, f64) {
    let combinations = environment.combinations;
    let mut noise = Normals::new(run_seed);
    let errors = noise.take(combinations, error);
    let predict = |context: usize, k: usize| {
        let p = environment.probability(context, k);
        1.0 / (1.0 + (1.0 / p - 1.0) * (-errors[k]).exp())
    };
    let (mut evaluator, mut truth) = (Evaluator::default(), 0.0);
    for t in 0..IMPRESSIONS {
        let context = environment.context(run_seed, t);
        let combination = (uniform(run_seed, t, 5) * combinations as f64) as usize;
        let probability = environment.probability(context, combination);
        let mean = |value: &dyn Fn(usize) -> f64| {
            (0..combinations).map(|k| target(environment, context, k) * value(k)).sum::<f64>()
        };
        truth += mean(&|k| environment.probability(context, k));
        evaluator.add(&Logged {
            propensity: 1.0 / combinations as f64,
            reward: f64::from(u8::from(environment.is_click(run_seed, t, probability))),
            target: target(environment, context, combination),
            predicted: predict(context, combination),
            predicted_target: mean(&|k| predict(context, k)),
        });
    }
    (evaluator.report().unwrap(), truth / IMPRESSIONS as f64)
}

#[test]
fn estimates_are_right_and_their_intervals_hold_the_truth() {
    let preset = Preset { slots: vec![2, 3, 2], base: 0.05, ..Preset::core() };
    let environment = Environment::new(&preset, 4);
    let runs: Vec<(Report, f64)> = (0..40).map(|run| evaluate(&environment, 7_000 + run, 0.5)).collect();
    let estimators: [(&str, Estimator); 3] = [("ips", |r| r.ips), ("snips", |r| r.snips), ("dr", |r| r.dr)];
    for (name, estimate) in estimators {
        let bias: f64 =
            runs.iter().map(|(report, truth)| estimate(report).mean / truth - 1.0).sum::<f64>() / 40.0;
        let held = runs.iter().filter(|(report, truth)| {
            let estimate = estimate(report);
            (estimate.mean - truth).abs() <= estimate.half
        });
        let held = held.count();
        println!("{name}: bias {:.2} %, {held} of 40 intervals hold the truth", 1e2 * bias);
        // A run's deviation is about 6 %, so that of 40 together is 1 %; of 40 intervals, 38 are expected.
        assert!(bias.abs() < 0.035, "{name}: bias {bias:.4}");
        assert!(held >= 34, "{name}: {held} of 40");
    }
    let report = runs[0].0;
    assert!((report.coverage - 1.0).abs() < 0.1 && report.effective < 0.2 * IMPRESSIONS as f64, "{report:?}");
}

#[test]
fn a_good_model_narrows_the_interval_and_a_bad_one_does_not_move_it_away() {
    let preset = Preset { slots: vec![2, 3, 2], base: 0.3, ..Preset::core() };
    let environment = Environment::new(&preset, 4);
    let (good, truth) = evaluate(&environment, 7_000, 0.0);
    let (bad, _) = evaluate(&environment, 7_000, 2.0);
    assert!(good.dr.half < 0.95 * good.ips.half, "{good:?}");
    for dr in [good.dr, bad.dr] {
        assert!((dr.mean - truth).abs() < 2.0 * dr.half, "{dr:?}, truth {truth:.4}");
    }
}
