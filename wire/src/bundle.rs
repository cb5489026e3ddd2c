//! The bundle: one immutable, versioned, checksummed file with everything an engine needs to decide.
//!
//! ```text
//! bundle  = "TSBN" | format u16 | sections u16 | generation u64 | made at u64 (unix ms) | hash 32 (BLAKE3 of the rest)
//!           section*
//! section = tag u16 | flags u16 (bit 0: required) | length u32 | crc32c u32 | payload
//! ```
//! All integers are little endian. Sections are self-contained [`crate::codec`] payloads: catalog, program, source map, its spans.
//! An unknown optional section is skipped, an unknown required one is refused, so that a bundle can grow without breaking
//! older engines and never loses meaning silently. The hash covers content only: generation and time may differ while the
//! hash says "the same bundle".
//!
//! A signature may follow the last section: [`crate::signature`].
//!
//! Not here: whether the content makes sense (`tessera-engine-core` and `tessera-rulevm` verify that).

use serde::de::DeserializeOwned;

use crate::catalog::Catalog;
use crate::codec;
use crate::limits;
use crate::program::{Program, SourceMap};
use crate::signature;

/// A bundle's content, decoded but not yet verified.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bundle {
    /// Counts up with every publication.
    pub generation: u64,
    /// When it was made, unix milliseconds.
    pub made_at_ms: u64,
    /// What may be shown.
    pub catalog: Catalog,
    /// When to show it.
    pub program: Program,
    /// What it was compiled from.
    pub source: SourceMap,
}

/// Sections of a bundle, by tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// [`Catalog`].
    Catalog,
    /// [`Program`].
    Program,
    /// [`SourceMap`], its spans left out.
    Source,
    /// [`SourceMap::spans`].
    Spans,
}

impl Section {
    const ALL: [Section; 4] = [Section::Catalog, Section::Program, Section::Source, Section::Spans];

    const fn tag(self) -> u16 {
        match self {
            Section::Catalog => 1,
            Section::Program => 2,
            Section::Source => 3,
            Section::Spans => 4,
        }
    }

    const fn is_required(self) -> bool {
        matches!(self, Section::Catalog | Section::Program)
    }
}

impl std::fmt::Display for Section {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Section::Catalog => "catalog",
            Section::Program => "program",
            Section::Source => "source",
            Section::Spans => "spans",
        })
    }
}

/// The bytes are not a bundle that can be used; whoever loads it keeps what they have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not our magic number.
    #[error("not a bundle")]
    NotABundle,
    /// Larger than allowed.
    #[error("bundle of {found} bytes is larger than the {max} allowed")]
    TooLarge {
        /// Bytes given.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The file ends too early.
    #[error("bundle is truncated: {missing} bytes are missing after byte {at}")]
    Truncated {
        /// Where the missing part should start.
        at: usize,
        /// How many bytes are missing.
        missing: usize,
    },
    /// Bytes after the last section.
    #[error("{count} bytes follow the last section")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// Written by an older compiler, in a format nobody writes any more.
    #[error("bundle format {found} is older than this engine reads ({supported}); publish the catalog again")]
    FormatTooOld {
        /// Format in the file.
        found: u16,
        /// Format understood.
        supported: u16,
    },
    /// Written by a newer compiler.
    #[error("bundle format {found} is newer than this engine understands (max {supported})")]
    FormatTooNew {
        /// Format in the file.
        found: u16,
        /// Newest format understood.
        supported: u16,
    },
    /// A signature is asked for, and there is none.
    #[error("bundle is not signed, and only signed bundles are taken here")]
    Unsigned,
    /// The signature is not by a key that is trusted here, or the bundle was changed after it was signed.
    #[error("bundle is not signed by a key that is trusted here")]
    WrongSignature,
    /// The content does not match the hash in the header.
    #[error("bundle content does not match its hash")]
    Hash,
    /// One section does not match its checksum.
    #[error("section `{section}` is corrupt: checksum {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// Which section.
        section: Section,
        /// Checksum of the payload.
        found: u32,
        /// Checksum in the section header.
        expected: u32,
    },
    /// A section that must be understood is not.
    #[error("required section {tag} is unknown to this engine")]
    UnknownSection {
        /// Its tag.
        tag: u16,
    },
    /// A section that every bundle has is absent.
    #[error("section `{section}` is missing")]
    MissingSection {
        /// Which section.
        section: Section,
    },
    /// A section appears twice.
    #[error("section `{section}` appears twice")]
    DuplicateSection {
        /// Which section.
        section: Section,
    },
    /// A section's payload does not decode.
    #[error("section `{section}` does not decode: {cause}")]
    Decode {
        /// Which section.
        section: Section,
        /// Why not.
        cause: codec::DecodeError,
    },
}

/// BLAKE3 of a bundle's sections: equal hashes, equal content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BundleHash(pub [u8; 32]);

impl std::fmt::Display for BundleHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

