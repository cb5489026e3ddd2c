//! `tessera key`: make, list and revoke API keys in the file that the engine watches.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tessera_engine::access::{NewKey, Scopes, new_key};

use super::build::replace;
use super::{complain, say};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    key: Vec<Key>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    name: String,
    hash: String,
    scopes: Vec<String>,
}

/// Makes a key, and prints it: it is kept nowhere.
pub(crate) fn new(path: &Path, name: &str, scopes: &str) -> anyhow::Result<ExitCode> {
    let scopes: Vec<String> =
        scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    if let Err(unknown) = Scopes::of_names(scopes.iter().map(String::as_str)) {
        let known: Vec<&str> = Scopes::NAMES.iter().map(|(name, _)| *name).collect();
        bail!("there is no scope `{unknown}`; there are {}", known.join(", "));
    }
    if scopes.is_empty() || name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
        bail!("a key has a name of 1 to 128 bytes and at least one scope");
    }
    let mut keys = read(path)?;
    if keys.key.iter().any(|key| key.name == name) {
        bail!("there is a key `{name}` already; revoke it first, or choose another name");
    }
    let NewKey { key, hash } = new_key();
    keys.key.push(Key { name: name.to_owned(), hash, scopes });
    write(path, &keys)?;
    say(&key);
    complain(&format!("written down nowhere else: keep it; `{}` holds its hash", path.display()));
    Ok(ExitCode::SUCCESS)
}

/// Prints names and scopes.
pub(crate) fn list(path: &Path) -> anyhow::Result<ExitCode> {
    for key in read(path)?.key {
        say(&format!("{}\t{}", key.name, key.scopes.join(",")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes a key back. The file stays, so that an engine without keys lets nobody in.
pub(crate) fn revoke(path: &Path, name: &str) -> anyhow::Result<ExitCode> {
    let mut keys = read(path)?;
    let before = keys.key.len();
    keys.key.retain(|key| key.name != name);
    if keys.key.len() == before {
        bail!("there is no key `{name}` in `{}`", path.display());
    }
    write(path, &keys)?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Keys> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            toml::from_str(&text).with_context(|| format!("`{}` is not a file of keys", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Keys::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

fn write(path: &Path, keys: &Keys) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let text = toml::to_string(keys).context("cannot write the keys as TOML")?;
    replace(path, text.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))
}
