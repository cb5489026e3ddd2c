//! The data plane: takes requests, decides in memory, answers, and writes events down.
//!
//! Worker threads each run their own listener and runtime on one shared port; everything they share is read-only behind
//! one pointer ([`snapshot_cell`]) or atomic. The engine needs no control plane, no analytics and no disk to keep deciding:
//! it watches a directory for new bundles, posteriors and location databases and takes what verifies.
//!
//! Not here: rules and selection (`tessera-engine-core`), compiling (`rulec`), reading the journal (`tessera-analytics`).

pub mod access;
mod admission;
mod bidding;
pub mod budget;
mod connections;
pub mod counters;
mod decision_log;
pub mod enrich;
mod http;
pub mod journal;
pub mod keys;
pub mod limits;
mod linger;
mod process;
mod server;
mod settings;
pub mod snapshot_cell;
mod start_error;
pub mod user_store;
mod watch;

pub use server::Engine;
pub use settings::{EngineSettings, Files, Origins};
pub use start_error::StartError;
