//! Requests that waited too long.

use std::time::Duration;

use hyper::HeaderMap;
use serde_json::{Value, json};
use tessera_wire::event::Tier;

use super::{Arrival, Caller, Memory, NOW_MS, Outcome, Shop};
use crate::admission::Waited;

fn ask(shop: &Shop, waited_ms: u64, more: &Value) -> (Value, Outcome) {
    let headers = HeaderMap::new();
    let arrival = Arrival {
        peer: "198.18.4.10".parse().unwrap(),
        headers: &headers,
        now_ms: NOW_MS,
        waited: Waited { before: Duration::from_millis(waited_ms), after: Duration::from_millis(5) },
        random: 7,
        caller: Caller::Visitor,
        scopes: shop.responder.scopes(&headers, ""),
    };
    let mut body = json!({
        "placements": [{"id": "a", "slot": "home_hero"}, {"id": "b", "slot": "checkout"}, {"id": "c", "slot": "?"}],
        "user": {"id": "ana", "traits": {"member_tier": "gold"}},
        "consent": {"purposes": {"storage": true, "ads_profile": true, "ads_personalization": true, "analytics": true}},
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let (mut answer, mut served) = (Vec::new(), Vec::new());
    let live = &shop.learned;
    let bytes = body.to_string();
    shop.responder
        .respond(live, &arrival, bytes.as_bytes(), &mut Memory::new(live), &mut answer, &mut |shown| {
            let is_counted = shown.counted_subject != 0;
            assert_ne!(is_counted, shown.served.tier == Tier::Default, "late ads add to nobody's counts");
            served.push(shown.served);
        })
        .unwrap_or_else(|problem| panic!("{}", problem.detail));
    (serde_json::from_slice(&answer).unwrap(), Outcome { answer, served })
}

#[test]
fn what_waited_too_long_gets_house_ads_of_which_nothing_is_learned() {
    let shop = Shop::new();
    let (answer, outcome) = ask(&shop, 46, &json!({}));
    assert_eq!(answer["tier_reason"], "overloaded");
    assert_eq!(answer["tier"], "default");
    assert_eq!(answer["placements"]["a"]["ads"][0]["creative_id"], "house_hero");
    assert_eq!(answer["placements"]["a"]["reason_code"], "house");
    assert_eq!(answer["placements"]["b"]["no_fill_code"], "overloaded", "there is no house ad");
    assert_eq!(answer["placements"]["c"]["no_fill_code"], "unknown_slot");
    let [served] = &outcome.served[..] else { panic!("{:?}", outcome.served) };
    assert!(!served.is_learnable && served.subject == 0 && served.context == [0; 8]);
}

#[test]
fn the_caller_says_how_long_it_waits() {
    let shop = Shop::new();
    let reason = |waited_ms, more: &Value| ask(&shop, waited_ms, more).0["tier_reason"].clone();
    // Five milliseconds more pass before the answer is sent.
    assert_eq!(reason(44, &json!({})), "own_refused", "fifty milliseconds when nothing is said");
    assert_eq!(reason(44, &json!({"tmax_ms": 20})), "overloaded");
    assert_eq!(reason(15, &json!({"tmax_ms": 20})), "own_refused");
    assert_eq!(reason(200, &json!({"tmax_ms": 300})), "own_refused");
}
