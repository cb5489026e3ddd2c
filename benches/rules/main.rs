//! How long a request takes to find all rules that match it: our index beside other ways and other engines.
//!
//! The workload of `tessera_fixtures::workload` at four sizes and in two profiles. Before anything is timed, every
//! engine's matches are compared with a tree walk in Kleene's logic on every request. Times are processor time of the
//! thread, medians of rounds in which all engines take turns, so that a machine that slows down slows all; ratios are to
//! the floor of the same run. `cargo xtask record rules` writes the page.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench speaks to a terminal")]

mod floor;
mod ours;
mod page;
mod peers;
mod timing;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tessera_fixtures::workload::events::{Event, events};
use tessera_fixtures::workload::rules::{Expression, rules, truth};
use tessera_fixtures::workload::{Profile, RULES_SEED, TEST_SEED, TRAIN_SEED};

use self::timing::{Runner, cpu_time};

/// Requests that are compared and timed.
const EVENTS: usize = 300;
/// Requests that statistics are gathered from.
const TRAIN_EVENTS: usize = 2_000;
/// Rules above which an engine is left out: it would build or run for minutes.
const A_TREE_RULES_MAX: usize = 10_000;
const CEL_RULES_MAX: usize = 10_000;

/// What was measured of one rule set.
struct Row {
    rules: usize,
    profile: Profile,
    matches_per_event: f64,
    /// Name of the engine and nanoseconds per request.
    times: Vec<(&'static str, f64)>,
    build: ours::Build,
    /// Name of the peer and how long it took to read the rules.
    peers: Vec<(&'static str, Duration)>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse()?;
    let mut rows = Vec::new();
    for rules in &options.sizes {
        for profile in [Profile::Broad, Profile::Narrow] {
            eprintln!("{rules} rules, {profile:?}");
            let row = measure(*rules, profile, &options)?;
            eprintln!("{}", page::line(&row));
            rows.push(row);
        }
    }
    print!("{}", page::render(&rows, EVENTS, TRAIN_EVENTS));
    Ok(())
}

struct Options {
    sizes: Vec<usize>,
    has_peers: bool,
    has_statistics: bool,
    /// Empty for all.
    engines: Vec<String>,
    batch: Duration,
    rounds: usize,
    seeds: (u64, u64),
}

impl Options {
    /// `--sizes 100,1000 --engines floor,index --no-peers --no-statistics --confirm --quick`; cargo's own `--bench` is ignored.
    fn parse() -> anyhow::Result<Options> {
        let mut options = Options {
            sizes: vec![100, 1_000, 10_000, 100_000],
            has_peers: true,
            has_statistics: true,
            engines: Vec::new(),
            batch: Duration::from_millis(60),
            rounds: 9,
            seeds: (RULES_SEED, TEST_SEED),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--sizes" => {
                    let sizes = words.next().context("--sizes needs numbers")?;
                    let sizes: Result<Vec<usize>, _> = sizes.split(',').map(str::parse).collect();
                    options.sizes = sizes.context("--sizes takes numbers")?;
                }
                "--engines" => {
                    let engines = words.next().context("--engines needs names")?;
                    options.engines = engines.split(',').map(str::to_owned).collect();
                }
                "--no-peers" => options.has_peers = false,
                "--no-statistics" => options.has_statistics = false,
                "--confirm" => options.seeds = tessera_fixtures::workload::CONFIRMATION_SEEDS,
                "--quick" => (options.batch, options.rounds) = (Duration::from_millis(20), 3),
                "--bench" => {}
                other => anyhow::bail!("unknown option `{other}`"),
            }
        }
        Ok(options)
    }
}

/// Matching rules of each request, ascending.
type Matches = Vec<Vec<u32>>;

fn measure(count: usize, profile: Profile, options: &Options) -> anyhow::Result<Row> {
    let rules = rules(count, profile, options.seeds.0);
    let test = events(EVENTS, options.seeds.1);
    let expected = reference(&rules, &test);
    let train = events(TRAIN_EVENTS, TRAIN_SEED);
    let (ours, build) = ours::Ours::build(&rules, &train, &test, options.has_statistics)?;
    check("index", &ours.matches(true), &expected)?;
    check("code", &ours.matches(false), &expected)?;
    let mut peers = Vec::new();
    let (mut a_tree, mut cel) = (None, None);
    if options.has_peers && count <= A_TREE_RULES_MAX {
        let (built, time) = cpu_time(|| peers::ATreePeer::build(&rules, &test));
        let built = a_tree.insert(built?);
        check("a-tree", &built.matches(), &expected)?;
        peers.push(("a-tree", time));
    }
    if options.has_peers && count <= CEL_RULES_MAX {
        let (built, time) = cpu_time(|| peers::CelPeer::build(&rules, &test));
        let built = cel.insert(built?);
        check("cel", &built.matches(), &expected)?;
        peers.push(("cel", time));
    }
    let floor = floor::Floor::new(&ours.program, &expected);
    let (mut by_index, mut by_code, mut ids) = (ours.runner(), ours.runner(), ours.runner());
    let mut runner = Runner::new(options.batch, options.rounds, EVENTS);
    runner.add("floor", |event| floor.read(&ours.frames[event]));
    runner.add("floor, matches written", |event| {
        floor.read(&ours.frames[event]).wrapping_add(floor.write(event))
    });
    runner.add("index", |event| ids.index_ids(event));
    runner.add("index, as bits", |event| by_index.index(event));
    runner.add("code", |event| by_code.code(event));
    runner.add("tree walk", |event| {
        rules.iter().filter(|rule| truth(rule, &test[event]) == Some(true)).count() as u64
    });
    if let Some(a_tree) = &a_tree {
        runner.add("a-tree", |event| a_tree.count(event));
    }
    if let Some(cel) = &cel {
        runner.add("cel", |event| cel.count(event));
    }
    runner.keep(&options.engines);
    let matches: usize = expected.iter().map(Vec::len).sum();
    let matches_per_event = matches as f64 / EVENTS as f64;
    Ok(Row { rules: count, profile, matches_per_event, times: runner.run(), build, peers })
}

fn reference(rules: &[Expression], events: &[Event]) -> Matches {
    let of_one = |event: &Event| {
        (0u32..).zip(rules).filter(|(_, rule)| truth(rule, event) == Some(true)).map(|(id, _)| id).collect()
    };
    events.iter().map(of_one).collect()
}

fn check(engine: &str, found: &Matches, expected: &Matches) -> anyhow::Result<()> {
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        ensure!(found == expected, "{engine} disagrees with the reference on request {number}");
    }
    ensure!(found.len() == expected.len(), "{engine} answered {} requests", found.len());
    Ok(())
}
