//! The command's other tools: tests, explanations, SQL, JSON, program files.
#![cfg(feature = "command")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tessera_wire::codec;
use tessera_wire::program::{LiteralSpan, Program, SourceMap};

const RULES: &str = r#"attribute age : number needs ads_personalization
attribute tags : set of text from request
segment "fans" {
  age >= 18
  tags includes any of ("rock", "metal")
}
rule "concert" priority 2 for placement "p" {
  when segment("fans")
  then show creative "a"
}
rule "rest" for placement "p" fallback { then show creative "c" }
test "fans see it" { given age = 20, tags = ("rock")  expect show creative "a" }
test "others do not" { given age = 2, tags = ()  expect show creative "c" }
"#;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        place.write("x.rules", RULES);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// Exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rulec"));
        let Output { status, stdout, stderr } =
            command.args(arguments).current_dir(self.path()).output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

#[test]
fn tests_are_summed_up_and_the_exit_code_tells() {
    let place = Place::new();
    let (code, out, _) = place.run(&["test", "."]);
    assert_eq!(code, 0);
    assert!(out.starts_with("ok   fans see it (./x.rules:12)\nok   others do not (./x.rules:13)\n"), "{out}");
    assert!(out.ends_with("2 passed, 0 failed; coverage 77% (7 of 9)\n"), "{out}");
    assert_eq!(place.run(&["test", ".", "--min-coverage", "77"]).0, 0);
    let (code, out, err) = place.run(&["test", ".", "--min-coverage", "78", "--uncovered"]);
    assert_eq!((code, err.as_str()), (1, "coverage is below 78%; --uncovered lists what no test saw\n"));
    assert!(out.contains("./x.rules:4: age >= 18 was never unknown\n"), "{out}");
    assert_eq!(place.run(&["test", ".", "--min-coverage", "101"]).0, 2);
    place.write("y.rules", "test \"wrong\" { given age = 20  expect no ad }\n");
    let (code, out, _) = place.run(&["test", "."]);
    assert_eq!(code, 1);
    assert!(
        out.contains("FAIL wrong (./y.rules:1)\nerror[E090]") && out.contains("2 passed, 1 failed"),
        "{out}"
    );
    place.write("y.rules", "test \"wrong\" { given agee = 20 }\n");
    let (code, out, err) = place.run(&["test", "."]);
    assert!(code == 1 && out.is_empty() && err.contains("E040"), "{out}{err}");
}

#[test]
fn boundaries_are_printed_as_a_table() {
    let place = Place::new();
    let (code, out, _) = place.run(&["test", ".", "--boundaries", "--rule", "concert"]);
    assert_eq!(code, 0);
    assert!(
        out.starts_with("rule \"concert\" in placement \"p\", with age = 18; tags = (\"metal\")\n"),
        "{out}"
    );
    assert!(out.contains("  age        17                 false    \"rest\"     -\n"), "{out}");
    assert_eq!(place.run(&["test", ".", "--boundaries", "--rule", "concerts"]).0, 2);
}

#[test]
fn a_rule_is_explained_for_a_visitor() {
    let place = Place::new();
    place.write("e.json", r#"{"age": 17, "tags": ["rock"]}"#);
    let explain = ["explain", "--rule", "concert", "--event", "e.json", "."];
    let (code, out, _) = place.run(&explain);
    assert_eq!(code, 0);
    assert!(out.contains("FALSE -> does not serve") && out.contains("(not shown)"), "{out}");
    assert!(!out.contains("17"), "{out}");
    let (_, out, _) = place.run(&[&explain[..], &["--show-values", "--format", "json"]].concat());
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found["truth"], &found["nearest"]["missing"]), (&json!("false"), &json!(1)));
    assert_eq!(found["nearest"]["changes"][0], json!({ "kind": "value", "text": "age = 18" }));
    assert_eq!(found["clauses"][0]["parts"][0]["facts"][0]["value"], "17");
    assert_eq!(found["clauses"][0]["parts"][0]["at"], json!({ "file": "./x.rules", "line": 4, "column": 3 }));
    let (code, _, err) = place.run(&["explain", "--rule", "concrt", "--event", "e.json", "."]);
    assert!(code == 2 && err.contains("did you mean `concert`?"), "{err}");
    place.write("e.json", r#"{"age": "old"}"#);
    let (code, _, err) = place.run(&explain);
    assert!(code == 1 && err.contains("= in: /age"), "{err}");
    assert_eq!(place.run(&["explain", "--rule", "concert", "."]).0, 2, "a rule needs a visitor");
    assert_eq!(place.run(&["explain", "E020", "E030"]).0, 2);
}

