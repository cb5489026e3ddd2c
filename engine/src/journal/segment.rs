//! Segment files: one open for appending, named by the first sequence number in it.
//!
//! A file is never appended to by a second process run: each start begins a new segment after the highest sequence number
//! found, so a torn tail stays where it is and costs nobody anything. A failed write is cut back to the last whole record;
//! if even that fails the segment is abandoned and the next write begins another.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tessera_wire::journal::{
    HEADER_BYTES, Record, SCHEMA, SegmentHeader, file_name, read_record, sequence_of_file_name,
};

use crate::limits::SEGMENT_BYTES_MAX;

/// Appends whole records to segment files.
#[derive(Debug)]
pub struct SegmentWriter {
    directory: PathBuf,
    node: u16,
    next_sequence: u64,
    current: Option<Segment>,
    quota: Quota,
}

/// How much all segments may take, and take.
#[derive(Debug)]
struct Quota {
    bytes_max: u64,
    used: Arc<AtomicU64>,
}

/// The journal's own limit is reached; the disk may still have room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal has reached journal.bytes_max, {bytes_max} bytes; is analytics running and keeping up?")]
pub struct QuotaFull {
    /// The limit.
    pub bytes_max: u64,
}

impl Quota {
    fn check(&self, more: u64) -> io::Result<()> {
        let bytes_max = self.bytes_max;
        let is_full = self.used.load(Ordering::Relaxed).saturating_add(more) > bytes_max;
        if is_full {
            Err(io::Error::new(io::ErrorKind::StorageFull, QuotaFull { bytes_max }))
        } else {
            Ok(())
        }
    }
}

#[derive(Debug)]
struct Segment {
    file: File,
    // INVARIANT: the file's length after every successful call.
    length: u64,
    unsynced: bool,
}

impl SegmentWriter {
    /// Finds where the sequence continues and starts a new segment there.
    ///
    /// # Errors
    /// The directory cannot be created, read or written.
    pub fn open(directory: &Path, node: u16, now_ms: i64) -> io::Result<SegmentWriter> {
        std::fs::create_dir_all(directory)?;
        let next_sequence = next_sequence(directory)?;
        let mut writer = SegmentWriter {
            directory: directory.to_owned(),
            node,
            next_sequence,
            current: None,
            quota: Quota { bytes_max: u64::MAX, used: Arc::default() },
        };
        writer.begin(now_ms)?;
        Ok(writer)
    }

    /// Lets all segments together take `bytes_max`; `used` is what they take.
    pub fn limited(mut self, bytes_max: u64, used: Arc<AtomicU64>) -> SegmentWriter {
        self.quota = Quota { bytes_max, used };
        self
    }

    /// The sequence number of the next record.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Is a new segment due, or needed after a failure?
    pub fn needs_segment(&self) -> bool {
        self.current.as_ref().is_none_or(|segment| segment.length >= SEGMENT_BYTES_MAX)
    }

    /// Starts a new segment. The old one is forced to the disk first.
    ///
    /// # Errors
    /// The file cannot be made; the next call tries again.
    pub fn begin(&mut self, now_ms: i64) -> io::Result<()> {
        self.quota.check(HEADER_BYTES as u64)?;
        self.sync()?;
        self.current = None;
        let header = SegmentHeader {
            schema: SCHEMA,
            node: self.node,
            first_sequence: self.next_sequence,
            made_at_ms: now_ms.max(0) as u64,
        };
        let path = self.directory.join(file_name(self.next_sequence));
        // A file of this name can only be a segment that never got a record: its sequence number was not used up.
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all(&header.encode())?;
        self.quota.used.fetch_add(HEADER_BYTES as u64, Ordering::Relaxed);
        self.current = Some(Segment { file, length: HEADER_BYTES as u64, unsynced: true });
        Ok(())
    }

    /// Appends `bytes`, which hold `records` whole records beginning with [`Self::next_sequence`].
    ///
    /// # Errors
    /// Nothing of the batch counts as written; the file ends where it ended before.
    pub fn append(&mut self, bytes: &[u8], records: u64) -> io::Result<()> {
        self.quota.check(bytes.len() as u64)?;
        let segment = self.current.as_mut().ok_or_else(|| io::Error::other("no open segment"))?;
        if let Err(error) = segment.file.write_all(bytes) {
            let is_restored = segment.file.set_len(segment.length).is_ok() && seek_end(segment).is_ok();
            if !is_restored {
                self.current = None;
            }
            return Err(error);
        }
        segment.length += bytes.len() as u64;
        self.quota.used.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        segment.unsynced = true;
        self.next_sequence += records;
        Ok(())
    }

    /// Forces what was appended to the disk.
    ///
    /// # Errors
    /// The disk refused; the bytes are still with the operating system.
    pub fn sync(&mut self) -> io::Result<()> {
        if let Some(segment) = self.current.as_mut().filter(|segment| segment.unsynced) {
            segment.file.sync_data()?;
            segment.unsynced = false;
        }
        Ok(())
    }
}

fn seek_end(segment: &mut Segment) -> io::Result<u64> {
    use std::io::Seek;
    segment.file.seek(io::SeekFrom::Start(segment.length))
}

/// One past the highest sequence number in the directory.
fn next_sequence(directory: &Path) -> io::Result<u64> {
    let mut last: Option<u64> = None;
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        last = last.max(name.to_str().and_then(sequence_of_file_name));
    }
    let Some(first_sequence) = last else { return Ok(0) };
    let bytes = std::fs::read(directory.join(file_name(first_sequence)))?;
    let mut next = first_sequence;
    let mut at = HEADER_BYTES.min(bytes.len());
    loop {
        match read_record(&bytes[at..]) {
            Record::Whole { sequence, used, .. } => {
                next = next.max(sequence + 1);
                at += used;
            }
            Record::Damaged { used } => {
                next += 1;
                at += used;
            }
            Record::Incomplete | Record::Lost => break,
        }
    }
    // A torn or lost tail may have used up numbers that nobody can read any more: leave a visible gap.
    Ok(if at < bytes.len() { next + 1_000_000 } else { next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_wire::event::{Event, Generation};
    use tessera_wire::journal::append_record;

    #[test]
    fn a_torn_tail_is_left_alone_and_leaves_a_gap() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = SegmentWriter::open(directory.path(), 1, 0).unwrap();
        let mut bytes = Vec::new();
        append_record(0, &Event::Generation(Generation::default()), &mut bytes);
        writer.append(&bytes, 1).unwrap();
        drop(writer);
        let path = directory.path().join(file_name(0));
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(&bytes[..9]);
        std::fs::write(&path, &torn).unwrap();
        let writer = SegmentWriter::open(directory.path(), 1, 0).unwrap();
        assert_eq!(writer.next_sequence(), 1_000_001);
        assert_eq!(std::fs::read(&path).unwrap(), torn);
    }

    #[test]
    fn an_empty_segment_is_reused() {
        let directory = tempfile::tempdir().unwrap();
        drop(SegmentWriter::open(directory.path(), 1, 0).unwrap());
        drop(SegmentWriter::open(directory.path(), 1, 0).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
