//! From resolved text to typed values: after this, nothing can be missing or malformed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tessera_analytics::store::Retention;
use tessera_engine::EngineSettings;
use tessera_engine::enrich::client_addr::{ClientAddrPolicy, HeaderChoice};
use tessera_engine::journal::Sync;
use tessera_engine::limits::ORIGINS_MAX;
use tessera_engine::{Files, Origins};
use tessera_engine_core::consent::{DefaultRegime, GpcScope, Policy};
use tessera_wire::signature::{BundleSigner, BundleVerifier};

use super::ConfigError;
use super::resolve::Resolved;
use super::value::{bytes, days, duration, number, share_ppm};

/// Kill switches, in the data directory.
const SWITCHES_FILE: &str = "switches.json";
/// The weather by place, in the data directory.
const WEATHER_FILE: &str = "weather.json";
/// Public keys of bundles: one, and another while keys change.
const BUNDLE_KEYS_MAX: usize = 16;

/// Everything that can be configured.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Directory of bundles, journal, store and keys.
    pub data_dir: PathBuf,
    /// The data plane.
    pub engine: EngineConfig,
    /// The control plane.
    pub control: ControlConfig,
    /// Least time between two posterior tables.
    pub publish_interval: Duration,
    /// How long after serving a touch still counts.
    pub attribution_window: Duration,
    /// Time in which learned statistics lose half their weight.
    pub half_life: Option<Duration>,
    /// How long facts wait at most before they become a file.
    pub part_interval: Duration,
    /// How long facts and sums are kept.
    pub retention: Retention,
    /// Journals of other engines.
    pub other_journals: Vec<PathBuf>,
    /// Most detailed level that is logged.
    pub log_level: tracing::Level,
}

/// The data plane's part.
#[derive(Debug, Clone)]
pub(crate) struct EngineConfig {
    /// Everything the engine takes.
    pub settings: EngineSettings,
    /// May it listen beyond this machine without API keys?
    pub may_be_open: bool,
}

impl EngineConfig {
    /// Refuses to let anybody on the network in. Looked at when an engine starts, because keys may be made in between.
    ///
    /// # Errors
    /// [`ConfigError::OpenEngine`] when others can reach the data port and there are no keys.
    pub(crate) fn check_open(&self) -> Result<(), ConfigError> {
        let address = self.settings.listen;
        let access = &self.settings.files.access;
        if self.may_be_open || address.ip().is_loopback() || access.exists() {
            return Ok(());
        }
        Err(ConfigError::OpenEngine { address, access: access.display().to_string() })
    }
}

/// The control plane's part.
#[derive(Debug, Clone)]
pub(crate) struct ControlConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Source directory to publish at start.
    pub source: Option<PathBuf>,
    /// Signs what is published.
    pub signer: Option<BundleSigner>,
    /// Key that requests must bring.
    pub api_key: Option<String>,
}

