//! Prints the share of the oracle's lift that the learner reaches: `learning_curve [preset] [impressions] [seeds..]`.
//!
//! `cargo run --release -p tessera-loadtest --example learning_curve -- core 100000 101 102`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command for people")]

#[path = "../tests/support/mod.rs"]
mod support;

use tessera_loadtest::environment::{Environment, Preset};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let preset = match arguments.first().map(String::as_str) {
        Some("large") => Preset::large(),
        Some("inter") => Preset::inter(),
        Some("flat") => Preset::flat(),
        _ => Preset::core(),
    };
    let last: u64 = arguments.get(1).map_or(100_000, |text| text.parse().unwrap());
    let seeds: Vec<u64> = arguments.iter().skip(2).map(|text| text.parse().unwrap()).collect();
    let seeds = if seeds.is_empty() { (101..=110).collect() } else { seeds };
    let marks: Vec<u64> =
        [10_000, 30_000, 100_000, 300_000, 1_000_000].into_iter().filter(|mark| *mark <= last).collect();
    let mut sums = vec![0.0; marks.len()];
    for seed in &seeds {
        let environment = Environment::new(&preset, *seed);
        let outcomes = support::play(&environment, 1_000 + seed, &marks);
        print!("seed {seed}");
        for ((mark, outcome), sum) in marks.iter().zip(&outcomes).zip(&mut sums) {
            *sum += outcome.frac_lift / seeds.len() as f64;
            print!("  {mark}: {:.3} ({:.2}x)", outcome.frac_lift, outcome.over_generic);
        }
        let end = outcomes.last().unwrap();
        println!("  {} refits of {:.0} ms", end.refits, end.refit_ms);
    }
    println!("mean {}", sums.iter().map(|sum| format!("{sum:.3}")).collect::<Vec<_>>().join(" "));
}
