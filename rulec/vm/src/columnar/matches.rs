//! Which rows satisfy which condition, and the working memory of finding out.

use super::kernel::{WORD_ROWS, bit, set_bits};

/// The result of [`super::Query::evaluate`]: a bitmap over the rows of the batch for each condition of the query.
/// Caller-owned and reusable.
#[derive(Debug, Clone, Default)]
pub struct Matches {
    pub(super) rows: usize,
    /// Bitmap after bitmap, `rows.div_ceil(64)` words each; no bit is set beyond the last row.
    pub(super) results: Vec<u64>,
    pub(super) literals: Vec<u64>,
    pub(super) nodes: Vec<u64>,
    pub(super) table: Vec<u8>,
    pub(super) counts: Vec<u16>,
}

impl Matches {
    /// The bitmap of a condition, row 0 in the lowest bit of the first word; empty when the query has no such condition.
    pub fn words(&self, condition: usize) -> &[u64] {
        let words = self.rows.div_ceil(WORD_ROWS);
        let start = condition.saturating_mul(words);
        self.results.get(start..start.saturating_add(words)).unwrap_or(&[])
    }

    /// How many rows satisfy the condition.
    pub fn count(&self, condition: usize) -> usize {
        self.words(condition).iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The rows that satisfy the condition, ascending.
    pub fn rows(&self, condition: usize) -> impl Iterator<Item = u32> + '_ {
        set_bits(self.words(condition))
    }

    /// Does this row satisfy the condition?
    pub fn contains(&self, condition: usize, row: usize) -> bool {
        bit(self.words(condition), row)
    }
}
