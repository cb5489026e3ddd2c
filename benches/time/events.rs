//! From an event to a stored fact: processor time per event of appending to the journal and of making facts of it, and what
//! a fact takes on the disk. Prints a page; `cargo xtask record events` keeps it.
//!
//! Three in four served ads are rendered, half are seen, one in fifty is clicked; one in a hundred converts. Decisions and
//! subjects are random numbers, as in life: they are what cannot be compressed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::time::{ClockId, clock_gettime};
use tessera_analytics::writer::{Writer, WriterConfig};
use tessera_engine::journal::SegmentWriter;
use tessera_wire::event::{
    Arm, CampaignNames, Event, Generation, Mode, NONE, Served, TemplateNames, Tier, Touch, TouchKind,
};
use tessera_wire::journal::append_record;

const ADS: u64 = 400_000;
const ROUNDS: usize = 3;
const START_MS: i64 = 1_800_000_000_000;
/// As the drain thread writes.
const WRITE_BATCH_BYTES: usize = 1 << 20;

fn main() {
    let events = events();
    let mut append_ns = f64::MAX;
    let mut store_ns = f64::MAX;
    let mut sizes = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let directory = tempfile::tempdir().unwrap();
        let journal = directory.path().join("journal");
        let before = cpu_ns();
        append(&journal, &events);
        append_ns = append_ns.min((cpu_ns() - before) / events.len() as f64);
        let mut config = WriterConfig::new(
            journal.clone(),
            directory.path().join("analytics.sqlite"),
            directory.path().join("posteriors.tspt"),
        );
        config.batch_events_max = 20_000;
        let before = cpu_ns();
        let mut writer = Writer::open(config, Arc::new(|| START_MS)).unwrap();
        let read = writer.catch_up(&AtomicBool::new(false)).unwrap();
        store_ns = store_ns.min((cpu_ns() - before) / read as f64);
        assert_eq!(read, events.len() as u64);
        let parts = writer.store().parts().unwrap();
        let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
        let journal_bytes: u64 =
            std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        sizes = (journal_bytes as f64 / read as f64, bytes as f64 / read as f64);
    }
    println!("{} events, best of {ROUNDS} rounds, processor time of one thread\n", events.len());
    println!("| step | ns per event | events per second and core | bytes per event |");
    println!("| --- | --- | --- | --- |");
    println!(
        "| encode, checksum and append to the journal | {append_ns:.0} | {:.0} | {:.1} |",
        1e9 / append_ns,
        sizes.0
    );
    println!(
        "| read, join, sum, commit, write Parquet | {store_ns:.0} | {:.0} | {:.1} |",
        1e9 / store_ns,
        sizes.1
    );
}

fn cpu_ns() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

fn append(directory: &Path, events: &[Event]) {
    let mut segments = SegmentWriter::open(directory, 1, START_MS).unwrap();
    let mut bytes = Vec::with_capacity(WRITE_BATCH_BYTES * 2);
    let mut records = 0;
    for event in events {
        append_record(segments.next_sequence() + records, event, &mut bytes);
        records += 1;
        if bytes.len() >= WRITE_BATCH_BYTES {
            segments.append(&bytes, records).unwrap();
            bytes.clear();
            records = 0;
        }
    }
    segments.append(&bytes, records).unwrap();
}

/// A small generator of its own, so that the events are the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn events() -> Vec<Event> {
    let mut random = Random(7);
    let mut events = vec![Event::Generation(generation())];
    for n in 0..ADS {
        let served = served(n, &mut random);
        let (decision_id, at_ms) = (served.decision_id, served.at_ms);
        events.push(Event::Served(served));
        for (kind, per_mille) in [
            (TouchKind::Impression, 750),
            (TouchKind::Viewable, 500),
            (TouchKind::Click, 20),
            (TouchKind::Conversion, 10),
        ] {
            if random.below(1_000) < per_mille {
                let value_micros = if kind == TouchKind::Conversion { 19_990_000 } else { 0 };
                let at_ms = at_ms + random.below(20_000) as i64;
                events.push(Event::Touch(Touch {
                    decision_id,
                    ad: 0,
                    kind,
                    at_ms,
                    value_micros,
                    currency: *b"EUR",
                }));
            }
        }
    }
    events
}

fn generation() -> Generation {
    let texts = |prefix: &str, count: usize| (0..count).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>();
    let template = |index: u32| TemplateNames {
        id: format!("template{index}"),
        campaign: index,
        slots: vec![("headline".into(), texts("headline", 4)), ("image".into(), texts("image", 5))],
        fields: vec![
            ("device".into(), texts("device", 4)),
            ("segment".into(), vec!["?".into(), "sport".into(), "food".into(), "travel".into()]),
        ],
    };
    let campaign = |index: u32| CampaignNames { id: format!("campaign{index}"), advertiser: "shop".into() };
    Generation {
        generation: 1,
        placements: texts("placement", 12),
        campaigns: (0..50).map(campaign).collect(),
        templates: (0..50).map(template).collect(),
        rules: texts("rule", 200),
        locales: texts("l", 3),
        flights: texts("flight", 80),
        ..Generation::default()
    }
}

fn served(n: u64, random: &mut Random) -> Served {
    let campaign = random.below(50) as u32;
    Served {
        decision_id: u128::from(random.next()) << 64 | u128::from(random.next()),
        ad: 0,
        // A thousand ads a second.
        at_ms: START_MS + n as i64,
        generation: 1,
        posterior_generation: n / 500,
        placement: random.below(12) as u32,
        campaign,
        flight: random.below(80) as u32,
        cpm_micros: 1_000_000 + random.below(40) as i64 * 50_000,
        template: campaign,
        combination: random.below(20) as u32,
        offer: NONE,
        rule: random.below(200) as u32,
        locale: random.below(3) as u32,
        offer_at_ms: 0,
        item_margin: None,
        choices: [None; 3],
        variants: [None; 4],
        tags: [None; 4],
        exposure: None,
        arm: if random.below(10) == 0 { Arm::Holdout } else { Arm::Personalized },
        tier: Tier::Full,
        mode: if random.below(3) == 0 { Mode::Contextual } else { Mode::Full },
        context: [random.below(4) as u8, random.below(4) as u8, 0, 0, 0, 0, 0, 0],
        propensity: random.below(1_000_000) as f32 / 1e6,
        is_learnable: true,
        // A million visitors, with a permission in two of three cases.
        subject: if random.below(3) == 0 { 0 } else { subject(random.below(1_000_000)) },
    }
}

fn subject(visitor: u64) -> u128 {
    let mut random = Random(visitor);
    u128::from(random.next()) << 64 | u128::from(random.next())
}
