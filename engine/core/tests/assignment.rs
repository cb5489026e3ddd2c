//! Who takes part in an experiment and who sees which variant: published vectors, and what widening must not change.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fmt::Write;

use serde::Deserialize;
use support::{NOW_MS, compiled, loaded};
use tessera_engine_core::admit::admit;
use tessera_engine_core::consent::{Outcome, Reason, Regimes};
use tessera_engine_core::decide::decide;
use tessera_engine_core::hash::{bucket, sticky_key};
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::{PlacementRequest, RawSignals};
use tessera_engine_core::snapshot::Snapshot;
use tessera_rulevm::Frame;
use tessera_wire::event::Mode;
use tessera_wire::posterior::PosteriorTable;
use tessera_wire::signal::Gates;

#[derive(Deserialize)]
struct Vectors {
    keys: Vec<Key>,
    buckets: Vec<Bucket>,
    experiments: Vec<Experiment>,
    assignments: Vec<Assignment>,
}

#[derive(Deserialize)]
struct Key {
    identifier: String,
    key: String,
}

#[derive(Deserialize)]
struct Bucket {
    salt: String,
    identifier: String,
    bucket: u32,
}

#[derive(Deserialize, Clone)]
struct Experiment {
    id: String,
    layer: Option<String>,
    first: u32,
    end: u32,
    weights: Vec<u32>,
}

#[derive(Deserialize)]
struct Assignment {
    experiment: String,
    identifier: String,
    variant: Option<usize>,
}

fn vectors() -> Vectors {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/assignment.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A bundle with one campaign and placement per experiment.
fn snapshot(experiments: &[Experiment]) -> Snapshot {
    let mut catalog = String::from("[[asset]]\nid = \"a\"\ntext = \"A\"\n");
    let mut rules = String::from("language 1\n");
    for Experiment { id, layer, first, end, weights } in experiments {
        let (from, coverage) = (f64::from(*first) / 1e4, f64::from(end - first) / 1e4);
        let layer = layer.as_ref().map_or(String::new(), |layer| format!("layer = \"{layer}\"\n"));
        let _ = write!(
            catalog,
            "[[campaign]]\nid = \"{id}\"\nlanding_url = \"https://x.example/\"\n\
             [[flight]]\nid = \"{id}\"\ncampaign = \"{id}\"\n\
             start = \"2020-01-01T00:00:00Z\"\nend = \"2040-01-01T00:00:00Z\"\n\
             [[placement]]\nid = \"{id}\"\n[[template]]\nid = \"{id}\"\ncampaign = \"{id}\"\n\
             [[template.slot]]\nname = \"s\"\nassets = [\"a\"]\n\
             [[experiment]]\nid = \"{id}\"\ncampaign = \"{id}\"\n{layer}from = \"{from}%\"\ncoverage = \"{coverage}%\"\n"
        );
        for (number, weight) in weights.iter().enumerate() {
            let _ = write!(catalog, "[[experiment.variant]]\nid = \"{number}\"\nweight = {weight}\n");
        }
        let _ = writeln!(
            rules,
            "rule \"{id}\" for placement \"{id}\" contextual {{ then show template \"{id}\" }}"
        );
    }
    let bundle = loaded(compiled(&[("catalog.toml", &catalog), ("all.rules", &rules)]));
    Snapshot::new(std::sync::Arc::new(bundle), &PosteriorTable::default())
}

/// The variant of an experiment that an identified visitor sees.
fn variant(snapshot: &Snapshot, experiment: &str, identifier: &str) -> Option<usize> {
    let program = snapshot.bundle().program();
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    let raw = RawSignals { sticky_key: Some(sticky_key(identifier)), ..RawSignals::default() };
    let placements =
        [PlacementRequest { slot: experiment, count: 1, formats: &[], ..PlacementRequest::default() }];
    let outcome =
        Outcome { gates: Gates::ALL, mode: Mode::Full, regimes: Regimes::NONE, reason: Reason::Granted };
    let admitted = admit(program, &raw, &placements, &outcome, NOW_MS, &mut frame);
    let decision = decide(snapshot, &admitted, NOW_MS, 1, &mut scratch);
    let exposure = decision.ads[0].exposure?;
    let (id, variant) = snapshot.bundle().exposure_name(exposure);
    assert_eq!(id, experiment);
    variant.parse().ok()
}

#[test]
fn the_published_vectors_hold() {
    let vectors = vectors();
    for Key { identifier, key } in &vectors.keys {
        assert_eq!(format!("{:016x}", sticky_key(identifier)), *key, "{identifier}");
    }
    for one in &vectors.buckets {
        let found = bucket(&one.salt, sticky_key(&one.identifier));
        assert_eq!(found, one.bucket, "{} for {}", one.identifier, one.salt);
    }
    let snapshot = snapshot(&vectors.experiments);
    for Assignment { experiment, identifier, variant: expected } in &vectors.assignments {
        assert_eq!(variant(&snapshot, experiment, identifier), *expected, "{identifier} in {experiment}");
    }
    assert!(vectors.assignments.len() > 30 && vectors.buckets.len() > 40);
}

#[test]
fn widening_an_experiment_moves_nobody_and_a_layer_shares_nobody() {
    let experiment = |id: &str, first, end| Experiment {
        id: id.into(),
        layer: Some("hero".into()),
        first,
        end,
        weights: vec![1, 2],
    };
    let narrow = snapshot(&[experiment("one", 0, 100_000), experiment("two", 500_000, 900_000)]);
    let wide = snapshot(&[experiment("one", 0, 400_000), experiment("two", 500_000, 900_000)]);
    let mut counts = [0usize; 4];
    for visitor in 0..4_000 {
        let visitor = format!("visitor-{visitor}");
        let [before, after] = [&narrow, &wide].map(|snapshot| variant(snapshot, "one", &visitor));
        if before.is_some() {
            assert_eq!(before, after, "{visitor} was moved");
            counts[0] += 1;
        }
        let other = variant(&wide, "two", &visitor);
        assert!(after.is_none() || other.is_none(), "{visitor} takes part in two experiments of a layer");
        counts[1] += usize::from(after.is_some());
        counts[2] += usize::from(after == Some(1));
        counts[3] += usize::from(other.is_some());
    }
    // Shares of 10 %, 40 %, two thirds of those, and 40 %, each within five standard deviations.
    let is_near = |count: usize, expected: f64, of: f64| {
        (count as f64 - of * expected).abs() < 5.0 * (of * expected * (1.0 - expected)).sqrt()
    };
    assert!(is_near(counts[0], 0.1, 4_000.0) && is_near(counts[1], 0.4, 4_000.0), "{counts:?}");
    assert!(
        is_near(counts[2], 2.0 / 3.0, counts[1] as f64) && is_near(counts[3], 0.4, 4_000.0),
        "{counts:?}"
    );
}
