//! Named limits of the consent decoders: unit in the name, reason beside it.

/// Bytes of one consent string; real ones stay below 2,000. Longer input is refused before it is decoded.
pub const CONSENT_STRING_BYTES_MAX: usize = 4_096;
/// Sections of one GPP string; 27 ids are assigned.
pub const GPP_SECTIONS_MAX: usize = 32;
/// Largest GPP section id that is read; 27 ids are assigned.
pub const GPP_SECTION_ID_MAX: u16 = 255;
/// Bits of one Fibonacci-coded number; 14 are enough for every id up to 255.
pub const FIBONACCI_BITS_MAX: u32 = 14;
/// 2-bit fields of one US section; the national section has 32.
pub const US_FIELDS_MAX: usize = 40;
/// Milliseconds that a consent string may lie in the future, for clocks that disagree.
pub const CLOCK_SKEW_MS_MAX: i64 = 24 * 60 * 60 * 1_000;
