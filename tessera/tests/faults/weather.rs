//! The weather in the whole process: sent to the control port, known to decisions within a second, also after a restart.

use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::support::http::Connection;
use crate::support::{Launch, Process, World, wait_for};

fn launch(world: &World) -> Launch<'_> {
    Launch::new(world, "serve").set("consent.default_regime=gdpr").set("engine.trusted_proxies=127.0.0.0/8")
}

/// Which rule fills the sidebar of a visitor in Berlin who has allowed nothing.
fn reason(process: &Process) -> String {
    let body = json!({
        "placements": [{ "id": "p", "slot": "sidebar" }],
        "geo": { "country": "DE", "region": "DE-BE" },
    });
    process.decide(&body.to_string()).json()["placements"]["p"]["reason"].as_str().unwrap().to_owned()
}

fn put(process: &Process, body: &Value) -> (u16, String) {
    let mut connection = Connection::open(process.ports.control).unwrap();
    let headers = [("content-type", "application/json")];
    let body = body.to_string();
    let answer = connection.send("PUT", "/v1/signals/weather", &headers, body.as_bytes()).unwrap();
    (answer.status, answer.text())
}

fn berlin(condition: &str, seconds: i64) -> Value {
    let now = Timestamp::now();
    json!({ "cells": [{
        "country": "DE", "subdivision": "DE-BE", "condition": condition, "temperature_c": 7.5,
        "observed_at": now.to_string(), "expires_at": (now + seconds.seconds()).to_string(),
    }] })
}

#[test]
fn weather_is_known_within_a_second_and_unknown_when_it_has_expired() {
    let world = World::new();
    let process = launch(&world).start();
    assert_eq!(reason(&process), "sidebar generic");
    assert_eq!(process.control("/v1/signals/weather"), json!({ "cells": [] }));
    for (bad, says) in [
        (berlin("sunny", 60), "clear, cloudy"),
        (berlin("rain", -60), "expires_at"),
        (json!({ "cells": [{ "country": "DE" }] }), "write it like"),
        (json!({ "cell": [] }), "write it like"),
    ] {
        let (status, text) = put(&process, &bad);
        assert!(status == 422 && text.contains("invalid_weather") && text.contains(says), "{status}: {text}");
    }
    let (status, text) = put(&process, &berlin("rain", 3_600));
    assert_eq!(status, 200, "{text}");
    let sent = Instant::now();
    wait_for("it rains", || (reason(&process) == "rainy day").then_some(()));
    let took = sent.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    eprintln!("weather took effect after {took:?}");
    assert_eq!(process.metric("weather_places{state=\"current\"}"), 1.0);
    // Junk changes nothing.
    world.replace(&world.data().join("weather.json"), b"{\"cells\": 7}");
    wait_for("junk is refused", || {
        (process.metric("swap_total{file=\"weather\",result=\"refused\"}") > 0.0).then_some(())
    });
    assert_eq!(reason(&process), "rainy day");
    assert_eq!(put(&process, &berlin("rain", 3)).0, 200);
    wait_for("it has expired", || (reason(&process) == "sidebar generic").then_some(()));
    assert_eq!(put(&process, &berlin("rain", 3_600)).0, 200);
    drop(process);
    assert_eq!(reason(&launch(&world).start()), "rainy day", "the first decision after a restart knows");
}
