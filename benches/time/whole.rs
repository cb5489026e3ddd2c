//! What a whole decision costs in process: consent, admission and decision, in a shop of 1,000 rules and 50 campaigns.
//!
//! Time is the median of rounds in which the cases take turns; instructions are counted by callgrind, as the difference
//! between a long and a short run of the same case; allocations by a counting allocator. "Remembered" decides for contexts
//! seen since the last posteriors; "searched" alternates between two posterior tables, so that every decision looks for the
//! best combination under each of 64 draws anew. Prints a table; `cargo xtask record whole` writes it down.
#![allow(clippy::print_stdout, reason = "a bench speaks to a terminal")]

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use tessera_benches::shop::large_shop;
use tessera_benches::{NOW_MS, own_consent, traits, visitor, with_models};
use tessera_engine_core::admit::admit;
use tessera_engine_core::consent::{ConsentInputs, Policy, evaluate};
use tessera_engine_core::decide::decide;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::PlacementRequest;
use tessera_engine_core::signals::RawSignals;
use tessera_engine_core::snapshot::Snapshot;
use tessera_fixtures::counting_alloc::{CountingAllocator, heap_calls};
use tessera_rulevm::Frame;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const ROUNDS: usize = 31;
const DECISIONS: u64 = 2_000;
/// Decisions of the long counted run beyond those of the short one.
const COUNTED: u64 = 2_000;
const WARM_UP: u64 = 1_000;

struct Case {
    name: &'static str,
    slots: &'static [usize],
    placements: usize,
    is_searched: bool,
}

const CASES: [Case; 7] = [
    Case { name: "250 combinations, remembered", slots: &[5, 10, 5], placements: 1, is_searched: false },
    Case {
        name: "250 combinations, remembered, 2 placements",
        slots: &[5, 10, 5],
        placements: 2,
        is_searched: false,
    },
    Case { name: "1,250 combinations, remembered", slots: &[5, 10, 5, 5], placements: 1, is_searched: false },
    Case {
        name: "10,000 combinations, remembered",
        slots: &[10, 10, 10, 10],
        placements: 1,
        is_searched: false,
    },
    Case { name: "250 combinations, searched", slots: &[5, 10, 5], placements: 1, is_searched: true },
    Case { name: "1,250 combinations, searched", slots: &[5, 10, 5, 5], placements: 1, is_searched: true },
    Case {
        name: "10,000 combinations, searched",
        slots: &[10, 10, 10, 10],
        placements: 1,
        is_searched: true,
    },
];

/// A case with everything that lives across decisions.
struct Run {
    snapshots: Vec<Snapshot>,
    frame: Frame,
    scratch: Scratch,
    placements: Vec<PlacementRequest<'static>>,
    seed: u64,
}

impl Run {
    fn new(case: &Case) -> anyhow::Result<Run> {
        let bundle = large_shop(case.slots).bundle()?;
        let tables = if case.is_searched { 1..=2 } else { 1..=1 };
        let snapshots = tables.map(|generation| with_models(&bundle, generation)).collect();
        let placement = PlacementRequest { slot: "home_hero", count: 1, ..PlacementRequest::default() };
        let (frame, scratch) = (Frame::new(bundle.program()), Scratch::new(bundle.program()));
        Ok(Run { snapshots, frame, scratch, placements: vec![placement; case.placements], seed: 0 })
    }

    fn decide(&mut self, visitor: &RawSignals<'_>, own: &ConsentInputs<'_>, policy: &Policy, count: u64) {
        for _ in 0..count {
            self.seed += 1;
            let snapshot = &self.snapshots[self.seed as usize % self.snapshots.len()];
            let program = snapshot.bundle().program();
            let key = self.seed % 64;
            let raw = RawSignals { sticky_key: Some(key), subject: u128::from(key) + 1, ..visitor.clone() };
            let outcome = evaluate(black_box(own), policy, NOW_MS);
            let admitted =
                admit(program, black_box(&raw), &self.placements, &outcome, NOW_MS, &mut self.frame);
            black_box(decide(snapshot, &admitted, NOW_MS, self.seed, &mut self.scratch).ads.len());
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` must not take a minute.
    if arguments.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    let (policy, own, traits) = (Policy::default(), own_consent(), traits());
    let visitor = visitor(7, &traits);
    let decide = |run: &mut Run, count: u64| run.decide(&visitor, &own, &policy, count);
    if let Some(at) = arguments.iter().position(|argument| argument == "--counted") {
        let number: usize = arguments.get(at + 1).context("--counted CASE DECISIONS")?.parse()?;
        let decisions: u64 = arguments.get(at + 2).context("--counted CASE DECISIONS")?.parse()?;
        decide(&mut Run::new(&CASES[number])?, WARM_UP + decisions);
        return Ok(());
    }
    let mut runs = CASES.iter().map(Run::new).collect::<anyhow::Result<Vec<Run>>>()?;
    runs.iter_mut().for_each(|run| decide(run, WARM_UP));
    let mut times = vec![Vec::new(); runs.len()];
    for _ in 0..ROUNDS {
        for (run, times) in runs.iter_mut().zip(&mut times) {
            let started = Instant::now();
            decide(run, DECISIONS);
            times.push(started.elapsed().as_secs_f64() * 1e9 / DECISIONS as f64);
        }
    }
    println!(
        "| whole decision | median | instructions | allocations and frees |\n| --- | ---: | ---: | ---: |"
    );
    for (number, case) in CASES.iter().enumerate() {
        times[number].sort_unstable_by(f64::total_cmp);
        let ((), allocated) = heap_calls(|| decide(&mut runs[number], DECISIONS));
        let instructions = match instructions(number)? {
            Some(instructions) => format!("{instructions:.0}"),
            None => "no valgrind".to_owned(),
        };
        println!(
            "| {} | {:.2} µs | {instructions} | {allocated} |",
            case.name,
            times[number][ROUNDS / 2] / 1e3
        );
    }
    Ok(())
}

/// Instructions per decision, if valgrind is there to count them.
fn instructions(case: usize) -> anyhow::Result<Option<f64>> {
    let count = |decisions: u64| -> anyhow::Result<Option<f64>> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
        command.args(["--counted", &case.to_string(), &decisions.to_string()]);
        let Ok(output) = command.output() else { return Ok(None) };
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find_map(|line| line.split_once("Collected :"));
        let (_, collected) = line.with_context(|| format!("callgrind counted nothing: {text}"))?;
        Ok(Some(collected.trim().parse()?))
    };
    let (Some(short), Some(long)) = (count(0)?, count(COUNTED)?) else { return Ok(None) };
    Ok(Some((long - short) / COUNTED as f64))
}
