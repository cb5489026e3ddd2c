//! What an engine is told when it starts: checked values, no options left open.

use std::net::SocketAddr;
use std::path::PathBuf;

use tessera_engine_core::consent::Policy;
use tessera_wire::signature::BundleVerifier;

use crate::enrich::client_addr::ClientAddrPolicy;
use crate::journal::Sync;

/// Files that the engine watches and takes over when they verify.
#[derive(Debug, Clone)]
pub struct Files {
    /// The active bundle.
    pub bundle: PathBuf,
    /// The posterior table.
    pub posteriors: PathBuf,
    /// The location database; `None` leaves every country unknown.
    pub geo: Option<PathBuf>,
    /// The terms on which we bid in auctions; without the file there are no bids.
    pub bidding: PathBuf,
    /// API keys; without the file anybody may decide and send events.
    pub access: PathBuf,
    /// Kill switches.
    pub switches: PathBuf,
    /// The weather by place; without the file it is unknown.
    pub weather: PathBuf,
}

/// Whose pages may call the data port from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Anybody's: answers hold nothing that the caller did not send.
    Any,
    /// Pages of these origins, each as browsers write it: `https://shop.example`.
    Listed(Vec<String>),
}

/// Everything an engine needs to know.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Where to listen for decisions and events.
    pub listen: SocketAddr,
    /// Where to listen for health and metrics.
    pub admin_listen: SocketAddr,
    /// What URLs in answers start with, without a trailing slash.
    pub public_url: String,
    /// Number of worker threads.
    pub workers: usize,
    /// Watched files.
    pub files: Files,
    /// Keys by one of which a bundle must be signed; none takes every bundle that verifies.
    pub bundle_keys: Vec<BundleVerifier>,
    /// Directory of the event journal.
    pub journal_directory: PathBuf,
    /// When the journal is forced to the disk.
    pub journal_sync: Sync,
    /// Bytes for recent decisions that can be explained; 0 keeps none.
    pub explain_bytes_max: usize,
    /// Number of this engine in merged journals.
    pub node: u16,
    /// Directory of what is remembered of visitors.
    pub visitor_directory: PathBuf,
    /// Directory of the books of what is spent of budgets.
    pub budget_directory: PathBuf,
    /// This engine's share of every budget, in parts per million.
    pub budget_share_ppm: u32,
    /// Directory of the engine's secrets; made on first use.
    pub key_directory: PathBuf,
    /// How long tokens in answers stay valid, in seconds.
    pub token_ttl_secs: u32,
    /// Whose pages may call the data port.
    pub origins: Origins,
    /// Which proxies may say who the client is.
    pub client_addresses: ClientAddrPolicy,
    /// Bytes that remembering visitors may take.
    pub visitor_bytes_max: usize,
    /// How consent signals are read.
    pub consent: Policy,
}
