//! Why an engine did not start.

use std::net::SocketAddr;

/// The engine did not start; nothing is left running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port is taken or not allowed.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Is it the admin port?
        is_admin: bool,
        /// Why not.
        cause: std::io::Error,
    },
    /// The journal's directory cannot be used.
    #[error("cannot open the event journal in `{directory}`: {cause}")]
    Journal {
        /// The directory.
        directory: std::path::PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The directory of budgets cannot be used.
    #[error("cannot keep budgets in `{directory}`: {cause}")]
    Budgets {
        /// The directory.
        directory: std::path::PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The secrets cannot be read or made.
    #[error("cannot use the keys in `{directory}`: {cause}")]
    Keys {
        /// The directory.
        directory: std::path::PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file of API keys exists but cannot be used: an engine that cannot tell who may ask does not answer.
    #[error(transparent)]
    Access(#[from] crate::access::AccessError),
    /// A thread, runtime or table could not be made.
    #[error("cannot start: {0}")]
    System(std::io::Error),
}
