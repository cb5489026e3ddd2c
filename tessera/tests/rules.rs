//! `tessera rules` over the demo shop, as its authors run it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output};

fn rules(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.arg("rules").args(arguments).current_dir(directory).output().unwrap()
}

/// A copy of the demo's sources.
fn demo() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in tessera_fixtures::DEMO_SOURCES {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

fn all_is_well(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn formatting_and_checking_the_demo_changes_and_finds_nothing() {
    let demo = demo();
    let read = || {
        let files = tessera_fixtures::DEMO_SOURCES.iter();
        files.map(|(path, _)| std::fs::read_to_string(demo.path().join(path)).unwrap()).collect::<Vec<_>>()
    };
    let before = read();
    all_is_well(&rules(&["fmt", "."], demo.path()));
    assert_eq!(read(), before, "the demo is formatted");
    all_is_well(&rules(&["check", ".", "--catalog", "catalog.toml", "--deny", "warnings"], demo.path()));
    all_is_well(&rules(&["test", ".", "--catalog", "catalog.toml"], demo.path()));
}

#[test]
fn without_the_catalog_the_segments_of_its_models_look_unused() {
    let demo = demo();
    let checked = rules(&["check", ".", "--deny", "warnings"], demo.path());
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&checked.stdout).contains("W070"));
}

#[test]
fn a_user_is_dealt_into_the_buckets_of_the_engine() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("x.rules", "rule \"r\" for placement \"p\" { rollout 50% by user salt \"s\" then no ad }\n");
    let mut inside = 0;
    for user in 0..8 {
        let name = format!("visitor-{user}");
        write("e.json", &format!("{{\"user\": \"{name}\"}}"));
        let arguments = ["explain", "--rule", "r", "--event", "e.json", "--format", "json", "."];
        let output = rules(&arguments, directory.path());
        all_is_well(&output);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let key = tessera_engine_core::hash::sticky_key(&name);
        let is_in = tessera_engine_core::hash::bucket("s", key) < 500_000;
        assert_eq!(found["truth"], if is_in { "true" } else { "false" }, "{name}");
        inside += usize::from(is_in);
    }
    assert!((1..8).contains(&inside), "some are in and some are not");
}
