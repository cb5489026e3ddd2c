//! `kill -9` of the whole process under load, several times over one data directory; and a polite stop, for comparison.
//!
//! Clients note what they sent and what was acknowledged. In the end the journal's files, read independently, and the
//! reports must agree with those notes: nothing acknowledged is missing, nothing is counted twice.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;
use tessera_analytics::report::{Report, Window};
use tessera_wire::event::TouchKind::{self, Click, Impression};

use crate::support::http::{Connection, once, path_of};
use crate::support::journal::{Journal, TouchKey};
use crate::support::{DECIDE, Launch, PATIENCE, Process, World, wait_for};

const LIVES: usize = 3;
const CLIENTS: usize = 4;
/// Events acknowledged in a life before it may be ended, and how many more at most.
const ACKNOWLEDGED_MIN: usize = 300;
const ACKNOWLEDGED_SPREAD: u64 = 1_500;

/// What clients know.
#[derive(Default)]
pub struct Notes {
    /// Where to report touches, by kind.
    urls: HashMap<TouchKey, String>,
    sent: HashSet<TouchKey>,
    acknowledged: HashSet<TouchKey>,
    /// Acknowledged by the same process that had decided.
    acknowledged_in_life: HashSet<TouchKey>,
    messages_sent: HashSet<String>,
    messages_acknowledged: HashSet<String>,
}

impl Notes {
    fn merge(&mut self, other: Notes) {
        self.urls.extend(other.urls);
        self.sent.extend(other.sent);
        self.acknowledged.extend(other.acknowledged);
        self.acknowledged_in_life.extend(other.acknowledged_in_life);
        self.messages_sent.extend(other.messages_sent);
        self.messages_acknowledged.extend(other.messages_acknowledged);
    }

    /// Ads with at least one of these touches: a click says that the ad was rendered, too.
    fn ads(touches: &HashSet<TouchKey>, kinds: &[TouchKind]) -> usize {
        let ads = touches.iter().filter(|(_, _, kind)| kinds.contains(kind));
        ads.map(|(decision, ad, _)| (*decision, *ad)).collect::<HashSet<_>>().len()
    }
}

#[test]
fn no_acknowledged_event_is_lost_or_counted_twice_when_the_process_is_killed() {
    let mut random = Random::seeded();
    let world = World::new();
    let mut notes = Notes::default();
    for life in 0..LIVES {
        let mut process = Launch::new(&world, "serve").start();
        resend(&process, &mut notes, &mut random);
        let target = ACKNOWLEDGED_MIN + (random.next() % ACKNOWLEDGED_SPREAD) as usize;
        let name = life.to_string();
        notes.merge(visit_until(target, &name, process.ports.data, || process.kill()));
    }
    let process = Launch::new(&world, "serve").start();
    resend(&process, &mut notes, &mut random);
    check(&world, &process, &notes);
}

#[test]
fn a_process_told_to_stop_has_written_every_ad_it_answered_with() {
    let world = World::new();
    let mut process = Launch::new(&world, "serve").start();
    let address = process.ports.data;
    let notes = visit_until(ACKNOWLEDGED_MIN, "stop", address, || {
        process.terminate();
        assert_eq!(process.wait_for_exit().code(), Some(0));
    });
    let journal = Journal::read(&world.data().join("journal"));
    assert!(notes.urls.keys().all(|(decision, ad, _)| journal.served.contains(&(*decision, *ad))));
    assert!(notes.acknowledged.is_subset(&journal.touches));
    assert_eq!(journal.orphans(), 0);
}

/// Lets clients visit until `target` events are acknowledged, then ends the process under them.
pub fn visit_until(target: usize, name: &str, address: SocketAddr, end: impl FnOnce()) -> Notes {
    let acknowledged = AtomicUsize::new(0);
    let mut notes = Notes::default();
    std::thread::scope(|scope| {
        let counter = &acknowledged;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || visit(address, &format!("{name}-{client}"), counter)))
            .collect();
        wait_for("enough is acknowledged", || (counter.load(Ordering::Relaxed) >= target).then_some(()));
        end();
        clients.into_iter().for_each(|client| notes.merge(client.join().unwrap()));
    });
    notes
}

