//! The analytics store: SQLite with rollups, learner statistics, the manifest of facts and the journals' positions; and
//! facts as Parquet files beside it.
//!
//! Guarantees: a batch's sums, its facts and the positions after it are committed in one transaction, durable when
//! [`Store::commit`] returns (WAL, `synchronous=FULL`), so a crash at any point repeats or skips nothing. The newest facts
//! stand in the database, in the *tail*; [`Store::seal`] moves them to a part file, again in one transaction with the
//! file's row in the manifest. Migrations run under `user_version`; a store of a newer version is refused.
//!
//! Cost: one statement per changed row and one fsync per commit. Facts are written twice, which costs less than the
//! hundred thousand small files a day that learning within a second would otherwise make.
//!
//! Not here: what to sum ([`crate::fold`]) and how to read it ([`crate::report`]).

mod erasure;
mod part_file;
mod parts;
mod reconcile;
mod retention;
mod rows;

pub use part_file::PartError;
pub use parts::{FACTS_EXTENSION, Part, Step};
pub use reconcile::{HourCounts, Reconciliation, reconcile};
pub use retention::{Expired, Retention};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ahash::AHashSet;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use tessera_wire::event::Touch;

use crate::fold::Delta;
use crate::journal_reader::Position;
use crate::names::{Name, NameId, NameList};

/// Version of the tables.
pub const SCHEMA_VERSION: i64 = 2;

/// How long to wait for another connection's lock, which only a checkpoint or a backup holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The store failed; the writer opens it again and goes on from the last commit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite refused.
    #[error("analytics store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A part file cannot be written or read.
    #[error("facts file {}: {source}", path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: PartError,
    },
    /// The tail of facts in the database makes no sense.
    #[error(
        "analytics store: the facts of batch {batch} are damaged: {source}; rebuild it with `tessera replay`"
    )]
    Tail {
        /// Its number.
        batch: i64,
        /// What is wrong.
        source: tessera_wire::codec::DecodeError,
    },
    /// A test stopped the store here, as a crash would.
    #[error("stopped at {step:?}")]
    Stopped {
        /// Where.
        step: Step,
    },
    /// Written by a newer writer.
    #[error("analytics store has version {found}, newer than this writer understands (max {supported})")]
    TooNew {
        /// Version in the file.
        found: i64,
        /// Newest version understood.
        supported: i64,
    },
}

/// How far one node's journal has taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// After the last record that has taken effect.
    pub position: Position,
    /// Segment from which a restart must read.
    pub replay_segment: u64,
    /// Time of the newest served record before that segment.
    pub replay_watermark_ms: i64,
}

impl Default for Checkpoint {
    fn default() -> Checkpoint {
        Checkpoint { position: Position::default(), replay_segment: 0, replay_watermark_ms: i64::MIN }
    }
}

impl Checkpoint {
    /// First segment that a restart reads again: older segment files may be deleted, this one and later ones not.
    pub fn needed_segment(&self) -> u64 {
        self.replay_segment.min(self.position.segment)
    }
}

/// How far the journals have taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// By node.
    pub nodes: BTreeMap<u16, Checkpoint>,
    /// Time of the newest served record.
    pub watermark_ms: i64,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress { nodes: BTreeMap::new(), watermark_ms: i64::MIN }
    }
}

/// What one commit adds.
#[derive(Debug)]
pub struct Batch<'a> {
    /// How far the journals have been read with it.
    pub progress: &'a Progress,
    /// Names that its rows use for the first time.
    pub names: &'a [(NameId, Name)],
    /// Its sums and facts.
    pub delta: &'a Delta,
    /// What could not be read.
    pub skipped: Skipped,
    /// The clock, unix milliseconds.
    pub now_ms: i64,
}

/// What the reader skipped since the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skipped {
    /// Damaged records.
    pub damaged: u64,
    /// Segments with a torn tail.
    pub torn: u64,
    /// Segments left early.
    pub lost: u64,
    /// Sequence numbers that never appeared.
    pub missing: u64,
}

/// Sufficient statistics of one (context, combination).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Labels by field.
    pub context: NameList,
    /// Assets by slot.
    pub combination: NameList,
    /// Impressions, faded.
    pub impressions: f64,
    /// Clicks, faded.
    pub clicks: f64,
}

