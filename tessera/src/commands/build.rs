//! `tessera build` and `tessera publish`: from sources to a bundle.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use tessera_control::publisher::Outcome;
use tessera_control::source;
use tessera_engine_core::bundle::LoadedBundle;

use super::{complain, say};
use crate::config::Config;
use crate::process;

/// Compiles `directory` and writes the bundle to `output`, which is left as it was when anything is wrong.
pub(crate) fn run(config: &Config, directory: &Path, output: &Path) -> anyhow::Result<ExitCode> {
    let sources = source::read(directory)?;
    let compiled = match source::compile(&sources) {
        Ok(compiled) => compiled,
        Err(problems) => {
            complain(&source::render_all(&problems, &sources.files));
            let errors = problems.iter().filter(|problem| problem.is_error()).count();
            complain(&format!("{errors} errors; `{}` was not written", output.display()));
            return Ok(ExitCode::FAILURE);
        }
    };
    compiled.warnings.iter().for_each(|warning| complain(&warning.render(&sources.files)));
    let bundle = tessera_wire::bundle::Bundle {
        generation: 1,
        made_at_ms: process::now_ms() as u64,
        ..compiled.bundle
    };
    let mut bytes = tessera_wire::bundle::encode(&bundle);
    if let Some(signer) = &config.control.signer {
        signer.sign(&mut bytes).context("cannot sign the bundle")?;
    }
    let loaded = LoadedBundle::from_bytes(&bytes).context("engines would refuse this bundle")?;
    replace(output, &bytes).with_context(|| format!("cannot write `{}`", output.display()))?;
    let catalog = loaded.catalog();
    say(&format!(
        "{}: {} bytes, {} campaigns, {} templates, {} rules, hash {}",
        output.display(),
        bytes.len(),
        catalog.campaigns.len(),
        catalog.templates.len(),
        loaded.source().rules.len(),
        loaded.hash()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Compiles `directory` and makes it live in the data directory.
pub(crate) fn publish(config: &Config, directory: &Path) -> anyhow::Result<ExitCode> {
    match process::publish(config, directory)? {
        Outcome::Activated(published) => say(&format!("generation {} is live", published.generation)),
        Outcome::Unchanged(published) => {
            say(&format!("generation {} already has this content", published.generation))
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes beside the target and renames, so that nobody ever reads half a bundle.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path)?;
    Ok(())
}