fn check(world: &World, process: &Process, notes: &Notes) {
    let (journal, status) = wait_for("analytics has read the whole journal", || {
        let journal = Journal::read(&world.data().join("journal"));
        let status = process.control("/v1/status");
        (status["analytics"]["counters"]["read"] == journal.records).then_some((journal, status))
    });
    assert!(notes.acknowledged.is_subset(&journal.touches), "an acknowledged touch is not in the journal");
    assert!(notes.messages_acknowledged.is_subset(&journal.behaviours), "acknowledged behaviour is missing");
    assert!(journal.touches.is_subset(&notes.sent) && journal.behaviours.is_subset(&notes.messages_sent));
    let is_served = |touch: &&TouchKey| journal.served.contains(&(touch.0, touch.1));
    let lost: Vec<_> = notes.acknowledged_in_life.iter().filter(|touch| !is_served(touch)).collect();
    assert!(
        lost.is_empty(),
        "{} acknowledged touches can never count: their ads are not written",
        lost.len()
    );

    // Every record that was read has gone somewhere, and touches without an ad are shown as waiting for it.
    let counter = |name: &str| status["analytics"]["counters"][name].as_u64().unwrap_or(0) as usize;
    let orphans = journal.orphans();
    let places = ["stored", "duplicate", "unjoined", "unnamed", "waiting"].map(counter);
    assert_eq!(counter("read"), places.iter().sum::<usize>(), "{status}");
    assert_eq!((counter("waiting"), counter("unjoined"), counter("unnamed")), (orphans, 0, 0), "{status}");
    assert!(counter("duplicate") > 0, "repetitions were sent and must have been recognised");

    // Between what was acknowledged and what was sent, and exactly what is in the journal.
    let lift = process.control("/v1/reports/lift?campaign=autumn");
    let sum = |what: &str| {
        ["personalized", "holdout"].map(|arm| lift[0][arm][what].as_u64().unwrap()).iter().sum::<u64>()
            as usize
    };
    for (what, kinds) in [("impressions", &[Impression, Click][..]), ("clicks", &[Click][..])] {
        let counted = sum(what);
        let (least, most) = (Notes::ads(&notes.acknowledged, kinds), Notes::ads(&notes.sent, kinds));
        eprintln!("{what}: {least} acknowledged, {counted} counted, {most} sent, {orphans} without an ad");
        assert_eq!(counted, journal.joined(kinds), "{what}: {lift}");
        assert!((least.saturating_sub(orphans)..=most).contains(&counted), "{least} <= {counted} <= {most}");
        // Only ads whose own process was killed may be without a record: touches of that life count to the last.
        assert!(counted >= Notes::ads(&notes.acknowledged_in_life, kinds), "{what}: {counted}");
    }
    let report = Report::open(&world.data().join("analytics.sqlite")).unwrap();
    let behaviours: u64 = report.behaviours(Window::ALL).unwrap().iter().map(|(_, count)| *count).sum();
    assert_eq!(behaviours as usize, journal.behaviours.len());
}

/// Visits until the connection breaks; bounded, so that a test that has failed also ends.
fn visit(address: SocketAddr, name: &str, acknowledged: &AtomicUsize) -> Notes {
    let mut notes = Notes::default();
    // Two connections: decisions and touches are then often handled by different workers.
    if let (Ok(mut decisions), Ok(mut touches)) = (Connection::open(address), Connection::open(address)) {
        let started = Instant::now();
        for number in 0.. {
            if started.elapsed() > 2 * PATIENCE {
                break;
            }
            let step = visit_once(&mut decisions, &mut touches, &format!("{name}-{number}"), &mut notes);
            match step {
                Ok(count) => acknowledged.fetch_add(count, Ordering::Relaxed),
                Err(_) => break,
            };
        }
    }
    notes
}

