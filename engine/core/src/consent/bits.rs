//! Reads big-endian bit fields straight from url-safe base64 text.
//!
//! A reader only exists over text whose whole alphabet was checked, so reading needs no second validation. Standard
//! base64 characters and padding are refused. Cost: a few operations per field, no allocation.

use super::error::DecodeError;

const BITS_PER_CHAR: usize = 6;
/// Widest field that is read at once; 36-bit times are the widest there are.
const FIELD_BITS_MAX: u32 = 48;
const NOT_IN_ALPHABET: u8 = 0xff;

const VALUES: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut values = [NOT_IN_ALPHABET; 256];
    let mut index = 0;
    while index < alphabet.len() {
        values[alphabet[index] as usize] = index as u8;
        index += 1;
    }
    values
};

/// A position in the bits of one segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'a> {
    // INVARIANT: every byte is in the alphabet.
    text: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    /// A reader at the first bit of a segment.
    pub(super) fn new(segment: &'a str) -> Result<Bits<'a>, DecodeError> {
        if segment.is_empty() {
            return Err(DecodeError::EmptySegment);
        }
        let text = segment.as_bytes();
        if text.iter().any(|byte| VALUES[usize::from(*byte)] == NOT_IN_ALPHABET) {
            return Err(DecodeError::BadChar);
        }
        Ok(Bits { text, position: 0 })
    }

    /// Characters of the segment.
    pub(super) fn chars(self) -> usize {
        self.text.len()
    }

    fn left(self) -> usize {
        self.text.len() * BITS_PER_CHAR - self.position
    }

    /// The next `count` bits as a number.
    pub(super) fn take(&mut self, count: u32) -> Result<u64, DecodeError> {
        debug_assert!((1..=FIELD_BITS_MAX).contains(&count));
        if self.left() < count as usize {
            return Err(DecodeError::Truncated);
        }
        let end = self.position + count as usize;
        let chars = &self.text[self.position / BITS_PER_CHAR..=(end - 1) / BITS_PER_CHAR];
        let mut value = 0_u64;
        for byte in chars {
            value = value << BITS_PER_CHAR | u64::from(VALUES[usize::from(*byte)]);
        }
        let unused = (BITS_PER_CHAR - end % BITS_PER_CHAR) % BITS_PER_CHAR;
        self.position = end;
        Ok(value >> unused & ((1 << count) - 1))
    }

    /// The next bit.
    pub(super) fn flag(&mut self) -> Result<bool, DecodeError> {
        Ok(self.take(1)? == 1)
    }

    /// Two 6-bit letters, A to Z.
    pub(super) fn letters(&mut self) -> Result<[u8; 2], DecodeError> {
        let mut letters = [0; 2];
        for letter in &mut letters {
            let value = self.take(6)? as u8;
            if value > 25 {
                return Err(DecodeError::BadLetter);
            }
            *letter = b'A' + value;
        }
        Ok(letters)
    }

    /// Passes over `count` bits.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), DecodeError> {
        if self.left() < count {
            return Err(DecodeError::Truncated);
        }
        self.position += count;
        Ok(())
    }

    /// The bit `ahead` of the position, or false beyond the end.
    pub(super) fn peek(self, ahead: usize) -> bool {
        let at = self.position + ahead;
        match self.text.get(at / BITS_PER_CHAR) {
            Some(byte) => VALUES[usize::from(*byte)] >> (BITS_PER_CHAR - 1 - at % BITS_PER_CHAR) & 1 == 1,
            None => false,
        }
    }

    /// Refuses anything but zeros up to the end: encoders pad with zeros.
    pub(super) fn expect_only_padding(mut self) -> Result<(), DecodeError> {
        while self.left() > 0 {
            let count = self.left().min(FIELD_BITS_MAX as usize) as u32;
            if self.take(count)? != 0 {
                return Err(DecodeError::TrailingBits);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cross_characters() {
        let mut bits = Bits::new("CQlH_MA").unwrap();
        assert_eq!(bits.take(6), Ok(2));
        assert_eq!(bits.take(36), Ok(0b010000_100101_000111_111111_001100_000000));
        assert_eq!(bits.take(1), Err(DecodeError::Truncated));
    }

    #[test]
    fn only_the_url_safe_alphabet_is_read() {
        for text in ["CA==", "C+", "C/", "Сyr", "C A", "C\n"] {
            assert_eq!(Bits::new(text).unwrap_err(), DecodeError::BadChar, "{text}");
        }
        assert_eq!(Bits::new("").unwrap_err(), DecodeError::EmptySegment);
    }

    #[test]
    fn padding_must_be_zero() {
        let mut bits = Bits::new("CAAAAAAAAAAAAAAAAAAAAAAAB").unwrap();
        bits.skip(6).unwrap();
        assert_eq!(bits.expect_only_padding(), Err(DecodeError::TrailingBits));
        assert_eq!(Bits::new("AAAA").unwrap().expect_only_padding(), Ok(()));
    }
}
