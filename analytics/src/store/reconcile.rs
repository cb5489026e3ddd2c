//! Reconciliation: is every record that engines appended stored, or counted under what became of it?
//!
//! Two independent counts are compared: what the fold said of records, hour by hour and kind by kind, and the facts that
//! really stand in files and in the tail. Beside them the sum over the whole journal: appended = read + damaged + missing,
//! and read = stored + every reason not to be.
//!
//! Cost: a few sums in the database, and one pass over the tail.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};
use tessera_wire::codec;

use super::StoreError;
use crate::fold::{Fact, FactKind, Outcome};
use crate::limits::TAIL_BYTES_MAX;

const HOUR_MS: i64 = 3_600_000;

/// One hour of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HourCounts {
    /// Records by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [i64; Outcome::ALL.len()],
    /// Facts in files and in the tail; `None` where facts have been deleted for their age.
    pub facts: Option<i64>,
}

impl HourCounts {
    /// Stored records without a fact, or facts without a record.
    pub fn difference(&self) -> i64 {
        self.facts.map_or(0, |facts| self.outcomes[Outcome::Stored as usize] - facts)
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reconciliation {
    /// By hour since the epoch and kind.
    pub hours: BTreeMap<(i64, FactKind), HourCounts>,
    /// Counters of the whole journal.
    pub totals: BTreeMap<String, i64>,
}

impl Reconciliation {
    fn total(&self, name: &str) -> i64 {
        self.totals.get(name).copied().unwrap_or(0)
    }

    /// Records that engines appended, as far as the journals have been read.
    pub fn appended(&self) -> i64 {
        self.total("read") + self.total("damaged") + self.total("missing")
    }

    /// Records that were read and have gone nowhere.
    pub fn unaccounted(&self) -> i64 {
        let gone = ["stored", "duplicate", "unjoined", "unnamed", "waiting", "remembered"];
        self.total("read") - gone.iter().map(|name| self.total(name)).sum::<i64>()
    }

    /// Does everything agree?
    pub fn is_balanced(&self) -> bool {
        self.unaccounted() == 0 && self.hours.values().all(|counts| counts.difference() == 0)
    }
}

/// Compares what a store says of records with the facts that it has.
///
/// # Errors
/// [`StoreError`] when SQLite refuses or the tail is damaged.
pub fn reconcile(connection: &Connection) -> Result<Reconciliation, StoreError> {
    // One transaction, so that a running writer changes nothing in between.
    let transaction = connection.unchecked_transaction()?;
    let sql = "SELECT facts_from_ms FROM retained";
    let from_ms: Option<i64> = transaction.query_row(sql, [], |row| row.get(0)).optional()?;
    // The hour in which deletion ended is in part gone.
    let first_hour = from_ms.map_or(i64::MIN, |from_ms| from_ms.div_euclid(HOUR_MS) + 1);
    let mut found = Reconciliation::default();
    let at = |hour: i64, kind: FactKind, found: &mut Reconciliation, add: &dyn Fn(&mut HourCounts)| {
        let counts = found.hours.entry((hour, kind)).or_insert_with(|| HourCounts {
            facts: (hour >= first_hour).then_some(0),
            ..HourCounts::default()
        });
        add(counts);
    };
    let mut statement = transaction.prepare("SELECT hour, kind, outcome, count FROM records_hourly")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (outcome, count): (usize, i64) = (usize::from(row.get::<_, u8>(2)?), row.get(3)?);
        if let (Some(kind), true) = (kind(row.get(1)?), outcome < Outcome::ALL.len()) {
            at(row.get(0)?, kind, &mut found, &|counts| counts.outcomes[outcome] += count);
        }
    }
    let mut statement = transaction.prepare("SELECT hour, kind, sum(count) FROM part_hours GROUP BY 1, 2")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let count: i64 = row.get(2)?;
        if let Some(kind) = kind(row.get(1)?) {
            at(row.get(0)?, kind, &mut found, &|counts| {
                counts.facts = counts.facts.map(|facts| facts + count)
            });
        }
    }
    let mut statement = transaction.prepare("SELECT id, facts FROM fact_tail")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let batch = row.get(0)?;
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let facts: Vec<Fact> =
            codec::decode::<_, TAIL_BYTES_MAX>(bytes).map_err(|source| StoreError::Tail { batch, source })?;
        for fact in facts.iter().filter(|fact| !fact.is_implied) {
            let hour = fact.at_ms.div_euclid(HOUR_MS);
            at(hour, fact.kind, &mut found, &|counts| counts.facts = counts.facts.map(|facts| facts + 1));
        }
    }
    let mut statement = transaction.prepare("SELECT name, value FROM totals")?;
    let totals = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    found.totals = totals.collect::<Result<_, _>>()?;
    Ok(found)
}

fn kind(code: u8) -> Option<FactKind> {
    FactKind::ALL.get(usize::from(code)).copied()
}
