//! Named limits of a decision: unit in the name, reason beside it.

/// Placements of one request. A page with more should ask twice; scratch space is sized by it.
pub const PLACEMENTS_PER_REQUEST_MAX: usize = 50;
/// Ads per placement.
pub const ADS_PER_PLACEMENT_MAX: usize = 20;
/// Ads of one decision; placements beyond it stay empty with a reason. Scratch space is sized by it.
pub const ADS_PER_DECISION_MAX: usize = 100;
/// Entries of a worker's memo of best combinations; one takes 176 bytes. A power of two.
pub const MEMO_ENTRIES: usize = 1_024;
/// Combinations up to which the best one is found by looking at all; above, by coordinate ascent.
pub const EXHAUSTIVE_COMBINATIONS_MAX: usize = 512;
/// Assets of one template; scoring buffers are sized by it.
pub const ASSETS_PER_TEMPLATE_MAX: usize = 1_024;
