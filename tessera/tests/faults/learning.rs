//! The loop from a click to the next decision, in one process and in three.

use std::time::Duration;

use crate::support::http::path_of;
use crate::support::{DECIDE, Launch, Process, World, wait_for, wait_within};

/// A click must change decisions within this time.
const LOOP_MAX: Duration = Duration::from_secs(2);

fn posterior_generation(engine: &Process) -> u64 {
    let answer = engine.decide(DECIDE);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["posterior_generation"].as_u64().unwrap()
}

/// Serves an ad and clicks it.
fn click(engine: &Process) {
    let answer = engine.decide(DECIDE).json();
    let path = path_of(&answer["placements"]["hero"]["ads"][0]["click_url"]);
    let answer = engine.connect().send("GET", &path, &[], b"").unwrap();
    assert_eq!(answer.status, 302, "{}", answer.text());
    assert_eq!(answer.header("location"), Some("https://fernweh.example/autumn"));
}

/// Clicks, and returns once decisions are made from a newer posterior table.
fn click_and_see(engine: &Process) {
    let before = posterior_generation(engine);
    click(engine);
    wait_within(LOOP_MAX, "a click changes the posteriors that decide", || {
        (posterior_generation(engine) > before).then_some(())
    });
}

#[test]
fn a_click_changes_the_posteriors_within_two_seconds() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    for _ in 0..3 {
        click_and_see(&process);
    }
    assert!(process.metric("posterior_generation") >= 3.0);
    assert!(process.metric("swap_total{file=\"posteriors\",result=\"taken\"}") >= 3.0);
}

#[test]
fn engine_control_and_analytics_work_as_three_processes_over_one_directory() {
    let world = World::new();
    // The engine first, with nothing to decide from: order of starting must not matter.
    let engine = Launch::new(&world, "engine").start();
    assert_eq!(engine.decide(DECIDE).problem().1, "no_bundle");
    let control = Launch::new(&world, "control").start();
    wait_for("the engine takes over what control published", || {
        (engine.decide(DECIDE).status == 200).then_some(())
    });
    let mut analytics = Launch::new(&world, "analytics").start();
    wait_for("analytics has made its store", || {
        (!control.control("/v1/status")["analytics"].is_null()).then_some(())
    });
    click_and_see(&engine);
    let clicks = |control: &Process| -> u64 {
        let lift = control.control("/v1/reports/lift?campaign=autumn");
        ["personalized", "holdout"].map(|arm| lift[0][arm]["clicks"].as_u64().unwrap_or(0)).iter().sum()
    };
    assert_eq!(clicks(&control), 1);

    // Without the others the engine decides and records; what they missed counts when they are back.
    analytics.kill();
    drop(control);
    click(&engine);
    let _analytics = Launch::new(&world, "analytics").start();
    let control = Launch::new(&world, "control").start();
    wait_for("the click made meanwhile is counted", || (clicks(&control) == 2).then_some(()));
}
