//! Facts as files: nothing is there twice or missing, whatever stops the store, and sums over them are the rollups.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use support::{START_MS, World, behaviour, drain, dump, served, touch};
use tessera_analytics::store::{Step, StoreError, open_read_only};
use tessera_analytics::writer::{WriterConfig, WriterError};
use tessera_wire::event::{
    Behaviour, COUNTED_MAX, Event, Exposure, NONE, Remembered, Served, Touch, TouchKind, VisitorChange,
};

/// One fact as text, by column.
type Fact = BTreeMap<String, String>;

/// Every fact of the files in the manifest.
fn facts(store: &Path) -> Vec<Fact> {
    let connection = open_read_only(store).unwrap();
    let mut statement = connection.prepare("SELECT file, facts, bytes FROM parts ORDER BY id").unwrap();
    let files = statement
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)? as usize, u64::from(row.get::<_, u32>(2)?)))
        })
        .unwrap();
    let mut facts = Vec::new();
    for file in files {
        let (name, rows, bytes) = file.unwrap();
        let path = store.with_extension("facts").join(name);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes);
        let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
        let before = facts.len();
        facts.extend(reader.get_row_iter(None).unwrap().map(|row| fact(&row.unwrap())));
        assert_eq!(facts.len() - before, rows);
    }
    facts
}

fn fact(row: &Row) -> Fact {
    let columns = row.get_column_iter().filter(|(_, field)| !matches!(field, Field::Null));
    let text = |field: &Field| match field {
        Field::Str(text) => text.clone(),
        Field::TimestampMillis(at) => at.to_string(),
        Field::Bytes(bytes) => bytes.data().iter().map(|byte| format!("{byte:02x}")).collect(),
        other => other.to_string(),
    };
    columns.map(|(name, field)| (name.clone(), text(field))).collect()
}

fn sorted(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort();
    facts
}

fn fill(world: &mut World, ads: u64) {
    for n in 0..ads {
        world.journal.push(&Event::Served(Served { subject: u128::from(n % 10 + 1), ..ad(n) }));
        if n % 3 > 0 {
            world.journal.push(&touch(n, TouchKind::Impression));
        }
        if n % 4 == 0 {
            world.journal.push(&touch(n, TouchKind::Click));
        }
        if n % 9 == 0 {
            world.journal.push(&touch(n, TouchKind::Conversion));
            world.journal.push(&touch(n, TouchKind::Conversion)); // a repetition
        }
        if n % 7 == 0 {
            world.journal.push(&behaviour(n, "product_view"));
        }
        if n % 40 == 39 {
            world.journal.flush();
            world.journal.rotate();
        }
    }
    world.journal.flush();
}

fn ad(n: u64) -> Served {
    let exposure = Some(Exposure { experiment: 0, variant: (n % 2) as u16 });
    let mut variants = [None; 4];
    variants[0] = n.is_multiple_of(4).then_some(1);
    Served { exposure, variants, is_learnable: !n.is_multiple_of(17), ..served(n) }
}

fn config(world: &World, store: &str) -> WriterConfig {
    let mut config = world.config(store);
    config.batch_events_max = 64;
    config
}

/// Reads everything and makes files of it.
fn finish(world: &World, config: &WriterConfig) {
    let mut writer = world.open(config.clone());
    drain(&mut writer);
    writer.store().seal().unwrap();
}

