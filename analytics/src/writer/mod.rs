//! The writer: reads the journal, folds, commits, learns, publishes.
//!
//! Guarantees: exactly once. Rollups, facts and the journals' positions are one transaction; at start the state of joins and
//! repetitions is rebuilt from the part of the journal that can still matter, without counting it again. A failed step
//! leaves nothing half done: the writer opens itself again and goes on from the last commit. The posterior table is
//! replaced by rename, so the engine sees the old one or the new one.
//!
//! Cost: one thread. When idle, one directory look-up per [`POLL`].
//!
//! Not here: threads and signals; whoever composes the process calls [`Writer::run`] on a thread of its own.

mod inputs;
mod upkeep;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tessera_wire::posterior;

use crate::fold::{Delta, Fold, FoldConfig, Tally};
use crate::journal_reader::{Position, ReadError};
use crate::learner::Learner;
use crate::limits;
use crate::names::Names;
use crate::sources::SourceConfig;
use crate::store::{Batch, Progress, Retention, Stopper, Store, StoreError};
use inputs::Inputs;
use upkeep::Upkeep;

/// Pause between looks at a journal without news.
pub const POLL: Duration = Duration::from_millis(50);
/// Pause before a failed writer opens itself again.
const RETRY: Duration = Duration::from_secs(1);

/// Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a writer needs to know.
#[derive(Debug, Clone)]
pub struct WriterConfig {
    /// Journals, one per node.
    pub sources: Vec<SourceConfig>,
    /// The SQLite file; made when missing. Facts stand in a directory beside it.
    pub store_path: PathBuf,
    /// Where the posterior table is published.
    pub posterior_path: PathBuf,
    /// Bounds of joining.
    pub fold: FoldConfig,
    /// Events per commit, at most.
    pub batch_events_max: usize,
    /// A commit waits at most this long for more events.
    pub commit_interval_ms: i64,
    /// Facts wait at most this long before they become a file.
    pub part_interval_ms: i64,
    /// How long facts and rollups are kept.
    pub retention: Retention,
    /// Posterior tables are at least this far apart.
    pub publish_interval_ms: i64,
    /// Learner statistics lose half their weight in this time; `None` never forgets.
    pub half_life_hours: Option<f64>,
    /// Seed of the posterior draws.
    pub seed: u64,
}

impl WriterConfig {
    /// The defaults for a state directory layout of the caller's choice.
    pub fn new(journal_dir: PathBuf, store_path: PathBuf, posterior_path: PathBuf) -> WriterConfig {
        WriterConfig {
            sources: vec![SourceConfig::Journal(journal_dir)],
            store_path,
            posterior_path,
            part_interval_ms: limits::PART_INTERVAL_MS,
            retention: Retention::default(),
            fold: FoldConfig::default(),
            batch_events_max: limits::BATCH_EVENTS_MAX,
            commit_interval_ms: 100,
            publish_interval_ms: 500,
            half_life_hours: None,
            seed: 0,
        }
    }
}

/// A step failed; nothing of it has taken effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriterError {
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two journals were written by one node: their positions would be mixed up.
    #[error("two journals say that they are of node {node}; give each engine its own `engine.node`")]
    SameNode {
        /// Which.
        node: u16,
    },
    /// A journal that was read before is there again; the writer opens again to rebuild what it can still join.
    #[error("the journal of node {node} is back")]
    Returned {
        /// Which.
        node: u16,
    },
    /// A file could not be written.
    #[error("cannot publish {}: {source}", path.display())]
    Publish {
        /// The table's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepReport {
    /// Events read.
    pub read: usize,
    /// Was a batch committed?
    pub is_committed: bool,
    /// Generation of the posterior table that was published.
    pub published: Option<u64>,
    /// The journal has more at this moment.
    pub has_more: bool,
}

/// The component.
pub struct Writer {
    config: WriterConfig,
    clock: Clock,
    inputs: Inputs,
    fold: Fold,
    store: Store,
    learner: Learner,
    pending: Delta,
    pending_since_ms: Option<i64>,
    committed: Progress,
    upkeep: Upkeep,
}

impl Writer {
    /// Opens the store and rebuilds the state of the last commit.
    ///
    /// # Errors
    /// [`WriterError`] when the store or the journal cannot be read.
    pub fn open(config: WriterConfig, clock: Clock) -> Result<Writer, WriterError> {
        let store = Store::open(&config.store_path)?;
        let committed = store.progress()?;
        let mut fold = Fold::new(config.fold, Names::from_saved(store.names()?));
        let (inputs, replayed) = Inputs::open(&config, &committed, &mut fold)?;
        fold.end_replay(&store.waiting()?, committed.watermark_ms);
        let mut learner = Learner::default();
        if let Some(generation) = &replayed.generation {
            learner.set_generation(generation, &store)?;
        }
        Ok(Writer {
            config,
            clock,
            inputs,
            fold,
            store,
            learner,
            pending: Delta::default(),
            pending_since_ms: None,
            committed,
            upkeep: Upkeep::default(),
        })
    }

