//! The drain thread: rings in, segment files out, acknowledgements back.
//!
//! A touch is acknowledged only when everything that was in any ring when the touch was taken out has been written too:
//! the ad that it belongs to was served before, perhaps by another worker, and a touch whose ad is lost counts for
//! nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tessera_wire::event::{Event, Generation};
use tessera_wire::journal::append_record;

use super::{Acknowledgement, Announcement, AppendError, Entry, JournalCounters, SegmentWriter, Sync, count};
use crate::limits::{DISK_RETRY_MS, WRITE_BATCH_BYTES};

/// How long the thread sleeps when the rings were empty; an acknowledged event wakes it at once.
const IDLE: Duration = Duration::from_millis(5);
/// How long it gathers after a small batch that nobody waited for.
const GATHER: Duration = Duration::from_millis(1);
/// Entries from which on a batch is worth writing at once.
const FULL_BATCH_ENTRIES: usize = 512;
/// How many generations' names a new segment begins with: requests in flight may still use the one before.
const NAMES_KEPT: usize = 2;

pub(super) struct Drain {
    rings: Vec<rtrb::Consumer<Entry>>,
    /// Entries ever taken out of each ring.
    taken: Vec<u64>,
    held: VecDeque<Held>,
    announcements: Receiver<Announcement>,
    segments: SegmentWriter,
    sync: Sync,
    counters: Arc<JournalCounters>,
    stop: Arc<AtomicBool>,
    clock: fn() -> i64,
    names: Vec<Arc<Generation>>,
    names_are_due: bool,
    batch: Batch,
    last_sync: Instant,
    refused_at: Option<Instant>,
    /// Was the last refusal the quota's, not the disk's?
    is_quota_full: bool,
}

/// Records that go to the disk together.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    records: u64,
    served: u64,
    remembered: u64,
    acknowledged: u64,
    done: Vec<Acknowledgement>,
}

/// Acknowledgements of written events that wait for older entries of other rings.
struct Held {
    /// They are due when so many entries have been taken out of each ring and dealt with.
    until: Vec<u64>,
    done: Vec<Acknowledgement>,
}

impl Drain {
    pub(super) fn new(
        rings: Vec<rtrb::Consumer<Entry>>,
        announcements: Receiver<Announcement>,
        segments: SegmentWriter,
        sync: Sync,
        counters: Arc<JournalCounters>,
        stop: Arc<AtomicBool>,
        clock: fn() -> i64,
    ) -> Drain {
        Drain {
            taken: vec![0; rings.len()],
            held: VecDeque::new(),
            rings,
            announcements,
            segments,
            sync,
            counters,
            stop,
            clock,
            names: Vec::new(),
            names_are_due: false,
            batch: Batch::default(),
            last_sync: Instant::now(),
            refused_at: None,
            is_quota_full: false,
        }
    }

    /// Runs until the stop flag is set and the rings are empty.
    pub(super) fn run(mut self) {
        loop {
            // Read before the rings: whatever was pushed before the flag was set is then certainly seen.
            let is_stopping = self.stop.load(Ordering::Acquire);
            let entries = self.step();
            self.sync_when_due(is_stopping);
            match entries {
                0 if is_stopping => break,
                0 => std::thread::park_timeout(IDLE),
                // Nobody waits: let a batch gather instead of writing a few records at a time.
                1..FULL_BATCH_ENTRIES if self.held.is_empty() && !is_stopping => {
                    std::thread::park_timeout(GATHER)
                }
                _ => {}
            }
        }
    }

    /// Takes one batch and deals with it. Says how many entries there were.
    fn step(&mut self) -> usize {
        self.take_announcements();
        let is_ready = self.prepare();
        let entries = self.collect();
        self.write_batch(is_ready);
        self.counters.next_sequence.store(self.segments.next_sequence(), Ordering::Relaxed);
        self.release();
        entries
    }

