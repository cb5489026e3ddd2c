//! The analytics store: SQLite with rollups, learner statistics and the journal position.
//!
//! Guarantees: a batch's sums and the position after it are committed in one transaction, durable when [`Store::commit`]
//! returns (WAL, `synchronous=FULL`), so a crash at any point repeats or skips nothing. Migrations run under
//! `user_version`; a store of a newer version is refused.
//!
//! Cost: one statement per changed row and one fsync per commit.
//!
//! Not here: what to sum ([`crate::fold`]) and how to read it ([`crate::report`]).

mod rows;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use tessera_wire::event::Touch;

use crate::fold::Delta;
use crate::journal_reader::Position;
use crate::names::{Name, NameId, NameList};

/// Version of the tables.
pub const SCHEMA_VERSION: i64 = 1;

/// How long to wait for another connection's lock, which only a checkpoint or a backup holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The store failed; the writer opens it again and goes on from the last commit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite refused.
    #[error("analytics store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Written by a newer writer.
    #[error("analytics store has version {found}, newer than this writer understands (max {supported})")]
    TooNew {
        /// Version in the file.
        found: i64,
        /// Newest version understood.
        supported: i64,
    },
}

/// How far the journal has taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// After the last record that has taken effect.
    pub position: Position,
    /// Segment from which a restart must read.
    pub replay_segment: u64,
    /// Time of the newest served record before that segment.
    pub replay_watermark_ms: i64,
    /// Time of the newest served record.
    pub watermark_ms: i64,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress {
            position: Position::default(),
            replay_segment: 0,
            replay_watermark_ms: i64::MIN,
            watermark_ms: i64::MIN,
        }
    }
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

/// The writer's connection.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
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
        Ok(Store { connection })
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

    /// Adds a batch and moves the position, all or nothing. `fade` is how learner statistics lose weight with time.
    /// Returns the factor by which they were multiplied before the batch was added.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses; nothing of the batch has taken effect then.
    pub fn commit(
        &mut self,
        progress: &Progress,
        names: &[(NameId, Name)],
        delta: &Delta,
        skipped: Skipped,
        half_life_hours: Option<f64>,
    ) -> Result<f64, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        rows::insert_names(&transaction, names)?;
        let factor = rows::fade_cells(&transaction, progress.watermark_ms, half_life_hours)?;
        rows::add_facts(&transaction, delta)?;
        rows::add_combinations(&transaction, delta)?;
        rows::add_cells(&transaction, delta)?;
        rows::add_behaviours(&transaction, delta)?;
        rows::change_waiting(&transaction, delta)?;
        rows::add_totals(&transaction, delta, skipped)?;
        rows::set_progress(&transaction, progress)?;
        transaction.commit()?;
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

/// How far the journal has taken effect; the start when nothing was committed yet.
pub(crate) fn read_progress(connection: &Connection) -> Result<Progress, StoreError> {
    let sql = "SELECT segment, offset, replay_segment, replay_watermark_ms, watermark_ms FROM progress";
    let progress = connection.query_row(sql, [], |row| {
        Ok(Progress {
            position: Position { segment: unsigned(row.get(0)?), offset: unsigned(row.get(1)?) },
            replay_segment: unsigned(row.get(2)?),
            replay_watermark_ms: row.get(3)?,
            watermark_ms: row.get(4)?,
        })
    });
    Ok(progress.optional()?.unwrap_or_default())
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
    if found < 1 {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.pragma_update(None, "user_version", 1)?;
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
        let at = |hours: i64| Progress { watermark_ms: hours * 3_600_000, ..Progress::default() };
        let none = Skipped::default();
        assert_eq!(store.commit(&at(1000), &[], &delta, none, Some(24.0)).unwrap(), 1.0);
        let factor = store.commit(&at(1024), &[], &Delta::default(), none, Some(24.0)).unwrap();
        assert!((factor - 0.5).abs() < 1e-12);
        let cells = store.cells(NameId(1)).unwrap();
        assert!((cells[0].impressions - 4.0).abs() < 1e-9 && (cells[0].clicks - 2.0).abs() < 1e-9);
    }
}
