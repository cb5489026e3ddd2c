//! The journal's file format: length-prefixed, checksummed records in segment files.
//!
//! ```text
//! segment = header record*
//! header  = "TSJ1" | schema u16 | node u16 | first sequence u64 | made at u64 (unix ms) | crc32c of the 24 bytes before
//! record  = length u32 | crc32c u32 (of sequence and payload) | sequence u64 | payload (length bytes)
//! ```
//! All integers are little endian. The payload is one [`Event`] in [`crate::codec`]'s encoding. Sequence numbers count up
//! by one over all segments of a node, so that a gap is visible.
//!
//! Guarantees: a torn or bit-flipped record costs that record, never the reader ([`read_record`] says how far to skip when
//! the length still makes sense). Files are named `journal-<first sequence, 20 digits>.tsj`, so names sort by age.
//!
//! Not here: files, fsync, rotation (the engine's writer) and checkpoints (the analytics reader).

use crate::codec;
use crate::event::Event;
use crate::limits;

/// Bytes of a segment header.
pub const HEADER_BYTES: usize = 28;
/// Bytes before a record's payload.
pub const RECORD_HEADER_BYTES: usize = 16;
/// Version of the events in a segment. 2: what is remembered of visitors. 3: bandits, arms of splits and tags on served ads. 4:
/// experiments, flights, prices, languages and terms of offers on served ads.
pub const SCHEMA: u16 = 4;

const MAGIC: [u8; 4] = *b"TSJ1";

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Version of the events.
    pub schema: u16,
    /// Which engine wrote it.
    pub node: u16,
    /// Sequence number of the first record.
    pub first_sequence: u64,
    /// When it was made, unix milliseconds.
    pub made_at_ms: u64,
}

/// The bytes do not start a segment that this reader understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// Shorter than a header.
    #[error("segment header is incomplete")]
    Incomplete,
    /// Not a journal segment.
    #[error("not a journal segment")]
    NotASegment,
    /// The header's checksum is wrong.
    #[error("segment header is corrupt")]
    Corrupt,
    /// Written before the events had their present shape; only an engine of that time can read it.
    #[error("journal schema {found} is older than this reader understands (at least {supported})")]
    SchemaTooOld {
        /// Schema in the file.
        found: u16,
        /// Oldest schema understood.
        supported: u16,
    },
    /// Written by a newer engine.
    #[error("journal schema {found} is newer than this reader understands (max {supported})")]
    SchemaTooNew {
        /// Schema in the file.
        found: u16,
        /// Newest schema understood.
        supported: u16,
    },
}

impl SegmentHeader {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(&MAGIC);
        out[4..6].copy_from_slice(&self.schema.to_le_bytes());
        out[6..8].copy_from_slice(&self.node.to_le_bytes());
        out[8..16].copy_from_slice(&self.first_sequence.to_le_bytes());
        out[16..24].copy_from_slice(&self.made_at_ms.to_le_bytes());
        let checksum = crc32c::crc32c(&out[..24]);
        out[24..28].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a header from the start of a segment.
    ///
    /// # Errors
    /// [`SegmentError`] when the bytes are too few, foreign, corrupt, too old or too new.
    pub fn decode(bytes: &[u8]) -> Result<SegmentHeader, SegmentError> {
        let header = bytes.get(..HEADER_BYTES).ok_or(SegmentError::Incomplete)?;
        if header[..4] != MAGIC {
            return Err(SegmentError::NotASegment);
        }
        if crc32c::crc32c(&header[..24]) != u32_at(header, 24) {
            return Err(SegmentError::Corrupt);
        }
        let schema = u16::from_le_bytes([header[4], header[5]]);
        if schema < SCHEMA {
            return Err(SegmentError::SchemaTooOld { found: schema, supported: SCHEMA });
        }
        if schema > SCHEMA {
            return Err(SegmentError::SchemaTooNew { found: schema, supported: SCHEMA });
        }
        Ok(SegmentHeader {
            schema,
            node: u16::from_le_bytes([header[6], header[7]]),
            first_sequence: u64_at(header, 8),
            made_at_ms: u64_at(header, 16),
        })
    }
}

/// The file name of the segment that starts with this sequence number.
pub fn file_name(first_sequence: u64) -> String {
    format!("journal-{first_sequence:020}.tsj")
}

/// The first sequence number in a segment's file name, `None` for other files.
pub fn sequence_of_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(".tsj")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// In a journal's directory: which segments the analytics store still needs. Older ones may be deleted.
pub const NEEDED_FILE: &str = "needed-by-analytics.txt";

/// The text of [`NEEDED_FILE`].
pub fn needed_text(first_sequence: u64) -> String {
    format!("{first_sequence}\n")
}

