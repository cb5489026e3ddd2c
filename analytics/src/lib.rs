//! The separate writer: turns the engine's journal into facts, posteriors and reports.
//!
//! ```text
//! journal segments ─▶ journal_reader ─▶ fold (join, dedup) ─▶ store (SQLite) ─▶ report
//!                                                        └──▶ learner ─▶ posteriors.bin ─▶ engine
//! ```
//!
//! Guarantees: every journal record takes effect exactly once, whatever crashes in between, because rollups and the
//! journal position are committed in one transaction; what does not take effect is counted with its reason. The journal
//! is never modified. Time comes in as a value or through an injected clock.
//!
//! Not here: writing the journal (engine), deciding (engine), and serving reports (control).

pub mod fold;
pub mod journal_reader;
pub mod learner;
pub mod limits;
pub mod names;
pub mod report;
pub mod stats;
pub mod store;
pub mod writer;