const MAGIC: [u8; 4] = *b"TSBN";
/// 2: features, caseless text, pins, bindings, bandits and splits in the program. 3: pairs of assets that exclude one another. 4:
/// experiments, caps, prices and budgets, contents of templates, assets in several languages, terms of offers.
const FORMAT: u16 = 5;
const HEADER_BYTES: usize = 56;
const SECTION_HEADER_BYTES: usize = 12;
const FLAG_REQUIRED: u16 = 1;

/// The bundle's bytes.
pub fn encode(bundle: &Bundle) -> Vec<u8> {
    let mut sections = Vec::new();
    append_section(Section::Catalog, &codec::encode(&bundle.catalog), &mut sections);
    append_section(Section::Program, &codec::encode(&bundle.program), &mut sections);
    append_section(Section::Source, &codec::encode(&bundle.source), &mut sections);
    append_section(Section::Spans, &codec::encode(&bundle.source.spans), &mut sections);
    let mut out = Vec::with_capacity(HEADER_BYTES + sections.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&(Section::ALL.len() as u16).to_le_bytes());
    out.extend_from_slice(&bundle.generation.to_le_bytes());
    out.extend_from_slice(&bundle.made_at_ms.to_le_bytes());
    out.extend_from_slice(blake3::hash(&sections).as_bytes());
    out.extend_from_slice(&sections);
    out
}

