//! IAB Global Privacy Platform: the container that holds one section per law.
//!
//! The header lists section ids as Fibonacci-coded steps; the string must then have exactly that many sections. A
//! [`GppString`] is a well-formed container; a section inside it may still be unreadable.
//!
//! Cost: one pass over the header and a count of the separators, no allocation.
//! Not here: the sections themselves ([`super::tcf`], [`super::us`], [`super::usp`]).

use super::bits::Bits;
use super::error::DecodeError;
use super::limits::{CONSENT_STRING_BYTES_MAX, FIBONACCI_BITS_MAX, GPP_SECTION_ID_MAX, GPP_SECTIONS_MAX};

const HEADER_TYPE: u64 = 3;
const HEADER_VERSION: u64 = 1;

/// Section 2: TCF for Europe.
pub const SECTION_TCF_EU: u8 = 2;
/// Section 5: TCF for Canada.
pub const SECTION_TCF_CANADA: u8 = 5;
/// Section 6: US Privacy.
pub const SECTION_US_PRIVACY: u8 = 6;
/// Section 7: the US national section; the states follow.
pub const SECTION_US_NATIONAL: u8 = 7;
/// Last section of US law that is assigned.
pub const SECTION_US_LAST: u8 = 27;

/// A well-formed GPP container.
#[derive(Debug, Clone, Copy)]
pub struct GppString<'a> {
    ids: [u8; GPP_SECTIONS_MAX],
    count: u8,
    body: &'a str,
}

impl<'a> GppString<'a> {
    /// Decodes a header and finds its sections.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the container is malformed; no section of it counts then.
    pub fn decode(text: &'a str) -> Result<GppString<'a>, DecodeError> {
        if text.len() > CONSENT_STRING_BYTES_MAX {
            return Err(DecodeError::TooLong);
        }
        let (header, body) = match text.split_once('~') {
            Some((header, body)) => (header, Some(body)),
            None => (text, None),
        };
        let (ids, count) = read_header(Bits::new(header)?)?;
        let found = body.map_or(0, |body| body.split('~').count());
        if found != usize::from(count) {
            return Err(DecodeError::SectionCountMismatch);
        }
        Ok(GppString { ids, count, body: body.unwrap_or("") })
    }

    /// Ids of the sections, ascending.
    pub fn section_ids(&self) -> &[u8] {
        &self.ids[..usize::from(self.count)]
    }

    /// The sections with their ids.
    pub fn sections(&self) -> impl Iterator<Item = (u8, &'a str)> {
        self.section_ids().iter().copied().zip(self.body.split('~'))
    }

    /// The text of one section.
    pub fn section(&self, id: u8) -> Option<&'a str> {
        self.sections().find(|(known, _)| *known == id).map(|(_, text)| text)
    }
}

fn read_header(mut bits: Bits<'_>) -> Result<([u8; GPP_SECTIONS_MAX], u8), DecodeError> {
    if bits.take(6)? != HEADER_TYPE {
        return Err(DecodeError::BadType);
    }
    if bits.take(6)? != HEADER_VERSION {
        return Err(DecodeError::UnsupportedVersion);
    }
    let mut ids = [0; GPP_SECTIONS_MAX];
    let mut count = 0_usize;
    let mut last = 0_u16;
    for _ in 0..bits.take(12)? {
        let is_group = bits.flag()?;
        let start = last + read_fibonacci(&mut bits)?;
        last = if is_group { start + read_fibonacci(&mut bits)? } else { start };
        if last > GPP_SECTION_ID_MAX {
            return Err(DecodeError::BadSectionId);
        }
        for id in start..=last {
            *ids.get_mut(count).ok_or(DecodeError::TooManySections)? = id as u8;
            count += 1;
        }
    }
    // Encoders pad to 6 or to 8 bits.
    bits.expect_only_padding()?;
    Ok((ids, count as u8))
}

/// A Fibonacci-coded number: a bit per Fibonacci number from 1, 2, 3, 5 up, ended by two ones in a row.
fn read_fibonacci(bits: &mut Bits<'_>) -> Result<u16, DecodeError> {
    let (mut value, mut this, mut next) = (0, 1_u16, 2_u16);
    let mut was_one = false;
    for _ in 0..FIBONACCI_BITS_MAX {
        let is_one = bits.flag()?;
        if is_one && was_one {
            return Ok(value);
        }
        if is_one {
            value += this;
        }
        was_one = is_one;
        (this, next) = (next, this + next);
    }
    Err(DecodeError::BadSectionId)
}
