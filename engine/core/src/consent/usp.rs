//! US Privacy ("CCPA") strings: one digit and three letters, deprecated since 2024 and still sent.
//!
//! Cost: four byte comparisons. Not here: when US law applies ([`super::regime`]).

use super::error::DecodeError;

const LENGTH: usize = 4;

/// A decoded US Privacy string. Each letter is `Y`, `N` or `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsPrivacy {
    /// Was the visitor told?
    pub notice: u8,
    /// Did they opt out of sale?
    pub opt_out_sale: u8,
    /// Does the limited service provider agreement cover this?
    pub lspa: u8,
}

impl UsPrivacy {
    /// Decodes a string such as `1YNN`.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is anything but version 1 with three of the letters `Y`, `N`, `-`.
    pub fn decode(text: &str) -> Result<UsPrivacy, DecodeError> {
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().map_err(|_| DecodeError::BadLength)?;
        let [version, notice, opt_out_sale, lspa] = bytes;
        if version != b'1' {
            return Err(DecodeError::UnsupportedVersion);
        }
        for letter in [notice, opt_out_sale, lspa] {
            if !matches!(letter, b'Y' | b'N' | b'-') {
                return Err(DecodeError::BadChar);
            }
        }
        Ok(UsPrivacy { notice, opt_out_sale, lspa })
    }

    /// `1---`: the sender says that the law does not apply.
    pub fn is_not_applicable(self) -> bool {
        [self.notice, self.opt_out_sale, self.lspa] == *b"---"
    }

    /// Must we treat the visitor as opted out? Only a clear "no", after notice or without a word about it, is none.
    pub fn is_opted_out(self) -> bool {
        !self.is_not_applicable() && (self.opt_out_sale != b'N' || self.notice == b'N')
    }
}
