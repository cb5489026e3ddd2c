//! Tests of whole columns, 64 rows per word of a bitmap.
//!
//! Cost: the comparison is written so that the compiler turns it into vector instructions; packing the 64 answers into
//! one word takes eight multiplications.

/// Rows per word of a bitmap.
pub(super) const WORD_ROWS: usize = 64;

/// Sets the bit of every row whose value passes; bits already set stay.
#[inline]
pub(super) fn mark<T: Copy>(values: &[T], bits: &mut [u64], test: impl Fn(T) -> bool) {
    let (chunks, rest) = values.as_chunks::<WORD_ROWS>();
    for (chunk, word) in chunks.iter().zip(bits.iter_mut()) {
        let mut answers = [0u8; WORD_ROWS];
        for (answer, value) in answers.iter_mut().zip(chunk) {
            *answer = u8::from(test(*value));
        }
        *word |= packed(&answers);
    }
    if let Some(word) = bits.get_mut(chunks.len()) {
        for (row, value) in rest.iter().enumerate() {
            *word |= u64::from(test(*value)) << row;
        }
    }
}

/// Bytes of zero or one as bits, first byte lowest.
#[inline]
fn packed(answers: &[u8; WORD_ROWS]) -> u64 {
    let (groups, _) = answers.as_chunks::<8>();
    groups.iter().rev().fold(0, |word, group| {
        // The product moves bit 8k to bit 56 + k; no two of its terms meet.
        let bits = u64::from_le_bytes(*group).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word << 8 | bits
    })
}

/// Calls `visit` with the number of every set bit, ascending.
pub(super) fn set_bits(bits: &[u64]) -> impl Iterator<Item = u32> + '_ {
    bits.iter().zip(0u32..).flat_map(|(word, index)| {
        let mut left = *word;
        std::iter::from_fn(move || {
            let row = (left != 0).then(|| index * WORD_ROWS as u32 + left.trailing_zeros());
            left &= left.wrapping_sub(1);
            row
        })
    })
}

/// Is the bit of this row set?
#[inline]
pub(super) fn bit(bits: &[u64], row: usize) -> bool {
    bits.get(row / WORD_ROWS).is_some_and(|word| word >> (row % WORD_ROWS) & 1 == 1)
}

/// Sets the bit of this row, if the bitmap has it.
#[inline]
pub(super) fn set(bits: &mut [u64], row: usize) {
    if let Some(word) = bits.get_mut(row / WORD_ROWS) {
        *word |= 1 << (row % WORD_ROWS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marking_agrees_with_looking_at_each_value() {
        for rows in [0usize, 1, 63, 64, 65, 200, 256] {
            let values: Vec<u32> = (0..rows as u32).map(|row| row.wrapping_mul(2_654_435_761) >> 5).collect();
            for limit in [0, 1 << 20, 1 << 26, u32::MAX] {
                let mut bits = vec![0; rows.div_ceil(64)];
                mark(&values, &mut bits, |value| value < limit);
                let expected: Vec<u32> =
                    (0..rows as u32).filter(|row| values[*row as usize] < limit).collect();
                assert_eq!(set_bits(&bits).collect::<Vec<_>>(), expected);
                assert!((0..rows).all(|row| bit(&bits, row) == (values[row] < limit)));
            }
        }
    }

    #[test]
    fn every_pattern_of_eight_answers_is_packed_right() {
        for pattern in 0..=255u8 {
            let mut answers = [0u8; 64];
            for row in 0..8 {
                answers[24 + row] = pattern >> row & 1;
            }
            assert_eq!(packed(&answers), u64::from(pattern) << 24);
        }
    }
}
