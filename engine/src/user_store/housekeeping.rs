//! The thread that keeps what is remembered of visitors within bounds and on the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{UserStore, VisitorFiles};
use crate::journal::JournalCounters;
use crate::limits::VISITORS_SAVE_SECS;
use crate::server::now_ms;

const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Sweeps and saves.
pub(crate) struct Housekeeping {
    pub(crate) users: Arc<UserStore>,
    pub(crate) files: VisitorFiles,
    pub(crate) journal: Arc<JournalCounters>,
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
        let mut seen = covered;
        while !stop.load(Ordering::Acquire) {
            std::thread::park_timeout(LOOK_INTERVAL);
            // A look earlier than its interval is due as well when memory is nearly full.
            if swept.elapsed() >= SWEEP_INTERVAL || self.users.is_nearly_full() {
                swept = Instant::now();
                self.users.sweep(now_ms());
            }
            let next = self.journal.next_sequence.load(Ordering::Relaxed);
            if saved.elapsed() >= Duration::from_secs(VISITORS_SAVE_SECS) && next != seen {
                saved = Instant::now();
                save(&self.files, &self.users, covered);
                (covered, seen) = (seen, next);
            }
        }
    }
}

/// Saves the state, which covers the journal below `sequence`. A full disk costs the save, nothing else.
pub(crate) fn save(files: &VisitorFiles, users: &UserStore, sequence: u64) {
    if let Err(error) = files.save(users, sequence) {
        tracing::warn!(%error, "what is remembered of visitors cannot be saved; the journal still has it");
    }
}
