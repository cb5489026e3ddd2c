//! How long a bundle of 100,000 rules and 1,000 campaigns takes to become live, and what requests in flight feel of it.
//!
//! One thread decides without pause from whatever is live, another loads the bundle's bytes and publishes it, again and
//! again, as an engine's watcher does. Decisions are timed one by one; pauses without a swap show what the machine itself
//! costs. Prints a table; `cargo xtask record bundle` writes it down.
#![allow(clippy::print_stdout, reason = "a bench speaks to a terminal")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tessera_benches::shop::Shop;
use tessera_benches::{NOW_MS, PLACEMENTS, own_consent, traits, visitor};
use tessera_engine::snapshot_cell::SnapshotCell;
use tessera_engine::user_store::{KeyRegistry, UserStore};
use tessera_engine_core::admit::admit;
use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::consent::{Policy, evaluate};
use tessera_engine_core::decide::decide;
use tessera_engine_core::scratch::Scratch;
use tessera_rulevm::Frame;

const ROUNDS: usize = 7;
const CAMPAIGNS: usize = 1_000;
const RULES: usize = 100_000;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` must not take a minute.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let shop = Shop { campaigns: CAMPAIGNS, rules: RULES, slots: &[5, 10, 5], pins: false, excludes: false };
    let bytes = shop.bytes()?;
    println!("The bundle has {RULES} rules, {CAMPAIGNS} campaigns and {:.1} MB.\n", bytes.len() as f64 / 1e6);
    println!("| what | median | longest |\n| --- | ---: | ---: |");
    let mut loads = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let bundle = LoadedBundle::from_bytes(&bytes)?;
        loads.push(started.elapsed());
        drop(bundle);
    }
    line("loading: bytes to a verified, indexed bundle, alone", &mut loads);
    swapping(&bytes)
}

fn line(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!("| {what} | {:.3} ms | {:.3} ms |", millis(times.get(times.len() / 2)), millis(times.last()));
}

fn swapping(bytes: &[u8]) -> anyhow::Result<()> {
    let users = Arc::new(UserStore::new(1 << 20, KeyRegistry::default()));
    let cell = SnapshotCell::new(None, users);
    cell.publish_bundle(LoadedBundle::from_bytes(bytes)?);
    let (is_over, worst_ns) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut publishes, mut calm, mut loading, mut swapped) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let decider = scope.spawn(|| decide_until(&cell, &is_over, &worst_ns));
        let worst = || Duration::from_nanos(worst_ns.swap(0, Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(500));
        worst();
        for _ in 0..ROUNDS {
            std::thread::sleep(Duration::from_millis(400));
            calm.push(worst());
            let bundle = LoadedBundle::from_bytes(bytes)?;
            loading.push(worst());
            let started = Instant::now();
            cell.publish_bundle(bundle);
            publishes.push(started.elapsed());
            std::thread::sleep(Duration::from_millis(20));
            cell.reap();
            swapped.push(worst());
        }
        is_over.store(true, Ordering::Relaxed);
        let decided = decider.join().ok().context("the deciding thread stopped")?;
        line("making it live", &mut publishes);
        line("longest decision of 400 ms in which nothing happens", &mut calm);
        line("longest decision while it loads beside", &mut loading);
        line(
            "longest decision while it goes live and the old one is freed, first use included",
            &mut swapped,
        );
        println!(
            "\n{decided} decisions were made meanwhile. Longest decisions contain what else the machine does."
        );
        Ok(())
    })
}

/// Decides from what is live, noting the longest decision, pointer load and growth of scratch space included.
fn decide_until(cell: &SnapshotCell, is_over: &AtomicBool, worst_ns: &AtomicU64) -> u64 {
    let mut memory: Option<(Frame, Scratch)> = None;
    let (policy, own, traits) = (Policy::default(), own_consent(), traits());
    let mut decided = 0u64;
    while !is_over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let live = cell.load();
        if let Some(live) = live.as_ref() {
            let program = live.bundle().program();
            let (frame, scratch) = memory.get_or_insert_with(|| (Frame::new(program), Scratch::new(program)));
            let outcome = evaluate(&own, &policy, NOW_MS);
            let admitted =
                admit(program, &visitor(decided % 64, &traits), &PLACEMENTS, &outcome, NOW_MS, frame);
            std::hint::black_box(decide(live, &admitted, NOW_MS, decided, scratch).ads.len());
        }
        let nanos = started.elapsed().as_nanos() as u64;
        worst_ns.fetch_max(nanos, Ordering::Relaxed);
        decided += 1;
    }
    decided
}