/// The first segment that is still needed, `None` when the text makes no sense.
pub fn needed_from_text(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('\n')?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Appends one framed record to `out`.
pub fn append_record(sequence: u64, event: &Event, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; RECORD_HEADER_BYTES]);
    out[start + 8..start + 16].copy_from_slice(&sequence.to_le_bytes());
    codec::encode_into(event, out);
    let length = (out.len() - start - RECORD_HEADER_BYTES) as u32;
    let checksum = crc32c::crc32c(&out[start + 8..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// What stands at the start of some journal bytes.
#[derive(Debug)]
pub enum Record {
    /// A whole record; `used` bytes belong to it.
    Whole {
        /// Its sequence number.
        sequence: u64,
        /// Its event.
        event: Box<Event>,
        /// Bytes it takes.
        used: usize,
    },
    /// The record's end is not there yet: a torn tail, or one still being written.
    Incomplete,
    /// The record is damaged, but its length makes sense: `used` bytes can be skipped.
    Damaged {
        /// Bytes to skip.
        used: usize,
    },
    /// The length itself makes no sense: nothing after this point can be trusted.
    Lost,
}

/// Reads the record at the start of `bytes`.
pub fn read_record(bytes: &[u8]) -> Record {
    let Some(header) = bytes.get(..RECORD_HEADER_BYTES) else { return Record::Incomplete };
    let length = u32_at(header, 0) as usize;
    if length == 0 || length > limits::JOURNAL_RECORD_BYTES_MAX {
        return Record::Lost;
    }
    let used = RECORD_HEADER_BYTES + length;
    let Some(record) = bytes.get(..used) else { return Record::Incomplete };
    if crc32c::crc32c(&record[8..]) != u32_at(header, 4) {
        return Record::Damaged { used };
    }
    match codec::decode::<Event, { limits::JOURNAL_RECORD_BYTES_MAX }>(&record[RECORD_HEADER_BYTES..]) {
        Ok(event) => Record::Whole { sequence: u64_at(header, 8), event: Box::new(event), used },
        Err(_) => Record::Damaged { used },
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Touch, TouchKind};

    fn click(decision_id: u128) -> Event {
        Event::Touch(Touch {
            decision_id,
            ad: 0,
            kind: TouchKind::Click,
            at_ms: 1,
            value_micros: 0,
            currency: [0; 3],
        })
    }

    #[test]
    fn records_read_back_in_order() {
        let mut bytes = Vec::new();
        for sequence in 0..3 {
            append_record(sequence, &click(u128::from(sequence)), &mut bytes);
        }
        let mut at = 0;
        for expected in 0..3 {
            let Record::Whole { sequence, event, used } = read_record(&bytes[at..]) else {
                panic!("record {expected}")
            };
            assert_eq!(sequence, expected);
            assert_eq!(*event, click(u128::from(expected)));
            at += used;
        }
        assert!(matches!(read_record(&bytes[at..]), Record::Incomplete));
    }

    #[test]
    fn every_flipped_bit_costs_at_most_one_record() {
        let mut bytes = Vec::new();
        append_record(7, &click(1), &mut bytes);
        let first = bytes.len();
        append_record(8, &click(2), &mut bytes);
        for bit in 0..first * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            match read_record(&bad) {
                Record::Whole { .. } => panic!("bit {bit} flipped unnoticed"),
                Record::Damaged { used } if used == first => {
                    assert!(matches!(read_record(&bad[used..]), Record::Whole { sequence: 8, .. }));
                }
                // A damaged length: the record that follows is found by resynchronisation or not at all.
                Record::Damaged { .. } | Record::Incomplete | Record::Lost => assert!(bit < 32),
            }
        }
    }

    #[test]
    fn every_truncation_is_incomplete() {
        let mut bytes = Vec::new();
        append_record(7, &click(1), &mut bytes);
        for length in 0..bytes.len() {
            assert!(matches!(read_record(&bytes[..length]), Record::Incomplete), "{length} bytes");
        }
    }

    #[test]
    fn headers_and_names_round_trip() {
        let header = SegmentHeader { schema: SCHEMA, node: 3, first_sequence: 42, made_at_ms: 99 };
        assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
        assert_eq!(sequence_of_file_name(&file_name(42)), Some(42));
        assert_eq!(sequence_of_file_name("journal-1.tsj"), None);
        assert_eq!(needed_from_text(&needed_text(u64::MAX)), Some(u64::MAX));
        for text in ["", "\n", "12", "x\n", "-1\n", "99999999999999999999\n"] {
            assert_eq!(needed_from_text(text), None, "{text:?}");
        }
        let mut newer = SegmentHeader { schema: SCHEMA + 1, ..header }.encode();
        assert!(matches!(SegmentHeader::decode(&newer), Err(SegmentError::SchemaTooNew { .. })));
        let older = SegmentHeader { schema: SCHEMA - 1, ..header }.encode();
        assert!(matches!(SegmentHeader::decode(&older), Err(SegmentError::SchemaTooOld { .. })));
        newer[9] ^= 1;
        assert_eq!(SegmentHeader::decode(&newer), Err(SegmentError::Corrupt));
    }
}
