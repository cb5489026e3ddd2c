//! The event journal's writing side: per-worker rings, one drain thread, segment files.
//!
//! Workers hand events over through bounded single-producer rings and never wait for the disk. Served ads are fire and
//! forget; touches and behaviour carry an acknowledgement that fires after the bytes have been written to the file, and
//! those of every ad served before, so that what was acknowledged survives the death of the process (and, with
//! [`Sync::Always`], of the machine) and can be counted.
//!
//! Drop policy: drop the newest, counted by kind and reason. Served ads leave the last part of each ring to touches.
//! A full quota or a full or failing disk costs events, never decisions: writes are retried every
//! [`DISK_RETRY_MS`](crate::limits::DISK_RETRY_MS) and everything in between is counted.
//!
//! Not here: the record format (`tessera_wire::journal`) and reading (the analytics writer).

mod drain;
mod reclaim;
mod segment;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tessera_wire::event::{Event, Generation, Remembered, Served};
use tokio::sync::oneshot;

use crate::limits::{RING_ENTRIES, RING_RESERVED_FOR_TOUCHES};

pub(crate) use reclaim::keep_since;
pub use reclaim::{Reclaimed, reclaim};
pub use segment::{QuotaFull, SegmentWriter};

/// When written bytes are forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Before anything is acknowledged.
    Always,
    /// This often, in the background of acknowledgements.
    Every(Duration),
    /// Never by us; the operating system decides.
    Off,
}

/// How the journal is kept.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// Directory of the segment files.
    pub directory: PathBuf,
    /// When bytes are forced to the disk.
    pub sync: Sync,
    /// Which engine writes, for merged journals.
    pub node: u16,
    /// Number of worker rings.
    pub workers: usize,
    /// Bytes that all segments together may take. When they are full, new events are dropped and refused, and counted:
    /// older ones may not be stored yet.
    pub bytes_max: u64,
}

/// The event was not written; the sender may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The worker's ring is full because the disk is behind.
    #[error("the event queue is full")]
    QueueFull,
    /// The disk refused the bytes.
    #[error("the disk refused the event")]
    Disk,
    /// The engine is shutting down.
    #[error("the journal is closed")]
    Closed,
}

/// Drop and progress counters, shared with the metrics page.
#[derive(Debug, Default)]
pub struct JournalCounters {
    /// Records written.
    pub appended: AtomicU64,
    /// Bytes written.
    pub bytes: AtomicU64,
    /// Served ads that found the ring full.
    pub served_dropped_queue: AtomicU64,
    /// Changes of remembered visitors that found the ring full or were refused by the disk: they live in memory only.
    pub remembered_dropped: AtomicU64,
    /// Sequence number of the next record.
    pub next_sequence: AtomicU64,
    /// Served ads that the disk refused.
    pub served_dropped_disk: AtomicU64,
    /// Served ads that found the quota full.
    pub served_dropped_quota: AtomicU64,
    /// Touches and behaviour that found the quota full; their senders were told.
    pub events_refused_quota: AtomicU64,
    /// Length of all segments.
    pub bytes_used: Arc<AtomicU64>,
    /// Segments that were deleted because nobody needs them any more.
    pub segments_reclaimed: AtomicU64,
    /// Touches and behaviour that found the ring full; their senders were told.
    pub events_refused_queue: AtomicU64,
    /// Touches and behaviour that the disk refused; their senders were told.
    pub events_refused_disk: AtomicU64,
    /// Writes that failed.
    pub write_errors: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

type Acknowledgement = oneshot::Sender<Result<(), AppendError>>;

/// What travels through a ring.
pub(crate) enum Entry {
    Served(Served),
    Remembered(Remembered),
    Acknowledged { events: Box<[Event]>, done: Acknowledgement },
}

/// One worker's end of the journal.
pub struct WorkerJournal {
    ring: rtrb::Producer<Entry>,
    drain: std::thread::Thread,
    counters: Arc<JournalCounters>,
}

impl WorkerJournal {
    /// Hands over a served ad without waiting; a full ring drops it and counts it. Says whether it was taken.
    pub fn served(&mut self, served: Served) -> bool {
        let has_room = self.ring.slots() > RING_RESERVED_FOR_TOUCHES;
        if !has_room || self.ring.push(Entry::Served(served)).is_err() {
            count(&self.counters.served_dropped_queue, 1);
            return false;
        }
        true
    }

    /// Hands over a change of a remembered visitor without waiting; a full ring drops it and counts it.
    pub fn remembered(&mut self, remembered: Remembered) {
        let has_room = self.ring.slots() > RING_RESERVED_FOR_TOUCHES;
        if !has_room || self.ring.push(Entry::Remembered(remembered)).is_err() {
            count(&self.counters.remembered_dropped, 1);
        }
    }

