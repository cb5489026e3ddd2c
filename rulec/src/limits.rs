//! Named limits of the compiler: unit in the name, reason beside it.
//!
//! Together they bound time, memory and stack for any input, so that a control API may compile what strangers upload.

/// Files of one compilation.
pub const FILES_MAX: usize = 10_000;
/// Bytes of one rule file. About ten thousand rules; larger sets are split by campaign anyway.
pub const FILE_BYTES_MAX: usize = 4 << 20;
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
/// Tiers of one rule: a tier number has 16 bits, and a table of tiers longer than this belongs in the catalog.
pub const TIERS_MAX: usize = 1_000;
