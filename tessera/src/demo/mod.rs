//! `tessera demo`: the whole product with simulated visitors, on one screen.
//!
//! Everything is real but the visitors: the demo's sources are compiled and published, engine, control and analytics run
//! as in `tessera serve`, and the visitors come in over loopback HTTP. What the screen shows is read from the same ports
//! that an operator would read. The visitors' hidden preferences and the seed make a run repeatable.

mod report;
mod screen;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use tessera_loadtest::drive::{DriveSettings, Progress, drive};

use crate::cli::DemoArgs;
use crate::commands::say;
use crate::commands::serve::{log_to_stderr, signalled};
use crate::config::{Config, Resolved};
use crate::process::{Parts, Running};
use report::Report;
use screen::Screen;
use world::World;

/// Seed of the audience that the README's numbers come from.
pub(crate) const SEED: u64 = 7;
/// How often the screen is drawn.
const REFRESH: Duration = Duration::from_millis(500);
/// How long analytics may take to count the last events.
const SETTLE: Duration = Duration::from_secs(10);
/// Keep-alive connections of the simulated visitors.
const CONNECTIONS: usize = 32;

/// Runs the demo.
pub(crate) fn run(arguments: &DemoArgs, mut resolved: Resolved) -> anyhow::Result<ExitCode> {
    let world = World::prepare(&mut resolved, arguments.seed)?;
    let config = Config::check(&resolved)?;
    log_to_stderr(config.log_level);
    let signal = signalled()?;
    let running = Running::start(&config, Parts::ALL)?;
    let outcome = show(arguments, &world, &running, &signal);
    running.stop();
    outcome
}

fn show(
    arguments: &DemoArgs,
    world: &World,
    running: &Running,
    signal: &AtomicBool,
) -> anyhow::Result<ExitCode> {
    let engine = running.engine.as_ref().context("the engine runs")?;
    let control = running.control.as_ref().context("the control plane runs")?.address();
    let progress = Arc::new(Progress::new()?);
    let mut screen = Screen::new(arguments, engine.data_address(), control);
    let visitors = start_visitors(arguments, world, engine.data_address(), &progress)?;
    let started = Instant::now();
    while !visitors.is_finished() {
        if signal.load(Ordering::Acquire) {
            progress.stop();
        }
        screen.draw(
            started.elapsed(),
            &progress.look(),
            Report::read(control, engine.admin_address()).ok().as_ref(),
        );
        std::thread::park_timeout(REFRESH);
    }
    let elapsed = started.elapsed();
    visitors.join().map_err(|_| anyhow::anyhow!("the simulated visitors panicked"))??;
    let report = settled(control, engine.admin_address(), &progress)?;
    screen.summarize(elapsed, &progress.look(), &report);
    let is_better = report.has_positive_lift();
    if arguments.once || signal.load(Ordering::Acquire) {
        return Ok(if is_better { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    say(&world.invitation(engine.data_address(), control, engine.explain_key()));
    while !signal.load(Ordering::Acquire) {
        std::thread::park_timeout(Duration::from_millis(200));
    }
    Ok(ExitCode::SUCCESS)
}

fn start_visitors(
    arguments: &DemoArgs,
    world: &World,
    target: std::net::SocketAddr,
    progress: &Arc<Progress>,
) -> anyhow::Result<JoinHandle<std::io::Result<()>>> {
    let settings = DriveSettings {
        target,
        slot: world::SLOT.to_owned(),
        slots: world.slots.clone(),
        visits_per_second: arguments.rate,
        connections: CONNECTIONS,
        duration: arguments.duration,
    };
    let (population, progress) = (Arc::clone(&world.population), Arc::clone(progress));
    let thread = std::thread::Builder::new().name("visitors".into());
    Ok(thread.spawn(move || drive(&population, &settings, &progress))?)
}

/// The report once every acknowledged impression and click has been counted.
fn settled(
    control: std::net::SocketAddr,
    admin: std::net::SocketAddr,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let expected = progress.look();
    let deadline = Instant::now() + SETTLE;
    loop {
        let report = Report::read(control, admin)?;
        if report.clicks() >= expected.clicks && report.impressions() >= expected.impressions {
            return Ok(report);
        }
        if Instant::now() >= deadline {
            tracing::warn!("analytics has not counted every event yet; the summary shows what it has");
            return Ok(report);
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}
