//! The control API and console: one small HTTP server on a thread of its own.
//!
//! | method and path | what it does |
//! | --- | --- |
//! | `GET /` | the console |
//! | `GET /v1/status` | live generation, analytics totals |
//! | `GET /v1/bundles` | published generations |
//! | `POST /v1/publish` | compile the source directory and make it live |
//! | `POST /v1/bundles/{generation}/activate` | roll back to a generation's content |
//! | `GET /v1/switches` | what kill switches hold back |
//! | `PUT /v1/switches` | hold exactly this back, from now on |
//! | `GET /v1/signals/weather` | the weather that engines know |
//! | `PUT /v1/signals/weather` | exactly this is the weather, from now on |
//! | `GET /v1/reports/lift?campaign=` | personalized against holdout, by segment |
//! | `GET /v1/reports/combinations?campaign=&top=` | best combinations by segment |
//!
//! Errors are RFC 9457 problem documents; a source that does not compile answers 422 with every problem's place. With an
//! API key configured, everything but the console page and health asks for `Authorization: Bearer <key>`. Changes ask
//! for `Content-Type: application/json`, which a foreign web page cannot send without permission that is never given.

mod api;
mod listen;
mod switches;
mod weather;

use std::net::SocketAddr;
use std::path::PathBuf;

use tessera_wire::signature::BundleSigner;

pub use listen::{Server, ServerError};

/// What the server needs to know.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The directory of published bundles.
    pub bundle_directory: PathBuf,
    /// The directory that `POST /v1/publish` compiles.
    pub source_directory: Option<PathBuf>,
    /// The analytics store that reports are read from.
    pub store_path: PathBuf,
    /// The file of kill switches, which engines watch.
    pub switches_path: PathBuf,
    /// The file of the weather by place, which engines watch.
    pub weather_path: PathBuf,
    /// Signs what is published.
    pub signer: Option<BundleSigner>,
    /// Key that requests must bring.
    pub api_key: Option<String>,
}
