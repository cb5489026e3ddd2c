//! Bundles that contradict themselves are refused, and what is not refused can be decided from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../engine/core/tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use support::visit::Visit;
use support::{Dice, compiled, posteriors};
use tessera_engine_core::admit::admit;
use tessera_engine_core::bundle::{LoadError, LoadedBundle};
use tessera_engine_core::consent::{Policy, evaluate};
use tessera_engine_core::decide::decide;
use tessera_engine_core::explain::explain;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::snapshot::Snapshot;
use tessera_rulevm::Frame;
use tessera_wire::bundle::{Bundle, BundleHash, encode};
use tessera_wire::catalog::{AssetId, CampaignId, Catalog, CreativeId, FieldKind, TemplateId, Text};
use tessera_wire::program::{SegmentId, SignalId, Span, WordId};

const HASH: BundleHash = BundleHash([0; 32]);

fn demo() -> Bundle {
    Bundle { generation: 7, ..compiled(&tessera_fixtures::DEMO_SOURCES) }
}

/// Why a changed demo is refused.
fn refusal(change: impl FnOnce(&mut Catalog)) -> Option<String> {
    let mut bundle = demo();
    change(&mut bundle.catalog);
    LoadedBundle::load(bundle, HASH).err().map(|error| error.to_string())
}

const FAR: u32 = u32::MAX;
const OUTSIDE: Text = Text { start: FAR, len: 1 };
const TOO_LONG: Span = Span { first: 1, len: FAR };

type Change = fn(&mut Catalog);

#[test]
fn every_text_span_and_index_outside_its_list_is_refused() {
    let texts: [Change; 13] = [
        |catalog| catalog.placements[0].id = OUTSIDE,
        |catalog| catalog.campaigns[1].id = OUTSIDE,
        |catalog| catalog.campaigns[1].advertiser = OUTSIDE,
        |catalog| catalog.campaigns[1].landing_url = OUTSIDE,
        |catalog| catalog.campaigns[1].holdout_salt = OUTSIDE,
        |catalog| catalog.flights[0].id = OUTSIDE,
        |catalog| catalog.templates[0].id = OUTSIDE,
        |catalog| catalog.slots[0].name = OUTSIDE,
        |catalog| catalog.assets[0].content = OUTSIDE,
        |catalog| catalog.creatives[0].id = OUTSIDE,
        |catalog| catalog.offers[0].id = OUTSIDE,
        |catalog| catalog.offers[0].code = OUTSIDE,
        |catalog| catalog.fields[0].name = OUTSIDE,
    ];
    let spans: [Change; 6] = [
        |catalog| catalog.campaigns[0].flights = TOO_LONG,
        |catalog| catalog.templates[0].slots = TOO_LONG,
        |catalog| catalog.templates[0].fields = TOO_LONG,
        |catalog| catalog.slots[0].assets = TOO_LONG,
        |catalog| catalog.fields[0].kind = FieldKind::FirstSegment(TOO_LONG),
        |catalog| catalog.fields[1].kind = FieldKind::SignalWord { signal: SignalId(0), words: TOO_LONG },
    ];
    let indices: [Change; 10] = [
        |catalog| catalog.placements[0].house = Some(CreativeId(FAR)),
        |catalog| catalog.campaigns[0].control = Some(CreativeId(FAR)),
        |catalog| catalog.templates[0].campaign = CampaignId(FAR),
        |catalog| catalog.slot_assets[0] = AssetId(FAR),
        |catalog| catalog.creatives[0].template = TemplateId(FAR),
        |catalog| catalog.creatives[0].combination = 250,
        |catalog| catalog.field_segments[0] = SegmentId(FAR),
        |catalog| catalog.field_words[0] = WordId(FAR),
        |catalog| catalog.field_words[0] = WordId::OTHER,
        |catalog| {
            let words = Span { first: 0, len: 3 };
            catalog.fields[1].kind = FieldKind::SignalWord { signal: SignalId(u16::MAX), words };
        },
    ];
    assert_eq!(refusal(|_| ()), None, "the demo itself is sound");
    for (kind, changes) in [("text", &texts[..]), ("span", &spans[..]), ("index", &indices[..])] {
        for (number, change) in changes.iter().enumerate() {
            assert!(refusal(change).is_some(), "{kind} {number} went unnoticed");
        }
    }
}