impl Config {
    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError`] names the first bad value, where it stands and what a right one looks like.
    pub(crate) fn check(resolved: &Resolved) -> Result<Config, ConfigError> {
        let data_dir = PathBuf::from(resolved.get("paths.data_dir"));
        let control = ControlConfig {
            listen: read(resolved, "control.listen", address)?,
            source: optional(resolved, "control.source").map(PathBuf::from),
            signer: match optional(resolved, "control.signing_key") {
                Some(_) => Some(read_secret(resolved, "control.signing_key", signing_key)?),
                None => None,
            },
            api_key: optional(resolved, "control.api_key").map(str::to_owned),
        };
        if !control.listen.ip().is_loopback() && control.api_key.is_none() {
            return Err(ConfigError::OpenControl { address: control.listen });
        }
        let settings = engine(resolved, &data_dir)?;
        let may_be_open = read(resolved, "engine.allow_open", truth)?;
        Ok(Config {
            engine: EngineConfig { settings, may_be_open },
            data_dir,
            control,
            publish_interval: read(resolved, "analytics.publish_interval", duration)?,
            attribution_window: read(resolved, "analytics.attribution_window", duration)?,
            half_life: match optional(resolved, "analytics.half_life") {
                Some(_) => Some(read(resolved, "analytics.half_life", duration)?),
                None => None,
            },
            part_interval: read(resolved, "analytics.part_interval", duration)?,
            retention: Retention {
                facts_ms: read(resolved, "analytics.facts_days", days)?,
                rollups_ms: read(resolved, "analytics.rollups_days", days)?,
            },
            other_journals: resolved
                .get("analytics.journals")
                .split(',')
                .map(str::trim)
                .filter(|directory| !directory.is_empty())
                .map(PathBuf::from)
                .collect(),
            log_level: read(resolved, "log.level", |text| {
                text.parse().map_err(|_| "write error, warn, info, debug or trace")
            })?,
        })
    }

    /// Directory of the event journal.
    pub(crate) fn journal_dir(&self) -> PathBuf {
        self.data_dir.join("journal")
    }

    /// Directory of published bundles.
    pub(crate) fn bundle_dir(&self) -> PathBuf {
        self.data_dir.join("bundles")
    }

    /// The analytics store.
    pub(crate) fn store_path(&self) -> PathBuf {
        self.data_dir.join("analytics.sqlite")
    }

    /// The kill switches.
    pub(crate) fn switches_path(&self) -> PathBuf {
        self.data_dir.join(SWITCHES_FILE)
    }

    /// The weather by place.
    pub(crate) fn weather_path(&self) -> PathBuf {
        self.data_dir.join(WEATHER_FILE)
    }

    /// The posterior table.
    pub(crate) fn posterior_path(&self) -> PathBuf {
        self.data_dir.join("posteriors.tspt")
    }
}

fn engine(resolved: &Resolved, data_dir: &std::path::Path) -> Result<EngineSettings, ConfigError> {
    let listen = read(resolved, "engine.listen", address)?;
    let workers = read(resolved, "engine.workers", number::<u16>)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let ttl = read(resolved, "engine.token_ttl", duration)?;
    let bundle = optional(resolved, "engine.bundle").map(PathBuf::from);
    let bundle =
        bundle.unwrap_or_else(|| data_dir.join("bundles").join(tessera_control::publisher::ACTIVE_FILE));
    Ok(EngineSettings {
        listen,
        admin_listen: read(resolved, "admin.listen", address)?,
        public_url: match optional(resolved, "engine.public_url") {
            Some(_) => read(resolved, "engine.public_url", public_url)?,
            None => format!("http://{listen}"),
        },
        workers: if workers == 0 { cores } else { usize::from(workers) },
        files: Files {
            bundle,
            posteriors: data_dir.join("posteriors.tspt"),
            geo: optional(resolved, "engine.geo_database").map(PathBuf::from),
            switches: data_dir.join(SWITCHES_FILE),
            weather: data_dir.join(WEATHER_FILE),
            bidding: optional(resolved, "engine.bidding_terms")
                .map_or_else(|| data_dir.join("bidding.toml"), PathBuf::from),
            access: optional(resolved, "engine.access")
                .map_or_else(|| data_dir.join("access.toml"), PathBuf::from),
        },
        bundle_keys: read(resolved, "engine.bundle_keys", bundle_keys)?,
        origins: read(resolved, "engine.cors_origins", origins)?,
        journal_directory: data_dir.join("journal"),
        budget_directory: data_dir.join("budgets"),
        budget_share_ppm: read(resolved, "engine.budget_share", share_ppm)?,
        visitor_directory: data_dir.join("visitors"),
        journal_sync: read(resolved, "journal.fsync", sync)?,
        journal_bytes_max: read(resolved, "journal.bytes_max", bytes)? as u64,
        journal_keep: read(resolved, "journal.keep", duration)?,
        node: read(resolved, "engine.node", number::<u16>)?,
        key_directory: data_dir.join("keys"),
        visitor_bytes_max: read(resolved, "engine.visitor_memory", bytes)?,
        explain_bytes_max: read(resolved, "engine.explain_memory", bytes)?,
        token_ttl_secs: u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX),
        client_addresses: ClientAddrPolicy {
            trusted: read(resolved, "engine.trusted_proxies", networks)?,
            header: read(resolved, "engine.client_address_header", header)?,
        },
        consent: Policy {
            default_regime: read(resolved, "consent.default_regime", |text| match text {
                "gdpr" => Ok(DefaultRegime::Gdpr),
                "none" => Ok(DefaultRegime::None),
                _ => Err("write gdpr or none"),
            })?,
            gpc_scope: read(resolved, "consent.gpc_scope", |text| match text {
                "global" => Ok(GpcScope::Global),
                "us" => Ok(GpcScope::Us),
                _ => Err("write global or us"),
            })?,
            honor_dnt: read(resolved, "consent.honor_dnt", truth)?,
            ..Policy::default()
        },
    })
}

fn optional<'r>(resolved: &'r Resolved, name: &str) -> Option<&'r str> {
    Some(resolved.get(name)).filter(|value| !value.is_empty())
}

/// Reads one value, or says where it stands and how to write it.
fn read<T>(
    resolved: &Resolved,
    name: &'static str,
    read: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Result<T, ConfigError> {
    let value = resolved.get(name);
    read(value).map_err(|help| ConfigError::Value {
        name,
        value: value.to_owned(),
        origin: resolved.origin(name),
        help,
    })
}

/// Like [`read`], without repeating the value in the error.
fn read_secret<T>(
    resolved: &Resolved,
    name: &'static str,
    read: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Result<T, ConfigError> {
    read(resolved.get(name)).map_err(|help| ConfigError::Value {
        name,
        value: "********".to_owned(),
        origin: resolved.origin(name),
        help,
    })
}

/// 32 bytes as hexadecimal digits.
fn key_bytes(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let is_hex = text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| {
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).unwrap_or(0);
        }
        bytes
    })
}

fn signing_key(text: &str) -> Result<BundleSigner, &'static str> {
    key_bytes(text.trim())
        .map(BundleSigner::new)
        .ok_or("write the 64 hexadecimal digits that `tessera keygen` made")
}

fn bundle_keys(text: &str) -> Result<Vec<BundleVerifier>, &'static str> {
    const HELP: &str = "write public keys that `tessera keygen` printed, separated by commas";
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let keys: Vec<BundleVerifier> = parts
        .map(|part| key_bytes(part).and_then(|bytes| BundleVerifier::new(bytes).ok()).ok_or(HELP))
        .collect::<Result<_, _>>()?;
    if keys.len() > BUNDLE_KEYS_MAX {
        Err("a few keys are enough: the old and the new one")
    } else {
        Ok(keys)
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an address with its port, such as 127.0.0.1:8080 or [::1]:8080")
}

/// What URLs in answers start with. Answers write it as it is, so it may hold nothing that JSON would escape.
fn public_url(text: &str) -> Result<String, &'static str> {
    const HELP: &str = "write an address such as https://ads.example.com, without spaces or quotes";
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(HELP)?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\<>^`{|}?#".contains(&byte));
    if is_plain && !host.is_empty() { Ok(text.trim_end_matches('/').to_owned()) } else { Err(HELP) }
}