#[test]
fn sums_over_facts_are_the_rollups() {
    let mut world = World::new();
    fill(&mut world, 400);
    let config = config(&world, "a.db");
    finish(&world, &config);
    let connection = open_read_only(&config.store_path).unwrap();
    let facts = facts(&config.store_path);
    let count = |kind: &str, is_wanted: &dyn Fn(&Fact) -> bool| {
        facts.iter().filter(|fact| fact["kind"] == kind && is_wanted(fact)).count()
    };
    let sql = "SELECT hour, s.text, arm, served, impressions, clicks, conversions
               FROM facts_hourly f JOIN names s ON s.id = f.segment WHERE is_learnable";
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut keys = 0;
    while let Some(row) = rows.next().unwrap() {
        let (hour, segment): (i64, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let arm = ["personalized", "holdout", "fixed", "house"][usize::from(row.get::<_, u8>(2).unwrap())];
        let is_of_key = |fact: &Fact| {
            fact["counts_at"] == (hour * 3_600_000).to_string()
                && fact["segment"] == segment
                && fact["arm"] == arm
                && fact["is_learnable"] == "true"
        };
        for (column, kind) in [(3, "served"), (4, "impression"), (5, "click"), (6, "conversion")] {
            assert_eq!(row.get::<_, u32>(column).unwrap() as usize, count(kind, &is_of_key), "{kind}");
        }
        keys += 1;
    }
    assert!(keys >= 6);
    let sql = "SELECT e.text, v.text, served, impressions, clicks, conversions, revenue_micros, revenue_squares
               FROM (SELECT experiment, variant, sum(served) served, sum(impressions) impressions,
                            sum(clicks) clicks, sum(conversions) conversions, sum(revenue_micros) revenue_micros,
                            sum(revenue_squares) revenue_squares
                     FROM experiment_days GROUP BY 1, 2)
               JOIN names e ON e.id = experiment JOIN names v ON v.id = variant ORDER BY 1, 2";
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut seen = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let (experiment, variant): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let is_of_variant = |fact: &Fact| {
            let number =
                u128::from_str_radix(fact.get("decision_id").map_or("0", String::as_str), 16).unwrap();
            let is_in = if experiment == "copy" {
                fact.get("variant") == Some(&variant) && fact.get("experiment") == Some(&experiment)
            } else {
                number.is_multiple_of(4)
            };
            fact["is_learnable"] == "true" && is_in
        };
        for (column, kind) in [(2, "served"), (3, "impression"), (4, "click"), (5, "conversion")] {
            assert_eq!(
                row.get::<_, u32>(column).unwrap() as usize,
                count(kind, &is_of_variant),
                "{variant} {kind}"
            );
        }
        let conversions = count("conversion", &is_of_variant);
        assert_eq!(row.get::<_, u32>(6).unwrap() as usize, conversions * 5_000_000);
        assert!((row.get::<_, f64>(7).unwrap() - conversions as f64 * 25.0).abs() < 1e-9);
        seen.push((experiment, variant));
    }
    let of = |experiment: &str, variant: &str| (experiment.to_owned(), variant.to_owned());
    assert_eq!(seen, [of("copy", "long"), of("copy", "short"), of("hue", "red")]);
}

#[test]
fn a_fact_says_what_was_decided() {
    let mut world = World::new();
    world
        .journal
        .push_all(&[Event::Served(Served { subject: (7 << 64) + 9, ..ad(1) }), touch(1, TouchKind::Click)]);
    let config = config(&world, "a.db");
    finish(&world, &config);
    let facts = facts(&config.store_path);
    let kinds: Vec<_> =
        facts.iter().map(|fact| (fact["kind"].as_str(), fact["is_implied"].as_str())).collect();
    assert_eq!(kinds, [("served", "false"), ("click", "false"), ("impression", "true")]);
    for (column, value) in [
        ("at", "1700000001000"),
        ("decision_id", "00000000000000000000000000000001"),
        ("campaign", "spring"),
        ("template", "hero"),
        ("combination", "image=i0,cta=c1"),
        ("experiment", "copy"),
        ("variant", "long"),
        ("arm", "personalized"),
        ("mode", "full"),
        ("placement", "top"),
        ("tier", "full"),
        ("propensity", "0.2"),
        ("subject", "9"),
    ] {
        assert_eq!(facts[0][column], value, "{column}");
    }
    assert!(!facts[1].contains_key("subject") && !facts[0].contains_key("offer"));
}

/// Runs to the end of the journal; where it is stopped, opens again as the next life would. Says how often.
fn run_with_stops(
    world: &World,
    config: &WriterConfig,
    stopper: &Arc<dyn Fn(Step) -> bool + Send + Sync>,
) -> usize {
    let mut stops = 0;
    loop {
        let mut writer = world.open(config.clone());
        writer.stop_at(Arc::clone(stopper));
        let mut run = || -> Result<(), WriterError> {
            loop {
                let read = writer.step()?.read;
                writer.commit()?;
                if writer.store().tail().len() > 150 || read == 0 {
                    writer.store().seal()?;
                }
                while writer.store().begin_erasing()? && writer.store().erase_next()? {}
                if read == 0 {
                    return Ok(());
                }
            }
        };
        match run() {
            Ok(()) => return stops,
            Err(WriterError::Store(StoreError::Stopped { .. })) => stops += 1,
            Err(error) => unreachable!("{error}"),
        }
    }
}

fn erased(subject: u128) -> Event {
    let at_ms = START_MS + 1;
    let change = VisitorChange::Erased;
    Event::Remembered(Remembered { subject, at_ms, counted: [NONE; COUNTED_MAX], change })
}

