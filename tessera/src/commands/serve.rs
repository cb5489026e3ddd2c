//! `tessera serve`, `engine`, `control`, `analytics`: run parts until told to stop.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::Config;
use crate::process::{Parts, Running};

/// Runs parts until SIGINT or SIGTERM, then stops them in order.
pub(crate) fn run(config: &Config, parts: Parts) -> anyhow::Result<ExitCode> {
    log_to_stderr(config.log_level);
    let signal = signalled()?;
    let running = Running::start(config, parts)?;
    if let Some(engine) = &running.engine {
        tracing::info!(data = %engine.data_address(), admin = %engine.admin_address(), "the engine is listening");
    }
    if running.engine.is_some() {
        hint(config);
    }
    if let Some(control) = &running.control {
        tracing::info!(console = %format!("http://{}/", control.address()), "the control plane is listening");
    }
    while !signal.load(Ordering::Acquire) {
        std::thread::park_timeout(Duration::from_millis(200));
    }
    tracing::info!("stopping");
    running.stop();
    Ok(ExitCode::SUCCESS)
}

/// Says what a new operator would otherwise wonder about.
fn hint(config: &Config) {
    let files = &config.engine.settings.files;
    if !files.bundle.exists() {
        tracing::warn!(
            "no bundle is live yet; publish one with `tessera publish DIR`, or start with --source DIR"
        );
    }
    let settings = &config.engine.settings;
    if settings.listen.ip().is_unspecified() && settings.public_url == format!("http://{}", settings.listen) {
        let url = &settings.public_url;
        tracing::warn!(%url, "browsers cannot reach the URLs in answers; set engine.public_url to an address they can");
    }
    if files.geo.is_none() {
        let regime = config.engine.settings.consent.default_regime;
        tracing::warn!(
            ?regime,
            "no location database (--geo FILE): every country is unknown and the default regime applies"
        );
    }
}

/// A flag that SIGINT and SIGTERM set. A second signal ends the process at once.
pub(crate) fn signalled() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

/// Logs to standard error; a second call in one process changes nothing.
pub(crate) fn log_to_stderr(level: tracing::Level) {
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}
