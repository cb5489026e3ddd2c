//! `tessera simulate`: the product plays a world of known taste, beside other ways of choosing.
//!
//! Guarantees: the same arguments print the same numbers on any machine, however many cores it has. Seeds are played side
//! by side, one per core. Files are written when everything has been played, each whole or not at all.

mod product;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use tessera_loadtest::environment::Preset;
use tessera_loadtest::plot;
use tessera_loadtest::policies::{self, Policy};
use tessera_loadtest::simulate::summary::{Played, csv, table};
use tessera_loadtest::simulate::{IMPRESSIONS_MAX, Run, Troubles, World, run_seed};

use super::build::replace;
use super::{complain, say};
use product::{Product, Terms};

/// Seeds of one simulation: each holds a world of some megabytes while it plays.
const SEEDS_MAX: usize = 1_000;
/// What is played unless policies are named.
const DEFAULT_POLICIES: &str = "tessera,beta-slot-segment,probit,beta-slot,best-static,generic,uniform";
/// The product's name among the policies.
const PRODUCT: &str = "tessera";

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The world: core, large, inter or flat
    #[arg(long, default_value = "core", value_parser = parse_preset)]
    preset: (String, Preset),
    /// Seeds of the worlds: a range such as 101..120, both ends included, or a list such as 1,2,5
    #[arg(long, default_value = "101..120", value_parser = parse_seeds)]
    seeds: Seeds,
    /// Impressions of each run
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=IMPRESSIONS_MAX))]
    impressions: u64,
    /// Who plays, separated by commas; `tessera` is the product, the others are uniform, generic, best-static, oracle,
    /// epsilon-greedy, beta-combination, beta-slot, beta-slot-segment and probit
    #[arg(long, default_value = DEFAULT_POLICIES, value_delimiter = ',')]
    policies: Vec<String>,
    /// Write every point of every run as comma-separated values
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw the learning curves
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Mean delay of a click, in impressions
    #[arg(long, default_value_t = 0.0)]
    delay: f64,
    /// Share of clicks that never arrive, from 0 to 1
    #[arg(long, default_value_t = 0.0)]
    lost: f64,
    /// Share of clicks that arrive twice, from 0 to 1
    #[arg(long, default_value_t = 0.0)]
    duplicated: f64,
    /// Share of impressions that go to bots nobody has recognised, from 0 to 1
    #[arg(long, default_value_t = 0.0)]
    bots: f64,
    /// Impressions of a day in which dayparts follow one another; without, they come at random
    #[arg(long)]
    day: Option<u64>,
    /// Impressions in which tastes turn into those of another world; without, they stay
    #[arg(long)]
    drift: Option<u64>,
    /// Impressions in which the product's statistics lose half their weight; without, they keep it
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=IMPRESSIONS_MAX))]
    half_life: Option<u64>,
    /// Share of the product's choices that are made uniformly at random, such as 1%; the references have none
    #[arg(long, default_value = "0%")]
    exploration: String,
}

/// Seeds, each once, in the order given.
#[derive(Debug, Clone, PartialEq)]
struct Seeds(Vec<u64>);

/// Plays everything and reports.
pub(crate) fn run(arguments: &SimulateArgs) -> anyhow::Result<ExitCode> {
    for name in &arguments.policies {
        let known = name == PRODUCT || policies::NAMES.contains(&name.as_str());
        ensure!(known, "there is no policy `{name}`; there are {PRODUCT}, {}", policies::NAMES.join(", "));
    }
    let runs = play_all(arguments)?;
    let played: Vec<Played> = arguments
        .policies
        .iter()
        .enumerate()
        .map(|(number, policy)| Played {
            policy: policy.clone(),
            runs: runs.iter().map(|of_seed| of_seed[number].clone()).collect(),
        })
        .collect();
    let title = format!(
        "preset {}, {} impressions, {} seeds",
        arguments.preset.0,
        arguments.impressions,
        arguments.seeds.0.len()
    );
    say(&format!("Share of the oracle's lift, {title} (mean ± 95 % interval over seeds)\n"));
    say(table(&played, arguments.impressions).trim_end());
    let files = [(&arguments.csv, csv(&played)), (&arguments.svg, plot::svg(&title, &played))];
    for (path, text) in files {
        if let Some(path) = path {
            replace(path, text.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The runs of all policies, seed by seed.
fn play_all(arguments: &SimulateArgs) -> anyhow::Result<Vec<Vec<Run>>> {
    let seeds = &arguments.seeds.0;
    let results: Vec<Mutex<Option<anyhow::Result<Vec<Run>>>>> =
        seeds.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(seed), Some(result)) = (seeds.get(number), results.get(number)) else { break };
                    let played = play(arguments, *seed);
                    if let Ok(mut place) = result.lock() {
                        *place = Some(played);
                    }
                }
            });
        }
    });
    let result = |place: Mutex<Option<anyhow::Result<Vec<Run>>>>| {
        place.into_inner().ok().flatten().unwrap_or_else(|| bail!("a run ended without a result"))
    };
    results.into_iter().map(result).collect()
}

fn play(arguments: &SimulateArgs, seed: u64) -> anyhow::Result<Vec<Run>> {
    let troubles = Troubles {
        delay: arguments.delay,
        lost: arguments.lost,
        duplicated: arguments.duplicated,
        bots: arguments.bots,
        day: arguments.day,
        drift: arguments.drift,
    };
    let world = World::new(&arguments.preset.1, seed, troubles)?;
    let terms = Terms { exploration: &arguments.exploration, half_life: arguments.half_life };
    let runs = arguments.policies.iter().map(|name| {
        let mut policy: Box<dyn Policy> = if name == PRODUCT {
            Box::new(Product::new(&world.environment().slots, run_seed(seed), &terms)?)
        } else {
            policies::named(name, world.environment(), run_seed(seed))
                .ok_or_else(|| anyhow!("there is no policy `{name}`"))?
        };
        Ok(world.play(policy.as_mut(), arguments.impressions))
    });
    let runs = runs.collect();
    complain(&format!("seed {seed} played"));
    runs
}

fn parse_preset(text: &str) -> Result<(String, Preset), String> {
    let preset = Preset::named(text).ok_or_else(|| format!("there are {}", Preset::NAMES.join(", ")))?;
    Ok((text.to_owned(), preset))
}

fn parse_seeds(text: &str) -> Result<Seeds, String> {
    const HELP: &str = "write a range such as 101..120 or a list such as 1,2,5";
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| HELP.to_owned());
    let seeds: Vec<u64> = match text.split_once("..") {
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last || last - first >= SEEDS_MAX as u64 {
                return Err(format!("a range goes upwards and holds at most {SEEDS_MAX} seeds"));
            }
            (first..=last).collect()
        }
        None => text.split(',').map(number).collect::<Result<_, _>>()?,
    };
    let mut sorted = seeds.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() != seeds.len() || seeds.len() > SEEDS_MAX {
        return Err(format!("each seed stands once, and there are at most {SEEDS_MAX}"));
    }
    Ok(Seeds(seeds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_ranges_or_lists() {
        assert_eq!(parse_seeds("101..103"), Ok(Seeds(vec![101, 102, 103])));
        assert_eq!(parse_seeds("7"), Ok(Seeds(vec![7])));
        assert_eq!(parse_seeds("5, 2"), Ok(Seeds(vec![5, 2])));
        for bad in ["", "x", "3..1", "1,1", "1..", "0..18446744073709551615"] {
            assert!(parse_seeds(bad).is_err(), "{bad}");
        }
    }
}
