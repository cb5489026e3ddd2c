//! From the four sources to one text and one origin per key.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::keys::{KEYS, Key};

/// Prefix of environment variables: `TESSERA_SECTION__KEY`.
const PREFIX: &str = "TESSERA_";
/// Read when there is no `--config`.
const DEFAULT_FILE: &str = "tessera.toml";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag, as typed.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// A file.
    File(PathBuf),
    /// The built-in default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => write!(formatter, "flag {flag}"),
            Origin::Environment(name) => write!(formatter, "environment {name}"),
            Origin::File(path) => write!(formatter, "file {}", path.display()),
            Origin::Default => formatter.write_str("default"),
        }
    }
}

/// What a program run was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// Keys with values from flags, and the flag as typed.
    pub flags: Vec<(String, String, String)>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// The file named with `--config`; without, `tessera.toml` is read if it exists.
    pub file: Option<PathBuf>,
}

/// Every key with its value and origin.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Resolved {
    /// The value of a key as text.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |(value, _)| value.as_str())
    }

    /// Where the value of a key came from.
    pub(crate) fn origin(&self, name: &str) -> Origin {
        self.values.get(name).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// One line per key: value and origin, secrets masked.
    pub(crate) fn show(&self) -> String {
        let mut out = String::new();
        for key in KEYS {
            let value =
                if key.is_secret && !self.get(key.name).is_empty() { "********" } else { self.get(key.name) };
            let setting = format!("{} = \"{value}\"", key.name);
            out.push_str(&format!("{setting:<52} # {}; {}\n", self.origin(key.name), key.meaning));
        }
        out
    }

    /// Replaces a value that nobody has set; used by commands with defaults of their own.
    pub(crate) fn set_default(&mut self, name: &'static str, value: impl Into<String>) {
        let entry = self.values.entry(name).or_insert((String::new(), Origin::Default));
        if entry.1 == Origin::Default {
            entry.0 = value.into();
        }
    }
}

/// Resolves every key.
///
/// # Errors
/// [`ConfigError`] for unknown keys, unreadable files and values of the wrong kind.
pub(crate) fn resolve(sources: &Sources) -> Result<Resolved, ConfigError> {
    let mut values: BTreeMap<&'static str, (String, Origin)> =
        KEYS.iter().map(|key| (key.name, (key.default.to_owned(), Origin::Default))).collect();
    for (name, value, origin) in from_file(sources.file.as_deref())? {
        values.insert(known(&name, &origin)?.name, (value, origin));
    }
    for (name, value, origin) in from_environment(&sources.environment)? {
        values.insert(known(&name, &origin)?.name, (value, origin));
    }
    for (name, value, flag) in &sources.flags {
        let origin = Origin::Flag(flag.clone());
        values.insert(known(name, &origin)?.name, (value.clone(), origin));
    }
    Ok(Resolved { values })
}

fn known(name: &str, origin: &Origin) -> Result<&'static Key, ConfigError> {
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return Ok(key);
    }
    let nearest = rulec::nearest(name, KEYS.iter().map(|key| key.name));
    let suggestion = nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default();
    Err(ConfigError::Unknown { name: name.to_owned(), origin: origin.clone(), suggestion })
}

type Found = Vec<(String, String, Origin)>;

fn from_file(named: Option<&Path>) -> Result<Found, ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Vec::new());
        }
        Err(cause) => return Err(ConfigError::Read { path: path.display().to_string(), cause }),
    };
    let table: toml::Table = toml::from_str(&text)
        .map_err(|error| ConfigError::Toml { path: path.display().to_string(), cause: error.to_string() })?;
    let mut found = Vec::new();
    flatten("", &table, &Origin::File(path.to_owned()), &mut found)?;
    Ok(found)
}

fn flatten(prefix: &str, table: &toml::Table, origin: &Origin, found: &mut Found) -> Result<(), ConfigError> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let text = match value {
            toml::Value::Table(inner) => {
                flatten(&name, inner, origin, found)?;
                continue;
            }
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            toml::Value::Datetime(_) | toml::Value::Array(_) => {
                return Err(ConfigError::Kind { name, origin: origin.clone() });
            }
        };
        found.push((name, text, origin.clone()));
    }
    Ok(())
}

fn from_environment(environment: &[(String, String)]) -> Result<Found, ConfigError> {
    let mut found = Vec::new();
    for (variable, value) in environment {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let origin = Origin::Environment(variable.clone());
        let name = rest.to_lowercase().replacen("__", ".", 1);
        // Secrets may stand in a file, so that they appear in no process listing.
        let secret = name
            .strip_suffix("_file")
            .and_then(|name| KEYS.iter().find(|key| key.is_secret && key.name == name));
        match secret {
            Some(key) => {
                let text = std::fs::read_to_string(value).map_err(|cause| ConfigError::Secret {
                    name: key.name,
                    path: value.clone(),
                    cause,
                })?;
                found.push((key.name.to_owned(), text.trim().to_owned(), origin));
            }
            None => found.push((name, value.clone(), origin)),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> (tempfile::TempDir, Sources) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tessera.toml");
        std::fs::write(&path, text).unwrap();
        (directory, Sources { file: Some(path), ..Sources::default() })
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let (_directory, mut sources) = with_file("[engine]\nlisten = \"file:1\"\nworkers = 3\nnode = 7\n");
        sources.environment = vec![
            ("TESSERA_ENGINE__LISTEN".into(), "env:1".into()),
            ("TESSERA_ENGINE__WORKERS".into(), "4".into()),
            ("HOME".into(), "/".into()),
        ];
        sources.flags = vec![("engine.listen".into(), "flag:1".into(), "--listen".into())];
        let resolved = resolve(&sources).unwrap();
        assert_eq!(resolved.get("engine.listen"), "flag:1");
        assert_eq!(resolved.get("engine.workers"), "4");
        assert_eq!(resolved.get("engine.node"), "7");
        assert_eq!(resolved.get("admin.listen"), "127.0.0.1:9090");
        assert_eq!(resolved.origin("engine.workers").to_string(), "environment TESSERA_ENGINE__WORKERS");
    }

    #[test]
    fn unknown_keys_are_errors_with_a_suggestion() {
        let (_directory, sources) = with_file("[engine]\nlistne = \"x\"\n");
        let message = resolve(&sources).unwrap_err().to_string();
        assert!(message.contains("`engine.listne`") && message.contains("`engine.listen`"), "{message}");
        let sources = Sources {
            environment: vec![("TESSERA_JOURNAL__FSYNK".into(), "x".into())],
            ..Sources::default()
        };
        let message = resolve(&sources).unwrap_err().to_string();
        assert!(
            message.contains("TESSERA_JOURNAL__FSYNK") && message.contains("`journal.fsync`"),
            "{message}"
        );
    }

    #[test]
    fn secrets_are_masked_and_may_come_from_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "s3cret\n").unwrap();
        let variable = ("TESSERA_CONTROL__API_KEY_FILE".to_owned(), path.display().to_string());
        let resolved = resolve(&Sources { environment: vec![variable], ..Sources::default() }).unwrap();
        assert_eq!(resolved.get("control.api_key"), "s3cret");
        assert!(!resolved.show().contains("s3cret"));
    }

    #[test]
    fn every_key_is_shown_with_its_origin() {
        let shown = resolve(&Sources::default()).unwrap().show();
        for key in KEYS {
            assert!(shown.contains(key.name), "{}", key.name);
        }
        assert_eq!(shown.lines().count(), KEYS.len());
    }
}
