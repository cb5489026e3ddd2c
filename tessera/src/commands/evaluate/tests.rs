//! A journal written here, with truth that is known, is evaluated as it should be.

use super::*;

use tessera_control::source::{SourceFile, Sources, compile, render_all};
use tessera_engine_core::hash::draw;
use tessera_wire::bundle::encode;
use tessera_wire::event::{Arm, Event, Generation, Mode, NONE, Served, Tier, Touch, TouchKind};
use tessera_wire::journal::{SCHEMA, SegmentHeader, append_record, file_name};
use tessera_wire::posterior::{Layout, TemplateModel};

const IMPRESSIONS: u64 = 30_000;
const CATALOG: &str = r#"
[[placement]]
id = "page"
[[campaign]]
id = "c"
landing_url = "https://world.example/"
[[flight]]
id = "f"
campaign = "c"
start = "2026-01-01T00:00:00Z"
end = "2036-01-01T00:00:00Z"
[[template]]
id = "t"
campaign = "c"
exploration = "10%"
[[template.slot]]
name = "image"
assets = ["i0", "i1"]
[[template.slot]]
name = "line"
assets = ["l0", "l1", "l2"]
[[template.context]]
name = "taste"
signal = "taste"
values = ["v0", "v1"]
[[asset]]
id = "i0"
text = "a"
[[asset]]
id = "i1"
text = "b"
[[asset]]
id = "l0"
text = "c"
[[asset]]
id = "l1"
text = "d"
[[asset]]
id = "l2"
text = "e"
"#;
const RULES: &str = "language 1\nattribute taste : one of v0, v1 from request\n\
    rule \"r\" for placement \"page\" { then show template \"t\" }\n";

fn bundle() -> LoadedBundle {
    let files = [("catalog.toml", CATALOG), ("all.rules", RULES)];
    let files = files.into_iter().map(|(path, text)| SourceFile { path: path.into(), text: text.into() });
    let sources = Sources { files: files.collect() };
    let compiled = compile(&sources).map_err(|all| render_all(&all, &sources.files)).unwrap();
    LoadedBundle::from_bytes(&encode(&compiled.bundle)).unwrap()
}

/// Visitors of one taste like combination 4, those of the other combination 1.
fn click_rate(taste: u8, combination: u32) -> f64 {
    match (taste, combination) {
        (1, 4) | (2, 1) => 0.30,
        _ => 0.06,
    }
}

fn served(names: &Generation, n: u64) -> Served {
    let unit = |stream| (draw(n, stream) >> 11) as f64 / (1u64 << 53) as f64;
    Served {
        decision_id: u128::from(draw(n, 9)),
        ad: 0,
        at_ms: n as i64,
        generation: names.generation,
        posterior_generation: 0,
        placement: 0,
        campaign: 0,
        flight: NONE,
        cpm_micros: 0,
        template: 0,
        combination: (unit(0) * 6.0) as u32,
        offer: NONE,
        offer_at_ms: 0,
        item_margin: None,
        rule: NONE,
        locale: NONE,
        choices: [None; 3],
        variants: [None; 4],
        tags: [None; 4],
        exposure: None,
        arm: Arm::Personalized,
        tier: Tier::Full,
        mode: Mode::Full,
        context: [1 + u8::from(unit(1) < 0.4), 0, 0, 0, 0, 0, 0, 0],
        propensity: 1.0 / 6.0,
        is_learnable: true,
        subject: 0,
    }
}

