//! The control plane: turns what people decide into bundles, and shows what came of it.
//!
//! A bundle source directory ([`source`]) is compiled and published ([`publisher`]) as one immutable file; engines take it
//! from there. The control plane never calls into an engine. Its API and console ([`server`]) answer from the published
//! bundle and the analytics store.
//!
//! Not here: deciding (`tessera-engine`), the rule language (`rulec`), statistics (`tessera-analytics`).

pub mod limits;
pub mod publisher;
pub mod server;
pub mod source;
