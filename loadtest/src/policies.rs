//! Ways of choosing that the learner is measured beside, behind the one trait that the learner implements too.
//!
//! | name | what it does |
//! | --- | --- |
//! | `uniform` | any combination, whatever happens |
//! | `generic` | the static combination of median quality: what is shown before anybody optimises |
//! | `best-static` | the best static combination, known in hindsight |
//! | `oracle` | the best combination of each context, known in hindsight |
//! | `epsilon-greedy` | the combination with the best rate so far; one in ten at random |
//! | `beta-combination` | Thompson sampling, one Beta per combination |
//! | `beta-slot` | Thompson sampling slot by slot, one Beta per asset |
//! | `beta-slot-segment` | the same, one Beta per asset and segment |
//! | `probit` | Bayesian probit regression over pairwise features with independent weights (Graepel et al. 2010, Hill et al. 2017) |
//!
//! Guarantees: deterministic given the seed; policies see contexts, choices and clicks, never probabilities, except for the
//! three that say so. LinUCB is left out: with 587 features its update alone takes a quarter of a million operations per
//! impression, and one model per combination sees too few clicks to learn a context.

mod beta;
mod fixed;
mod pool;
mod probit;

use crate::environment::Environment;

/// What a policy chose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The combination.
    pub combination: usize,
    /// How probable that was, where the policy knows.
    pub propensity: Option<f64>,
}

/// An impression that has been shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Number of the impression in its run.
    pub step: u64,
    /// Context it was shown in.
    pub context: usize,
    /// What was shown.
    pub combination: usize,
}

/// A way of choosing.
pub trait Policy {
    /// Chooses for impression `step`. Between two calls of [`Policy::learn`] nothing is learned.
    fn choose(&mut self, context: usize, step: u64) -> Choice;

    /// Takes what a batch has shown, and the clicks that have arrived since the last one, oldest first. A click may be of
    /// an earlier batch, may never come, and may come twice.
    fn learn(&mut self, shown: &[Shown], clicks: &[Shown]);
}

/// Names of the policies that [`named`] makes.
pub const NAMES: [&str; 9] = [
    "uniform",
    "generic",
    "best-static",
    "oracle",
    "epsilon-greedy",
    "beta-combination",
    "beta-slot",
    "beta-slot-segment",
    "probit",
];

/// The policy of a name, for a run in an environment.
pub fn named(name: &str, environment: &Environment, run_seed: u64) -> Option<Box<dyn Policy>> {
    let slots = &environment.slots;
    let baselines = environment.baselines();
    Some(match name {
        "uniform" => Box::new(fixed::Uniform::new(environment.combinations, run_seed)),
        "generic" => Box::new(fixed::Static::new(baselines.generic.0)),
        "best-static" => Box::new(fixed::Static::new(baselines.best_static.0)),
        "oracle" => Box::new(fixed::Oracle::new(environment)),
        "epsilon-greedy" => Box::new(fixed::EpsilonGreedy::new(environment.combinations, run_seed)),
        "beta-combination" => Box::new(beta::PerCombination::new(environment.combinations, run_seed)),
        "beta-slot" => Box::new(beta::PerSlot::new(slots, false, run_seed)),
        "beta-slot-segment" => Box::new(beta::PerSlot::new(slots, true, run_seed)),
        "probit" => Box::new(probit::Probit::new(slots, run_seed)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Preset;

    #[test]
    fn every_name_makes_a_policy_that_chooses_what_exists() {
        let environment = Environment::new(&Preset { slots: vec![2, 3], ..Preset::core() }, 3);
        for name in NAMES {
            let mut policy = named(name, &environment, 5).unwrap();
            for step in 0..300 {
                let context = environment.context(5, step);
                let choice = policy.choose(context, step);
                assert!(choice.combination < 6, "{name}");
                assert!(choice.propensity.is_none_or(|p| p > 0.0 && p <= 1.0), "{name}");
                let shown = Shown { step, context, combination: choice.combination };
                // Every other impression is clicked, some twice.
                let clicks = vec![shown; [0, 1, 0, 2][(step % 4) as usize]];
                policy.learn(&[shown], &clicks);
            }
        }
        assert!(named("unheard-of", &environment, 5).is_none());
    }
}
