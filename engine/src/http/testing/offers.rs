//! Offers that visitors keep, over several requests: what is given, remembered and given again.

use hyper::HeaderMap;
use serde_json::Value;

use super::support::NOW_MS;
use super::{Arrival, Caller, Memory, Shop};
use crate::admission::Waited;

/// Everything is allowed.
const GRANTED: &str = r#""consent":{"purposes":{"storage":true,"ads_profile":true,"ads_personalization":true,
    "content_personalization":true,"analytics":true}}"#;
const HOUR_MS: i64 = 3_600_000;

/// Asks once, remembers what was shown, and returns the offer.
fn ask(shop: &Shop, body: &str, at_ms: i64, memory: &mut Memory) -> Value {
    let headers = HeaderMap::new();
    let arrival = Arrival {
        peer: "198.18.1.10".parse().unwrap(),
        headers: &headers,
        now_ms: NOW_MS + at_ms,
        waited: Waited::default(),
        random: 7,
        caller: Caller::Visitor,
        scopes: shop.responder.scopes(&headers, ""),
    };
    let (live, mut answer) = (&shop.unlearned, Vec::new());
    let emit = &mut |shown: super::super::decided::Shown<'_>| {
        shop.responder.count_impression(live, &shown);
    };
    shop.responder
        .respond(live, &arrival, body.as_bytes(), memory, &mut answer, emit)
        .unwrap_or_else(|problem| panic!("{}", problem.detail));
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["placements"]["h"]["ads"][0]["offer"].clone()
}

fn body(user: &str, cart_euros: i64, consent: &str) -> String {
    let cart_micros = cart_euros * 1_000_000;
    format!(
        r#"{{"placements":[{{"id":"h","slot":"home_hero"}}],"user":{{"id":"{user}"}},
        "session":{{"cart":{{"value_micros":{cart_micros},"currency":"EUR"}}}},{consent}}}"#
    )
}

/// A visitor of the demo who is not held out.
fn visitor() -> String {
    let bucket = |name: &str| {
        tessera_engine_core::hash::bucket("holdout:autumn", tessera_engine_core::hash::sticky_key(name))
    };
    (0..100).map(|n| format!("v{n}")).find(|name| bucket(name) >= 100_000).unwrap()
}

#[test]
fn a_visitor_keeps_an_offer_with_its_end_until_a_larger_discount_comes() {
    let shop = Shop::new();
    let memory = &mut Memory::new(&shop.unlearned);
    let name = visitor();
    let mut offer = |cart, at_ms| {
        let offer = ask(&shop, &body(&name, cart, GRANTED), at_ms, memory);
        (offer["id"].as_str().unwrap_or("").to_owned(), offer["expires_at"].as_str().unwrap_or("").to_owned())
    };
    let ten = ("ten_percent".to_owned(), "2026-11-21T12:00:00Z".to_owned());
    assert_eq!(offer(60, 700), ten, "whole seconds are remembered");
    assert_eq!(offer(60, HOUR_MS), ten, "the end does not move");
    assert_eq!(offer(0, 2 * HOUR_MS), ten, "nor does an emptier cart take it away");
    let fifteen = ("fifteen_percent".to_owned(), "2026-11-21T15:00:00Z".to_owned());
    assert_eq!(offer(100, 3 * HOUR_MS), fifteen, "a larger discount replaces it");
    assert_eq!(offer(60, 4 * HOUR_MS), fifteen, "a smaller one does not");
    assert_eq!(offer(60, 27 * HOUR_MS - 1).0, "fifteen_percent", "it holds to its last millisecond");
    assert_eq!(offer(60, 27 * HOUR_MS), ("ten_percent".to_owned(), "2026-11-22T15:00:00Z".to_owned()));
}

#[test]
fn nobody_keeps_an_offer_without_consent() {
    let shop = Shop::new();
    let memory = &mut Memory::new(&shop.unlearned);
    let name = visitor();
    assert_eq!(ask(&shop, &body(&name, 60, GRANTED), 0, memory)["id"], "ten_percent");
    let refused = r#""consent":{"purposes":{"storage":true,"ads_personalization":false}}"#;
    assert_eq!(ask(&shop, &body(&name, 60, refused), 1_000, memory), Value::Null);
    let other = body("somebody-else", 0, GRANTED);
    assert_eq!(ask(&shop, &other, 2_000, memory), Value::Null, "a promise is one visitor's");
}
