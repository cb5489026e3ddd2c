//! Retention: facts and rollups older than they are wanted are deleted.
//!
//! Guarantees: a file goes when its newest event is too old, its row in the manifest before it; rollups go by the hour or
//! day. What is learned (`cells`) has no time and fades by its half-life instead.

use rusqlite::{TransactionBehavior, params};

use super::{Store, StoreError};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long things are kept, in milliseconds; `None` forever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Facts, by the time of their events.
    pub facts_ms: Option<i64>,
    /// Rollups, by the time when their ads were served.
    pub rollups_ms: Option<i64>,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { facts_ms: Some(90 * DAY_MS), rollups_ms: Some(730 * DAY_MS) }
    }
}

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Part files.
    pub parts: usize,
    /// Rows of rollups.
    pub rollup_rows: usize,
}

/// Rollups with the column of their time and its unit.
const ROLLUPS: [(&str, &str, i64); 6] = [
    ("facts_hourly", "hour", HOUR_MS),
    ("values_hourly", "hour", HOUR_MS),
    ("behaviours_hourly", "hour", HOUR_MS),
    ("records_hourly", "hour", HOUR_MS),
    ("combinations_daily", "day", DAY_MS),
    ("experiment_days", "day", DAY_MS),
];

impl Store {
    /// Deletes what is too old at `now_ms`.
    ///
    /// # Errors
    /// [`StoreError`]; the store must be opened again.
    pub fn expire(&mut self, retention: Retention, now_ms: i64) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        if let Some(rollups_ms) = retention.rollups_ms {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (table, column, unit_ms) in ROLLUPS {
                let sql = format!("DELETE FROM {table} WHERE {column} < ?1");
                let first = now_ms.saturating_sub(rollups_ms).div_euclid(unit_ms);
                expired.rollup_rows += transaction.prepare_cached(&sql)?.execute([first])?;
            }
            transaction.commit()?;
        }
        if let Some(facts_ms) = retention.facts_ms {
            expired.parts = self.expire_parts(now_ms.saturating_sub(facts_ms))?;
        }
        Ok(expired)
    }

    fn expire_parts(&mut self, before_ms: i64) -> Result<usize, StoreError> {
        let old = self.parts()?.into_iter().filter(|part| part.max_at_ms < before_ms);
        let (ids, files): (Vec<i64>, Vec<String>) = old.map(|part| (part.id, part.file)).unzip();
        if ids.is_empty() {
            return Ok(0);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for id in &ids {
            for sql in [
                "DELETE FROM parts WHERE id = ?1",
                "DELETE FROM part_reaches WHERE part = ?1",
                "DELETE FROM part_hours WHERE part = ?1",
            ] {
                transaction.prepare_cached(sql)?.execute([id])?;
            }
        }
        let sql = "INSERT INTO retained VALUES (1, ?1)
                   ON CONFLICT DO UPDATE SET facts_from_ms = max(facts_from_ms, excluded.facts_from_ms)";
        transaction.execute(sql, params![before_ms])?;
        transaction.commit()?;
        self.remove_files(&files)?;
        Ok(files.len())
    }
}
