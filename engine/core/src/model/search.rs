//! The best combination under each draw of a block: all of them looked at, or coordinate ascent.
//!
//! The exhaustive search walks the choices of all slots but the last like an odometer, keeps the sums of the slots that
//! did not move, and compares the last slot's assets for all draws at once: about `2 + slots` vector operations per
//! combination and four draws. Coordinate ascent from two starts, draw by draw, costs `slots x assets` additions a round.

use tessera_wire::limits::SLOTS_PER_TEMPLATE_MAX;
use tessera_wire::posterior::Layout;

use super::{BLOCK, Pins, Row};

type Choice = [usize; SLOTS_PER_TEMPLATE_MAX];

/// One block of draws in one context.
pub(super) struct Search<'a> {
    layout: &'a Layout,
    weights: &'a [Row],
    assets: &'a [Row],
    /// First asset that each slot may hold, and one past the last.
    low: Choice,
    high: Choice,
}

/// Adds row to row.
#[inline]
pub(super) fn add(into: &mut Row, what: &Row) {
    for (sum, term) in into.iter_mut().zip(what) {
        *sum += *term;
    }
}

impl<'a> Search<'a> {
    /// A search with the weights of one block and the scores of all assets.
    pub(super) fn new(layout: &'a Layout, weights: &'a [Row], assets: &'a [Row], pins: &Pins) -> Search<'a> {
        let (mut low, mut high) = (Choice::default(), Choice::default());
        for (slot, (size, pin)) in layout.slots.iter().zip(pins).enumerate() {
            let pinned = usize::from(*pin).checked_sub(1).filter(|asset| asset < size);
            low[slot] = pinned.unwrap_or(0);
            high[slot] = pinned.map_or(*size, |asset| asset + 1);
        }
        Search { layout, weights, assets, low, high }
    }

    fn slots(&self) -> usize {
        self.layout.slots.len()
    }

    /// How many combinations there are to choose from, excluded ones counted.
    pub(super) fn combinations(&self) -> usize {
        self.low.iter().zip(&self.high).take(self.slots()).map(|(low, high)| high - low).product()
    }

    /// Looks at every combination; ties go to the lower number.
    pub(super) fn exhaustive(&self) -> [u32; BLOCK] {
        let last = self.slots() - 1;
        let mut choice = self.low;
        let mut best = [f32::NEG_INFINITY; BLOCK];
        let mut number = [0u32; BLOCK];
        // sums[slot] holds the score of the choices of all slots before it.
        let mut sums = [[0.0; BLOCK]; SLOTS_PER_TEMPLATE_MAX];
        let mut moved = Some(0);
        while let Some(first) = moved {
            for slot in first..last {
                sums[slot + 1] = self.sum_with(&sums[slot], &choice, slot, choice[slot]);
            }
            self.compare_last(&sums[last], &choice, &mut best, &mut number);
            moved = self.advance(&mut choice[..last]);
        }
        number
    }

    /// Compares the last slot's assets beside the choices of the others.
    #[inline]
    fn compare_last(&self, sum: &Row, choice: &Choice, best: &mut Row, number: &mut [u32; BLOCK]) {
        let last = self.slots() - 1;
        let size = self.layout.slots[last];
        let prefix = pack(self.layout, &choice[..last]) * size;
        let start = self.layout.slot_start[last];
        let own = &self.assets[start..start + size];
        // Looking the rows up once leaves nothing but additions for the loop.
        let mut pairs: [&[Row]; SLOTS_PER_TEMPLATE_MAX] = [own; SLOTS_PER_TEMPLATE_MAX];
        for (earlier, other) in choice[..last].iter().enumerate() {
            let start = self.layout.pair(earlier, last, *other, 0);
            pairs[earlier] = &self.weights[start..start + size];
        }
        let pairs = &pairs[..last];
        for asset in self.low[last]..self.high[last] {
            let mut score = *sum;
            add(&mut score, &own[asset]);
            for row in pairs {
                add(&mut score, &row[asset]);
            }
            let combination = (prefix + asset) as u32;
            for lane in 0..BLOCK {
                let is_better = score[lane] > best[lane];
                best[lane] = if is_better { score[lane] } else { best[lane] };
                number[lane] = if is_better { combination } else { number[lane] };
            }
        }
    }

    /// The score of the slots before `slot`, with an asset of it added.
    #[inline]
    fn sum_with(&self, before: &Row, choice: &Choice, slot: usize, asset: usize) -> Row {
        let mut sum = *before;
        add(&mut sum, &self.assets[self.layout.slot_start[slot] + asset]);
        for (earlier, other) in choice[..slot].iter().enumerate() {
            add(&mut sum, &self.weights[self.layout.pair(earlier, slot, *other, asset)]);
        }
        sum
    }

    /// The next choice in combination order, and the first slot that moved; `None` after the last.
    fn advance(&self, choice: &mut [usize]) -> Option<usize> {
        for slot in (0..choice.len()).rev() {
            choice[slot] += 1;
            if choice[slot] < self.high[slot] {
                return Some(slot);
            }
            choice[slot] = self.low[slot];
        }
        None
    }

    /// Improves one slot at a time until nothing improves; the better of two starts wins.
    pub(super) fn ascent(&self) -> [u32; BLOCK] {
        std::array::from_fn(|lane| {
            let mut best = (f32::NEG_INFINITY, 0);
            for start in 0..2 {
                let mut choice = self.low;
                for (slot, asset) in choice.iter_mut().enumerate().take(self.slots()) {
                    // First start: the best asset of each slot by itself; second: its middle one.
                    *asset = if start == 0 {
                        self.best_asset(slot, |asset| self.alone(lane, slot, asset))
                    } else {
                        self.low[slot].midpoint(self.high[slot] - 1)
                    };
                }
                let score = self.ascend(lane, &mut choice);
                let combination = pack(self.layout, &choice[..self.slots()]) as u32;
                if score > best.0 || (score == best.0 && combination < best.1) {
                    best = (score, combination);
                }
            }
            best.1
        })
    }

    fn ascend(&self, lane: usize, choice: &mut Choice) -> f32 {
        // Each round improves the score or ends the search; the bound only guards against rounding cycles.
        for _ in 0..16 {
            let mut has_improved = false;
            for slot in 0..self.slots() {
                let given = |asset: usize| self.given(lane, slot, asset, choice);
                let better = self.best_asset(slot, given);
                if given(better) > given(choice[slot]) {
                    choice[slot] = better;
                    has_improved = true;
                }
            }
            if !has_improved {
                break;
            }
        }
        let earlier = |slot: usize| (0..slot).map(move |other| (other, slot));
        let pairs = (0..self.slots()).flat_map(earlier);
        (0..self.slots()).map(|slot| self.alone(lane, slot, choice[slot])).sum::<f32>()
            + pairs
                .map(|(a, b)| self.weights[self.layout.pair(a, b, choice[a], choice[b])][lane])
                .sum::<f32>()
    }

    fn best_asset(&self, slot: usize, score: impl Fn(usize) -> f32) -> usize {
        let mut best = (self.low[slot], f32::NEG_INFINITY);
        for asset in self.low[slot]..self.high[slot] {
            let score = score(asset);
            if score > best.1 {
                best = (asset, score);
            }
        }
        best.0
    }

    fn alone(&self, lane: usize, slot: usize, asset: usize) -> f32 {
        self.assets[self.layout.slot_start[slot] + asset][lane]
    }

    /// What an asset adds to the choices of the other slots.
    fn given(&self, lane: usize, slot: usize, asset: usize, choice: &Choice) -> f32 {
        let mut score = self.alone(lane, slot, asset);
        for (other, chosen) in choice[..self.slots()].iter().enumerate() {
            let weight = match other.cmp(&slot) {
                std::cmp::Ordering::Less => self.layout.pair(other, slot, *chosen, asset),
                std::cmp::Ordering::Greater => self.layout.pair(slot, other, asset, *chosen),
                std::cmp::Ordering::Equal => continue,
            };
            score += self.weights[weight][lane];
        }
        score
    }
}

fn pack(layout: &Layout, choice: &[usize]) -> usize {
    layout.slots.iter().zip(choice).fold(0, |number, (size, asset)| number * size + asset)
}
