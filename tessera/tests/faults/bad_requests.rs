//! Requests that are wrong: the exact status, code and pointer, and an engine that goes on deciding.

use crate::support::http::{Answer, Connection, once, path_of};
use crate::support::{DECIDE, Launch, Process, World};
use tessera_wire::event::TouchKind;
use tessera_wire::token::{Token, TokenKey, sign_into};

/// The engine decides on this connection and on a new one.
fn still_decides(connection: &mut Connection, process: &Process) {
    let answer = connection.send("POST", "/v1/decide", &[], DECIDE.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "on the same connection: {}", answer.text());
    assert_eq!(process.decide(DECIDE).status, 200, "on a new connection");
}

fn expect(answer: &Answer, status: u16, code: &str, pointer: &str) {
    let expected = (status, code.to_owned(), pointer.to_owned());
    assert_eq!(answer.problem(), expected, "{}", answer.text());
}

#[test]
fn a_bad_decide_body_is_refused_with_its_place_and_costs_nothing_else() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let mut connection = process.connect();
    let placements = |count: usize| {
        let one = |number| format!(r#"{{"id":"{number}","slot":"x"}}"#);
        format!(r#"{{"placements":[{}]}}"#, (0..count).map(one).collect::<Vec<_>>().join(","))
    };
    let count =
        |count: &str| format!(r#"{{"placements":[{{"id":"a","slot":"home_hero","count":{count}}}]}}"#);
    let with = |more: &str| format!(r#"{{"placements":[{{"id":"a","slot":"home_hero"}}],{more}}}"#);
    let nested = with(&format!(r#""context":{{"x":{}}}"#, "[".repeat(100_000)));
    let cases: Vec<(String, &str, &str)> = vec![
        ("".into(), "malformed_json", ""),
        ("{".into(), "malformed_json", ""),
        (r#"{"placements":[}"#.into(), "malformed_json", ""),
        ("\u{0}\u{1}\u{2}".into(), "malformed_json", ""),
        (format!("{DECIDE} trailing"), "malformed_json", ""),
        (nested, "malformed_json", ""),
        ("[]".into(), "invalid_field", ""),
        ("null".into(), "invalid_field", ""),
        ("{}".into(), "invalid_field", ""),
        (r#"{"placements":{}}"#.into(), "invalid_field", "/placements"),
        (r#"{"placements":[{"id":"a"}]}"#.into(), "invalid_field", "/placements/0"),
        (r#"{"placements":[{"id":"a","slot":7}]}"#.into(), "invalid_field", "/placements/0/slot"),
        (with(r#""user":{"id":[]}"#), "invalid_field", "/user/id"),
        (with(r#""consent":{"gdpr":"yes"}"#), "invalid_field", "/consent/gdpr"),
        (with(r#""session":{"cart":{"value_micros":1e400}}"#), "malformed_json", ""),
        (count("-1"), "invalid_field", "/placements/0/count"),
        (count("0"), "ad_count", "/placements/0/count"),
        (count("1000"), "ad_count", "/placements/0/count"),
        (placements(0), "placement_count", "/placements"),
        (placements(51), "placement_count", "/placements"),
        (placements(10_000), "placement_count", "/placements"),
        (with(&format!(r#""request_id":"{}""#, "r".repeat(129))), "request_id_too_long", "/request_id"),
    ];
    for (body, code, pointer) in &cases {
        let answer = connection.send("POST", "/v1/decide", &[], body.as_bytes()).unwrap();
        assert_eq!(
            answer.problem(),
            (400, (*code).to_owned(), (*pointer).to_owned()),
            "{}",
            body.chars().take(80).collect::<String>()
        );
    }
    let answer = connection.send("POST", "/v1/decide", &[], &[0xff, 0xfe, b'{']).unwrap();
    expect(&answer, 400, "malformed_json", "");
    still_decides(&mut connection, &process);
    let refused = process.metric("http_refused_total{reason=\"bad_request\"}");
    assert_eq!(refused, cases.len() as f64 + 1.0);
}

#[test]
fn only_tokens_that_this_engine_signed_and_that_are_still_valid_count() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let mut connection = process.connect();
    let ad = process.decide(DECIDE).json()["placements"]["hero"]["ads"][0].clone();
    let (impression, click) = (path_of(&ad["impression_url"]), path_of(&ad["click_url"]));
    let mut get = |path: &str| connection.send("GET", path, &[], b"").unwrap();

    expect(&get("/e/"), 400, "bad_token", "");
    expect(&get("/e/not-a-token"), 400, "bad_token", "");
    expect(&get(&format!("/e/{}", "A".repeat(5_000))), 400, "bad_token", "");
    for position in [4, 10, impression.len() / 2, impression.len() - 2] {
        let mut tampered = impression.clone().into_bytes();
        tampered[position] = if tampered[position] == b'A' { b'B' } else { b'A' };
        expect(&get(&String::from_utf8(tampered).unwrap()), 400, "bad_token", "");
    }
    expect(&get(&signed([7; 32], u32::MAX)), 400, "bad_token", "");
    expect(&get(&signed(token_key(&world), 1_000)), 410, "token_expired", "");
    let token = impression.strip_prefix("/e/").unwrap();
    expect(&get(&format!("/c/{token}")), 400, "not_a_click", "");
    assert_eq!(get(&impression).status, 204);
    assert_eq!(get(&click).status, 302);
    still_decides(&mut connection, &process);
    assert_eq!(process.metric("events_ingested_total{type=\"impression\"}"), 1.0);
    assert_eq!(process.metric("events_ingested_total{type=\"click\"}"), 1.0);
    assert_eq!(process.metric("http_refused_total{reason=\"bad_token\"}"), 10.0);
}

/// The engine's own secret, as the file holds it.
fn token_key(world: &World) -> [u8; 32] {
    let text = std::fs::read_to_string(world.data().join("keys/token.key")).unwrap();
    let digit = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(digit)
}

fn signed(key: [u8; 32], expires_at_secs: u32) -> String {
    let kind = TouchKind::Impression;
    let token = Token { kind, expires_at_secs, decision_id: 1, ad: 0, target: "" };
    let mut path = b"/e/".to_vec();
    sign_into(&TokenKey::new(key), &token, &mut path);
    String::from_utf8(path).unwrap()
}

#[test]
fn unknown_paths_bad_queries_and_missing_keys_are_refused() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let mut connection = process.connect();
    let mut ask = |method: &str, path: &str| connection.send(method, path, &[], b"").unwrap();
    expect(&ask("GET", "/"), 404, "not_found", "");
    expect(&ask("GET", "/v1/nothing"), 404, "not_found", "");
    expect(&ask("DELETE", "/v1/decide"), 404, "not_found", "");
    expect(&ask("GET", "/metrics"), 404, "not_found", "");
    expect(&ask("GET", "/v1/decide"), 400, "query_missing", "");
    expect(&ask("GET", "/v1/decide?q=%%%"), 400, "query_encoding", "");
    expect(&ask("GET", "/v1/decide?q=AAAA"), 400, "malformed_json", "");
    assert_eq!(
        ask("GET", "/v1/decide?q=eyJwbGFjZW1lbnRzIjpbeyJpZCI6ImEiLCJzbG90IjoiaG9tZV9oZXJvIn1dfQ").status,
        200
    );

    let explain = r#"{"placements":[{"id":"a","slot":"home_hero"}],"options":{"explain":true}}"#;
    let mut explained = |headers: &[(&str, &str)]| {
        connection.send("POST", "/v1/decide", headers, explain.as_bytes()).unwrap()
    };
    expect(&explained(&[]), 401, "explain_needs_key", "/options/explain");
    expect(&explained(&[("authorization", "Bearer wrong")]), 401, "explain_needs_key", "/options/explain");
    let key = std::fs::read_to_string(world.data().join("keys/explain.key")).unwrap();
    let answer = explained(&[("authorization", &format!("Bearer {}", key.trim()))]);
    assert_eq!((answer.status, answer.json()["explain"].is_object()), (200, true), "{}", answer.text());
    still_decides(&mut connection, &process);

    // The control port has its own manners.
    let control = process.ports.control;
    assert_eq!(once(control, "GET", "/v1/nothing", "").unwrap().problem().1, "not_found");
    assert_eq!(
        once(control, "POST", "/v1/bundles/99/activate", "").unwrap().problem().1,
        "unknown_generation"
    );
    let mut connection = Connection::open(control).unwrap();
    let plain = connection.send("POST", "/v1/publish", &[("content-type", "text/plain")], b"").unwrap();
    assert_eq!((plain.status, plain.problem().1.as_str()), (415, "content_type"));
}

#[test]
fn a_bad_event_costs_that_event_only_and_a_bad_batch_costs_the_batch() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let mut connection = process.connect();
    let mut post = |body: &str| connection.send("POST", "/v1/events", &[], body.as_bytes()).unwrap();
    let batch = |count: usize| {
        let one = |number| format!(r#"{{"name":"view","message_id":"m{number}"}}"#);
        format!(r#"{{"events":[{}]}}"#, (0..count).map(one).collect::<Vec<_>>().join(","))
    };
    expect(&post("{"), 400, "malformed_json", "");
    expect(&post("{}"), 400, "invalid_field", "");
    expect(&post(r#"{"events":[7]}"#), 400, "invalid_field", "/events/0");
    expect(&post(&batch(0)), 400, "event_count", "/events");
    expect(&post(&batch(501)), 400, "event_count", "/events");

    let long = "x".repeat(129);
    let token = path_of(&process.decide(DECIDE).json()["placements"]["hero"]["ads"][0]["impression_url"]);
    let token = token.strip_prefix("/e/").unwrap();
    let events = [
        r#"{"name":"view","message_id":"good"}"#.to_owned(),
        r#"{"name":"view","message_id":"good"}"#.to_owned(),
        r#"{"message_id":"a"}"#.to_owned(),
        r#"{"name":"","message_id":"a"}"#.to_owned(),
        format!(r#"{{"name":"{long}","message_id":"a"}}"#),
        r#"{"name":"view"}"#.to_owned(),
        format!(r#"{{"name":"view","message_id":"{long}"}}"#),
        format!(r#"{{"name":"view","message_id":"a","properties":{{"product_id":"{long}"}}}}"#),
        r#"{"token":"junk"}"#.to_owned(),
        format!(r#"{{"token":"{token}"}}"#),
    ];
    let answer = post(&format!(r#"{{"events":[{}]}}"#, events.join(",")));
    assert_eq!(answer.status, 202);
    let codes = [
        (2, "name_missing"),
        (3, "name_length"),
        (4, "name_length"),
        (5, "message_id_missing"),
        (6, "message_id_length"),
        (7, "product_id_length"),
        (8, "bad_token"),
    ];
    let rejected: Vec<_> =
        codes.iter().map(|(index, code)| serde_json::json!({ "index": index, "code": code })).collect();
    let expected = serde_json::json!({ "accepted": 2, "duplicate": 1, "rejected": rejected });
    assert_eq!(answer.json(), expected);
    assert_eq!(post(&batch(500)).json()["accepted"], 500);
    still_decides(&mut connection, &process);
    assert_eq!(process.metric("events_ingested_total{type=\"behaviour\"}"), 501.0);
}

#[test]
fn a_body_of_ten_megabytes_is_refused_and_the_refusal_arrives() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let whole = vec![b' '; 10 << 20];
    let chunks: Vec<&[u8]> = whole.chunks(64 << 10).collect();
    // All at once, as a naive client does; only the head; and in chunks without a length.
    let mut connection = process.connect();
    let answer = connection.send("POST", "/v1/decide", &[], &whole);
    expect(&answer.expect("nobody breaks the pipe"), 413, "body_too_large", "");
    let mut connection = process.connect();
    expect(&connection.send_head("/v1/events", whole.len()).unwrap(), 413, "body_too_large", "");
    for _ in 0..10 {
        let mut connection = process.connect();
        let answer = connection.send_chunked("/v1/decide", &chunks);
        expect(&answer.expect("nobody breaks the pipe"), 413, "body_too_large", "");
    }
    // A little over the limit is refused too, and a chunked body within it is as good as any.
    let mut connection = process.connect();
    let over = vec![b' '; (256 << 10) + 1];
    expect(&connection.send_chunked("/v1/decide", &[&over]).unwrap(), 413, "body_too_large", "");
    let mut connection = process.connect();
    let body = DECIDE.as_bytes();
    let (first, second) = body.split_at(7);
    assert_eq!(connection.send_chunked("/v1/decide", &[first, second]).unwrap().status, 200);
    still_decides(&mut connection, &process);
    assert_eq!(process.metric("http_refused_total{reason=\"too_large\"}"), 13.0);
}
