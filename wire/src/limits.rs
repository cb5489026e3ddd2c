//! Named limits of the formats: unit in the name, reason beside it.
//!
//! Decoders check these before they allocate; compilers check them before they emit.

/// Bytes of one bundle file. 100,000 rules with their source text take about 60 MB.
pub const BUNDLE_BYTES_MAX: usize = 512 << 20;
/// Bytes of one posterior table: 64 draws of a few thousand weights for a thousand templates fit.
pub const POSTERIOR_BYTES_MAX: usize = 512 << 20;
/// Attributes of one program; a [`crate::program::SignalId`] is 16 bits and a frame holds a word per 64 of them.
pub const ATTRIBUTES_MAX: usize = 4_096;
/// Slots of one template; a combination is stored as one asset per slot in a fixed array.
pub const SLOTS_PER_TEMPLATE_MAX: usize = 8;
/// Combinations of one template. The argmax memo stores a combination as `u16`.
pub const COMBINATIONS_PER_TEMPLATE_MAX: usize = 65_536;
/// Context fields of one template's model; a served event carries one byte each.
pub const CONTEXT_FIELDS_MAX: usize = 8;
/// Values of one context field, the unknown level included; a served event stores one byte.
pub const CONTEXT_FIELD_VALUES_MAX: usize = 256;
/// Bandits of rules that can take effect in one ad: in what is shown, in its offer, in one pinned slot.
pub const CHOICES_PER_AD_MAX: usize = 3;
/// Arms of splits, and tags, that a served event carries; answers carry more.
pub const NOTES_PER_AD_MAX: usize = 4;
/// Impressions that a frequency cap can tell apart: engines remember a little more than this of a visitor.
pub const CAP_COUNT_MAX: u32 = 64;
/// Frequency caps of one campaign, flight, template, creative or offer.
pub const CAPS_PER_SUBJECT_MAX: usize = 8;
/// Exclusion groups, and categories, of one campaign.
pub const GROUPS_PER_CAMPAIGN_MAX: usize = 16;
/// Weekly hours of one flight: every hour of the week at most.
pub const DAYPARTS_PER_FLIGHT_MAX: usize = 168;
/// Largest budget, in whole units of a currency or in ads: a billion. What is counted in billionths then fits 64 bits.
pub const BUDGET_MAX: i64 = 1_000_000_000;
/// Largest price of a thousand ads, in whole units of a currency.
pub const CPM_MAX: i64 = 1_000_000;
/// Variants of one experiment; with more, each would see too few visitors to tell them apart.
pub const VARIANTS_PER_EXPERIMENT_MAX: usize = 100;
/// Posterior draws per model. More draws sharpen propensities and cost memo space in every worker.
pub const POSTERIOR_DRAWS_MAX: usize = 64;
/// Bytes of one journal record. A generation record carries a whole catalog's names.
pub const JOURNAL_RECORD_BYTES_MAX: usize = 64 << 20;
/// Bytes of a token in its text form; longer input is refused before it is decoded.
pub const TOKEN_TEXT_BYTES_MAX: usize = 4_096;
/// Variants that one preview token chooses.
pub const PREVIEW_WISHES_MAX: usize = 16;
/// Bytes of a preview token in its text form: the largest one fits.
pub const PREVIEW_TEXT_BYTES_MAX: usize = 12_000;
/// Bytes of the address that a click leads to.
pub const CLICK_TARGET_BYTES_MAX: usize = 2_048;
/// Bytes of the target inside a token: an address, and what the event is counted as.
pub const TOKEN_TARGET_BYTES_MAX: usize = CLICK_TARGET_BYTES_MAX + 64;
