//! The admin port: health, readiness, version and metrics. Never reachable from the data port.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;

use crate::budget::Books;
use crate::counters::{Shard, family, line, render, single};
use crate::decision_log::DecisionLog;
use crate::enrich::geo_cell::GeoCell;
use crate::enrich::weather::WeatherTableCell;
use crate::journal::JournalCounters;
use crate::process;
use crate::server::now_ms;
use crate::snapshot_cell::SnapshotCell;
use crate::user_store::UserStore;
use crate::watch::{LastRefusal, WatchState, age_secs};

/// What the admin port shows. More text can be added by whoever runs more parts in the same process.
#[derive(Clone)]
pub(crate) struct AdminState {
    pub(crate) snapshots: Arc<SnapshotCell>,
    pub(crate) shards: Arc<[Arc<Shard>]>,
    pub(crate) journal: Arc<JournalCounters>,
    pub(crate) geography: Arc<GeoCell>,
    pub(crate) weather: Arc<WeatherTableCell>,
    pub(crate) watch: Arc<WatchState>,
    pub(crate) users: Arc<UserStore>,
    pub(crate) decisions: Arc<DecisionLog>,
    pub(crate) books: Arc<Books>,
    pub(crate) more: Arc<dyn Fn(&mut String) + Send + Sync>,
}

/// The body of `/readyz`.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    detail: &'static str,
    bundle: Option<BundleState>,
    last_refusal: Option<LastRefusal>,
    journal: JournalState,
    has_location: bool,
}

#[derive(Serialize)]
struct BundleState {
    generation: u64,
    hash: String,
    made_at_ms: i64,
    age_seconds: u64,
    posterior_generation: u64,
}

#[derive(Serialize)]
struct JournalState {
    appended: u64,
    write_errors: u64,
    dropped: u64,
}

impl AdminState {
    /// Answers one request of the admin port.
    pub(crate) fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if (method, path) == (&Method::GET, "/readyz") {
            return self.readiness();
        }
        let (status, text) = match (method, path) {
            (&Method::GET, "/healthz" | "/status") => (StatusCode::OK, "ok\n".to_owned()),
            (&Method::GET, "/version") => {
                (StatusCode::OK, concat!(env!("CARGO_PKG_VERSION"), "\n").to_owned())
            }
            (&Method::GET, "/metrics") => (StatusCode::OK, self.metrics()),
            _ => (StatusCode::NOT_FOUND, "healthz, readyz, version, metrics\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    /// Ready means that there is something to decide from; the rest is for whoever wonders how well.
    fn readiness(&self) -> Response<Full<Bytes>> {
        let live = self.snapshots.load();
        let made_at_ms = self.watch.bundle_made_at_ms();
        let bundle = live.as_ref().map(|snapshot| BundleState {
            generation: snapshot.bundle().generation(),
            hash: snapshot.bundle().hash().to_string(),
            made_at_ms,
            age_seconds: age_secs(made_at_ms),
            posterior_generation: snapshot.posterior_generation(),
        });
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let document = Readiness {
            ready: bundle.is_some(),
            detail: if bundle.is_some() { "deciding" } else { "no bundle is live" },
            bundle,
            last_refusal: self.watch.last_refusal(),
            journal: JournalState {
                appended: get(&self.journal.appended),
                write_errors: get(&self.journal.write_errors),
                dropped: get(&self.journal.served_dropped_queue) + get(&self.journal.served_dropped_disk),
            },
            has_location: self.geography.load().is_some(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Full::new(Bytes::from(body)));
        if !document.ready {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn metrics(&self) -> String {
        let mut out = String::with_capacity(8_192);
        render(&self.shards, &mut out);
        self.render_snapshot(&mut out);
        self.render_journal(&mut out);
        self.watch.render(&mut out);
        self.users.render(&mut out);
        self.decisions.render(&mut out);
        self.books.render(&mut out);
        if let Some(geography) = self.geography.load().as_ref() {
            family(&mut out, "geoip_db_age_seconds", "gauge", "Time since the location database was built.");
            let built_at_ms = i64::try_from(geography.db.built_at_secs()).unwrap_or(0).saturating_mul(1_000);
            line(&mut out, "geoip_db_age_seconds", age_secs(built_at_ms));
        }
        process::render(&mut out);
        self.weather.render(&mut out, now_ms());
        (self.more)(&mut out);
        out
    }

    fn render_snapshot(&self, out: &mut String) {
        let live = self.snapshots.load();
        let Some(snapshot) = live.as_ref() else { return };
        family(out, "bundle_info", "gauge", "The live bundle.");
        let hash = snapshot.bundle().hash();
        line(
            out,
            &format!("bundle_info{{version=\"{}\",hash=\"{hash}\"}}", snapshot.bundle().generation()),
            1,
        );
        family(
            out,
            "switched_off",
            "gauge",
            "What kill switches hold back, and names that the bundle does not have.",
        );
        let what = ["everything", "campaigns", "templates", "creatives", "unknown"];
        for (what, count) in what.into_iter().zip(snapshot.switches().counts()) {
            line(out, &format!("switched_off{{what=\"{what}\"}}"), count as u64);
        }
        family(out, "posterior_generation", "gauge", "Generation of the live posterior table.");
        line(out, "posterior_generation", snapshot.posterior_generation());
        if snapshot.posterior_made_at_ms() > 0 {
            family(out, "posterior_age_seconds", "gauge", "Age of the live posterior table.");
            let age_ms = (now_ms() - snapshot.posterior_made_at_ms()).max(0);
            // Writing to a String cannot fail.
            let _ = writeln!(out, "posterior_age_seconds {}", age_ms as f64 / 1e3);
        }
    }

    fn render_journal(&self, out: &mut String) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        single(out, "journal_appended_total", "Records written to the journal.", get(&self.journal.appended));
        single(out, "journal_bytes_total", "Bytes written to the journal.", get(&self.journal.bytes));
        single(
            out,
            "journal_write_errors_total",
            "Writes that the disk refused.",
            get(&self.journal.write_errors),
        );
        family(out, "journal_dropped_total", "counter", "Events that could not be kept, by kind and reason.");
        for (kind, reason, counter) in [
            ("served", "queue_full", &self.journal.served_dropped_queue),
            ("remembered", "queue_full_or_disk", &self.journal.remembered_dropped),
            ("served", "disk", &self.journal.served_dropped_disk),
            ("refused", "queue_full", &self.journal.events_refused_queue),
            ("refused", "disk", &self.journal.events_refused_disk),
        ] {
            line(out, &format!("journal_dropped_total{{kind=\"{kind}\",reason=\"{reason}\"}}"), get(counter));
        }
    }
}
