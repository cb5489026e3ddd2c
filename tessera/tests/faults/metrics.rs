//! The metrics page of the whole process: it is Prometheus text, it says what `docs/METRICS.md` says, and it names nothing
//! of what is advertised to whom.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::http::once;
use crate::support::{Launch, World};

const DOCUMENTED: &str = include_str!("../../../docs/METRICS.md");

/// Type and labels of a family.
type Family = (String, BTreeSet<String>);

/// The families of a page; panics where it is not the text format.
fn families(page: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let (mut series, mut sampled) = (BTreeSet::new(), BTreeSet::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            let before = families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
            assert!(before.is_none(), "{name} is there twice");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (id, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        assert!(series.insert(id.to_owned()), "{id} is there twice");
        let (name, labels) = id.split_once('{').unwrap_or((id, "}"));
        let part = ["_bucket", "_sum", "_count"].into_iter().find_map(|part| name.strip_suffix(part));
        let is_histogram = |name: &&str| families.get(*name).is_some_and(|(kind, _)| kind == "histogram");
        let family = part.filter(is_histogram).unwrap_or(name).to_owned();
        sampled.insert(family.clone());
        let own = families.get_mut(&family).unwrap_or_else(|| panic!("{family} has no type"));
        for label in labels.strip_suffix('}').unwrap().split("\",").filter(|label| !label.is_empty()) {
            let (key, value) = label.split_once("=\"").unwrap();
            assert!(value.trim_end_matches('"').bytes().all(|byte| byte.is_ascii_graphic()), "{line}");
            own.1.insert(key.to_owned());
        }
    }
    // What has happened to nobody yet has no samples.
    families.retain(|name, _| sampled.contains(name));
    families
}

fn documented() -> BTreeMap<String, Family> {
    let rows = DOCUMENTED.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let series = cells.next().unwrap().trim_end_matches('`');
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        (name.to_owned(), (cells.next().unwrap().to_owned(), labels.map(str::to_owned).collect()))
    })
    .collect()
}

#[test]
fn the_page_is_prometheus_text_says_what_is_documented_and_names_nobody() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let body = json!({
        "placements": [{ "id": "hero", "slot": "home_hero" }, { "id": "no", "slot": "nowhere" }],
        "user": { "id": "visitor-canary" }, "page": { "url": "https://canary.example/page" },
    });
    assert_eq!(process.decide(&body.to_string()).status, 200);
    let page = once(process.ports.admin, "GET", "/metrics", "").unwrap().text();
    for word in ["autumn", "home_hero", "canary", "fernweh", "127.0.0.1"] {
        assert!(!page.contains(word), "{word} in\n{page}");
    }
    let (found, documented) = (families(&page), documented());
    for (name, family) in &found {
        assert_eq!(documented.get(name), Some(family), "{name} in docs/METRICS.md");
    }
    // There is no table before anything was learned, and the analytics writer makes its store in its own time.
    let is_later = |name: &str| name == "posterior_age_seconds" || name.starts_with("analytics_");
    let missing: Vec<&String> =
        documented.keys().filter(|name| !found.contains_key(*name) && !is_later(name)).collect();
    assert!(missing.is_empty(), "documented, but not on the page: {missing:?}");
    assert_eq!(process.metric("decide_no_fill_total{code=\"unknown_slot\"}"), 1.0);
    assert!(process.metric("process_resident_memory_bytes") > 1e6);
}
