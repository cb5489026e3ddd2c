//! Starting, building and configuring wrongly: exit codes and messages that say what to do.

use std::process::Output;

use crate::support::{DECIDE, Launch, Ports, World, wait_for};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_taken_port_ends_the_second_process_and_names_the_flag() {
    let world = World::new();
    let first = Launch::new(&world, "serve").start();
    let free = Ports::free();
    for (flag, ports) in [
        ("--listen", Ports { data: first.ports.data, ..free }),
        ("--control-listen", Ports { control: first.ports.control, ..free }),
        ("--admin-listen", Ports { admin: first.ports.admin, ..free }),
    ] {
        let elsewhere = World::new();
        let mut second = Launch::new(&elsewhere, "serve").spawn(ports);
        assert_eq!(second.wait_for_exit().code(), Some(1));
        let log = second.log();
        assert!(log.contains(&format!(" {flag} ADDRESS")), "{flag} in\n{log}");
        assert!(log.contains("cannot listen on 127.0.0.1:"), "{log}");
        assert_eq!(first.decide(DECIDE).status, 200, "the first keeps serving");
    }
}

#[test]
fn a_data_directory_in_use_ends_the_second_process_before_it_changes_anything() {
    let world = World::new();
    let first = Launch::new(&world, "serve").start();
    // What the second would publish if it could.
    world.write_source("rules/60-more.rules", "language 1\n");
    world.write_source("catalog.toml", &tessera_fixtures::DEMO_SOURCES[0].1.replace("FERN10", "FERN11"));
    for part in ["serve", "engine", "control", "analytics"] {
        let mut second = Launch::new(&world, part).spawn(Ports::free());
        assert_eq!(second.wait_for_exit().code(), Some(1), "{part}");
        let named = if part == "serve" { "engine" } else { part };
        let log = second.log();
        assert!(log.contains(&format!("another process runs the {named} part over `")), "{part}: {log}");
        assert!(log.contains("--data-dir"), "{part}: {log}");
    }
    assert_eq!(first.control("/v1/bundles").as_array().unwrap().len(), 1);
    let answer = first.decide(DECIDE).json();
    assert_eq!(answer["bundle"]["version"], 1, "the first keeps serving what it served: {answer}");
}

#[test]
fn a_broken_source_directory_does_not_build_and_names_the_places() {
    let world = World::new();
    let catalog = tessera_fixtures::DEMO_SOURCES[0].1;
    world.write_source(
        "catalog.toml",
        &catalog.replace("campaign = \"club\"\nsize", "campaign = \"klub\"\nsize"),
    );
    let rules = "language 1\n\nrule \"broken\" for placement \"home_hero\" {\n  when contry is RO\n  then suppress\n}\n";
    world.write_source("rules/50-broken.rules", rules);
    let output_path = world.path("out.tsb");
    std::fs::write(&output_path, b"what was there").unwrap();
    let source = world.source().display().to_string();
    let output = world.run(&["build", &source, "-o", &output_path.display().to_string()]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let line = catalog.lines().position(|line| line == "id = \"club_box\"").unwrap() + 2;
    assert!(text.contains(&format!("catalog.toml:{line}:")), "{line} in\n{text}");
    assert!(text.contains("rules/50-broken.rules:4:8"), "{text}");
    assert!(text.contains("`country`"), "a suggestion in\n{text}");
    assert_eq!(std::fs::read(&output_path).unwrap(), b"what was there");
    // The same for what is live.
    let output = world.run(&["publish", &source]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("rules/50-broken.rules:4:8"), "{}", stderr(&output));
    assert!(!world.data().join("bundles/active.tsb").exists());
}

#[test]
fn a_missing_source_directory_or_catalog_is_named() {
    let world = World::new();
    let output = world.run(&["build", "nowhere", "-o", "out.tsb"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("`nowhere` has no catalog.toml"), "{}", stderr(&output));
    let mut process =
        Launch::new(&world, "serve").set("control.source=nowhere").without_source().spawn(Ports::free());
    assert_eq!(process.wait_for_exit().code(), Some(1));
    assert!(process.log().contains("`nowhere` has no catalog.toml"), "{}", process.log());
}

#[test]
fn a_log_that_goes_to_a_file_has_no_colour_codes() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let log = wait_for("the first log line", || Some(process.log()).filter(|log| log.contains("listening")));
    assert!(!log.contains('\u{1b}'), "{log:?}");
}

#[test]
fn configuration_shows_its_origins_and_suggests_names() {
    let world = World::new();
    std::fs::write(world.path("tessera.toml"), "[engine]\nnode = 7\n").unwrap();
    let output = world.run(&["config", "show", "--set", "journal.fsync=10ms"]);
    let shown = String::from_utf8_lossy(&output.stdout);
    let line = |key: &str| shown.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
    assert!(
        line("engine.node").contains("\"7\"") && line("engine.node").contains("# file tessera.toml;"),
        "{shown}"
    );
    assert!(line("journal.fsync").contains("# flag --set journal.fsync;"), "{shown}");
    assert!(line("paths.data_dir").contains("# flag --data-dir;"), "{shown}");
    assert!(line("engine.workers").contains("# default;"), "{shown}");

    let output = world.run(&["config", "validate", "--set", "journal.fsynk=10ms"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("`journal.fsynk`") && text.contains("did you mean `journal.fsync`?"), "{text}");
    let output = world.run(&["serve", "--listen", "nonsense"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("flag --listen: `engine.listen = nonsense`"), "{}", stderr(&output));
    assert_eq!(world.run(&["sevre"]).status.code(), Some(2), "misuse");
}