fn truth(text: &str) -> Result<bool, &'static str> {
    text.parse().map_err(|_| "write true or false")
}

/// Origins as browsers write them: no path, no trailing slash.
fn origins(text: &str) -> Result<Origins, &'static str> {
    const HELP: &str =
        "write *, or origins such as https://shop.example, separated by commas, without a path";
    if text.trim() == "*" {
        return Ok(Origins::Any);
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let origin = |part: &str| {
        let host = part.strip_prefix("https://").or_else(|| part.strip_prefix("http://")).ok_or(HELP)?;
        let is_plain = !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ']);
        if is_plain { Ok(part.to_ascii_lowercase()) } else { Err(HELP) }
    };
    let listed: Vec<String> = parts.map(origin).collect::<Result<_, _>>()?;
    if listed.len() > ORIGINS_MAX { Err("there are too many origins") } else { Ok(Origins::Listed(listed)) }
}

fn sync(text: &str) -> Result<Sync, &'static str> {
    match text {
        "always" => Ok(Sync::Always),
        "off" => Ok(Sync::Off),
        _ => duration(text)
            .map(Sync::Every)
            .map_err(|_| "write always, off, or an interval such as 10ms or 100ms"),
    }
}

fn networks(text: &str) -> Result<Vec<tessera_engine::enrich::client_addr::Network>, &'static str> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|_| "write networks such as 10.0.0.0/8, 2001:db8::/32")).collect()
}

