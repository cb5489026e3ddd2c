//! Caps, budgets and kill switches in the whole process: what they promise holds across requests, switches, `kill -9` and
//! restarts.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http::once;
use crate::support::{Launch, Process, World, wait_for};

/// Ads of the goal, and what may be put aside at once: a twentieth.
const GOAL: usize = 400;
const LEASE: usize = GOAL / 20;

const CATALOG: &str = r#"
[[placement]]
id = "top"

[[placement]]
id = "side"

[[campaign]]
id = "capped"
landing_url = "https://shop.example/"
caps = [{ count = 3, per = "day" }]

[[flight]]
id = "capped-always"
campaign = "capped"
price = "2.50 EUR"
start = "2020-01-01T00:00:00Z"
end = "2100-01-01T00:00:00Z"

[[campaign]]
id = "limited"
landing_url = "https://shop.example/"

[[flight]]
id = "limited-always"
campaign = "limited"
start = "2020-01-01T00:00:00Z"
end = "2100-01-01T00:00:00Z"
goal = { total = 400, pacing = "asap" }

[[asset]]
id = "a"
text = "A"

[[template]]
id = "capped-box"
campaign = "capped"
[[template.slot]]
name = "headline"
assets = ["a"]

[[template]]
id = "limited-box"
campaign = "limited"
[[template.slot]]
name = "headline"
assets = ["a"]
"#;

const RULES: &str = r#"language 1
rule "capped" for placement "top" contextual { then show template "capped-box" }
rule "limited" for placement "side" contextual { then show template "limited-box" }
"#;

fn world() -> World {
    let world = World::new();
    std::fs::remove_dir_all(world.source()).unwrap();
    world.write_source("catalog.toml", CATALOG);
    world.write_source("all.rules", RULES);
    world
}

fn launch(world: &World) -> Launch<'_> {
    Launch::new(world, "serve").set("consent.default_regime=none").set("journal.fsync=off")
}

/// What one placement came to: the campaign that was shown, or why nothing was.
fn decide(process: &Process, slot: &str, user: &str) -> String {
    let body = json!({ "placements": [{ "id": "p", "slot": slot }], "user": { "id": user } });
    let placement = &process.decide(&body.to_string()).json()["placements"]["p"];
    let shown = placement["ads"][0]["campaign_id"].as_str();
    shown.or_else(|| placement["no_fill_code"].as_str()).unwrap().to_owned()
}

fn put_switches(process: &Process, body: &str) -> (u16, String) {
    let mut connection = crate::support::http::Connection::open(process.ports.control).unwrap();
    let headers = [("content-type", "application/json")];
    let answer = connection.send("PUT", "/v1/switches", &headers, body.as_bytes()).unwrap();
    (answer.status, answer.text())
}

#[test]
fn a_cap_holds_within_an_answer_across_requests_and_after_a_kill() {
    let world = world();
    let mut process = launch(&world).start();
    assert_eq!(decide(&process, "top", "v"), "capped");
    let three = json!({ "user": { "id": "v" }, "placements": [
        { "id": "a", "slot": "top" }, { "id": "b", "slot": "top" }, { "id": "c", "slot": "top" }] });
    let answer = process.decide(&three.to_string()).json();
    let ads = |id: &str| answer["placements"][id]["ads"].as_array().unwrap().len();
    assert_eq!((ads("a"), ads("b"), ads("c")), (1, 1, 0), "two are left of three: {answer}");
    assert_eq!(decide(&process, "top", "v"), "cap_reached");
    assert_eq!(decide(&process, "top", "w"), "capped", "others have their own");
    // The journal is written within milliseconds of the answer; what was acknowledged after it proves that it was.
    let path = crate::support::http::path_of(&answer["placements"]["a"]["ads"][0]["impression_url"]);
    assert_eq!(once(process.ports.data, "GET", &path, "").unwrap().status, 204);
    process.kill();
    let process = launch(&world).start();
    assert_eq!(decide(&process, "top", "v"), "cap_reached");
}