fn visit_once(
    decisions: &mut Connection,
    touches: &mut Connection,
    name: &str,
    notes: &mut Notes,
) -> std::io::Result<usize> {
    let answer = decisions.send("POST", "/v1/decide", &[], DECIDE.as_bytes())?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (decision, urls) = touch_urls(&answer.json());
    for (kind, url) in urls {
        notes.urls.insert((decision, 0, kind), url);
    }
    let mut acknowledged = 0;
    // Some ads are never touched, some are clicked without an impression, some bring behaviour along.
    for (kind, is_due) in [(Impression, decision % 8 < 6), (Click, decision % 5 < 2)] {
        if is_due {
            let key = (decision, 0, kind);
            touch(touches, key, notes)?;
            notes.acknowledged_in_life.insert(key);
            acknowledged += 1;
        }
    }
    if decision % 3 == 0 {
        acknowledged += behave(touches, name, notes)?;
    }
    Ok(acknowledged)
}

fn touch_urls(answer: &Value) -> (u128, [(TouchKind, String); 2]) {
    let decision = u128::from_str_radix(answer["decision_id"].as_str().unwrap(), 16).unwrap();
    let ad = &answer["placements"]["hero"]["ads"][0];
    (decision, [(Impression, path_of(&ad["impression_url"])), (Click, path_of(&ad["click_url"]))])
}

fn touch(connection: &mut Connection, key: TouchKey, notes: &mut Notes) -> std::io::Result<()> {
    notes.sent.insert(key);
    let answer = connection.send("GET", &notes.urls[&key], &[], b"")?;
    assert_eq!(answer.status, if key.2 == Click { 302 } else { 204 }, "{}", answer.text());
    notes.acknowledged.insert(key);
    Ok(())
}

/// Sends three events in a batch.
fn behave(connection: &mut Connection, name: &str, notes: &mut Notes) -> std::io::Result<usize> {
    let ids: Vec<String> = (0..3).map(|number| format!("{name}-{number}")).collect();
    notes.messages_sent.extend(ids.iter().cloned());
    let answer = connection.send("POST", "/v1/events", &[], batch(&ids).as_bytes())?;
    assert_eq!((answer.status, answer.json()["accepted"].as_u64()), (202, Some(3)));
    notes.messages_acknowledged.extend(ids);
    Ok(3)
}

fn batch(ids: &[String]) -> String {
    let event = |id: &String| format!(r#"{{"name":"product_view","message_id":"{id}"}}"#);
    format!(r#"{{"events":[{}]}}"#, ids.iter().map(event).collect::<Vec<_>>().join(","))
}

/// After a restart clients repeat themselves: what was acknowledged, what may have been lost on the way, and what they had
/// not reported yet.
fn resend(process: &Process, notes: &mut Notes, random: &mut Random) {
    let mut connection = process.connect();
    let mut keys: Vec<TouchKey> = notes.urls.keys().copied().collect();
    keys.sort_unstable_by_key(|(decision, ad, kind)| (*decision, *ad, *kind as u8));
    for key in keys {
        if random.next().is_multiple_of(4) {
            touch(&mut connection, key, notes).unwrap();
        }
    }
    let ids: Vec<String> = notes.messages_sent.iter().take(100).cloned().collect();
    if !ids.is_empty() {
        let answer = once(process.ports.data, "POST", "/v1/events", &batch(&ids)).unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text());
        notes.messages_acknowledged.extend(ids);
    }
}

/// SplitMix64. The seed is printed; `TESSERA_TEST_SEED` sets it.
pub struct Random(u64);

impl Random {
    pub fn seeded() -> Random {
        let given = std::env::var("TESSERA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given
            .unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64));
        eprintln!("TESSERA_TEST_SEED={seed}");
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
