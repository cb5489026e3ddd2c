//! A decision needs no heap: from consent over rules to the chosen combination, nothing is allocated, grown or freed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use support::visit::Visit;
use support::{demo, posteriors};
use tessera_engine_core::admit::admit;
use tessera_engine_core::consent::{Policy, evaluate};
use tessera_engine_core::decide::decide;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::snapshot::Snapshot;
use tessera_fixtures::counting_alloc::{CountingAllocator, heap_calls};
use tessera_rulevm::Frame;
use tessera_wire::event::{Arm, Mode, Tier};
use tessera_wire::posterior::PosteriorTable;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const VISITS: u64 = 10_000;

/// What the visits must have led to, so that "no allocation" is said of every path.
#[derive(Default)]
struct Seen {
    arms: std::collections::HashSet<Arm>,
    tiers: std::collections::HashSet<Tier>,
    modes: std::collections::HashSet<Mode>,
    no_fills: std::collections::HashSet<&'static str>,
    offers: usize,
    several: usize,
    choices: usize,
    notes: usize,
}

/// Heap calls of all visits after the first.
fn heap_calls_of(snapshot: &Snapshot, seen: &mut Seen) -> u64 {
    let program = snapshot.bundle().program();
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    let mut total = 0;
    for number in 0..=VISITS {
        let visit = Visit::new(number);
        let raw = visit.raw();
        let (decided, calls) = heap_calls(|| {
            let outcome = evaluate(&visit.consent, &Policy::default(), visit.now_ms);
            let admitted = admit(program, &raw, &visit.placements, &outcome, visit.now_ms, &mut frame);
            let mode = admitted.mode();
            (decide(snapshot, &admitted, visit.now_ms, visit.seed, &mut scratch), mode)
        });
        total += if number == 0 { 0 } else { calls };
        let (decision, mode) = decided;
        seen.modes.insert(mode);
        seen.arms.extend(decision.ads.iter().map(|ad| ad.arm));
        seen.tiers.extend(decision.ads.iter().map(|ad| ad.tier));
        seen.no_fills
            .extend(decision.placements.iter().filter_map(|one| one.no_fill).map(|loss| loss.code()));
        seen.offers += decision.ads.iter().filter(|ad| ad.offer.is_some()).count();
        seen.choices += decision.ads.iter().flat_map(|ad| ad.choices).flatten().count();
        seen.notes += decision.notes.len();
        seen.several += usize::from(decision.ads.len() > 1);
    }
    total
}

#[test]
fn ten_thousand_varied_decisions_neither_allocate_nor_free() {
    let bundle = Arc::new(demo());
    let learned = posteriors(&bundle, 3, 11, |template| template != "house_banner");
    let mut seen = Seen::default();
    for table in [PosteriorTable::default(), learned] {
        let snapshot = Snapshot::new(Arc::clone(&bundle), &table);
        assert_eq!(snapshot.ignored_models(), 0);
        assert_eq!(heap_calls_of(&snapshot, &mut seen), 0);
    }
    assert_eq!(seen.arms.len(), 4, "{:?}", seen.arms);
    assert_eq!(seen.tiers.len(), Tier::ALL.len(), "{:?}", seen.tiers);
    assert_eq!(seen.modes.len(), 4, "{:?}", seen.modes);
    for code in ["unknown_slot", "suppressed", "outside_schedule", "size_mismatch"] {
        assert!(seen.no_fills.contains(code), "no visit met `{code}`: {:?}", seen.no_fills);
    }
    assert!(seen.choices > 20 && seen.notes > 50, "{} choices, {} notes", seen.choices, seen.notes);
    assert!(
        seen.offers > 100 && seen.several > 100,
        "{} offers, {} with several ads",
        seen.offers,
        seen.several
    );
}

#[test]
fn a_worker_that_meets_a_new_bundle_allocates_once_and_then_never_again() {
    let small = Snapshot::new(Arc::new(support::loaded(Default::default())), &PosteriorTable::default());
    let bundle = Arc::new(demo());
    let large = Snapshot::new(Arc::clone(&bundle), &posteriors(&bundle, 3, 11, |_| true));
    let program = small.bundle().program();
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    let mut calls_by_visit = Vec::with_capacity(100);
    for number in 0..100 {
        let visit = Visit::new(number);
        let raw = visit.raw();
        let (_, calls) = heap_calls(|| {
            let outcome = evaluate(&visit.consent, &Policy::default(), visit.now_ms);
            let program = large.bundle().program();
            let admitted = admit(program, &raw, &visit.placements, &outcome, visit.now_ms, &mut frame);
            decide(&large, &admitted, visit.now_ms, visit.seed, &mut scratch).ads.len()
        });
        calls_by_visit.push(calls);
    }
    assert!(calls_by_visit[0] > 0, "the demo needs more room than an empty bundle");
    assert!(calls_by_visit[1..].iter().all(|calls| *calls == 0), "{calls_by_visit:?}");
}
