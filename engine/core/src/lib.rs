//! The decision: admitted signals and a snapshot in, a decision out.
//!
//! Pure: no I/O, clock, global randomness, locks, logs or async. Time, seed, place and posteriors come in as values; what
//! should happen afterwards goes out as values. The same inputs give the same decision on any machine, which is what
//! replay, explain, preview and simulation are built on.
//!
//! ```text
//! RawSignals + consent::Outcome --admit--> Admitted --decide(snapshot, now, seed)--> Decision
//! ```
//!
//! [`decide`](decide::decide) is total and neither allocates nor frees after warm-up: everything it needs lives in a
//! caller-owned [`Scratch`](scratch::Scratch).

pub mod admit;
pub mod budget;
pub mod bundle;
mod compose;
mod conflict;
pub mod consent;
pub mod decide;
mod eligibility;
pub mod experiment;
pub mod explain;
pub mod hash;
pub mod inputs;
pub mod limits;
pub mod locale;
pub mod model;
pub mod offer;
pub mod pacing;
mod place;
mod rank;
pub mod render;
pub mod scratch;
mod select;
mod select_arm;
pub mod signals;
pub mod snapshot;
pub mod standing;
pub mod switches;