#[test]
fn a_crash_at_any_step_leaves_every_fact_once() {
    let mut world = World::new();
    fill(&mut world, 300);
    world.journal.push_all(&[erased(3)]);
    let straight = config(&world, "straight.db");
    let never: Arc<dyn Fn(Step) -> bool + Send + Sync> = Arc::new(|_| false);
    assert_eq!(run_with_stops(&world, &straight, &never), 0);
    let (expected, sums) = (sorted(facts(&straight.store_path)), dump(&straight.store_path));
    let of_ads: Vec<&Fact> = expected.iter().filter(|fact| fact.contains_key("decision_id")).collect();
    assert_eq!(of_ads.len(), of_ads.iter().collect::<BTreeSet<_>>().len(), "a fact is there twice");
    for step in Step::ALL {
        for nth in [1, 2, 3] {
            let config = config(&world, &format!("{step:?}{nth}.db"));
            let passed = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&passed);
            let stopper: Arc<dyn Fn(Step) -> bool + Send + Sync> =
                Arc::new(move |at| at == step && counter.fetch_add(1, Ordering::Relaxed) + 1 == nth);
            let stops = run_with_stops(&world, &config, &stopper);
            assert!(stops == 1 || passed.load(Ordering::Relaxed) < nth, "{step:?} was never passed");
            assert!(passed.load(Ordering::Relaxed) > 0, "{step:?} was never passed");
            assert_eq!(sorted(facts(&config.store_path)), expected, "stopped at {step:?}, pass {nth}");
            assert_eq!(dump(&config.store_path), sums, "stopped at {step:?}, pass {nth}");
            let on_disk = std::fs::read_dir(config.store_path.with_extension("facts")).unwrap().count();
            let connection = open_read_only(&config.store_path).unwrap();
            let named: u32 =
                connection.query_row("SELECT count(*) FROM parts", [], |row| row.get(0)).unwrap();
            let named = named as usize;
            drop(world.open(config.clone()));
            assert!(on_disk >= named);
            assert_eq!(std::fs::read_dir(config.store_path.with_extension("facts")).unwrap().count(), named);
        }
    }
}

#[test]
fn an_erased_subject_is_on_no_fact_and_every_fact_still_counts() {
    let mut world = World::new();
    fill(&mut world, 200);
    let config = config(&world, "a.db");
    finish(&world, &config);
    let before = facts(&config.store_path);
    let has = |facts: &[Fact], subject: &str| {
        facts.iter().filter(|fact| fact.get("subject").is_some_and(|found| found == subject)).count()
    };
    assert_eq!((has(&before, "3"), has(&before, "4")), (20, 20));
    // The erasure finds facts in a file, in the tail and in the journal still to be read.
    let late = |n: u64| {
        let subject = 3;
        Event::Behaviour(Behaviour {
            message_id: format!("late{n}"),
            name: "search".into(),
            at_ms: START_MS,
            subject,
            product_id: String::new(),
            value_micros: 0,
            currency: [0; 3],
        })
    };
    world.journal.push_all(&[late(1), erased(3), late(2)]);
    let mut writer = world.open(config.clone());
    drain(&mut writer);
    while writer.step().unwrap().has_more {}
    world.advance(tessera_analytics::limits::ERASE_INTERVAL_MS);
    while writer.step().unwrap().has_more {}
    let mut waits = 0;
    while !writer.store().erasing().is_empty() {
        writer.step().unwrap();
        waits += 1;
        assert!(waits < 100, "the erasure never ends");
    }
    writer.store().seal().unwrap();
    let after = facts(&config.store_path);
    assert_eq!((has(&after, "3"), has(&after, "4")), (0, 20));
    assert_eq!(after.len(), before.len() + 2);
    let without = |facts: &[Fact]| {
        let mut facts: Vec<Fact> = facts.to_vec();
        facts.iter_mut().for_each(|fact| drop(fact.remove("subject")));
        sorted(
            facts
                .into_iter()
                .filter(|fact| fact.get("behaviour").is_none_or(|name| name != "search"))
                .collect(),
        )
    };
    assert_eq!(without(&after), without(&before), "nothing but the key has changed");
    let bytes: Vec<u8> = std::fs::read_dir(config.store_path.with_extension("facts"))
        .unwrap()
        .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(!bytes.is_empty());
    assert_eq!(
        writer.store().parts().unwrap().iter().map(|part| part.facts as usize).sum::<usize>(),
        after.len()
    );
}

