//! Processor time of this thread, in rounds that all engines share.
//!
//! On a machine that does other work, wall time measures the neighbours. Each round runs every engine once, for at least
//! a batch of time or, when one pass over the requests takes longer, a part of a pass.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time of this thread so far.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What `run` returns, and the processor time it took.
pub(crate) fn cpu_time<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let before = now();
    let value = run();
    (value, now().saturating_sub(before))
}

type Engine<'a> = Box<dyn FnMut(usize) -> u64 + 'a>;

/// Runs engines in turns.
pub(crate) struct Runner<'a> {
    batch: Duration,
    rounds: usize,
    events: usize,
    engines: Vec<(&'static str, Engine<'a>, Vec<f64>)>,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(batch: Duration, rounds: usize, events: usize) -> Runner<'a> {
        Runner { batch, rounds, events, engines: Vec::new() }
    }

    /// An engine that answers the request of this number.
    pub(crate) fn add(&mut self, name: &'static str, engine: impl FnMut(usize) -> u64 + 'a) {
        self.engines.push((name, Box::new(engine), Vec::new()));
    }

    /// Leaves out all but these, unless there are none.
    pub(crate) fn keep(&mut self, names: &[String]) {
        self.engines.retain(|engine| names.is_empty() || names.iter().any(|name| name == engine.0));
    }

    /// Median nanoseconds per request of each engine.
    pub(crate) fn run(mut self) -> Vec<(&'static str, f64)> {
        // One round that is not counted: caches and branch predictors warm up.
        for round in 0..=self.rounds {
            for (_, engine, samples) in &mut self.engines {
                let sample = batch(engine, self.events, self.batch);
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        self.engines.into_iter().map(|(name, _, samples)| (name, median(samples))).collect()
    }
}

/// Nanoseconds per request.
fn batch(engine: &mut Engine<'_>, events: usize, least: Duration) -> f64 {
    let (mut done, start) = (0usize, now());
    loop {
        // Slow engines are asked for the time more often, so that a batch ends in time. A part of a pass would favour
        // some requests, so whole passes count wherever they fit.
        let before = now();
        for event in 0..events {
            black_box(engine(black_box(event)));
            done += 1;
            if done.is_multiple_of(30) && now().saturating_sub(before) > least * 20 {
                break;
            }
        }
        let spent = now().saturating_sub(start);
        if spent >= least {
            return spent.as_nanos() as f64 / done as f64;
        }
    }
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}
