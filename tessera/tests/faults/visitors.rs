//! What the engine remembers of visitors: in the very next decision, after `kill -9`, and never after an erasure.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http::{once, path_of};
use crate::support::{Launch, Process, World};

const RULES: &str = r#"language 1

rule "left behind" priority 900 for placement "home_hero" {
  when cart_abandoned within 24 hours and cart.items >= 2
  then show creative "house_hero"
}
rule "searching" priority 890 for placement "home_hero" {
  when count of search in last 1 hours >= 2
  then show creative "house_hero"
}
rule "seen" priority 880 for placement "home_hero" {
  when last_viewed is "shoe-7" and product_viewed within 1 hours
  then show creative "house_hero"
}
rule "clicked away" priority 875 for placement "home_hero" {
  when clicks of creative "house_hero" in last 1 hours >= 2
  then show creative "autumn_generic"
}
rule "capped" priority 870 for placement "home_hero" {
  cap 2 per user per day
  when weekday is known or weekday is unknown
  then show creative "house_hero"
}
"#;

fn world() -> World {
    let world = World::new();
    world.write_source("rules/90-visitors.rules", RULES);
    world
}

/// Without a known country no privacy law applies: everything may be remembered.
fn launch(world: &World) -> Launch<'_> {
    Launch::new(world, "serve").set("consent.default_regime=none").set("journal.fsync=off")
}

/// The rule that decides for a visitor.
fn rule_for(process: &Process, user: &str) -> String {
    let body = json!({ "placements": [{ "id": "hero", "slot": "home_hero" }], "user": { "id": user } });
    let answer = process.decide(&body.to_string()).json();
    answer["placements"]["hero"]["reason"].as_str().unwrap().to_owned()
}

fn tell(process: &Process, user: &str, name: &str, properties: serde_json::Value) {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let event = json!({ "name": name, "message_id": format!("m{number}"), "user_id": user, "properties": properties });
    let body = json!({ "events": [event] }).to_string();
    let answer = once(process.ports.data, "POST", "/v1/events", &body).unwrap();
    assert_eq!((answer.status, &answer.json()["accepted"]), (202, &json!(1)), "{}", answer.text());
}

fn erase(process: &Process, key: &str, user: &str) -> u16 {
    let authorization = format!("Bearer {key}");
    let body = json!({ "user_id": user }).to_string();
    let headers = [("authorization", authorization.as_str())];
    process.connect().send("POST", "/v1/subjects/erase", &headers, body.as_bytes()).unwrap().status
}

#[test]
fn triggers_decide_in_the_very_next_decision() {
    let world = world();
    let process = launch(&world).start();
    // Two impressions use the cap up, so that triggers are told apart from what comes after them.
    let first = [rule_for(&process, "v"), rule_for(&process, "v"), rule_for(&process, "v")];
    assert_eq!(first, ["capped", "capped", "autumn campaign"]);
    let mut slowest = Duration::ZERO;
    let mut expect = |name: &str, properties: serde_json::Value, rule: &str| {
        tell(&process, "v", name, properties);
        let acknowledged = Instant::now();
        assert_eq!(rule_for(&process, "v"), rule, "after {name}");
        slowest = slowest.max(acknowledged.elapsed());
    };
    expect("Product Viewed", json!({ "product_id": "shoe-7" }), "seen");
    expect("Products Searched", json!({}), "seen");
    expect("search", json!({}), "searching");
    expect("Cart Viewed", json!({ "value_micros": 80_000_000, "currency": "EUR", "items": 2 }), "searching");
    expect("cart_abandoned", json!({}), "left behind");
    expect("Order Completed", json!({}), "searching");
    assert!(
        slowest < Duration::from_millis(100),
        "the next decision came {slowest:?} after the acknowledgement"
    );
    assert_eq!(rule_for(&process, "w"), "capped", "others are not concerned");
}

