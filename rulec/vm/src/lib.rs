//! The rule virtual machine: programs that are proven harmless, frames of signals, and evaluation.
//!
//! Guarantees:
//! * [`VerifiedProgram::verify`] is the only constructor of a runnable program. It checks every index, so evaluation cannot
//!   fail, and proves how many steps an evaluation takes at most.
//! * A rule is true exactly when its condition is true in Kleene's strong three-valued logic; an unknown signal has no
//!   value to read, so nothing behind it can change a result.
//! * [`evaluate`] and the setters of [`Frame`] allocate nothing once their buffers fit the program.
//!
//! * [`evaluate`] looks rules up in an index that is built on load; [`evaluate_by_code`] runs every condition and says
//!   the same. What is known of the traffic ([`Statistics`]) changes the speed of the former only.
//!
//! Cost: `benches/record/rules.md`. A request pays for its own values and the rules that they lead to, not for all rules.
//!
//! Not here: where signals come from and whether they may be used (`tessera-engine-core::consent`), how programs are made
//! (`rulec`), and what is done with matching rules (`tessera-engine-core`).

pub mod columnar;
mod dictionary;
mod eval;
mod frame;
mod index;
pub mod limits;
mod statistics;
mod trace;
mod verify;

pub use eval::{Scratch, TrueRules, Truth, evaluate, evaluate_by_code};
pub use frame::{Frame, canonical};
pub use statistics::{AttributeStatistics, Statistics, StatisticsBuilder};
pub use trace::{literal_truth, literals_of, nearest_match};
pub use verify::{CatalogBounds, IndexSize, Part, VerifiedProgram, VerifyError, work_of};