    fn take_announcements(&mut self) {
        while let Ok(Announcement { names, done }) = self.announcements.try_recv() {
            self.names.retain(|known| known.generation != names.generation);
            self.names.push(names);
            if self.names.len() > NAMES_KEPT {
                self.names.remove(0);
            }
            self.names_are_due = true;
            self.prepare();
            // Whoever announced may have stopped waiting.
            let _ = done.send(());
        }
    }

    /// Moves entries from the rings into the batch, up to its size. Says how many.
    fn collect(&mut self) -> usize {
        let Drain { rings, taken, batch, segments, .. } = self;
        let mut entries = 0;
        for (ring, taken) in rings.iter_mut().zip(taken) {
            while batch.bytes.len() < WRITE_BATCH_BYTES
                && let Ok(entry) = ring.pop()
            {
                entries += 1;
                *taken += 1;
                batch.push(segments.next_sequence(), entry);
            }
        }
        entries
    }

    /// Begins a segment and writes names where they are due, so that a batch can follow. While the disk refuses, it is
    /// asked again only every [`DISK_RETRY_MS`].
    fn prepare(&mut self) -> bool {
        if self.refused_at.is_some_and(|at| at.elapsed() < Duration::from_millis(DISK_RETRY_MS)) {
            return false;
        }
        match self.try_prepare() {
            Ok(()) => true,
            Err(error) => self.refuse(&error),
        }
    }

    fn try_prepare(&mut self) -> std::io::Result<()> {
        if self.segments.needs_segment() {
            self.segments.begin((self.clock)())?;
            self.names_are_due = true;
        }
        if self.names_are_due && !self.names.is_empty() {
            self.write_names()?;
            self.names_are_due = false;
        }
        Ok(())
    }

    /// Remembers a refusal, and logs the first of a row; always false.
    fn refuse(&mut self, error: &std::io::Error) -> bool {
        self.is_quota_full = error.get_ref().is_some_and(|inner| inner.is::<super::QuotaFull>());
        if self.refused_at.replace(Instant::now()).is_none() {
            tracing::warn!(%error, "the journal cannot be written; events are refused until it can");
        }
        count(&self.counters.write_errors, 1);
        false
    }

    fn write_batch(&mut self, is_ready: bool) {
        if self.batch.records == 0 {
            return;
        }
        // Before the write: what is pushed meanwhile is younger than everything in the batch.
        let backlog = self.backlog();
        let is_written = is_ready && self.try_append().map_err(|error| self.refuse(&error)).is_ok();
        if is_written {
            if self.refused_at.take().is_some() {
                tracing::info!("the journal can be written again");
            }
            count(&self.counters.appended, self.batch.records);
            count(&self.counters.bytes, self.batch.bytes.len() as u64);
        } else {
            let JournalCounters { served_dropped_disk, served_dropped_quota, .. } = &*self.counters;
            let JournalCounters { events_refused_disk, events_refused_quota, .. } = &*self.counters;
            let (served, refused) = if self.is_quota_full {
                (served_dropped_quota, events_refused_quota)
            } else {
                (served_dropped_disk, events_refused_disk)
            };
            count(served, self.batch.served);
            count(&self.counters.remembered_dropped, self.batch.remembered);
            count(refused, self.batch.acknowledged);
        }
        match backlog.filter(|_| is_written) {
            Some(until) => self.held.push_back(Held { until, done: std::mem::take(&mut self.batch.done) }),
            None => answer(&mut self.batch.done, if is_written { Ok(()) } else { Err(AppendError::Disk) }),
        }
        self.batch.clear();
    }

    /// How far the rings must be emptied before the batch's events may be acknowledged; `None` when nothing is left.
    fn backlog(&self) -> Option<Vec<u64>> {
        if self.batch.done.is_empty() || self.rings.iter().all(|ring| ring.slots() == 0) {
            return None;
        }
        Some(self.rings.iter().zip(&self.taken).map(|(ring, taken)| taken + ring.slots() as u64).collect())
    }

    /// Acknowledges what has waited long enough. Everything taken out of the rings so far has been dealt with.
    fn release(&mut self) {
        while let Some(held) = self.held.front_mut()
            && held.until.iter().zip(&self.taken).all(|(until, taken)| taken >= until)
        {
            answer(&mut held.done, Ok(()));
            self.held.pop_front();
        }
    }

