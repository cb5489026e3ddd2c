//! Named limits of the compiler: unit in the name, reason beside it.
//!
//! Together they bound time, memory and stack for any input, so that a control API may compile what strangers upload.

/// Files of one compilation.
pub const FILES_MAX: usize = 10_000;
/// Bytes of one rule file. About a quarter of a million rules; what is larger was made by a machine that can split it.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// Characters of a source line that a message shows; of longer lines the part around the mark.
pub const LINE_CHARS_MAX: usize = 300;
/// Characters of a token that a message repeats.
pub const EXCERPT_CHARS_MAX: usize = 80;
/// Parts of the trees of all files together: items, conditions, values. A part takes about 100 bytes.
pub const TREE_NODES_MAX: usize = 4_000_000;
/// Parentheses and blocks inside one another, as written. Keeps recursion shallow; people stop reading at four.
pub const NESTING_MAX: usize = 64;
/// Levels of one condition with its segments expanded. Keeps recursion over typed trees shallow.
pub const CONDITION_DEPTH_MAX: usize = 160;
/// Tests and connectives of one condition with its segments expanded. Stops segments that double one another.
pub const CONDITION_NODES_MAX: usize = 10_000;
/// Tests and connectives of all conditions together, copies made for tiers included. 100,000 rules take two million;
/// bounds memory to some 400 MB.
pub const PROGRAM_NODES_MAX: usize = 4_000_000;
/// Diagnostics of one compilation; more would not be read.
pub const DIAGNOSTICS_MAX: usize = 100;
/// Counts look back at least a minute, which is the finest bucket, and at most this many milliseconds: 400 days, because
/// a season is compared with the one a year ago.
pub const COUNT_WINDOW_MS_MAX: i64 = 400 * 86_400_000;
/// Different counts of all rules together. Frequency caps of the catalog come on top.
pub const COUNTS_MAX: usize = 256;
/// The finest time bucket of a count, in milliseconds.
pub const COUNT_BUCKET_MS_MIN: i64 = 60_000;
/// Tests of a compilation times what each goes through, rules, segments and attributes: some ten seconds at ten nanoseconds each.
pub const TEST_EVALUATIONS_MAX: usize = 1_000_000_000;
/// Tiers of one rule, arms of its splits counted one by one: a tier number has 16 bits, and a table of tiers longer than this belongs in the catalog.
pub const TIERS_MAX: usize = 1_000;
/// Conjunctions of all placements together that are compared with one another for shadowed rules and ties. The bits of
/// all pairs take 128 MiB at most.
pub const ANALYSED_CONJUNCTIONS_MAX: usize = 32_768;
/// Ties reported per compilation; in a rule set without priorities every pair may be one.
pub const OVERLAPS_MAX: usize = 10;
/// Bytes of criteria in JSON: a list of a hundred thousand postal codes fits.
pub const CRITERIA_BYTES_MAX: usize = 4 << 20;
/// Visitors of a sample over which an editor shows shares; the files are compiled once for each.
pub const SAMPLE_VISITORS_MAX: usize = 200;
