//! Hot-path counters: one shard per worker, plain atomic cells, rendered as Prometheus text when asked.
//!
//! Cost: a relaxed load and store per event; shards are never shared between writing threads. Labels come from closed
//! enums only, so the number of series is fixed.

mod bidding;
mod decisions;

pub use bidding::{NoBid, Notice};

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;
use tessera_engine_core::consent::{Reason, Regimes};
use tessera_engine_core::decide::{CapChecks, Loss};
use tessera_wire::event::{Mode, Tier, TouchKind};

/// Upper bounds of the latency buckets, in microseconds.
pub const LATENCY_BOUNDS_US: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000];

/// A counter that one thread writes and others read.
#[derive(Debug, Default)]
pub struct Cell(AtomicU64);

impl Cell {
    /// Adds; only the owning worker may call this.
    #[inline]
    pub fn add(&self, by: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a request or event was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The body is not what the endpoint takes.
    BadRequest,
    /// The body is too large.
    TooLarge,
    /// The token is not ours or too old.
    BadToken,
    /// No such path or method.
    NotFound,
    /// The key for this is missing or wrong.
    Unauthorized,
    /// No bundle is live yet, or the journal refuses.
    Unavailable,
    /// The client was too slow or went away.
    Timeout,
}

impl Refusal {
    const ALL: [(Refusal, &'static str); 7] = [
        (Refusal::BadRequest, "bad_request"),
        (Refusal::TooLarge, "too_large"),
        (Refusal::BadToken, "bad_token"),
        (Refusal::NotFound, "not_found"),
        (Refusal::Unauthorized, "unauthorized"),
        (Refusal::Unavailable, "unavailable"),
        (Refusal::Timeout, "timeout"),
    ];
}

const TIERS: [&str; 5] = ["full", "session", "contextual", "fallback", "default"];
const MODES: [Mode; 4] = [Mode::Full, Mode::Partial, Mode::Contextual, Mode::Child];
const TOUCHES: [&str; 4] = ["impression", "viewable", "click", "conversion"];

/// Why single events are refused; the last stands for all others.
const REJECTIONS: [&str; 13] = [
    "bad_token",
    "token_expired",
    "name_missing",
    "name_length",
    "message_id_missing",
    "message_id_length",
    "product_id_length",
    "event_too_large",
    "event_malformed",
    "type_missing",
    "type_unknown",
    "identity_missing",
    "other",
];

/// What a request got that had waited too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shed {
    /// The house ad.
    House,
    /// A refusal.
    Refused,
}

/// What the counters want to know of a decision.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) tier: Tier,
    pub(crate) mode: Mode,
    pub(crate) regimes: Regimes,
    pub(crate) reason: Reason,
    /// Why placements stayed empty, one by one.
    pub(crate) no_fill: SmallVec<[Loss; 4]>,
    pub(crate) cap_checks: CapChecks,
}

/// Regimes as they are counted: the strictest that applies.
const REGIMES: [(Regimes, &str); 4] =
    [(Regimes::GDPR, "gdpr"), (Regimes::OPT_IN, "optin"), (Regimes::US, "us"), (Regimes::NONE, "none")];

fn regime_of(regimes: Regimes) -> usize {
    REGIMES.iter().position(|(one, _)| regimes.contains(*one)).unwrap_or(REGIMES.len() - 1)
}

/// One worker's counters.
#[derive(Debug, Default)]
pub struct Shard {
    tiers: [Cell; 5],
    no_fill: [Cell; Loss::ALL.len()],
    fallbacks: [Cell; Reason::ALL.len()],
    consent: [[Cell; MODES.len()]; REGIMES.len()],
    caps_passed: Cell,
    caps_reached: Cell,
    served: Cell,
    unlogged: Cell,
    latency: Histogram,
    waited: Histogram,
    shed: [Cell; 2],
    touches: [Cell; 4],
    behaviours: Cell,
    refusals: [Cell; 7],
    bidding: bidding::Bidding,
    rejected: [Cell; REJECTIONS.len()],
    /// Open connections: up and down by the owning worker.
    connections: AtomicU64,
    connections_refused: Cell,
}

