//! Named limits of programs and frames: unit in the name, reason beside it.
//!
//! [`crate::VerifiedProgram::verify`] refuses a program above any of them, so a bundle's cost is known before it serves.

/// Distinct literals of one program. The literal cache takes two bits each in every worker.
pub const LITERALS_MAX: usize = 1 << 20;
/// Branches of one program; 100,000 rules of five conditions for eight placements fit.
pub const CODE_MAX: usize = 1 << 22;
/// Rules of one program, counted per placement. The result takes one bit each in every worker.
pub const RULES_MAX: usize = 1 << 20;
/// Segments of one program.
pub const SEGMENTS_MAX: usize = 1 << 16;
/// Actions of one program.
pub const ACTIONS_MAX: usize = 1 << 21;
/// Features of one program, caps of the catalog counted. A request takes a count of each: 32 KB of them at most.
pub const FEATURES_MAX: usize = 4_096;
/// Words that rules mention.
pub const DICTIONARY_MAX: usize = 1 << 20;
/// Bytes of one word; a longer text would never be typed by an author.
pub const WORD_BYTES_MAX: usize = 1_024;
/// Entries of the range pool.
pub const RANGES_MAX: usize = 1 << 22;
/// Entries of the word pool.
pub const WORDS_MAX: usize = 1 << 22;
/// Placements of one catalog; the rule index takes four bytes each.
pub const PLACEMENTS_MAX: usize = 1 << 20;
/// Branches that one evaluation may take in the worst case. About 3 ns each: eight million are 25 ms.
pub const WORK_STEPS_MAX: usize = 1 << 23;

/// Bytes of text that a frame keeps for prefix, suffix and substring tests of one request.
pub const FRAME_TEXT_BYTES_MAX: usize = 16 << 10;
/// Distinct members of one set in a frame. Members are kept sorted, which costs a short move per member.
pub const SET_MEMBERS_MAX: usize = 512;
/// Members of all sets in a frame together.
pub const FRAME_MEMBERS_MAX: usize = 4_096;

/// Rows of one columnar batch. Columns of this length stay in the processor's second cache while literals pass over them.
pub const BATCH_ROWS_MAX: usize = 1 << 16;
/// Bytes of a columnar batch's columns and of the bitmaps of its evaluation; a query that needs more gets smaller batches.
pub const BATCH_BYTES_MAX: usize = 64 << 20;
/// Bytes of distinct texts in one column of a batch, for prefix, suffix and substring tests.
pub const BATCH_TEXT_BYTES_MAX: usize = 16 << 20;
/// Members in one column of sets of a batch, when more are mentioned than fit a mask.
pub const BATCH_MEMBERS_MAX: usize = 1 << 22;
/// Conjunctions that one condition is expanded to; one with more keeps running as code. People write fewer than ten.
pub const CONJUNCTIONS_MAX: usize = 64;
/// Literals of one conjunction; one with more keeps running as code.
pub const CONJUNCTION_LITERALS_MAX: usize = 64;
/// Literals that lead to one condition that keeps running as code; one with more is tried on every request.
pub const ACCESS_SET_MAX: usize = 256;
/// Branches of one condition that the index looks at; a larger condition is tried on every request.
pub const ENTRY_BRANCHES_MAX: usize = 1 << 14;
/// Literals of all conjunctions of one condition while it is expanded: four bytes each.
pub const EXPANSION_LITERALS_MAX: usize = 1 << 20;
/// Branches visited and literals compared to build one index: well under a second. 100,000 rules take a few million.
pub const EXPANSION_WORK_MAX: usize = 1 << 26;
/// Entries of one index, 16 bytes each; conditions beyond are tried on every request.
pub const INDEX_ENTRIES_MAX: usize = 1 << 22;
/// Hot literals of one index: an entry names them with 16 bits; number zero is always true, the last one spare.
pub const HOT_LITERALS_MAX: usize = (1 << 16) - 2;
/// Bytes of one attribute's table from ranges to hot literals; literals that do not fit stay cold.
pub const RANGE_ROWS_BYTES_MAX: usize = 1 << 20;
/// Bytes of all such tables of one index.
pub const INDEX_ROWS_BYTES_MAX: usize = 1 << 25;
/// Values of one attribute that statistics keep: two percentiles are told apart by five of them.
pub const STATISTICS_SAMPLE_MAX: usize = 512;