fn header(text: &str) -> Result<HeaderChoice, &'static str> {
    match text {
        "x-forwarded-for" => Ok(HeaderChoice::XForwardedFor),
        "forwarded" => Ok(HeaderChoice::Forwarded),
        name if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') => {
            Ok(HeaderChoice::Single(name.into()))
        }
        _ => Err("write x-forwarded-for, forwarded, or a header name in lower case"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, resolve};

    fn checked(flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let flags = flags
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into(), format!("--set {key}")))
            .collect();
        Config::check(&resolve(&Sources { flags, ..Sources::default() }).unwrap())
    }

    #[test]
    fn the_defaults_are_valid() {
        let config = checked(&[]).unwrap();
        assert_eq!(config.engine.settings.public_url, "http://127.0.0.1:8080");
        assert!(config.engine.settings.workers >= 1);
    }

    #[test]
    fn bad_values_name_key_origin_and_remedy() {
        let message = checked(&[("engine.listen", "8080")]).unwrap_err().to_string();
        assert!(
            message.contains("engine.listen")
                && message.contains("--set")
                && message.contains("127.0.0.1:8080")
        );
        assert!(checked(&[("journal.fsync", "sometimes")]).is_err());
        for url in
            ["ads.example", "https://", "https://a\"b", "https://a b", "javascript:alert(1)", "https://a/?x"]
        {
            assert!(checked(&[("engine.public_url", url)]).is_err(), "{url}");
        }
        let config = checked(&[("engine.public_url", "https://ads.example/t/")]).unwrap();
        assert_eq!(config.engine.settings.public_url, "https://ads.example/t");
        assert!(checked(&[("engine.trusted_proxies", "10.0.0.0/33")]).is_err());
        for (share, ppm) in [("100%", Ok(1_000_000)), ("33.3%", Ok(333_000)), ("0.0001%", Ok(1))] {
            assert_eq!(share_ppm(share), ppm);
        }
        for share in ["0%", "101%", "-1%", "50", "%", "1.23456%", "99999999999%"] {
            assert!(share_ppm(share).is_err(), "{share}");
        }
    }

    #[test]
    fn an_open_data_port_needs_keys_or_a_word() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.toml");
        let path = path.to_str().unwrap();
        let open = [("engine.listen", "0.0.0.0:8080"), ("engine.access", path)];
        let refused = checked(&open).unwrap().engine.check_open().unwrap_err().to_string();
        assert!(refused.contains("tessera key new") && refused.contains("engine.allow_open"), "{refused}");
        let allowed = [open[0], open[1], ("engine.allow_open", "true")];
        assert!(checked(&allowed).unwrap().engine.check_open().is_ok());
        std::fs::write(path, "").unwrap();
        assert!(checked(&open).unwrap().engine.check_open().is_ok());
        assert!(checked(&[]).unwrap().engine.check_open().is_ok());
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        assert_eq!(origins("*"), Ok(Origins::Any));
        let listed = vec!["https://shop.example".to_owned(), "http://localhost:3000".to_owned()];
        assert_eq!(origins("https://Shop.example, http://localhost:3000"), Ok(Origins::Listed(listed)));
        assert_eq!(origins(""), Ok(Origins::Listed(Vec::new())));
        for bad in ["shop.example", "https://shop.example/", "https://*.shop.example", "https://"] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_open_control_port_needs_a_key() {
        assert!(matches!(
            checked(&[("control.listen", "0.0.0.0:8081")]),
            Err(ConfigError::OpenControl { .. })
        ));
        assert!(checked(&[("control.listen", "0.0.0.0:8081"), ("control.api_key", "k")]).is_ok());
    }
}
