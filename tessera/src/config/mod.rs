//! Configuration: flag over environment over file over default, each value with its origin.
//!
//! ```text
//! keys (what exists) --resolve--> Resolved (text + origin) --check--> Config (typed, complete)
//! ```
//! Unknown keys are errors with a suggestion, wherever they stand. Nothing below this module reads the environment.

mod check;
mod keys;
mod resolve;
mod value;

pub(crate) use check::Config;
pub(crate) use keys::KEYS;
pub(crate) use resolve::{Origin, Resolved, Sources, resolve};
pub(crate) use value::duration;

/// The configuration cannot be used; nothing has been started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ConfigError {
    /// The file named with `--config` cannot be read.
    #[error("cannot read the configuration file `{path}`: {cause}")]
    Read {
        /// The file.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("`{path}` is not valid TOML: {cause}")]
    Toml {
        /// The file.
        path: String,
        /// Where and why.
        cause: String,
    },
    /// There is no such key.
    #[error("{origin}: there is no setting `{name}`{suggestion}")]
    Unknown {
        /// The name as given.
        name: String,
        /// Where it stands.
        origin: Origin,
        /// The nearest known name, as text to append.
        suggestion: String,
    },
    /// A value is not of a kind that a setting can have.
    #[error("{origin}: `{name}` must be text, a number or true/false")]
    Kind {
        /// The key.
        name: String,
        /// Where it stands.
        origin: Origin,
    },
    /// A value cannot be read.
    #[error("{origin}: `{name} = {value}`: {help}")]
    Value {
        /// The key.
        name: &'static str,
        /// The value; secrets are masked.
        value: String,
        /// Where it stands.
        origin: Origin,
        /// What a right value looks like.
        help: &'static str,
    },
    /// A secret's file cannot be read.
    #[error("cannot read `{path}` for `{name}`: {cause}")]
    Secret {
        /// The key.
        name: &'static str,
        /// The file.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// The control port would be open to others without a key.
    #[error(
        "control.listen = {address} can be reached from other machines, but control.api_key is empty; \
         set a key or listen on 127.0.0.1"
    )]
    OpenControl {
        /// The address.
        address: std::net::SocketAddr,
    },
    /// The data port would be open to others without a key.
    #[error(
        "engine.listen = {address} can be reached from other machines, but there are no API keys (`{access}`); \
         make one with `tessera key new`, listen on 127.0.0.1, or set engine.allow_open = true if a proxy keeps others out"
    )]
    OpenEngine {
        /// The address.
        address: std::net::SocketAddr,
        /// Where keys would stand.
        access: String,
    },
}
