//! Bundles in a running product: signed ones only, why one was refused, and swaps that no request notices.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::http::{Connection, once};
use crate::support::{DECIDE, Launch, Process, World, wait_for};

fn readiness(process: &Process) -> (u16, Value) {
    let answer = once(process.ports.admin, "GET", "/readyz", "").unwrap();
    (answer.status, answer.json())
}

/// Makes a key pair; the file of the secret one, and the public one.
fn keygen(world: &World, name: &str) -> (String, String) {
    let path = world.path(name).to_str().unwrap().to_owned();
    let output = world.run(&["keygen", "--output", &path]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!world.run(&["keygen", "--output", &path]).status.success(), "a key is never replaced");
    (std::fs::read_to_string(&path).unwrap(), String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

fn refused(process: &Process, reason: &str) {
    let count = || process.metric(&format!("bundle_swap_total{{result=\"{reason}\"}}"));
    wait_for("the bundle is refused", || (count() > 0.0).then_some(()));
    let (status, state) = readiness(process);
    assert_eq!((status, &state["last_refusal"]["reason"]), (200, &Value::from(reason)), "{state}");
    assert_eq!(process.decide(DECIDE).status, 200, "what was live still is");
}

#[test]
fn only_signed_bundles_are_taken_and_readiness_says_why_others_are_not() {
    let world = World::new();
    let (secret, public) = keygen(&world, "bundle.key");
    let (foreign, _) = keygen(&world, "foreign.key");
    let process = Launch::new(&world, "serve")
        .set(&format!("engine.bundle_keys={public}"))
        .set(&format!("control.signing_key={secret}"))
        .start();
    let (status, state) = readiness(&process);
    assert_eq!(
        (status, &state["ready"], &state["has_location"]),
        (200, &true.into(), &true.into()),
        "{state}"
    );
    assert!(
        state["bundle"]["age_seconds"].as_u64().unwrap() < 60 && state["last_refusal"].is_null(),
        "{state}"
    );
    let active = world.data().join("bundles/active.tsb");
    let good = std::fs::read(&active).unwrap();
    let source = world.source().to_str().unwrap().to_owned();
    let built = |key: Option<&str>| {
        let path = world.path("built.tsb");
        let mut arguments = vec!["build", &source, "--output", path.to_str().unwrap()];
        let setting = key.map(|key| format!("control.signing_key={key}"));
        if let Some(setting) = &setting {
            arguments.extend(["--set", setting]);
        }
        assert!(world.run(&arguments).status.success());
        std::fs::read(&path).unwrap()
    };
    world.replace(&active, &built(None));
    refused(&process, "wrongly_signed");
    world.replace(&active, &built(Some(&foreign)));
    let wrongly = || process.metric("bundle_swap_total{result=\"wrongly_signed\"}");
    wait_for("the foreign bundle is refused", || (wrongly() == 2.0).then_some(()));
    world.replace(&active, &good[..good.len() / 2]);
    refused(&process, "corrupt");
    world.replace(&active, &built(Some(&secret)));
    wait_for("the signed bundle is taken", || {
        (process.metric("bundle_swap_total{result=\"taken\"}") == 2.0).then_some(())
    });
}

#[test]
fn a_bundle_of_the_future_is_told_apart_from_a_damaged_one() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let active = world.data().join("bundles/active.tsb");
    let mut newer = std::fs::read(&active).unwrap();
    newer[4] = 250;
    world.replace(&active, &newer);
    refused(&process, "too_new");
}

#[test]
fn an_engine_starts_from_the_last_good_bundle_when_control_is_gone() {
    let world = World::new();
    drop(Launch::new(&world, "serve").start());
    let engine = Launch::new(&world, "engine").without_source().start();
    assert_eq!(engine.decide(DECIDE).status, 200);
    assert_eq!(readiness(&engine).0, 200);
}

/// Decides until told to stop; the number of requests, or the first that failed.
fn hammer(address: std::net::SocketAddr, stop: &AtomicBool) -> Result<(usize, Vec<u64>), String> {
    let mut connection = Connection::open(address).map_err(|error| error.to_string())?;
    let (mut count, mut versions) = (0, Vec::new());
    while !stop.load(Ordering::Acquire) {
        let answer = connection.send("POST", "/v1/decide", &[], DECIDE.as_bytes());
        let answer = answer.map_err(|error| format!("request {count}: {error}"))?;
        let document = answer.json();
        if answer.status != 200 || document["placements"]["hero"]["ads"].as_array().is_none_or(Vec::is_empty)
        {
            return Err(format!("request {count}: {} {document}", answer.status));
        }
        count += 1;
        let version = document["bundle"]["version"].as_u64().unwrap_or(0);
        if versions.last() != Some(&version) {
            versions.push(version);
        }
    }
    Ok((count, versions))
}

#[test]
fn no_request_fails_while_bundles_are_swapped() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let stop = AtomicBool::new(false);
    let outcomes = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| hammer(process.ports.data, &stop))).collect();
        for number in 2..=6u32 {
            world.write_source("rules/90-swap.rules", &format!("language 1\n# swap {number}\n"));
            let json = [("content-type", "application/json")];
            let published =
                Connection::open(process.ports.control).unwrap().send("POST", "/v1/publish", &json, b"{}");
            assert_eq!(published.unwrap().status, 200);
            let taken = || process.metric("bundle_swap_total{result=\"taken\"}") >= f64::from(number);
            wait_for("the bundle is live", || taken().then_some(()));
        }
        stop.store(true, Ordering::Release);
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    for outcome in outcomes {
        let (count, versions) = outcome.unwrap();
        assert!(count > 10, "only {count} requests");
        assert!(versions.is_sorted() && versions.len() > 2, "generations in order: {versions:?}");
    }
}
