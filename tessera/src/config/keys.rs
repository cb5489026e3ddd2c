//! Every setting there is: name, default, flag and meaning. The one list that files, environment, flags, `config show`
//! and documentation agree on.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// `section.key`.
    pub name: &'static str,
    /// Value when nothing else is said.
    pub default: &'static str,
    /// Its own flag, if it has one; every key can be set with `--set section.key=value`.
    pub flag: Option<&'static str>,
    /// Is it never shown?
    pub is_secret: bool,
    /// What it does.
    pub meaning: &'static str,
}

const fn key(
    name: &'static str,
    default: &'static str,
    flag: Option<&'static str>,
    meaning: &'static str,
) -> Key {
    Key { name, default, flag, is_secret: false, meaning }
}

/// All settings, by section.
pub(crate) const KEYS: [Key; 37] = [
    key(
        "paths.data_dir",
        "./tessera-data",
        Some("--data-dir"),
        "directory of bundles, journal, store and keys",
    ),
    key(
        "engine.listen",
        "127.0.0.1:8080",
        Some("--listen"),
        "address of the data port (decisions and events)",
    ),
    key(
        "engine.public_url",
        "",
        None,
        "what URLs in answers start with; empty: http:// and the listen address",
    ),
    key("engine.workers", "0", None, "worker threads; 0: one per core"),
    key("engine.node", "1", None, "number of this engine in merged journals, 0 to 65535"),
    key(
        "engine.bundle",
        "",
        None,
        "bundle file to watch; empty: the one that control publishes in the data directory",
    ),
    key(
        "engine.bundle_keys",
        "",
        None,
        "public keys by one of which a bundle must be signed, separated by commas; empty: unsigned ones are taken too",
    ),
    key(
        "engine.geo_database",
        "",
        Some("--geo"),
        "MaxMind database (GeoLite2, DB-IP, ...); empty: no location",
    ),
    key(
        "engine.bidding_terms",
        "",
        None,
        "file with the terms of OpenRTB bids; empty: bidding.toml in the data directory",
    ),
    key(
        "engine.access",
        "",
        None,
        "file of API keys, see `tessera key`; empty: access.toml in the data directory; no file: no keys are asked for",
    ),
    key(
        "engine.allow_open",
        "false",
        None,
        "listen beyond this machine although there are no API keys: true or false",
    ),
    key(
        "engine.cors_origins",
        "*",
        None,
        "origins whose pages may call the data port, separated by commas; *: all",
    ),
    key("engine.token_ttl", "7d", None, "how long impression and click URLs stay valid"),
    key(
        "engine.trusted_proxies",
        "",
        None,
        "networks whose client address header is believed, separated by commas",
    ),
    key(
        "engine.client_address_header",
        "x-forwarded-for",
        None,
        "x-forwarded-for, forwarded, or one single-value header",
    ),
    key(
        "engine.explain_memory",
        "64MB",
        None,
        "memory for recent decisions that can be explained by their id; 0MB: none are kept",
    ),
    key(
        "engine.visitor_memory",
        "256MB",
        None,
        "memory for what is remembered of visitors, such as 512MB or 4GB",
    ),
    key(
        "engine.budget_share",
        "100%",
        None,
        "part of every budget that this engine may spend; the shares of all engines add up to 100%",
    ),
    key("admin.listen", "127.0.0.1:9090", Some("--admin-listen"), "address of health and metrics"),
    key(
        "journal.fsync",
        "100ms",
        None,
        "when events are forced to the disk: always, off, or an interval such as 10ms",
    ),
    key(
        "journal.bytes_max",
        "64GB",
        None,
        "what the journal may take, such as 512MB or 64GB; when it is full, new events are refused and counted",
    ),
    key(
        "journal.keep",
        "24h",
        None,
        "how long events are kept in the journal after they are stored, to rebuild a store with `tessera replay`",
    ),
    key("consent.default_regime", "gdpr", None, "regime when the country is unknown: gdpr or none"),
    key("consent.gpc_scope", "global", None, "where Global Privacy Control is honoured: global or us"),
    key("consent.honor_dnt", "true", None, "treat DNT: 1 like Global Privacy Control"),
    key(
        "control.listen",
        "127.0.0.1:8081",
        Some("--control-listen"),
        "address of the control API and console",
    ),
    key("control.source", "", Some("--source"), "bundle source directory to publish at start; empty: none"),
    Key {
        name: "control.api_key",
        default: "",
        flag: None,
        is_secret: true,
        meaning: "key that the control API asks for; empty: none, loopback only",
    },
    Key {
        name: "control.signing_key",
        default: "",
        flag: None,
        is_secret: true,
        meaning: "secret key that signs published and built bundles, see `tessera keygen`; empty: they are not signed",
    },
    key("analytics.publish_interval", "500ms", None, "least time between two posterior tables"),
    key("analytics.attribution_window", "7d", None, "how long after serving a touch still counts"),
    key(
        "analytics.half_life",
        "",
        None,
        "time in which learned statistics lose half their weight; empty: never",
    ),
    key("analytics.part_interval", "5m", None, "how long facts wait at most before they become a file"),
    key("analytics.facts_days", "90", None, "days after which facts are deleted; 0 keeps them"),
    key("analytics.rollups_days", "730", None, "days after which sums are deleted; 0 keeps them"),
    key(
        "analytics.journals",
        "",
        None,
        "journal directories of other engines to read too, separated by commas; each engine has its own engine.node",
    ),
    key("log.level", "info", Some("--log-level"), "error, warn, info, debug or trace"),
];
