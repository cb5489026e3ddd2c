//! `kill -9` of the analytics writer, a hundred times while events keep coming: every event is stored once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tessera_analytics::report::Report;
use tessera_analytics::store::{open_read_only, reconcile};

use crate::kill::{Random, visit_until};
use crate::support::journal::Journal;
use crate::support::{Launch, Ports, World, wait_for};

const KILLS: usize = 100;
/// Longest life of a writer: some are killed before they have opened the store, some after many commits and files.
const LIFE_MS_MAX: u64 = 300;

#[test]
fn a_hundred_kills_of_the_writer_under_load_store_every_event_once() {
    let mut random = Random::seeded();
    let world = World::new();
    let published = world.run(&["publish", world.source().to_str().unwrap()]);
    assert!(published.status.success(), "{published:?}");
    let mut engine = Launch::new(&world, "engine").start();
    let writer = Launch::new(&world, "analytics").set("analytics.part_interval=20ms");
    visit_until(50, "store", engine.ports.data, || {
        for _ in 0..KILLS {
            let mut process = writer.spawn(Ports::free());
            std::thread::sleep(Duration::from_millis(random.next() % LIFE_MS_MAX));
            process.kill();
        }
        engine.terminate();
        assert_eq!(engine.wait_for_exit().code(), Some(0));
    });
    let store = world.data().join("analytics.sqlite");
    let journal = Journal::read(&world.data().join("journal"));
    let mut last = writer.spawn(Ports::free());
    wait_for("analytics has read the whole journal", || {
        let totals = Report::open(&store).and_then(|report| report.totals(0)).ok()?;
        (totals.counters.get("read") == Some(&(journal.records as i64))).then_some(())
    });
    last.terminate();
    assert_eq!(last.wait_for_exit().code(), Some(0));
    check_facts(&store, &journal);
    let agrees = world.run(&["analytics", "reconcile"]);
    assert!(agrees.status.success(), "{}", String::from_utf8_lossy(&agrees.stdout));
    // A store made in one go says the same.
    let (anew, from) = (world.path("anew.sqlite"), world.data().join("journal"));
    let replay = world.run(&["replay", "--from", from.to_str().unwrap(), "--to", anew.to_str().unwrap()]);
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
    assert_eq!(sums(&anew), sums(&store));
    let again = world.run(&["replay", "--from", from.to_str().unwrap(), "--to", anew.to_str().unwrap()]);
    assert!(!again.status.success(), "an existing store is never written over");
}

/// The manifest, the files and the journal agree.
fn check_facts(store: &Path, journal: &Journal) {
    let connection = open_read_only(store).unwrap();
    assert!(reconcile(&connection).unwrap().is_balanced());
    let of_kind = |kind: u8| -> i64 {
        let sql = "SELECT coalesce(sum(count), 0) FROM part_hours WHERE kind = ?1";
        connection.query_row(sql, [kind], |row| row.get(0)).unwrap()
    };
    let tail: i64 = connection.query_row("SELECT count(*) FROM fact_tail", [], |row| row.get(0)).unwrap();
    assert_eq!(tail, 0, "a polite stop leaves everything in files");
    assert_eq!(of_kind(0), journal.served.len() as i64, "served ads");
    assert_eq!(of_kind(5), journal.behaviours.len() as i64, "behaviour");
    let mut statement = connection.prepare("SELECT file, bytes FROM parts").unwrap();
    let files = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
    let directory = store.with_extension("facts");
    let mut named = 0;
    for file in files {
        let (name, bytes) = file.unwrap();
        assert_eq!(std::fs::metadata(directory.join(name)).unwrap().len(), bytes as u64);
        named += 1;
    }
    eprintln!("{named} files of facts");
    assert!(named > 1);
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), named, "no file is there that does not count");
}

/// Every sum, by key without the numbers that stores give to names.
fn sums(store: &Path) -> BTreeMap<String, i64> {
    let connection = open_read_only(store).unwrap();
    let sql = "SELECT 'facts ' || hour || ' ' || c.text || ' ' || s.text || ' ' || arm || ' ' || mode,
                      served * 1000000000000 + impressions * 1000000 + clicks
               FROM facts_hourly f JOIN names c ON c.id = f.campaign JOIN names s ON s.id = f.segment
               UNION ALL SELECT 'combination ' || day || c.text || arm, sum(impressions) * 1000000 + sum(clicks)
               FROM combinations_daily d JOIN names c ON c.id = d.campaign GROUP BY 1
               UNION ALL SELECT 'behaviour ' || hour || n.text, count
               FROM behaviours_hourly b JOIN names n ON n.id = b.name
               UNION ALL SELECT 'records ' || hour || ' ' || kind || ' ' || outcome, count FROM records_hourly
               UNION ALL SELECT 'total ' || name, value FROM totals WHERE value <> 0";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(|row| row.unwrap()).collect()
}
