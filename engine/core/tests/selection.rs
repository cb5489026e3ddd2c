//! Choosing a combination: the propensity is what really happens, and what a worker remembers changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use support::{Dice, NOW_MS, compiled, loaded, posteriors};
use tessera_engine_core::admit::admit;
use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::consent::{Outcome, Reason, Regimes};
use tessera_engine_core::decide::{Ad, decide};
use tessera_engine_core::limits::MEMO_ENTRIES;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::{Device, PlacementRequest, RawSignals};
use tessera_engine_core::snapshot::Snapshot;
use tessera_rulevm::Frame;
use tessera_wire::bundle::Bundle;
use tessera_wire::catalog::TemplateId;
use tessera_wire::event::Mode;
use tessera_wire::posterior::PosteriorTable;
use tessera_wire::signal::Gates;

const COUNTRIES: [&str; 24] = [
    "RO", "DE", "FR", "GB", "US", "BR", "JP", "IT", "ES", "PT", "NL", "BE", "AT", "CH", "PL", "CZ", "SK",
    "HU", "BG", "GR", "SE", "NO", "FI", "DK",
];
const LANGUAGES: [&str; 14] =
    ["ro", "de", "fr", "en", "pt", "ja", "it", "es", "nl", "pl", "cs", "sk", "hu", "el"];
const DEVICES: [&str; 3] = ["mobile", "desktop", "tablet"];
/// 25 countries, 15 languages and 4 devices, each with "unknown": more contexts than a worker remembers.
const CONTEXTS: usize = 25 * 15 * 4;

const RULES: &str = "language 1\nrule \"all\" for placement \"p\" contextual { then show template \"t\" }\n";

