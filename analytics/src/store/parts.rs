//! The facts: a tail in the database, part files, and the manifest that says which files count.
//!
//! ```text
//! seal = write part.tmp ─▶ fsync ─▶ rename ─▶ fsync directory ─▶ one transaction: manifest row, tail emptied
//! ```
//! Guarantees: each fact is in the tail or in exactly one file of the manifest, whatever crashes in between. A file without
//! a row in the manifest is an orphan of a crash, and deleted when the store is opened.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use ahash::{AHashMap, AHashSet};
use rusqlite::{Transaction, TransactionBehavior, params};
use tessera_wire::codec;

use super::part_file::{self, PartError, Texts};
use super::{Store, StoreError, unsigned};
use crate::fold::{Fact, FactKind};
use crate::limits::{PART_ROWS_MAX, TAIL_BYTES_MAX};
use crate::names::NameId;

/// The directory of part files is named like the database, with this extension.
pub const FACTS_EXTENSION: &str = "facts";
const HOUR_MS: i64 = 3_600_000;
const PART_PREFIX: &str = "part-";

/// A point between two changes of what is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing of a batch has been written.
    BatchBegun,
    /// All of it has been, but the transaction is open.
    BatchAdded,
    /// The transaction is done.
    BatchCommitted,
    /// A part file is about to be written.
    PartBegun,
    /// It is on the disk under its temporary name.
    PartWritten,
    /// It has its final name.
    PartRenamed,
    /// The manifest has it, but the transaction is open.
    PartAdded,
    /// The manifest has it.
    PartCommitted,
    /// Files that no longer count are about to be removed.
    FilesDropped,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Step; 9] = [
        Step::BatchBegun,
        Step::BatchAdded,
        Step::BatchCommitted,
        Step::PartBegun,
        Step::PartWritten,
        Step::PartRenamed,
        Step::PartAdded,
        Step::PartCommitted,
        Step::FilesDropped,
    ];
}

/// A file of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    /// Its number.
    pub id: i64,
    /// Name in the directory of facts.
    pub file: String,
    /// Rows.
    pub facts: u64,
    /// Length.
    pub bytes: u64,
    /// Time of the oldest event in it, unix milliseconds.
    pub min_at_ms: i64,
    /// Time of the newest.
    pub max_at_ms: i64,
}

/// Facts that are not in a file yet, as the database has them.
#[derive(Debug, Default)]
pub(super) struct Tail {
    facts: Vec<Fact>,
    since_ms: Option<i64>,
}

impl Tail {
    pub(super) fn extend(&mut self, facts: &[Fact], now_ms: i64) {
        if !facts.is_empty() {
            self.since_ms.get_or_insert(now_ms);
            self.facts.extend_from_slice(facts);
        }
    }
}

/// Adds a batch's facts to the tail.
pub(super) fn add_to_tail(
    transaction: &Transaction<'_>,
    facts: &[Fact],
    now_ms: i64,
) -> rusqlite::Result<()> {
    // In pieces, so that no batch can be too long to be read back.
    for piece in facts.chunks(PART_ROWS_MAX) {
        let bytes = codec::encode(&piece);
        transaction
            .prepare_cached("INSERT INTO fact_tail (made_at_ms, facts) VALUES (?1, ?2)")?
            .execute(params![now_ms, bytes])?;
    }
    Ok(())
}