#[test]
fn what_was_acknowledged_is_remembered_after_a_kill() {
    let world = world();
    let mut process = launch(&world).start();
    tell(&process, "v", "Product Viewed", json!({ "product_id": "shoe-7" }));
    assert_eq!(rule_for(&process, "w"), "capped");
    assert_eq!(rule_for(&process, "w"), "capped");
    // An acknowledged event comes after every ad served before it.
    tell(&process, "x", "search", json!({}));
    process.kill();
    let mut process = launch(&world).start();
    assert_eq!(rule_for(&process, "v"), "seen");
    assert_eq!(rule_for(&process, "w"), "autumn campaign", "the cap is used up");
    tell(&process, "x", "search", json!({}));
    assert_eq!(rule_for(&process, "x"), "searching", "one search before the kill, one after it");
    // A polite stop saves the state; a start from it and the journal counts nothing twice.
    process.terminate();
    assert_eq!(process.wait_for_exit().code(), Some(0));
    let state = world.data().join("visitors/state.tsv");
    assert!(state.is_file());
    let mut process = launch(&world).start();
    assert_eq!(rule_for(&process, "x"), "searching");
    assert_eq!(rule_for(&process, "y"), "capped");
    process.kill();
    // A damaged state costs nothing that the journal still has.
    let mut bytes = std::fs::read(&state).unwrap();
    bytes[5] ^= 0xff;
    std::fs::write(&state, bytes).unwrap();
    let process = launch(&world).start();
    assert_eq!(rule_for(&process, "v"), "seen");
    assert_eq!(rule_for(&process, "x"), "searching");
}

#[test]
fn an_erased_visitor_stays_forgotten() {
    let world = world();
    let mut process = launch(&world).start();
    tell(&process, "v", "Product Viewed", json!({ "product_id": "shoe-7" }));
    assert_eq!(rule_for(&process, "v"), "seen");
    assert_eq!(erase(&process, "guess", "v"), 401);
    assert_eq!(rule_for(&process, "v"), "seen");
    let key = std::fs::read_to_string(world.data().join("keys/erase.key")).unwrap();
    assert_eq!(erase(&process, key.trim(), "v"), 200);
    assert_eq!(rule_for(&process, "v"), "autumn campaign", "nothing is known, not even the cap");
    tell(&process, "v", "Product Viewed", json!({ "product_id": "shoe-7" }));
    assert_eq!(rule_for(&process, "v"), "autumn campaign", "and nothing is remembered again");
    assert_eq!(erase(&process, key.trim(), "v"), 200, "erasing twice is erasing once");
    process.kill();
    let process = launch(&world).start();
    assert_eq!(rule_for(&process, "v"), "autumn campaign", "also after a restart");
    assert_eq!(rule_for(&process, "w"), "capped");
}

/// Follows the click address of the ad that is decided for a visitor now.
fn click(process: &Process, user: &str, consent: &serde_json::Value) -> String {
    let body = json!({ "placements": [{ "id": "hero", "slot": "home_hero" }], "user": { "id": user }, "consent": consent });
    let answer = process.decide(&body.to_string()).json();
    let path = path_of(&answer["placements"]["hero"]["ads"][0]["click_url"]);
    let clicked = once(process.ports.data, "GET", &path, "").unwrap();
    let to = clicked.header("location").unwrap().to_owned();
    assert!(clicked.status == 302 && to.is_ascii() && !to.contains('\0'), "{to}");
    path
}

#[test]
fn clicks_are_counted_in_the_next_decision_after_a_kill_and_never_after_an_erasure() {
    let world = world();
    let mut process = launch(&world).start();
    click(&process, "v", &json!({}));
    assert_eq!(rule_for(&process, "v"), "capped", "one click is not two");
    let path = click(&process, "w", &json!({}));
    assert_eq!(once(process.ports.data, "GET", &path, "").unwrap().status, 302);
    assert_eq!(rule_for(&process, "w"), "clicked away", "two clicks, of whom they are");
    // Who allows nothing is not counted.
    let refused = json!({ "gdpr": 1, "purposes": { "storage": false } });
    let path = click(&process, "u", &refused);
    once(process.ports.data, "GET", &path, "").unwrap();
    assert_eq!(rule_for(&process, "u"), "capped");
    process.kill();
    let mut process = launch(&world).start();
    assert_eq!(rule_for(&process, "w"), "clicked away", "what was answered was written down");
    let key = std::fs::read_to_string(world.data().join("keys/erase.key")).unwrap();
    let path = click(&process, "w", &json!({}));
    assert_eq!(erase(&process, key.trim(), "w"), 200);
    for _ in 0..2 {
        assert_eq!(once(process.ports.data, "GET", &path, "").unwrap().status, 302, "the link still works");
    }
    assert_eq!(rule_for(&process, "w"), "autumn campaign", "but nothing is counted");
    process.kill();
    assert_eq!(rule_for(&launch(&world).start(), "w"), "autumn campaign");
}
