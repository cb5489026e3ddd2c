//! Crashes anywhere leave the same facts as a run without any.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::path::Path;

use support::{World, behaviour, drain, dump, served, total, touch};
use tessera_analytics::report::Report;
use tessera_analytics::writer::WriterConfig;
use tessera_wire::event::{Event, TouchKind};
use tessera_wire::journal::sequence_of_file_name;

/// Two hundred ads with touches in and out of order, repeated, early and orphaned, over several segments.
fn fill(world: &mut World) {
    for n in 0..200u64 {
        if n % 11 == 0 {
            world.journal.push(&touch(n, TouchKind::Click)); // before its served record
        }
        world.journal.push(&Event::Served(served(n)));
        world.journal.push(&touch(n, TouchKind::Impression));
        if n % 4 == 0 {
            world.journal.push(&touch(n, TouchKind::Click));
        }
        if n % 9 == 0 {
            world.journal.push(&touch(n, TouchKind::Conversion));
        }
        if n >= 50 && n % 6 == 0 {
            world.journal.push(&touch(n - 50, TouchKind::Click)); // late, partly a repetition
        }
        if n % 13 == 0 {
            world.journal.push(&touch(100_000 + n, TouchKind::Click)); // never served
            world.journal.push(&Event::Served(served(n))); // a repetition
        }
        if n % 7 == 0 {
            world.journal.push(&behaviour(n % 28 + n / 100 * 7, "product_view"));
        }
        if n % 40 == 39 {
            world.journal.flush();
            world.journal.rotate();
        }
    }
    world.journal.flush();
}

/// A small window and waiting time, so that the run sees ads and touches expire.
fn config(world: &World, store: &str, batch: usize) -> WriterConfig {
    let mut config = world.config(store);
    config.batch_events_max = batch;
    config.fold.attribution_window_ms = 90_000;
    config.fold.wait_ms = 20_000;
    config
}

fn straight_run(world: &World) -> String {
    let config = config(world, "straight.db", 1_000);
    let path = config.store_path.clone();
    drain(&mut world.open(config));
    dump(&path)
}

fn check_reconciliation(store: &Path) {
    let parts = ["stored", "duplicate", "unjoined", "unnamed", "waiting"];
    let sum: i64 = parts.iter().map(|name| total(store, name)).sum();
    assert_eq!(total(store, "read"), sum);
    for part in &parts[..3] {
        assert!(total(store, part) > 0, "the journal was made to have some {part}");
    }
}

#[test]
fn every_record_read_is_accounted_for() {
    let mut world = World::new();
    fill(&mut world);
    straight_run(&world);
    check_reconciliation(&world.dir.path().join("straight.db"));
}

#[test]
fn a_crash_before_any_commit_changes_nothing() {
    let mut world = World::new();
    fill(&mut world);
    let expected = straight_run(&world);
    for batch in [2, 7, 64] {
        let config = config(&world, &format!("crash{batch}.db"), batch);
        let path = config.store_path.clone();
        loop {
            // This writer commits one full batch, reads on without committing, and dies.
            let mut writer = world.open(config.clone());
            let committed = writer.step().unwrap().is_committed;
            let mut wider = config.clone();
            wider.batch_events_max = batch + 1;
            drop(writer);
            let mut doomed = world.open(wider);
            doomed.step().map(|_| ()).unwrap_or(());
            if !committed {
                drain(&mut doomed);
                break;
            }
        }
        assert_eq!(dump(&path), expected, "batches of {batch}");
    }
}

