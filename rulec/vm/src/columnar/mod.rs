//! Evaluating conditions over many rows at once: audience building, previews, estimates.
//!
//! A [`Query`] says which conditions of a verified program are asked for, a [`Batch`] holds up to 65,536 rows as packed
//! columns, and [`Query::evaluate`] turns literals into bitmaps over the rows, each at most once, and branches into
//! bitmap algebra, last branch first, so that what conditions share is computed once and nothing grows exponentially.
//!
//! Guarantees: total and deterministic; a row is in the result exactly when [`crate::evaluate`] finds the condition true
//! on the frame that was pushed, with every signal unknown whose gates were not open for that row; memory is bounded by
//! [`limits`](crate::limits), because a large program makes batches smaller.
//!
//! Cost: well under a nanosecond per literal and row once columns are packed (`benches/record/columnar.md`); packing is a
//! few nanoseconds per value. Not here: where rows come from, threads, and what is done with them.
//!
//! ```
//! # use tessera_rulevm::{CatalogBounds, Frame, VerifiedProgram, columnar::{Batch, Matches, Query}};
//! # use tessera_wire::{program::Program, signal::Gates};
//! # let program = VerifiedProgram::verify(Program::default(), CatalogBounds::default()).unwrap();
//! let query = Query::segments(&program);
//! let (mut batch, mut matches) = (Batch::new(&program, &query), Matches::default());
//! let frame = Frame::new(&program); // filled for each row
//! assert!(batch.push(&frame, Gates::ALL));
//! query.evaluate(&program, &mut batch, 1_700_000_000_000, &mut matches);
//! for segment in 0..query.len() {
//!     println!("{} of {} rows", matches.count(segment), batch.len());
//! }
//! ```

mod batch;
mod integers;
mod kernel;
mod matches;
mod query;
mod sets;
mod texts;

pub use batch::Batch;
pub use matches::Matches;
pub use query::Query;
