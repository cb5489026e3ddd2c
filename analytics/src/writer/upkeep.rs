//! What a writer does beside counting: part files, erasure, retention, and telling engines which segments it still needs.
//!
//! Guarantees: the note of needed segments is written after the commit that it speaks of, so an engine that believes it
//! never deletes what is not stored. One piece of work per step.

use std::collections::BTreeMap;

use tessera_wire::journal;

use super::{Writer, WriterError, replace_file};
use crate::limits::{ERASE_INTERVAL_MS, EXPIRE_INTERVAL_MS};

/// When things were last done.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    erased_at_ms: Option<i64>,
    is_erasing: bool,
    expired_at_ms: Option<i64>,
    /// Segments that the notes name.
    noted: BTreeMap<u16, u64>,
}

fn is_due(last_ms: Option<i64>, now_ms: i64, interval_ms: i64) -> bool {
    // A clock that was set back must not stop the work.
    last_ms.is_none_or(|last| now_ms.saturating_sub(last) >= interval_ms || now_ms < last)
}

impl Writer {
    /// Makes a part file when it is time.
    pub(super) fn seal_if_due(&mut self) -> Result<(), WriterError> {
        if self.store.is_seal_due((self.clock)(), self.config.part_interval_ms) {
            self.store.seal()?;
        }
        Ok(())
    }

    /// Does one piece of what has no hurry. Says whether there is more.
    pub(super) fn keep_up(&mut self) -> Result<bool, WriterError> {
        let now_ms = (self.clock)();
        self.note_needed()?;
        if !self.upkeep.is_erasing
            && !self.store.erasing().is_empty()
            && is_due(self.upkeep.erased_at_ms, now_ms, ERASE_INTERVAL_MS)
        {
            self.upkeep.is_erasing = self.store.begin_erasing()?;
            self.upkeep.erased_at_ms = Some(now_ms);
        }
        if self.upkeep.is_erasing {
            self.upkeep.is_erasing = self.store.erase_next()?;
            return Ok(self.upkeep.is_erasing);
        }
        if is_due(self.upkeep.expired_at_ms, now_ms, EXPIRE_INTERVAL_MS) {
            self.store.expire(self.config.retention, now_ms)?;
            self.upkeep.expired_at_ms = Some(now_ms);
        }
        Ok(false)
    }

    /// Tells the engine of each journal on this machine which segments are still needed.
    fn note_needed(&mut self) -> Result<(), WriterError> {
        for (node, directory) in self.inputs.directories() {
            let Some(checkpoint) = self.committed.nodes.get(&node) else { continue };
            let needed = checkpoint.needed_segment();
            if self.upkeep.noted.get(&node) == Some(&needed) {
                continue;
            }
            let path = directory.join(journal::NEEDED_FILE);
            replace_file(&path, journal::needed_text(needed).as_bytes())
                .map_err(|source| WriterError::Publish { path, source })?;
            self.upkeep.noted.insert(node, needed);
        }
        Ok(())
    }
}