/// Asked at each step; true stops the store dead, as a crash would. For tests.
pub type Stopper = Arc<dyn Fn(Step) -> bool + Send + Sync>;

/// The writer's connection.
pub struct Store {
    connection: Connection,
    /// Directory of the part files.
    directory: PathBuf,
    tail: parts::Tail,
    /// Subjects whose facts are still to be freed of them.
    erasing: AHashSet<u64>,
    stopper: Option<Stopper>,
}

impl Store {
    /// Opens or creates a store.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be opened or is newer than this writer.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.set_prepared_statement_cache_capacity(32);
        migrate(&mut connection)?;
        let mut store = Store {
            connection,
            directory: path.with_extension(FACTS_EXTENSION),
            tail: parts::Tail::default(),
            erasing: AHashSet::new(),
            stopper: None,
        };
        store.open_parts()?;
        store.erasing = store.read_erasing()?;
        Ok(store)
    }

    /// Lets a test stop the store at a step.
    pub fn stop_at(&mut self, stopper: Stopper) {
        self.stopper = Some(stopper);
    }

    fn pass(&self, step: Step) -> Result<(), StoreError> {
        match &self.stopper {
            Some(stopper) if stopper(step) => Err(StoreError::Stopped { step }),
            _ => Ok(()),
        }
    }

    /// How far the journal has taken effect.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn progress(&self) -> Result<Progress, StoreError> {
        read_progress(&self.connection)
    }

    /// All names.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn names(&self) -> Result<Vec<(NameId, Name)>, StoreError> {
        let mut statement = self.connection.prepare("SELECT id, kind, owner, text FROM names")?;
        let names = statement.query_map([], |row| {
            let name = Name { kind: row.get(1)?, owner: row.get(2)?, text: row.get(3)? };
            Ok((NameId(row.get(0)?), name))
        })?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// Touches that waited at the last commit, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn waiting(&self) -> Result<Vec<(Touch, i64)>, StoreError> {
        let sql = "SELECT decision_id, ad, kind, at_ms, value_micros, currency, since_ms
                   FROM waiting_touches ORDER BY rowid";
        let mut statement = self.connection.prepare(sql)?;
        let touches = statement.query_map([], rows::touch)?;
        Ok(touches.collect::<Result<_, _>>()?)
    }

    /// The learner's statistics of one template.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn cells(&self, template: NameId) -> Result<Vec<Cell>, StoreError> {
        let sql = "SELECT context, combination, impressions, clicks FROM cells WHERE template = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let cells = statement.query_map([template.0], |row| {
            Ok(Cell {
                context: NameList::from_bytes(row.get_ref(0)?.as_blob()?),
                combination: NameList::from_bytes(row.get_ref(1)?.as_blob()?),
                impressions: row.get(2)?,
                clicks: row.get(3)?,
            })
        })?;
        Ok(cells.collect::<Result<_, _>>()?)
    }

    /// Adds a batch and moves the positions, all or nothing. Learner statistics lose half their weight in the half-life.
    /// Returns the factor by which they were multiplied before the batch was added.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses; nothing of the batch has taken effect then.
    pub fn commit(&mut self, batch: &Batch<'_>, half_life_hours: Option<f64>) -> Result<f64, StoreError> {
        let Batch { progress, names, delta, skipped, now_ms } = batch;
        self.pass(Step::BatchBegun)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        rows::insert_names(&transaction, names)?;
        let factor = rows::fade_cells(&transaction, progress.watermark_ms, half_life_hours)?;
        rows::add_facts(&transaction, delta)?;
        rows::add_combinations(&transaction, delta)?;
        rows::add_cells(&transaction, delta)?;
        rows::add_behaviours(&transaction, delta)?;
        rows::add_experiments(&transaction, delta)?;
        rows::add_hours(&transaction, delta)?;
        rows::change_waiting(&transaction, delta)?;
        rows::add_totals(&transaction, delta, *skipped)?;
        rows::add_erasures(&transaction, delta)?;
        parts::add_to_tail(&transaction, &delta.rows, *now_ms)?;
        rows::set_progress(&transaction, progress)?;
        if let Some(stopper) = &self.stopper
            && stopper(Step::BatchAdded)
        {
            return Err(StoreError::Stopped { step: Step::BatchAdded });
        }
        transaction.commit()?;
        self.tail.extend(&delta.rows, *now_ms);
        self.erasing.extend(delta.erased.iter().map(|(subject, _)| *subject));
        self.pass(Step::BatchCommitted)?;
        Ok(factor)
    }

    /// Hands out the next posterior generation; no generation is ever handed out twice.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn next_posterior_generation(&mut self) -> Result<u64, StoreError> {
        let sql = "INSERT INTO publication (one, generation) VALUES (1, 1)
                   ON CONFLICT (one) DO UPDATE SET generation = generation + 1 RETURNING generation";
        let generation: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(unsigned(generation))
    }
}

