//! The tailing journal reader: yields the events of a directory of segment files, in order, from a position.
//!
//! Guarantees: follows growth and rotation; moves to the next segment only when that exists and the present one is fully
//! read; a damaged record costs that record, a torn tail or a senseless length the rest of its segment, and each is
//! counted; a segment of a newer schema stops the reader instead of being skipped. Never modifies the journal.
//!
//! Cost: one chunk of [`limits::READ_CHUNK_BYTES`], growing only while a single record is longer than that.
//!
//! Not here: which positions are committed ([`crate::store`]) and what events mean ([`crate::fold`]).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tessera_wire::event::Event;
use tessera_wire::journal::{self, Record, SegmentError, SegmentHeader};

use crate::limits;

/// A place between two records of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
pub struct Position {
    /// First sequence number of the segment, as in its file name.
    pub segment: u64,
    /// Bytes into the segment file.
    pub offset: u64,
}

/// What reading cost, since the reader was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadCounts {
    /// Whole records.
    pub read: u64,
    /// Records skipped because their checksum or encoding is wrong.
    pub damaged: u64,
    /// Segments that ended inside a record.
    pub torn: u64,
    /// Segments left early because a length or the header made no sense.
    pub lost: u64,
    /// Sequence numbers that never appeared between two records.
    pub missing: u64,
}

/// The journal cannot be read; the writer waits and tries again from the committed position.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file system refused.
    #[error("cannot read journal {}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Written by a newer engine: skipping it would lose events.
    #[error("cannot read journal segment {segment}: {source}")]
    Segment {
        /// First sequence number of the segment.
        segment: u64,
        /// What is wrong with the header.
        source: SegmentError,
    },
}