#[test]
fn a_segment_becomes_sql() {
    let place = Place::new();
    let sql = ["sql", ".", "--segment", "fans", "--dialect"];
    let (code, out, _) = place.run(&[&sql[..], &["sqlite"]].concat());
    assert_eq!(code, 0);
    assert!(out.contains("\"profiles\".\"age\" >= ?1") && out.contains("-- ?1 = 18000000\n"), "{out}");
    let other = ["postgres", "--table", "t", "--column", "age=years", "--format", "json"];
    let (_, out, _) = place.run(&[&sql[..], &other].concat());
    let found: Value = serde_json::from_str(&out).unwrap();
    assert!(found["where"].as_str().unwrap().contains("\"t\".\"years\" >= $1"), "{out}");
    assert_eq!(found["parameters"], json!([{ "integer": 18_000_000 }, { "texts": ["metal", "rock"] }]));
    let (code, _, err) = place.run(&["sql", ".", "--segment", "fan", "--dialect", "sqlite"]);
    assert!(code == 2 && err.contains("did you mean `fans`?"), "{err}");
    assert_eq!(place.run(&[&sql[..], &["sqlite", "--column", "age"]].concat()).0, 2);
    assert_eq!(place.run(&[&sql[..], &["sqlite", "--table", "a b"]].concat()).0, 2);
}

#[test]
fn a_segment_becomes_json_and_text_again() {
    let place = Place::new();
    let (code, out, _) = place.run(&["json", ".", "--segment", "fans"]);
    assert_eq!(code, 0);
    place.write("c.json", &out);
    let (code, text, _) = place.run(&["json", ".", "--from", "c.json"]);
    assert_eq!((code, text.as_str()), (0, "age >= 18 and tags includes any of (\"rock\", \"metal\")\n"));
    place.write("c.json", r#"{"field": "agee", "operator": ">=", "value": 18}"#);
    let (code, _, err) = place.run(&["json", ".", "--from", "c.json"]);
    assert!(code == 1 && err.contains("did you mean `age`?") && err.contains("= in: /field"), "{err}");
    assert_eq!(place.run(&["json", "."]).0, 2);
    assert_eq!(place.run(&["json", ".", "--segment", "fans", "--from", "c.json"]).0, 2);
}

#[test]
fn a_program_file_holds_what_a_bundle_would() {
    let place = Place::new();
    let (code, out, _) = place.run(&["build", ".", "-o", "p.bin"]);
    assert!(code == 0 && out.ends_with("2 rules\n"), "{out}");
    let bytes = std::fs::read(place.path().join("p.bin")).unwrap();
    let (program, source, spans): (Program, SourceMap, Vec<LiteralSpan>) =
        codec::decode::<_, { 1 << 20 }>(&bytes).unwrap();
    assert_eq!((program.rules.len(), program.segments[0].name.as_str()), (2, "fans"));
    assert_eq!((source.rules[0].name.as_str(), spans.len()), ("concert", 2));
    // A program that does not compile leaves the file as it was.
    place.write("y.rules", "rule \"x\" {\n");
    let (code, _, err) = place.run(&["build", ".", "-o", "p.bin"]);
    assert!(code == 1 && err.contains("was not written"), "{err}");
    assert_eq!(std::fs::read(place.path().join("p.bin")).unwrap(), bytes);
    let files: Vec<_> = std::fs::read_dir(place.path()).unwrap().collect();
    assert_eq!(files.len(), 3, "nothing is left over");
}
