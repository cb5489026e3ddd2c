//! A small world to test the writer in: a journal directory that tests append to, and a clock that they turn.

#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test binary uses a part"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use tessera_analytics::writer::{Clock, Writer, WriterConfig};
use tessera_wire::event::{
    Arm, Behaviour, CampaignNames, Event, ExperimentNames, Generation, Mode, NONE, Served, TemplateNames,
    Tier, Touch, TouchKind,
};
use tessera_wire::journal::{self, SegmentHeader};

/// Time of the first event.
pub const START_MS: i64 = 1_700_000_000_000;

/// A journal being written.
pub struct Journal {
    pub dir: PathBuf,
    segment: u64,
    sequence: u64,
    bytes: Vec<u8>,
}

impl Journal {
    pub fn new(dir: PathBuf) -> Journal {
        std::fs::create_dir_all(&dir).unwrap();
        let mut journal = Journal { dir, segment: 0, sequence: 0, bytes: Vec::new() };
        journal.rotate();
        journal
    }

    /// Starts a new segment, as the engine does: with a generation record.
    pub fn rotate(&mut self) {
        self.segment = self.sequence;
        let header = SegmentHeader {
            schema: journal::SCHEMA,
            node: 1,
            first_sequence: self.sequence,
            made_at_ms: START_MS as u64,
        };
        self.bytes = header.encode().to_vec();
        self.push(&Event::Generation(generation(1)));
    }

    pub fn push(&mut self, event: &Event) {
        journal::append_record(self.sequence, event, &mut self.bytes);
        self.sequence += 1;
    }

    /// Puts what was pushed on disk.
    pub fn flush(&self) {
        std::fs::write(self.dir.join(journal::file_name(self.segment)), &self.bytes).unwrap();
    }

    pub fn push_all(&mut self, events: &[Event]) {
        for event in events {
            self.push(event);
        }
        self.flush();
    }
}

/// The whole world.
pub struct World {
    pub dir: TempDir,
    pub now_ms: Arc<AtomicI64>,
    pub journal: Journal,
}

impl World {
    pub fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path().join("journal"));
        journal.flush();
        World { dir, now_ms: Arc::new(AtomicI64::new(START_MS)), journal }
    }

    pub fn config(&self, store: &str) -> WriterConfig {
        WriterConfig::new(
            self.journal.dir.clone(),
            self.dir.path().join(store),
            self.dir.path().join(format!("{store}.posteriors.bin")),
        )
    }

    pub fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now_ms);
        Arc::new(move || now.load(Ordering::Relaxed))
    }

    pub fn advance(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub fn open(&self, config: WriterConfig) -> Writer {
        Writer::open(config, self.clock()).unwrap()
    }
}

/// Steps and commits until the journal is read.
pub fn drain(writer: &mut Writer) {
    while writer.step().unwrap().read > 0 {}
    writer.commit().unwrap();
}

pub fn generation(number: u64) -> Generation {
    let texts = |prefix: &str, count: usize| (0..count).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>();
    Generation {
        generation: number,
        bundle_hash: "00".into(),
        placements: vec!["top".into()],
        campaigns: vec![CampaignNames { id: "spring".into(), advertiser: "shop".into() }],
        templates: vec![TemplateNames {
            id: "hero".into(),
            campaign: 0,
            slots: vec![("image".into(), texts("i", 2)), ("cta".into(), texts("c", 3))],
            fields: vec![
                ("device".into(), texts("d", 3)),
                ("segment".into(), vec!["?".into(), "sport".into(), "food".into()]),
            ],
        }],
        offers: Vec::new(),
        offer_values: Vec::new(),
        rules: Vec::new(),
        variants: vec![("hue".into(), "blue".into()), ("hue".into(), "red".into())],
        tags: Vec::new(),
        locales: Vec::new(),
        experiments: vec![ExperimentNames {
            id: "copy".into(),
            campaign: 0,
            variants: vec!["short".into(), "long".into()],
            shares_ppm: vec![500_000, 500_000],
        }],
        flights: Vec::new(),
    }
}

pub fn served(n: u64) -> Served {
    Served {
        decision_id: u128::from(n),
        ad: 0,
        at_ms: START_MS + n as i64 * 1_000,
        generation: 1,
        posterior_generation: 0,
        placement: 0,
        campaign: 0,
        flight: NONE,
        cpm_micros: 0,
        template: 0,
        combination: (n % 6) as u32,
        offer: NONE,
        rule: NONE,
        locale: NONE,
        offer_at_ms: 0,
        item_margin: None,
        choices: [None; 3],
        variants: [None; 4],
        tags: [None; 4],
        exposure: None,
        arm: if n.is_multiple_of(5) { Arm::Holdout } else { Arm::Personalized },
        tier: Tier::Full,
        mode: Mode::Full,
        context: [(n % 3) as u8, (n / 3 % 3) as u8, 0, 0, 0, 0, 0, 0],
        propensity: 0.2,
        is_learnable: true,
        subject: 0,
    }
}

pub fn touch(n: u64, kind: TouchKind) -> Event {
    let value_micros = if kind == TouchKind::Conversion { 5_000_000 } else { 0 };
    Event::Touch(Touch {
        decision_id: u128::from(n),
        ad: 0,
        kind,
        at_ms: START_MS + n as i64 * 1_000 + 700,
        value_micros,
        currency: *b"EUR",
    })
}

pub fn behaviour(id: u64, name: &str) -> Event {
    Event::Behaviour(Behaviour {
        message_id: format!("m{id}"),
        name: name.into(),
        at_ms: START_MS,
        subject: 0,
        product_id: String::new(),
        value_micros: 0,
        currency: [0; 3],
    })
}

/// Everything a store says about the journal, as text that can be compared. Positions and learned tables are left out.
pub fn dump(store: &Path) -> String {
    let connection = tessera_analytics::store::open_read_only(store).unwrap();
    let mut out = String::new();
    for (table, columns) in [
        (
            "facts_hourly",
            "hour || '|' || (SELECT text FROM names WHERE id = campaign) || '|'
             || (SELECT text FROM names WHERE id = segment) || '|' || arm || mode || is_learnable || '|'
             || served || '|' || impressions || '|' || viewables || '|' || clicks || '|' || conversions",
        ),
        ("values_hourly", "hour || '|' || arm || mode || currency || value_micros || '|' || segment"),
        (
            "combinations_daily",
            "day || '|' || segment || '|' || hex(combination) || arm || mode || '|' || impressions || '|' || clicks",
        ),
        ("cells", "hex(context) || '|' || hex(combination) || '|' || impressions || '|' || clicks"),
        ("behaviours_hourly", "hour || '|' || name || '|' || count"),
        (
            "experiment_days",
            "day || '|' || variant || '|' || served || '|' || impressions || '|' || clicks || '|' || conversions
             || '|' || currency || revenue_micros || '|' || revenue_squares",
        ),
        ("records_hourly", "hour || '|' || kind || '|' || outcome || '|' || count"),
        ("totals", "name || '|' || value"),
        ("waiting_touches", "hex(decision_id) || '|' || kind"),
    ] {
        let sql = format!("SELECT {columns} FROM {table} ORDER BY 1");
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        for row in rows {
            out.push_str(&format!("{table}: {}\n", row.unwrap()));
        }
    }
    out
}

/// A counter of the store, 0 when it was never touched.
pub fn total(store: &Path, name: &str) -> i64 {
    let connection = tessera_analytics::store::open_read_only(store).unwrap();
    let sql = "SELECT coalesce(max(value), 0) FROM totals WHERE name = ?1";
    connection.query_row(sql, [name], |row| row.get(0)).unwrap()
}
