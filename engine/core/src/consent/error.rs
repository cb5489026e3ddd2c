//! Why a consent string could not be read. The gate treats every one of these as "not granted".

/// A consent string is malformed; nothing in it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Longer than [`super::limits::CONSENT_STRING_BYTES_MAX`].
    #[error("consent string is too long")]
    TooLong,
    /// A segment or the whole string is empty.
    #[error("segment is empty")]
    EmptySegment,
    /// A character outside the url-safe alphabet without padding, or outside the letters of US Privacy.
    #[error("character is not allowed")]
    BadChar,
    /// The string ends inside a field.
    #[error("string ends inside a field")]
    Truncated,
    /// A version that this decoder does not know.
    #[error("version is not supported")]
    UnsupportedVersion,
    /// A range that starts at zero or ends before it starts.
    #[error("range is not ascending from one")]
    BadRange,
    /// A range beyond the largest id of its list.
    #[error("range exceeds the largest id")]
    RangeExceedsMax,
    /// The same segment twice.
    #[error("segment is repeated")]
    DuplicateSegment,
    /// A segment that may not stand here.
    #[error("segment may not stand here")]
    BadSegment,
    /// A language or country letter beyond Z.
    #[error("letter is not between A and Z")]
    BadLetter,
    /// Not a GPP header.
    #[error("not a GPP header")]
    BadType,
    /// The header names another number of sections than the string has.
    #[error("number of sections differs from the header")]
    SectionCountMismatch,
    /// More than [`super::limits::GPP_SECTIONS_MAX`] sections.
    #[error("too many sections")]
    TooManySections,
    /// A section id beyond [`super::limits::GPP_SECTION_ID_MAX`], or a number coded with too many bits.
    #[error("section id is too large")]
    BadSectionId,
    /// A section that this decoder cannot read.
    #[error("section is not supported")]
    UnsupportedSection,
    /// A US Privacy string must have four characters.
    #[error("length is wrong")]
    BadLength,
    /// A 2-bit field holds 3.
    #[error("field holds an illegal value")]
    IllegalValue,
    /// Bits after the last field are not zero.
    #[error("bits after the last field are not zero")]
    TrailingBits,
}

impl DecodeError {
    /// A stable code for explain blocks and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            DecodeError::TooLong => "too_long",
            DecodeError::EmptySegment => "empty_segment",
            DecodeError::BadChar => "bad_char",
            DecodeError::Truncated => "truncated",
            DecodeError::UnsupportedVersion => "unsupported_version",
            DecodeError::BadRange => "bad_range",
            DecodeError::RangeExceedsMax => "range_exceeds_max",
            DecodeError::DuplicateSegment => "duplicate_segment",
            DecodeError::BadSegment => "bad_segment",
            DecodeError::BadLetter => "bad_letter",
            DecodeError::BadType => "bad_type",
            DecodeError::SectionCountMismatch => "section_count_mismatch",
            DecodeError::TooManySections => "too_many_sections",
            DecodeError::BadSectionId => "bad_section_id",
            DecodeError::UnsupportedSection => "unsupported_section",
            DecodeError::BadLength => "bad_length",
            DecodeError::IllegalValue => "illegal_value",
            DecodeError::TrailingBits => "trailing_bits",
        }
    }
}