/// The node that wrote a directory's segments, from the oldest header that makes sense; `None` while there is none.
///
/// # Errors
/// [`ReadError`] when the file system refuses or a segment is newer than this reader.
pub fn node_of(directory: &Path) -> Result<Option<u16>, ReadError> {
    for segment in segments(directory)? {
        let path = directory.join(journal::file_name(segment));
        let mut header = Vec::with_capacity(journal::HEADER_BYTES);
        let read = File::open(&path)
            .and_then(|file| file.take(journal::HEADER_BYTES as u64).read_to_end(&mut header));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // deleted meanwhile
            Err(source) => return Err(ReadError::Io { path, source }),
            Ok(_) => {}
        }
        match SegmentHeader::decode(&header) {
            Ok(header) => return Ok(Some(header.node)),
            Err(source @ SegmentError::SchemaTooNew { .. }) => {
                return Err(ReadError::Segment { segment, source });
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Reads one node's journal directory.
#[derive(Debug)]
pub struct JournalReader {
    directory: PathBuf,
    position: Position,
    segment: Option<OpenSegment>,
    next_sequence: Option<u64>,
    counts: ReadCounts,
}

#[derive(Debug)]
struct OpenSegment {
    file: File,
    path: PathBuf,
    /// Bytes from `position` on, after the first `consumed`.
    buffer: Vec<u8>,
    consumed: usize,
}

enum Step {
    Event(Box<Event>),
    Skipped,
    NeedsMore,
    Lost,
}

impl JournalReader {
    /// A reader that starts at `position`; the default position is the oldest segment. The directory may not exist yet.
    pub fn new(directory: &Path, position: Position) -> JournalReader {
        JournalReader {
            directory: directory.to_path_buf(),
            position,
            segment: None,
            next_sequence: None,
            counts: ReadCounts::default(),
        }
    }

    /// Where the next record starts.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What has been read and skipped.
    pub fn counts(&self) -> ReadCounts {
        self.counts
    }

    /// The next event, or `None` when the journal has no more at present.
    ///
    /// # Errors
    /// [`ReadError`] when the file system refuses or a segment is newer than this reader.
    pub fn next_event(&mut self) -> Result<Option<Box<Event>>, ReadError> {
        loop {
            if self.segment.is_none() && !self.open_segment()? {
                return Ok(None);
            }
            let is_lost = match self.step()? {
                Step::Event(event) => return Ok(Some(event)),
                Step::Skipped => continue,
                Step::NeedsMore => false,
                Step::Lost => true,
            };
            if !is_lost && self.fill()? {
                continue;
            }
            // The newer segment must be seen *before* the last look at this one: what was appended before rotation
            // would be skipped otherwise.
            let newer = self.segment_after(self.position.segment)?;
            if !is_lost && self.fill()? {
                continue;
            }
            let Some(newer) = newer else {
                self.forget_tail();
                return Ok(None);
            };
            self.leave(newer, is_lost);
        }
    }

    /// Opens the segment of the position, or the next one when that is gone.
    fn open_segment(&mut self) -> Result<bool, ReadError> {
        let Some(found) =
            segments(&self.directory)?.into_iter().find(|first| *first >= self.position.segment)
        else {
            return Ok(false);
        };
        if found != self.position.segment {
            self.position = Position { segment: found, offset: 0 };
        }
        let path = self.directory.join(journal::file_name(found));
        let file = File::open(&path).map_err(|source| ReadError::Io { path: path.clone(), source })?;
        self.segment = Some(OpenSegment { file, path, buffer: Vec::new(), consumed: 0 });
        if self.position.offset > 0 {
            self.check_schema()?;
        }
        Ok(true)
    }

    /// A position inside a segment still needs a header that this reader understands.
    fn check_schema(&mut self) -> Result<(), ReadError> {
        let Some(open) = &mut self.segment else { return Ok(()) };
        let mut header = Vec::with_capacity(journal::HEADER_BYTES);
        let read = (&open.file).take(journal::HEADER_BYTES as u64).read_to_end(&mut header);
        read.map_err(|source| ReadError::Io { path: open.path.clone(), source })?;
        match SegmentHeader::decode(&header) {
            Err(source @ SegmentError::SchemaTooNew { .. }) => {
                Err(ReadError::Segment { segment: self.position.segment, source })
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self) -> Result<Step, ReadError> {
        let Some(open) = &mut self.segment else { return Ok(Step::NeedsMore) };
        let bytes = &open.buffer[open.consumed..];
        let (step, used) = if self.position.offset == 0 {
            match SegmentHeader::decode(bytes) {
                Ok(_) => (Step::Skipped, journal::HEADER_BYTES),
                Err(SegmentError::Incomplete) => return Ok(Step::NeedsMore),
                Err(source @ SegmentError::SchemaTooNew { .. }) => {
                    return Err(ReadError::Segment { segment: self.position.segment, source });
                }
                Err(_) => return Ok(Step::Lost),
            }
        } else {
            match journal::read_record(bytes) {
                Record::Whole { sequence, event, used } => {
                    self.counts.read += 1;
                    if let Some(expected) = self.next_sequence {
                        self.counts.missing += sequence.saturating_sub(expected);
                    }
                    self.next_sequence = Some(sequence + 1);
                    (Step::Event(event), used)
                }
                Record::Damaged { used } => {
                    self.counts.damaged += 1;
                    // Its number was used up: a damaged record is not also a missing one.
                    self.next_sequence = self.next_sequence.map(|next| next + 1);
                    (Step::Skipped, used)
                }
                Record::Incomplete => return Ok(Step::NeedsMore),
                Record::Lost => return Ok(Step::Lost),
            }
        };
        open.consumed += used;
        self.position.offset += used as u64;
        Ok(step)
    }

    /// Reads one more chunk behind what is buffered; false at the end of the file.
    fn fill(&mut self) -> Result<bool, ReadError> {
        let Some(open) = &mut self.segment else { return Ok(false) };
        open.buffer.drain(..open.consumed);
        open.consumed = 0;
        let end = self.position.offset + open.buffer.len() as u64;
        let read = open
            .file
            .seek(SeekFrom::Start(end))
            .and_then(|_| (&open.file).take(limits::READ_CHUNK_BYTES as u64).read_to_end(&mut open.buffer));
        match read {
            Ok(count) => Ok(count > 0),
            Err(source) => Err(ReadError::Io { path: open.path.clone(), source }),
        }
    }

    /// Forgets an incomplete tail, so that the next look sees it as it is then: an engine that starts again may cut a
    /// torn record off and write over its place.
    fn forget_tail(&mut self) {
        if let Some(open) = &mut self.segment {
            open.buffer.clear();
            open.consumed = 0;
        }
    }

    fn leave(&mut self, newer: u64, is_lost: bool) {
        let has_tail = self.segment.as_ref().is_some_and(|open| open.buffer.len() > open.consumed);
        if is_lost {
            self.counts.lost += 1;
        } else if has_tail {
            self.counts.torn += 1;
        }
        self.segment = None;
        self.position = Position { segment: newer, offset: 0 };
    }

    fn segment_after(&self, segment: u64) -> Result<Option<u64>, ReadError> {
        Ok(segments(&self.directory)?.into_iter().find(|first| *first > segment))
    }
}

/// First sequence numbers of a directory's segments, oldest first. A missing directory has none.
fn segments(directory: &Path) -> Result<Vec<u64>, ReadError> {
    let fail = |source| ReadError::Io { path: directory.to_path_buf(), source };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let name = entry.map_err(fail)?.file_name();
        segments.extend(name.to_str().and_then(journal::sequence_of_file_name));
    }
    segments.sort_unstable();
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tessera_wire::event::{Touch, TouchKind};

    fn click(n: u64) -> Event {
        Event::Touch(Touch {
            decision_id: u128::from(n),
            ad: 0,
            kind: TouchKind::Click,
            at_ms: 1,
            value_micros: 0,
            currency: [0; 3],
        })
    }

    /// A segment with records `first..first + count`; returns where each record ends.
    fn segment_bytes(first: u64, count: u64) -> (Vec<u8>, Vec<usize>) {
        let header = SegmentHeader { schema: journal::SCHEMA, node: 1, first_sequence: first, made_at_ms: 5 };
        let mut bytes = header.encode().to_vec();
        let mut ends = vec![bytes.len()];
        for sequence in first..first + count {
            journal::append_record(sequence, &click(sequence), &mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn write(dir: &Path, first: u64, bytes: &[u8]) {
        fs::write(dir.join(journal::file_name(first)), bytes).unwrap();
    }

    fn drain(reader: &mut JournalReader) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Some(event) = reader.next_event().unwrap() {
            let Event::Touch(touch) = *event else { panic!("only touches were written") };
            seen.push(touch.decision_id as u64);
        }
        seen
    }

    #[test]
    fn a_missing_directory_is_an_empty_journal() {
        let dir = tempfile::tempdir().unwrap();
        let mut reader = JournalReader::new(&dir.path().join("later"), Position::default());
        assert!(reader.next_event().unwrap().is_none());
    }

    #[test]
    fn growth_by_any_number_of_bytes_and_rotation_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (bytes, _) = segment_bytes(0, 5);
        let mut reader = JournalReader::new(dir.path(), Position::default());
        let mut seen = Vec::new();
        for length in 0..=bytes.len() {
            write(dir.path(), 0, &bytes[..length]);
            seen.extend(drain(&mut reader));
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        write(dir.path(), 5, &segment_bytes(5, 2).0);
        assert_eq!(drain(&mut reader), [5, 6]);
        assert_eq!(reader.counts(), ReadCounts { read: 7, ..ReadCounts::default() });
    }

    #[test]
    fn reading_can_go_on_from_every_position() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 0, &segment_bytes(0, 3).0);
        write(dir.path(), 3, &segment_bytes(3, 3).0);
        let mut reader = JournalReader::new(dir.path(), Position::default());
        for expected in 1..=6 {
            reader.next_event().unwrap().unwrap();
            let mut second = JournalReader::new(dir.path(), reader.position());
            assert_eq!(drain(&mut second), (expected..6).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_torn_tail_waits_and_is_skipped_once_a_newer_segment_exists() {
        let dir = tempfile::tempdir().unwrap();
        let (bytes, _) = segment_bytes(0, 3);
        write(dir.path(), 0, &bytes[..bytes.len() - 4]);
        let mut reader = JournalReader::new(dir.path(), Position::default());
        assert_eq!(drain(&mut reader), [0, 1]);
        assert_eq!(reader.counts().torn, 0);
        write(dir.path(), 3, &segment_bytes(3, 1).0);
        assert_eq!(drain(&mut reader), [3]);
        assert_eq!(reader.counts(), ReadCounts { read: 3, torn: 1, missing: 1, ..ReadCounts::default() });
    }

    #[test]
    fn a_torn_tail_that_the_engine_cuts_off_and_overwrites_is_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (bytes, ends) = segment_bytes(0, 3);
        write(dir.path(), 0, &bytes[..ends[2] + 10]);
        let mut reader = JournalReader::new(dir.path(), Position::default());
        assert_eq!(drain(&mut reader), [0, 1]);
        let mut cut = bytes[..ends[2]].to_vec();
        journal::append_record(2, &click(77), &mut cut);
        write(dir.path(), 0, &cut);
        assert_eq!(drain(&mut reader), [77]);
    }

    #[test]
    fn a_damaged_record_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let (mut bytes, ends) = segment_bytes(0, 3);
        bytes[ends[2] - 1] ^= 1;
        write(dir.path(), 0, &bytes);
        let mut reader = JournalReader::new(dir.path(), Position::default());
        assert_eq!(drain(&mut reader), [0, 2]);
        assert_eq!(reader.counts(), ReadCounts { read: 2, damaged: 1, ..ReadCounts::default() });
    }

    #[test]
    fn a_senseless_length_costs_the_rest_of_its_segment() {
        let dir = tempfile::tempdir().unwrap();
        let (mut bytes, ends) = segment_bytes(0, 3);
        bytes[ends[1]..ends[1] + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        write(dir.path(), 0, &bytes);
        let mut reader = JournalReader::new(dir.path(), Position::default());
        assert_eq!(drain(&mut reader), [0]);
        assert!(drain(&mut reader).is_empty(), "waits for a newer segment");
        write(dir.path(), 3, &segment_bytes(3, 1).0);
        assert_eq!(drain(&mut reader), [3]);
        assert_eq!(reader.counts().lost, 1);
    }

    #[test]
    fn a_segment_of_a_newer_schema_stops_the_reader() {
        let dir = tempfile::tempdir().unwrap();
        let header = SegmentHeader { schema: journal::SCHEMA + 1, node: 1, first_sequence: 0, made_at_ms: 5 };
        write(dir.path(), 0, &header.encode());
        write(dir.path(), 1, &segment_bytes(1, 1).0);
        for position in [Position::default(), Position { segment: 0, offset: 28 }] {
            let mut reader = JournalReader::new(dir.path(), position);
            assert!(matches!(reader.next_event(), Err(ReadError::Segment { segment: 0, .. })));
        }
    }

    #[test]
    fn a_record_longer_than_a_chunk_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (mut bytes, _) = segment_bytes(0, 1);
        let rules = vec!["r".repeat(1000); 2 * limits::READ_CHUNK_BYTES / 1000];
        let event = Event::Generation(tessera_wire::event::Generation { rules, ..Default::default() });
        journal::append_record(1, &event, &mut bytes);
        journal::append_record(2, &click(2), &mut bytes);
        write(dir.path(), 0, &bytes);
        let mut reader = JournalReader::new(dir.path(), Position::default());
        assert_eq!(*reader.next_event().unwrap().unwrap(), click(0));
        assert_eq!(*reader.next_event().unwrap().unwrap(), event);
        assert_eq!(drain(&mut reader), [2]);
    }
}
