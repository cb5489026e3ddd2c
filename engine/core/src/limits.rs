//! Named limits of a decision: unit in the name, reason beside it.

/// Placements of one request. A page with more should ask twice; scratch space is sized by it.
pub const PLACEMENTS_PER_REQUEST_MAX: usize = 50;
/// Ads per placement.
pub const ADS_PER_PLACEMENT_MAX: usize = 20;
/// Ads of one decision; placements beyond it stay empty with a reason. Scratch space is sized by it.
pub const ADS_PER_DECISION_MAX: usize = 100;
/// Entries of a worker's memo of best combinations; one takes 192 bytes. A power of two.
pub const MEMO_ENTRIES: usize = 1_024;
/// Combinations up to which the best one is found by looking at all; above, by coordinate ascent, which is faster from
/// here on.
pub const EXHAUSTIVE_COMBINATIONS_MAX: usize = 2_048;
/// Combinations of a template that excludes pairs of assets: ascent could get stuck among excluded ones, so all are
/// looked at.
pub const EXCLUDING_COMBINATIONS_MAX: usize = 16_384;
/// Pairs of assets that one template may exclude.
pub const EXCLUSIONS_PER_TEMPLATE_MAX: usize = 4_096;
/// Candidates that are ranked against each other at once; what rules of the same priority show beyond it comes after.
pub const RANKED_CANDIDATES_MAX: usize = 256;
/// Pins of the rules reached in one placement; later ones are ignored.
pub const PINS_PER_PLACEMENT_MAX: usize = 64;
/// Tags and arms of splits reported with one decision; later ones are ignored.
pub const NOTES_PER_DECISION_MAX: usize = 256;
/// Arms of one bandit, all rules that name it taken together.
pub const ARMS_PER_BANDIT_MAX: usize = 256;
/// Arms of all choices in all rules.
pub const ARMS_IN_ALL_MAX: usize = 1 << 22;
/// Share of a bandit's choices made uniformly at random, in parts per million: the share of a template that says none.
pub const BANDIT_EXPLORATION_PPM: u32 = 10_000;
/// Assets of one template; scoring buffers are sized by it.
pub const ASSETS_PER_TEMPLATE_MAX: usize = 1_024;
/// Bytes of one template source; a page fragment that is larger belongs behind an address.
pub const TEMPLATE_BYTES_MAX: usize = 64 << 10;
/// Contents of one template.
pub const CONTENTS_PER_TEMPLATE_MAX: usize = 8;
/// Macros in one template source.
pub const MACROS_PER_CONTENT_MAX: usize = 256;
/// Bytes that one rendered content can come to, whatever the values are; answers are made of them.
pub const RENDERED_BYTES_MAX: usize = 512 << 10;
/// Elements or brackets open at once in a template.
pub const TEMPLATE_DEPTH_MAX: usize = 64;
/// Bytes of one value that came with a request; a longer one counts as missing.
pub const VALUE_BYTES_MAX: usize = 1_024;
/// Bytes of a consent string in a template; longer ones exist only by mistake.
pub const CONSENT_BYTES_MAX: usize = 4_096;
/// Bytes of an address that the engine signs: its token and where it starts.
pub const URL_BYTES_MAX: usize = 5_120;
