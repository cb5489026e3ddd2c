//! `tessera replay`: builds the analytics store anew from journals.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use tessera_analytics::sources::SourceConfig;
use tessera_analytics::writer::Writer;

use super::{say, serve};
use crate::config::Config;
use crate::process::{lock, now_ms, writer_config};

/// Reads the journals to their ends into a new store. An interrupted replay leaves a store that analytics continues.
pub(crate) fn run(config: &Config, from: &[PathBuf], to: Option<&Path>) -> anyhow::Result<ExitCode> {
    serve::log_to_stderr(config.log_level);
    let _lock = match to {
        Some(_) => None,
        None => Some(lock(&config.data_dir, "analytics")?),
    };
    let mut settings = writer_config(config);
    if let Some(to) = to {
        settings.store_path = to.to_owned();
    }
    let store = settings.store_path.clone();
    if store.exists() {
        bail!(
            "there is a store at `{}` already\nmove it and its directory of facts away, or choose another place with --to FILE",
            store.display()
        );
    }
    for directory in from {
        if !directory.is_dir() {
            bail!("`{}` is not a directory of journal segments", directory.display());
        }
    }
    settings.sources = from.iter().cloned().map(SourceConfig::Journal).collect();
    let stop = serve::signalled()?;
    let mut writer = Writer::open(settings, Arc::new(now_ms)).context("cannot make the store")?;
    let events = writer.catch_up(&stop).context("cannot read the journals into the store")?;
    let is_stopped = stop.load(std::sync::atomic::Ordering::Acquire);
    say(&format!("{events} events read into {}", store.display()));
    Ok(if is_stopped { ExitCode::from(130) } else { ExitCode::SUCCESS })
}
