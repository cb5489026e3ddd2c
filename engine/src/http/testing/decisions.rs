//! Decisions that were kept come out again, and are explained.

use hyper::HeaderMap;
use serde_json::{Value, json};

use super::support::Dice;
use super::{Arrival, Caller, Memory, NOW_MS, Shop};
use crate::access::Scopes;
use crate::admission::Waited;
use crate::http::problem::Problem;

fn arrival(headers: &HeaderMap, random: u128) -> Arrival<'_> {
    Arrival {
        peer: "198.18.4.10".parse().unwrap(),
        headers,
        now_ms: NOW_MS,
        waited: Waited::default(),
        random,
        caller: Caller::Visitor,
        scopes: Scopes::EXPLAIN,
    }
}

/// Serves a made-up request; what was answered.
fn serve(shop: &Shop, id: u64, consent: &Value) -> Value {
    let mut dice = Dice::new(id);
    let body = json!({
        "placements": [
            {"id": "a", "slot": dice.pick(&["home_hero", "sidebar", "newsletter", "checkout"]), "count": 2},
            {"id": "b", "slot": dice.pick(&["home_hero", "sidebar", "?"]), "formats": [{"w": 970, "h": 250}],
             "filter": {"exclude_campaign_ids": [dice.pick(&["autumn", "club", "none"])]}},
        ],
        "user": {"id": format!("visitor-{}", id % 50), "traits": {
            "member_tier": dice.pick(&["gold", "silver", "none"]), "interest": dice.pick(&["running", "travel"]),
        }},
        "session": {"cart": {"value_micros": dice.below(200) * 1_000_000, "currency": "EUR"}},
        "consent": {"purposes": consent},
    });
    let live = if dice.percent(50) { &shop.learned } else { &shop.unlearned };
    let (headers, mut answer) = (HeaderMap::new(), Vec::new());
    let mut memory = Memory::new(live);
    shop.responder
        .respond(
            live,
            &arrival(&headers, u128::from(id)),
            body.to_string().as_bytes(),
            &mut memory,
            &mut answer,
            &mut |_| {},
        )
        .unwrap_or_else(|problem| panic!("{}", problem.detail));
    serde_json::from_slice(&answer).unwrap()
}

fn explain(shop: &Shop, id: &str) -> Result<Value, Problem> {
    let (headers, mut out) = (HeaderMap::new(), Vec::new());
    shop.responder.explain_decision(&arrival(&headers, 0), id, &mut out)?;
    Ok(serde_json::from_slice(&out).unwrap())
}

fn everything() -> Value {
    json!({"storage": true, "ads_profile": true, "ads_personalization": true, "content_personalization": true, "analytics": true})
}

#[test]
fn a_kept_decision_comes_out_again_bit_by_bit() {
    let shop = Shop::new();
    let mut tiers = std::collections::HashSet::new();
    for id in 0..300 {
        let consent = if id % 3 == 0 { json!({}) } else { everything() };
        let answer = serve(&shop, id, &consent);
        let explained = explain(&shop, answer["decision_id"].as_str().unwrap()).unwrap();
        assert_eq!(explained["is_reproduced"], true, "{answer}\n{explained}");
        assert_eq!(explained["bundle"], answer["bundle"]);
        assert_eq!(explained["posterior_generation"], answer["posterior_generation"]);
        let served: Vec<&Value> = ["a", "b"]
            .iter()
            .flat_map(|place| answer["placements"][place]["ads"].as_array().unwrap())
            .collect();
        let again = explained["ads"].as_array().unwrap();
        assert_eq!(again.len(), served.len());
        for (again, served) in again.iter().zip(served) {
            for field in ["creative_id", "propensity", "tier"] {
                assert_eq!(again[field], served[field]);
            }
            tiers.insert(served["tier"].as_str().unwrap().to_owned());
        }
        let candidates = &explained["explain"]["placements"]["a"]["candidates"];
        assert!(candidates.as_array().is_some_and(|list| !list.is_empty()), "{explained}");
    }
    assert!(tiers.len() >= 3, "{tiers:?}");
}

#[test]
fn what_must_not_be_kept_is_not() {
    let shop = Shop::new();
    // A profile without permission to measure.
    let unmeasured = json!({"storage": true, "ads_profile": true, "ads_personalization": true});
    let answer = serve(&shop, 1, &unmeasured);
    assert_eq!(answer["mode"], "partial");
    let problem = explain(&shop, answer["decision_id"].as_str().unwrap()).unwrap_err();
    assert_eq!((problem.status.as_u16(), problem.code), (404, "decision_not_kept"));
    // An erased visitor.
    let kept = serve(&shop, 2, &everything());
    let other = serve(&shop, 3, &everything());
    shop.responder.decisions.forget(shop.responder.keys.subject_key("id", "visitor-2"));
    assert!(explain(&shop, kept["decision_id"].as_str().unwrap()).is_err());
    assert!(explain(&shop, other["decision_id"].as_str().unwrap()).is_ok());
    for bad in ["", "zz", &"0".repeat(31), &"g".repeat(32)] {
        assert_eq!(explain(&shop, bad).unwrap_err().code, "decision_id");
    }
}

#[test]
fn the_oldest_decisions_go_when_memory_ends() {
    let shop = Shop::new();
    let first = serve(&shop, 0, &everything());
    for id in 1..5_000 {
        serve(&shop, id, &everything());
    }
    let last = serve(&shop, 5_000, &everything());
    assert!(explain(&shop, first["decision_id"].as_str().unwrap()).is_err());
    assert!(explain(&shop, last["decision_id"].as_str().unwrap()).is_ok());
    let mut text = String::new();
    shop.responder.decisions.render(&mut text);
    let bytes = text.lines().find_map(|line| line.strip_prefix("decisions_kept_bytes ")).unwrap();
    assert!(bytes.parse::<u64>().unwrap() <= 1 << 20, "{text}");
}