#[test]
fn a_store_copied_at_any_moment_can_be_continued() {
    let mut world = World::new();
    fill(&mut world);
    let expected = straight_run(&world);
    let config = config(&world, "live.db", 37);
    let mut live = world.open(config.clone());
    for moment in 0.. {
        let is_done = live.step().unwrap().read == 0;
        // What a kill leaves behind: database and write-ahead log as they are, without a clean close.
        let copy = format!("copy{moment}.db");
        for suffix in ["", "-wal"] {
            let from = world.dir.path().join(format!("live.db{suffix}"));
            if from.exists() {
                std::fs::copy(from, world.dir.path().join(format!("{copy}{suffix}"))).unwrap();
            }
        }
        let mut continued = config.clone();
        continued.store_path = world.dir.path().join(&copy);
        drain(&mut world.open(continued));
        assert_eq!(dump(&world.dir.path().join(&copy)), expected, "copy {moment}");
        if is_done {
            break;
        }
    }
}

/// What a retention job may do.
fn delete_old_segments(world: &World, store: &Path) {
    let needed = Report::open(store).unwrap().totals(0).unwrap().nodes[0].needed_segment;
    for entry in std::fs::read_dir(&world.journal.dir).unwrap() {
        let entry = entry.unwrap();
        let first = sequence_of_file_name(entry.file_name().to_str().unwrap());
        if first.is_some_and(|first| first < needed) {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[test]
fn a_journal_that_grows_while_the_writer_restarts_is_counted_once() {
    let mut world = World::new();
    let mut config = config(&world, "grow.db", 1_000);
    config.fold.wait_ms = 1_000;
    for part in 0..20u64 {
        for n in part * 10..part * 10 + 10 {
            world.journal.push(&Event::Served(served(n)));
            world.journal.push(&touch(n, TouchKind::Impression));
        }
        if part % 3 == 2 {
            world.journal.flush();
            world.journal.rotate();
        }
        world.journal.flush();
        drain(&mut world.open(config.clone()));
        delete_old_segments(&world, &config.store_path);
        // The ads of the part before are clicked now, twice, in a later life of the writer.
        for n in (part * 10).saturating_sub(10)..part * 10 {
            world.journal.push_all(&[touch(n, TouchKind::Click), touch(n, TouchKind::Click)]);
        }
    }
    drain(&mut world.open(config.clone()));
    let store = &config.store_path;
    let totals = Report::open(store).unwrap().totals(0).unwrap();
    let node = totals.nodes[0];
    assert!(node.needed_segment > 0 && node.needed_segment <= node.position.segment);
    let connection = tessera_analytics::store::open_read_only(store).unwrap();
    let sql = "SELECT sum(served), sum(impressions), sum(clicks) FROM facts_hourly";
    let sums: (i64, i64, i64) =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!(sums, (200, 200, 190));
    assert_eq!(total(store, "duplicate"), 190);
}

#[test]
fn publications_follow_clicks_and_survive_a_restart() {
    let mut world = World::new();
    let config = world.config("a.db");
    let mut writer = world.open(config.clone());
    assert_eq!(writer.step().unwrap().published, None);
    world.journal.push_all(&[
        Event::Served(served(1)),
        touch(1, TouchKind::Click),
        Event::Served(served(2)),
        touch(2, TouchKind::Impression),
    ]);
    writer.step().unwrap();
    world.advance(100);
    assert_eq!(writer.step().unwrap().published, Some(1), "the first click makes the first model");
    let bytes = std::fs::read(&config.posterior_path).unwrap();
    let table = tessera_wire::posterior::decode(&bytes).unwrap();
    assert_eq!((table.generation, table.models.len()), (1, 1));
    assert_eq!((table.models[0].impressions, table.models[0].clicks), (2, 1));
    drop(writer);
    let mut writer = world.open(config.clone());
    assert_eq!(writer.step().unwrap().published, Some(2), "a new life learns from the stored statistics");
    world.journal.push_all(&[touch(2, TouchKind::Click)]);
    let deadline = 1_500;
    let published = (0..deadline / 50).any(|_| {
        world.advance(50);
        writer.step().unwrap().published == Some(3)
    });
    assert!(published, "a click is in the table within {deadline} ms");
    let table = tessera_wire::posterior::decode(&std::fs::read(&config.posterior_path).unwrap()).unwrap();
    assert_eq!(table.models[0].clicks, 2);
}