#[test]
fn numbers_that_contradict_one_another_are_refused() {
    let changes: [Change; 14] = [
        |catalog| catalog.flights[0].end_ms = catalog.flights[0].start_ms,
        |catalog| catalog.campaigns[0].holdout_ppm = 1_000_001,
        |catalog| catalog.campaigns[0].control = None,
        |catalog| catalog.templates[0].exploration_ppm = 1_000_001,
        |catalog| catalog.templates[0].combinations += 1,
        |catalog| catalog.templates[0].slots.len = 0,
        |catalog| catalog.slots[0].assets.len = 0,
        |catalog| catalog.fields[0].values += 1,
        // A control of another campaign would be counted as that campaign's ad.
        |catalog| catalog.campaigns[1].control = Some(CreativeId(0)),
        // What outlives a bundle goes by text ids, so they must tell things apart.
        |catalog| catalog.placements[1].id = catalog.placements[0].id,
        |catalog| catalog.campaigns[1].id = catalog.campaigns[0].id,
        |catalog| catalog.templates[1].id = catalog.templates[0].id,
        |catalog| catalog.creatives[1].id = catalog.creatives[0].id,
        |catalog| catalog.offers[1].id = catalog.offers[0].id,
    ];
    for (number, change) in changes.iter().enumerate() {
        assert!(refusal(change).is_some(), "change {number} went unnoticed");
    }
}

#[test]
fn a_refusal_names_the_list_and_the_element() {
    let why = refusal(|catalog| catalog.creatives[2].template = TemplateId(FAR)).unwrap();
    assert_eq!(why, "catalog: creatives[2]: its template does not exist");
}

/// Decides and explains for some visits. Whatever the bundle says, this ends.
fn decide_a_little(bundle: LoadedBundle) {
    let bundle = Arc::new(bundle);
    let table = posteriors(&bundle, 1, 3, |_| true);
    let snapshot = Snapshot::new(Arc::clone(&bundle), &table);
    let (mut frame, mut scratch) = (Frame::new(bundle.program()), Scratch::new(bundle.program()));
    for number in 0..5 {
        let visit = Visit::new(number);
        let outcome = evaluate(&visit.consent, &Policy::default(), visit.now_ms);
        let raw = visit.raw();
        let admitted = admit(bundle.program(), &raw, &visit.placements, &outcome, visit.now_ms, &mut frame);
        explain(&snapshot, &admitted, visit.now_ms, visit.seed, &mut scratch);
        decide(&snapshot, &admitted, visit.now_ms, visit.seed, &mut scratch);
    }
}

/// Changes one number, word or list of a value tree. The leaf is found by a random walk, so that short lists are hit as
/// often as long ones.
fn disturb(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let chosen = dice.below(fields.len() as u64) as usize;
            fields.values_mut().nth(chosen).into_iter().for_each(|field| disturb(field, dice));
        }
        Value::Array(list) if !list.is_empty() => {
            let chosen = dice.below(list.len() as u64) as usize;
            match dice.below(12) {
                0 => drop(list.remove(chosen)),
                1 => list.push(list[chosen].clone()),
                2 => list.swap(0, chosen),
                _ => disturb(&mut list[chosen], dice),
            }
        }
        Value::Number(number) => {
            let old = number.as_i64().unwrap_or(0);
            let near = [old.wrapping_add(1), old.wrapping_sub(1), old ^ 8];
            let far = [0, 1, 2, 255, 65_535, i64::from(u32::MAX), i64::from(u32::MAX) - 1, i64::MAX, -1];
            *value = if dice.percent(50) { dice.pick(&near) } else { dice.pick(&far) }.into();
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::String(text) => drop(text.pop()),
        Value::Null => *value = 0.into(),
        Value::Object(_) | Value::Array(_) => {}
    }
}

#[test]
fn a_disturbed_bundle_is_refused_or_can_be_decided_from() {
    let sound = demo();
    let catalog = serde_json::to_value(&sound.catalog).unwrap();
    let program = serde_json::to_value(&sound.program).unwrap();
    let (mut refused, mut decided) = (0, 0);
    for seed in 0..6_000 {
        let mut dice = Dice::new(seed);
        let mut bundle = sound.clone();
        let (mut catalog, mut program) = (catalog.clone(), program.clone());
        for _ in 0..1 + dice.below(2) {
            disturb(if seed % 2 == 0 { &mut catalog } else { &mut program }, &mut dice);
        }
        // A value that no longer has its type would not survive decoding either.
        let (Ok(catalog), Ok(program)) = (serde_json::from_value(catalog), serde_json::from_value(program))
        else {
            continue;
        };
        (bundle.catalog, bundle.program) = (catalog, program);
        match LoadedBundle::load(bundle, HASH) {
            Ok(bundle) => {
                decided += 1;
                decide_a_little(bundle);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 500 && decided > 500, "{refused} refused, {decided} decided");
}

proptest! {
    #[test]
    fn flipped_bytes_never_panic_and_never_change_content(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
    ) {
        let sound = demo();
        let mut bytes = encode(&sound);
        for (place, flip) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        if let Ok(bundle) = LoadedBundle::from_bytes(&bytes) {
            // Generation and time are not part of the content.
            prop_assert_eq!(bundle.catalog(), &sound.catalog);
            prop_assert_eq!(bundle.program().program(), &sound.program);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let found = LoadedBundle::from_bytes(&bytes);
        prop_assert!(matches!(found, Err(LoadError::Bundle(_))));
    }
}
