//! Enriching a request neither allocates nor frees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::IpAddr;

use serde_json::Value;
use tessera_engine::enrich::client_addr::{ClientAddrPolicy, HeaderChoice, truncate};
use tessera_engine::enrich::device::{ClientHints, DeviceClassifier};
use tessera_engine::enrich::geo::GeoDb;
use tessera_engine::enrich::geo_cell::GeoCell;
use tessera_engine::enrich::language::from_accept_language;
use tessera_fixtures::counting_alloc::{CountingAllocator, heap_calls};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NOW_MS: i64 = 1_795_132_800_000;

#[test]
fn address_geo_time_and_language_allocate_nothing() {
    let cell = GeoCell::default();
    cell.install(GeoDb::from_bytes(tessera_fixtures::DEMO_GEO.to_vec()).unwrap(), NOW_MS);
    let policy = ClientAddrPolicy {
        trusted: vec!["10.0.0.0/8".parse().unwrap()],
        header: HeaderChoice::XForwardedFor,
    };
    let peer: IpAddr = "10.0.0.1".parse().unwrap();
    for region in tessera_fixtures::DEMO_REGIONS {
        for client in [region.ipv4, region.ipv6, "203.0.113.9", "garbage"] {
            let chain = format!("1.1.1.1, {client}");
            let (language, calls) = heap_calls(|| {
                if let Some(address) = policy.resolve(peer, [chain.as_str()].into_iter())
                    && let Some(geography) = cell.load().as_ref()
                    && let Some(place) = geography.db.lookup(truncate(address))
                {
                    assert_eq!(place.region(), Some(region.region));
                    assert!(geography.local_time(&place, NOW_MS).is_some());
                }
                from_accept_language("ro-RO,ro;q=0.9,en;q=0.8")
            });
            assert_eq!(calls, 0, "{client}");
            assert_eq!(language.unwrap().as_str(), "ro");
        }
    }
}

#[test]
fn classifying_devices_allocates_nothing() {
    let classifier = DeviceClassifier::new().unwrap();
    let cases: Vec<Value> = serde_json::from_str(tessera_fixtures::DEVICES).unwrap();
    for case in &cases {
        let hints = ClientHints {
            mobile: case["mobile"].as_str(),
            platform: case["platform"].as_str(),
            brands: case["brands"].as_str(),
        };
        let user_agent = case["user_agent"].as_str();
        let (_, calls) = heap_calls(|| classifier.classify(&hints, user_agent));
        assert_eq!(calls, 0, "{user_agent:?}");
    }
}
