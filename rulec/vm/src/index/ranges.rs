//! Whole numbers: one search over the sorted thresholds of an attribute answers all its literals.
//!
//! The thresholds cut the numbers into segments, inside which nothing changes. A segment's row holds the truth of every
//! hot literal, ready to be copied. Posting lists of access literals hang on a tree of segments, sixteen to a node, so
//! that a range over thousands of segments takes few references and a value visits one node per level.
//!
//! Guarantees: a value visits exactly the lists of the access literals that hold for it, each once. Cost: one binary
//! search, one copy, one load per level (two for up to 256 segments).

use tessera_wire::program::{Constraint, Literal, Polarity, Program};

use crate::eval::{Truth, fires, is_in};

/// Segments of one node, as a power of two.
const NODE_BITS: u32 = 4;
/// Rows are copied in blocks of this many bytes; numbers of hot ranges are padded to it.
pub(super) const BLOCK: usize = 8;
/// Parts of one search: more cuts than half as many share parts.
const PARTS_MAX: usize = 1 << 10;
/// Cuts of one part that are compared without branching on how many there are.
const UNSURE: usize = 2;

/// A literal that is answered here.
#[derive(Debug, Clone, Copy)]
pub(super) struct RangeLiteral {
    pub(super) literal: Literal,
    pub(super) is_hot: bool,
    /// Its posting list, if it is an access literal.
    pub(super) head: Option<u32>,
}

/// All range literals of one attribute, on its value or on its age.
#[derive(Debug)]
pub(crate) struct RangePlan {
    /// A value's segment is the number of cuts not above it.
    cuts: Vec<i64>,
    hints: Hints,
    hot_first: u16,
    /// Blocks of one row.
    blocks: u16,
    /// One row of truths per segment, padded.
    rows: Vec<[u8; BLOCK]>,
    /// First node of each level; a level's nodes are sixteen times fewer than the one's below.
    levels: Vec<u32>,
    /// Each node's first reference; ends with the number of references.
    starts: Vec<u32>,
    references: Vec<u32>,
}

