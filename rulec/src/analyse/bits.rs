//! Rows of bits over the conjunctions of one placement, one row per region.

use tessera_wire::program::Program;

use super::boxes::{Boxes, Conjunction};

/// Which conjunctions stand in some relation to each region.
pub(super) struct Rows {
    words: usize,
    /// Position of a region's row, by region; `u32::MAX` when no conjunction here has it.
    positions: Vec<u32>,
    bits: Vec<u64>,
}

impl Rows {
    /// Row of region `b`: the conjunctions whose values of `b`'s signal all lie in `b`.
    pub(super) fn inside(program: &Program, boxes: &Boxes, conjunctions: &[&Conjunction]) -> Rows {
        Rows::build(boxes, conjunctions, |row, members| {
            let mut bits = vec![0; members.words];
            for (region, held) in members.of_signal(boxes, row) {
                if region == row
                    || boxes.regions[region as usize].lies_within(program, &boxes.regions[row as usize])
                {
                    held.iter().for_each(|at| bits[*at as usize / 64] |= 1 << (at % 64));
                }
            }
            bits
        })
    }

    /// Row of region `b`: the conjunctions that some value of `b` could satisfy.
    pub(super) fn compatible(program: &Program, boxes: &Boxes, conjunctions: &[&Conjunction]) -> Rows {
        Rows::build(boxes, conjunctions, |row, members| {
            let mut bits = vec![u64::MAX; members.words];
            for (region, held) in members.of_signal(boxes, row) {
                if region != row
                    && boxes.regions[region as usize].excludes(program, &boxes.regions[row as usize])
                {
                    held.iter().for_each(|at| bits[*at as usize / 64] &= !(1 << (at % 64)));
                }
            }
            bits
        })
    }

    fn build(boxes: &Boxes, conjunctions: &[&Conjunction], row: impl Fn(u32, &Members) -> Vec<u64>) -> Rows {
        let members = Members::new(boxes, conjunctions);
        let mut rows =
            Rows { words: members.words, positions: vec![u32::MAX; boxes.regions.len()], bits: Vec::new() };
        for (position, (_, region)) in members.present.iter().enumerate() {
            rows.positions[*region as usize] = position as u32;
            rows.bits.extend(row(*region, &members));
        }
        rows
    }

    /// Conjunctions related to every region of this one, as bits. Everything for the empty conjunction.
    pub(super) fn meet(&self, conjunction: &Conjunction, into: &mut Vec<u64>) {
        into.clear();
        into.resize(self.words, u64::MAX);
        for region in conjunction {
            let first = self.positions[*region as usize] as usize * self.words;
            let row = &self.bits[first..first + self.words];
            into.iter_mut().zip(row).for_each(|(word, other)| *word &= other);
        }
    }
}

/// Which conjunctions have which region.
struct Members {
    words: usize,
    /// Signal and region, sorted.
    present: Vec<(u16, u32)>,
    /// Conjunctions of each region, by region.
    held: Vec<Vec<u32>>,
}

impl Members {
    fn new(boxes: &Boxes, conjunctions: &[&Conjunction]) -> Members {
        let mut held = vec![Vec::new(); boxes.regions.len()];
        for (at, conjunction) in conjunctions.iter().enumerate() {
            conjunction.iter().for_each(|region| held[*region as usize].push(at as u32));
        }
        let all = boxes.regions.iter().zip(0u32..);
        let present = all.filter(|(_, region)| !held[*region as usize].is_empty());
        let mut present: Vec<(u16, u32)> = present.map(|(one, region)| (one.signal.0, region)).collect();
        present.sort_unstable();
        Members { words: conjunctions.len().div_ceil(64), present, held }
    }

    fn of_signal(&self, boxes: &Boxes, region: u32) -> impl Iterator<Item = (u32, &[u32])> {
        let signal = boxes.regions[region as usize].signal.0;
        let start = self.present.partition_point(|(one, _)| *one < signal);
        self.present[start..]
            .iter()
            .take_while(move |(one, _)| *one == signal)
            .map(|(_, region)| (*region, self.held[*region as usize].as_slice()))
    }
}

/// Positions of the set bits from `start` to `end`, in order.
pub(super) fn ones(bits: &[u64], start: usize, end: usize) -> impl Iterator<Item = usize> {
    let words = bits.iter().enumerate().skip(start / 64).take((end.div_ceil(64)).saturating_sub(start / 64));
    words
        .flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                Some(index * 64 + bit)
            })
        })
        .filter(move |at| *at >= start && *at < end)
}
