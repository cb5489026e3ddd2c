//! Damaged bundles, location databases and posteriors: what verified last stays in force, and a good file is taken over.

use std::time::Duration;

use serde_json::Value;

use crate::support::{DECIDE, Launch, Process, World, wait_for, wait_within};

/// A good file must be in force within this time.
const TAKE_OVER_MAX: Duration = Duration::from_secs(1);

/// A rule whose outcome tells the country.
const BY_COUNTRY: &str = r#"language 1

rule "checkout in Romania" priority 50 for placement "checkout" fallback {
  when country is RO
  then show creative "autumn_ro"
}
"#;
const FROM_ROMANIA: &str = r#"{"placements":[{"id":"a","slot":"checkout"}],"device":{"ip":"198.18.1.10"}}"#;

fn refused(process: &Process, file: &str) -> f64 {
    process.metric(&format!("swap_total{{file=\"{file}\",result=\"refused\"}}"))
}

/// The bundle generation that decides.
fn version(process: &Process) -> u64 {
    let answer = process.decide(DECIDE);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["bundle"]["version"].as_u64().unwrap()
}

/// Puts damaged bytes in a file's place and waits until they have been looked at.
fn damage(world: &World, process: &Process, file: &str, path: &std::path::Path, bytes: &[u8]) {
    let before = refused(process, file);
    world.replace(path, bytes);
    wait_for("the damaged file is refused", || (refused(process, file) > before).then_some(()));
}

#[test]
fn a_damaged_bundle_changes_nothing_and_a_good_one_is_taken_over_at_once() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let active = world.data().join("bundles/active.tsb");
    let good = std::fs::read(&active).unwrap();
    let flip = |position: usize| {
        let mut bytes = good.clone();
        bytes[position] ^= 1;
        bytes
    };
    let damaged = [
        Vec::new(),
        good[..good.len() / 2].to_vec(),
        good[..good.len() - 1].to_vec(),
        b"these are not the bytes of a bundle".to_vec(),
        vec![0xff; 1 << 20],
        flip(good.len() / 2),
        // The same length as the last one: only its content is different.
        flip(good.len() - 1),
    ];
    for bytes in &damaged {
        damage(&world, &process, "bundle", &active, bytes);
        assert_eq!(version(&process), 1);
    }
    assert_eq!(refused(&process, "bundle"), damaged.len() as f64, "each is looked at once");

    // Publishing unchanged sources repairs the file; publishing changed ones goes live.
    let source = world.source().display().to_string();
    for (expected, rules) in [(2, None), (3, Some(BY_COUNTRY))] {
        if let Some(rules) = rules {
            world.write_source("rules/40-country.rules", rules);
        }
        let output = world.run(&["publish", &source]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), format!("generation {expected} is live"));
        wait_within(TAKE_OVER_MAX, "the new bundle decides", || {
            (version(&process) == expected).then_some(())
        });
    }
    assert_eq!(refused(&process, "bundle"), damaged.len() as f64);
}

#[test]
fn a_damaged_location_database_leaves_the_old_one_in_force() {
    let world = World::new();
    world.write_source("rules/40-country.rules", BY_COUNTRY);
    let process = Launch::new(&world, "serve").start();
    let creative = || {
        let answer: Value = process.decide(FROM_ROMANIA).json();
        answer["placements"]["a"]["ads"][0]["creative_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(creative(), "autumn_ro");
    let good = tessera_fixtures::DEMO_GEO;
    for bytes in [&[][..], &good[..good.len() / 2], b"not a database", &good[..good.len() - 100]] {
        damage(&world, &process, "geo", &world.geo(), bytes);
        assert_eq!(creative(), "autumn_ro");
    }
    let taken = || process.metric("swap_total{file=\"geo\",result=\"taken\"}");
    let before = taken();
    world.replace(&world.geo(), good);
    wait_within(TAKE_OVER_MAX, "the good database is in force", || (taken() > before).then_some(()));
    assert_eq!(creative(), "autumn_ro");
}

#[test]
fn damaged_posteriors_are_refused() {
    let world = World::new();
    // An engine alone: nobody else writes the file meanwhile.
    assert!(world.run(&["publish", &world.source().display().to_string()]).status.success());
    let process = Launch::new(&world, "engine").start();
    let posteriors = world.data().join("posteriors.tspt");
    let table = tessera_wire::posterior::PosteriorTable { generation: 7, ..Default::default() };
    let good = tessera_wire::posterior::encode(&table);
    let generation = || process.decide(DECIDE).json()["posterior_generation"].as_u64().unwrap();
    world.replace(&posteriors, &good);
    wait_within(TAKE_OVER_MAX, "the table decides", || (generation() == 7).then_some(()));
    let mut flipped = good.clone();
    flipped[good.len() - 1] ^= 1;
    for bytes in [&[][..], &good[..good.len() - 1], b"not a table", &vec![7; 100_000], &flipped] {
        damage(&world, &process, "posteriors", &posteriors, bytes);
        assert_eq!(generation(), 7);
    }
}

#[test]
fn a_start_with_a_damaged_bundle_is_alive_but_not_ready_until_a_good_one_appears() {
    let world = World::new();
    let active = world.data().join("bundles/active.tsb");
    world.replace(&active, b"damaged");
    let process = Launch::new(&world, "serve").without_source().start();
    let admin = process.ports.admin.to_string();
    let ask = |command: &str| world.run(&[command, "--admin-listen", &admin]).status.code();
    assert_eq!(process.decide(DECIDE).problem(), (503, "no_bundle".into(), String::new()));
    let readiness = process.connect().send("GET", "/readyz", &[], b"").unwrap();
    assert_eq!(readiness.problem().1, "no_bundle");
    assert_eq!((ask("health"), ask("ready")), (Some(0), Some(1)));
    assert!(process.control("/v1/status")["bundle"].is_null());

    assert!(world.run(&["publish", &world.source().display().to_string()]).status.success());
    wait_within(TAKE_OVER_MAX, "the good bundle decides", || {
        (process.decide(DECIDE).status == 200).then_some(())
    });
    assert_eq!((ask("health"), ask("ready")), (Some(0), Some(0)));
}

#[test]
fn a_replacement_of_equal_size_and_time_is_noticed() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let active = world.data().join("bundles/active.tsb");
    let time = std::fs::metadata(&active).unwrap().modified().unwrap();
    let mut bytes = std::fs::read(&active).unwrap();
    // The generation stands at byte 8 of the header, outside of the hash.
    bytes[8..16].copy_from_slice(&9u64.to_le_bytes());
    let restored = world.path("restored");
    std::fs::write(&restored, &bytes).unwrap();
    std::fs::File::options().append(true).open(&restored).unwrap().set_modified(time).unwrap();
    std::fs::rename(&restored, &active).unwrap();
    wait_within(TAKE_OVER_MAX, "the restored bundle decides", || (version(&process) == 9).then_some(()));
}
