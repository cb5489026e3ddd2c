//! The thread that keeps what is remembered of visitors within bounds and on the disk, and then gives back the journal
//! segments that nobody needs any more.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::{UserStore, VisitorFiles};
use crate::journal::{JournalCounters, count, keep_since, reclaim};
use crate::limits::VISITORS_SAVE_SECS;
use crate::server::now_ms;

const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Sweeps and saves.
pub(crate) struct Housekeeping {
    pub(crate) users: Arc<UserStore>,
    pub(crate) files: VisitorFiles,
    pub(crate) journal: Arc<JournalCounters>,
    pub(crate) journal_directory: PathBuf,
    /// What the journal may take.
    pub(crate) journal_bytes_max: u64,
    /// How long segments are kept although nobody needs them.
    pub(crate) journal_keep: Duration,
}

impl Housekeeping {
    /// Runs until the flag is set. The last save is [`Housekeeping::save`]'s, when the journal is closed.
    pub(crate) fn spawn(self, stop: Arc<AtomicBool>) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("visitors".into()).spawn(move || self.run(&stop))
    }

    fn run(&self, stop: &AtomicBool) {
        let (mut swept, mut saved) = (Instant::now(), Instant::now());
        // Changes are applied a moment before or after their records are written: a state covers only what was written
        // before the save before.
        let mut covered = self.journal.next_sequence.load(Ordering::Relaxed);
        let mut saved_below = None;
        let mut seen = covered;
        while !stop.load(Ordering::Acquire) {
            std::thread::park_timeout(LOOK_INTERVAL);
            // A look earlier than its interval is due as well when memory is nearly full.
            if swept.elapsed() >= SWEEP_INTERVAL || self.users.is_nearly_full() {
                swept = Instant::now();
                self.users.sweep(now_ms());
            }
            let next = self.journal.next_sequence.load(Ordering::Relaxed);
            if saved.elapsed() < Duration::from_secs(VISITORS_SAVE_SECS) {
                continue;
            }
            saved = Instant::now();
            // A journal that stands still has records that the last save did not cover yet.
            if next != seen || saved_below != Some(seen) {
                saved_below = save(&self.files, &self.users, covered).then_some(covered).or(saved_below);
                (covered, seen) = (seen, next);
            }
            // Also when nothing was written: the quota may be full, and analytics have caught up meanwhile.
            if let Some(sequence) = saved_below {
                self.reclaim(sequence);
            }
        }
    }

    /// Deletes segments that neither the saved visitors nor analytics need.
    fn reclaim(&self, sequence: u64) {
        // A journal that is nearly full keeps nothing for later.
        let is_nearly_full =
            self.journal.bytes_used.load(Ordering::Relaxed) >= self.journal_bytes_max / 10 * 9;
        let keep = if is_nearly_full { Duration::ZERO } else { self.journal_keep };
        let older_than = keep_since(SystemTime::now(), keep);
        match reclaim(&self.journal_directory, sequence, older_than, &self.journal.bytes_used) {
            Ok(reclaimed) => count(&self.journal.segments_reclaimed, reclaimed.segments),
            Err(error) => tracing::warn!(%error, "journal segments that nobody needs cannot be deleted"),
        }
    }
}

/// Saves the state, which covers the journal below `sequence`, and says whether that worked. A full disk costs the save,
/// nothing else.
pub(crate) fn save(files: &VisitorFiles, users: &UserStore, sequence: u64) -> bool {
    let saved = files.save(users, sequence);
    if let Err(error) = &saved {
        tracing::warn!(%error, "what is remembered of visitors cannot be saved; the journal still has it");
    }
    saved.is_ok()
}