#[test]
fn old_facts_and_rollups_go_and_new_ones_stay() {
    const DAY_MS: i64 = 24 * 3_600_000;
    let mut world = World::new();
    fill(&mut world, 50);
    let config = config(&world, "a.db");
    finish(&world, &config);
    let later = START_MS + 100 * DAY_MS;
    world.journal.push_all(&[Event::Served(Served { at_ms: later, ..served(1_000) })]);
    finish(&world, &config);
    assert_eq!(facts(&config.store_path).iter().filter(|fact| fact["kind"] == "served").count(), 51);
    let rows = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        open_read_only(&config.store_path).unwrap().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    world.advance(95 * DAY_MS);
    let mut writer = world.open(config.clone());
    writer.step().unwrap();
    let kept = facts(&config.store_path);
    assert_eq!(kept.iter().map(|fact| fact["at"].clone()).collect::<Vec<_>>(), [later.to_string()]);
    assert_eq!(std::fs::read_dir(config.store_path.with_extension("facts")).unwrap().count(), 1);
    assert!(rows("experiment_days") > 0);
    world.advance(700 * DAY_MS);
    writer.step().unwrap();
    assert_eq!((rows("experiment_days"), rows("facts_hourly")), (0, 1));
    assert!(facts(&config.store_path).is_empty());
}

#[test]
fn a_store_built_anew_from_the_journal_is_the_same() {
    let mut world = World::new();
    fill(&mut world, 300);
    world.journal.push_all(&[erased(3)]);
    let lived = config(&world, "lived.db");
    // The first store came to be in many lives, in small steps and with pauses.
    for batch in [7, 30, 64] {
        let mut writer = world.open(WriterConfig { batch_events_max: batch, ..lived.clone() });
        writer.step().unwrap();
        writer.store().seal().unwrap();
    }
    let never: Arc<dyn Fn(Step) -> bool + Send + Sync> = Arc::new(|_| false);
    run_with_stops(&world, &lived, &never);
    let anew = world.config("anew.db");
    let events = world.open(anew.clone()).catch_up(&Default::default()).unwrap();
    assert_eq!(events as i64, support::total(&lived.store_path, "read"));
    assert_eq!(dump(&anew.store_path), dump(&lived.store_path));
    assert_eq!(sorted(facts(&anew.store_path)), sorted(facts(&lived.store_path)));
}

#[test]
fn reconciliation_agrees_at_every_moment_and_sees_what_is_missing() {
    use tessera_analytics::store::reconcile;
    let mut world = World::new();
    fill(&mut world, 120);
    world.journal.push_all(&[erased(3), touch(5_000, TouchKind::Click)]);
    let config = config(&world, "a.db");
    let mut writer = world.open(config.clone());
    let check = || reconcile(&open_read_only(&config.store_path).unwrap()).unwrap();
    loop {
        let read = writer.step().unwrap().read;
        writer.commit().unwrap();
        assert!(check().is_balanced());
        if read == 0 {
            break;
        }
    }
    writer.store().seal().unwrap();
    let found = check();
    assert!(found.is_balanced());
    assert_eq!(found.appended(), found.totals["read"]);
    assert_eq!(found.totals["remembered"], 1);
    drop(writer);
    let connection = rusqlite::Connection::open(&config.store_path).unwrap();
    connection.execute("DELETE FROM part_hours WHERE kind = 3", []).unwrap();
    assert!(!check().is_balanced());
    connection.execute("DELETE FROM records_hourly WHERE kind = 3", []).unwrap();
    assert!(check().is_balanced());
    connection.execute("UPDATE totals SET value = value - 1 WHERE name = 'stored'", []).unwrap();
    assert_eq!(check().unaccounted(), 1);
}