/// A journal of uniform choice, with holdouts, forbidden ads, clicks before their ads and repeated ones.
fn journal(names: &Generation) -> tempfile::TempDir {
    let mut events = vec![Event::Generation(names.clone())];
    for n in 0..IMPRESSIONS {
        let mut ad = served(names, n);
        let is_click = (draw(n, 5) >> 11) as f64 / (1u64 << 53) as f64;
        let is_click = is_click < click_rate(ad.context[0], ad.combination);
        // What must not count would spoil everything: always clicked.
        let spoils = n % 10 == 3;
        if spoils {
            match n % 20 {
                3 => ad.arm = Arm::Holdout,
                _ => ad.is_learnable = false,
            }
        }
        let touch = Touch {
            decision_id: ad.decision_id,
            ad: 0,
            kind: TouchKind::Click,
            at_ms: n as i64,
            value_micros: 0,
            currency: [0; 3],
        };
        let clicks = [Event::Touch(touch), Event::Touch(touch)];
        let (before, after) = clicks.split_at((n % 2) as usize);
        let clicks = |part: &[Event]| if is_click || spoils { part.to_vec() } else { Vec::new() };
        events.extend(clicks(before));
        events.push(Event::Served(ad));
        events.extend(clicks(after));
    }
    let header = SegmentHeader { schema: SCHEMA, node: 0, first_sequence: 0, made_at_ms: 0 };
    let mut bytes = header.encode().to_vec();
    for (sequence, event) in events.iter().enumerate() {
        append_record(sequence as u64, event, &mut bytes);
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(file_name(0)), bytes).unwrap();
    directory
}

/// A table that always prefers combination 4: image 1 and line 1.
fn table(names: &Generation) -> PosteriorTable {
    let template = &names.templates[0];
    let layout = Layout::new(&[2, 3], &[3]);
    let mut weights = vec![0.0; layout.len];
    weights[layout.asset(1)] = 1.0;
    weights[layout.asset(3)] = 1.0;
    let model = TemplateModel {
        template: template.id.clone(),
        slots: template.slots.iter().map(|(_, assets)| assets.clone()).collect(),
        fields: template.fields.clone(),
        impressions: 1,
        clicks: 1,
        mean: weights.clone(),
        draws: [weights.clone(), weights].concat(),
    };
    PosteriorTable { generation: 1, made_at_ms: 0, models: vec![model] }
}

fn report(table: &PosteriorTable) -> Report {
    let names = bundle().names();
    let directory = journal(&names);
    let log = Log::read(directory.path(), &bundle()).unwrap();
    let mut reports = evaluate(bundle(), table, &log).unwrap();
    assert_eq!(reports.len(), 1);
    reports.remove(0).1.unwrap()
}

fn assert_near(report: &Report, truth: f64) {
    for estimate in [report.ips, report.snips, report.dr] {
        assert!((estimate.mean - truth).abs() < 1.5 * estimate.half, "{estimate:?}, truth {truth:.4}");
    }
}

#[test]
fn a_journal_says_what_another_table_would_have_earned() {
    let report = report(&table(&bundle().names()));
    assert_eq!(report.impressions, IMPRESSIONS * 9 / 10);
    let uniform = |taste| (0..6).map(|k| click_rate(taste, k)).sum::<f64>() / 6.0;
    let of_taste = |taste| 0.9 * click_rate(taste, 4) + 0.1 * uniform(taste);
    assert_near(&report, 0.6 * of_taste(1) + 0.4 * of_taste(2));
    assert!((report.coverage - 1.0).abs() < 0.05, "{report:?}");
    assert!(report.effective < IMPRESSIONS as f64 / 4.0, "{report:?}");
    assert!((report.weight_max - (0.9 + 0.1 / 6.0) * 6.0).abs() < 1e-3, "{report:?}");
}

#[test]
fn without_a_table_the_uniform_log_is_worth_what_it_earned() {
    let report = report(&PosteriorTable::default());
    assert!((report.ips.mean - report.logged.mean).abs() < 1e-6);
    assert_near(&report, 0.1);
}

#[test]
fn templates_of_another_shape_are_counted_and_left_out() {
    let mut names = bundle().names();
    names.templates[0].slots[0].1.reverse();
    let directory = journal(&names);
    let log = Log::read(directory.path(), &bundle()).unwrap();
    assert_eq!(log.foreign, IMPRESSIONS);
    assert!(evaluate(bundle(), &PosteriorTable::default(), &log).unwrap().is_empty());
}