/// One template with 2 x 3 x 2 combinations, and the wide context.
fn bundle(generation: u64, exploration: &str, first_slot: &str) -> LoadedBundle {
    let mut catalog = String::from(
        "[[placement]]\nid = \"p\"\n[[campaign]]\nid = \"c\"\nlanding_url = \"https://x.example/\"\n",
    );
    catalog.push_str("[[flight]]\nid = \"f\"\ncampaign = \"c\"\nstart = \"2026-01-01T00:00:00Z\"\nend = \"2027-01-01T00:00:00Z\"\n");
    for asset in ["a", "b", "c"] {
        catalog.push_str(&format!("[[asset]]\nid = \"{asset}\"\ntext = \"{asset}\"\n"));
    }
    catalog
        .push_str(&format!("[[template]]\nid = \"t\"\ncampaign = \"c\"\nexploration = \"{exploration}\"\n"));
    for (slot, assets) in [(first_slot, r#"["a", "b"]"#), ("y", r#"["a", "b", "c"]"#), ("z", r#"["a", "b"]"#)]
    {
        catalog.push_str(&format!("[[template.slot]]\nname = \"{slot}\"\nassets = {assets}\n"));
    }
    let fields = [("country", &COUNTRIES[..]), ("language", &LANGUAGES[..]), ("device.type", &DEVICES[..])];
    for (signal, values) in fields {
        catalog.push_str(&format!(
            "[[template.context]]\nname = \"{signal}\"\nsignal = \"{signal}\"\nvalues = {values:?}\n"
        ));
    }
    loaded(Bundle { generation, ..compiled(&[("catalog.toml", &catalog), ("all.rules", RULES)]) })
}

/// The one ad of a visitor in the `context`-th context.
fn ad(snapshot: &Snapshot, context: usize, seed: u64, frame: &mut Frame, scratch: &mut Scratch) -> Ad {
    let (country, language, device) = (context % 25, context / 25 % 15, context / 375 % 4);
    let raw = RawSignals {
        country: COUNTRIES.get(country).copied(),
        language: LANGUAGES.get(language).copied(),
        device: (device < 3).then_some(Device { kind: device as u8, os: 0, browser: 0 }),
        ..RawSignals::default()
    };
    let outcome =
        Outcome { gates: Gates::ALL, mode: Mode::Full, regimes: Regimes::NONE, reason: Reason::Granted };
    let placements = [PlacementRequest { slot: "p", count: 1, formats: &[], ..PlacementRequest::default() }];
    let admitted = admit(snapshot.bundle().program(), &raw, &placements, &outcome, NOW_MS, frame);
    decide(snapshot, &admitted, NOW_MS, seed, scratch).ads[0]
}

fn memory(snapshot: &Snapshot) -> (Frame, Scratch) {
    let program = snapshot.bundle().program();
    (Frame::new(program), Scratch::new(program))
}

#[test]
fn how_often_a_combination_is_shown_is_its_propensity() {
    const SEEDS: u64 = 20_000;
    for (exploration, is_learned) in [("0%", true), ("20%", true), ("100%", true), ("20%", false)] {
        let bundle = Arc::new(bundle(1, exploration, "x"));
        let table = posteriors(&bundle, 1, 5, |_| is_learned);
        let snapshot = Snapshot::new(bundle, &table);
        let (mut frame, mut scratch) = memory(&snapshot);
        for context in [0, 7, 400, 1_499] {
            let mut shown = [0u32; 12];
            let mut propensities = [None; 12];
            for seed in 0..SEEDS {
                let ad = ad(&snapshot, context, seed, &mut frame, &mut scratch);
                shown[ad.combination as usize] += 1;
                let before = propensities[ad.combination as usize].replace(ad.propensity);
                assert!(
                    before.is_none_or(|before| before == ad.propensity),
                    "one combination, one propensity"
                );
            }
            let total: f32 = propensities.iter().flatten().sum();
            assert!((total - 1.0).abs() < 1e-5, "propensities of {exploration} sum to {total}");
            let terms = shown.iter().zip(propensities).filter_map(|(shown, propensity)| {
                let expected = f64::from(propensity?) * SEEDS as f64;
                Some((f64::from(*shown) - expected).powi(2) / expected)
            });
            // The 99.99th percentile of chi-square with 11 degrees of freedom is 37.4.
            let chi_square: f64 = terms.sum();
            assert!(
                chi_square < 37.4,
                "exploration {exploration}, context {context}: {chi_square} {shown:?}"
            );
            if !is_learned || exploration == "100%" {
                assert!(
                    propensities.iter().all(|one| one.is_some_and(|one| (one * 12.0 - 1.0).abs() < 1e-5))
                );
            }
        }
    }
}

#[test]
fn without_exploration_only_what_some_draw_prefers_is_shown() {
    let bundle = Arc::new(bundle(1, "0%", "x"));
    let table = posteriors(&bundle, 1, 5, |_| true);
    let layout = bundle.layout(TemplateId(0)).clone();
    let snapshot = Snapshot::new(bundle, &table);
    let (mut frame, mut scratch) = memory(&snapshot);
    for context in 0..CONTEXTS {
        let ad = ad(&snapshot, context, context as u64, &mut frame, &mut scratch);
        let shares = support::oracle::propensities(
            &layout,
            table.models.first(),
            0.0,
            &ad.context,
            &(0..12).collect::<Vec<_>>(),
        );
        assert!(shares[ad.combination as usize] > 0.0, "context {context}");
    }
}

/// Decisions of one busy worker against those of a new one for every decision.
fn assert_memory_changes_nothing(snapshots: &[Snapshot], decisions: u64) {
    let (mut frame, mut busy) = memory(&snapshots[0]);
    let mut dice = Dice::new(99);
    let mut contexts = std::collections::HashSet::new();
    for seed in 0..decisions {
        let snapshot = &snapshots[dice.below(snapshots.len() as u64) as usize];
        // Some contexts come again and again, most come once in a while.
        let few = if dice.percent(30) { 20 } else { CONTEXTS as u64 };
        let context = dice.below(few) as usize;
        contexts.insert(context);
        let warmed = ad(snapshot, context, seed, &mut frame, &mut busy);
        let (mut frame, mut fresh) = memory(snapshot);
        assert_eq!(warmed, ad(snapshot, context, seed, &mut frame, &mut fresh), "decision {seed}");
    }
    assert!(contexts.len() > MEMO_ENTRIES, "only {} contexts: nothing was evicted", contexts.len());
}

#[test]
fn what_a_worker_remembers_changes_no_decision() {
    let bundle = Arc::new(bundle(1, "1%", "x"));
    let table = posteriors(&bundle, 1, 5, |_| true);
    assert_memory_changes_nothing(&[Snapshot::new(bundle, &table)], 4_000);
}

#[test]
fn a_worker_that_sees_several_generations_mixes_none() {
    let bundles = [Arc::new(bundle(1, "1%", "x")), Arc::new(bundle(2, "30%", "w"))];
    let mut snapshots = Vec::new();
    for bundle in bundles {
        for generation in [0, 1, 2] {
            let table = posteriors(&bundle, generation, generation * 77, |_| generation > 0);
            snapshots.push(Snapshot::new(Arc::clone(&bundle), &table));
        }
    }
    assert_memory_changes_nothing(&snapshots, 6_000);
}

#[test]
fn a_store_that_starts_counting_anew_is_not_mistaken_for_the_old_one() {
    let bundle = Arc::new(bundle(1, "0%", "x"));
    let tables = [5, 6].map(|seed| posteriors(&bundle, 1, seed, |_| true));
    let snapshots = tables.map(|table: PosteriorTable| Snapshot::new(Arc::clone(&bundle), &table));
    assert_memory_changes_nothing(&snapshots, 4_000);
}
