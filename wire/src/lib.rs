//! What crosses a process boundary, and nothing else.
//!
//! Every byte that one part of Tessera writes and another reads is described here: the signal vocabulary that rules and
//! engine share, the compiled program, the catalog, the bundle that carries both, the posterior table, the events and the
//! journal they are written to, and the tokens that
//! browsers and testers send back.
//!
//! Guarantees: pure (no I/O, clock, randomness, logging); every decoder bounds what it allocates by a named limit and
//! turns any byte soup into a typed error; a reader of format version `n` keeps reading versions below `n`.
//!
//! Not here: what the formats *mean*. Verification of programs is `tessera-rulevm`'s, decisions are `tessera-engine-core`'s.

pub mod bundle;
pub mod catalog;
pub mod codec;
pub mod event;
pub mod journal;
pub mod limits;
pub mod posterior;
pub mod preview;
pub mod program;
pub mod signal;
pub mod signature;
pub mod switches;
pub mod token;
pub mod weather;