impl RangePlan {
    /// Plans for these literals; the hot ones stand in the order of their numbers, the first of which is `hot_first`.
    pub(super) fn new(program: &Program, literals: &[RangeLiteral], hot_first: u16) -> RangePlan {
        let mut cuts: Vec<i64> = literals.iter().flat_map(|range| cuts_of(program, &range.literal)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let hot: Vec<&RangeLiteral> = literals.iter().filter(|range| range.is_hot).collect();
        let mut rows = Vec::with_capacity(hot.len().div_ceil(BLOCK) * (cuts.len() + 1));
        for segment in 0..=cuts.len() {
            let value = sample(&cuts, segment);
            for of_block in hot.chunks(BLOCK) {
                let mut block = [0; BLOCK];
                for (truth, range) in block.iter_mut().zip(of_block) {
                    *truth = u8::from(fires_on(program, &range.literal, value));
                }
                rows.push(block);
            }
        }
        let mut plan = RangePlan {
            hints: Hints::new(&cuts),
            cuts,
            hot_first,
            blocks: hot.len().div_ceil(BLOCK) as u16,
            rows,
            levels: Vec::new(),
            starts: Vec::new(),
            references: Vec::new(),
        };
        plan.hang(program, literals);
        plan
    }

    /// Hangs the posting lists on the tree.
    fn hang(&mut self, program: &Program, literals: &[RangeLiteral]) {
        let mut count = self.cuts.len() as u32 + 1;
        let mut levels = vec![0];
        while count > 1 << NODE_BITS {
            levels.push(levels[levels.len() - 1] + count);
            count = count.div_ceil(1 << NODE_BITS);
        }
        let nodes = levels[levels.len() - 1] + count;
        let mut hung: Vec<(u32, u32)> = Vec::new();
        for range in literals {
            let Some(head) = range.head else { continue };
            for (first, last) in self.segments_of(program, &range.literal) {
                cover(&levels, first, last, &mut |node| hung.push((node, head)));
            }
        }
        if hung.is_empty() {
            return;
        }
        hung.sort_unstable();
        self.starts = (0..=nodes).map(|node| hung.partition_point(|one| one.0 < node) as u32).collect();
        self.references = hung.into_iter().map(|one| one.1).collect();
        self.levels = levels;
    }

    /// Runs of segments in which the literal fires, first and last.
    fn segments_of(&self, program: &Program, literal: &Literal) -> Vec<(u32, u32)> {
        let segment_of = |value: i64| self.cuts.partition_point(|cut| *cut <= value) as u32;
        let (Constraint::InRanges(span) | Constraint::AgeInRanges(span)) = literal.constraint else {
            return Vec::new();
        };
        let inside = span.of(&program.ranges);
        if matches!(literal.polarity, Polarity::Holds | Polarity::Possibly) {
            return inside.iter().map(|range| (segment_of(range.0), segment_of(range.1))).collect();
        }
        let mut outside = Vec::with_capacity(inside.len() + 1);
        let mut next = 0;
        for range in inside {
            let first = segment_of(range.0);
            if first > next {
                outside.push((next, first - 1));
            }
            next = segment_of(range.1) + 1;
        }
        let last = self.cuts.len() as u32;
        if next <= last {
            outside.push((next, last));
        }
        outside
    }

    /// Writes the truth of the hot literals for `value`; returns its segment.
    #[inline]
    pub(super) fn apply(&self, value: i64, truths: &mut [u8]) -> u32 {
        let segment = self.hints.segment(&self.cuts, value);
        let (first, blocks) = (usize::from(self.hot_first), usize::from(self.blocks));
        if let (Some(to), Some(row)) = (
            truths.get_mut(first..first + blocks * BLOCK),
            self.rows.get(segment * blocks..(segment + 1) * blocks),
        ) {
            for (to, block) in to.chunks_exact_mut(BLOCK).zip(row) {
                to.copy_from_slice(block);
            }
        }
        segment as u32
    }

    /// Heads of every level's node above a segment: one slice per level.
    #[inline]
    pub(super) fn heads(&self, segment: u32) -> impl Iterator<Item = &[u32]> {
        self.levels.iter().zip(0..).map(move |(level, number)| {
            let at = (level + (segment >> (NODE_BITS * number))) as usize;
            match self.starts.get(at..at + 2) {
                Some(&[from, to]) => self.references.get(from as usize..to as usize).unwrap_or_default(),
                _ => &[],
            }
        })
    }

    /// Heads that one value visits at most.
    pub(super) fn visits_max(&self) -> usize {
        let mut ends = self.levels.iter().skip(1).map(|level| *level as usize);
        let widths: Vec<u32> = self.starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let levels = self.levels.iter().map(|level| {
            let nodes = widths.get(*level as usize..ends.next().unwrap_or(widths.len()));
            nodes.unwrap_or_default().iter().copied().max().unwrap_or(0) as usize
        });
        levels.sum()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.cuts.len() * 8
            + self.rows.len()
            + (self.levels.len() + self.starts.len() + self.references.len()) * 4
    }
}

/// Where to start looking for a value's segment: a table over equal parts of the span between the first and last cut.
#[derive(Debug)]
struct Hints {
    low: i64,
    shift: u32,
    /// By part: the number of cuts not above its start; ends with two that hold for every larger value.
    starts: Vec<u32>,
    /// Has no part more than [`UNSURE`] cuts after its start?
    is_fine: bool,
}

impl Hints {
    fn new(cuts: &[i64]) -> Hints {
        let (Some(low), Some(high)) = (cuts.first().copied(), cuts.last().copied()) else {
            return Hints { low: 0, shift: 0, starts: Vec::new(), is_fine: true };
        };
        let span = high.abs_diff(low);
        let parts = (cuts.len() * 2).next_power_of_two().min(PARTS_MAX);
        let shift = (u64::BITS - span.leading_zeros()).saturating_sub(parts.trailing_zeros());
        let count = (span >> shift) + 1;
        let starts = (0..count).map(|part| {
            let start = low.saturating_add_unsigned(part << shift);
            // The cut at the very start counts: no value of the part is below it.
            cuts.partition_point(|cut| *cut <= start) as u32
        });
        let mut starts: Vec<u32> = starts.collect();
        starts.extend([cuts.len() as u32; 2]);
        let is_fine = starts.windows(2).all(|pair| pair[1] - pair[0] <= UNSURE as u32);
        Hints { low, shift, starts, is_fine }
    }

