//! The separate writer: turns the engine's journal into facts, posteriors and reports.
//!
//! ```text
//! journal segments ─▶ sources ─▶ fold (join, dedup) ─▶ store (SQLite, Parquet) ─▶ report
//!                                                └──▶ learner ─▶ posteriors.tspt ─▶ engine
//! ```
//!
//! Guarantees: every journal record takes effect exactly once, whatever crashes in between, because rollups, facts
//! and the journals' positions are committed in one transaction; what does not take effect is counted with its reason. The journal
//! is never modified. Time comes in as a value or through an injected clock.
//!
//! Not here: writing the journal (engine), deciding (engine), and serving reports (control).

pub mod fold;
pub mod journal_reader;
pub mod learner;
pub mod limits;
pub mod names;
pub mod report;
pub mod sources;
pub mod stats;
pub mod store;
pub mod writer;
