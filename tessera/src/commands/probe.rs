//! `tessera health` and `tessera ready`: ask a running engine over its admin port.

use std::process::ExitCode;

use anyhow::Context;

use super::{complain, say};
use crate::config::Config;
use crate::http::get;

/// Exit code 0 when the engine answers 200.
pub(crate) fn run(config: &Config, path: &str) -> anyhow::Result<ExitCode> {
    let address = config.engine.settings.admin_listen;
    let (status, body) = get(address, path).with_context(|| format!("no engine answers on {address}"))?;
    if status == 200 {
        say(body.trim());
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!("{status}: {}", body.trim()));
    Ok(ExitCode::FAILURE)
}