    /// Appends the batch, and forces it to the disk if acknowledgements promise that.
    fn try_append(&mut self) -> std::io::Result<()> {
        self.segments.append(&self.batch.bytes, self.batch.records)?;
        if self.sync == Sync::Always { self.segments.sync() } else { Ok(()) }
    }

    fn write_names(&mut self) -> std::io::Result<()> {
        let first = self.segments.next_sequence();
        let mut bytes = Vec::new();
        for (number, names) in self.names.iter().enumerate() {
            append_record(first + number as u64, &Event::Generation((**names).clone()), &mut bytes);
        }
        self.segments.append(&bytes, self.names.len() as u64)?;
        count(&self.counters.appended, self.names.len() as u64);
        Ok(())
    }

    fn sync_when_due(&mut self, is_stopping: bool) {
        let is_due = match self.sync {
            Sync::Always | Sync::Off => false,
            Sync::Every(interval) => self.last_sync.elapsed() >= interval,
        };
        if is_due || is_stopping {
            self.last_sync = Instant::now();
            if let Err(error) = self.segments.sync() {
                count(&self.counters.write_errors, 1);
                tracing::warn!(%error, "the journal cannot be forced to the disk");
            }
        }
    }
}

impl Batch {
    fn push(&mut self, first_sequence: u64, entry: Entry) {
        match entry {
            Entry::Served(served) => {
                self.served += 1;
                self.push_event(first_sequence, &Event::Served(served));
            }
            Entry::Remembered(remembered) => {
                self.remembered += 1;
                self.push_event(first_sequence, &Event::Remembered(remembered));
            }
            Entry::Acknowledged { events, done } => {
                self.acknowledged += told(&events);
                for event in &events {
                    self.push_event(first_sequence, event);
                }
                self.done.push(done);
            }
        }
    }

    fn push_event(&mut self, first_sequence: u64, event: &Event) {
        append_record(first_sequence + self.records, event, &mut self.bytes);
        self.records += 1;
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.records = 0;
        self.served = 0;
        self.remembered = 0;
        self.acknowledged = 0;
    }
}

/// Events that their sender was told about; what they change in what is remembered only accompanies them.
pub(super) fn told(events: &[Event]) -> u64 {
    events.iter().filter(|event| !matches!(event, Event::Remembered(_))).count() as u64
}

fn answer(acknowledgements: &mut Vec<Acknowledgement>, result: Result<(), AppendError>) {
    for done in acknowledgements.drain(..) {
        // The client may have gone; its event is written all the same.
        let _ = done.send(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::{click, read_all, served};

    #[test]
    fn a_touch_is_acknowledged_after_every_ad_served_before_it_is_written() {
        const ADS: u64 = 30_000;
        let directory = tempfile::tempdir().unwrap();
        let (mut touches, first) = rtrb::RingBuffer::new(1);
        let (mut ads, second) = rtrb::RingBuffer::new(ADS as usize);
        let segments = SegmentWriter::open(directory.path(), 1, 7).unwrap();
        let (_announcer, announcements) = std::sync::mpsc::sync_channel(1);
        let (counters, stop) = (Arc::default(), Arc::default());
        let rings = vec![first, second];
        let mut drain = Drain::new(rings, announcements, segments, Sync::Off, counters, stop, || 7);
        // More than one batch of ads in the ring that is emptied last, then a touch in the one that is emptied first.
        (0..ADS).for_each(|id| ads.push(Entry::Served(served(id.into()))).unwrap());
        let (done, mut touch) = tokio::sync::oneshot::channel();
        touches.push(Entry::Acknowledged { events: Box::new([click(u128::from(ADS) - 1)]), done }).unwrap();
        let mut batches = 0;
        while touch.try_recv().is_err() {
            assert!(drain.step() > 0, "never acknowledged");
            batches += 1;
        }
        assert!(batches > 1);
        assert_eq!(read_all(directory.path()).len() as u64, ADS + 1);
    }
}