    /// Hands over events; the receiver resolves once they have been written.
    ///
    /// # Errors
    /// [`AppendError::QueueFull`] at once when the ring is full; nothing was taken.
    pub fn append(
        &mut self,
        events: Box<[Event]>,
    ) -> Result<oneshot::Receiver<Result<(), AppendError>>, AppendError> {
        let count_of_events = drain::told(&events);
        let (done, receiver) = oneshot::channel();
        if self.ring.push(Entry::Acknowledged { events, done }).is_err() {
            count(&self.counters.events_refused_queue, count_of_events);
            return Err(AppendError::QueueFull);
        }
        self.drain.unpark();
        Ok(receiver)
    }
}

/// Names that must be written before the first record that needs them.
pub(crate) struct Announcement {
    pub(crate) names: Arc<Generation>,
    pub(crate) done: std::sync::mpsc::SyncSender<()>,
}

/// Announces generations to the journal.
#[derive(Clone)]
pub struct Announcer {
    sender: std::sync::mpsc::SyncSender<Announcement>,
    drain: std::thread::Thread,
}

impl Announcer {
    /// Writes a generation's names ahead of its first served record. Returns when they are written, or when the disk
    /// has refused them (they are then written ahead of whatever the disk accepts next).
    pub fn announce(&self, names: Generation) {
        let (done, finished) = std::sync::mpsc::sync_channel(1);
        let announcement = Announcement { names: Arc::new(names), done };
        if self.sender.send(announcement).is_ok() {
            self.drain.unpark();
            // An error means that the journal has closed: there is nobody left to wait for.
            let _ = finished.recv_timeout(Duration::from_secs(5));
        }
    }
}

/// The running journal.
pub struct Journal {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    announcer: Announcer,
    counters: Arc<JournalCounters>,
}

/// A journal and its workers' ends.
pub type Opened = (Journal, Vec<WorkerJournal>);

impl Journal {
    /// Opens the directory and starts the drain thread.
    ///
    /// # Errors
    /// The directory cannot be created or read, or the first segment cannot be made.
    pub fn open(config: &JournalConfig, clock: fn() -> i64) -> std::io::Result<Opened> {
        let segments = SegmentWriter::open(&config.directory, config.node, clock())?;
        let bytes_used = Arc::new(AtomicU64::new(reclaim::used_bytes(&config.directory)?));
        let segments = segments.limited(config.bytes_max, Arc::clone(&bytes_used));
        let counters = Arc::new(JournalCounters { bytes_used, ..JournalCounters::default() });
        counters.next_sequence.store(segments.next_sequence(), Ordering::Relaxed);
        let stop = Arc::new(AtomicBool::new(false));
        let (producers, consumers): (Vec<_>, Vec<_>) =
            (0..config.workers).map(|_| rtrb::RingBuffer::new(RING_ENTRIES)).unzip();
        let (sender, announcements) = std::sync::mpsc::sync_channel(8);
        let drain = drain::Drain::new(
            consumers,
            announcements,
            segments,
            config.sync,
            Arc::clone(&counters),
            Arc::clone(&stop),
            clock,
        );
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || drain.run())?;
        let handle = thread.thread().clone();
        let workers = producers
            .into_iter()
            .map(|ring| WorkerJournal { ring, drain: handle.clone(), counters: Arc::clone(&counters) })
            .collect();
        let announcer = Announcer { sender, drain: handle };
        Ok((Journal { thread: Some(thread), stop, announcer, counters }, workers))
    }

    /// Announces generations.
    pub fn announcer(&self) -> Announcer {
        self.announcer.clone()
    }

    /// Counters.
    pub fn counters(&self) -> Arc<JournalCounters> {
        Arc::clone(&self.counters)
    }

