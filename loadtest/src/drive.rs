//! Driving a running engine with the demo's audience over real HTTP.
//!
//! Each visit asks for a decision, reports the impression, and clicks when the hidden truth says so. Visits start on a
//! fixed schedule whatever the answers do, and latency is counted from the intended start, so that a stall is seen by
//! every visit that it delays.
//!
//! Cost: two or three requests and their parsing per visit, on one thread. Not here: the truth itself ([`crate::population`]).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use hyper::StatusCode;

use crate::client::Client;
use crate::population::Population;
use crate::visit::{DecideAnswer, decide};

/// Slowest latency that the histogram tells apart, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// What to drive, and how hard.
#[derive(Debug, Clone)]
pub struct DriveSettings {
    /// The engine's data port.
    pub target: SocketAddr,
    /// The inventory slot that visits ask for.
    pub slot: String,
    /// The template's slots: name and asset ids in catalog order.
    pub slots: Vec<(String, Vec<String>)>,
    /// Visits per second.
    pub visits_per_second: u32,
    /// Keep-alive connections.
    pub connections: usize,
    /// How long to drive.
    pub duration: Duration,
}

/// What is happening, readable while it happens.
#[derive(Debug)]
pub struct Progress {
    latency: Mutex<Histogram<u64>>,
    visits: AtomicU64,
    requests: AtomicU64,
    impressions: AtomicU64,
    clicks: AtomicU64,
    failures: AtomicU64,
    tiers: [AtomicU64; 5],
    stop: AtomicBool,
}

/// A look at the progress.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Finished visits.
    pub visits: u64,
    /// Finished requests of any kind.
    pub requests: u64,
    /// Acknowledged impressions.
    pub impressions: u64,
    /// Acknowledged clicks.
    pub clicks: u64,
    /// Requests without the expected answer.
    pub failures: u64,
    /// Decisions by tier, in [`tessera_wire::event::Tier::ALL`] order.
    pub tiers: [u64; 5],
    /// Median decision latency from the intended start, in microseconds.
    pub p50_us: u64,
    /// 99th percentile of the same.
    pub p99_us: u64,
}

impl Progress {
    /// Nothing has happened yet.
    ///
    /// # Errors
    /// Never with the bounds above; the histogram's constructor checks them at run time.
    pub fn new() -> Result<Progress, hdrhistogram::CreationError> {
        Ok(Progress {
            latency: Mutex::new(Histogram::new_with_max(LATENCY_US_MAX, 3)?),
            visits: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            impressions: AtomicU64::new(0),
            clicks: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            tiers: Default::default(),
            stop: AtomicBool::new(false),
        })
    }

    /// What has happened so far.
    pub fn look(&self) -> Look {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        Look {
            visits: get(&self.visits),
            requests: get(&self.requests),
            impressions: get(&self.impressions),
            clicks: get(&self.clicks),
            failures: get(&self.failures),
            tiers: std::array::from_fn(|tier| get(&self.tiers[tier])),
            p50_us: latency.value_at_quantile(0.5),
            p99_us: latency.value_at_quantile(0.99),
        }
    }

    /// Ends the drive early.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Drives until the duration is over or [`Progress::stop`] is called. Blocks the calling thread.
///
/// # Errors
/// The runtime cannot be made. Failed requests are counted, not errors.
pub fn drive(
    population: &Arc<Population>,
    settings: &DriveSettings,
    progress: &Arc<Progress>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let schedule = Arc::new(Schedule {
            next: AtomicU64::new(0),
            started: Instant::now(),
            interval: Duration::from_secs(1) / settings.visits_per_second.max(1),
            duration: settings.duration,
        });
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..settings.connections {
            let driver = Driver {
                client: Client::new(settings.target),
                host: settings.target.to_string(),
                slot: settings.slot.clone(),
                slots: settings.slots.clone(),
                population: Arc::clone(population),
                progress: Arc::clone(progress),
            };
            tasks.spawn(driver.run(Arc::clone(&schedule)));
        }
        while tasks.join_next().await.is_some() {}
    });
    Ok(())
}

/// When visits start.
struct Schedule {
    next: AtomicU64,
    started: Instant,
    interval: Duration,
    duration: Duration,
}

impl Schedule {
    /// The next visit's number and intended start; `None` when the time is over.
    fn next(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let offset = self.interval.checked_mul(u32::try_from(number).ok()?)?;
        let is_over = offset >= self.duration || self.started.elapsed() >= self.duration;
        (!is_over).then(|| (number, self.started + offset))
    }
}

/// Waits for a visit's start and says from when its latency counts: from the intended start when that has passed already,
/// else from waking up, because the timer's millisecond steps are not the engine's doing.
async fn wait_until(start: Instant) -> Instant {
    if start <= Instant::now() {
        return start;
    }
    tokio::time::sleep_until(start.into()).await;
    Instant::now()
}

/// One connection's worth of visitors.
struct Driver {
    client: Client,
    host: String,
    slot: String,
    slots: Vec<(String, Vec<String>)>,
    population: Arc<Population>,
    progress: Arc<Progress>,
}

impl Driver {
    async fn run(mut self, schedule: Arc<Schedule>) {
        while !self.progress.stop.load(Ordering::Relaxed)
            && let Some((number, start)) = schedule.next()
        {
            if self.visit(number, wait_until(start).await).await.is_none() {
                self.progress.failures.fetch_add(1, Ordering::Relaxed);
                // A refusing engine is not hammered.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.progress.visits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One visit; `None` when a request had no or the wrong answer.
    async fn visit(&mut self, number: u64, start: Instant) -> Option<()> {
        let visitor = self.population.visitor(number);
        let (status, body) = self.client.send(decide(&visitor, &self.slot, &self.host)?).await.ok()?;
        self.count_decision(start);
        if status != StatusCode::OK {
            return None;
        }
        let answer: DecideAnswer = serde_json::from_slice(&body).ok()?;
        self.count_tier(&answer.tier);
        let Some(ad) = answer.into_ad() else { return Some(()) };
        self.touch(ad.impression(&self.host)?).await?;
        self.progress.impressions.fetch_add(1, Ordering::Relaxed);
        let Some(combination) = ad.combination(&self.slots) else { return Some(()) };
        let probability = self.population.click_probability(&visitor, combination, ad.discount());
        if self.population.is_click(number, probability) {
            self.touch(ad.click(&self.host)?).await?;
            self.progress.clicks.fetch_add(1, Ordering::Relaxed);
        }
        Some(())
    }

    async fn touch(
        &mut self,
        request: hyper::Request<http_body_util::Full<hyper::body::Bytes>>,
    ) -> Option<()> {
        let (status, _) = self.client.send(request).await.ok()?;
        self.progress.requests.fetch_add(1, Ordering::Relaxed);
        (status == StatusCode::NO_CONTENT).then_some(())
    }

    fn count_decision(&self, start: Instant) {
        self.progress.requests.fetch_add(1, Ordering::Relaxed);
        let micros = start.elapsed().as_micros() as u64;
        let mut latency = self.progress.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.saturating_record(micros);
    }

    fn count_tier(&self, name: &str) {
        let tier = tessera_wire::event::Tier::ALL.iter().position(|tier| tier.name() == name);
        if let Some(tier) = tier {
            self.progress.tiers[tier].fetch_add(1, Ordering::Relaxed);
        }
    }
}
