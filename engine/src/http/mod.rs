//! The data port's HTTP: the only place that knows status codes.
//!
//! ```text
//! router --> decide (request -> enrichment -> admit -> decide -> answer)
//!        \-> touch  (signed tokens -> journal)
//!        \-> events (behaviour batches -> journal)
//! ```

mod ad_urls;
pub(crate) mod admin;
mod answer;
pub(crate) mod behaviour;
mod body;
mod contents;
pub(crate) mod context;
mod cors;
mod counted;
pub(crate) mod decide;
mod decided;
mod decisions;
pub(crate) mod erase;
pub(crate) mod events;
mod explanation;
mod filter;
mod google_consent;
mod json;
mod late;
mod notes;
pub(crate) mod openrtb;
mod preview;
pub(crate) mod problem;
mod remembered;
pub(crate) mod request;
pub(crate) mod router;
mod segment;
#[cfg(test)]
mod testing;
pub(crate) mod touch;
mod urls;
mod values;
mod what_if;