impl Shard {
    /// Counts one decision.
    pub(crate) fn decision(&self, of: &Counted, ads: usize, micros: u64) {
        self.tiers[of.tier as usize].add(1);
        self.consent[regime_of(of.regimes)][of.mode as usize].add(1);
        if of.tier >= Tier::Fallback {
            self.fallbacks[of.reason as usize].add(1);
        }
        self.served.add(ads as u64);
        of.no_fill.iter().for_each(|loss| self.no_fill[*loss as usize].add(1));
        self.caps_passed.add(u64::from(of.cap_checks.passed));
        self.caps_reached.add(u64::from(of.cap_checks.reached));
        self.latency.add(micros);
    }

    /// Counts how long a request had waited.
    pub(crate) fn waited(&self, waited: std::time::Duration) {
        self.waited.add(waited.as_micros() as u64);
    }

    /// Counts a request that was not decided because it had waited too long.
    pub(crate) fn shed(&self, shed: Shed) {
        self.shed[shed as usize].add(1);
    }

    /// Counts an ad that was served but could not be queued for the journal.
    pub fn unlogged(&self) {
        self.unlogged.add(1);
    }

    /// Counts a touch that was written.
    pub fn touch(&self, kind: TouchKind) {
        self.touches[kind as usize].add(1);
    }

    /// Counts behaviour events that were written.
    pub fn behaviours(&self, by: u64) {
        self.behaviours.add(by);
    }

    /// Counts an event that was refused.
    pub fn rejected(&self, code: &str) {
        let place = REJECTIONS.iter().position(|known| *known == code).unwrap_or(REJECTIONS.len() - 1);
        self.rejected[place].add(1);
    }

    /// Counts a refusal.
    pub fn refusal(&self, refusal: Refusal) {
        self.refusals[refusal as usize].add(1);
    }