/// The content hash of encoded bundle bytes, without checking it.
///
/// # Errors
/// [`BundleError::NotABundle`] when there is no header.
pub fn hash(bytes: &[u8]) -> Result<BundleHash, BundleError> {
    let header = bytes.get(..HEADER_BYTES).ok_or(BundleError::NotABundle)?;
    if header[..4] != MAGIC {
        return Err(BundleError::NotABundle);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(&header[24..56]);
    Ok(BundleHash(hash))
}

/// When the bundle in these bytes was made, unix milliseconds, without checking anything else.
///
/// # Errors
/// [`BundleError::NotABundle`] when there is no header.
pub fn made_at_ms(bytes: &[u8]) -> Result<u64, BundleError> {
    hash(bytes).map(|_| u64_at(bytes, 16))
}

/// Where a bundle's content ends: before its signature, if it has one. Looks at lengths only.
pub(crate) fn content_end(bytes: &[u8]) -> Result<usize, BundleError> {
    hash(bytes)?;
    let mut at = HEADER_BYTES;
    for _ in 0..u16::from_le_bytes([bytes[6], bytes[7]]) {
        let header = slice(bytes, at, SECTION_HEADER_BYTES)?;
        at +=
            SECTION_HEADER_BYTES + slice(bytes, at + SECTION_HEADER_BYTES, u32_at(header, 4) as usize)?.len();
    }
    let is_signed = signature::is_trailer(&bytes[at..]);
    if at == bytes.len() || is_signed {
        Ok(at)
    } else {
        Err(BundleError::TrailingBytes { count: bytes.len() - at })
    }
}

/// Reads a bundle, checking every checksum before anything is decoded.
///
/// # Errors
/// [`BundleError`] for anything but an intact bundle.
pub fn decode(bytes: &[u8]) -> Result<Bundle, BundleError> {
    if bytes.len() > limits::BUNDLE_BYTES_MAX {
        return Err(BundleError::TooLarge { found: bytes.len(), max: limits::BUNDLE_BYTES_MAX });
    }
    let expected = hash(bytes)?;
    let format = u16::from_le_bytes([bytes[4], bytes[5]]);
    if format < FORMAT {
        return Err(BundleError::FormatTooOld { found: format, supported: FORMAT });
    }
    if format > FORMAT {
        return Err(BundleError::FormatTooNew { found: format, supported: FORMAT });
    }
    let bytes = &bytes[..content_end(bytes)?];
    let sections = read_sections(bytes, u16::from_le_bytes([bytes[6], bytes[7]]))?;
    if blake3::hash(&bytes[HEADER_BYTES..]).as_bytes() != &expected.0 {
        return Err(BundleError::Hash);
    }
    Ok(Bundle {
        generation: u64_at(bytes, 8),
        made_at_ms: u64_at(bytes, 16),
        catalog: section(&sections, Section::Catalog)?,
        program: section(&sections, Section::Program)?,
        source: SourceMap {
            spans: optional(&sections, Section::Spans)?,
            ..optional(&sections, Section::Source)?
        },
    })
}

fn append_section(section: Section, payload: &[u8], out: &mut Vec<u8>) {
    let flags = if section.is_required() { FLAG_REQUIRED } else { 0 };
    out.extend_from_slice(&section.tag().to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

type Sections<'a> = [Option<&'a [u8]>; Section::ALL.len()];

fn read_sections(bytes: &[u8], count: u16) -> Result<Sections<'_>, BundleError> {
    let mut found: Sections<'_> = [None; Section::ALL.len()];
    let mut at = HEADER_BYTES;
    for _ in 0..count {
        let header = slice(bytes, at, SECTION_HEADER_BYTES)?;
        let tag = u16::from_le_bytes([header[0], header[1]]);
        let flags = u16::from_le_bytes([header[2], header[3]]);
        let payload = slice(bytes, at + SECTION_HEADER_BYTES, u32_at(header, 4) as usize)?;
        at += SECTION_HEADER_BYTES + payload.len();
        let Some(index) = Section::ALL.iter().position(|section| section.tag() == tag) else {
            if flags & FLAG_REQUIRED != 0 {
                return Err(BundleError::UnknownSection { tag });
            }
            continue;
        };
        let section = Section::ALL[index];
        let (found_crc, expected) = (crc32c::crc32c(payload), u32_at(header, 8));
        if found_crc != expected {
            return Err(BundleError::Checksum { section, found: found_crc, expected });
        }
        if found[index].replace(payload).is_some() {
            return Err(BundleError::DuplicateSection { section });
        }
    }
    if at != bytes.len() {
        return Err(BundleError::TrailingBytes { count: bytes.len() - at });
    }
    Ok(found)
}

fn section<T: DeserializeOwned>(sections: &Sections<'_>, which: Section) -> Result<T, BundleError> {
    let index = Section::ALL.iter().position(|section| *section == which).unwrap_or(0);
    let payload = sections[index].ok_or(BundleError::MissingSection { section: which })?;
    codec::decode::<T, { limits::BUNDLE_BYTES_MAX }>(payload)
        .map_err(|cause| BundleError::Decode { section: which, cause })
}

/// A section that may be missing.
fn optional<T: DeserializeOwned + Default>(
    sections: &Sections<'_>,
    which: Section,
) -> Result<T, BundleError> {
    match section(sections, which) {
        Err(BundleError::MissingSection { .. }) => Ok(T::default()),
        found => found,
    }
}

fn slice(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], BundleError> {
    let available = bytes.len().saturating_sub(at);
    if available < len {
        return Err(BundleError::Truncated { at: bytes.len(), missing: len - available });
    }
    Ok(&bytes[at..at + len])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{LiteralId, LiteralSpan};

    fn small() -> Bundle {
        let mut bundle = Bundle { generation: 9, made_at_ms: 77, ..Bundle::default() };
        bundle.catalog.text = "hero".into();
        bundle.program.dictionary = vec!["mobile".into()];
        bundle.source.files = vec![("a.rules".into(), "# nothing".into())];
        bundle.source.spans =
            vec![LiteralSpan { rule: 0, literal: LiteralId(1), file: 0, line: 1, start: 2, end: 3 }];
        bundle
    }

    #[test]
    fn a_bundle_survives_the_round_trip() {
        assert_eq!(decode(&encode(&small())).unwrap(), small());
    }

    #[test]
    fn the_hash_ignores_generation_and_time_but_not_content() {
        let later = Bundle { generation: 10, made_at_ms: 78, ..small() };
        assert_eq!(hash(&encode(&small())).unwrap(), hash(&encode(&later)).unwrap());
        let mut other = small();
        other.catalog.text.push('!');
        assert_ne!(hash(&encode(&small())).unwrap(), hash(&encode(&other)).unwrap());
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = encode(&small());
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(matches!(decode(&bytes[..bytes.len() - 1]), Err(BundleError::Truncated { missing: 1, .. })));
    }

    #[test]
    fn every_flipped_content_bit_is_refused() {
        let bytes = encode(&small());
        for bit in HEADER_BYTES * 8..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_only_explains_may_be_missing() {
        let bytes = encode(&small());
        // The last section is that of the spans: one entry of six small numbers and its length.
        let mut older = bytes[..bytes.len() - SECTION_HEADER_BYTES - 7].to_vec();
        older[6] -= 1;
        let digest = *blake3::hash(&older[HEADER_BYTES..]).as_bytes();
        older[24..56].copy_from_slice(&digest);
        let mut expected = small();
        expected.source.spans.clear();
        assert_eq!(decode(&older).unwrap(), expected);
    }

    #[test]
    fn a_span_is_found_by_rule_and_literal() {
        let source = small().source;
        assert_eq!(source.span(0, LiteralId(1)).map(|span| span.start), Some(2));
        assert_eq!(source.span(0, LiteralId(2)), None);
        assert_eq!(source.span(1, LiteralId(1)), None);
    }

    #[test]
    fn unknown_sections_are_skipped_unless_required() {
        for (flags, is_readable) in [(0u16, true), (FLAG_REQUIRED, false)] {
            let mut bytes = encode(&small());
            bytes[6] += 1;
            bytes.extend_from_slice(&99u16.to_le_bytes());
            bytes.extend_from_slice(&flags.to_le_bytes());
            bytes.extend_from_slice(&[0; 8]);
            let digest = *blake3::hash(&bytes[HEADER_BYTES..]).as_bytes();
            bytes[24..56].copy_from_slice(&digest);
            assert_eq!(decode(&bytes).is_ok(), is_readable);
        }
    }
}
