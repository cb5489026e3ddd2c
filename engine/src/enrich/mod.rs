//! Enrichment: what the engine derives by itself from address, user agent, language header and clock.
//!
//! Every function here is total: what cannot be known is absent, never an error and never a guess from a proxy. Only a
//! truncated address reaches the geo database, and nothing here keeps an address or a user agent.
//!
//! Cost per request: no allocation; below a microsecond for address, geo and device together. Loading a database
//! and rebuilding the clock table happen off the request path.
//! Not here: which of these signals a rule may read (`tessera-engine-core::consent`).

pub mod client_addr;
mod country_zone;
pub mod device;
pub mod device_cache;
pub mod geo;
pub mod geo_cell;
pub mod language;
pub mod limits;
pub mod local_time;
pub mod weather;
pub mod zone_cell;

/// The longest prefix of at most `bytes_max` bytes that ends on a character.
pub(crate) fn prefix(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
