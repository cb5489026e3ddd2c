//! Starting and stopping parts in one process.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use tessera_analytics::fold::FoldConfig;
use tessera_analytics::report::Report;
use tessera_analytics::sources::SourceConfig;
use tessera_analytics::writer::{Writer, WriterConfig};
use tessera_control::publisher::{Outcome, Publisher};
use tessera_control::server::{Server, ServerError, ServerSettings};
use tessera_control::source;
use tessera_engine::counters::{family, line};
use tessera_engine::{Engine, StartError};

use crate::config::{Config, KEYS};

/// Which parts a process runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) engine: bool,
    pub(crate) control: bool,
    pub(crate) analytics: bool,
}

impl Parts {
    pub(crate) const ALL: Parts = Parts { engine: true, control: true, analytics: true };
    pub(crate) const ENGINE: Parts = Parts { engine: true, control: false, analytics: false };
    pub(crate) const CONTROL: Parts = Parts { engine: false, control: true, analytics: false };
    pub(crate) const ANALYTICS: Parts = Parts { engine: false, control: false, analytics: true };
}

/// Parts that run.
pub(crate) struct Running {
    pub(crate) engine: Option<Engine>,
    pub(crate) control: Option<Server>,
    analytics: Option<Analytics>,
    /// Held, never used: see [`lock`].
    locks: Vec<File>,
}

struct Analytics {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Starts parts; if one fails, those already started are stopped again.
    pub(crate) fn start(config: &Config, parts: Parts) -> anyhow::Result<Running> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("cannot make the data directory `{}`", config.data_dir.display()))?;
        let mut running = Running { engine: None, control: None, analytics: None, locks: Vec::new() };
        match running.start_parts(config, parts) {
            Ok(()) => Ok(running),
            Err(error) => {
                running.stop();
                Err(error)
            }
        }
    }

    fn start_parts(&mut self, config: &Config, parts: Parts) -> anyhow::Result<()> {
        // Before anything is changed: a process that cannot run must not publish either.
        for (part, is_wanted) in
            [("engine", parts.engine), ("control", parts.control), ("analytics", parts.analytics)]
        {
            if is_wanted {
                self.locks.push(lock(&config.data_dir, part)?);
            }
        }
        if parts.control {
            if let Some(directory) = &config.control.source {
                publish(config, directory)?;
            }
            self.control = Some(start_control(config)?);
        }
        if parts.engine {
            self.engine = Some(start_engine(config)?);
        }
        if parts.analytics {
            self.analytics = Some(start_analytics(config)?);
        }
        Ok(())
    }

    /// Stops all parts: the engine first, so that analytics still sees its last events.
    pub(crate) fn stop(self) {
        if let Some(engine) = self.engine {
            engine.stop();
        }
        if let Some(control) = self.control {
            control.stop();
        }
        if let Some(analytics) = self.analytics {
            analytics.stop.store(true, Ordering::Release);
            if analytics.thread.join().is_err() {
                tracing::error!("the analytics thread panicked");
            }
        }
    }
}