    /// Reads what there is, up to a batch; commits when the batch is full or old enough; publishes when it is time.
    ///
    /// # Errors
    /// [`WriterError`] when a part failed. The writer must then be opened again.
    pub fn step(&mut self) -> Result<StepReport, WriterError> {
        // Before anything is read: facts that cannot become a file must not pile up.
        self.seal_if_due()?;
        let read = self.read_batch()?;
        let is_full = self.pending.tally.read as usize >= self.config.batch_events_max;
        let waited_ms = self.pending_since_ms.map(|since| (self.clock)() - since);
        let is_old = waited_ms.is_some_and(|waited| waited >= self.config.commit_interval_ms);
        let mut report = StepReport { read, has_more: is_full, ..StepReport::default() };
        if is_full || is_old {
            self.commit()?;
            report.is_committed = true;
        }
        report.published = self.publish_if_due()?;
        report.has_more |= self.keep_up()?;
        Ok(report)
    }

    /// Commits what was read, however little or young.
    ///
    /// # Errors
    /// [`WriterError`] when the store failed. The writer must then be opened again.
    pub fn commit(&mut self) -> Result<(), WriterError> {
        let progress = self.inputs.progress(&mut self.fold);
        let names = self.fold.names_mut().take_unsaved();
        let skipped = self.inputs.skipped();
        let (delta, now_ms) = (&self.pending, (self.clock)());
        let batch = Batch { progress: &progress, names: &names, delta, skipped, now_ms };
        let factor = self.store.commit(&batch, self.config.half_life_hours)?;
        let delta = std::mem::take(&mut self.pending);
        self.pending_since_ms = None;
        self.committed = progress;
        self.inputs.set_committed();
        if factor != 1.0 {
            self.learner.fade(factor);
        }
        self.learner.add(&delta.cells);
        if let Some(generation) = &delta.generation {
            self.learner.set_generation(generation, &self.store)?;
        }
        Ok(())
    }

    /// Reads to the end of the journals without publishing anything, makes files of all facts and erases who asked for it.
    /// Says how many events there were. `stop` ends it after a commit.
    ///
    /// # Errors
    /// [`WriterError`] when a part failed; opened again, the writer goes on from the last commit.
    pub fn catch_up(&mut self, stop: &AtomicBool) -> Result<u64, WriterError> {
        let mut events = 0;
        while !stop.load(Ordering::Acquire) {
            let read = self.read_batch()?;
            self.commit()?;
            self.seal_if_due()?;
            events += read as u64;
            if read == 0 {
                break;
            }
        }
        self.store.seal()?;
        while self.store.begin_erasing()? && self.store.erase_next()? {}
        Ok(events)
    }

    /// Works until `stop` is true, then commits what was read. Failures are logged and retried from the last commit.
    pub fn run(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            let pause = match self.step() {
                Ok(report) if report.has_more => continue,
                Ok(_) => POLL,
                Err(error) => {
                    tracing::warn!(%error, "analytics step failed, going on from the last commit");
                    self.reopen();
                    RETRY
                }
            };
            std::thread::sleep(pause);
        }
        if let Err(error) = self.commit().and_then(|()| Ok(self.store.seal().map(drop)?)) {
            tracing::warn!(%error, "analytics could not commit before stopping; it goes on from the last commit");
        }
    }

    /// The posterior table's path, the store's path and so on.
    pub fn config(&self) -> &WriterConfig {
        &self.config
    }

    /// The learner, for reports and tests.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// How far the journals have taken effect.
    pub fn committed(&self) -> &Progress {
        &self.committed
    }

    /// How far the only journal has taken effect.
    pub fn position(&self) -> Position {
        self.committed.nodes.values().next().map_or(Position::default(), |checkpoint| checkpoint.position)
    }

    /// The store, for reports and tests.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Lets a test stop the store at a step, as a crash would.
    pub fn stop_at(&mut self, stopper: Stopper) {
        self.store.stop_at(stopper);
    }

    /// Where the records of the batch in hand have gone.
    pub fn pending(&self) -> &Tally {
        &self.pending.tally
    }

    fn reopen(&mut self) {
        match Writer::open(self.config.clone(), Arc::clone(&self.clock)) {
            Ok(writer) => *self = writer,
            Err(error) => tracing::warn!(%error, "analytics cannot open its store or journal yet"),
        }
    }

    fn read_batch(&mut self) -> Result<usize, WriterError> {
        self.inputs.look()?;
        let room = self.config.batch_events_max.saturating_sub(self.pending.tally.read as usize);
        let read = self.inputs.read(&mut self.fold, &mut self.pending, room)?;
        // Skipped records move the position too.
        if self.pending_since_ms.is_none() && self.inputs.has_moved(&self.committed) {
            self.pending_since_ms = Some((self.clock)());
        }
        Ok(read)
    }

    fn publish_if_due(&mut self) -> Result<Option<u64>, WriterError> {
        if !self.learner.is_due((self.clock)(), self.config.publish_interval_ms) {
            return Ok(None);
        }
        let generation = self.store.next_posterior_generation()?;
        let models = self.learner.refit(self.config.seed ^ generation, &*self.clock);
        let table = posterior::PosteriorTable { generation, made_at_ms: (self.clock)(), models };
        let path = &self.config.posterior_path;
        replace_file(path, &posterior::encode(&table))
            .map_err(|source| WriterError::Publish { path: path.clone(), source })?;
        Ok(Some(generation))
    }
}

/// Replaces a file so that readers see the old or the new content, and a crash leaves one of the two.
fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
