//! Golden decisions: every case of `fixtures/decide/*.json`, asked and compared. The folder's README says how to write one.

use std::path::PathBuf;

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tessera_wire::weather::{Weather, WeatherCell};

use super::super::context::Memory;
use super::{NOW_MS, Request, Shop};
use crate::enrich::weather::WeatherTable;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: Value,
    ip: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    now: Option<String>,
    #[serde(default)]
    weather: Vec<WeatherCell>,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    learned: bool,
    expect: Value,
}

impl Case {
    fn request(&self) -> Request {
        let header = |(name, value): &(String, String)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        let now_ms = self.now.as_ref().map_or(NOW_MS, |now| {
            now.parse::<jiff::Timestamp>()
                .unwrap_or_else(|error| panic!("{}: {error}", self.name))
                .as_millisecond()
        });
        Request {
            body: self.request.to_string(),
            headers: self.headers.iter().map(header).collect(),
            peer: self.ip.parse().unwrap(),
            now_ms,
            random: u128::from(self.seed),
        }
    }

    /// The answer, or the problem in its place.
    fn answer(&self, shop: &Shop) -> Value {
        let snapshot = if self.learned { &shop.learned } else { &shop.unlearned };
        let weather = WeatherTable::new(&Weather { cells: self.weather.clone() });
        shop.responder.weather.install(weather.unwrap_or_else(|error| panic!("{}: {error}", self.name)));
        match shop.answer(snapshot, &self.request(), &mut Memory::new(snapshot)) {
            Ok(outcome) => serde_json::from_slice(&outcome.answer).unwrap(),
            Err(problem) => serde_json::json!({
                "status": problem.status.as_u16(), "code": problem.code, "pointer": problem.pointer,
            }),
        }
    }
}

/// Where `found` is not what `expected` asks for, if anywhere.
///
/// An object asks for its own fields only, `"any"` for presence, `null` for absence. A list asks for exactly its
/// elements, or, when it begins with `"among"`, for each of the others somewhere.
fn difference(expected: &Value, found: Option<&Value>, path: &str) -> Option<String> {
    match (expected, found) {
        (Value::Null, None) => None,
        (Value::String(any), Some(_)) if any == "any" => None,
        (Value::Object(fields), Some(Value::Object(found))) => fields
            .iter()
            .find_map(|(name, expected)| difference(expected, found.get(name), &format!("{path}/{name}"))),
        (Value::Array(expected), Some(Value::Array(found)))
            if expected.first().is_some_and(|first| first == "among") =>
        {
            let is_missing =
                |wanted: &&Value| !found.iter().any(|one| difference(wanted, Some(one), "").is_none());
            let missing = expected[1..].iter().find(is_missing)?;
            Some(format!("{path}: nothing like {missing} among {}", Value::from(found.clone())))
        }
        (Value::Array(expected), Some(Value::Array(found))) if expected.len() == found.len() => {
            let pairs = expected.iter().zip(found).enumerate();
            pairs.into_iter().find_map(|(at, (expected, found))| {
                difference(expected, Some(found), &format!("{path}/{at}"))
            })
        }
        (expected, Some(found)) if expected == found => None,
        (expected, found) => {
            let found = found.map_or("nothing".to_owned(), Value::to_string);
            Some(format!("{path}: expected {expected}, found {found}"))
        }
    }
}

/// Every JSON file of a folder of fixtures.
fn case_files(folder: &str) -> Vec<PathBuf> {
    let folder = tessera_fixtures::vectors_dir().with_file_name(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    files
}

/// Asks every case of a folder of fixtures: `ask` gives its name, what is expected and what came out.
pub(super) fn check_all<C: DeserializeOwned>(folder: &str, ask: impl Fn(C) -> (String, Value, Value)) {
    let (mut failures, mut count) = (Vec::new(), 0);
    for file in case_files(folder) {
        let text = std::fs::read_to_string(&file).unwrap();
        let cases: Vec<C> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for case in cases {
            count += 1;
            let (name, expected, answer) = ask(case);
            if let Some(difference) = difference(&expected, Some(&answer), "") {
                failures.push(format!("{}: {name}\n  {difference}\n  {answer}", file.display()));
            }
        }
    }
    assert!(count > 20, "only {count} cases were found");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn golden_decisions_come_out_as_written() {
    let shop = Shop::new();
    check_all("decide", |case: Case| {
        let answer = case.answer(&shop);
        (case.name, case.expect, answer)
    });
}

#[test]
fn the_comparison_notices_what_is_different() {
    let found = serde_json::json!({"a": 1, "b": [{"c": 2}, {"c": 3}]});
    let differs =
        |expected: &str| difference(&serde_json::from_str(expected).unwrap(), Some(&found), "").is_some();
    for same in [r#"{"a":"any"}"#, r#"{"x":null}"#, r#"{"b":["among",{"c":3}]}"#, r#"{"b":[{"c":2},"any"]}"#]
    {
        assert!(!differs(same), "{same}");
    }
    for other in
        [r#"{"a":2}"#, r#"{"x":"any"}"#, r#"{"a":null}"#, r#"{"b":[{"c":2}]}"#, r#"{"b":["among",{"c":4}]}"#]
    {
        assert!(differs(other), "{other}");
    }
}

#[test]
fn what_is_only_asked_is_answered_like_a_decision_and_leaves_no_trace() {
    let shop = Shop::new();
    let mut is_any_served = false;
    for seed in 0..50u64 {
        let decide = |options: Value| {
            let case = Case {
                name: String::new(),
                request: serde_json::json!({
                    "placements": [{"id": "a", "slot": "home_hero"}, {"id": "b", "slot": "newsletter"}],
                    "user": {"id": "ana", "traits": {"member_tier": "gold"}},
                    "consent": {"purposes": {"storage": true, "ads_profile": true, "ads_personalization": true}},
                    "options": options,
                }),
                ip: "198.18.4.10".into(),
                headers: vec![("authorization".into(), "Bearer explain-key".into())],
                now: None,
                weather: Vec::new(),
                seed,
                learned: seed.is_multiple_of(2),
                expect: Value::Null,
            };
            let snapshot = if case.learned { &shop.learned } else { &shop.unlearned };
            let outcome = shop.answer(snapshot, &case.request(), &mut Memory::new(snapshot)).unwrap();
            (serde_json::from_slice::<Value>(&outcome.answer).unwrap(), outcome.served.len())
        };
        let (decided, served) = decide(serde_json::json!({"explain": true}));
        let now = jiff::Timestamp::from_millisecond(NOW_MS).unwrap().to_string();
        let (asked, traces) = decide(serde_json::json!({"explain": true, "at_time": now}));
        assert_eq!(decided, asked);
        assert_eq!(traces, 0);
        is_any_served |= served > 0;
    }
    assert!(is_any_served);
}
