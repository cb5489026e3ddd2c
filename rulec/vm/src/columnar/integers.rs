//! A column of whole numbers: bools, scaled numbers and amounts, times, versions.
//!
//! Values are packed as 32-bit multiples of their greatest common step above the smallest value where that is exact:
//! amounts in cents, ages in years and times in seconds all are. Comparing those takes half the memory and, unlike 64-bit
//! integers, vector instructions that every processor has.

use super::kernel::{WORD_ROWS, mark, set_bits};

/// Above this, each value is searched for among the ranges instead of passing over the column once per range.
const PASSES_MAX: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Integers {
    /// One per row; anything where the signal is unknown.
    values: Vec<i64>,
    /// Smallest and largest known value.
    ends: Option<(i64, i64)>,
    packing: Packing,
    codes: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Packing {
    /// Rows were added since.
    #[default]
    Stale,
    /// The value is `base + code * step`.
    Narrow { base: i64, step: u64 },
    /// Values differ too much, or too finely.
    Wide,
}

impl Integers {
    pub(super) fn push(&mut self, value: Option<i64>) {
        if let Some(value) = value {
            let (low, high) = self.ends.unwrap_or((value, value));
            self.ends = Some((low.min(value), high.max(value)));
        }
        self.values.push(value.unwrap_or(0));
        self.packing = Packing::Stale;
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.ends = None;
        self.packing = Packing::Stale;
    }

    /// Packs what was pushed. `valid` says in which rows the value counts.
    pub(super) fn pack(&mut self, valid: &[u64]) {
        if self.packing != Packing::Stale {
            return;
        }
        self.codes.clear();
        self.packing = Packing::Wide;
        let Some((base, top)) = self.ends else { return };
        // Unknown values must fit too; nobody looks at what they are.
        for (word, known) in valid.iter().enumerate() {
            for bit in set_bits(&[!known]) {
                let row = word * WORD_ROWS + bit as usize;
                self.values.get_mut(row).into_iter().for_each(|value| *value = base);
            }
        }
        let above = |value: i64| value.wrapping_sub(base) as u64;
        let step = self.values.iter().fold(0, |step, value| common_step(step, above(*value))).max(1);
        if above(top) / step > u64::from(u32::MAX) {
            return;
        }
        self.codes.extend(self.values.iter().map(|value| (above(*value) / step) as u32));
        self.packing = Packing::Narrow { base, step };
    }

    /// Marks rows whose value lies in one of the sorted, disjoint ranges; what it does to unknown rows does not matter.
    pub(super) fn mark_in(&self, ranges: &[(i64, i64)], bits: &mut [u64]) {
        if ranges.len() > PASSES_MAX {
            return mark(&self.values, bits, |value| {
                let place = ranges.partition_point(|range| range.1 < value);
                ranges.get(place).is_some_and(|range| range.0 <= value)
            });
        }
        for (low, high) in ranges.iter().copied().filter(|(low, high)| low <= high) {
            match self.packing {
                Packing::Narrow { base, step } => {
                    let Some((low, width)) = narrowed(low, high, base, step) else { continue };
                    mark(&self.codes, bits, |code| code.wrapping_sub(low) <= width);
                }
                Packing::Wide | Packing::Stale => {
                    let width = high.wrapping_sub(low) as u64;
                    mark(&self.values, bits, |value| value.wrapping_sub(low) as u64 <= width);
                }
            }
        }
    }
}

/// The range of codes for a range of values: its lowest code and its width. `None` when no code lies in it.
fn narrowed(low: i64, high: i64, base: i64, step: u64) -> Option<(u32, u32)> {
    let (low, high) = (i128::from(low) - i128::from(base), i128::from(high) - i128::from(base));
    let step = i128::from(step);
    let first = (low.max(0) + step - 1) / step;
    let last = high.div_euclid(step).min(i128::from(u32::MAX));
    let width = u32::try_from(last - first).ok()?;
    Some((u32::try_from(first).ok()?, width))
}

/// The greatest common divisor, by Euclid; zero divides into everything.
fn common_step(step: u64, distance: u64) -> u64 {
    if step == 1 {
        return 1;
    }
    let (mut larger, mut smaller) = (distance, step);
    while smaller != 0 {
        (larger, smaller) = (smaller, larger % smaller);
    }
    larger
}

/// The values whose age at `now_ms` lies in one of the ranges: ages and values run in opposite directions, and an age that
/// does not fit counts as the largest or smallest, as in [`crate::evaluate`].
pub(super) fn values_of_ages(ages: &[(i64, i64)], now_ms: i64) -> Vec<(i64, i64)> {
    let mut values = Vec::with_capacity(ages.len());
    for (youngest, oldest) in ages.iter().rev() {
        let latest = i128::from(now_ms) - i128::from(*youngest);
        let earliest = i128::from(now_ms) - i128::from(*oldest);
        let latest = if *youngest == i64::MIN { i128::from(i64::MAX) } else { latest };
        let earliest = if *oldest == i64::MAX { i128::from(i64::MIN) } else { earliest };
        let (low, high) = (earliest.max(i128::from(i64::MIN)), latest.min(i128::from(i64::MAX)));
        if let (Ok(low), Ok(high)) = (i64::try_from(low), i64::try_from(high))
            && low <= high
        {
            values.push((low, high));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::super::kernel::bit;
    use super::*;

    fn column(values: &[Option<i64>]) -> (Integers, Vec<u64>) {
        let mut column = Integers::default();
        let mut valid = vec![0; values.len().div_ceil(64)];
        for (row, value) in values.iter().enumerate() {
            column.push(*value);
            value.iter().for_each(|_| super::super::kernel::set(&mut valid, row));
        }
        column.pack(&valid);
        (column, valid)
    }

    fn assert_agrees(values: &[Option<i64>], ranges: &[(i64, i64)]) {
        let (column, valid) = column(values);
        let mut bits = vec![0; valid.len()];
        column.mark_in(ranges, &mut bits);
        for (row, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let expected = ranges.iter().any(|(low, high)| (*low..=*high).contains(value));
            assert_eq!(bit(&bits, row), expected, "{value} in {ranges:?}, {:?}", column.packing);
        }
    }

    const EDGES: [i64; 12] = [
        i64::MIN,
        i64::MIN + 1,
        -1_000_001,
        -1_000_000,
        -1,
        0,
        1,
        999_999,
        1_000_000,
        5_000_000_000,
        i64::MAX - 1,
        i64::MAX,
    ];

    #[test]
    fn packed_ranges_agree_with_comparing_values() {
        let sets: [&[i64]; 6] = [
            &EDGES,
            &[0, 1],
            &[18_000_000, 24_000_000, 90_000_000],
            &[-3, 4, 11, 18],
            &[7],
            &[i64::MIN, i64::MAX],
        ];
        for values in sets {
            let values: Vec<Option<i64>> = values.iter().copied().map(Some).chain([None]).collect();
            for low in EDGES {
                for high in EDGES.into_iter().filter(|high| low <= *high) {
                    assert_agrees(&values, &[(low, high)]);
                }
            }
            let many: Vec<(i64, i64)> =
                (0..20).map(|step| (step * 3_000_000, step * 3_000_000 + 1)).collect();
            assert_agrees(&values, &many);
            assert_agrees(&values, &[]);
        }
    }

    #[test]
    fn amounts_and_times_pack_into_32_bits() {
        let amounts: Vec<Option<i64>> = (0..100).map(|cents| Some(cents * 5_030_000)).collect();
        assert_eq!(column(&amounts).0.packing, Packing::Narrow { base: 0, step: 5_030_000 });
        let times: Vec<Option<i64>> =
            (0..100).map(|day| Some(1_700_000_000_000 - day * 86_400_000)).collect();
        assert!(matches!(column(&times).0.packing, Packing::Narrow { step: 86_400_000, .. }));
        assert_eq!(column(&[None, None]).0.packing, Packing::Wide);
        assert_eq!(column(&[Some(0), Some(1), Some(i64::MAX)]).0.packing, Packing::Wide);
    }

    #[test]
    fn ages_turn_into_the_values_that_have_them() {
        for now_ms in [i64::MIN, -1, 0, 1_700_000_000_000, i64::MAX] {
            for youngest in EDGES {
                for oldest in EDGES.into_iter().filter(|oldest| youngest <= *oldest) {
                    let values = values_of_ages(&[(youngest, oldest)], now_ms);
                    for value in EDGES {
                        let age = now_ms.saturating_sub(value);
                        let expected = (youngest..=oldest).contains(&age);
                        let found = values.iter().any(|(low, high)| (*low..=*high).contains(&value));
                        assert_eq!(found, expected, "{value} at {now_ms} in {youngest}..={oldest}");
                    }
                }
            }
        }
    }
}
