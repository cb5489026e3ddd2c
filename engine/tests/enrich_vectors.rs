//! Enrichment against the shared vectors: client addresses, devices and the demo geo database.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::IpAddr;

use serde_json::Value;
use tessera_engine::enrich::client_addr::{ClientAddrPolicy, HeaderChoice};
use tessera_engine::enrich::device::{ClientHints, DeviceClassifier};
use tessera_engine::enrich::geo::{GeoDb, GeoError};
use tessera_wire::signal::{DEVICE_BROWSERS, DEVICE_OSES, DEVICE_TYPES};

/// Every vector file whose cases have `field` (client address files have `peer`).
fn vector_files(field: &str) -> Vec<(String, Value)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(tessera_fixtures::vectors_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let json: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        if json["cases"][0].get(field).is_some() {
            files.push((path.display().to_string(), json));
        }
    }
    files
}

#[test]
fn client_addresses_resolve_as_the_vectors_say() {
    let mut cases = 0;
    for (file, json) in vector_files("peer") {
        for case in json["cases"].as_array().unwrap() {
            let header = match case["config"]["header"].as_str().unwrap() {
                "x-forwarded-for" => HeaderChoice::XForwardedFor,
                "forwarded" => HeaderChoice::Forwarded,
                name => HeaderChoice::Single(name.into()),
            };
            let trusted = case["config"]["trusted"].as_array().unwrap();
            let policy = ClientAddrPolicy {
                trusted: trusted.iter().map(|network| network.as_str().unwrap().parse().unwrap()).collect(),
                header,
            };
            let values: Vec<&str> = case["headers"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(policy.header.name()))
                .map(|line| line[1].as_str().unwrap())
                .collect();
            let peer: IpAddr = case["peer"].as_str().unwrap().parse().unwrap();
            let expected: Option<IpAddr> = case["expect"].as_str().map(|text| text.parse().unwrap());
            assert_eq!(policy.resolve(peer, values.into_iter()), expected, "{file} {}", case["id"]);
            cases += 1;
        }
    }
    assert!(cases >= 26, "only {cases} cases found");
}

#[test]
fn devices_are_classified_as_the_fixture_says() {
    let classifier = DeviceClassifier::new().unwrap();
    let cases: Vec<Value> = serde_json::from_str(tessera_fixtures::DEVICES).unwrap();
    assert!(cases.len() >= 40);
    let mut wrong = Vec::new();
    for case in &cases {
        let hints = ClientHints {
            mobile: case["mobile"].as_str(),
            platform: case["platform"].as_str(),
            brands: case["brands"].as_str(),
        };
        let device = classifier.classify(&hints, case["user_agent"].as_str());
        let found = [
            DEVICE_TYPES[device.device_type as usize],
            DEVICE_OSES[device.os as usize],
            DEVICE_BROWSERS[device.browser as usize],
        ];
        if case["expect"] != serde_json::json!(found) {
            wrong.push(format!("{} expects {} but is {found:?}", case["user_agent"], case["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn user_agents_are_capped() {
    let classifier = DeviceClassifier::new().unwrap();
    let late = format!("{}iPhone", "x".repeat(512));
    let device = classifier.classify(&ClientHints::default(), Some(&late));
    assert_eq!(DEVICE_TYPES[device.device_type as usize], "other");
}

#[test]
fn every_demo_region_is_found_by_both_families() {
    let db = GeoDb::from_bytes(tessera_fixtures::DEMO_GEO.to_vec()).unwrap();
    for known in tessera_fixtures::DEMO_REGIONS {
        for address in [known.ipv4, known.ipv6] {
            let place = db.lookup(address.parse().unwrap()).unwrap();
            assert_eq!(place.region(), Some(known.region), "{address}");
            assert_eq!(place.country(), Some(&known.region[..2]), "{address}");
            assert!(place.city().is_some() && place.time_zone().is_some(), "{address}");
            let zone = place.tz_index().unwrap();
            assert_eq!(Some(&*db.zones()[usize::from(zone.0)]), place.time_zone());
        }
    }
    let cluj = db.lookup("198.18.1.0".parse().unwrap()).unwrap();
    assert_eq!((cluj.city(), cluj.time_zone()), (Some("Cluj-Napoca"), Some("Europe/Bucharest")));
    assert!(db.lookup("203.0.113.1".parse().unwrap()).is_none());
}

#[test]
fn a_country_only_database_knows_the_time_of_single_zone_countries() {
    let db = GeoDb::from_bytes(tessera_fixtures::COUNTRY_ONLY_GEO.to_vec()).unwrap();
    let at = |address: &str| db.lookup(address.parse().unwrap()).unwrap();
    assert_eq!(
        (at("198.19.1.0").country(), at("198.19.1.0").time_zone()),
        (Some("DE"), Some("Europe/Berlin"))
    );
    assert_eq!((at("198.19.2.0").country(), at("198.19.2.0").time_zone()), (Some("JP"), Some("Asia/Tokyo")));
    assert_eq!((at("198.19.3.0").country(), at("198.19.3.0").time_zone()), (Some("US"), None));
    assert_eq!((at("198.19.9.0").country(), at("198.19.9.0").region()), (None, None));
}

/// Damaged copies are refused with a typed error or still answer consistently; nothing panics.
#[test]
fn damaged_copies_are_refused_or_harmless() {
    let whole = tessera_fixtures::DEMO_GEO;
    for len in 0..whole.len() {
        assert!(GeoDb::from_bytes(whole[..len].to_vec()).is_err(), "truncated to {len} bytes");
    }
    let mut accepted = 0;
    for position in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.to_vec();
            bytes[position] ^= flip;
            let Ok(db) = GeoDb::from_bytes(bytes) else { continue };
            accepted += 1;
            for known in tessera_fixtures::DEMO_REGIONS {
                if let Some(place) = db.lookup(known.ipv4.parse().unwrap()) {
                    assert!(place.country().is_none_or(|country| country.len() == 2));
                    assert!(place.tz_index().is_none_or(|zone| usize::from(zone.0) < db.zones().len()));
                }
            }
        }
    }
    // Letters inside names can change unnoticed; structure cannot.
    assert!(accepted < whole.len() * 3 / 2, "{accepted} flipped copies accepted");
}

/// Reading a record never looks at these bytes: only verification does.
#[test]
fn damage_that_no_lookup_meets_is_refused_too() {
    let whole = tessera_fixtures::DEMO_GEO;
    let separator = whole.windows(16).position(|window| window == [0; 16]).unwrap();
    for at in separator..separator + 16 {
        let mut bytes = whole.to_vec();
        bytes[at] = 1;
        assert!(matches!(GeoDb::from_bytes(bytes), Err(GeoError::Damaged(_))), "byte {at}");
    }
}

#[test]
fn foreign_files_are_refused() {
    assert!(GeoDb::from_bytes(Vec::new()).is_err());
    assert!(GeoDb::from_bytes(b"\xAB\xCD\xEFMaxMind.com".to_vec()).is_err());
    assert!(GeoDb::from_bytes(vec![0; 100_000]).is_err());
    assert!(GeoDb::open(std::path::Path::new("no/such/file.mmdb")).is_err());
}
