//! What a million remembered visitors take: resident memory, beside what the store believes, and how long reading one takes.
//!
//! Prints a table; `cargo xtask record visitors` writes it down.
#![allow(clippy::print_stdout, reason = "a bench speaks to a terminal")]

use std::time::Instant;

use anyhow::Context as _;
use tessera_engine::user_store::{Change, CountKey, CountPlan, KeyRegistry, UserStore, UserView};
use tessera_engine_core::hash::draw;
use tessera_wire::program::{Feature, FeatureEvent, FeatureSubject, Program, SourceMap, Window};

const VISITORS: u64 = 1_000_000;
const NOW_MS: i64 = 1_795_132_800_000;
const READS: u64 = 2_000_000;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` must not take a minute.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let before = resident_bytes()?;
    let (store, plan) = filled();
    let resident = resident_bytes()?.saturating_sub(before) as f64;
    println!("| resident | per visitor | the store's own estimate |\n| ---: | ---: | ---: |");
    let visitors = VISITORS as f64;
    println!(
        "| {:.0} MB | {:.0} B | {:.0} MB |",
        resident / 1e6,
        resident / visitors,
        store.bytes() as f64 / 1e6
    );
    read(&store, &plan);
    Ok(())
}

/// Visitors who saw a product, three in ten of them with a cart, and each with four counted events.
fn filled() -> (UserStore, CountPlan) {
    let store = UserStore::new(1 << 30, KeyRegistry::default());
    let feature = |name: &str, window| Feature {
        event: FeatureEvent::Behaviour(name.to_owned()),
        subject: FeatureSubject::Any,
        subject_id: String::new(),
        window,
        bucket_ms: 60_000,
    };
    let features = vec![feature("search", Window::Today), feature("price_drop", Window::LastMs(86_400_000))];
    let plan =
        CountPlan::new(&Program { features, ..Program::default() }, &SourceMap::default(), &store.keys);
    for visitor in 0..VISITORS {
        let subject = subject(visitor);
        let at_ms = NOW_MS - (draw(1, visitor) % 86_400_000) as i64;
        let product = format!("sku-{:06}", draw(2, visitor) % 50_000);
        store.apply(subject, Change::ProductView { product_id: &product }, None, at_ms);
        if draw(3, visitor) % 10 < 3 {
            store.apply(
                subject,
                Change::Cart { value: Some((49_900_000, *b"EUR")), items: Some(2) },
                None,
                at_ms,
            );
        }
        for stamp in 0..4 {
            let key = CountKey((draw(4 + stamp, visitor) % 50) as u32);
            store.count_all(subject, &[key], at_ms);
        }
    }
    (store, plan)
}

/// Two features and the behaviour of visitors at random: each is a miss of the processor's caches.
fn read(store: &UserStore, plan: &CountPlan) {
    let mut view = UserView::default();
    let mut seen = 0u64;
    let started = Instant::now();
    for number in 0..READS {
        store.read(subject(draw(9, number) % VISITORS), plan, NOW_MS, NOW_MS - 3_600_000, &mut view);
        seen += u64::from(view.features.iter().flatten().sum::<u32>());
    }
    let nanos = started.elapsed().as_secs_f64() * 1e9 / READS as f64;
    println!("\nReading two counts of a visitor taken at random: {nanos:.0} ns (checksum {seen}).");
}

fn subject(visitor: u64) -> u128 {
    u128::from(draw(7, visitor)) << 64 | u128::from(draw(8, visitor)) | 1
}

/// Resident memory of this process, from `/proc`.
fn resident_bytes() -> anyhow::Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("resident memory is read from /proc")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("/proc has no VmRSS")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).context("VmRSS is empty")?.parse()?;
    Ok(kilobytes * 1_024)
}