/// One process per part and data directory. Two engines would use the same sequence numbers in one journal, two writers
/// would count its events twice. The system lets go of the lock of a killed process.
pub(crate) fn lock(data_dir: &Path, part: &str) -> anyhow::Result<File> {
    let path = data_dir.join(format!("{part}.lock"));
    let file = File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => bail!(
            "another process runs the {part} part over `{}`\nstop it, or choose another directory with --data-dir",
            data_dir.display()
        ),
        // A file system without locks still works, for those who start one process.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Compiles a source directory and makes it live. Problems are printed; with errors nothing changes.
pub(crate) fn publish(config: &Config, directory: &Path) -> anyhow::Result<Outcome> {
    let sources = source::read(directory)?;
    let compiled = match source::compile(&sources) {
        Ok(compiled) => compiled,
        Err(problems) => bail!(
            "`{}` does not compile\n\n{}",
            directory.display(),
            source::render_all(&problems, &sources.files)
        ),
    };
    for warning in &compiled.warnings {
        tracing::warn!("\n{}", warning.render(&sources.files));
    }
    Ok(Publisher::open(&config.bundle_dir())?
        .signing(config.control.signer.clone())
        .publish(compiled.bundle, now_ms() as u64)?)
}

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

fn start_engine(config: &Config) -> anyhow::Result<Engine> {
    config.engine.check_open()?;
    let store_path = config.store_path();
    let more = move |out: &mut String| append_analytics(&store_path, out);
    Engine::start(config.engine.settings.clone(), more).map_err(|error| match error {
        StartError::Listen { address, is_admin, cause } => {
            let key = if is_admin { "admin.listen" } else { "engine.listen" };
            listen_failed(address, &cause, key)
        }
        other => other.into(),
    })
}

/// The analytics writer's state, if there is a store here that can be read.
fn append_analytics(store_path: &Path, out: &mut String) {
    let Ok(totals) = Report::open(store_path).and_then(|report| report.totals(now_ms())) else { return };
    family(out, "analytics_events_total", "counter", "Journal events by what became of them.");
    for (name, value) in &totals.counters {
        line(
            out,
            &format!("analytics_events_total{{outcome=\"{name}\"}}"),
            u64::try_from(*value).unwrap_or(0),
        );
    }
    family(out, "analytics_posterior_generation", "gauge", "Posterior tables published.");
    line(out, "analytics_posterior_generation", totals.posterior_generation);
    family(
        out,
        "analytics_newest_served_age_seconds",
        "gauge",
        "Age of the newest served ad that has been counted.",
    );
    line(
        out,
        "analytics_newest_served_age_seconds",
        totals.lag_ms.map_or(0, |lag_ms| (lag_ms.max(0) / 1_000) as u64),
    );
}

fn start_control(config: &Config) -> anyhow::Result<Server> {
    let settings = ServerSettings {
        listen: config.control.listen,
        bundle_directory: config.bundle_dir(),
        source_directory: config.control.source.clone(),
        store_path: config.store_path(),
        switches_path: config.switches_path(),
        weather_path: config.weather_path(),
        signer: config.control.signer.clone(),
        api_key: config.control.api_key.clone(),
    };
    Server::start(settings).map_err(|error| match error {
        ServerError::Listen { address, cause } => listen_failed(address, &cause, "control.listen"),
        other => other.into(),
    })
}

/// A bound port is the most frequent failure at start: say which flag moves it.
fn listen_failed(address: std::net::SocketAddr, cause: &std::io::Error, key: &str) -> anyhow::Error {
    let flag = KEYS.iter().find(|known| known.name == key).and_then(|known| known.flag).unwrap_or("--set");
    let hint = match cause.kind() {
        std::io::ErrorKind::AddrInUse => "another program has this port",
        std::io::ErrorKind::PermissionDenied => "this port needs more rights",
        _ => "the address cannot be used here",
    };
    anyhow::anyhow!(
        "cannot listen on {address}: {cause}\n{hint}; choose another address with {flag} ADDRESS ({key})"
    )
}

/// How the writer of this configuration works.
pub(crate) fn writer_config(config: &Config) -> WriterConfig {
    let mut settings = WriterConfig::new(config.journal_dir(), config.store_path(), config.posterior_path());
    settings.sources.extend(config.other_journals.iter().cloned().map(SourceConfig::Journal));
    settings.retention = config.retention;
    settings.part_interval_ms = config.part_interval.as_millis() as i64;
    settings.publish_interval_ms = config.publish_interval.as_millis() as i64;
    settings.fold =
        FoldConfig { attribution_window_ms: config.attribution_window.as_millis() as i64, ..settings.fold };
    settings.half_life_hours = config.half_life.map(|half_life| half_life.as_secs_f64() / 3_600.0);
    settings
}

fn start_analytics(config: &Config) -> anyhow::Result<Analytics> {
    let mut writer =
        Writer::open(writer_config(config), Arc::new(now_ms)).context("cannot start the analytics writer")?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let thread = std::thread::Builder::new().name("analytics".into()).spawn(move || writer.run(&flag))?;
    Ok(Analytics { stop, thread })
}