    /// Writes what is in the rings, forces it to the disk and ends the thread.
    pub fn close(mut self) {
        self.stop.store(true, Ordering::Release);
        self.announcer.drain.unpark();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_wire::event::{Arm, Mode, Tier, Touch, TouchKind};
    use tessera_wire::journal::{HEADER_BYTES, Record, read_record};

    pub(super) fn click(decision_id: u128) -> Event {
        let kind = TouchKind::Click;
        Event::Touch(Touch { decision_id, ad: 0, kind, at_ms: 1, value_micros: 0, currency: [0; 3] })
    }

    pub(super) fn served(decision_id: u128) -> Served {
        Served {
            decision_id,
            ad: 0,
            at_ms: 1,
            generation: 1,
            posterior_generation: 0,
            placement: 0,
            campaign: 0,
            flight: 0,
            cpm_micros: 0,
            template: 0,
            combination: 0,
            offer: 0,
            rule: 0,
            locale: 0,
            offer_at_ms: 0,
            item_margin: None,
            choices: [None; 3],
            variants: [None; 4],
            tags: [None; 4],
            exposure: None,
            arm: Arm::Personalized,
            tier: Tier::Full,
            mode: Mode::Full,
            context: [0; tessera_wire::limits::CONTEXT_FIELDS_MAX],
            propensity: 1.0,
            is_learnable: true,
            subject: 0,
        }
    }

    pub(super) fn read_all(directory: &std::path::Path) -> Vec<(u64, Event)> {
        let mut names: Vec<_> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        let mut events = Vec::new();
        for name in names {
            let bytes = std::fs::read(name).unwrap();
            let mut at = HEADER_BYTES;
            while let Record::Whole { sequence, event, used } = read_record(&bytes[at..]) {
                events.push((sequence, *event));
                at += used;
            }
            assert_eq!(at, bytes.len());
        }
        events
    }

    fn config(directory: &std::path::Path, sync: Sync) -> JournalConfig {
        JournalConfig { directory: directory.to_owned(), sync, node: 1, workers: 2, bytes_max: u64::MAX }
    }

    #[test]
    fn what_was_acknowledged_is_in_the_file() {
        for sync in [Sync::Always, Sync::Every(Duration::from_millis(1)), Sync::Off] {
            let directory = tempfile::tempdir().unwrap();
            let (journal, mut workers) = Journal::open(&config(directory.path(), sync), || 7).unwrap();
            journal.announcer().announce(Generation { generation: 3, ..Generation::default() });
            let first = workers[0].append(Box::new([click(1), click(2)])).unwrap();
            let second = workers[1].append(Box::new([click(3)])).unwrap();
            assert_eq!(first.blocking_recv(), Ok(Ok(())));
            assert_eq!(second.blocking_recv(), Ok(Ok(())));
            let events = read_all(directory.path());
            assert!(matches!(&events[0].1, Event::Generation(names) if names.generation == 3));
            assert_eq!(events.len(), 4);
            assert!(
                events.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1),
                "sequence numbers count up by one"
            );
            journal.close();
        }
    }

    #[test]
    fn a_reopened_journal_continues_the_sequence_in_a_new_segment_that_explains_itself() {
        let directory = tempfile::tempdir().unwrap();
        for round in 0..3u64 {
            let (journal, mut workers) = Journal::open(&config(directory.path(), Sync::Off), || 7).unwrap();
            journal.announcer().announce(Generation { generation: round, ..Generation::default() });
            assert_eq!(workers[0].append(Box::new([click(1)])).unwrap().blocking_recv(), Ok(Ok(())));
            journal.close();
        }
        let events = read_all(directory.path());
        let sequences: Vec<u64> = events.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, (0..6).collect::<Vec<u64>>());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_full_quota_refuses_and_counts_until_there_is_room() {
        let directory = tempfile::tempdir().unwrap();
        let config = JournalConfig { bytes_max: 2_000, ..config(directory.path(), Sync::Off) };
        let (journal, mut workers) = Journal::open(&config, || 7).unwrap();
        let counters = journal.counters();
        let mut send = |id| workers[0].append(Box::new([click(id)])).unwrap().blocking_recv().unwrap();
        let written = (0..1_000).take_while(|id| send(*id) == Ok(())).count();
        assert!(written > 0 && written < 1_000);
        assert_eq!(counters.events_refused_quota.load(Ordering::Relaxed), 1);
        assert_eq!(counters.events_refused_disk.load(Ordering::Relaxed), 0);
        let used = counters.bytes_used.load(Ordering::Relaxed);
        assert!(used <= 2_000);
        let on_disk =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
        assert_eq!(on_disk.map(|metadata| metadata.len()).sum::<u64>(), used);
        // As if segments had been given back.
        counters.bytes_used.store(0, Ordering::Relaxed);
        // The disk is asked again only after a while.
        let since = std::time::Instant::now();
        assert!((0..).take_while(|_| since.elapsed().as_secs() < 10).any(|id| send(id) == Ok(())));
        journal.close();
        assert!(read_all(directory.path()).len() > written);
    }

    #[test]
    fn closing_the_journal_writes_what_is_queued() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, mut workers) = Journal::open(&config(directory.path(), Sync::Off), || 7).unwrap();
        let receivers: Vec<_> =
            (0..100).map(|id| workers[0].append(Box::new([click(id)])).unwrap()).collect();
        journal.close();
        assert!(receivers.into_iter().all(|receiver| receiver.blocking_recv() == Ok(Ok(()))));
        assert_eq!(read_all(directory.path()).len(), 100);
    }
}
