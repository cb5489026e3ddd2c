//! Load and truth: the simulated world in which Tessera is judged.
//!
//! [`environment`] is the reference environment of the learning measurements; [`population`] is the demo's audience, and
//! [`drive`] sends that audience to a running engine over HTTP. [`bare`] is a server that decides nothing, as a yardstick.
//! [`simulate`] lets [`policies`] play the environment, and [`plot`] draws what they reach.
//!
//! Guarantees: everything is a function of a seed, so that any run can be repeated.
//!
//! Not here: the open-loop load generator (a later change) and the models under test (`tessera-analytics`).

pub mod bare;
mod client;
pub mod drive;
pub mod environment;
pub mod plot;
pub mod policies;
pub mod population;
pub mod random;
pub mod simulate;
mod visit;
