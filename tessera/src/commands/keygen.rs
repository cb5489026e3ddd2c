//! `tessera keygen`: make a key pair that signs bundles.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use tessera_engine::access::random_key;
use tessera_wire::signature::BundleSigner;

use super::{complain, say};

/// Writes the secret key to a new file that only its owner can read, and prints the public key.
pub(crate) fn run(output: &Path) -> anyhow::Result<ExitCode> {
    let secret = random_key();
    let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = |mut file: std::fs::File| {
        file.write_all(hex(secret).as_bytes())?;
        file.sync_all()
    };
    let written = options.open(output).and_then(write);
    written
        .with_context(|| format!("cannot write `{}`; an existing key is never replaced", output.display()))?;
    say(&hex(BundleSigner::new(secret).public_key()));
    complain(&format!(
        "the secret key is in `{}`: give it to control as TESSERA_CONTROL__SIGNING_KEY_FILE; \
         the public key above goes to engines as engine.bundle_keys",
        output.display()
    ));
    Ok(ExitCode::SUCCESS)
}
