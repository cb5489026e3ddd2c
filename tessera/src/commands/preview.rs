//! `tessera preview`: a signed token for `options.preview_token`. Whoever has it sees the chosen variants until it expires,
//! and is not counted.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tessera_engine::keys::Keys;
use tessera_wire::preview::{PreviewToken, sign};

use super::say;
use crate::cli::PreviewArgs;
use crate::config::Config;

/// Prints the token.
pub(crate) fn run(config: &Config, arguments: &PreviewArgs) -> anyhow::Result<ExitCode> {
    let directory = &config.engine.settings.key_directory;
    let keys = Keys::load_or_create(directory)
        .with_context(|| format!("cannot read the keys in `{}`", directory.display()))?;
    let until = SystemTime::now() + arguments.duration;
    let until = until.duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
    let token = PreviewToken {
        expires_at_secs: u32::try_from(until.as_secs()).context("that is too long")?,
        is_held_out: arguments.held_out,
        wishes: arguments.wishes.clone(),
    };
    say(&sign(&keys.preview, &token)?);
    Ok(ExitCode::SUCCESS)
}