#[test]
fn what_an_ad_costs_is_told_to_who_asks() {
    let world = world();
    let process = launch(&world).start();
    let ad = |slot: &str, asks: bool| {
        let body = json!({ "placements": [{ "id": "p", "slot": slot }], "options": { "pricing": asks } });
        process.decide(&body.to_string()).json()["placements"]["p"]["ads"][0].clone()
    };
    let price = json!({ "price_micros": 2_500_000, "currency": "EUR", "rate_type": "cpm" });
    assert_eq!(ad("top", true)["pricing"], price);
    assert!(ad("top", false).get("pricing").is_none());
    assert!(ad("side", true).get("pricing").is_none(), "what has no price says none");
}

#[test]
fn a_goal_is_never_exceeded_whatever_dies_when_and_missed_by_a_lease_at_most() {
    let world = world();
    let (mut shown, mut lives) = (0, 0);
    loop {
        let mut process = launch(&world).start();
        let mut connection = process.connect();
        let mut in_life = 0;
        let started = Instant::now();
        while in_life < 110 && started.elapsed() < Duration::from_secs(5) {
            let body = br#"{"placements":[{"id":"p","slot":"side"}]}"#;
            let answer = connection.send("POST", "/v1/decide", &[], body).unwrap().json();
            let is_shown = !answer["placements"]["p"]["ads"].as_array().unwrap().is_empty();
            in_life += usize::from(is_shown);
            if !is_shown {
                assert_eq!(answer["placements"]["p"]["no_fill_code"], "budget_exhausted");
                if process.metric("budgets{state=\"exhausted\"}") > 0.0 {
                    break;
                }
                // The next lease comes in a moment.
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        shown += in_life;
        assert!(shown <= GOAL, "{shown} of {GOAL}");
        if in_life < 110 {
            // An orderly end makes the books exact: what was put aside and not shown is there again.
            process.terminate();
            process.wait_for_exit();
            break;
        }
        process.kill();
        lives += 1;
    }
    assert!(lives >= 2, "{lives}");
    assert!(shown + lives * LEASE >= GOAL, "{shown} of {GOAL} after {lives} kills");
}

#[test]
fn a_switch_takes_effect_within_a_second_and_says_so() {
    let world = world();
    let process = launch(&world).start();
    assert_eq!(decide(&process, "top", "v"), "capped");
    let (status, text) = put_switches(&process, r#"{"off":{"campaigns":["caped"]}}"#);
    assert!(status == 422 && text.contains("did you mean `capped`"), "{status}: {text}");
    let (status, text) = put_switches(&process, r#"{"off":{"campaign":["capped"]}}"#);
    assert!(status == 422 && text.contains("invalid_switches"), "{status}: {text}");
    let off = r#"{"off":{"campaigns":["capped"]}}"#;
    assert_eq!(put_switches(&process, off).0, 200);
    let switched = Instant::now();
    wait_for("the campaign is off", || (decide(&process, "top", "w") == "kill_switch").then_some(()));
    let took = switched.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    eprintln!("a kill switch took effect after {took:?}");
    assert_eq!(decide(&process, "side", "w"), "limited", "nothing else is off");
    assert_eq!(process.metric("switched_off{what=\"campaigns\"}"), 1.0);
    assert_eq!(process.control("/v1/switches")["off"]["campaigns"], json!(["capped"]));
    // Junk changes nothing; a file written by hand works like the API; all off is off.
    let file = world.data().join("switches.json");
    world.replace(&file, b"{\"off\": {\"campaigns\": 7}}");
    wait_for("junk is refused", || {
        (process.metric("swap_total{file=\"switches\",result=\"refused\"}") > 0.0).then_some(())
    });
    assert_eq!(decide(&process, "top", "w"), "kill_switch");
    world.replace(&file, b"{\"off\": {\"everything\": true}}");
    wait_for("everything is off", || (decide(&process, "side", "w") == "kill_switch").then_some(()));
    drop(process);
    // The switches outlive the process, and hold for its first decision.
    let process = launch(&world).start();
    assert_eq!(decide(&process, "side", "w"), "kill_switch");
    assert_eq!(put_switches(&process, r#"{"off":{}}"#).0, 200);
    wait_for("everything is on", || (decide(&process, "side", "w") == "limited").then_some(()));
}
