//! Segment's protocol over real connections: keys, limits, what is kept, and what is counted as refused.

use crate::support::http::Answer;
use crate::support::{Launch, Process, World};

fn send(process: &Process, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    process.connect().send("POST", path, headers, body.as_bytes()).unwrap()
}

fn assert_success(answer: &Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"success":true}"#));
}

const BEHAVIOURS: &str = "events_ingested_total{type=\"behaviour\"}";

#[test]
fn every_call_is_written_down_or_counted_with_a_reason() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let call = r#"{"userId":"ana","messageId":"m","event":"Order Completed","properties":{"revenue":25.5,
        "currency":"EUR","products":[{"product_id":"shoe"}]},"context":{"library":{"name":"analytics.js"},
        "consent":{"purposes":{"storage":true,"ads_profile":true,"ads_personalization":true,"analytics":true}}},
        "timestamp":"2026-11-20T10:00:00Z","sentAt":"2026-11-20T10:00:01Z","integrations":{"All":true}}"#;
    for path in ["track", "identify", "page", "screen", "group", "alias"] {
        assert_success(&send(&process, &format!("/v1/{path}"), &[], call));
    }
    assert_eq!(process.metric(BEHAVIOURS), 6.0);
    let large = "x".repeat(40_000);
    let batch = format!(
        r#"{{"sentAt":"2026-11-20T10:00:01Z","batch":[{{"type":"track","event":"Product Viewed","anonymousId":"a"}},
        {{"type":"track","anonymousId":"a"}},{{"type":"dance","anonymousId":"a"}},{{"type":"page"}},{{"anonymousId":"a"}},
        7,{{"type":"identify","userId":"ana","traits":{{"bio":"{large}"}}}},{{"type":"page","anonymousId":"a"}}]}}"#
    );
    assert_success(&send(&process, "/v1/batch", &[("content-type", "application/json")], &batch));
    assert_eq!(process.metric(BEHAVIOURS), 8.0);
    for (code, count) in [
        ("name_missing", 1.0),
        ("type_unknown", 1.0),
        ("identity_missing", 1.0),
        ("type_missing", 1.0),
        ("event_malformed", 1.0),
        ("event_too_large", 1.0),
    ] {
        assert_eq!(process.metric(&format!("events_rejected_total{{code=\"{code}\"}}")), count, "{code}");
    }
    let metrics = crate::support::http::once(process.ports.admin, "GET", "/metrics", "").unwrap().text();
    assert!(!metrics.contains("dance") && !metrics.contains("ana\""), "no label comes from outside");
    // A whole body that cannot be read is refused.
    assert_eq!(send(&process, "/v1/batch", &[], "{").problem().1, "malformed_json");
    assert_eq!(send(&process, "/v1/batch", &[], r#"{"batch":[]}"#).problem().2, "/batch");
    let huge = format!(r#"{{"userId":"a","event":"x","properties":{{"y":"{large}"}}}}"#);
    assert_eq!(send(&process, "/v1/track", &[], &huge).problem().0, 413);
    assert_eq!(send(&process, "/v1/batch", &[], &" ".repeat(600_000)).problem().0, 413);
}

#[test]
fn what_a_call_tells_is_known_to_the_next_decision() {
    let world = World::new();
    world.write_source(
        "rules/95-bought.rules",
        "language 1\n\nrule \"bought\" priority 99 for placement \"checkout\" {\n  when purchases >= 1\n  then show creative \"autumn_ro\"\n}\n",
    );
    let process = Launch::new(&world, "serve").start();
    let purposes =
        r#"{"purposes":{"storage":true,"ads_profile":true,"ads_personalization":true,"analytics":true}}"#;
    let decide = format!(
        r#"{{"placements":[{{"id":"c","slot":"checkout"}}],"user":{{"id":"ana"}},"consent":{purposes}}}"#
    );
    let reason = || process.decide(&decide).json()["placements"]["c"]["reason"].clone();
    assert_ne!(reason(), "bought");
    let order = r#"{"type":"track","event":"Order Completed","userId":"ana"}"#;
    assert_success(&send(&process, "/v1/batch", &[], &format!(r#"{{"batch":[{order}]}}"#)));
    assert_ne!(reason(), "bought", "without consent nothing is remembered");
    let body = format!(r#"{{"batch":[{order}],"context":{{"consent":{purposes}}}}}"#);
    assert_success(&send(&process, "/v1/batch", &[], &body));
    assert_eq!(reason(), "bought");
}

#[test]
fn write_keys_and_beacons() {
    let world = World::new();
    let made = world.run(&["key", "new", "--name", "web", "--scopes", "ingest"]);
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let process = Launch::new(&world, "serve").start();
    let page = r#"{"anonymousId":"a"}"#;
    assert_eq!(send(&process, "/v1/page", &[], page).status, 401);
    let basic = base64(format!("{key}:").as_bytes());
    assert_success(&send(&process, "/v1/page", &[("authorization", &format!("Basic {basic}"))], page));
    let text = [("content-type", "text/plain;charset=UTF-8")];
    let beacon = format!("/v1/beacon?key={key}");
    assert_success(&send(&process, &beacon, &text, r#"{"batch":[{"type":"page","anonymousId":"a"}]}"#));
    let native = r#"{"events":[{"name":"search","message_id":"m1"}]}"#;
    let answer = send(&process, &beacon, &text, native);
    assert_eq!((answer.status, &answer.json()["accepted"]), (202, &1.into()));
    assert_eq!(send(&process, "/v1/beacon", &text, native).status, 401);
    assert_eq!(send(&process, &beacon, &text, &" ".repeat(70_000)).status, 413);
    assert_eq!(process.metric(BEHAVIOURS), 3.0);
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = char::from(DIGITS[(word >> (18 - 6 * place) & 63) as usize]);
            out.push(if place <= chunk.len() { digit } else { '=' });
        }
    }
    out
}
