//! The gate neither allocates nor frees, whatever it is given.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::Value;
use tessera_engine_core::consent::vendor::PurposeMask;
use tessera_engine_core::consent::{ConsentInputs, OwnConsent, Policy, Role, VendorProfile, evaluate};
use tessera_fixtures::counting_alloc::{CountingAllocator, heap_calls};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NOW_MS: i64 = 1_795_132_800_000;

#[test]
fn the_counter_counts() {
    let (_, calls) = heap_calls(|| Vec::<u8>::with_capacity(std::hint::black_box(100)));
    assert!(calls >= 1);
}

#[test]
fn evaluating_any_vector_allocates_nothing() {
    let path = tessera_fixtures::vectors_dir().join("consent-vectors.json");
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vendor = Policy {
        role: Role::Vendor(VendorProfile {
            gvl_id: 755,
            consent_purposes: PurposeMask::of(&[1, 3, 4, 5, 6]),
            li_purposes: PurposeMask::of(&[2, 7, 8, 9, 10, 11]),
            flexible_purposes: PurposeMask::of(&[2, 7]),
            declares_precise_geo: true,
        }),
        ..Policy::default()
    };
    for vector in json["vectors"].as_array().unwrap() {
        let text = vector["input"].as_str();
        for (country, policy) in [("DE", Policy::default()), ("DE", vendor), ("US", vendor)] {
            let inputs = ConsentInputs {
                tcf: text,
                gpp: text,
                us_privacy: text,
                gpp_sid: &[2, 7, 8],
                country: Some(country),
                own: Some(OwnConsent { storage: true, ..OwnConsent::default() }),
                ..ConsentInputs::default()
            };
            let (_, calls) = heap_calls(|| evaluate(&inputs, &policy, NOW_MS));
            assert_eq!(calls, 0, "{}", vector["id"]);
            let only_tcf = ConsentInputs { gpp: None, us_privacy: None, gpp_sid: &[], ..inputs };
            let (_, calls) = heap_calls(|| evaluate(&only_tcf, &policy, NOW_MS));
            assert_eq!(calls, 0, "{}", vector["id"]);
        }
    }
}