/// A read-only connection, for reports beside a running writer.
///
/// # Errors
/// [`StoreError`] when there is no store or it is newer than this code.
pub fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    check_version(&connection)?;
    Ok(connection)
}

/// How far the journals have taken effect; the start when nothing was committed yet.
pub(crate) fn read_progress(connection: &Connection) -> Result<Progress, StoreError> {
    let mut progress = Progress::default();
    let watermark: Option<i64> =
        connection.query_row("SELECT watermark_ms FROM clock", [], |row| row.get(0)).optional()?;
    progress.watermark_ms = watermark.unwrap_or(i64::MIN);
    let sql = "SELECT node, segment, offset, replay_segment, replay_watermark_ms FROM checkpoints";
    let mut statement = connection.prepare_cached(sql)?;
    let nodes = statement.query_map([], |row| {
        let checkpoint = Checkpoint {
            position: Position { segment: unsigned(row.get(1)?), offset: unsigned(row.get(2)?) },
            replay_segment: unsigned(row.get(3)?),
            replay_watermark_ms: row.get(4)?,
        };
        Ok((row.get(0)?, checkpoint))
    })?;
    progress.nodes = nodes.collect::<Result<_, _>>()?;
    Ok(progress)
}

fn check_version(connection: &Connection) -> Result<i64, StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::TooNew { found, supported: SCHEMA_VERSION });
    }
    Ok(found)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found = check_version(connection)?;
    let steps = [include_str!("schema.sql"), include_str!("schema_2.sql")];
    for (version, sql) in (1..).zip(steps).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// SQLite's integers are signed; sequence numbers and counts keep their bits.
pub(crate) fn unsigned(value: i64) -> u64 {
    value as u64
}

pub(crate) fn signed(value: u64) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_store_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        Store::open(&path).unwrap().connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::TooNew { found: 99, .. })));
        assert!(matches!(open_read_only(&path), Err(StoreError::TooNew { found: 99, .. })));
    }

    #[test]
    fn commits_are_fully_synchronous() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("a.db")).unwrap();
        let full: i64 = store.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!(full, 2);
    }

    #[test]
    fn posterior_generations_count_up_across_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        for expected in 1..4 {
            assert_eq!(Store::open(&path).unwrap().next_posterior_generation().unwrap(), expected);
        }
    }

    #[test]
    fn statistics_fade_by_half_in_a_half_life() {
        use crate::fold::{CellKey, Trials};
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("a.db")).unwrap();
        let mut delta = Delta::default();
        let key =
            CellKey { template: NameId(1), context: NameList::default(), combination: NameList::default() };
        delta.cells.insert(key, Trials { impressions: 8, clicks: 4 });
        let mut commit = |hours: i64, delta: &Delta| {
            let progress = Progress { watermark_ms: hours * 3_600_000, ..Progress::default() };
            let skipped = Skipped::default();
            let batch = Batch { progress: &progress, names: &[], delta, skipped, now_ms: 0 };
            store.commit(&batch, Some(24.0)).unwrap()
        };
        assert_eq!(commit(1000, &delta), 1.0);
        let factor = commit(1024, &Delta::default());
        assert!((factor - 0.5).abs() < 1e-12);
        let cells = store.cells(NameId(1)).unwrap();
        assert!((cells[0].impressions - 4.0).abs() < 1e-9 && (cells[0].clicks - 2.0).abs() < 1e-9);
    }
}