    /// Counts a connection in, unless there are `max` already.
    pub fn connect(&self, max: u64) -> bool {
        if self.connections.load(Ordering::Relaxed) >= max {
            self.connections_refused.add(1);
            return false;
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Counts a connection out.
    pub fn disconnect(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Renders the sum of all shards in the Prometheus text format.
pub fn render(shards: &[Arc<Shard>], out: &mut String) {
    family(out, "decide_requests_total", "counter", "Decisions by the best tier in the answer.");
    for (index, tier) in TIERS.iter().enumerate() {
        line(
            out,
            &format!("decide_requests_total{{tier=\"{tier}\"}}"),
            sum(shards, |shard| shard.tiers[index].get()),
        );
    }
    decisions::render(shards, out);
    single(out, "decide_ads_total", "Ads in answers.", sum(shards, |shard| shard.served.get()));
    single(
        out,
        "decide_unlogged_total",
        "Ads served but not queued.",
        sum(shards, |shard| shard.unlogged.get()),
    );
    render_waiting(shards, out);
    family(out, "events_ingested_total", "counter", "Events written to the journal by type.");
    for (index, touch) in TOUCHES.iter().enumerate() {
        line(
            out,
            &format!("events_ingested_total{{type=\"{touch}\"}}"),
            sum(shards, |shard| shard.touches[index].get()),
        );
    }
    line(out, "events_ingested_total{type=\"behaviour\"}", sum(shards, |shard| shard.behaviours.get()));
    family(out, "events_rejected_total", "counter", "Events refused by reason.");
    for (index, code) in REJECTIONS.iter().enumerate() {
        let count = sum(shards, |shard| shard.rejected[index].get());
        line(out, &format!("events_rejected_total{{code=\"{code}\"}}"), count);
    }
    bidding::render(shards, out);
    family(out, "http_refused_total", "counter", "Requests refused by reason.");
    for (index, (_, name)) in Refusal::ALL.iter().enumerate() {
        line(
            out,
            &format!("http_refused_total{{reason=\"{name}\"}}"),
            sum(shards, |shard| shard.refusals[index].get()),
        );
    }
    family(out, "http_connections", "gauge", "Open connections on the data port.");
    line(out, "http_connections", sum(shards, |shard| shard.connections.load(Ordering::Relaxed)));
    let refused = sum(shards, |shard| shard.connections_refused.get());
    single(out, "http_connections_refused_total", "Connections closed because there were too many.", refused);
}

fn render_waiting(shards: &[Arc<Shard>], out: &mut String) {
    histogram(
        out,
        ("decide_duration_seconds", "Time from a read request to its encoded answer."),
        shards,
        |shard| &shard.latency,
    );
    histogram(
        out,
        ("decide_queue_seconds", "How long requests waited at most before a worker came to them."),
        shards,
        |shard| &shard.waited,
    );
    family(
        out,
        "decide_shed_total",
        "counter",
        "Requests that waited too long for a decision, by what they got.",
    );
    for (index, name) in ["house", "refused"].into_iter().enumerate() {
        let count = sum(shards, |shard| shard.shed[index].get());
        line(out, &format!("decide_shed_total{{answer=\"{name}\"}}"), count);
    }
}

/// Times in the buckets of [`LATENCY_BOUNDS_US`].
#[derive(Debug, Default)]
struct Histogram {
    buckets: [Cell; LATENCY_BOUNDS_US.len() + 1],
    sum_us: Cell,
}

impl Histogram {
    fn add(&self, micros: u64) {
        let bucket = LATENCY_BOUNDS_US.iter().position(|bound| micros <= *bound);
        self.buckets[bucket.unwrap_or(LATENCY_BOUNDS_US.len())].add(1);
        self.sum_us.add(micros);
    }
}

fn histogram(
    out: &mut String,
    (name, help): (&str, &str),
    shards: &[Arc<Shard>],
    of: impl Fn(&Shard) -> &Histogram,
) {
    family(out, name, "histogram", help);
    let mut total = 0;
    for (index, bound) in LATENCY_BOUNDS_US.iter().enumerate() {
        total += sum(shards, |shard| of(shard).buckets[index].get());
        line(out, &format!("{name}_bucket{{le=\"{}\"}}", *bound as f64 / 1e6), total);
    }
    total += sum(shards, |shard| of(shard).buckets[LATENCY_BOUNDS_US.len()].get());
    line(out, &format!("{name}_bucket{{le=\"+Inf\"}}"), total);
    let micros = sum(shards, |shard| of(shard).sum_us.get());
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{name}_sum {}", micros as f64 / 1e6);
    line(out, &format!("{name}_count"), total);
}

fn sum(shards: &[Arc<Shard>], value: impl Fn(&Shard) -> u64) -> u64 {
    shards.iter().map(|shard| value(shard)).sum()
}

/// Writes a family's help and type lines.
pub fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Writes one sample.
pub fn line(out: &mut String, series: &str, value: u64) {
    let _ = writeln!(out, "{series} {value}");
}

/// Writes a counter family with one sample.
pub fn single(out: &mut String, name: &str, help: &str, value: u64) {
    family(out, name, "counter", help);
    line(out, name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up_and_buckets_are_cumulative() {
        let shards: Vec<Arc<Shard>> = (0..2).map(|_| Arc::default()).collect();
        let counted = Counted {
            tier: Tier::Full,
            mode: Mode::Full,
            regimes: Regimes::GDPR,
            reason: Reason::Granted,
            no_fill: SmallVec::new(),
            cap_checks: CapChecks { passed: 3, reached: 1 },
        };
        shards[0].decision(&counted, 2, 7);
        let no_fill = SmallVec::from_slice(&[Loss::CapReached, Loss::CapReached]);
        let tier = Tier::Fallback;
        shards[1].decision(&Counted { no_fill, tier, ..counted }, 1, 60_000);
        shards[1].refusal(Refusal::TooLarge);
        let mut text = String::new();
        render(&shards, &mut text);
        for expected in [
            "decide_requests_total{tier=\"full\"} 1",
            "decide_no_fill_total{code=\"cap_reached\"} 2",
            "decide_fallback_total{reason=\"granted\"} 1",
            "consent_decisions_total{regime=\"gdpr\",outcome=\"full\"} 2",
            "cap_checks_total{result=\"reached\"} 2",
            "decide_ads_total 3",
            "decide_duration_seconds_bucket{le=\"0.00001\"} 1",
            "decide_duration_seconds_bucket{le=\"+Inf\"} 2",
            "http_refused_total{reason=\"too_large\"} 1",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
        }
    }

    #[test]
    fn label_tables_match_their_enums() {
        for tier in Tier::ALL {
            assert_eq!(TIERS[tier as usize], tier.name());
        }
        for touch in TouchKind::ALL {
            assert_eq!(TOUCHES[touch as usize], touch.name());
        }
        for (index, loss) in Loss::ALL.into_iter().enumerate() {
            assert_eq!(loss as usize, index);
        }
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        for (index, mode) in MODES.into_iter().enumerate() {
            assert_eq!(mode as usize, index);
        }
        for (index, (refusal, _)) in Refusal::ALL.iter().enumerate() {
            assert_eq!(*refusal as usize, index);
        }
    }
}