/// Stops are drawn; the seed is printed, so that a failure can be repeated.
#[test]
fn a_hundred_drawn_crashes_leave_every_fact_once() {
    let mut world = World::new();
    fill(&mut world, 300);
    world.journal.push_all(&[erased(5)]);
    let straight = config(&world, "straight.db");
    let never: Arc<dyn Fn(Step) -> bool + Send + Sync> = Arc::new(|_| false);
    run_with_stops(&world, &straight, &never);
    let (expected, sums) = (sorted(facts(&straight.store_path)), dump(&straight.store_path));
    let mut state: u64 =
        std::env::var("TESSERA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed_0001);
    println!("TESSERA_SEED={state}");
    let mut stops = 0;
    for round in 0.. {
        if stops >= 100 {
            break;
        }
        let config = config(&world, &format!("round{round}.db"));
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = std::sync::Mutex::new((state, 20));
        let stopper: Arc<dyn Fn(Step) -> bool + Send + Sync> = Arc::new(move |_| {
            let mut random = random.lock().unwrap();
            random.0 =
                random.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // At most twenty stops in a run, so that it ends.
            let stops = random.1 > 0 && (random.0 >> 33).is_multiple_of(6);
            random.1 -= i32::from(stops);
            stops
        });
        stops += run_with_stops(&world, &config, &stopper);
        assert_eq!(sorted(facts(&config.store_path)), expected, "round {round}");
        assert_eq!(dump(&config.store_path), sums, "round {round}");
    }
}

/// A second node's journal in a directory of its own.
fn second_journal(world: &World, touches: &[Event]) -> std::path::PathBuf {
    use tessera_wire::journal::{self, SegmentHeader};
    let directory = world.dir.path().join("journal2");
    std::fs::create_dir_all(&directory).unwrap();
    let header = SegmentHeader { schema: journal::SCHEMA, node: 2, first_sequence: 0, made_at_ms: 0 };
    let mut bytes = header.encode().to_vec();
    for (sequence, event) in (0..).zip(touches) {
        journal::append_record(sequence, event, &mut bytes);
    }
    std::fs::write(directory.join(journal::file_name(0)), bytes).unwrap();
    directory
}

#[test]
fn touches_of_one_node_join_ads_of_another_and_each_has_its_checkpoint() {
    use tessera_analytics::sources::SourceConfig;
    let mut world = World::new();
    for n in 0..40 {
        world.journal.push(&Event::Served(served(n)));
    }
    world.journal.flush();
    let clicks: Vec<Event> = (0..40).map(|n| touch(n, TouchKind::Click)).collect();
    let mut config = config(&world, "two.db");
    config.batch_events_max = 16;
    let directory = world.dir.path().join("journal2");
    config.sources.push(SourceConfig::Journal(directory.clone()));
    let mut writer = world.open(config.clone());
    drain(&mut writer);
    // It appears while the writer runs, and grows while it does not.
    second_journal(&world, &clicks[..25]);
    drain(&mut writer);
    drop(writer);
    second_journal(&world, &clicks);
    let mut writer = world.open(config.clone());
    drain(&mut writer);
    let nodes: Vec<u16> = writer.committed().nodes.keys().copied().collect();
    assert_eq!(nodes, [1, 2]);
    drop(writer);
    let clicks = |store: &Path| -> i64 {
        let connection = open_read_only(store).unwrap();
        connection.query_row("SELECT sum(clicks) FROM facts_hourly", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(clicks(&config.store_path), 40);
    // Absent for a while, and back: nothing is counted twice.
    std::fs::rename(&directory, world.dir.path().join("away")).unwrap();
    let mut writer = world.open(config.clone());
    drain(&mut writer);
    std::fs::rename(world.dir.path().join("away"), &directory).unwrap();
    assert!(matches!(writer.step(), Err(WriterError::Returned { node: 2 })));
    drop(writer);
    drain(&mut world.open(config.clone()));
    assert_eq!(clicks(&config.store_path), 40);
    // The same node under two names is refused.
    config.sources.push(SourceConfig::Journal(world.dir.path().join("copy")));
    std::fs::create_dir(world.dir.path().join("copy")).unwrap();
    for entry in std::fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), world.dir.path().join("copy").join(entry.file_name())).unwrap();
    }
    let refused = tessera_analytics::writer::Writer::open(config, world.clock());
    assert!(matches!(refused.err(), Some(WriterError::SameNode { node: 2 })));
}

#[test]
fn a_touch_is_of_no_use_twice_over_two_journals() {
    use tessera_analytics::sources::SourceConfig;
    let mut world = World::new();
    let click = touch(1, TouchKind::Click);
    let Event::Touch(Touch { decision_id, .. }) = click else { unreachable!() };
    assert_eq!(decision_id, 1);
    world.journal.push_all(&[Event::Served(served(1)), touch(1, TouchKind::Click)]);
    let mut config = config(&world, "two.db");
    config.sources.push(SourceConfig::Journal(second_journal(&world, &[click])));
    drain(&mut world.open(config.clone()));
    assert_eq!(support::total(&config.store_path, "duplicate"), 1);
}