impl Store {
    /// The files that count, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn parts(&self) -> Result<Vec<Part>, StoreError> {
        let sql = "SELECT id, file, facts, bytes, min_at_ms, max_at_ms FROM parts ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let parts = statement.query_map([], part)?;
        Ok(parts.collect::<Result<_, _>>()?)
    }

    /// Facts that are not in a file yet.
    pub fn tail(&self) -> &[Fact] {
        &self.tail.facts
    }

    /// Should the tail become a file: is it long, or older than this?
    pub fn is_seal_due(&self, now_ms: i64, interval_ms: i64) -> bool {
        let is_old = self.tail.since_ms.is_some_and(|since| now_ms.saturating_sub(since) >= interval_ms);
        self.tail.facts.len() >= PART_ROWS_MAX || is_old
    }

    /// Moves the tail to a part file, without the subjects that are to be erased. Says whether there was anything.
    ///
    /// # Errors
    /// [`StoreError`]; the tail then still stands in the database, and the store must be opened again.
    pub fn seal(&mut self) -> Result<bool, StoreError> {
        if self.tail.facts.is_empty() {
            return Ok(false);
        }
        self.pass(Step::PartBegun)?;
        for fact in &mut self.tail.facts {
            fact.subject = fact.subject.filter(|subject| !self.erasing.contains(subject));
        }
        let sql = "SELECT coalesce(max(id), 0) + 1 FROM parts";
        let id: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        let part = self.write_part(id)?;
        let hours = count_by_hour(&self.tail.facts);
        self.add_part(&part, &hours)?;
        self.tail = Tail::default();
        self.pass(Step::PartCommitted)?;
        Ok(true)
    }

    fn write_part(&self, id: i64) -> Result<Part, StoreError> {
        let facts = &self.tail.facts;
        let texts = self.texts(facts)?;
        let file = file_name(id, 0);
        let bytes = self.put_file(&file, |path| part_file::write(path, facts, &texts).map(Some))?;
        let times = facts.iter().map(|fact| fact.at_ms);
        Ok(Part {
            id,
            file,
            facts: facts.len() as u64,
            bytes: bytes.unwrap_or(0),
            min_at_ms: times.clone().min().unwrap_or(0),
            max_at_ms: times.max().unwrap_or(0),
        })
    }

    /// Lets `write` write a file, on the disk and under a temporary name; gives it its name durably. `None` from `write`
    /// means that there is no file.
    pub(super) fn put_file(
        &self,
        file: &str,
        write: impl FnOnce(&std::path::Path) -> Result<Option<u64>, PartError>,
    ) -> Result<Option<u64>, StoreError> {
        let path = self.directory.join(file);
        let fail = |source: PartError| StoreError::Part { path: path.clone(), source };
        let temporary = self.directory.join(format!("{file}.tmp"));
        let Some(bytes) = write(&temporary).map_err(fail)? else { return Ok(None) };
        self.pass(Step::PartWritten)?;
        std::fs::rename(&temporary, &path).map_err(|error| fail(error.into()))?;
        self.sync_directory()?;
        self.pass(Step::PartRenamed)?;
        Ok(Some(bytes))
    }

    fn sync_directory(&self) -> Result<(), StoreError> {
        let synced = File::open(&self.directory).and_then(|directory| directory.sync_all());
        synced.map_err(|error| self.directory_failed(error))
    }

    fn directory_failed(&self, error: io::Error) -> StoreError {
        StoreError::Part { path: self.directory.clone(), source: error.into() }
    }

    fn add_part(&mut self, part: &Part, hours: &AHashMap<(i64, FactKind), i64>) -> Result<(), StoreError> {
        let stopper = self.stopper.clone();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.prepare_cached("INSERT INTO parts VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            part.id,
            part.file,
            part.facts as i64,
            part.bytes as i64,
            part.min_at_ms,
            part.max_at_ms
        ])?;
        let sql = "INSERT INTO part_reaches SELECT ?1, node, segment, offset FROM checkpoints";
        transaction.execute(sql, [part.id])?;
        let mut add = transaction.prepare_cached("INSERT INTO part_hours VALUES (?1, ?2, ?3, ?4)")?;
        for ((hour, kind), count) in hours {
            add.execute(params![part.id, hour, *kind as u8, count])?;
        }
        drop(add);
        transaction.execute("DELETE FROM fact_tail", [])?;
        if stopper.is_some_and(|stopper| stopper(Step::PartAdded)) {
            return Err(StoreError::Stopped { step: Step::PartAdded });
        }
        transaction.commit()?;
        Ok(())
    }

    /// The texts of the names that these facts hold.
    fn texts(&self, facts: &[Fact]) -> Result<Texts, StoreError> {
        let mut wanted: AHashSet<NameId> = AHashSet::new();
        for fact in facts {
            let exposure = fact.exposure.map(|(experiment, variant)| [experiment, variant]);
            wanted.extend([fact.campaign, fact.segment, fact.template, fact.behaviour].into_iter().flatten());
            wanted.extend(exposure.into_iter().flatten());
            wanted.extend(fact.combination.iter().flat_map(|list| list.ids()));
            if let Some(served) = &fact.served {
                wanted.insert(served.placement);
                wanted
                    .extend([served.flight, served.offer, served.rule, served.locale].into_iter().flatten());
            }
        }
        let mut statement = self.connection.prepare_cached("SELECT owner, text FROM names WHERE id = ?1")?;
        let mut texts = Texts::default();
        for id in wanted {
            let mut rows = statement.query([id.0])?;
            if let Some(row) = rows.next()? {
                texts.insert(
                    id,
                    row.get_ref(0)?.as_str().unwrap_or(""),
                    row.get_ref(1)?.as_str().unwrap_or(""),
                );
            }
        }
        Ok(texts)
    }

    /// Reads the tail and removes files that no longer count, or never did.
    pub(super) fn open_parts(&mut self) -> Result<(), StoreError> {
        std::fs::create_dir_all(&self.directory).map_err(|error| self.directory_failed(error))?;
        self.remove_orphans()?;
        let mut statement =
            self.connection.prepare("SELECT id, made_at_ms, facts FROM fact_tail ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let batch = row.get(0)?;
            let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            let facts: Vec<Fact> = codec::decode::<_, TAIL_BYTES_MAX>(bytes)
                .map_err(|source| StoreError::Tail { batch, source })?;
            self.tail.extend(&facts, row.get(1)?);
        }
        Ok(())
    }

    /// Deletes part files that the manifest does not name. Says how many.
    pub(super) fn remove_orphans(&self) -> Result<usize, StoreError> {
        let named: AHashSet<String> = self.parts()?.into_iter().map(|part| part.file).collect();
        let fail = |error| self.directory_failed(error);
        let mut removed = 0;
        for entry in std::fs::read_dir(&self.directory).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let is_part = name.to_str().is_some_and(|name| name.starts_with(PART_PREFIX));
            if is_part && name.to_str().is_none_or(|name| !named.contains(name)) {
                std::fs::remove_file(entry.path()).map_err(fail)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes files that the manifest no longer names. What a crash leaves is removed when the store is opened.
    pub(super) fn remove_files(&self, files: &[String]) -> Result<(), StoreError> {
        self.pass(Step::FilesDropped)?;
        for file in files {
            match std::fs::remove_file(self.directory.join(file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.directory_failed(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where a part file is.
    pub fn part_path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }
}

/// The name of a part's file; each rewriting has a new one.
pub(super) fn file_name(id: i64, revision: u32) -> String {
    format!("{PART_PREFIX}{id:010}-{revision}.parquet")
}

/// The revision in a part's file name.
pub(super) fn revision(file: &str) -> u32 {
    let digits = file.trim_end_matches(".parquet").rsplit('-').next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn count_by_hour(facts: &[Fact]) -> AHashMap<(i64, FactKind), i64> {
    let mut hours = AHashMap::new();
    for fact in facts.iter().filter(|fact| !fact.is_implied) {
        *hours.entry((fact.at_ms.div_euclid(HOUR_MS), fact.kind)).or_default() += 1;
    }
    hours
}

fn part(row: &rusqlite::Row<'_>) -> rusqlite::Result<Part> {
    Ok(Part {
        id: row.get(0)?,
        file: row.get(1)?,
        facts: unsigned(row.get(2)?),
        bytes: unsigned(row.get(3)?),
        min_at_ms: row.get(4)?,
        max_at_ms: row.get(5)?,
    })
}
