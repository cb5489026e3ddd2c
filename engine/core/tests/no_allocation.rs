//! A decision needs no heap: from consent over rules to the chosen combination, nothing is allocated, grown or freed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use support::visit::Visit;
use support::{demo, posteriors};
use tessera_engine_core::admit::admit;
use tessera_engine_core::budget::Funds;
use tessera_engine_core::consent::{Policy, evaluate};
use tessera_engine_core::decide::decide;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::{Filter, PlacementRequest, RawSignals};
use tessera_engine_core::snapshot::Snapshot;
use tessera_engine_core::standing::Standing;
use tessera_engine_core::switches::Switches;
use tessera_fixtures::counting_alloc::{CountingAllocator, heap_calls};
use tessera_rulevm::Frame;
use tessera_wire::bundle::Bundle;
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

/// The demo with everything that limits a campaign.
fn limited() -> Bundle {
    let limits = "caps = [{ count = 2, per = \"day\" }, { count = 9, per = \"week\", when_unknown = \"block\" }]\n\
        goal = { total = 9 }\nexclusion_groups = [\"g\"]\nat_most_per_answer = 2\n";
    let sources = tessera_fixtures::DEMO_SOURCES.map(|(path, text)| {
        let parts: Vec<String> = text.split("[[campaign]]\n").map(str::to_owned).collect();
        (path, parts.join(&format!("[[campaign]]\n{limits}")))
    });
    let sources: Vec<(&str, &str)> = sources.iter().map(|(path, text)| (*path, text.as_str())).collect();
    support::compiled(&sources)
}

#[test]
fn limits_neither_allocate_nor_free() {
    assert_free_of_the_heap(limited());
}

#[test]
fn ranks_of_flights_neither_allocate_nor_free() {
    let mut bundle = limited();
    for (number, flight) in (0i16..).zip(&mut bundle.catalog.flights) {
        (flight.priority, flight.weight) = (number / 2, 3);
    }
    assert_free_of_the_heap(bundle);
}

fn assert_free_of_the_heap(bundle: Bundle) {
    let snapshot = Snapshot::new(Arc::new(support::loaded(bundle)), &PosteriorTable::default());
    let program = snapshot.bundle().program();
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    let words: Vec<_> = ["autumn", "club"].map(std::borrow::Cow::Borrowed).into();
    let mut codes = std::collections::HashSet::new();
    let mut total = 0;
    for number in 0..2_000u64 {
        let mut visit = Visit::new(number);
        for (at, placement) in visit.placements.iter_mut().enumerate() {
            placement.floor_micros = i64::from((number + at as u64).is_multiple_of(17));
        }
        let filter = Filter { exclude_campaign_ids: &words, ..Filter::default() };
        let placements: Vec<_> = visit
            .placements
            .iter()
            .map(|one| PlacementRequest { filter: number.is_multiple_of(13).then_some(filter), ..*one })
            .collect();
        let features = [Some((number % 3) as u32); 16];
        let raw = RawSignals { features: &features, ..visit.raw() };
        let funds = [Funds { available: (number % 4) as i64, entry_ppm: 500_000 }; 16];
        let switches = Switches::default();
        let standing = Standing { funds: &funds, switches: Some(&switches) };
        let (decision, calls) = heap_calls(|| {
            let outcome = evaluate(&visit.consent, &Policy::default(), visit.now_ms);
            let admitted = admit(program, &raw, &placements, &outcome, visit.now_ms, &mut frame);
            decide(&snapshot, &admitted.with_standing(standing), visit.now_ms, visit.seed, &mut scratch)
        });
        total += if number == 0 { 0 } else { calls };
        codes.extend(decision.placements.iter().filter_map(|one| one.no_fill).map(|loss| loss.code()));
    }
    assert_eq!(total, 0);
    for code in ["cap_reached", "budget_exhausted", "paced_out", "filtered"] {
        assert!(codes.contains(code), "no visit met `{code}`: {codes:?}");
    }
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
