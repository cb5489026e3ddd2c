//! A disk that takes no more: decisions go on, touches are refused honestly, and what was acknowledged before is counted.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::http::{Connection, path_of};
use crate::support::journal::Journal;
use crate::support::{DECIDE, Launch, Process, World, wait_for};

const REFUSED: &str = "journal_dropped_total{kind=\"refused\",reason=\"disk\"}";
const SERVED: &str = "journal_dropped_total{kind=\"served\",reason=\"disk\"}";
/// Largest file, in the 512-byte blocks of `ulimit`: 6 MiB. SQLite's log is cut back at 4 MiB, so only the journal gets there.
const BLOCKS_MAX: u32 = 12_288;

/// Refusals for this long mean that the disk is full, not only that the engine has not asked it again yet.
const FULL_AFTER: Duration = Duration::from_millis(400);

/// `count` events with names of `name` bytes; their message ids begin with `batch`.
fn batch_of(count: usize, name: usize, batch: usize) -> String {
    let name = "n".repeat(name);
    let one = |number| format!(r#"{{"name":"{name}","message_id":"{batch}-{number}"}}"#);
    format!(r#"{{"events":[{}]}}"#, (0..count).map(one).collect::<Vec<_>>().join(","))
}

/// Writes until not even the smallest record fits; returns the message ids that were acknowledged.
fn fill(process: &Process) -> HashSet<String> {
    let mut connection = process.connect();
    let mut acknowledged = HashSet::new();
    let mut batch = 0;
    for (count, name) in [(500, 120), (1, 120), (1, 1)] {
        let mut refused_since: Option<Instant> = None;
        while refused_since.is_none_or(|since| since.elapsed() < FULL_AFTER) {
            batch += 1;
            let body = batch_of(count, name, batch);
            let answer = connection.send("POST", "/v1/events", &[], body.as_bytes()).unwrap();
            if answer.status == 202 {
                refused_since = None;
                acknowledged.extend((0..count).map(|number| format!("{batch}-{number}")));
                continue;
            }
            assert_eq!(answer.problem(), (503, "not_recorded".into(), String::new()));
            assert_eq!(answer.header("retry-after"), Some("1"));
            refused_since.get_or_insert_with(Instant::now);
        }
    }
    acknowledged
}

/// Serves an ad and reports an impression and a click of it; returns whether they were recorded.
fn touch(process: &Process, connection: &mut Connection) -> [bool; 2] {
    let answer = connection.send("POST", "/v1/decide", &[], DECIDE.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "decisions need no disk: {}", answer.text());
    let ad = &answer.json()["placements"]["hero"]["ads"][0];
    let impression = connection.send("GET", &path_of(&ad["impression_url"]), &[], b"").unwrap();
    if impression.status != 204 {
        assert_eq!(impression.problem(), (503, "not_recorded".into(), String::new()));
        assert_eq!(impression.header("retry-after"), Some("1"));
    }
    // A visitor who clicks must get there, whatever the disk says.
    let before = process.metric(REFUSED);
    let click = connection.send("GET", &path_of(&ad["click_url"]), &[], b"").unwrap();
    assert_eq!((click.status, click.header("location")), (302, Some("https://fernweh.example/autumn")));
    [impression.status == 204, process.metric(REFUSED) == before]
}

/// Everything that holds while the disk is full.
fn check_full(process: &Process) {
    let mut connection = process.connect();
    let (refused, served) = (process.metric(REFUSED), process.metric(SERVED));
    assert!(refused >= 500.0, "the refused batches are counted event by event: {refused}");
    for _ in 0..50 {
        assert_eq!(touch(process, &mut connection), [false, false]);
    }
    assert_eq!(process.metric(REFUSED), refused + 100.0);
    // Served ads are handed over without waiting, so the last ones may still be on their way.
    wait_for("served ads are counted as dropped", || (process.metric(SERVED) == served + 50.0).then_some(()));
    assert!(process.metric("journal_write_errors_total") > 0.0);
}

/// Waits until the store agrees with the journal's files, and both hold what was acknowledged.
fn check_nothing_acknowledged_is_lost(world: &World, process: &Process, acknowledged: &HashSet<String>) {
    let journal = wait_for("analytics has read the whole journal", || {
        let journal = Journal::read(&world.data().join("journal"));
        let status = process.control("/v1/status");
        (status["analytics"]["counters"]["read"] == journal.records).then_some(journal)
    });
    assert!(acknowledged.is_subset(&journal.behaviours), "acknowledged behaviour is missing");
    let report = tessera_analytics::report::Report::open(&world.data().join("analytics.sqlite")).unwrap();
    let counted: u64 = report
        .behaviours(tessera_analytics::report::Window::ALL)
        .unwrap()
        .iter()
        .map(|(_, count)| count)
        .sum();
    assert_eq!(counted as usize, journal.behaviours.len());
}

#[test]
fn a_full_journal_file_costs_events_never_decisions() {
    let world = World::new();
    let limit = format!("trap '' XFSZ; ulimit -f {BLOCKS_MAX}");
    let mut process = Launch::new(&world, "serve").after_shell(&limit).start();
    let acknowledged = fill(&process);
    assert!(acknowledged.len() > 20_000, "the journal was hit first: {}", acknowledged.len());
    check_full(&process);
    assert!(process.is_running());
    process.kill();

    let process = Launch::new(&world, "serve").start();
    check_nothing_acknowledged_is_lost(&world, &process, &acknowledged);
    assert_eq!(
        touch(&process, &mut process.connect()),
        [true, true],
        "with room again, touches are recorded"
    );
}

#[test]
fn a_full_file_system_is_survived_and_recovers_when_there_is_room_again() {
    let world = World::new();
    let journal = world.data().join("journal");
    // Only root may mount; the test above makes the same claims for everybody else.
    let Some(_mounted) = SmallDisk::mount(&journal) else { return };
    let process = Launch::new(&world, "serve").start();
    let ballast = journal.join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let acknowledged = fill(&process);
    check_full(&process);
    std::fs::remove_file(&ballast).unwrap();
    let mut connection = process.connect();
    wait_for("touches are recorded again", || {
        (touch(&process, &mut connection) == [true, true]).then_some(())
    });
    check_nothing_acknowledged_is_lost(&world, &process, &acknowledged);
}

#[test]
fn a_store_that_finds_no_room_counts_everything_once_there_is_room_again() {
    let world = World::new();
    let data = world.data();
    let Some(_mounted) = SmallDisk::mount(&data) else { return };
    let process = Launch::new(&world, "serve").start();
    let ballast = data.join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    // Journal, store and posteriors share what is left.
    let acknowledged = fill(&process);
    assert_eq!(process.decide(DECIDE).status, 200);
    std::fs::remove_file(&ballast).unwrap();
    let mut connection = process.connect();
    wait_for("touches are recorded again", || {
        (touch(&process, &mut connection) == [true, true]).then_some(())
    });
    check_nothing_acknowledged_is_lost(&world, &process, &acknowledged);
}

/// A file system of 3 MiB in memory, unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    fn mount(path: &Path) -> Option<SmallDisk<'_>> {
        std::fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "tessera-test"]).arg(path);
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        is_mounted.then_some(SmallDisk(path))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}
