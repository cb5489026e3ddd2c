//! Giving back the space of segments that nobody needs any more.
//!
//! A segment may go when the analytics store has committed past it and no longer joins anything to it (it says so in
//! [`NEEDED_FILE`]), when what it says about visitors is in their saved state, and when it is older than the operator
//! wants to keep segments for rebuilding a store.
//!
//! Guarantees: without a readable note of the store nothing is deleted; the last segment never is, because the sequence
//! continues from it. Oldest first, so that a crash leaves no gap.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tessera_wire::journal::{NEEDED_FILE, needed_from_text, sequence_of_file_name};

/// Bytes of the note: a number and a line end.
const NOTE_BYTES_MAX: u64 = 64;

/// What was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reclaimed {
    /// Segments.
    pub segments: u64,
    /// Their length.
    pub bytes: u64,
}

/// Deletes segments that nobody needs and that were last written before `older_than`. The saved visitors cover every
/// record below `visitors`. `used` is the length of all segments, and becomes smaller.
///
/// # Errors
/// The directory cannot be read or a file not deleted; what was deleted before stays deleted.
pub fn reclaim(
    directory: &Path,
    visitors: u64,
    older_than: SystemTime,
    used: &AtomicU64,
) -> io::Result<Reclaimed> {
    let mut reclaimed = Reclaimed::default();
    let Some(needed) = needed_by_analytics(directory) else { return Ok(reclaimed) };
    let segments = segments(directory)?;
    // Restoring visitors begins with the last segment that starts at or before the covered record.
    let first_for_visitors = segments.partition_point(|(first, ..)| *first <= visitors).saturating_sub(1);
    let first_for_analytics = segments.partition_point(|(first, ..)| *first < needed);
    let end = first_for_visitors.min(first_for_analytics).min(segments.len().saturating_sub(1));
    for (_, path, length) in &segments[..end] {
        if std::fs::metadata(path)?.modified()? >= older_than {
            break;
        }
        std::fs::remove_file(path)?;
        used.fetch_sub(*length, Ordering::Relaxed);
        reclaimed.segments += 1;
        reclaimed.bytes += length;
    }
    Ok(reclaimed)
}

/// Length of all segments.
pub(super) fn used_bytes(directory: &Path) -> io::Result<u64> {
    Ok(segments(directory)?.iter().map(|(_, _, length)| length).sum())
}

/// Segments written within `keep` stay, whoever needs them.
pub(crate) fn keep_since(now: SystemTime, keep: Duration) -> SystemTime {
    now.checked_sub(keep).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn needed_by_analytics(directory: &Path) -> Option<u64> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(directory.join(NEEDED_FILE)).ok()?;
    file.take(NOTE_BYTES_MAX).read_to_string(&mut text).ok()?;
    needed_from_text(&text)
}

fn segments(directory: &Path) -> io::Result<Vec<(u64, PathBuf, u64)>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if let Some(first) = entry.file_name().to_str().and_then(sequence_of_file_name) {
            segments.push((first, entry.path(), entry.metadata()?.len()));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_wire::journal::{file_name, needed_text};

    /// Segments that begin at 0, 10, 20, 30.
    fn journal(note: Option<&str>) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for first in [0, 10, 20, 30] {
            std::fs::write(directory.path().join(file_name(first)), [0; 100]).unwrap();
        }
        if let Some(note) = note {
            std::fs::write(directory.path().join(NEEDED_FILE), note).unwrap();
        }
        directory
    }

    fn left(directory: &Path) -> Vec<u64> {
        segments(directory).unwrap().into_iter().map(|(first, ..)| first).collect()
    }

    #[test]
    fn what_somebody_needs_stays() {
        let later = SystemTime::now() + Duration::from_secs(60);
        for (needed, visitors, expected) in [
            (20, 100, vec![20, 30]),
            (20, 15, vec![10, 20, 30]),
            (20, 20, vec![20, 30]),
            (30, 0, vec![0, 10, 20, 30]),
            (0, 100, vec![0, 10, 20, 30]),
            (u64::MAX, u64::MAX, vec![30]),
        ] {
            let directory = journal(Some(&needed_text(needed)));
            let used = AtomicU64::new(used_bytes(directory.path()).unwrap());
            let reclaimed = reclaim(directory.path(), visitors, later, &used).unwrap();
            assert_eq!(left(directory.path()), expected, "needed {needed}, visitors {visitors}");
            assert_eq!(used.load(Ordering::Relaxed), expected.len() as u64 * 100);
            assert_eq!(reclaimed.segments, 4 - expected.len() as u64);
        }
    }

    #[test]
    fn without_a_readable_note_and_within_the_time_to_keep_nothing_is_deleted() {
        let (used, now) = (AtomicU64::new(400), SystemTime::now());
        let later = now + Duration::from_secs(60);
        for note in [None, Some(""), Some("thirty\n"), Some("30")] {
            let directory = journal(note);
            assert_eq!(reclaim(directory.path(), 100, later, &used).unwrap(), Reclaimed::default());
        }
        let directory = journal(Some("30\n"));
        let since = keep_since(now, Duration::from_secs(3_600));
        assert_eq!(reclaim(directory.path(), 100, since, &used).unwrap(), Reclaimed::default());
        assert_eq!(left(directory.path()).len(), 4);
    }
}