    /// The number of cuts not above `value`.
    #[inline]
    fn segment(&self, cuts: &[i64], value: i64) -> usize {
        if value < self.low || cuts.is_empty() {
            return 0;
        }
        let part = (value.abs_diff(self.low) >> self.shift).min(self.starts.len() as u64 - 2) as usize;
        let first = self.starts[part] as usize;
        if let (true, Some(unsure)) = (self.is_fine, cuts.get(first..first + UNSURE)) {
            // Cuts of later parts may be among them: none of those is below the value.
            return first + unsure.iter().map(|cut| usize::from(*cut <= value)).sum::<usize>();
        }
        let unsure = cuts.get(first..self.starts[part + 1] as usize).unwrap_or_default();
        first + unsure.partition_point(|cut| *cut <= value)
    }
}

/// Where the literal's truth may change.
pub(super) fn cuts_of(program: &Program, literal: &Literal) -> impl Iterator<Item = i64> {
    let span = match literal.constraint {
        Constraint::InRanges(span) | Constraint::AgeInRanges(span) => span.of(&program.ranges),
        _ => &[],
    };
    span.iter().flat_map(|range| {
        let low = (range.0 != i64::MIN).then_some(range.0);
        low.into_iter().chain(range.1.checked_add(1))
    })
}

/// Calls `push` with few nodes that together are the segments from `first` to `last`.
fn cover(levels: &[u32], mut first: u32, mut last: u32, push: &mut impl FnMut(u32)) {
    let mask = (1 << NODE_BITS) - 1;
    for (number, level) in levels.iter().enumerate() {
        if number + 1 == levels.len() {
            (first..=last).for_each(|node| push(level + node));
            return;
        }
        while first <= last && first & mask != 0 {
            push(level + first);
            first += 1;
        }
        while first <= last && last & mask != mask {
            push(level + last);
            let Some(before) = last.checked_sub(1) else { return };
            last = before;
        }
        if first > last {
            return;
        }
        first >>= NODE_BITS;
        last >>= NODE_BITS;
    }
}

/// A value of the segment.
fn sample(cuts: &[i64], segment: usize) -> i64 {
    segment.checked_sub(1).and_then(|cut| cuts.get(cut)).copied().unwrap_or(i64::MIN)
}

fn fires_on(program: &Program, literal: &Literal, value: i64) -> bool {
    let is_satisfied = match literal.constraint {
        Constraint::InRanges(span) | Constraint::AgeInRanges(span) => is_in(span.of(&program.ranges), value),
        _ => false,
    };
    fires(literal.polarity, if is_satisfied { Truth::True } else { Truth::False })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![
            -20i64..20,
            any::<i64>(),
            Just(i64::MIN),
            Just(i64::MAX),
            (-40i64..40, -1i64..2).prop_map(|(whole, beside)| whole * 1_000_000 + beside)
        ]
    }

    proptest! {
        #[test]
        fn hints_lead_to_the_segment(
            mut cuts in proptest::collection::vec(number(), 0..60),
            values in proptest::collection::vec(number(), 1..60),
        ) {
            cuts.sort_unstable();
            cuts.dedup();
            let hints = Hints::new(&cuts);
            for value in values.iter().chain(&cuts) {
                let expected = cuts.partition_point(|cut| cut <= value);
                prop_assert_eq!(hints.segment(&cuts, *value), expected, "{} in {:?}", value, cuts);
            }
        }
    }
}
